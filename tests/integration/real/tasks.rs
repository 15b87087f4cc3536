//! Calls of `codex_chat` as tasks of MCP's tasks extension, with the real Codex.

use std::fs;

use serde_json::{Value, json};

use crate::kit::jobs::{meta, snapshot};
use crate::kit::real::obey;
use crate::kit::setup::{content, home, real};
use crate::kit::wait::{WAIT, wait_until};
use crate::support::client::{Server, result};
use crate::support::model::Model;

fn chat(server: &Server, prompt: &str, takes_tasks: bool) -> Value {
    let arguments = json!({"prompt": prompt, "sandbox": "workspace-write"});
    let parameters =
        json!({"name": "codex_chat", "arguments": arguments, "_meta": meta(takes_tasks)});
    result(server.request("tools/call", &parameters))
}

fn about(server: &Server, method: &str, task: &str) -> Value {
    server.request(method, &json!({"taskId": task, "inputResponses": {}, "_meta": meta(true)}))
}

fn wait_for_status(server: &Server, task: &str, status: &str) -> Value {
    wait_until(status, || about(server, "tasks/get", task)["result"]["status"] == status);
    result(about(server, "tasks/get", task))
}

#[test]
fn a_task_outlives_its_server_and_is_served_by_another() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let first = real(&home).spawn();
    let gate = home.project().join("gate");
    let prompt =
        format!("[run until test -e {}; do sleep 0.02; done; echo opened]", gate.display());
    let task = chat(&first, &prompt, true);
    assert_eq!(
        (&task["resultType"], &task["status"]),
        (&json!("task"), &json!("working")),
        "{task}"
    );
    let id = task["taskId"].as_str().expect("a task has an id");
    let message = task["statusMessage"].as_str().expect("it says what it is at");
    assert!(message.contains("session "), "{message}");
    first.kill();
    first.wait_exit(WAIT);

    let second = real(&home).spawn();
    assert_eq!(result(about(&second, "tasks/get", id))["status"], "working");
    result(about(&second, "tasks/update", id));
    fs::write(&gate, "").expect("writable");
    let done = wait_for_status(&second, id, "completed");
    let answer = &done["result"]["structuredContent"];
    assert!(answer["reply"].as_str().is_some_and(|reply| reply.contains("opened")), "{done}");
    assert!(message.contains(answer["session_id"].as_str().expect("a session")), "{done}");
}

#[test]
fn a_task_can_be_cancelled_repeatedly_and_an_unknown_one_is_an_error() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).spawn();
    let task = chat(&server, "[hang]", true);
    let id = task["taskId"].as_str().expect("a task has an id");
    result(about(&server, "tasks/cancel", id));
    result(about(&server, "tasks/cancel", id));
    wait_for_status(&server, id, "cancelled");
    wait_until("Codex to be gone", || {
        server.descendants().expect("Linux lists processes").is_empty()
    });
    for unknown in ["nothing", "01900000-0000-7000-8000-000000000000"] {
        for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
            assert_eq!(about(&server, method, unknown)["error"]["code"], -32602);
        }
    }
}

#[test]
fn a_task_that_ended_stays_as_it_ended_whatever_its_job_does_later() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).spawn();
    let gate = home.project().join("gate");
    let waits = format!("[run until test -e {}; do sleep 0.02; done; echo opened]", gate.display());
    for (prompt, status) in [("[hang]", "cancelled"), (&*waits, "completed")] {
        let task = chat(&server, prompt, true);
        if status == "completed" {
            fs::write(&gate, "").expect("writable");
        }
        let id = task["taskId"].as_str().expect("a task has an id");
        if status == "cancelled" {
            result(about(&server, "tasks/cancel", id));
        }
        let done = wait_for_status(&server, id, status);
        for later in ["[hang] again", "the last"] {
            let reply = json!({"job_id": id, "prompt": later, "interrupt": true});
            let reply = content(&server.call("job_reply", &reply)).clone();
            let same = |what: &str| {
                let now = result(about(&server, "tasks/get", id));
                assert_eq!(now["status"], status, "{what} {later}: {now}");
                let said = |task: &Value| task["result"]["structuredContent"]["reply"].clone();
                assert_eq!(said(&now), said(&done), "{what} {later}");
            };
            same("before");
            // Nor does it stop the job's current turn.
            result(about(&server, "tasks/cancel", id));
            if later == "the last" {
                let wait = json!({"job_ids": [id], "cursor": reply["notification_cursor"]});
                let reported = content(&server.call("job_wait", &wait))["notifications"].clone();
                assert_eq!(reported[0]["status"], "completed", "{reported}");
                same("after");
            } else {
                wait_until("it to run", || snapshot(&server, id)["status"] == "running");
            }
        }
        wait_until("Codex to be gone", || {
            server.descendants().expect("Linux lists processes").is_empty()
        });
    }
}

#[test]
fn clients_without_tasks_get_none_and_no_client_does_where_the_operator_turns_them_off() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).spawn();
    assert!(chat(&server, "hello", false)["structuredContent"]["session_id"].is_string());
    let without = real(&home).env("CODEX_PERSISTENT_MCP_TASKS", "false").spawn();
    assert!(chat(&without, "hello", true)["structuredContent"]["session_id"].is_string());
}

#[test]
fn a_task_has_the_limit_and_the_tokens_of_a_call() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_TIMEOUT_MS", "6000").spawn();
    let task = chat(&server, "hello", true);
    let id = task["taskId"].as_str().map(str::to_owned);
    let answer = match &id {
        Some(id) => wait_for_status(&server, id, "completed")["result"].clone(),
        // It was quick.
        None => task,
    };
    let content = &answer["structuredContent"];
    assert!(content["usage"]["input_tokens"].is_u64(), "{answer}");
    let task = chat(&server, "[hang]", true);
    let id = task["taskId"].as_str().expect("a task has an id");
    let late = wait_for_status(&server, id, "completed")["result"].clone();
    assert!(late["content"][0]["text"].to_string().contains("timeout of 6 s expired"), "{late}");
}

#[test]
fn a_task_that_cannot_be_a_job_names_the_tool_that_was_called() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let file = home.user().join("no-folder");
    fs::write(&file, "").expect("the folder is writable");
    let server = real(&home).env("CODEX_PERSISTENT_MCP_STATE_DIR", &file).spawn();
    let answer = chat(&server, "hello", true);
    let text = answer["content"][0]["text"].as_str().expect("an error is text");
    assert!(text.starts_with("storage: ") && text.contains("Nothing was started"), "{text}");
    assert!(text.contains("call codex_chat again") && !text.contains("job_start"), "{text}");
    assert!(text.contains("--tasks false"), "{text}");
}
