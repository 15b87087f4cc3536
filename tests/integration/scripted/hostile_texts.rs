//! Texts from outside that a terminal obeys, that reverse a line, or that look like a log line. In messages to
//! users, errors and logs they are short and escaped. In JSON they are unchanged.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::cli::{self, Ran, on_terminal, parsed};
use crate::kit::play::{Stage, chat, item, message, running, steps, steps_in, with};
use crate::kit::setup::{content, error_text, field, script};
use crate::kit::store::Made;
use crate::kit::wait::WAIT;
use crate::support::client::Server;
use crate::support::scripted_codex;

/// A title, a cleared screen, both bytes that start a terminal sequence, and characters that reverse text.
const BAD: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}31m\u{8}\u{7f}\u{85}\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}\u{2029}";

/// A text that looks like a line of the log.
const FORGED: &str = "2026-01-01T00:00:00.000000Z ERROR forged";

/// More than any terminal shows.
fn long() -> String {
    format!("{BAD}{}", "x".repeat(150_000))
}

fn is_harmful(char: char) -> bool {
    let turns = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    turns || char.is_control() && !matches!(char, '\n' | '\t')
}

/// Expects a short text without control characters.
fn assert_harmless(what: &str, text: &str) {
    let head: String = text.chars().take(1_000).collect();
    assert!(text.len() < 40_000, "{what}: {} bytes: {head}", text.len());
    let found: Vec<char> = text.chars().filter(|char| is_harmful(*char)).collect();
    assert!(found.is_empty(), "{what} has {found:?}: {head:?}");
}

/// Expects the same, and no forged line.
fn assert_tame(what: &str, text: &str) {
    assert_harmless(what, text);
    let head: String = text.chars().take(1_000).collect();
    assert!(!text.lines().any(|line| line.starts_with(FORGED)), "{what}: {head:?}");
}

/// The log on standard error and the log file, after the server has exited.
fn logs(server: &Server, file: &Path) -> [String; 2] {
    server.close_stdin();
    assert!(server.wait_exit(WAIT).success());
    server.wait_stderr(|log| log.contains("session"));
    [server.stderr(), fs::read_to_string(file).expect("the log is text")]
}

fn logged(stage: &Stage) -> (Server, PathBuf) {
    let file = stage.home.path().join("server.log");
    (stage.server().arg("--debug").arg("--log-file").arg(&file).start(), file)
}

/// The program in the project of this stage. Its own colours are off.
fn program(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = cli::program(&stage.home, &scripted_codex(), arguments);
    command.env("NO_COLOR", "1");
    command
}

fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    cli::run(program(stage, arguments))
}

/// The screen of a terminal.
fn shown(stage: &Stage, arguments: &[&str]) -> String {
    screen(program(stage, arguments))
}

/// What a terminal shows. The line that shows what runs is erased, which is all that the program itself does to it.
fn screen(command: Command) -> String {
    on_terminal(command).0.replace("\r\u{1b}[2K", "\n")
}

fn progress(server: &Server) -> String {
    let messages = server.messages();
    let texts = messages.iter().filter_map(|message| message["params"]["message"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

/// Starts a job and waits for its end.
fn job(server: &Server, arguments: &Value) -> (String, Value) {
    let job = content(&server.call("job_start", arguments)).clone();
    let id = job["job_id"].as_str().expect("a job has an id").to_owned();
    crate::kit::jobs::wait(server, &id, &job["notification_cursor"]);
    let snapshot = crate::kit::jobs::snapshot(server, &id);
    (id, snapshot)
}

#[test]
fn the_id_of_another_session_is_shown_short_and_escaped() {
    let stage = Stage::new();
    let (server, file) = logged(&stage);
    let begun = chat(&server, &json!({"prompt": "hello"}));
    let session = field(&begun, "session_id");
    let other = json!([
        {"event": {"type": "thread.started", "thread_id": format!("{}\n{FORGED}", long())}},
        {"hang": {}},
    ]);
    let answer = chat(&server, &steps_in(session, &other));
    assert!(error_text(&answer).starts_with("another_session_answered: "));
    assert_tame("the error", error_text(&answer));
    // An id that is not a session, where none was requested.
    let answer = chat(&server, &steps(&json!([other[0], message("so"), {"completed": {}}])));
    assert_tame("the error of a new session", error_text(&answer));
    assert_tame("progress", &progress(&server));
    let (id, snapshot) = job(&server, &steps_in(session, &other));
    assert_tame("the job's error", snapshot["error"]["message"].as_str().expect("it failed"));
    for arguments in [&["jobs", "follow", &id][..], &["jobs", "show", &id], &["jobs"]] {
        assert_tame(&format!("{arguments:?}"), &shown(&stage, arguments));
        let ran = run(&stage, arguments);
        assert_tame(&format!("{arguments:?}"), &(ran.stdout + &ran.stderr));
    }
    for log in logs(&server, &file) {
        assert_tame("the log", &log);
    }
}

#[test]
fn a_folder_s_name_is_escaped_in_errors_and_unchanged_in_json() {
    let stage = Stage::new();
    let bad = format!("{}\n{FORGED}", BAD.replace(']', ""));
    let folder = stage.home.project().join(&bad);
    fs::create_dir(&folder).expect("a file system takes any name");
    let cwd = folder.to_str().expect("it is text");
    let (server, file) = logged(&stage);
    let failing = json!([{"started": {}}, {"exit": 3}]);
    let answer = chat(&server, &with(steps(&failing), "cwd", cwd));
    assert!(error_text(&answer).starts_with("no_result: "));
    assert_tame("the error", error_text(&answer));
    let fine = chat(&server, &json!({"prompt": "hello", "cwd": cwd}));
    assert_eq!(field(&fine, "cwd"), cwd, "in JSON it stays as it is");
    let (id, snapshot) = job(&server, &json!({"prompt": "hello", "cwd": cwd}));
    assert_eq!(snapshot["cwd"], cwd);
    for arguments in [&["jobs", "follow", &id][..], &["jobs", "show", &id]] {
        assert_tame(&format!("{arguments:?}"), &shown(&stage, arguments));
        let ran = run(&stage, arguments);
        assert_tame(&format!("{arguments:?}"), &(ran.stdout + &ran.stderr));
    }
    // Each way in which it is reported as unusable.
    let gone = format!("{cwd}/gone");
    for (tool, arguments) in [
        ("codex_chat", json!({"prompt": "hello", "cwd": gone})),
        ("codex_chat", json!({"prompt": "hello", "add_dirs": [gone]})),
        ("codex_chat", json!({"prompt": "hello", "images": [gone]})),
        ("codex_chat", json!({"prompt": "hello", "images": [cwd]})),
        ("codex_chat", json!({"prompt": "hello", "cwd": cwd, "continue_last": true})),
        ("codex_guard_final", json!({"change_summary": "c", "cwd": cwd, "diff": "base:nobody"})),
        ("codex_chat", json!({"prompt": "hello", bad.as_str(): 1})),
        ("codex_chat", json!({"prompt": "hello", "config": {bad.as_str(): 1}})),
        ("codex_chat", json!({"prompt": "hello", "extra_arguments": [bad]})),
        ("codex_session_read", json!({"session_id": field(&fine, "session_id"), "include": [bad]})),
    ] {
        let answer = server.call(tool, &arguments);
        if answer["isError"] == true {
            assert_tame(&arguments.to_string(), error_text(&answer));
        }
    }
    for log in logs(&server, &file) {
        assert!(log.contains("\\u{1b}") && log.contains("\\u{202e}"), "it is shown: {log}");
        assert_tame("the log", &log);
    }
    for arguments in
        [&["chat", "hello", "--cwd", &gone][..], &["chat", "hello", "--cwd", cwd], &["sessions"]]
    {
        assert_tame(&format!("{arguments:?}"), &shown(&stage, arguments));
    }
    // As the allowed folder, the state folder, and Codex's home.
    let guarded =
        stage.server().env("CODEX_PERSISTENT_MCP_ALLOWED_DIRS", stage.home.path()).start();
    let answer = chat(&guarded, &json!({"prompt": "hello", "cwd": cwd}));
    assert!(error_text(&answer).starts_with("not_allowed: cwd "));
    assert_tame("the refusal", error_text(&answer));
    for variable in ["CODEX_PERSISTENT_MCP_STATE_DIR", "CODEX_HOME", "CODEX_BIN"] {
        let blocked = folder.join("file");
        fs::write(&blocked, "").expect("the folder exists");
        let server = stage.server().arg("--debug").env(variable, blocked.join("x")).start();
        for (tool, arguments) in
            [("codex_chat", json!({"prompt": "hello"})), ("job_list", json!({}))]
        {
            let answer = server.call(tool, &arguments);
            if answer["isError"] == true {
                assert_tame(variable, error_text(&answer));
            }
        }
        assert_tame(variable, &server.stderr());
        for arguments in [&["doctor"][..], &["jobs"], &["sessions"], &["chat", "hello"]] {
            let mut command = program(&stage, arguments);
            command.env(variable, blocked.join("x"));
            assert_tame(&format!("{variable} {arguments:?}"), &screen(command));
        }
    }
}

#[test]
fn texts_and_commands_of_codex_are_shown_short_and_escaped() {
    let stage = Stage::new();
    let (server, file) = logged(&stage);
    let bad = format!("{BAD}\n{FORGED}");
    let changed = json!({"id": "f", "type": "file_change", "changes": [{"path": bad}]});
    let called = json!({"id": "m", "type": "mcp_tool_call", "server": bad, "tool": bad});
    let refused = json!({"id": "r", "type": "command_execution", "command": bad, "exit_code": 1,
                         "aggregated_output": format!("{bad}: Permission denied")});
    let said = json!({"id": "e", "type": "error", "message": long()});
    let work = json!([
        {"started": {}}, {"stderr": bad}, running(&bad),
        item("completed", &refused), item("completed", &changed), item("started", &called),
        item("completed", &said), item("completed", &json!({"id": "o", "type": bad})),
        message(BAD), {"reply": BAD},
    ]);
    let answer = chat(&server, &steps(&work));
    assert_eq!(field(&answer, "reply"), BAD, "in JSON it stays as it is");
    let warnings = &content(&answer)["warnings"];
    assert!(!warnings[0].is_null(), "{answer}");
    assert_tame("the warning", warnings[0].as_str().expect("a text"));
    let (id, snapshot) = job(&server, &with(steps(&work), "label", BAD));
    assert_eq!(snapshot["label"], BAD);
    assert_eq!(snapshot["result"], BAD);
    assert_tame("the last activity", snapshot["last_activity"].as_str().expect("a text"));
    assert_tame("progress", &progress(&server));
    for arguments in [&["jobs", "follow", &id][..], &["jobs", "show", &id], &["jobs"]] {
        assert_tame(&format!("{arguments:?}"), &shown(&stage, arguments));
    }
    let listed = run(&stage, &["jobs", "--json"]);
    assert_eq!(parsed(&listed.stdout)[0]["label"], BAD);

    for (end, kind) in [
        (json!({"event": {"type": "turn.failed", "error": {"message": long()}}}), "turn_failed"),
        (json!({"event": {"type": "error", "message": long()}}), "no_result"),
        (json!({"stderr": format!("{bad}\nmore")}), "no_result"),
        (
            json!({"event": {"type": "turn.failed", "error":
                {"message": format!("usage limit {}", long())}}}),
            "usage_limit",
        ),
        (
            json!({"event": {"type": "turn.failed", "error":
                {"message": format!("401 unauthorized {}", long())}}}),
            "not_logged_in",
        ),
    ] {
        let failing = steps(&json!([{"started": {}}, message(&long()), end, {"exit": 1}]));
        let answer = chat(&server, &failing);
        assert!(error_text(&answer).starts_with(&format!("{kind}: ")), "{answer}");
        assert_harmless(kind, error_text(&answer));
        let (id, snapshot) = job(&server, &failing);
        assert_harmless(kind, snapshot["error"]["message"].as_str().expect("it failed"));
        for arguments in [&["jobs"][..], &["jobs", "list", "--limit", "1"]] {
            assert_tame(&format!("{arguments:?}"), &shown(&stage, arguments));
        }
        let reported = run(&stage, &["jobs", "show", &id]);
        assert!(!reported.stdout.contains(is_harmful), "{kind}");
        // Too long for an argument.
        let file = stage.home.path().join("script.json");
        fs::write(&file, &failing["prompt"].as_str().expect("a text")["SCRIPT: ".len()..])
            .expect("the home is writable");
        let mut command = program(&stage, &["chat", "hello"]);
        command.env("SCRIPTED_CODEX", &file);
        let reported = screen(command);
        assert!(reported.contains(&format!("error: {kind}: ")), "{reported:?}");
        assert_harmless(kind, &reported);
    }
    for log in logs(&server, &file) {
        assert_tame("the log", &log);
        assert!(log.contains("\\u{1b}") && log.contains("codex stderr"), "it is shown: {log}");
    }
}

#[test]
fn a_reply_cannot_command_a_terminal_and_is_unchanged_elsewhere() {
    let stage = Stage::new();
    let reply = format!("one\ttwo\r\nthree {BAD} \u{1b}[31mred");
    let prompt = script(&json!([{"started": {}}, {"reply": reply}]));
    let reported = shown(&stage, &["chat", &prompt]);
    assert!(!reported.contains(is_harmful), "{reported:?}");
    assert!(
        // It is wrapped before the long word.
        reported.contains("one\ttwo\nthree\n\\u{1b}]0;x\\u{7}\\u{1b}[2J\\u{9b}31m"),
        "{reported:?}"
    );
    assert!(
        reported.contains("\\u{202e}\\u{2066}\\u{200f}\\u{61c}\\u{2028}\\u{2029}\n\\u{1b}[31mred")
    );
    assert_eq!(run(&stage, &["chat", &prompt]).stdout, format!("{reply}\n"));
    let object = parsed(&run(&stage, &["chat", &prompt, "--json"]).stdout);
    assert_eq!(object[0]["reply"], reply);
    let id = run(&stage, &["chat", "--detach", &prompt]).stdout;
    let followed = run(&stage, &["jobs", "follow", id.trim()]);
    assert_eq!(followed.stdout, format!("{reply}\n"));
    assert!(!shown(&stage, &["jobs", "follow", id.trim()]).contains(is_harmful));
    cli::wait_nothing_left(&stage.home);
}

#[test]
fn records_of_sessions_are_shown_escaped() {
    let stage = Stage::new();
    let mut made = Made::new(1).prompt(&format!("{BAD}\n{FORGED}"));
    // Its end is in the table.
    made.cwd = format!("/\n{FORGED}{BAD}");
    made.source = json!(BAD);
    made.put(&stage.home);
    let other = Made::new(2).prompt(BAD);
    other.put(&stage.home);
    let id = made.id();
    for arguments in [
        &["sessions"][..],
        &["sessions", "show", &id],
        &["sessions", "show", &id, "--all"],
        &["sessions", "show", "0199a213"],
        &["sessions", "show", BAD],
        &["jobs", "show", BAD],
        &["jobs", "follow", BAD],
    ] {
        // Messages may have several lines.
        let assert = if arguments.contains(&"show") { assert_harmless } else { assert_tame };
        assert(&format!("{arguments:?}"), &shown(&stage, arguments));
        let ran = run(&stage, arguments);
        assert(&format!("{arguments:?}"), &(ran.stdout + &ran.stderr));
    }
    let listed = parsed(&run(&stage, &["sessions", "--json"]).stdout);
    assert_eq!(listed[1]["first_prompt"], format!("{BAD}\n{FORGED}"), "in JSON it stays as it is");
    assert_eq!(listed[1]["cwd"], made.cwd);
    let server = stage.server().start();
    let read = server.call("codex_session_read", &json!({"session_id": id}));
    assert_eq!(content(&read)["entries"][0]["text"], format!("{BAD}\n{FORGED}"));
}

#[test]
fn a_setting_of_a_project_is_shown_short_and_escaped() {
    let stage = Stage::new();
    let project = stage.home.project();
    let text = project.to_str().expect("test paths are text");
    stage.home.append_config(&format!("[projects.{text:?}]\ntrust_level = \"trusted\""));
    fs::create_dir(project.join(".codex")).expect("the project is writable");
    let key = toml::Value::from(long()).to_string();
    let settings = format!("{key} = 1\n").replace('\'', "\"");
    fs::write(project.join(".codex/config.toml"), settings).expect("the project is writable");
    fs::write(stage.home.path().join("evil.config.toml"), format!("{key} = 1\n"))
        .expect("writable");
    let server = stage.server().start();
    let answer = chat(&server, &json!({"prompt": "hello"}));
    let warnings = content(&answer)["warnings"].as_array().expect("it is warned of").clone();
    assert_eq!(warnings.len(), 1, "{answer}");
    assert_tame("the warning", warnings[0].as_str().expect("a text"));
    let refused = chat(&server, &json!({"prompt": "hello", "profile": "evil"}));
    assert!(error_text(&refused).starts_with("not_allowed: profile "));
    assert_tame("the refusal", error_text(&refused));
    let reported = shown(&stage, &["chat", "hello"]);
    assert!(reported.contains("warning: "), "{reported:?}");
    assert_tame("chat", &reported);
}

#[test]
fn a_wrong_setting_is_shown_escaped() {
    let stage = Stage::new();
    let bad = format!("/never/heard/of/{BAD}\n{FORGED}");
    for flag in ["--cwd", "--allowed-dirs", "--log-file", "--origin", "--allowed-models"] {
        let reported = shown(&stage, &[flag, &bad]);
        assert!(reported.contains(flag), "{reported:?}");
        assert_tame(flag, &reported);
        let mut command = program(&stage, &[]);
        command.env("CODEX_MCP_CWD", OsStr::new(&bad));
        assert_tame("a variable", &screen(command));
    }
}
