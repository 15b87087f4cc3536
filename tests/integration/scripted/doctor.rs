//! `doctor` with a Codex that is broken, hangs or is missing, and with the files of clients.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::cli::{
    self, Ran, ended, on_terminal, parsed, run, signal, start, wait_nothing_left,
};
use crate::kit::doctor::{check, text};
use crate::kit::play::Stage;
use crate::kit::setup::script;
use crate::support::scripted_codex;

/// The complaint in every test: the variable that marks processes of tests.
const MARK: &str = "settings.unknown";

fn program(stage: &Stage, codex: &Path, arguments: &[&str]) -> Command {
    cli::program(&stage.home, codex, &[&["doctor"], arguments].concat())
}

fn report(command: Command) -> (Option<i32>, Value) {
    let Ran { status, stdout, stderr } = run(command);
    assert_eq!(stderr, "");
    let [report] = &parsed(&stdout)[..] else { panic!("no single object: {stdout}") };
    (status, report.clone())
}

/// The doctor's report on this Codex.
fn examined(stage: &Stage, codex: &Path) -> (Option<i32>, Value) {
    report(program(stage, codex, &["--json"]))
}

/// The ids of all checks that are not in order, but the one that is so in every test.
fn complaints(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().expect("a list");
    let wrong = checks.iter().filter(|check| check["status"] != "ok" && check["id"] != MARK);
    wrong.map(|check| text(check, "id")).collect()
}

/// A program that does this.
fn shell(stage: &Stage, text: &str) -> PathBuf {
    let path = stage.file("codex");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writable");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it exists");
    path
}

/// A Codex of this version, which records the arguments of each start.
pub fn codex_of(stage: &Stage, version: &str) -> PathBuf {
    let (log, codex) = (stage.file("calls"), scripted_codex());
    let (log, codex) = (log.display(), codex.display());
    let text = format!(
        "echo \"$1 $2\" >> '{log}'\n\
         case \"$1 $2\" in\n\
         --version*) echo codex-cli {version} ;;\n\
         exec*) exec '{codex}' \"$@\" ;;\n\
         'login status') echo 'Logged in using an API key - sk-abc***xyz' >&2 ;;\n\
         'doctor --json') cat '{report}' 2>/dev/null || exit 2 ;;\n\
         'sandbox -P') ;;\n\
         *) exit 9 ;;\n\
         esac",
        report = stage.file("report.json").display()
    );
    shell(stage, &text)
}

fn called(stage: &Stage) -> String {
    fs::read_to_string(stage.file("calls")).expect("it was called")
}

#[test]
fn a_missing_codex_is_a_problem_with_installation_as_its_fix() {
    let stage = Stage::new();
    let (status, report) = examined(&stage, &stage.file("no-such-codex"));
    assert_eq!((status, &report["status"]), (Some(1), &json!("problem")));
    let codex = check(&report, "codex");
    assert_eq!(codex["status"], "problem");
    assert!(text(codex, "fix").contains("npm install -g @openai/codex"), "{codex}");
    assert!(text(codex, "help").ends_with("/docs/doctor.md#codex"), "{codex}");

    let path = stage.file("not-executable");
    fs::write(&path, "").expect("writable");
    let (status, report) = examined(&stage, &path);
    assert_eq!(status, Some(1));
    assert!(text(check(&report, "codex"), "fix").contains("chmod +x"), "{report}");
}

#[test]
fn a_broken_codex_is_a_problem_with_its_own_words() {
    let stage = Stage::new();
    let broken = shell(&stage, "echo cannot open libssl >&2; exit 127");
    let (status, report) = examined(&stage, &broken);
    assert_eq!(status, Some(1));
    let codex = check(&report, "codex");
    assert!(text(codex, "summary").contains("cannot open libssl"), "{codex}");
    assert!(text(codex, "fix").contains("--version"), "{codex}");
    let another = shell(&stage, "yes | head -c 20000000; echo what?");
    assert_eq!(examined(&stage, &another).0, Some(1));
}

#[test]
fn a_hanging_codex_does_not_block_and_is_not_left_behind() {
    let stage = Stage::new();
    let (status, report) = examined(&stage, &shell(&stage, "sleep 1000; exit 1"));
    assert_eq!(status, Some(1));
    let codex = check(&report, "codex");
    assert!(text(codex, "summary").contains("did not answer within"), "{codex}");
    wait_nothing_left(&stage.home);
}

#[test]
fn a_working_codex_is_reported_with_its_version() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.171.9");
    let (status, report) = examined(&stage, &codex);
    assert_eq!((status, complaints(&report)), (Some(0), vec!["clients"]), "{report:#}");
    let codex = check(&report, "codex");
    assert_eq!((text(codex, "status"), &codex["details"]["version"]), ("ok", &json!("0.171.9")));
    assert_eq!(codex["note"], json!(null), "0.171 is tested");
    assert_eq!(text(check(&report, "login"), "summary"), "Logged in using an API key");
    assert_eq!(
        called(&stage),
        "--version \nlogin status\nsandbox -P\n",
        "nothing more without --live"
    );
}

#[test]
fn a_codex_that_is_newer_than_tested_is_a_note_and_no_fault() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.999.0");
    let (status, report) = examined(&stage, &codex);
    // As with a tested one.
    assert_eq!((status, complaints(&report)), (Some(0), vec!["clients"]), "{report:#}");
    let note = "Codex 0.999 is newer than 0.171, the newest version that this program was tested with; \
                it is used like that one";
    let check = check(&report, "codex");
    assert_eq!((text(check, "status"), text(check, "note")), ("ok", note), "{check}");
    assert_eq!(check.get("fix"), None, "{check}");
    for arguments in [&[][..], &["--all"]] {
        let shown = run(program(&stage, &codex, arguments)).stdout;
        assert_eq!(shown.matches(&format!("\n  note         {note}\n")).count(), 1, "{shown}");
        assert!(shown.contains("\n0 problems, 2 warnings"), "{shown}");
    }
}

#[test]
fn a_codex_without_a_doctor_is_not_run_with_it() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.76.0");
    let (status, live) = report(program(&stage, &codex, &["--live", "--json"]));
    assert_eq!(status, Some(0), "{live:#}");
    assert_eq!(check(&live, "codex")["status"], "warning");
    assert_eq!(check(&live, "live")["status"], "ok");
    assert!(!called(&stage).contains("doctor"), "{}", called(&stage));

    let own = json!({"checks": {"sandbox.helpers":
        {"status": "warning", "summary": "no bwrap", "remediation": "install bubblewrap"}}});
    fs::write(stage.file("report.json"), own.to_string()).expect("writable");
    let codex = codex_of(&stage, "0.153.0");
    let (_, live) = report(program(&stage, &codex, &["--live", "--json"]));
    let own = check(&live, "codex_doctor.sandbox.helpers");
    assert_eq!((text(own, "status"), text(own, "fix")), ("warning", "install bubblewrap"));
}

#[test]
fn an_interrupted_doctor_leaves_nothing_behind() {
    let stage = Stage::new();
    let steps = json!([{"started": {}}, {"touch": "began"}, {"hang": {}}]);
    fs::write(stage.file("steps"), steps.to_string()).expect("writable");
    let mut command = program(&stage, &codex_of(&stage, "0.169.0"), &["--live"]);
    let child = start(command.env("SCRIPTED_CODEX", stage.file("steps")));
    stage.wait_for("began");
    signal(&child, Signal::SIGINT);
    assert_eq!(ended(child).status, Some(130));
    wait_nothing_left(&stage.home);
}

#[test]
fn settings_are_shown_with_their_source() {
    let stage = Stage::new();
    let mut command =
        program(&stage, &scripted_codex(), &["--json", "--max-queued", "7", "--debug=false"]);
    command.env("CODEX_PERSISTENT_MCP_MAX_QUEUED", "8").env("CODEX_PERSISTENT_MCP_TYPO", "secret");
    command.env("CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS", "90000");
    let (_, report) = report(command);
    let settings = &check(&report, "settings")["details"];
    let queued = json!(
        {"value": "7", "source": "flag", "variable": "CODEX_PERSISTENT_MCP_MAX_QUEUED"});
    assert_eq!(settings["--max-queued"], queued);
    assert_eq!(settings["--codex-bin"]["source"], "variable");
    assert_eq!(settings["--timeout"]["source"], "default");
    assert_eq!(settings["--timeout"]["value"], "30m");
    // A former name is shown as what it sets.
    let idle = json!(
        {"value": "90s", "source": "variable", "variable": "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS"});
    assert_eq!(settings["--idle-timeout"], idle);
    assert_eq!(settings["--cwd"]["value"], "the current directory");
    let unknown = text(check(&report, MARK), "summary");
    assert!(unknown.contains("CODEX_PERSISTENT_MCP_TYPO"), "{unknown}");
    assert!(!unknown.contains("TIMEOUT"), "a former variable is known: {unknown}");
    assert!(!report.to_string().contains("secret"), "{report:#}");
}

#[test]
fn a_flag_wins_over_a_variable_and_a_present_name_over_a_former_one() {
    let stage = Stage::new();
    let mut command =
        program(&stage, &scripted_codex(), &["--json", "--busy-wait-ms", "1500", "--job-keep=2d"]);
    command
        .env("CODEX_PERSISTENT_MCP_TIMEOUT", "2h")
        .env("CODEX_PERSISTENT_MCP_TIMEOUT_MS", "1000")
        .env("CODEX_PERSISTENT_MCP_BUSY_WAIT", "1h")
        .env("CODEX_PERSISTENT_MCP_JOB_KEEP_HOURS", "1");
    let (_, report) = report(command);
    let settings = &check(&report, "settings")["details"];
    let shown = |flag: &str| (settings[flag]["value"].clone(), settings[flag]["source"].clone());
    assert_eq!(shown("--timeout"), (json!("2h"), json!("variable")));
    assert_eq!(settings["--timeout"]["variable"], "CODEX_PERSISTENT_MCP_TIMEOUT");
    assert_eq!(shown("--busy-wait"), (json!("1500ms"), json!("flag")));
    assert_eq!(shown("--job-keep"), (json!("2d"), json!("flag")));
}

#[test]
fn wrong_input_is_not_a_diagnosis() {
    let stage = Stage::new();
    for arguments in [&["--nonsense"][..], &["--all", "--json"], &["extra"]] {
        let ran = run(program(&stage, &scripted_codex(), arguments));
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    }
}

#[test]
fn the_state_folder_is_read_and_unchanged() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.169.0");
    let state = stage.home.state();
    let (_, report) = examined(&stage, &codex);
    assert_eq!(check(&report, "state")["status"], "ok");
    assert!(!state.exists(), "it was only tried whether it can be made");

    fs::create_dir(state).expect("writable");
    fs::set_permissions(state, PermissionsExt::from_mode(0o755)).expect("it exists");
    let (status, report) = examined(&stage, &codex);
    let rights = check(&report, "state.rights");
    assert_eq!((status, text(rights, "status")), (Some(0), "warning"));
    assert!(text(rights, "fix").contains(&format!("chmod 700 {}", state.display())), "{rights}");
    fs::set_permissions(state, PermissionsExt::from_mode(0o700)).expect("it exists");
    assert_eq!(check(&examined(&stage, &codex).1, "state.rights")["status"], "ok");
    assert_eq!(fs::read_dir(state).expect("readable").count(), 0, "nothing is left in it");

    fs::remove_dir(state).expect("it is empty");
    fs::write(state, "a file").expect("writable");
    let (status, report) = examined(&stage, &codex);
    assert_eq!((status, text(check(&report, "state"), "status")), (Some(1), "problem"));
}

#[test]
fn the_doctor_reports_a_missing_home() {
    let stage = Stage::new();
    let mut command = program(&stage, &stage.file("none"), &["--json"]);
    // A relative path does not count.
    command.env("HOME", "no").env_remove("CODEX_HOME").env_remove("CODEX_PERSISTENT_MCP_STATE_DIR");
    let (status, report) = report(command);
    assert_eq!(status, Some(1));
    let state = check(&report, "state");
    assert!(text(state, "fix").contains("--state-dir"), "{state}");

    let mut command = program(&stage, &scripted_codex(), &["--json"]);
    command.env("CODEX_HOME", stage.file("nowhere"));
    let home = report_of(command, "codex_home");
    assert_eq!(text(&home, "status"), "problem");
    assert!(text(&home, "fix").contains("mkdir"), "{home}");
}

fn report_of(command: Command, id: &str) -> Value {
    check(&report(command).1, id).clone()
}

#[test]
fn jobs_and_calls_are_counted() {
    let stage = Stage::new();
    let codex = scripted_codex();
    let steps = json!([{"started": {}}, {"touch": "began"}, {"wait_for": "go"}, {"reply": "ok"}]);
    let prompt = script(&steps);
    let chat = ["chat", "--detach", prompt.as_str()];
    let started = run(cli::program(&stage.home, &codex, &chat));
    assert_eq!(started.status, Some(0), "{}", started.stderr);
    stage.wait_for("began");
    let (_, report) = examined(&stage, &codex);
    assert_eq!(check(&report, "jobs")["details"]["running"], 1, "{report:#}");
    let calls = text(check(&report, "calls"), "summary");
    assert!(calls.contains("1 server in the queue, 1 call of at most 8 running"), "{calls}");
    stage.release("go");
    let job = started.stdout.trim();
    let followed = run(cli::program(&stage.home, &codex, &["jobs", "follow", job]));
    assert_eq!(followed.status, Some(0), "{}", followed.stderr);
    wait_nothing_left(&stage.home);
    let (_, report) = examined(&stage, &codex);
    assert_eq!(check(&report, "jobs")["details"]["completed"], 1, "{report:#}");
    assert!(text(check(&report, "calls"), "summary") == "no call is running", "{report:#}");
}

/// Writes a file below the home directory, or the project.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has one")).expect("writable");
    fs::write(path, text).expect("writable");
}

#[test]
fn clients_are_reported_with_what_is_missing_and_without_secrets() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.169.0");
    let home = stage.home.user();
    let this = crate::kit::setup::PROGRAM;
    let server = |timeout: Value| {
        json!({"type": "stdio", "command": this, "args": ["--debug"],
               "env": {"OPENAI_API_KEY": "hush-1"}, "timeout": timeout})
    };
    let project = stage.home.project().to_str().expect("test paths are text");
    // A repository, so that nothing around the tests counts.
    fs::create_dir(stage.file(".git")).expect("writable");
    let own = |timeout: Value| {
        json!({
            "mcpServers": {"user": server(timeout.clone()), "other": {"command": "hush-2"}},
            "projects": {project: {"mcpServers": {"here": server(timeout)}},
                         "/elsewhere": {"mcpServers": {"there": server(json!(1000))}}},
        })
    };
    write(&home.join(".claude.json"), &own(json!(60_000)).to_string());
    let shared = json!({"mcpServers": {"shared": server(Value::Null)}}).to_string();
    write(&stage.file(".mcp.json"), &shared);
    let short = json!({"env": {"MCP_TOOL_TIMEOUT": "50000"}}).to_string();
    write(&home.join(".claude/settings.json"), &short);
    stage.home.append_config(&format!(
        "[mcp_servers.me]\ncommand = \"{this}\"\nenv = {{ TOKEN = \"hush-3\" }}\n"
    ));

    let (status, report) = examined(&stage, &codex);
    assert_eq!(status, Some(0), "warnings are no problem: {report:#}");
    let expected = [
        "claude.user.timeout",
        "claude.here.timeout",
        "claude.shared.timeout",
        "claude.shared.approval",
        "codex_client.me.timeout",
        "codex_client.me.approval",
        "codex_client.me.variables",
    ];
    assert_eq!(complaints(&report), expected, "{report:#}");
    let fix = |id: &str| text(check(&report, id), "fix");
    assert!(fix("claude.user.timeout").contains("\"timeout\": 3600000"));
    assert!(fix("codex_client.me.timeout").contains("tool_timeout_sec = 3600"));
    assert!(fix("codex_client.me.approval").contains("default_tools_approval_mode = \"approve\""));
    assert!(fix("codex_client.me.variables").contains("\"CODEX_HOME\""));
    let shown = run(program(&stage, &codex, &[])).stdout;
    assert!(!shown.contains("hush") && !report.to_string().contains("hush"), "{shown}");

    // As the fixes suggest.
    write(&home.join(".claude.json"), &own(json!(3_600_000)).to_string());
    let settings =
        json!({"env": {"MCP_TOOL_TIMEOUT": "3600000"}, "enableAllProjectMcpServers": true});
    write(&home.join(".claude/settings.json"), &settings.to_string());
    stage.home.append_config(
        "tool_timeout_sec = 3600\ndefault_tools_approval_mode = \"approve\"\n\
         env_vars = [\"CODEX_BIN\", \"CODEX_HOME\", \"CODEX_PERSISTENT_MCP_STATE_DIR\"]",
    );
    let (_, report) = examined(&stage, &codex);
    assert_eq!(complaints(&report), [""; 0], "{report:#}");
}

#[test]
fn unreadable_files_are_named_without_their_content() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.169.0");
    let home = stage.home.user();
    write(&home.join(".claude.json"), "{\"a\": \"hush-1\"\n \"b\": }");
    stage.home.append_config("key = \"hush-2");
    let pipe = Command::new("mkfifo").arg(stage.file(".mcp.json")).status();
    assert!(pipe.expect("every Unix has it").success());
    let (status, report) = examined(&stage, &codex);
    assert_eq!(status, Some(1), "Codex does not start with such a file");
    let config = text(check(&report, "codex_home"), "summary");
    assert!(config.contains("config.toml is not valid TOML: line "), "{config}");
    let checks = report["checks"].as_array().expect("a list");
    let files = checks.iter().filter(|check| check["id"] == "claude.file");
    let files: Vec<&str> = files.map(|check| text(check, "summary")).collect();
    assert_eq!(files.len(), 2, "{report:#}");
    assert!(files[0].contains(".claude.json is not valid JSON: line 2"), "{files:?}");
    assert!(files[1].contains(".mcp.json cannot be read: it is not a regular file"), "{files:?}");
    assert!(!report.to_string().contains("hush"), "{report:#}");
}

#[test]
fn a_terminal_shows_coloured_marks_with_the_fix_below() {
    let stage = Stage::new();
    let command = program(&stage, &stage.file("none"), &[]);
    let (shown, status) = on_terminal(command);
    assert_eq!(status, Some(1));
    assert!(shown.contains("\n\x1b[31m✗ codex\x1b[0m        there is no program"), "{shown}");
    assert!(shown.contains("fix\x1b[0m          install Codex"), "{shown}");
    assert!(shown.contains("\n\x1b[32m✓ settings\x1b[0m     "), "{shown}");
    let plain = run(program(&stage, &stage.file("none"), &[])).stdout;
    assert!(plain.contains("\n\n✗ codex  ") && !plain.contains('\x1b'), "{plain}");
    let page = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/doctor.md");
    assert!(plain.ends_with(&format!(" warnings · {page}\n")), "{plain}");
}

#[test]
fn wrong_settings_are_all_named_and_the_rest_is_checked() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.171.0");
    let mut command = program(&stage, &codex, &["--json", "--max-queued", "many"]);
    command.env("CODEX_PERSISTENT_MCP_TIMEOUT", "soon");
    command.env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "0");
    command.env("CODEX_PERSISTENT_MCP_LOG_FILE", stage.file("no/folder/log"));
    let (status, report) = report(command);
    assert_eq!(status, Some(1), "{report:#}");
    let checks = report["checks"].as_array().expect("a list");
    let wrong = checks.iter().filter(|check| check["id"] == "settings.value");
    let named: Vec<&str> =
        wrong.map(|check| check["details"]["setting"].as_str().expect("a name")).collect();
    for name in
        ["CODEX_PERSISTENT_MCP_TIMEOUT", "CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "--max-queued"]
    {
        assert!(named.contains(&name), "{name}: {named:?}");
    }
    assert_eq!(named.len(), 4, "{named:?}");
    assert_eq!(check(&report, "settings")["details"]["--timeout"]["value"], "30m");
    assert_eq!(check(&report, "login")["status"], "ok");
}

#[test]
fn the_report_fits_a_screen_and_has_problems_first() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.171.0");
    fs::create_dir(stage.home.state()).expect("writable");
    fs::set_permissions(stage.home.state(), PermissionsExt::from_mode(0o755)).expect("it exists");
    for columns in [50, 80, 100] {
        let mut command = program(&stage, &codex, &[]);
        command.env("COLUMNS", columns.to_string()).env("CODEX_PERSISTENT_MCP_TIMEOUT", "soon");
        let shown = run(command).stdout;
        let marks = shown.lines().filter_map(|line| line.chars().next());
        let marks: String = marks.filter(|mark| "✗!✓".contains(*mark)).collect();
        assert!(marks.starts_with("✗!") && marks.trim_start_matches(['✗', '!']).starts_with('✓'));
        assert!(!marks.trim_start_matches(['✗', '!']).contains(['✗', '!']), "{shown}");
        assert!(columns < 80 || shown.lines().count() <= 30, "{shown}");
        assert!(shown.ends_with(" warnings\n"), "{shown}");
        // Only a word that is longer than the room is not wrapped.
        let is_long = |line: &&str| line.chars().count() > columns && !line.contains('/');
        assert_eq!(shown.lines().skip(1).filter(is_long).count(), 0, "{shown}");
    }
    let all = run(program(&stage, &codex, &["--all"])).stdout;
    assert!(all.contains("--timeout: 30m (default)"), "{all}");
}

#[test]
fn what_is_safe_is_fixed_and_then_reported_as_fine() {
    let stage = Stage::new();
    let codex = codex_of(&stage, "0.171.0");
    let state = stage.home.state();
    fs::create_dir(state).expect("writable");
    fs::set_permissions(state, PermissionsExt::from_mode(0o755)).expect("it exists");
    let left = state.join("doctor-123");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
    fs::File::create(&left).and_then(|file| file.set_modified(old)).expect("writable");
    let this = crate::kit::setup::PROGRAM;
    stage.home.append_config(&format!("# mine\n[mcp_servers.me]\ncommand = \"{this}\"\n"));
    let (_, before) = examined(&stage, &codex);
    assert!(complaints(&before).contains(&"state.leftovers"), "{before:#}");

    let (status, after) = report(program(&stage, &codex, &["--json", "--fix"]));
    assert_eq!(status, Some(0));
    assert_eq!(complaints(&after), [""; 0], "{after:#}");
    let fixed = after["fixed"].to_string();
    assert!(fixed.contains("chmod 700") && fixed.contains("removed 1 unused"), "{fixed}");
    assert!(!left.exists());
    let mode = fs::metadata(state).expect("it exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let config = fs::read_to_string(stage.home.path().join("config.toml")).expect("it exists");
    assert!(config.contains("# mine") && config.contains("tool_timeout_sec = 3600"), "{config}");
    let (_, again) = report(program(&stage, &codex, &["--json", "--fix"]));
    assert_eq!(again.get("fixed"), None, "nothing is left to fix: {again:#}");
}
