//! The `codex/event` notifications of `codex` and `codex-reply`, as Codex's own server sent them.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::events::{events_of, kinds, told, wait_event};
use crate::kit::mcp_server::{
    answer, begin, begin_reply, failed, mcp_server, mcp_server_release, said, thread_of,
};
use crate::kit::real::obey;
use crate::kit::setup::{PROGRAM, home, real};
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response, echo};
use crate::support::real_codex::{Home, Release};

/// A server whose turns may do anything.
fn open(home: &Home) -> Server {
    let server = mcp_server(home).arg("--max-sandbox").arg("danger-full-access");
    home.append_config("sandbox_mode = \"danger-full-access\"");
    server.start()
}

#[test]
fn a_turn_is_told_from_its_thread_to_its_end_and_then_answered() {
    for release in Release::ALL {
        let model = Model::start(echo);
        let home = home(&model.url());
        let server = mcp_server_release(&home, release).start();
        let call = begin(&server, "Hello");
        let result = answer(&server, &call);
        let thread = thread_of(&result).to_owned();
        let told = told(&server, &call);
        let expected = [
            "session_configured",
            "task_started",
            "user_message",
            "agent_message",
            "token_count",
            "task_complete",
        ];
        assert_eq!(kinds(&told), expected, "{release:?}");
        let turn = told[1]["msg"]["turn_id"].as_str().expect("a turn has an id");
        for (at, event) in told.iter().enumerate() {
            assert_eq!(event["_meta"], json!({"requestId": call.id, "threadId": thread}));
            assert_eq!(event["id"], if at == 0 { "" } else { turn });
        }
        let configured = &told[0]["msg"];
        let rollout = configured["rollout_path"].as_str().expect("there is a record");
        assert_eq!(Some(Path::new(rollout)), home.rollout(&thread).as_deref());
        assert_eq!(
            json!({
                "session_id": configured["session_id"],
                "thread_id": configured["thread_id"],
                "model": configured["model"],
                "model_provider_id": configured["model_provider_id"],
                "approval_policy": configured["approval_policy"],
                "cwd": configured["cwd"],
            }),
            json!({
                "session_id": thread,
                "thread_id": thread,
                "model": "gpt-5.5",
                "model_provider_id": "stand-in",
                "approval_policy": "never",
                "cwd": home.project(),
            })
        );
        assert_eq!(told[2]["msg"]["message"], "Hello");
        assert_eq!(told[3]["msg"]["message"], "echo: Hello");
        assert_eq!(told[5]["msg"]["last_agent_message"], "echo: Hello");

        let call = begin_reply(&server, &thread, "Again");
        said(&answer(&server, &call));
        let told = self::told(&server, &call);
        assert_eq!(kinds(&told), expected[1..], "a reply begins no session, {release:?}");
        assert_eq!(told[1]["msg"]["message"], "Again");
        assert_ne!(told[0]["msg"]["turn_id"], turn);
        assert_eq!(told[0]["_meta"], json!({"requestId": call.id, "threadId": thread}));
    }
}

#[test]
fn an_event_has_the_id_of_the_request_as_it_was_written() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    // Two in progress at once under the same id.
    for prompt in ["One", "Two"] {
        let params = json!({"name": "codex", "arguments": {"prompt": prompt}});
        let call =
            json!({"jsonrpc": "2.0", "id": "same", "method": "tools/call", "params": params});
        server.send(&call);
    }
    for prompt in ["One", "Two"] {
        let end = server.wait_message(|message| {
            message["params"]["msg"]["last_agent_message"] == format!("echo: {prompt}")
        });
        assert_eq!(end["params"]["_meta"]["requestId"], "same");
    }
}

#[test]
fn the_thread_is_known_while_the_turn_runs_and_a_cancelled_call_ends_with_an_event() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let call = begin(&server, "Wait. [hang]");
    let first = wait_event(&server, &call, "session_configured");
    let thread = first["msg"]["session_id"].as_str().expect("it has an id").to_owned();
    assert_eq!(wait_event(&server, &call, "user_message")["msg"]["message"], "Wait. [hang]");
    let asked = model.wait_for(|request| request.last_user_text().contains("[hang]"));
    drop(asked);
    assert_eq!(server.try_answer(&call), None);

    server.cancel(&call);
    let aborted = wait_event(&server, &call, "turn_aborted");
    assert_eq!(aborted["msg"]["reason"], "interrupted");
    assert_eq!(aborted["msg"]["turn_id"], wait_event(&server, &call, "task_started")["id"]);

    let reply = begin_reply(&server, &thread, "Go on.");
    said(&answer(&server, &reply));
    let told = told(&server, &reply);
    assert_eq!(kinds(&told)[..2], ["task_started", "user_message"]);
    let of_call = events_of(&server, &call);
    assert_eq!(kinds(&of_call).last(), Some(&"turn_aborted"), "nothing follows");
    assert_eq!(server.try_answer(&call), None);
}

#[test]
fn a_turn_that_takes_too_long_is_aborted_before_its_answer() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = mcp_server(&home).arg("--idle-timeout").arg("2s").start();
    let call = begin(&server, "Wait. [hang]");
    let result = answer(&server, &call);
    assert_eq!(result["isError"], true);
    let told = told(&server, &call);
    assert_eq!(kinds(&told).last(), Some(&"turn_aborted"), "{told:?}");
}

#[test]
fn a_shutdown_aborts_a_turn_before_its_answer() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = mcp_server(&home).start();
    let call = begin(&server, "Wait. [hang]");
    wait_event(&server, &call, "user_message");
    model.wait_for(|request| request.last_user_text().contains("[hang]"));
    server.signal(Signal::SIGTERM);
    let result = answer(&server, &call);
    assert_eq!(result["isError"], true);
    assert_eq!(kinds(&told(&server, &call)).last(), Some(&"turn_aborted"));
}

#[test]
fn a_command_is_told_while_it_runs_and_when_it_has_ended() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(obey);
        let home = home(&model.url());
        home.append_config("sandbox_mode = \"danger-full-access\"");
        let server = mcp_server_release(&home, release)
            .arg("--max-sandbox")
            .arg("danger-full-access")
            .start();
        let command = "until test -e go; do sleep 0.05; done; echo done; exit 3";
        let call = begin(&server, &format!("[run {command}]"));
        let begun = wait_event(&server, &call, "exec_command_begin");
        assert!(!kinds(&events_of(&server, &call)).contains(&"exec_command_end"));
        fs::write(home.project().join("go"), "").expect("the project is there");
        let ended = wait_event(&server, &call, "exec_command_end");
        answer(&server, &call);
        for event in [&begun, &ended] {
            assert_eq!(event["msg"]["command"][2], command);
            assert_eq!(event["msg"]["turn_id"], event["id"]);
        }
        assert_eq!(begun["msg"]["call_id"], ended["msg"]["call_id"]);
        let end = &ended["msg"];
        assert_eq!(
            (&end["exit_code"], &end["status"], &end["aggregated_output"]),
            (&json!(3), &json!("failed"), &json!("done\n"))
        );
        let told = kinds(&told(&server, &call)).join(" ");
        assert_eq!(told.matches("exec_command_begin").count(), 1, "{told}");
        assert_eq!(told.matches("exec_command_end").count(), 1, "{told}");
    }
}

#[test]
fn a_patch_is_told_with_its_contents() {
    let model = Model::start(|request| match request.has_tool_output() {
        true => Response::message("Done."),
        false => {
            Response::items(vec![Item::Reasoning("**Writing**".into()), Item::patch("note.txt")])
        }
    });
    let home = home(&model.url());
    let server = open(&home);
    let call = begin(&server, "Write a note.");
    said(&answer(&server, &call));
    let told = told(&server, &call);
    let of = |kind: &str| told.iter().find(|event| event["msg"]["type"] == kind);
    assert_eq!(of("agent_reasoning").map(|it| &it["msg"]["text"]), Some(&json!("**Writing**")));
    let begun = &of("patch_apply_begin").expect("it began")["msg"];
    let ended = &of("patch_apply_end").expect("it ended")["msg"];
    let path = home.project().join("note.txt").display().to_string();
    let changes = json!({ path: {"type": "add", "content": "hello\n"} });
    assert_eq!((&begun["changes"], &ended["changes"]), (&changes, &changes));
    assert_eq!((&begun["call_id"], &ended["success"]), (&ended["call_id"], &json!(true)));
}

#[test]
fn a_tool_of_an_mcp_server_is_told() {
    let model = Model::start(|request: &Request| match request.has_tool_output() {
        true => Response::message("Done."),
        false => Response::call("mcp__inner/codex_sessions", json!({"limit": 1})),
    });
    let home = home(&model.url());
    home.append_config("sandbox_mode = \"danger-full-access\"");
    home.append_config(&format!("mcp_servers.inner.command = {PROGRAM:?}"));
    let server = mcp_server(&home).arg("--max-sandbox").arg("danger-full-access").start();
    let call = begin(&server, "Which sessions are there?");
    said(&answer(&server, &call));
    let told = told(&server, &call);
    let of = |kind: &str| told.iter().find(|event| event["msg"]["type"] == kind);
    let begun = &of("mcp_tool_call_begin").expect("it began")["msg"];
    let ended = &of("mcp_tool_call_end").expect("it ended")["msg"];
    let invocation =
        json!({"server": "inner", "tool": "codex_sessions", "arguments": {"limit": 1}});
    assert_eq!((&begun["invocation"], &ended["invocation"]), (&invocation, &invocation));
    assert_eq!(begun["call_id"], ended["call_id"]);
    assert!(ended["result"]["Ok"]["content"].is_array(), "{ended}");
}

#[test]
fn a_failed_turn_ends_with_its_error_and_the_reply_has_events_of_its_own() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(|request| match request.last_user_text().contains("[fail]") {
            true => Response::failed("invalid_prompt", "The model failed."),
            false => echo(request),
        });
        let home = home(&model.url());
        let server = mcp_server_release(&home, release).start();
        let call = begin(&server, "[fail]");
        let result = answer(&server, &call);
        let message = failed(&result);
        let told = told(&server, &call);
        let last = &told.last().expect("there are events")["msg"];
        assert_eq!((&last["type"], &last["message"]), (&json!("error"), &json!(message)));
        assert!(last["codex_error_info"].is_string() || last["codex_error_info"].is_object());
        assert!(!kinds(&told).contains(&"task_complete"));

        let call = begin_reply(&server, thread_of(&result), "Now?");
        assert_eq!(said(&answer(&server, &call)), "echo: Now?");
        let told = self::told(&server, &call);
        let last = &told.last().expect("there are events")["msg"];
        assert_eq!(last["last_agent_message"], "echo: Now?");
    }
}

#[test]
fn a_call_that_is_refused_has_no_events() {
    let home = home("http://127.0.0.1:9/v1");
    let server = mcp_server(&home).start();
    let call = begin_reply(&server, "01a21bc5-0000-7000-8000-000000000000", "Hello?");
    assert_eq!(answer(&server, &call)["isError"], true);
    assert_eq!(events_of(&server, &call), [] as [Value; 0]);
}

#[test]
fn each_call_of_codex_says_its_thread_also_if_all_share_one() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = mcp_server(&home).arg("--one-thread").start();
    let mut threads = Vec::new();
    for prompt in ["One", "Two"] {
        let call = begin(&server, prompt);
        said(&answer(&server, &call));
        let told = told(&server, &call);
        let messages: Vec<&Value> = told.iter().map(|event| &event["msg"]).collect();
        assert_eq!(messages[0]["model"], "gpt-5.5", "{}", messages[0]);
        assert_eq!(messages[2]["message"], prompt, "only what this call did");
        threads.push(messages[0]["session_id"].clone());
    }
    assert_eq!(threads[0], threads[1]);
}

#[test]
fn events_are_a_setting() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let quiet = mcp_server(&home).arg("--codex-events=false").start();
    said(&answer(&quiet, &begin(&quiet, "Hello")));
    let own = real(&home).arg("--list-codex-tools").start();
    said(&answer(&own, &begin(&own, "Hello")));
    for server in [&quiet, &own] {
        let is_event = |message: &Value| message["method"] == "codex/event";
        assert!(!server.messages().iter().any(is_event));
    }
    let own = real(&home).arg("--list-codex-tools").arg("--codex-events").start();
    let call = begin(&own, "Hello");
    said(&answer(&own, &call));
    assert_eq!(kinds(&told(&own, &call)).len(), 6);
}
