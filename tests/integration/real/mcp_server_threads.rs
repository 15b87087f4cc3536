//! Threads of the server that takes the place of `codex mcp-server`: what that server lost, or answered to the wrong
//! call.

use std::fs;
use std::sync::{Arc, Barrier};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::mcp_server::{
    answer, begin, begin_reply, beside, mcp_server, mcp_server_release, reply, said, thread,
    thread_of,
};
use crate::kit::play::session_of;
use crate::kit::real::{last_turn, obey};
use crate::kit::setup::home;
use crate::kit::wait::WAIT;
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response, echo};
use crate::support::real_codex::Release;

/// The first request whose prompt is this one.
fn asked(model: &Model, prompt: &str) -> Request {
    model.wait_for(|request| request.last_user_text() == prompt)
}

/// Starts a thread whose model hangs, and returns its call and its id.
fn hanging(server: &Server, model: &Model) -> (crate::support::client::Call, String) {
    let call = begin(server, "Remember seven. [hang]");
    let thread = session_of(server, &call);
    asked(model, "Remember seven. [hang]");
    (call, thread)
}

/// Replies in a thread that was broken off. The answer must be the reply's own, and the model must know the thread.
fn assert_goes_on(server: &Server, model: &Model, thread: &str) {
    for prompt in ["Which number?", "Are you sure?"] {
        reply(server, thread, prompt);
        let known = asked(model, prompt).user_texts();
        assert!(known.iter().any(|text| text.contains("Remember seven.")), "{known:?}");
    }
}

#[test]
fn two_calls_run_side_by_side() {
    // Neither gets its answer before both have asked.
    let both = Arc::new(Barrier::new(2));
    let model = Model::start(move |request| {
        both.wait();
        echo(request)
    });
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let calls = [begin(&server, "Left"), begin(&server, "Right")];
    let answers = calls.map(|call| answer(&server, &call));
    assert_eq!((said(&answers[0]), said(&answers[1])), ("echo: Left", "echo: Right"));
    assert_ne!(thread_of(&answers[0]), thread_of(&answers[1]));
}

#[test]
fn replies_at_once_are_all_answered_in_order() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let thread = thread(&server, "Begin");
    let prompts = ["One", "Two", "Three"];
    let calls = prompts.map(|prompt| begin_reply(&server, &thread, prompt));
    for (prompt, call) in prompts.iter().zip(&calls) {
        let answer = answer(&server, call);
        assert_eq!((said(&answer), thread_of(&answer)), (&*format!("echo: {prompt}"), &*thread));
    }
    let order: Vec<String> = model.requests().iter().map(|it| it.last_user_text()).collect();
    assert_eq!(order, ["Begin", "One", "Two", "Three"]);
    let known = asked(&model, "Three").user_texts();
    assert!(known.ends_with(&order), "each one sees those before it: {known:?}");
}

#[test]
fn a_thread_goes_on_after_a_restart() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(echo);
        let home = home(&model.url());
        let first = mcp_server_release(&home, release).start();
        let thread = thread(&first, "Remember seven.");
        drop(first);
        assert_goes_on(&mcp_server_release(&home, release).start(), &model, &thread);
    }
}

#[test]
fn a_thread_goes_on_after_a_cancelled_call() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let (call, thread) = hanging(&server, &model);
    server.cancel(&call);
    assert_goes_on(&server, &model, &thread);
    assert_eq!(server.try_answer(&call), None, "a cancelled call has no answer");
}

#[test]
fn a_thread_goes_on_after_the_server_was_killed() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let (_, thread) = hanging(&server, &model);
    server.kill();
    server.wait_exit(WAIT);
    server.wait_no_descendants(WAIT).expect("the watchdog stops Codex");
    assert_goes_on(&mcp_server(&home).start(), &model, &thread);
}

#[test]
fn a_client_that_cannot_be_asked_gets_an_answer() {
    let model = Model::start(|request| {
        let arguments = json!({
            "cmd": "echo asked", "sandbox_permissions": "require_escalated", "justification": "May I?",
        });
        match request.has_tool_output() {
            true => Response::message("It was answered."),
            false => Response::items(vec![Item::call("exec_command", arguments)]),
        }
    });
    let home = home(&model.url());
    home.append_config("approval_policy = \"on-request\"");
    let server = mcp_server(&home).start();
    let asking = json!({"prompt": "Run it.", "approval-policy": "on-request"});
    let answer = server.call("codex", &asking);
    assert_eq!(said(&answer), "It was answered.");
    assert_eq!(beside(&answer).matches("works like never").count(), 1, "{answer}");
    let requests = |message: &Value| message.get("method").is_some() && message.get("id").is_some();
    assert!(!server.messages().iter().any(requests), "{:?}", server.messages());
}

#[test]
fn calls_in_flight_at_the_end_of_the_input_are_finished_and_answered() {
    let both = Arc::new(Barrier::new(2));
    let gate = Arc::clone(&both);
    let model = Model::start(move |request| {
        if request.last_user_text().starts_with("Wait") {
            gate.wait();
        }
        echo(request)
    });
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let thread = thread(&server, "Begin");
    let calls = [begin_reply(&server, &thread, "Wait"), begin_reply(&server, &thread, "And then")];
    asked(&model, "Wait");
    server.close_stdin();
    both.wait();
    for (call, prompt) in calls.iter().zip(["Wait", "And then"]) {
        assert_eq!(said(&answer(&server, call)), format!("echo: {prompt}"));
    }
    assert!(server.wait_exit(WAIT).success());
}

#[test]
fn a_signal_in_between_leaves_the_thread_as_it_was() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let (_, thread) = hanging(&server, &model);
    server.signal(Signal::SIGTERM);
    server.wait_exit(WAIT);
    assert_goes_on(&mcp_server(&home).start(), &model, &thread);
}

#[test]
fn replies_keep_what_the_thread_was_started_with() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(echo);
        let home = home(&model.url());
        let folder = home.project().join("inner");
        fs::create_dir(&folder).expect("it is new");
        let server = mcp_server_release(&home, release).start();
        let first = server.call(
            "codex",
            &json!({
                "prompt": "Begin",
                "model": "gpt-5.2",
                "cwd": "inner",
                "sandbox": "workspace-write",
                "base-instructions": "Base.",
                "developer-instructions": "Developer.",
                "config": {"model_reasoning_effort": "low", "model_reasoning_summary": "detailed"},
            }),
        );
        let thread = thread_of(&first).to_owned();
        let kept = |prompt: &str| {
            let request = asked(&model, prompt);
            assert_eq!(
                (&request.body["model"], &request.body["reasoning"]["effort"]),
                (&json!("gpt-5.2"), &json!("low"))
            );
            assert!(
                ["Base.", "Developer."]
                    .iter()
                    .all(|part| request.instructions().concat().contains(part)),
                "{prompt}"
            );
            let (cwd, sandbox) = last_turn(&home, &thread);
            assert_eq!((&cwd, &*sandbox), (&folder, "workspace-write"), "{prompt}");
            request
        };
        assert_eq!(kept("Begin").body["reasoning"]["summary"], "detailed");
        let next = reply(&server, &thread, "Next");
        assert_eq!(beside(&next), "", "{next}");
        assert_eq!(kept("Next").body["reasoning"]["summary"], "detailed");
        drop(server);
        // Another server knows what Codex's record says.
        reply(&mcp_server_release(&home, release).start(), &thread, "Later");
        kept("Later");
    }
}

#[test]
fn a_reply_that_its_sandbox_stops_is_not_told_to_choose_another() {
    let model = Model::start(obey);
    let home = home(&model.url());
    home.append_config("sandbox_mode = \"read-only\"");
    let server = mcp_server(&home).start();
    let thread = thread(&server, "Begin");
    let stopped = answer(&server, &begin_reply(&server, &thread, "[run touch forbidden]"));
    said(&stopped);
    assert!(beside(&stopped).contains("only a new thread can have another one"), "{stopped}");
    assert!(!home.project().join("forbidden").exists());
}
