//! The tools for jobs that agents see, with the real Codex: what a wait returns, whose jobs it is about, and what
//! it says if there is nothing.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::http::{Client, serve};
use crate::kit::jobs::{assert_nothing_left, gate, snapshot, text, wait_started};
use crate::kit::play::with;
use crate::kit::real::obey;
use crate::kit::setup::{content, error_text, field, home, real, resume_command};
use crate::kit::wait::{WAIT, wait_until};
use crate::support::client::Server;
use crate::support::model::{Item, Model, Request, Response, echo};
use crate::support::real_codex::Home;

/// Longer than any test takes: the wait ends before.
const LONG: u64 = 280_000;

/// A client, however it is connected.
trait Calls {
    fn ask(&self, tool: &str, arguments: &Value) -> Value;

    /// Starts a job that may write, and returns its id.
    fn start(&self, prompt: &str) -> String {
        let arguments = json!({"prompt": prompt, "background": true, "sandbox": "workspace-write"});
        field(&self.ask("codex_chat", &arguments), "job_id").to_owned()
    }

    /// What a wait returns that has all the time it needs.
    fn wait(&self, arguments: Value) -> Value {
        content(&self.ask("codex_job_wait", &with(arguments, "timeout_ms", LONG))).clone()
    }

    /// What a wait returns whose time is over at once.
    fn look(&self, arguments: Value) -> Value {
        content(&self.ask("codex_job_wait", &with(arguments, "timeout_ms", 1))).clone()
    }
}

impl Calls for Server {
    fn ask(&self, tool: &str, arguments: &Value) -> Value {
        self.call(tool, arguments)
    }
}

impl Calls for Client {
    fn ask(&self, tool: &str, arguments: &Value) -> Value {
        self.call(tool, arguments)
    }
}

/// Starts a job whose command runs until the file exists.
fn start_gated(client: &impl Calls, home: &Home, name: &str) -> (String, PathBuf) {
    let (path, prompt) = gate(home, name);
    let job = client.start(&prompt);
    wait_started(&path);
    (job, path)
}

fn open(gate: &PathBuf) {
    fs::write(gate, "").expect("writable");
}

/// Waits until a job has ended, without a tool that tells the client of it.
fn wait_ended(server: &Server, job: &str) {
    wait_until("the job to end", || snapshot(server, job)["ended_at"].is_string());
}

#[test]
fn a_wait_returns_the_answer_to_the_last_prompt_in_full() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = server.start("the first");
    let answer = server.ask("codex_job_wait", &json!({"job_id": job, "timeout_ms": LONG}));
    let first = content(&answer);
    assert_eq!((text(first, "status"), &first["turn"]), ("completed", &json!(1)));
    assert!(text(first, "result").contains("\nthe first\n"), "{first}");
    let session = text(first, "session_id");
    assert_eq!(text(first, "resume_command"), resume_command(&home, session));
    assert_eq!(first["cwd"].as_str(), home.project().to_str());
    assert!(first["usage"]["input_tokens"].is_u64(), "{first}");
    assert_eq!((&first["files_changed"], &first["warnings"]), (&json!([]), &Value::Null));
    let nothing_twice = ["session_usage", "prompt", "last_activity", "cursor", "reply", "turns"];
    assert_eq!(nothing_twice.map(|name| &first[name]), [&Value::Null; 6], "{first}");
    // The text is for clients that give their model nothing else.
    let details =
        format!("\n\n[job_id {job} · status completed · session_id {session} · no files changed]");
    let plain = answer["content"][0]["text"].as_str().expect("a text");
    assert_eq!(plain, format!("{}{details}", text(first, "result").trim_end()));
    assert_eq!(&server.wait(json!({"job_id": job})), first, "an ended job is answered at once");

    let (gate, prompt) = gate(&home, "gate");
    let sent = server.ask("codex_job_send", &json!({"job_id": job, "prompt": prompt}));
    assert!(field(&sent, "next").contains("codex_job_wait"), "{sent}");
    // From here on nothing answers with the first result.
    let active = server.look(json!({"job_id": job}));
    assert_eq!(text(&active, "job_id"), job);
    assert_eq!((&active["result"], &active["error"]), (&Value::Null, &Value::Null), "{active}");
    assert!(["queued", "running"].contains(&text(&active, "status")), "{active}");
    for name in ["last_activity", "elapsed", "next"] {
        assert!(!text(&active, name).is_empty(), "{active}");
    }
    wait_started(&gate);
    let queued = json!({"job_id": job, "prompt": "the third"});
    server.ask("codex_job_send", &queued);
    open(&gate);
    let last = server.wait(json!({"job_id": job}));
    assert_eq!((&last["turn"], text(&last, "session_id")), (&json!(3), session), "{last}");
    assert!(text(&last, "result").contains("\nthe third\n"), "{last}");
    assert_nothing_left(&home, &server);
}

/// Makes a file, unless the prompt only asks something.
fn make(request: &Request) -> Response {
    if request.last_user_text().contains("Make it.") && !request.has_tool_output() {
        return Response::items(vec![Item::patch("new.txt")]);
    }
    echo(request)
}

#[test]
fn a_wait_says_what_the_turn_changed_and_what_was_refused() {
    let model = Model::start(make);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = server.start("Make it.");
    let made = server.wait(json!({"job_id": job}));
    assert_eq!(made["files_changed"], json!(["new.txt"]), "{made}");
    server.ask("codex_job_send", &json!({"job_id": job, "prompt": "Is it there?"}));
    let asked = server.wait(json!({"job_id": job}));
    assert_eq!(asked["files_changed"], json!([]), "those of this turn only: {asked}");

    let arguments = json!({"prompt": "Make it.", "background": true, "sandbox": "read-only"});
    let job = server.ask("codex_chat", &arguments);
    let arguments = json!({"job_id": field(&job, "job_id"), "timeout_ms": LONG});
    let answer = server.ask("codex_job_wait", &arguments);
    let warning = content(&answer)["warnings"][0].as_str().expect("a warning");
    for part in ["read-only", "1 patch", "new.txt", "workspace-write"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let plain = answer["content"][0]["text"].as_str().expect("a text");
    assert!(plain.contains(&format!("· warning: {warning}")), "{plain}");
}

#[test]
fn a_wait_without_a_job_misses_no_end_and_tells_each_once() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    // Nothing is running, so waiting would be in vain.
    let none = server.wait(json!({}));
    assert!(text(&none, "next").contains("start one"), "{none}");
    assert_eq!(none["jobs"], Value::Null);

    let (first, gate_of_first) = start_gated(&server, &home, "first");
    let active = server.look(json!({}));
    assert_eq!((text(&active, "job_id"), text(&active, "status")), (&*first, "running"));
    let (second, gate_of_second) = start_gated(&server, &home, "second");
    let active = server.look(json!({}));
    let ids = [0, 1].map(|at| text(&active["jobs"][at], "job_id"));
    assert_eq!(ids, [&*first, &*second], "{active}");
    for (job, gate) in [(&first, &gate_of_first), (&second, &gate_of_second)] {
        open(gate);
        wait_ended(&server, job);
    }
    // Both ended between the calls.
    let told = [server.wait(json!({})), server.wait(json!({}))];
    assert_eq!(told.each_ref().map(|end| text(end, "job_id")), [&*first, &*second]);
    assert!(text(&told[0], "result").trim_end().ends_with("opened"), "{}", told[0]);
    let none = server.wait(json!({}));
    assert!(text(&none, "next").contains("No job is running"), "{none}");
    assert_eq!(none["jobs"][0]["job_id"], second, "{none}");
    // Whoever was told by another tool is not told again.
    server.ask("codex_job_send", &json!({"job_id": first, "prompt": "again"}));
    wait_ended(&server, &first);
    let shown = server.ask("codex_jobs", &json!({"job_id": first, "types": ["agent_message"]}));
    assert!(field(&shown, "result").contains("\nagain\n"), "{shown}");
    assert_eq!(content(&shown)["events"][0]["type"], "agent_message", "{shown}");
    let none = server.wait(json!({}));
    assert!(text(&none, "next").contains("No job is running"), "{none}");
    assert_nothing_left(&home, &server);
}

#[test]
fn after_a_restart_a_wait_finds_what_runs_in_the_directory() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let first = real(&home).start();
    let (job, gate) = start_gated(&first, &home, "gate");
    first.kill();
    first.wait_exit(WAIT);
    let second = real(&home).start();
    let active = second.look(json!({}));
    assert_eq!(text(&active, "job_id"), job, "{active}");
    open(&gate);
    wait_ended(&second, &job);
    for arguments in [json!({}), json!({"job_id": job})] {
        let ended = second.wait(arguments);
        assert_eq!((text(&ended, "job_id"), text(&ended, "status")), (&*job, "completed"));
        assert!(text(&ended, "result").trim_end().ends_with("opened"), "{ended}");
    }
    // A third one does not know what was started when, but it can be asked.
    let third = real(&home).start();
    let none = third.wait(json!({}));
    assert_eq!(none["jobs"][0]["job_id"], job, "{none}");
    assert_eq!(text(&third.wait(json!({"job_id": job})), "status"), "completed");
    assert_nothing_left(&home, &first);
}

#[test]
fn what_happens_in_other_directories_is_shown_only_on_request() {
    const SECRET: &str = "the other project's secret";
    let model = Model::start(obey);
    let home = home(&model.url());
    let other = home.user().join("other");
    fs::create_dir_all(other.join("below")).expect("writable");
    let elsewhere = real(&home).cwd(&other).start();
    let job = elsewhere.start(SECRET);
    elsewhere.wait(json!({"job_id": job}));
    let running = elsewhere.start("[hang]");

    let here = real(&home).start();
    let quiet = |tool: &str, arguments: &Value| {
        let answer = here.call(tool, arguments);
        assert!(!answer.to_string().contains(SECRET), "{tool}: {answer}");
        assert!(!answer.to_string().contains(&running), "{tool}: {answer}");
        content(&answer).clone()
    };
    assert_eq!(quiet("codex_jobs", &json!({})), json!({"jobs": [], "in_other_directories": 2}));
    let none = quiet("codex_job_wait", &json!({"timeout_ms": LONG}));
    assert!(text(&none, "next").contains("start one"), "{none}");
    assert_eq!(quiet("codex_sessions", &json!({}))["sessions"], json!([]));
    assert_eq!(quiet("job_list", &json!({}))["jobs"], json!([]));
    assert_eq!(quiet("job_notifications", &json!({}))["notifications"], json!([]));
    for arguments in [json!({"timeout_ms": 1}), json!({"cursor": 0, "timeout_ms": 1})] {
        assert_eq!(quiet("job_wait", &arguments)["notifications"], json!([]));
    }

    let count = |tool: &str, arguments: Value, list: &str| {
        content(&here.call(tool, &arguments))[list].as_array().expect("a list").len()
    };
    let all = json!({"all": true});
    assert_eq!(count("codex_jobs", all.clone(), "jobs"), 2);
    assert_eq!(count("job_list", all.clone(), "jobs"), 2);
    assert_eq!(count("job_list", json!({"cwd": other}), "jobs"), 2);
    assert_eq!(count("codex_sessions", all.clone(), "sessions"), 2);
    assert_eq!(count("codex_sessions", json!({"cwd": other}), "sessions"), 2);
    assert_eq!(count("job_notifications", all, "notifications"), 1);
    let arguments = json!({"all": true, "cursor": 0, "timeout_ms": LONG});
    assert_eq!(count("job_wait", arguments, "notifications"), 1);
    // An id is a request.
    assert!(text(&here.wait(json!({"job_id": job})), "result").contains(SECRET));
    assert_eq!(count("job_wait", json!({"job_ids": [job]}), "notifications"), 1);
    let shown = here.call("codex_jobs", &json!({"job_id": job}));
    assert!(field(&shown, "result").contains(SECRET), "{shown}");

    // A directory contains those below it, and a client its own jobs wherever they work.
    let arguments = json!({"prompt": "below", "background": true, "cwd": other.join("below")});
    let below = field(&here.call("codex_chat", &arguments), "job_id").to_owned();
    here.wait(json!({"job_id": below}));
    assert_eq!(quiet("codex_jobs", &json!({}))["jobs"][0]["job_id"], below);
    assert_eq!(content(&elsewhere.call("codex_jobs", &json!({})))["jobs"][0]["job_id"], below);
    elsewhere.ask("codex_job_send", &json!({"job_id": running, "cancel": true}));
    assert_nothing_left(&home, &elsewhere);
}

#[test]
fn each_client_of_a_server_over_http_waits_for_its_own_jobs() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let site = serve(real(&home));
    let (one, two) = (site.connect(), site.connect());
    let (first, gate_of_first) = start_gated(&one, &home, "first");
    let (second, gate_of_second) = start_gated(&two, &home, "second");
    for (client, job) in [(&one, &first), (&two, &second)] {
        let active = client.look(json!({}));
        assert_eq!(text(&active, "job_id"), job, "{active}");
    }
    open(&gate_of_first);
    let ended = one.wait(json!({}));
    assert_eq!((text(&ended, "job_id"), text(&ended, "status")), (&*first, "completed"));
    let active = two.look(json!({}));
    assert_eq!((text(&active, "job_id"), text(&active, "status")), (&*second, "running"));
    open(&gate_of_second);
    assert_eq!(text(&two.wait(json!({})), "job_id"), second);
    let none = two.wait(json!({}));
    assert!(text(&none, "next").contains("No job is running"), "{none}");
    // By its id every client gets it.
    assert_eq!(text(&two.wait(json!({"job_id": first})), "status"), "completed");
    assert_nothing_left(&home, &site.server);
}

#[test]
fn a_job_is_interrupted_cancelled_and_continued_by_what_is_sent_to_it() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let (job, _) = start_gated(&server, &home, "gate");
    let send = |arguments: Value| server.ask("codex_job_send", &with(arguments, "job_id", &*job));
    for (arguments, names) in [
        (json!({}), ["prompt", "cancel"]),
        (json!({"cancel": false}), ["prompt", "cancel"]),
        (json!({"interrupt": true}), ["prompt", "cancel"]),
        (json!({"prompt": "x", "cancel": true}), ["prompt", "cancel"]),
        (json!({"interrupt": true, "cancel": true}), ["interrupt", "cancel"]),
    ] {
        let answer = send(arguments.clone());
        let error = error_text(&answer);
        assert!(error.starts_with("bad_input: "), "{arguments}: {error}");
        for name in names {
            assert!(error.contains(name), "{arguments}: {error}");
        }
        assert!(error.contains("Nothing was started"), "{arguments}: {error}");
    }
    send(json!({"prompt": "this first", "interrupt": true}));
    let ended = server.wait(json!({"job_id": job}));
    assert!(text(&ended, "result").contains("\nthis first\n"), "{ended}");

    let (path, prompt) = gate(&home, "another");
    send(json!({"prompt": prompt}));
    wait_started(&path);
    let waits = server.begin_call("codex_job_wait", &json!({"job_id": job, "timeout_ms": LONG}));
    let cancelled = send(json!({"cancel": true}));
    assert_eq!(field(&cancelled, "status"), "cancelled");
    let answer = crate::support::client::result(server.answer(&waits));
    let ended = content(&answer);
    assert_eq!((text(ended, "status"), &ended["result"]), ("cancelled", &Value::Null));
    assert_eq!(text(&ended["error"], "kind"), "cancelled", "{ended}");
    let plain = answer["content"][0]["text"].as_str().expect("a text");
    assert!(plain.starts_with("cancelled: ") && plain.contains("\n\nNext: "), "{plain}");
    assert!(plain.contains(&format!("[job_id {job} · status cancelled · ")), "{plain}");
    let again = send(json!({"cancel": true}));
    assert_eq!(content(&again)["had_ended"], true, "{again}");
    let none = server.wait(json!({}));
    assert!(text(&none, "next").contains("No job is running"), "the client knows: {none}");

    send(json!({"prompt": "go on"}));
    let ended = server.wait(json!({}));
    assert!(text(&ended, "result").contains("\ngo on\n"), "{ended}");
    assert_nothing_left(&home, &server);
}

#[test]
fn a_wrong_parameter_of_a_job_or_session_tool_is_reported_by_name() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = server.start("hello");
    let ended = server.wait(json!({"job_id": job}));
    let session = text(&ended, "session_id");
    let nobody = "01900000-0000-7000-8000-000000000000";
    for (tool, arguments, named) in [
        ("codex_job_wait", json!({"job_id": "7"}), "job_id"),
        ("codex_job_wait", json!({"job_id": nobody}), nobody),
        ("codex_job_wait", json!({"timeout_ms": 280_001}), "timeout_ms"),
        ("codex_job_wait", json!({"timeout_ms": 0}), "timeout_ms"),
        ("codex_job_send", json!({"prompt": "x"}), "job_id"),
        ("codex_job_send", json!({"job_id": nobody, "prompt": "x"}), nobody),
        ("codex_job_send", json!({"job_id": nobody, "cancel": true}), nobody),
        ("codex_jobs", json!({"cursor": 1}), "cursor"),
        ("codex_jobs", json!({"types": ["error"]}), "types"),
        ("codex_jobs", json!({"job_id": job, "all": true}), "all"),
        ("codex_jobs", json!({"job_id": job, "status": "running"}), "status"),
        ("codex_jobs", json!({"job_id": job, "cursor": 1_000_000}), "cursor"),
        ("codex_jobs", json!({"status": "done"}), "status"),
        ("codex_jobs", json!({"limit": 201}), "limit"),
        ("codex_sessions", json!({"include": ["commands"]}), "include"),
        ("codex_sessions", json!({"from_end": true}), "from_end"),
        ("codex_sessions", json!({"session_id": session, "text": "x"}), "text"),
        ("codex_sessions", json!({"session_id": session, "cursor": "x"}), "cursor"),
        ("codex_sessions", json!({"session_id": nobody}), nobody),
    ] {
        let answer = server.call(tool, &arguments);
        let error = error_text(&answer);
        assert!(
            error.contains(named) && error.contains("\n\nNext: "),
            "{tool} {arguments}: {error}"
        );
    }
}

#[test]
fn a_session_is_found_and_read_on_in_either_direction_by_one_tool() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let chat = server.call("codex_chat", &json!({"prompt": "one"}));
    let session = field(&chat, "session_id");
    for prompt in ["two", "three"] {
        server.call("codex_chat", &json!({"prompt": prompt, "session_id": session}));
    }
    let listed = server.call("codex_sessions", &json!({}));
    let row = &content(&listed)["sessions"][0];
    assert_eq!((text(row, "session_id"), text(row, "first_prompt")), (session, "one"));
    assert_eq!(row["resume_command"], Value::Null, "{row}");
    let plain = listed["content"][0]["text"].as_str().expect("a text");
    assert!(plain.starts_with(session) && plain.ends_with(" · one"), "{plain}");

    let whole = server.call("codex_session_read", &json!({"session_id": session}));
    let whole = content(&whole)["entries"].as_array().expect("a list").clone();
    assert_eq!(whole.len(), 6, "{whole:?}");
    for from_end in [false, true] {
        let mut pages = Vec::new();
        let mut query = json!({"session_id": session, "limit": 4, "from_end": from_end});
        for _ in 0..2 {
            let page = content(&server.call("codex_sessions", &query)).clone();
            assert!(text(&page, "resume_command").ends_with(session), "{page}");
            pages.push(page["entries"].as_array().expect("a list").clone());
            query["cursor"] = page["cursor"].clone();
        }
        if from_end {
            pages.reverse();
        }
        assert_eq!(pages.concat(), whole, "from_end: {from_end}");
    }
}
