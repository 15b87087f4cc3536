//! A machine without sandboxes, as many containers are: Codex's commands do not run, and its turns complete
//! all the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::jobs::{snapshot, start_with, text, wait};
use crate::kit::play::{Stage, item};
use crate::kit::real::obey;
use crate::kit::setup::{content, home, real_release, real_with, script, skipped};
use crate::kit::wait::wait_until;
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response};
use crate::support::real_codex::{Home, Release, install_release};

/// An environment without further user namespaces.
pub const WITHOUT: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"",
];

/// An environment that looks like WSL 1, by the version of its kernel.
const WSL1: [&str; 7] = [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    "echo 'Linux version 4.4.0-19041-Microsoft' >version && mount --bind version /proc/version && \
     rm version && exec \"$0\" \"$@\"",
];

/// A server in such an environment, if this machine can make one.
fn server_in(world: &[&str], home: &Home, release: Release) -> Option<Server> {
    can_be_made(world, home).then(|| real_release(home, release).through(world).start())
}

/// Whether this machine can make such an environment. Reports it if not.
pub fn can_be_made(world: &[&str], home: &Home) -> bool {
    let mut probe = Command::new(world[0]);
    probe.args(&world[1..]).arg("true").current_dir(home.project());
    let is_made = probe.output().is_ok_and(|output| output.status.success());
    if !is_made {
        skipped("a world without namespaces, or of another kernel, cannot be made here");
    }
    is_made
}

fn server(home: &Home, release: Release) -> Option<Server> {
    server_in(&WITHOUT, home, release)
}

/// Lists the folder, and then replies that all is well.
fn approve(request: &Request) -> Response {
    if !request.has_tool_output() {
        return Response::shell("ls");
    }
    let review = json!({"review": "All is well.", "verdict": "approve", "findings": []});
    Response::message(review.to_string())
}

fn warnings(answer: &Value) -> String {
    content(answer)["warnings"].to_string()
}

#[test]
fn commands_that_did_not_run_are_a_warning_with_a_fix() {
    let model = Model::start(obey);
    for release in Release::ALL {
        let home = home(&model.url());
        let Some(server) = server(&home, release) else { return };
        for sandbox in ["read-only", "workspace-write"] {
            let call = json!({"prompt": "[run ls]", "sandbox": sandbox});
            let answer = server.call("codex_chat", &call);
            let reported = warnings(&answer);
            assert!(reported.contains("1 command did not run"), "{release:?}: {answer}");
            assert!(
                reported.contains("user namespaces") && !reported.contains("seems to"),
                "{reported}"
            );
        }
        let nothing = server.call("codex_chat", &json!({"prompt": "hello"}));
        assert!(content(&nothing)["warnings"].is_null(), "{nothing}");
    }
}

/// Patches a file, at once or after a command.
fn patch(request: &Request) -> Response {
    let outputs = request.tool_outputs();
    let has_command = request.last_user_text().contains("[first a command]");
    match outputs.len() {
        0 if has_command => Response::shell("ls"),
        0 => Response::items(vec![Item::patch("a.txt")]),
        1 if has_command => Response::items(vec![Item::patch("a.txt")]),
        _ => Response::message(outputs.join("\n")),
    }
}

#[test]
fn a_failed_patch_is_not_blamed_on_the_request() {
    let model = Model::start(patch);
    for release in Release::ALL {
        let home = home(&model.url());
        let Some(server) = server(&home, release) else { return };
        let call = |prompt: &str| {
            server.call("codex_chat", &json!({"prompt": prompt, "sandbox": "workspace-write"}))
        };
        // Codex does not give the reason for a patch alone.
        let reported = warnings(&call("hello"));
        assert!(
            reported.contains("1 patch") && reported.contains("codex-persistent-mcp doctor"),
            "{reported}"
        );
        let reported = warnings(&call("[first a command]"));
        assert!(
            reported.contains("1 command did not run and 1 patch was not applied"),
            "{reported}"
        );
        assert!(!reported.contains("add_dirs"), "{reported}");
    }
}

#[test]
fn a_guard_does_not_approve_what_it_could_not_see() {
    let model = Model::start(approve);
    let home = home(&model.url());
    let work = json!({"change_summary": "hello"});
    let seeing = real_release(&home, Release::Newest).start();
    assert_eq!(content(&seeing.call("codex_guard_final", &work))["verdict"], "approve");
    let Some(blind) = server(&home, Release::Newest) else { return };
    let answer = blind.call("codex_guard_final", &work);
    assert!(content(&answer)["verdict"].is_null(), "{answer}");
    assert_eq!(content(&answer)["review"], "All is well.");
    let reported = warnings(&answer);
    assert!(
        reported.contains("did not run") && reported.contains("there is no verdict"),
        "{reported}"
    );
}

/// Expects a completed turn whose command did not run, with the reason and a fix.
fn assert_not_run(server: &Server, why: &str, helps: &str) {
    let call = json!({"prompt": "[run ls]", "sandbox": "workspace-write"});
    let answer = server.call("codex_chat", &call);
    let reported = warnings(&answer);
    assert!(reported.contains("1 command did not run"), "{answer}");
    assert!(reported.contains(why) && reported.contains(helps), "{reported}");
    assert!(!reported.contains("seems to"), "{reported}");
}

#[test]
fn a_codex_without_the_program_that_makes_sandboxes_is_reported() {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&folders).any(|folder| folder.join("bwrap").exists()) {
        return skipped("bubblewrap is installed here");
    }
    let model = Model::start(obey);
    for release in Release::ALL {
        let home = home(&model.url());
        let alone = home.user().join("bin/codex");
        fs::create_dir(home.user().join("bin")).expect("writable");
        linked(&install_release(release).native, &alone);
        let server = real_with(&home, &alone).start();
        assert_not_run(&server, "bubblewrap is unavailable", "install bubblewrap");
    }
}

/// The same file in another place, without the files beside it.
fn linked(from: &Path, to: &Path) {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop)).expect("it can be copied");
}

#[test]
fn a_sandbox_that_codex_no_longer_makes_is_reported() {
    let model = Model::start(obey);
    for release in Release::ALL {
        let home = home(&model.url());
        home.append_config("features.use_legacy_landlock = true");
        let server = real_release(&home, release).start();
        assert_not_run(&server, "cannot create the sandbox", "remove use_legacy_landlock");
    }
}

#[test]
fn a_system_for_which_codex_has_no_sandbox_is_reported() {
    let model = Model::start(obey);
    for release in Release::ALL {
        let home = home(&model.url());
        let Some(server) = server_in(&WSL1, &home, release) else { return };
        assert_not_run(&server, "not supported on WSL1", "use WSL 2");
    }
}

#[test]
fn a_job_reports_the_same_and_does_not_count_it_as_failed_commands() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let Some(server) = server(&home, Release::Newest) else { return };
    let work = json!({"prompt": "[run ls]", "sandbox": "workspace-write"});
    let called = warnings(&server.call("codex_chat", &work));
    let job = start_with(&server, &work);
    let id = text(&job, "job_id");
    wait(&server, id, &job["notification_cursor"]);
    let ended = snapshot(&server, id);
    assert_eq!(ended["warnings"].to_string(), called, "{ended}");
    assert_eq!((&ended["commands"], &ended["commands_failed"]), (&json!(0), &json!(0)), "{ended}");
}

#[test]
fn a_job_reports_it_while_it_runs() {
    let stage = Stage::new();
    let server = stage.server().start();
    let command = json!({
        "id": "1", "type": "command_execution", "command": "/bin/bash -lc ls", "exit_code": 1,
        "aggregated_output": "bwrap: pivot_root: Invalid argument\n",
    });
    let steps = json!([{"started": {}}, item("completed", &command), {"hang": {}}]);
    let job = start_with(&server, &json!({"prompt": script(&steps)}));
    let id = text(&job, "job_id");
    wait_until("the warning", || snapshot(&server, id)["warnings"].is_array());
    let running = snapshot(&server, id);
    assert_eq!(running["status"], "running");
    let reported = running["warnings"].to_string();
    assert!(
        reported.contains("did not run") && reported.contains("pivot_root: Invalid argument"),
        "{reported}"
    );
    server.call("job_cancel", &json!({"job_id": id}));
}
