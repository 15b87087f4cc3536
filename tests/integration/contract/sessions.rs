//! Sessions: resumed, locked, copied, and found.

use std::fs;

use serde_json::json;

use super::{Found, Rig, unless_too_old};
use crate::kit::call::call;
use crate::kit::jobs::{gate, wait_started};
use crate::kit::play::settle;
use crate::kit::real::{ByHand, last_turn, record};
use crate::kit::wait::WAIT;

pub fn resume() -> Found {
    let rig = Rig::new();
    let directory = rig.home.project().canonicalize().expect("it exists").join("below");
    fs::create_dir(&directory).expect("the project is writable");
    let server = rig.server().start();
    let first = call(&server).prompt("Remember seven.").argument("cwd", &directory);
    let first = first.sandbox("workspace-write").succeeds().warns_of_nothing();
    let session = first.session();
    drop(server);

    let server = rig.server().start();
    let next = call(&server).prompt("Go on. [run pwd > here]").in_session(session);
    let next = next.succeeds().in_session(session);
    let asked = rig.model.wait_for(|request| request.last_user_text().contains("Go on."));
    let remembers = asked.user_texts().iter().any(|text| text.contains("Remember seven."));
    assert!(remembers, "the first prompt is lost: {:?}", asked.user_texts());
    let expected = (directory.clone(), "workspace-write".to_owned());
    assert_eq!(last_turn(&rig.home, session), expected);
    let here = fs::read_to_string(directory.join("here")).expect("the command wrote it");
    assert_eq!(here.trim_end(), directory.to_str().expect("test paths are text"));
    assert_eq!(next["usage"]["input_tokens"], 200, "{next}");
    Found::All
}

pub fn lock() -> Found {
    let rig = Rig::new();
    let server = rig.server().arg("--busy-wait-ms").arg("0").start();
    let session = call(&server).prompt("Remember seven.").succeeds().session().to_owned();
    let arguments = ["resume", &session, "-"];
    let _person = ByHand::exec_with(&rig.home, &rig.codex, &arguments, "Mine. [hang]");
    rig.model.wait_for(|request| request.last_user_text().contains("Mine."));
    let now = call(&server).prompt("Now?").in_session(&session).send();
    match now.succeeds_or_fails_with("session_busy") {
        Err(_) => Found::All,
        Ok(_) => {
            Found::Less("Codex has no lock, so a call runs beside a turn in a terminal".into())
        }
    }
}

pub fn order() -> Found {
    let rig = Rig::new();
    let servers = [rig.server().start(), rig.server().start()];
    let session = call(&servers[0]).prompt("Remember.").succeeds().session().to_owned();
    let (path, prompt) = gate(&rig.home, "gate");
    let first = call(&servers[0]).prompt(&prompt).in_session(&session).sandbox("workspace-write");
    let first = first.send();
    wait_started(&path);
    let second = call(&servers[1]).prompt("And then?").in_session(&session).send();
    settle(&servers[1]);
    let early = rig.model.requests().iter().any(|it| it.last_user_text().contains("And then?"));
    assert!(!early, "the second prompt did not wait");
    fs::write(&path, "").expect("writable");
    first.succeeds().says("opened");
    second.succeeds().says("And then?");
    let asked = rig.model.wait_for(|request| request.last_user_text().contains("And then?"));
    assert!(asked.body["input"].to_string().contains("opened"), "{}", asked.body["input"]);
    Found::All
}

pub fn fork() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let session = call(&server).prompt("Remember seven.").succeeds().session().to_owned();
    let copy = call(&server).prompt("A copy.").in_session(&session).argument("fork", true);
    unless_too_old(copy, |answer| {
        assert_ne!(answer.session(), session);
        let from = &record(&rig.home, answer.session())[0]["payload"]["forked_from_id"];
        assert_eq!(from, &json!(session));
        let asked = rig.model.wait_for(|request| request.last_user_text().contains("A copy."));
        assert!(asked.user_texts().iter().any(|text| text.contains("Remember seven.")));
    })
}

pub fn store() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let chat = call(&server).prompt("asked by an agent [run echo made]").succeeds();
    ByHand::exec_with(&rig.home, &rig.codex, &["-"], "asked by a person").finish();
    let listed = call(&server).tool("codex_sessions").argument("all", true).succeeds();
    let listed = listed["sessions"].as_array().expect("a list");
    let prompts: Vec<_> = listed.iter().map(|it| it["first_prompt"].clone()).collect();
    let expected = [json!("asked by a person"), json!("asked by an agent [run echo made]")];
    assert_eq!(prompts, expected, "{listed:?}");
    let page = call(&server).tool("codex_session_read").argument("session_id", chat.session());
    let page = page.argument("include", ["commands"]).succeeds().content().to_string();
    assert!(
        page.contains("asked by an agent") && page.contains("\"text\":\"echo made\""),
        "{page}"
    );
    Found::All
}

pub fn last() -> Found {
    let rig = Rig::new();
    let first = rig.server().start();
    let session = call(&first).prompt("Remember seven.").succeeds().session().to_owned();
    first.close_stdin();
    first.wait_exit(WAIT);
    let server = rig.server().start();
    let next = call(&server).prompt("Go on.").argument("continue_last", true);
    next.succeeds().in_session(&session);
    Found::All
}
