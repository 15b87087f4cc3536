//! The program: its command line, its settings, its log.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::kit::cli;
use crate::kit::doctor::check;
use crate::kit::jobs::{folder, runner, start, text, wait};
use crate::kit::play::Stage;
use crate::kit::setup::{PROGRAM, error_text, field, home, scratch, script, scripted};
use crate::kit::wait::wait_until;
use crate::support::client::Server;
use crate::support::real_codex::Home;
use crate::support::scripted_codex;

/// Each setting: its flag, its variable, and values that cannot be used.
const SETTINGS: [(&str, &str, &[&str]); 41] = [
    ("--codex-bin", "CODEX_BIN", &[""]),
    ("--cwd", "CODEX_MCP_CWD", &["/never/heard/of", "/dev/null"]),
    ("--origin", "CODEX_PERSISTENT_MCP_ORIGIN", &["", " ", "a|b", "a]", "two\nlines"]),
    ("--timeout", "CODEX_PERSISTENT_MCP_TIMEOUT", &["0s", "-1s", "30", "ten", "25h"]),
    ("--idle-timeout", "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT", &["0s", "", "99999999999999999999h"]),
    ("--busy-wait", "CODEX_PERSISTENT_MCP_BUSY_WAIT", &["-1s", "soon", "25h"]),
    ("--max-concurrent", "CODEX_PERSISTENT_MCP_MAX_CONCURRENT", &["0", "1001", "many"]),
    ("--max-queued", "CODEX_PERSISTENT_MCP_MAX_QUEUED", &["-1", "10001", "many"]),
    ("--job-timeout", "CODEX_PERSISTENT_MCP_JOB_TIMEOUT", &["0s", "ten", "25h"]),
    ("--job-idle-timeout", "CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT", &["0s", "", "-1s"]),
    ("--job-keep", "CODEX_PERSISTENT_MCP_JOB_KEEP", &["-1h", "336", "for ever"]),
    ("--job-keep-mb", "CODEX_PERSISTENT_MCP_JOB_KEEP_MB", &["-1", "much"]),
    ("--state-dir", "CODEX_PERSISTENT_MCP_STATE_DIR", &[""]),
    ("--tools", "CODEX_PERSISTENT_MCP_TOOLS", &["", "Core", "codex", "core,,async"]),
    ("--tasks", "CODEX_PERSISTENT_MCP_TASKS", &["maybe"]),
    ("--list-sessions", "CODEX_PERSISTENT_MCP_LIST_SESSIONS", &["maybe"]),
    ("--max-sandbox", "CODEX_PERSISTENT_MCP_MAX_SANDBOX", &["maybe", ""]),
    ("--allowed-dirs", "CODEX_PERSISTENT_MCP_ALLOWED_DIRS", &["/no/such/folder"]),
    ("--allowed-models", "CODEX_PERSISTENT_MCP_ALLOWED_MODELS", &["-m", "a b"]),
    ("--allow-config", "CODEX_PERSISTENT_MCP_ALLOW_CONFIG", &["maybe"]),
    ("--allow-extra-arguments", "CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", &["maybe"]),
    ("--max-depth", "CODEX_PERSISTENT_MCP_MAX_DEPTH", &["-1", "deep"]),
    ("--nested-mcp", "CODEX_PERSISTENT_MCP_NESTED_MCP", &["", "a,,b"]),
    ("--command-environment", "CODEX_PERSISTENT_MCP_COMMAND_ENVIRONMENT", &["", "none"]),
    ("--list-codex-tools", "CODEX_PERSISTENT_MCP_LIST_CODEX_TOOLS", &["maybe"]),
    ("--codex-events", "CODEX_PERSISTENT_MCP_CODEX_EVENTS", &["maybe"]),
    ("--prompt-header", "CODEX_PERSISTENT_MCP_PROMPT_HEADER", &["maybe"]),
    ("--one-thread", "CODEX_PERSISTENT_MCP_ONE_THREAD", &["maybe"]),
    ("--http", "CODEX_PERSISTENT_MCP_HTTP", &["", "8765", "localhost"]),
    ("--transport", "CODEX_PERSISTENT_MCP_TRANSPORT", &["http", ""]),
    ("--mount-path", "CODEX_PERSISTENT_MCP_MOUNT_PATH", &["mcp", ""]),
    ("--http-token-file", "CODEX_PERSISTENT_MCP_HTTP_TOKEN_FILE", &[""]),
    ("--http-allowed-hosts", "CODEX_PERSISTENT_MCP_HTTP_ALLOWED_HOSTS", &["a b"]),
    ("--http-allowed-origins", "CODEX_PERSISTENT_MCP_HTTP_ALLOWED_ORIGINS", &["example.com"]),
    ("--http-max-connections", "CODEX_PERSISTENT_MCP_HTTP_MAX_CONNECTIONS", &["0", "65537"]),
    ("--http-max-sessions", "CODEX_PERSISTENT_MCP_HTTP_MAX_SESSIONS", &["0", "65537"]),
    ("--http-client-timeout", "CODEX_PERSISTENT_MCP_HTTP_CLIENT_TIMEOUT", &["0s", "25h"]),
    ("--http-resume-within", "CODEX_PERSISTENT_MCP_HTTP_RESUME_WITHIN", &["-1s", "soon"]),
    ("--http-session-timeout", "CODEX_PERSISTENT_MCP_HTTP_SESSION_TIMEOUT", &["0s", "25h"]),
    ("--debug", "CODEX_PERSISTENT_MCP_DEBUG", &["maybe"]),
    ("--log-file", "CODEX_PERSISTENT_MCP_LOG_FILE", &["/never/heard/of/it.log", "/"]),
];

/// Former names of settings, which the help does not show, and values that cannot be used.
const FORMER: [(&str, &str, &[&str]); 6] = [
    ("--timeout-ms", "CODEX_PERSISTENT_MCP_TIMEOUT_MS", &["0", "-1", "1.5", "ten", "86400001"]),
    (
        "--idle-timeout-ms",
        "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS",
        &["0", "", "99999999999999999999"],
    ),
    ("--busy-wait-ms", "CODEX_PERSISTENT_MCP_BUSY_WAIT_MS", &["-1", "soon", "86400001"]),
    ("--job-timeout-ms", "CODEX_PERSISTENT_MCP_JOB_TIMEOUT_MS", &["0", "ten", "86400001"]),
    ("--job-idle-timeout-ms", "CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT_MS", &["0", "", "-1"]),
    ("--job-keep-hours", "CODEX_PERSISTENT_MCP_JOB_KEEP_HOURS", &["-1", "1.5", "for ever"]),
];

/// No test here reaches a model.
fn offline_home() -> Home {
    home("http://127.0.0.1:9/v1")
}

struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program to its end, with this directory as home, TMPDIR and PATH.
fn run(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .env("TMPDIR", directory)
        .env("PATH", directory)
        .envs(variables.iter().copied())
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
    Ran { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// An empty directory of this test's own.
fn empty(name: &str) -> PathBuf {
    let directory = scratch().join(format!("empty-{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&directory));
    fs::create_dir_all(&directory).expect("the scratch directory is writable");
    directory
}

/// Removes the directory, which must still be empty.
fn assert_untouched(directory: &Path) {
    fs::remove_dir(directory).expect("nothing was created in the directory");
}

#[test]
fn help_and_version_touch_nothing() {
    let directory = empty("help");
    let version = run(&directory, &["--version"], &[]);
    assert_eq!(version.status, Some(0));
    assert_eq!(version.stdout.trim(), concat!("codex-persistent-mcp ", env!("CARGO_PKG_VERSION")));
    // Not even with settings that would do something, or that are wrong.
    let variables =
        [("CODEX_PERSISTENT_MCP_LOG_FILE", "server.log"), ("CODEX_MCP_CWD", "/never/heard/of")];
    for flag in ["--help", "-h", "--version", "-V"] {
        let reported = run(&directory, &[flag], &variables);
        assert_eq!(reported.status, Some(0), "{}", reported.stderr);
        assert!(reported.stdout.contains("codex-persistent-mcp") && reported.stderr.is_empty());
    }
    assert_untouched(&directory);
}

#[test]
fn the_help_has_each_setting_as_a_flag_and_as_a_variable() {
    let directory = empty("settings");
    let help = run(&directory, &["help", "settings"], &[]).stdout;
    assert_eq!(run(&directory, &["settings"], &[]).stdout, help);
    for (flag, variable, _) in SETTINGS {
        assert!(help.contains(&format!("{flag} ")), "{flag} is not in {help}");
        assert!(help.contains(&format!("[env: {variable}]")), "{variable} is not in {help}");
    }
    let flags = help.lines().filter(|line| line.trim_start().starts_with("--")).count();
    assert_eq!(flags, SETTINGS.len(), "the help has a flag that is not tested here: {help}");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for default in ["[default: codex]", "[default: codex-persistent-mcp]", "[default: 30m]"] {
        assert!(help.contains(default), "{default} is not in {help}");
    }
    assert_untouched(&directory);
}

#[test]
fn a_wrong_setting_ends_the_program_with_a_message_that_names_it() {
    let directory = empty("wrong");
    for (flag, variable, values) in SETTINGS.into_iter().chain(FORMER) {
        for value in values {
            let by_flag = run(&directory, &[&format!("{flag}={value}")], &[]);
            let by_variable = run(&directory, &[], &[(variable, value)]);
            for ran in [by_flag, by_variable] {
                assert_eq!(ran.status, Some(2), "{flag} {value:?}: {}", ran.stderr);
                assert_eq!(ran.stdout, "", "{flag} {value:?}: stdout belongs to MCP");
                assert!(ran.stderr.contains(flag), "{value:?}: {flag} is not in {}", ran.stderr);
                assert!(
                    ran.stderr.contains(variable),
                    "{value:?}: {variable} is not in {}",
                    ran.stderr
                );
            }
        }
    }
    assert_untouched(&directory);
}

#[test]
fn a_value_outside_its_range_is_refused_with_the_range() {
    let directory = empty("ranges");
    for (argument, range) in [
        ("--timeout=25h", "from 1ms to 1d"),
        ("--timeout-ms=0", "from 1 to 86400000"),
        ("--max-concurrent=1001", "1..=1000"),
        ("--max-queued=10001", "0..=10000"),
    ] {
        let ran = run(&directory, &[argument], &[]);
        assert!(ran.stderr.contains(range), "{range} is not in {}", ran.stderr);
    }
    assert_untouched(&directory);
}

#[test]
fn unknown_arguments_are_refused() {
    let directory = empty("unknown");
    for argument in ["--time-out", "server", "-x", "--version=2"] {
        let ran = run(&directory, &[argument], &[]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{argument}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
    assert_untouched(&directory);
}

#[test]
fn each_limit_that_can_be_used_is_accepted_at_its_edges() {
    let directory = empty("edges");
    for argument in [
        "--timeout=1ms",
        "--timeout=24h",
        "--busy-wait=0s",
        "--job-keep=1000d",
        "--timeout-ms=1",
        "--timeout-ms=86400000",
        "--idle-timeout-ms=86400000",
        "--busy-wait-ms=0",
        "--max-concurrent=1",
        "--max-concurrent=1000",
        "--max-queued=0",
        "--max-queued=10000",
        "--max-sandbox=read-only",
        "--debug=false",
    ] {
        let ran = run(&directory, &[argument], &[]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), ""), "{argument}: {}", ran.stderr);
    }
    assert_untouched(&directory);
}

/// The first line of Codex's prompt.
fn header(log: &Path, server: &Server) -> String {
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    assert_eq!(field(&answer, "reply"), "done");
    let starts = fs::read_to_string(log).expect("Codex was started");
    let start = starts.lines().last().expect("Codex was started");
    let start: Value = serde_json::from_str(start).expect("lines are JSON");
    let prompt = start["stdin"].as_str().expect("there was a prompt");
    prompt.lines().next().expect("a prompt has a line").to_owned()
}

#[test]
fn codex_gets_the_origin_and_the_flag_outranks_the_variable() {
    let home = offline_home();
    let log = home.path().join("starts.jsonl");
    let server = || scripted(&home).env("SCRIPTED_CODEX_LOG", &log);
    let variable = "CODEX_PERSISTENT_MCP_ORIGIN";
    assert!(header(&log, &server().start()).ends_with(" | origin: codex-persistent-mcp]"));
    let named = server().env(variable, "Möbius & Söhne").start();
    assert!(header(&log, &named).ends_with(" | origin: Möbius & Söhne]"));
    let both = server().env(variable, "variable").arg("--origin").arg("flag").start();
    assert!(header(&log, &both).ends_with(" | origin: flag]"));
}

#[test]
fn new_sessions_work_in_the_configured_directory() {
    let home = offline_home();
    let elsewhere = home.path().to_str().expect("test paths are text");
    let server = scripted(&home).start();
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    assert_eq!(Path::new(field(&answer, "cwd")), home.project());
    let server = scripted(&home).env("CODEX_MCP_CWD", elsewhere).start();
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    assert_eq!(field(&answer, "cwd"), elsewhere);
}

#[test]
fn a_missing_codex_is_reported_to_the_caller_and_not_at_the_start() {
    let home = offline_home();
    let server = scripted(&home).env("CODEX_BIN", "/never/heard/of/codex").start();
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    let text = error_text(&answer);
    assert!(text.starts_with("codex_not_found: "), "{text}");
    assert!(text.contains("/never/heard/of/codex") && text.contains("CODEX_BIN"), "{text}");
}

#[test]
fn the_log_names_each_session_as_it_starts() {
    let home = offline_home();
    let server = scripted(&home).start();
    let end = home.project().join("end");
    let steps = json!([{"started": {}}, {"wait_for": end}, {"reply": "finished"}]);
    let call = server.begin_call("codex_chat", &json!({"prompt": script(&steps)}));
    let reported = server.wait_progress(&call, |message| message.starts_with("session "));
    let session = reported.split(' ').nth(1).expect("the id follows");
    let project = home.project().to_str().expect("test paths are text");
    // The log names the session while the call is still running.
    server.wait_stderr(|log| {
        log.lines().any(|line| {
            line.contains("session started") && line.contains(session) && line.contains(project)
        })
    });
    assert_eq!(server.try_answer(&call), None);
    fs::write(&end, "").expect("the project is writable");
    assert_eq!(field(&server.answer(&call)["result"], "session_id"), session);

    let again = json!({"prompt": "hello", "session_id": session});
    server.call("codex_chat", &again);
    server.wait_stderr(|log| {
        log.lines().any(|line| line.contains("session resumed") && line.contains(session))
    });
}

/// Makes a call whose Codex writes to stderr, and returns the whole log of the server.
fn log_of_a_warning(server: &Server) -> String {
    let steps =
        json!([{"stderr": "tambourine: a warning"}, {"started": {}}, {"reply": "finished"}]);
    server.call("codex_chat", &json!({"prompt": script(&steps)}));
    server.close_stdin();
    assert!(server.wait_exit(std::time::Duration::from_mins(1)).success());
    server.wait_stderr(|log| log.contains("session started"));
    server.stderr()
}

#[test]
fn the_detailed_log_has_what_codex_wrote_on_stderr() {
    let home = offline_home();
    let quiet = log_of_a_warning(&scripted(&home).start());
    assert!(!quiet.contains("tambourine"), "{quiet}");
    let server = scripted(&home).arg("--debug").start();
    log_of_a_warning(&server);
    server.wait_stderr(|log| log.contains("tambourine: a warning"));
    let server = scripted(&home).env("CODEX_PERSISTENT_MCP_DEBUG", "true").start();
    log_of_a_warning(&server);
    server.wait_stderr(|log| log.contains("tambourine: a warning"));
}

#[test]
fn the_log_file_is_detailed_private_and_appended_to() {
    let home = offline_home();
    let file = home.path().join("server.log");
    for _ in 0..2 {
        let server = scripted(&home).arg("--log-file").arg(&file).start();
        let quiet = log_of_a_warning(&server);
        assert!(!quiet.contains("tambourine"), "only the file is detailed: {quiet}");
    }
    let log = fs::read_to_string(&file).expect("the log is text");
    assert_eq!(log.matches("tambourine: a warning").count(), 2, "{log}");
    assert_eq!(log.matches("session started").count(), 2, "{log}");
    let mode = fs::metadata(&file).expect("the file exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

#[test]
fn no_prompt_and_no_reply_is_logged() {
    let home = offline_home();
    let file = home.path().join("server.log");
    let server = scripted(&home).arg("--debug").arg("--log-file").arg(&file).start();
    let steps = json!([
        {"started": {}},
        {"event": {"type": "item.completed", "item": {
            "id": "a", "type": "reasoning", "text": "thought xylophone"}}},
        {"event": {"type": "item.completed", "item": {
            "id": "b", "type": "agent_message", "text": "partial xylophone"}}},
        {"raw": "{\"xylophone\": half\n"},
        {"event": {"type": "xylophone"}},
        {"reply": "reply xylophone"},
    ]);
    let chat = json!({"prompt": format!("xylophone\n{}", script(&steps))});
    let answer = server.call("codex_chat", &chat);
    assert_eq!(field(&answer, "reply"), "reply xylophone");
    let plan = json!({"requirements": "xylophone", "plan": format!("xylophone\n{}", script(&steps)),
                      "constraints": "xylophone"});
    assert_eq!(field(&server.call("codex_guard_plan", &plan), "critique"), "reply xylophone");
    // Nor are those of failing calls.
    let failing = json!([
        {"started": {}},
        {"event": {"type": "item.completed", "item": {
            "id": "b", "type": "agent_message", "text": "partial xylophone"}}},
        {"exit": 1},
    ]);
    let failing = json!({"prompt": format!("xylophone\n{}", script(&failing))});
    assert!(error_text(&server.call("codex_chat", &failing)).contains("partial xylophone"));
    let bad = json!({"prompt": "xylophone", "model": "--help"});
    error_text(&server.call("codex_chat", &bad));
    server.request("tools/call", &json!({"name": "codex_chat", "arguments": ["xylophone"]}));
    server.send_raw(b"{\"xylophone\": \n");
    server.send_raw(b"xylophone\n");
    server.close_stdin();
    // The torn message has no answer, because its id is not known.
    assert_eq!(server.wait_exit(std::time::Duration::from_mins(1)).code(), Some(1));
    server.wait_stderr(|log| log.contains("turn not completed"));
    let logs = [server.stderr(), fs::read_to_string(&file).expect("the log is text")];
    for log in logs {
        assert!(log.contains("session started") && log.contains("starting Codex"), "{log}");
        let reported: Vec<&str> = log.lines().filter(|line| line.contains("xylophone")).collect();
        assert_eq!(reported, Vec::<&str>::new());
    }
}

/// The job's process is the only one that runs a turn here.
#[test]
fn log_and_origin_from_the_command_line_hold_for_jobs_too() {
    let stage = Stage::new();
    let log = stage.home.path().join("server.log");
    let server = stage.server().arg("--origin").arg("Möbius").arg("--debug");
    let server = server.arg("--log-file").arg(&log).start();
    let job = start(&server, &script(&json!([{"started": {}}, {"wait_for": stage.file("go")}])));
    let id = text(&job, "job_id");
    wait_until("the job's process to log", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("session started"))
    });
    // Log lines for developers name the module that they come from.
    wait_until("its own log to be detailed", || {
        let own = fs::read_to_string(folder(&stage.home, id).join("runner.log"));
        own.is_ok_and(|own| own.contains(" codex_persistent_mcp::"))
    });
    // The queue shows it under this name.
    let doctor = cli::program(&stage.home, &scripted_codex(), &["doctor", "--json"]);
    let report = cli::parsed(&cli::run(doctor).stdout)[0].clone();
    let servers = check(&report, "calls")["details"]["servers"].clone();
    let runner = format!("process {} (Möbius)", runner(&stage.home, id));
    assert!(servers.as_array().is_some_and(|all| all.contains(&json!(runner))), "{servers}");
    stage.release("go");
    wait(&server, id, &job["notification_cursor"]);
}

/// Runs the program with these lines on standard input.
fn ask(directory: &Path, arguments: &[&str], lines: &str) -> Ran {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .env("TMPDIR", directory)
        .env("PATH", directory)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(lines.as_bytes()).expect("the program reads");
    drop(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
    Ran { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_wrong_setting_is_the_answer_to_the_first_request_of_a_client() {
    let directory = empty("refused");
    let requests = concat!(
        r#"{"jsonrpc":"2.0","id":"a","method":"server/discover","params":{}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
        "\n",
    );
    for arguments in [
        &["--timeout", "ten"][..],
        &["serve", "--bogus", "ten"],
        &["mcp-server", "--enable", "a b", "--timeout=ten"],
        &["--log-file", "/never/ten/it.log"],
    ] {
        let ran = ask(&directory, arguments, requests);
        assert_eq!(ran.status, Some(2), "{arguments:?}: {}", ran.stderr);
        let answers: Vec<serde_json::Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("an answer is JSON"))
            .collect();
        let ids: Vec<&serde_json::Value> = answers.iter().map(|answer| &answer["id"]).collect();
        assert_eq!(ids, [&serde_json::json!("a"), &1.into(), &2.into()], "{}", ran.stdout);
        for answer in &answers {
            let message = answer["error"]["message"].as_str().expect("an error has a message");
            assert!(message.starts_with("codex-persistent-mcp cannot start: "), "{message}");
            let is_named = ["ten", "--bogus"].iter().any(|word| message.contains(word));
            assert!(is_named && !message.contains("Usage"), "{message}");
        }
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
    let other = ask(&directory, &["jobs", "--timeout", "ten"], requests);
    assert_eq!(
        (other.status, other.stdout.as_str()),
        (Some(2), ""),
        "no client asks another command"
    );
    assert_untouched(&directory);
}
