//! Requests that a shell pipes into `mcp-server`: a growing file, and a file as a whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::kit::cli::{Ran, command, ended, run, start, wait_nothing_left};
use crate::kit::real::obey;
use crate::kit::setup::{PROGRAM, home};
use crate::kit::wait::{wait_for, wait_until};
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::{self, Home};

/// A request to start a thread, or with a thread to continue it.
fn call(id: &Value, arguments: &Value) -> Value {
    let tool = if arguments["threadId"].is_null() { "codex" } else { "codex-reply" };
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
           "params": {"name": tool, "arguments": arguments}})
}

fn ask(id: impl Into<Value>, prompt: &str) -> Value {
    call(&id.into(), &json!({"prompt": prompt}))
}

fn pretty(message: &Value) -> String {
    serde_json::to_string_pretty(message).expect("a value is JSON") + "\n"
}

fn thread(answer: &Value) -> &str {
    let thread = answer["result"]["structuredContent"]["threadId"].as_str();
    thread.unwrap_or_else(|| panic!("no thread in {answer}"))
}

fn reply(answer: &Value) -> &str {
    assert!(answer["result"]["isError"].is_null(), "{answer}");
    let reply = answer["result"]["structuredContent"]["content"].as_str();
    reply.unwrap_or_else(|| panic!("no reply in {answer}"))
}

/// The whole lines of a file of messages. The last one may not be whole yet.
fn messages(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| serde_json::from_str(line).expect("a line is a message")).collect()
}

fn answers(file: &Path) -> Vec<Value> {
    messages(file).into_iter().filter(|message| message.get("method").is_none()).collect()
}

fn answer(file: &Path, id: &Value) -> Value {
    let answers = answers(file);
    let answer = answers.iter().find(|answer| answer["id"] == *id);
    answer.unwrap_or_else(|| panic!("no answer to {id} in {answers:?}")).clone()
}

/// The answers, after checking that each event is one of a request that is still to be answered.
fn answers_after_their_events(file: &Path) -> Vec<Value> {
    let messages = messages(file);
    let (mut events, mut answers) = (Vec::new(), Vec::new());
    for message in messages.into_iter().rev() {
        if message.get("method").is_none() {
            answers.push(message);
        } else {
            let request = &message["params"]["_meta"]["requestId"];
            let answered = answers.iter().any(|answer| answer["id"] == *request);
            assert!(answered, "no answer follows {message}");
            events.push(message);
        }
    }
    answers.reverse();
    // Every turn that was completed shows how it went, up to its end.
    let of = |kind: &str| events.iter().filter(|it| it["params"]["msg"]["type"] == kind).count();
    let completed = answers
        .iter()
        .filter(|answer| answer["result"]["isError"].is_null() && answer["error"].is_null());
    assert_eq!(of("task_complete"), completed.count(), "{events:?}");
    answers
}

/// A shell in the home's project, in which `$0` is the program.
fn shell(home: &Home, script: &str) -> std::process::Command {
    let codex = &real_codex::install().native;
    command(home, codex, "sh", &["-c", script, PROGRAM])
}

/// `tail … | mcp-server … > out.jsonl`.
struct Tail {
    home: Home,
    commands: PathBuf,
    out: PathBuf,
    shell: Child,
}

impl Tail {
    /// Starts it with these options of `tail` and of `mcp-server`.
    fn start(home: Home, follow: &str, options: &str) -> Self {
        let commands = home.project().join("commands.jsonl");
        let out = home.project().join("out.jsonl");
        fs::write(&commands, "").expect("the project is writable");
        let script = format!(
            "{{ tail -n +1 {follow} commands.jsonl & echo $! > tail.pid; wait; }} | \
             \"$0\" mcp-server {options} > out.jsonl"
        );
        let shell = start(&mut shell(&home, &script));
        Self { home, commands, out, shell }
    }

    fn append(&self, text: &str) {
        let file = OpenOptions::new().append(true).create(true).open(&self.commands);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.expect("the project is writable");
    }

    fn append_line(&self, message: &Value) {
        self.append(&format!("{message}\n"));
    }

    fn wait_answers(&self, number: usize) {
        wait_until("answers", || answers(&self.out).len() >= number);
    }

    fn answer(&self, id: impl Into<Value>) -> Value {
        let id = id.into();
        wait_until(&format!("the answer to {id}"), || {
            answers(&self.out).iter().any(|answer| answer["id"] == id)
        });
        answer(&self.out, &id)
    }

    /// Ends the input. Returns all answers, and how the program ended.
    fn end(self) -> (Vec<Value>, Ran) {
        let pid = fs::read_to_string(self.home.project().join("tail.pid")).expect("tail runs");
        let pid = Pid::from_raw(pid.trim().parse().expect("a process id"));
        kill(pid, Signal::SIGTERM).expect("tail runs");
        let ran = ended(self.shell);
        wait_nothing_left(&self.home);
        (answers_after_their_events(&self.out), ran)
    }
}

#[test]
fn commands_that_are_appended_to_a_file_are_answered_one_after_the_other() {
    let model = Model::start(obey);
    let tail = Tail::start(home(&model.url()), "-f", "");
    tail.append_line(&ask(1, "the first"));
    let first = tail.answer(1);
    assert_eq!(reply(&first), "echo: the first");
    // One that fails, with a string for an id.
    tail.append_line(&ask("b", " "));
    assert_eq!(tail.answer("b")["result"]["isError"], true);
    tail.append_line(&call(&json!("c"), &json!({"prompt": "go on", "threadId": thread(&first)})));
    let reply_of_it = tail.answer("c");
    assert_eq!((thread(&reply_of_it), reply(&reply_of_it)), (thread(&first), "echo: go on"));
    // Over several lines, without a line end after the last one.
    tail.append(pretty(&ask(4, "another thread")).trim_end());
    assert_ne!(thread(&tail.answer(4)), thread(&first));
    let (answers, ran) = tail.end();
    assert_eq!((answers.len(), ran.status), (4, Some(0)), "{}", ran.stderr);
}

#[test]
fn torn_lines_and_ids_that_are_used_twice_harm_no_other_command() {
    let model = Model::start(obey);
    let tail = Tail::start(home(&model.url()), "-f", "");
    let torn = |id: u32| {
        let line = ask(id, "never asked").to_string();
        line[..line.len() - 20].to_owned()
    };
    // The writer was killed, and the next one continues on the same line.
    tail.append(&torn(1));
    tail.append_line(&ask(2, "after a torn one"));
    assert_eq!(tail.answer(1)["error"]["code"], -32700);
    assert_eq!(reply(&tail.answer(2)), "echo: after a torn one");
    tail.append(&format!("{}\nno json at all\n{{\"id\": 5, \"x\": nope}}\n", torn(3)));
    assert_eq!(tail.answer(3)["error"]["code"], -32700);
    assert_eq!(tail.answer(5)["error"]["code"], -32700);
    tail.append(&format!("{}\n{}\n", ask(6, "one"), ask(6, "two")));
    tail.wait_answers(6);
    let (answers, ran) = tail.end();
    let mut replies: Vec<&str> =
        answers.iter().filter(|answer| answer["id"] == 6).map(reply).collect();
    replies.sort_unstable();
    assert_eq!(replies, ["echo: one", "echo: two"]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(!model.requests().iter().any(|request| request.last_user_text() == "never asked"));
}

#[test]
fn a_file_that_is_rotated_is_followed() {
    let model = Model::start(obey);
    let tail = Tail::start(home(&model.url()), "-F", "--one-thread");
    tail.append_line(&ask(1, "before"));
    let before = tail.answer(1);
    let torn = ask(2, "torn").to_string();
    tail.append(&torn[..torn.len() - 9]);
    let rotated = tail.commands.with_extension("1");
    fs::rename(&tail.commands, rotated).expect("the project is writable");
    tail.append_line(&ask(3, "after"));
    let after = tail.answer(3);
    assert_eq!((thread(&after), reply(&after)), (thread(&before), "echo: after"));
    assert_eq!(tail.answer(2)["error"]["code"], -32700);
    assert_eq!(tail.end().1.status, Some(0));
}

/// Runs the program with a file of requests. Returns the answers in their order.
fn one_shot(home: &Home, requests: &str, options: &str) -> (Vec<Value>, Ran) {
    fs::write(home.project().join("request.json"), requests).expect("the project is writable");
    let script = format!("\"$0\" mcp-server {options} < request.json > answer.json");
    let ran = run(shell(home, &script));
    wait_nothing_left(home);
    (answers_after_their_events(&home.project().join("answer.json")), ran)
}

#[test]
fn a_pretty_printed_request_in_a_file_is_answered() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let (answers, ran) = one_shot(&home, &pretty(&ask(1, "What is this?")), "");
    assert_eq!(answers.iter().map(reply).collect::<Vec<_>>(), ["echo: What is this?"]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let several = format!("{}{}{}", pretty(&ask(1, "one")), ask(2, "two"), pretty(&ask(3, " ")));
    let (answers, ran) = one_shot(&home, &several, "");
    assert_eq!((answers.len(), ran.status), (3, Some(0)), "{}", ran.stderr);
    // The last one is torn.
    let torn = pretty(&ask(5, "torn"));
    let (answers, ran) = one_shot(&home, &(pretty(&ask(4, "whole")) + &torn[..60]), "");
    assert_eq!((answers.len(), ran.status), (2, Some(0)), "{}", ran.stderr);
    assert!(answers.iter().any(|answer| answer["id"] == 5 && answer["error"]["code"] == -32700));
}

#[test]
fn a_call_without_an_id_has_no_answer_and_the_exit_status_shows_it() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let mut notification = ask(1, "not run");
    notification.as_object_mut().expect("an object").remove("id");
    let (answers, ran) =
        one_shot(&home, &format!("{notification}\n{}\n", ask(2, "with an id")), "");
    assert_eq!(answers.iter().map(reply).collect::<Vec<_>>(), ["echo: with an id"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stderr.contains("a tools/call without an id"), "{}", ran.stderr);
    assert_eq!(model.requests().len(), 1);
}

#[test]
fn the_exit_status_shows_that_nobody_could_read_the_answer() {
    let model = Model::start(obey);
    let home = home(&model.url());
    fs::write(home.project().join("request.json"), pretty(&ask(1, "[hang]"))).expect("writable");
    let script = "{ \"$0\" mcp-server < request.json; echo $? > status; } | cat > /dev/null & \
                  echo $! > reader.pid; wait";
    let shell = start(&mut shell(&home, script));
    model.wait_for(|request| request.last_user_text() == "[hang]");
    let reader = home.project().join("reader.pid");
    wait_for(&reader);
    let reader = fs::read_to_string(reader).expect("it is there");
    kill(Pid::from_raw(reader.trim().parse().expect("a process id")), Signal::SIGTERM)
        .expect("it runs");
    ended(shell);
    wait_nothing_left(&home);
    let status = fs::read_to_string(home.project().join("status")).expect("it has ended");
    assert_eq!(status.trim(), "1");
}

/// The texts of the user in the conversation so far, without those of Codex itself.
fn conversation(request: &Request) -> Vec<String> {
    request.user_texts().into_iter().filter(|text| !text.starts_with('<')).collect()
}

#[test]
fn with_one_thread_the_calls_of_a_file_are_a_conversation() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let prompts = ["one", "two", "three", "four"];
    let requests: String =
        prompts.iter().enumerate().map(|(at, prompt)| pretty(&ask(at, prompt))).collect();
    let (answers, ran) = one_shot(&home, &requests, "--one-thread");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let replies: Vec<&str> = answers.iter().map(reply).collect();
    assert_eq!(replies, prompts.map(|prompt| format!("echo: {prompt}")), "in their order");
    assert!(answers.iter().all(|answer| thread(answer) == thread(&answers[0])));
    assert_eq!(conversation(model.requests().last().expect("there are some")), prompts);

    let (answers, _) = one_shot(&home, &requests, "");
    let mut threads: Vec<&str> = answers.iter().map(thread).collect();
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads.len(), prompts.len(), "without it each call starts a thread");
}

#[test]
fn with_one_thread_the_first_call_that_gets_a_thread_starts_it() {
    let model = Model::start(|request| match request.last_user_text().as_str() {
        "fails" => Response::status(400, json!({"error": {"message": "no such thing"}})),
        _ => echo(request),
    });
    let tail = Tail::start(home(&model.url()), "-f", "--one-thread");
    // Refused before Codex starts, and by Codex before it has a thread.
    tail.append_line(&ask(1, " "));
    tail.append_line(&call(
        &json!(2),
        &json!({"prompt": "x", "config": {"model_provider": "nobody"}}),
    ));
    tail.append_line(&ask(3, "fails"));
    tail.append_line(&ask(4, "goes on"));
    for id in [1, 2] {
        let answer = tail.answer(id);
        assert!(answer["result"]["structuredContent"].is_null(), "{answer}");
        assert_eq!(answer["result"]["isError"], true, "{answer}");
    }
    // A turn that fails leaves its thread behind.
    let failed = tail.answer(3);
    assert_eq!(failed["result"]["isError"], true, "{failed}");
    let next = tail.answer(4);
    assert_eq!((thread(&next), reply(&next)), (thread(&failed), "echo: goes on"));
    assert_eq!(tail.end().1.status, Some(0));
}

#[test]
fn with_one_thread_instructions_that_each_call_repeats_are_in_the_thread_once() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let instructions = ["Be brief.", "Be brief.", "Be verbose."];
    let calls = instructions.iter().enumerate().map(|(id, text)| {
        call(
            &json!(id),
            &json!({"prompt": "dig", "developer-instructions": text,
                                 "base-instructions": "You dig."}),
        )
    });
    let requests: String = calls.map(|call| format!("{call}\n")).collect();
    let (answers, ran) = one_shot(&home, &requests, "--one-thread");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(answers.iter().map(reply).collect::<Vec<_>>(), ["echo: dig"; 3]);
    let last = model.requests().pop().expect("there are some");
    let developer = last.body["input"].to_string();
    let times = |text: &str| developer.matches(text).count();
    assert_eq!((times("Be brief."), times("Be verbose.")), (1, 1), "{developer}");
    assert!(last.instructions().iter().any(|text| text.trim() == "You dig."));
}

#[test]
fn with_one_thread_a_call_keeps_what_it_does_not_set() {
    const HEADERS: &str = "model_providers.stand-in.http_headers";
    let model = Model::start(obey);
    let home = home(&model.url());
    let arguments = [
        json!({"prompt": "one", "model": "model-a", "config": {HEADERS: {"x-mine": "1"}}}),
        json!({"prompt": "two"}),
        json!({"prompt": "three", "model": "model-b", "config": {HEADERS: {"x-mine": "3"}}}),
        json!({"prompt": "four"}),
    ];
    let calls = arguments.iter().enumerate().map(|(id, arguments)| call(&json!(id), arguments));
    let requests: String = calls.map(|call| format!("{call}\n")).collect();
    let options = "--one-thread --max-sandbox danger-full-access";
    let (answers, ran) = one_shot(&home, &requests, options);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(answers.iter().map(reply).count(), 4);
    let requests = model.requests();
    let used = requests.iter().map(|request| {
        let header = request.headers.iter().find(|(name, _)| name == "x-mine");
        (request.body["model"].as_str(), header.map(|(_, value)| value.as_str()))
    });
    let expected = [("model-a", "1"), ("model-a", "1"), ("model-b", "3"), ("model-b", "1")];
    let expected = expected.map(|(model, header)| (Some(model), Some(header)));
    assert_eq!(used.collect::<Vec<_>>(), expected);
}
