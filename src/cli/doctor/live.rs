//! The checks that use Codex: one turn, and Codex's own doctor.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::check::{Check, Status};
use super::codex::Found;
use super::probe::probe;
use crate::cli::advice::{headline, of_failure};
use crate::codex::item_warning;
use crate::codex::version::Version;
use crate::model::event::Event;
use crate::model::outcome::{Failure, FailureKind, duration};
use crate::model::prompt::Prompt;
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::text::head_on_one_line;
use crate::model::value::InvalidValue;
use crate::turn::Codex;

/// The timeout of the turn, waiting for other calls included.
pub(super) const TURN_WITHIN: Duration = Duration::from_secs(2 * 60);

/// How long Codex may take to exit after its turn.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);

/// It usually takes 0.3 s, and longer if a host does not answer.
const DOCTOR_WITHIN: Duration = Duration::from_secs(60);

/// How much of a message of Codex is shown, in characters.
const SHOWN: usize = 300;

const ID: &str = "live";

/// Runs one turn in a new session, like a call. The first check says whether it was completed.
pub(super) async fn turn(codex: &Codex) -> Vec<Check> {
    let began = Instant::now();
    let request = match request() {
        Ok(request) => request,
        Err(problem) => return vec![Check::problem(ID, problem.to_string(), "report this")],
    };
    let mut turn = codex.start(request);
    // Codex may retry for longer than the timeout. Its last error says why.
    let mut last_error = None;
    let mut fell_back = false;
    while let Some(event) = turn.next_event().await {
        match event {
            Event::Error { message } => last_error = Some(head_on_one_line(&message, SHOWN)),
            Event::Item { item, .. } => fell_back |= item_warning::is_websocket_fallback(&item),
            _ => {}
        }
    }
    let outcome = turn.outcome().await;
    let took = began.elapsed();
    codex.finished(LEAVE_WITHIN).await;
    let turn = match outcome {
        Ok(answer) => {
            let session = answer.session_id;
            let summary = format!("Codex answered within {} in session {session}", duration(took));
            Check::ok(ID, summary)
                .with("session_id", session.to_string())
                .with("resume_command", session.resume_command())
                .with("milliseconds", u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
        }
        Err(failure) => judge_failure(&failure, last_error),
    };
    [turn].into_iter().chain(fell_back.then(without_websocket)).collect()
}

fn without_websocket() -> Check {
    let summary = "Codex cannot reach the model by WebSocket; each call may be delayed by some seconds \
                   before Codex falls back to HTTPS";
    let fix = format!(
        "let the proxy pass WebSocket through, or configure {}",
        item_warning::HOW_TO_AVOID_WEBSOCKET
    );
    Check::warning("live.websocket", summary, fix)
}

fn judge_failure(failure: &Failure, last_error: Option<String>) -> Check {
    let summary = headline(failure.kind.code(), &failure.kind);
    let fix = match failure.kind {
        FailureKind::TimedOut { started: true, .. } => {
            "run `codex exec hello` to see the error; check the login and the network".into()
        }
        _ => of_failure(failure),
    };
    let last_error = last_error.filter(|last_error| !summary.contains(last_error));
    let help = Some(failure.kind.error_code().help());
    let mut check = Check { help, ..Check::problem(ID, summary, fix) };
    if let Some(last_error) = last_error {
        check = check.with("codex_said", last_error);
    }
    match failure.session_id {
        Some(session) => check.with("session_id", session.to_string()),
        None => check,
    }
}

fn request() -> Result<TurnRequest, InvalidValue> {
    let prompt = Prompt::new("Reply with the word ready.")?;
    Ok(TurnRequest::new(prompt)
        .sandbox(SandboxChoice::Set(Sandbox::ReadOnly))
        .total_limit(TURN_WITHIN)
        .idle_limit(TURN_WITHIN))
}

/// What Codex's own doctor reports. It uses the network, so it runs only with `--live`. `works` says that a
/// turn was completed.
pub(super) async fn own_doctor(found: &Found, works: bool) -> Vec<Check> {
    if found.version < Version::DOCTOR {
        return Vec::new();
    }
    let answer = probe(&found.program, &["doctor", "--json"], DOCTOR_WITHIN).await;
    let report = match &answer {
        Ok(answer) => serde_json::from_str(&answer.stdout).ok(),
        Err(_) => None,
    };
    match report {
        Some(report) => judge(&report, works),
        None => {
            let what = answer.map_or_else(|error| error.to_string(), |answer| answer.summary());
            let summary = format!("`codex doctor --json` printed no report: {what}");
            vec![Check::warning("codex_doctor", summary, "run `codex doctor` for details")]
        }
    }
}

/// A failure is only a warning if Codex works all the same, with a provider that its doctor does not know.
fn judge(report: &Value, works: bool) -> Vec<Check> {
    let checks = report["checks"].as_object().into_iter().flatten();
    let findings: Vec<Check> = checks.filter_map(|(id, check)| finding(id, check, works)).collect();
    if findings.is_empty() {
        return vec![Check::ok("codex_doctor", "Codex's own doctor found no problem")];
    }
    findings
}

fn finding(id: &str, check: &Value, works: bool) -> Option<Check> {
    // Codex runs without a terminal here.
    if check["category"] == "terminal" || id.starts_with("terminal.") {
        return None;
    }
    let status = match check["status"].as_str()? {
        "ok" => return None,
        "fail" if !works => Status::Problem,
        _ => Status::Warning,
    };
    let remedy = check["remediation"].as_str();
    // A warning without a remedy may be no more than a remark.
    if remedy.is_none() && check["status"] != "fail" {
        return None;
    }
    let summary = format!("Codex's own doctor: {}", check["summary"].as_str().unwrap_or(id));
    let fix = remedy.unwrap_or("run `codex doctor` for details");
    let check = Check::warning(format!("codex_doctor.{id}"), summary, fix);
    Some(Check { status, ..check })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Limit;
    use serde_json::json;

    #[test]
    fn a_turn_that_came_to_no_end_shows_what_codex_was_at() {
        let limit = Limit::Total(TURN_WITHIN);
        let kind = FailureKind::TimedOut { limit, started: true, ahead: String::new() };
        let check = judge_failure(&Failure::of(kind, None), Some("reconnecting".into()));
        assert_eq!(check.details["codex_said"], "reconnecting");
        assert!(check.help.as_ref().is_some_and(|help| help.ends_with("errors.md#timed_out")));
        assert!(check.fix.is_some_and(|fix| fix.contains("codex exec")));
    }

    #[test]
    fn a_failure_counts_only_if_codex_does_not_work() {
        let report = json!({"checks": {
            "a": {"status": "fail", "summary": "no", "remediation": "do it"},
            "b": {"status": "warning", "summary": "remark", "remediation": null},
            "c": {"status": "ok", "summary": "fine", "remediation": null},
            "terminal.env": {"status": "warning", "summary": "dumb", "remediation": "buy one"},
        }});
        let seen = |works| -> Vec<(String, Status)> {
            judge(&report, works).into_iter().map(|check| (check.id, check.status)).collect()
        };
        assert_eq!(seen(false), [("codex_doctor.a".to_owned(), Status::Problem)]);
        assert_eq!(seen(true), [("codex_doctor.a".to_owned(), Status::Warning)]);
        assert_eq!(judge(&json!({}), true)[0].status, Status::Ok);
    }
}
