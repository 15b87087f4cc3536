//! A machine on which no sandbox can be made, as many containers are: Codex's commands do not run, and
//! its turns are completed all the same.

use std::process::Command;

use serde_json::{Value, json};

use crate::real_kit::obey;
use crate::setup::{content, home, real_release, skipped};
use crate::support::client::Server;
use crate::support::model::{Model, Request, Response};
use crate::support::real_codex::{Home, Release};

/// A world without further user namespaces.
const WITHOUT: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"",
];

/// A server in such a world, if there can be one here.
fn server(home: &Home, release: Release) -> Option<Server> {
    let probe = Command::new(WITHOUT[0]).args(&WITHOUT[1..]).arg("true").output();
    if !probe.is_ok_and(|output| output.status.success()) {
        skipped("no world without namespaces can be made here");
        return None;
    }
    Some(real_release(home, release).through(&WITHOUT).start())
}

/// Looks, and then says that all is well.
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
fn commands_that_did_not_run_are_a_warning_with_what_helps() {
    let model = Model::start(obey);
    for release in Release::ALL {
        let home = home(&model.url());
        let Some(server) = server(&home, release) else { return };
        for sandbox in ["read-only", "workspace-write"] {
            let call = json!({"prompt": "[run ls]", "sandbox": sandbox});
            let answer = server.call("codex_chat", &call);
            let told = warnings(&answer);
            assert!(told.contains("1 command of Codex's did not run"), "{release:?}: {answer}");
            assert!(told.contains("user namespaces") && !told.contains("seems to"), "{told}");
        }
        let nothing = server.call("codex_chat", &json!({"prompt": "hello"}));
        assert!(content(&nothing)["warnings"].is_null(), "{nothing}");
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
    let told = warnings(&answer);
    assert!(told.contains("did not run") && told.contains("there is no verdict"), "{told}");
}
