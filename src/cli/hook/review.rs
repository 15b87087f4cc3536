//! Has Codex review what Claude changed, before Claude stops.
//!
//! It cannot go on forever: the stop after a review is not held up, and the same changes are reviewed once.

use std::time::Duration;

use serde_json::{Value, json};

use super::memory::Memory;
use super::work::Work;
use super::{Input, answer};
use crate::cli::format::head;
use crate::cli::runtime::listening;
use crate::model::outcome::FailureKind;
use crate::model::settings::Settings;
use crate::model::text::head as start;
use crate::system::signals::Signals;
use crate::tool::{review_request, review_text};
use crate::turn::Codex;

/// The longest review. Claude Code ends the hook a minute later (`plugin/hooks/claude.json`).
const WITHIN: Duration = Duration::from_mins(10);

/// How long Codex may take to stop: longer than the sequence of signals that stops it.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// How much of Claude's last message Codex gets, and of a review Claude, in characters.
const SUMMARY: usize = 20_000;
const REVIEW: usize = 40_000;

/// At the start of a session notes what has changed before it; at a stop has reviewed what has changed since.
pub(super) fn run(input: Input, settings: Settings) {
    if input.stop_hook_active {
        return;
    }
    listening(|signals| async {
        look(input, settings, signals).await;
        0
    });
}

async fn look(input: Input, settings: Settings, signals: Signals) {
    let Some(now) = Work::of(settings.working_dir.as_path()).await else { return };
    let project = settings.working_dir.as_path();
    let Some(memory) = Memory::of(&settings, "review", (&input.session_id, project)) else {
        return;
    };
    let before = memory.read::<Work>();
    if before.as_ref() == Some(&now) {
        return;
    }
    if input.hook_event_name != "Stop" {
        // A session that goes on still has its changes before it.
        if before.is_none() {
            memory.write(&now);
        }
        return;
    }
    let Some((diff, more)) = to_review(before.as_ref(), &now) else { return };
    // Noted first: if the review fails, the same changes are not tried again and again.
    memory.write(&now);
    let said = input.last_assistant_message.unwrap_or_default();
    let summary = format!(
        "Claude Code is about to hand over its work in this repository.{more} Its last message to the user:\n\n{}",
        start(&said, SUMMARY)
    );
    review(&summary, &diff, settings, signals).await;
}

/// The change to review, as `codex_guard_final` takes it, and what else belongs to it. `None` if nothing changed.
fn to_review(before: Option<&Work>, now: &Work) -> Option<(String, String)> {
    let former = before.and_then(|before| before.head.as_deref());
    let since = former.filter(|head| now.head.as_deref() != Some(head));
    match (now.uncommitted, since) {
        (Some(_), None) => Some(("uncommitted".into(), String::new())),
        (Some(_), Some(head)) => {
            let more = format!(" The commits {head}..HEAD belong to it too; review them as well.");
            Some(("uncommitted".into(), more))
        }
        (None, Some(head)) => Some((format!("base:{head}"), String::new())),
        (None, None) => None,
    }
}

async fn review(summary: &str, diff: &str, settings: Settings, mut signals: Signals) {
    let Ok(request) = review_request(summary, diff, &settings.origin) else { return };
    let limit = settings.limits.total.min(WITHIN);
    let codex = Codex::new(settings);
    let turn = codex.start(request.total_limit(limit));
    let outcome = tokio::select! {
        outcome = turn.outcome() => Some(outcome),
        // Its user does not want to wait, and Claude Code reads no answer any more.
        _ = signals.next() => None,
    };
    match outcome {
        Some(Ok(completed)) => answer(&verdict(&review_text(completed))),
        Some(Err(failure)) if matches!(failure.kind, FailureKind::TimedOut { .. }) => {
            let message = "Codex's review of the changes was not finished in time.";
            answer(&json!({ "systemMessage": message }));
        }
        Some(Err(failure)) => tracing::warn!(%failure, "no review"),
        None => codex.shutdown(),
    }
    codex.finished(STOP_WITHIN).await;
}

/// What follows from a review, whose text begins with its verdict if it has one.
fn verdict(review: &str) -> Value {
    let review = start(review, REVIEW);
    match review.strip_prefix("Verdict: ").and_then(|rest| rest.split_whitespace().next()) {
        Some("approve") => {
            json!({ "systemMessage": format!("Codex reviewed the changes: {}", head(&review, 500)) })
        }
        Some(_) => json!({
            "decision": "block",
            "reason": format!(
                "Codex reviewed the changes before you finish. Check each finding yourself, fix what is right, and tell \
                 the user which ones you did not follow and why. To ask about the review, call codex_chat with its \
                 session_id.\n\n{review}"
            ),
        }),
        None => json!({ "systemMessage": "Codex's review of the changes has no verdict." }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(head: Option<&str>, uncommitted: Option<u64>) -> Work {
        Work { head: head.map(str::to_owned), uncommitted }
    }

    #[test]
    fn commits_and_uncommitted_changes_are_reviewed() {
        let before = work(Some("a"), None);
        let diff = |now: Work| to_review(Some(&before), &now);
        assert_eq!(diff(work(Some("a"), None)), None);
        assert_eq!(diff(work(Some("b"), None)), Some(("base:a".into(), String::new())));
        assert_eq!(diff(work(Some("a"), Some(1))), Some(("uncommitted".into(), String::new())));
        let (named, more) = diff(work(Some("b"), Some(1))).expect("there are changes");
        assert!(named == "uncommitted" && more.contains("a..HEAD"), "{more}");
        // Switched on in the middle of a session: what was committed before is not known.
        assert_eq!(to_review(None, &work(Some("b"), None)), None);
    }

    #[test]
    fn only_an_approval_lets_claude_stop() {
        let blocks = |review: &str| verdict(review)["decision"] == "block";
        assert!(!blocks("Verdict: approve\n\nGood."));
        assert!(blocks("Verdict: revise\n\nNot yet."));
        assert!(blocks("Verdict: block\n\nNo."));
        assert!(!blocks("I could not read it."));
    }
}
