//! Texts that users and callers read, whole: the help, errors, tables, the doctor's report and the
//! descriptions of the tools. A change of wording shows here as a difference.

use std::process::Command;

use serde_json::{Value, json};

use super::doctor::codex_of;
use crate::kit::call::{Sent, call};
use crate::kit::cli;
use crate::kit::play::{Stage, message, turn};
use crate::kit::setup::{PROGRAM, scratch, script};
use crate::kit::snapshot::{assert_snapshot, portable};
use crate::kit::store::Made;
use crate::support::client::{MARKER, result};
use crate::support::environment::clean;
use crate::support::scripted_codex;

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// How wide the help is. The terminal of the tests does not matter.
const COLUMNS: &str = "100";

fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    let command = clean(&mut command, scratch()).args(arguments).env("COLUMNS", COLUMNS);
    let output = command.output().expect("the program starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("the program writes text")
}

#[test]
fn help_of_the_program_and_of_each_command() {
    assert_snapshot("help", &help(&["--help"]));
    assert_snapshot("help-short", &help(&["-h"]));
    for command in ["mcp-server", "chat", "jobs", "sessions", "read", "doctor"] {
        assert_snapshot(&format!("help-{command}"), &help(&[command, "-h"]));
    }
}

/// A turn that Codex itself says has failed.
fn failed(words: &str) -> Value {
    json!([{"started": {}}, {"event": {"type": "turn.failed", "error": {"message": words}}}])
}

/// A Codex that leaves with these words before it starts a turn.
fn refused(words: &str) -> Value {
    json!([{"stderr": words}, {"exit": 1}])
}

/// Errors that are recognised by what Codex says and does. A case is a kind, with a remark if there are
/// several of it.
fn errors_of_codex() -> [(&'static str, Value); 12] {
    [
        ("config_not_loaded", refused("Error loading config.toml: invalid type at line 3")),
        (
            "mcp_server_failed",
            refused("required MCP servers failed to initialize: docs: no such file"),
        ),
        ("codex_home_unusable", refused("Error finding codex home: not a directory")),
        ("not_logged_in", failed("unexpected status 401 Unauthorized")),
        ("refresh_token_used", failed("Your refresh token was already used.")),
        ("context_full", failed("Codex ran out of room in the model's context window.")),
        ("schema_refused", failed("Invalid schema for response_format 'codex_output_schema'")),
        ("picture_refused", failed("The image data does not represent a valid image.")),
        ("usage_limit", failed("You've hit your usage limit. Try again at 9:00 PM.")),
        ("turn_failed", failed("the model fell over")),
        ("no_result", json!([{"started": {}}, message("I had begun."), {"exit": 3}])),
        ("no_result: before it starts", refused("something else")),
    ]
}

/// Errors as a snapshot has them.
#[derive(Default)]
struct Errors(String);

impl Errors {
    fn add(&mut self, case: &str, sent: Sent<'_>) {
        let kind = case.split(':').next().unwrap_or(case);
        self.0 += &format!("# {case}\n\n{}\n\n\n", sent.fails_with(kind).text());
    }
}

#[test]
fn errors_of_turns() {
    let stage = Stage::new();
    let server = stage.server().start();
    let turn = |steps: &Value| call(&server).prompt(&script(steps));
    // These two take as long as is enough for Codex to start on a busy machine.
    let slow = turn(&json!([{"started": {}}, message("This far."), {"hang": {}}]));
    let total = slow.clone().argument("timeout_ms", 5_000).send();
    let idle = slow.argument("idle_timeout_ms", 5_000).send();

    let mut all = Errors::default();
    for (case, steps) in errors_of_codex() {
        all.add(case, turn(&steps).send());
    }
    let unknown = refused(&format!("no rollout found for thread id {SESSION}"));
    all.add("session_not_found", turn(&unknown).in_session(SESSION).send());
    let other =
        json!([{"event": {"type": "thread.started", "thread_id": "another"}}, {"hang": {}}]);
    all.add("another_session_answered", turn(&other).in_session(SESSION).send());
    all.add("timed_out: in total", total);
    all.add("timed_out: idle", idle);
    assert_snapshot("errors-of-turns", &portable(&stage.home, &all.0));
}

#[test]
fn errors_before_a_turn() {
    let stage = Stage::new();
    let server = stage.server().start();
    let hello = call(&server).prompt("hello");
    let mut all = Errors::default();
    all.add("bad_input: without a prompt", call(&server).send());
    all.add("bad_input: a relative directory", hello.clone().argument("cwd", "src").send());
    all.add("not_allowed", hello.sandbox("danger-full-access").send());
    let job = call(&server).tool("job_events").argument("job_id", SESSION);
    all.add("job_not_found", job.send());
    let read = call(&server).tool("codex_session_read").in_session(SESSION);
    all.add("session_not_found: when it is read", read.send());

    let old = stage.server().env("SCRIPTED_CODEX_VERSION", "codex-cli 0.77.0").start();
    let fork = call(&old).prompt("hello").in_session(SESSION).argument("fork", true);
    all.add("needs_newer_codex", fork.send());
    let missing = stage.server().env("CODEX_BIN", "/never/heard/of/codex").start();
    all.add("codex_not_found", call(&missing).prompt("hello").send());

    let full = stage.server().env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1");
    let full = full.env("CODEX_PERSISTENT_MCP_MAX_QUEUED", "0").start();
    let running = call(&full).prompt(&script(&turn("one"))).send();
    stage.wait_for("began-one");
    all.add("too_many_calls", call(&full).prompt("hello").send());
    stage.release("go-one");
    running.replies("one");
    assert_snapshot("errors-before-a-turn", &portable(&stage.home, &all.0));
}

fn run(stage: &Stage, arguments: &[&str]) -> String {
    let ran = cli::run(cli::program(&stage.home, &scripted_codex(), arguments));
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    portable(&stage.home, &ran.stdout)
}

#[test]
fn table_of_jobs() {
    let stage = Stage::new();
    let server = stage.server().start();
    let start = |label: &str, steps: Value| {
        let job = call(&server).tool("job_start").prompt(&script(&steps)).argument("label", label);
        let job = job.succeeds();
        let wait = call(&server).tool("job_wait").argument("job_ids", [&job["job_id"]]);
        wait.argument("cursor", &job["notification_cursor"]).succeeds();
    };
    start("a good one", json!([{"started": {}}, {"reply": "all is well"}]));
    start("a bad one", failed("the model fell over"));
    let label = "one with a label that is longer than the table has room for";
    start(label, json!([{"started": {}}, {"reply": "a reply\nof two lines"}]));
    assert_snapshot("jobs", &run(&stage, &["jobs"]));
}

#[test]
fn table_of_sessions() {
    let stage = Stage::new();
    Made::new(1).put(&stage.home);
    Made { source: "cli".into(), ..Made::new(2).prompt("a question\nof two lines") }
        .put(&stage.home);
    let long = Made::new(3).prompt("a first prompt that is longer than the table has room for it");
    let cwd = "/home/me/a/folder/with/a/name/that/is/longer/than/the/column".into();
    Made { archived: true, cwd, ..long }.put(&stage.home);
    assert_snapshot("sessions", &run(&stage, &["sessions"]));
}

#[cfg(target_os = "linux")]
#[test]
fn report_of_the_doctor() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.171.0");
    let mut doctor = cli::program(&stage.home, &codex, &["doctor"]);
    // The doctor would report the variable of the tests.
    doctor.env_remove(MARKER);
    let ran = cli::run(doctor);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_snapshot("doctor", &portable(&stage.home, &ran.stdout));
}

#[test]
fn the_list_of_tools() {
    let stage = Stage::new();
    let server = stage.server().arg("--tools=all").start();
    let tools = result(server.request("tools/list", &json!({})));
    assert_snapshot("tools", &portable(&stage.home, &format!("{tools:#}")));
}
