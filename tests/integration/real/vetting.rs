//! Settings of a profile or a project that get around the sandbox, and commands that it refused.

use std::fs;

use crate::kit::call::call;
use crate::kit::real::obey;
use crate::kit::setup::{home, real};
use crate::kit::wait::wait_for;
use crate::support::client::Server;
use crate::support::model::{Model, echo};
use crate::support::real_codex::Home;

const MAX_SANDBOX: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";

/// The TOML of an MCP server of Codex that makes a file when it is started.
fn touching(home: &Home) -> String {
    let started = home.project().join("started");
    format!("[mcp_servers.hostile]\ncommand = \"touch\"\nargs = [{started:?}]\n")
}

fn was_started(home: &Home) -> bool {
    fs::remove_file(home.project().join("started")).is_ok()
}

#[test]
fn a_profile_that_could_get_around_the_sandbox_is_refused_and_another_is_not() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let profile = |name: &str, toml: &str| {
        fs::write(home.path().join(format!("{name}.config.toml")), toml).expect("writable");
    };
    profile("hostile", &touching(&home));
    profile("harmless", "model_verbosity = \"low\"\nsandbox_mode = \"danger-full-access\"\n");
    let server = real(&home).start();
    let with = |profile: &str| call(&server).prompt("hello").argument("profile", profile);
    let hostile = with("hostile").fails_with("not_allowed").about("profile hostile sets");
    hostile.mentions("sets mcp_servers").mentions(MAX_SANDBOX);
    with("missing").fails_with("bad_input").about("profile");
    assert_eq!(model.requests().len(), 0, "nothing was asked");
    let harmless = with("harmless").succeeds().has("effective.sandbox", "workspace-write");
    harmless.warns_once_of(MAX_SANDBOX);

    let open = real(&home).env(MAX_SANDBOX, "danger-full-access").start();
    call(&open).prompt("hello").argument("profile", "hostile").succeeds();
    assert!(was_started(&home), "it is used where everything is allowed");
}

#[test]
fn settings_of_a_trusted_project_that_could_get_around_the_sandbox_are_not_loaded() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let project = home.project().canonicalize().expect("it exists");
    fs::create_dir(project.join(".git")).expect("writable");
    home.append_config(&format!("projects.{project:?}.trust_level = \"trusted\"\n"));
    fs::create_dir_all(project.join("below/.codex")).expect("writable");
    fs::create_dir(project.join(".codex")).expect("writable");
    let settings = project.join(".codex/config.toml");
    fs::write(&settings, touching(&home)).expect("writable");
    let write = |server: &Server, cwd: &str| {
        let hello = call(server).prompt("hello").argument("cwd", project.join(cwd));
        hello.sandbox("workspace-write").succeeds()
    };
    let server = real(&home).start();
    for cwd in ["", "below"] {
        write(&server, cwd).warns_once_of("mcp_servers");
        assert!(!was_started(&home), "{cwd}");
    }
    // Harmless settings are used.
    fs::write(&settings, "model_reasoning_effort = \"low\"\n").expect("writable");
    write(&server, "").warns_of_nothing();
    let asked = model.requests().pop().expect("the model was asked").body;
    assert_eq!(asked["reasoning"]["effort"], "low", "{asked}");

    fs::write(&settings, touching(&home)).expect("writable");
    let open = real(&home).env(MAX_SANDBOX, "danger-full-access").start();
    write(&open, "").warns_once_of("mcp_servers");
    let there = call(&open).argument("cwd", &project);
    there.clone().tool("codex_guard_final").argument("change_summary", "hello").succeeds();
    assert!(!was_started(&home), "a turn in a sandbox loads none, whatever the server allows");
    there.prompt("hello").sandbox("danger-full-access").succeeds().warns_of_nothing();
    assert!(was_started(&home), "one without a sandbox loads them");
}

#[test]
fn commands_that_the_sandbox_refused_are_counted() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let outside = home.path().join("outside");
    let run = |command: &str| call(&server).prompt(&format!("[run {command}]")).succeeds();
    run(&format!("touch {}", outside.display())).warns_once_of("1 command");
    assert!(!outside.exists());
    run("echo all is well").warns_of_nothing();
    // A failure is not a refusal.
    run("exit 3").warns_of_nothing();
}

#[test]
fn a_reply_to_a_job_may_do_what_the_server_that_sends_it_allows() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let outside = home.path().join("outside");
    let gate = home.project().join("gate");
    let (up, touch) = (gate.with_extension("up"), format!("[run touch {}]", outside.display()));
    let wait = format!(
        "[run touch {}; until test -e {}; do sleep 0.02; done]",
        up.display(),
        gate.display()
    );
    let loose = real(&home).env(MAX_SANDBOX, "danger-full-access").start();
    let start = call(&loose).tool("job_start").prompt(&wait);
    let job = start.sandbox("danger-full-access").succeeds();
    wait_for(&up);
    let strict = real(&home).env(MAX_SANDBOX, "read-only").start();
    let reply = call(&strict).tool("job_reply").argument("job_id", &job["job_id"]).prompt(&touch);
    let mut cursor = reply.succeeds()["notification_cursor"].clone();
    fs::write(&gate, "").expect("writable");
    let mut seen = 0;
    while seen < 2 {
        let wait = call(&strict).tool("job_wait").argument("job_ids", [&job["job_id"]]);
        let answer = wait.argument("cursor", &cursor).succeeds();
        seen += answer["notifications"].as_array().map_or(0, Vec::len);
        cursor = answer["cursor"].clone();
    }
    assert!(!outside.exists(), "the reply must not have the sandbox that the job started with");
}
