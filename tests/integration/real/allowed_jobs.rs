//! The folders that the operator allows: which jobs are in scope, and which are not started.

use std::fs;

use serde_json::{Value, json};

use crate::kit::cli::{program, run};
use crate::kit::fenced::{DIRS, Fenced, SECRET, assert_outside, folder, resume_in, start_session};
use crate::kit::jobs::{
    assert_nothing_left, gate, notifications_of, pages, reply, snapshot, start_with, text, wait,
    wait_started,
};
use crate::kit::play::with;
use crate::kit::real::ByHand;
use crate::kit::setup::{content, error_text, real};
use crate::kit::wait::wait_until;
use crate::support::client::{Server, result};
use crate::support::real_codex;

/// Runs a job to its end, and returns its id.
fn ended(server: &Server, arguments: &Value) -> String {
    let job = start_with(server, arguments);
    let id = text(&job, "job_id");
    wait(server, id, &job["notification_cursor"]);
    id.to_owned()
}

/// The jobs in the list, the newest first.
fn listed(server: &Server) -> Vec<String> {
    let answer = server.call("job_list", &json!({}));
    assert!(!answer.to_string().contains(SECRET), "{answer}");
    let jobs = content(&answer)["jobs"].as_array().expect("a list");
    jobs.iter().map(|job| text(job, "job_id").to_owned()).collect()
}

/// A request about a task, from a client that supports tasks.
fn about_task(server: &Server, method: &str, task: &str) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities":
            {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    server.request(method, &json!({"taskId": task, "inputResponses": {}, "_meta": meta}))
}

/// Expects a job to be neither reported nor changed.
fn assert_denied(server: &Server, job: &str) {
    assert!(!listed(server).contains(&job.to_owned()));
    for (tool, arguments) in [
        ("job_events", json!({"job_id": job})),
        ("job_events", json!({"job_id": job, "raw": true})),
        ("job_wait", json!({"job_ids": [job], "timeout_ms": 1})),
        ("job_notifications", json!({"job_ids": [job]})),
        ("job_reply", json!({"job_id": job, "prompt": "what was said?"})),
        ("job_reply", json!({"job_id": job, "prompt": "what was said?", "interrupt": true})),
        ("job_cancel", json!({"job_id": job})),
    ] {
        let answer = server.call(tool, &arguments);
        assert_eq!(answer["isError"], true, "{tool} {arguments}: {answer}");
        assert_outside(&answer, "job_id");
    }
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let answer = about_task(server, method, job);
        assert_eq!(answer["error"]["code"], -32602, "{method}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(DIRS) && !message.contains(SECRET), "{method}: {message}");
    }
}

#[test]
fn jobs_that_were_outside_are_not_listed_read_answered_or_stopped() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let (inside, outside) = (fenced.allowed.clone(), fenced.outside.clone());
    let secret = json!({"prompt": SECRET, "label": SECRET});
    let session = start_session(&free, SECRET, &outside);
    let away = ended(&free, &with(secret.clone(), "cwd", outside.to_str()));
    let in_its_session = ended(&free, &with(secret.clone(), "session_id", session.as_str()));
    let came_in =
        with(with(secret.clone(), "session_id", session.as_str()), "cwd", inside.to_str());
    let copied = ended(&free, &with(came_in.clone(), "fork", true));
    let came_in = ended(&free, &came_in);
    let moved = ended(&free, &with(secret.clone(), "cwd", inside.to_str()));
    resume_in(&free, text(&snapshot(&free, &moved), "session_id"), &outside, false);
    let own = ended(&free, &json!({"prompt": "hello", "cwd": inside}));
    let jobs = [away, in_its_session, copied, came_in, moved];

    assert_eq!(listed(&server), [own.as_str()]);
    let all = server.call("job_notifications", &json!({}));
    let all_reported = content(&all)["notifications"].as_array().expect("a list");
    let ids: Vec<&str> = all_reported.iter().map(|reported| text(reported, "job_id")).collect();
    assert_eq!(ids, [own.as_str()], "{all}");
    for job in &jobs {
        let before = pages(&free, &json!({"job_id": job, "raw": true}), 0).0.len();
        assert_denied(&server, job);
        let both = json!({"job_ids": [own, job], "timeout_ms": 1});
        assert_outside(&server.call("job_wait", &both), "job_id");
        assert_eq!(pages(&free, &json!({"job_id": job, "raw": true}), 0).0.len(), before);
    }
    for path in fenced.escapes() {
        assert_outside(&server.call("job_list", &json!({"cwd": path})), "cwd");
    }
    // Jobs inside are not affected.
    reply(&server, &own, "once more");
    assert_eq!(wait_twice(&server, &own), "completed");
    content(&server.call("job_list", &json!({"cwd": inside})));
}

fn wait_twice(server: &Server, job: &str) -> String {
    wait_until("the second turn", || notifications_of(server, job).len() == 2);
    text(&notifications_of(server, job)[1], "status").to_owned()
}

#[test]
fn a_job_outside_continues_without_being_reported() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let (gate, command) = gate(&fenced.home, "gate");
    let prompt = format!("{SECRET} {command}");
    let job = start_with(
        &free,
        &json!({"prompt": prompt, "label": SECRET, "cwd": fenced.home.project(),
                "sandbox": "workspace-write"}),
    );
    let id = text(&job, "job_id");
    wait_started(&gate);
    assert_denied(&server, id);
    // Nor is the holder of the session reported.
    let session = text(&snapshot(&free, id), "session_id").to_owned();
    let busy = json!({"prompt": "x", "session_id": session, "timeout_ms": 500});
    for tool in ["codex_chat", "job_start"] {
        assert_outside(&server.call(tool, &busy), "session_id");
    }
    // Waiting for all jobs reports none of them, not even current activity.
    let cursor = &job["notification_cursor"];
    let call = server.begin_call("job_wait", &json!({"cursor": cursor, "timeout_ms": 60_000}));
    let message = server.wait_progress(&call, |_| true);
    assert_eq!(message, "waiting for 0 jobs");
    assert_eq!(snapshot(&free, id)["status"], "running", "it was not stopped");
    fs::write(&gate, "").expect("writable");
    wait(&free, id, cursor);
    // The first notification is that of a job inside.
    let own = start_with(&server, &json!({"prompt": "hello", "cwd": fenced.allowed}));
    let answer = content(&result(server.answer(&call))).clone();
    let heard = answer["notifications"].as_array().expect("a list");
    assert_eq!(heard.len(), 1, "{answer}");
    assert_eq!(heard[0]["job_id"], own["job_id"], "{answer}");
    assert_denied(&server, id);
}

#[test]
fn a_job_that_may_not_run_is_refused_at_once_and_leaves_nothing() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let session = start_session(&free, SECRET, &fenced.outside);
    let asked = fenced.model.requests().len();
    let hello = json!({"prompt": "hello", "cwd": fenced.allowed, "sandbox": "workspace-write"});
    let outside = fenced.outside.to_str();
    let picture = fenced.outside.join("a.png");
    let deaf = with(hello.clone(), "cwd", outside);
    for (arguments, field) in [
        (json!({"prompt": "hello"}), "cwd"),
        (deaf.clone(), "cwd"),
        (with(deaf, "continue_last", true), "cwd"),
        (with(hello.clone(), "add_dirs", vec![outside]), "add_dirs"),
        (with(hello.clone(), "images", vec![picture.to_str()]), "images"),
        (with(hello.clone(), "session_id", session.as_str()), "session_id"),
        (with(with(hello.clone(), "session_id", session.as_str()), "fork", true), "session_id"),
    ] {
        let answer = server.call("job_start", &arguments);
        assert_eq!(answer["isError"], true, "{arguments}: {answer}");
        assert_outside(&answer, field);
        // As a task it would be a job too.
        let parameters = json!({"name": "codex_chat", "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities":
                {"extensions": {"io.modelcontextprotocol/tasks": {}}},
        }});
        assert_outside(&result(server.request("tools/call", &parameters)), field);
    }
    assert_eq!(fenced.jobs(), [""; 0]);
    assert_eq!(fenced.model.requests().len(), asked);
    server.wait_no_descendants(crate::kit::wait::WAIT).expect("no process was started");
    let job = ended(&server, &hello);
    assert_eq!(snapshot(&server, &job)["status"], "completed");
}

#[test]
fn other_reasons_that_a_job_cannot_run_are_reported_at_once_too() {
    let fenced = Fenced::new();
    let server = real(&fenced.home).start();
    let without = real(&fenced.home).env("CODEX_BIN", "/no/such/codex").start();
    let hello = json!({"prompt": "hello", "sandbox": "workspace-write"});
    let codex_home = fenced.home.path().to_str();
    for (server, arguments, begins) in [
        (&server, with(hello.clone(), "cwd", "/no/such/folder"), "bad_input: cwd "),
        (&server, with(hello.clone(), "cwd", codex_home), "not_allowed: cwd "),
        (&server, with(hello.clone(), "add_dirs", vec![codex_home]), "not_allowed: add_dirs "),
        (&server, with(hello.clone(), "profile", "nothing"), "bad_input: profile "),
        (&without, hello, "codex_not_found: "),
    ] {
        let answer = server.call("job_start", &arguments);
        let said = error_text(&answer);
        assert!(said.starts_with(begins) && said.contains("Nothing was started"), "{said}");
    }
    assert_eq!(fenced.jobs(), [""; 0]);
}

#[test]
fn a_denied_reply_is_refused_at_once_and_does_not_become_a_prompt_of_the_job() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let hello = json!({"prompt": "hello", "cwd": fenced.allowed, "sandbox": "workspace-write"});
    let deep = folder(&fenced.allowed.join("deep"));
    let adds = ended(&free, &with(hello.clone(), "add_dirs", vec![fenced.outside.to_str()]));
    let lost = ended(&free, &with(hello, "cwd", deep.to_str()));
    assert_nothing_left(&fenced.home, &free);
    fs::remove_dir(deep).expect("it is empty");
    for (job, begins) in [(adds, "not_allowed: add_dirs "), (lost, "bad_input: cwd ")] {
        let before = snapshot(&server, &job);
        for interrupt in [false, true] {
            let prompt = json!({"job_id": job, "prompt": "more", "interrupt": interrupt});
            let answer = server.call("job_reply", &prompt);
            let said = error_text(&answer);
            assert!(said.starts_with(begins) && said.contains("Nothing was"), "{said}");
        }
        assert_eq!(snapshot(&server, &job), before);
        let inbox = fs::read_dir(fenced.home.state().join("jobs").join(&job).join("inbox"));
        assert_eq!(inbox.expect("it exists").count(), 0);
    }
    server.wait_no_descendants(crate::kit::wait::WAIT).expect("no process was started");
}

#[test]
fn a_job_inside_is_reached_from_its_start_to_its_end() {
    let fenced = Fenced::new();
    let server = real(&fenced.home)
        .env(DIRS, &fenced.allowed)
        .env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1")
        .env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true")
        .start();
    let session = start_session(&server, "hello", &fenced.allowed);
    let (gate, command) = gate(&fenced.home, "allowed/gate");
    let first = start_with(
        &server,
        &json!({"prompt": command, "cwd": fenced.allowed, "sandbox": "workspace-write"}),
    );
    wait_started(&gate);
    // Three that wait: in the session's own folder, in a copy of it, and one that leaves no record.
    let waiting = [
        json!({"prompt": "x", "session_id": session}),
        json!({"prompt": "x", "session_id": session, "fork": true}),
        json!({"prompt": "x", "cwd": fenced.allowed, "extra_arguments": ["--ephemeral"]}),
    ];
    let mut ids: Vec<String> = vec![text(&first, "job_id").to_owned()];
    for arguments in &waiting {
        let job = start_with(&server, arguments);
        assert_eq!(job["status"], "queued", "{job}");
        ids.insert(0, text(&job, "job_id").to_owned());
    }
    assert_eq!(listed(&server), ids);
    for id in &ids {
        about_task(&server, "tasks/get", id)["result"]["status"].as_str().expect("it is reported");
    }
    // The fork gets another prompt, in its own session.
    reply(&server, &ids[1], "and then?");
    fs::write(&gate, "").expect("writable");
    for id in &ids {
        let heard = wait(&server, id, &json!(0)).0;
        assert_eq!(heard["status"], "completed", "{heard}");
        content(&server.call("job_events", &json!({"job_id": id})));
    }
    wait_twice(&server, &ids[1]);
    let reported = notifications_of(&server, &ids[1]);
    assert_eq!(reported[0]["session_id"], reported[1]["session_id"], "{reported:?}");
    assert_ne!(reported[0]["session_id"], session.as_str());
    assert_eq!(listed(&server), ids);
    let cancelled = start_with(&server, &json!({"prompt": "[hang]", "cwd": fenced.allowed}));
    let answer = server.call("job_cancel", &json!({"job_id": cancelled["job_id"]}));
    assert_eq!(content(&answer)["status"], "cancelled");
}

#[test]
fn a_session_that_moves_outside_while_a_job_waits_is_not_resumed() {
    let fenced = Fenced::new();
    let free = fenced.free();
    let server = real(&fenced.home)
        .env(DIRS, &fenced.allowed)
        .env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1")
        .start();
    let session = start_session(&server, "hello", &fenced.allowed);
    let (gate, command) = gate(&fenced.home, "allowed/gate");
    start_with(
        &server,
        &json!({"prompt": command, "cwd": fenced.allowed, "sandbox": "workspace-write"}),
    );
    wait_started(&gate);
    let ask = json!({"prompt": "what was said?", "session_id": session, "cwd": fenced.allowed});
    let job = start_with(&server, &ask);
    assert_eq!(job["status"], "queued", "{job}");
    ByHand::resume(&fenced.home, &session, "by hand, in the project's folder").finish();
    let asked = fenced.model.requests().len();
    fs::write(&gate, "").expect("writable");
    let reported = wait(&free, text(&job, "job_id"), &job["notification_cursor"]).0;
    assert_eq!(reported["error"]["kind"], "not_allowed", "{reported}");
    assert!(
        reported["error"]["message"].as_str().is_some_and(|said| said.contains(DIRS)),
        "{reported}"
    );
    let requests = fenced.model.requests();
    assert!(!requests[asked..].iter().any(|asked| asked.last_user_text().contains("what was")));
    assert_denied(&server, text(&job, "job_id"));
}

#[test]
fn the_operator_s_own_commands_show_all() {
    let fenced = Fenced::new();
    let free = fenced.free();
    let job = ended(&free, &json!({"prompt": SECRET, "cwd": fenced.outside}));
    let session = text(&snapshot(&free, &job), "session_id").to_owned();
    let codex = &real_codex::install().native;
    for arguments in [
        &["jobs", "list", "--json"][..],
        &["jobs", "show", &job],
        &["sessions", "--json"],
        &["sessions", "show", &session],
    ] {
        let mut command = program(&fenced.home, codex, arguments);
        let shown = run({
            command.env(DIRS, &fenced.allowed);
            command
        });
        assert!(shown.stdout.contains(SECRET), "{arguments:?}: {shown:?}");
    }
}
