//! Turns: how they start, what they report, and how they end.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::{Found, Rig};
use crate::kit::call::call;
use crate::kit::cli::{program, run};
use crate::kit::doctor::check;
use crate::kit::jobs::{self, gate, wait_started};
use crate::kit::life::assert_none_left;
use crate::kit::real::record;
use crate::support::environment::patient;
use crate::support::model::{Item, Response};

pub fn start() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let session = call(&server).prompt("Hello.").succeeds().session().to_owned();
    let doctor = run(program(&rig.home, &rig.codex, &["doctor", "--json"]));
    let report = serde_json::from_str(&doctor.stdout).expect("doctor prints JSON");
    let codex = check(&report, "codex");
    assert_eq!(codex["status"], "ok", "{codex}");
    let recorded = record(&rig.home, &session)[0]["payload"]["cli_version"].clone();
    assert_eq!(codex["details"]["version"], recorded, "{codex}");
    Found::All
}

pub fn events() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let answer = call(&server).prompt("Try. [run echo six times seven]").succeeds();
    let answer = answer.says("six times seven");
    let session = answer.session().to_owned();
    assert_eq!(answer["usage"]["input_tokens"], 200, "{answer}");
    let page = call(&server).tool("codex_session_read").argument("session_id", &session);
    let page = page.argument("include", ["commands"]).succeeds().content().to_string();
    assert!(page.contains("\"text\":\"echo six times seven\""), "{page}");
    Found::All
}

pub fn last_message() -> Found {
    let rig = Rig::with(|request| {
        if request.has_tool_output() {
            return Response::message("the answer");
        }
        Response::items(vec![Item::message("I look."), Item::shell("echo looked")])
    });
    call(&rig.server().start()).prompt("Look.").replies("the answer");
    Found::All
}

pub fn tokens() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let first = call(&server).prompt("One.").succeeds();
    let second = call(&server).prompt("Two.").in_session(first.session()).succeeds();
    let second = second.has("usage.input_tokens", 100);
    if second["session_usage"].is_null() {
        return Found::Less("the answer has those of the turn alone".into());
    }
    second.has("session_usage.input_tokens", 200);
    Found::All
}

pub fn edits() -> Found {
    let rig = Rig::with(|request| {
        if request.has_tool_output() { Response::message("Done.") } else { patch(request) }
    });
    let server = rig.server().start();
    let answer = call(&server).prompt("Edit.").sandbox("workspace-write").succeeds();
    assert!(rig.home.project().join("a.txt").exists(), "{answer}");
    match answer["files_changed"].as_array() {
        Some(files) => assert_eq!(files, &[json!("a.txt")], "{answer}"),
        None => return Found::Less("the answer does not list them".into()),
    }
    Found::All
}

/// A patch, by the tool that the release offers: before 0.121 it is a command.
fn patch(request: &crate::support::model::Request) -> Response {
    if request.tool("apply_patch").is_some() {
        return Response::items(vec![Item::patch("a.txt")]);
    }
    let patch = "*** Begin Patch\n*** Add File: a.txt\n+hello\n*** End Patch";
    Response::shell(format!("apply_patch <<'EOF'\n{patch}\nEOF"))
}

pub fn failed_turn() -> Found {
    let rig = Rig::with(|_| {
        let error = json!({"error": {"message": "it broke", "type": "some_error"}});
        Response::status(400, error)
    });
    let server = rig.server().start();
    let failure = call(&server).prompt("Hello.").fails_with("turn_failed").mentions("it broke");
    assert!(!failure.session().is_empty());
    Found::All
}

pub fn interrupted() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let (path, prompt) = gate(&rig.home, "gate");
    let prompt = format!("Remember seven. {prompt}");
    let arguments = json!({"prompt": prompt, "sandbox": "workspace-write"});
    let sent = server.begin_call("codex_chat", &arguments);
    let reported = server.wait_progress(&sent, |message| message.starts_with("session "));
    let session = reported.split(' ').nth(1).expect("the session's id");
    wait_started(&path);
    server.cancel(&sent);
    assert_none_left(server.wait_no_descendants(patient(Duration::from_secs(10))));
    call(&server).prompt("Go on.").in_session(session).succeeds().in_session(session);
    let asked = rig.model.wait_for(|request| request.last_user_text().contains("Go on."));
    let remembers = asked.user_texts().iter().any(|text| text.contains("Remember seven."));
    assert!(remembers, "the interrupted prompt is lost: {:?}", asked.user_texts());
    Found::All
}

pub fn job() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let (path, prompt) = gate(&rig.home, "gate");
    let job = jobs::start(&server, &prompt);
    wait_started(&path);
    server.kill();
    fs::write(&path, "").expect("writable");
    let server = rig.server().start();
    let (ended, _) = jobs::wait(&server, jobs::text(&job, "job_id"), &json!(0));
    assert_eq!(ended["status"], "completed", "{ended}");
    Found::All
}

pub fn guard() -> Found {
    let review = json!({"critique": "Fine.", "verdict": "approve", "findings": []}).to_string();
    let rig = Rig::with(move |_| Response::message(review.clone()));
    let server = rig.server().start();
    let arguments = json!({"requirements": "r", "plan": "p"});
    let answer = call(&server).tool("codex_guard_plan").arguments(&arguments).succeeds();
    assert_eq!((&answer["verdict"], &answer["findings"]), (&json!("approve"), &json!([])));
    Found::All
}
