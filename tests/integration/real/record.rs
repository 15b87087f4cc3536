//! What Codex records and leaves out of its stream: commands that fail fast, and rejected patches.
//!
//! The user's home is empty here, so that the login shell is fast: then Codex leaves most of the failing
//! commands out of its stream.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::jobs::{pages, snapshot, start_with, text, wait};
use crate::kit::real::obey;
use crate::kit::setup::{PROGRAM, content, error_text, home, real_release, scratch};
use crate::support::client::Server;
use crate::support::environment::clean;
use crate::support::model::{Item, Model, Request, Response};
use crate::support::real_codex::{Home, Release};

macro_rules! releases {
    ($($name:ident: $release:expr;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_command_that_the_sandbox_refused_is_reported_every_time() {
                is_reported($release);
            }

            #[test]
            fn a_patch_that_the_sandbox_refused_is_reported() {
                is_patch_reported($release);
            }

            #[test]
            fn a_command_that_fails_is_no_refusal() {
                is_no_refusal($release);
            }

            #[test]
            fn a_job_counts_and_shows_what_the_stream_leaves_out() {
                is_counted($release);
            }

            #[test]
            fn refusals_of_the_sandbox_inside_a_script_are_reported() {
                is_script_reported($release);
            }

            #[test]
            fn a_session_shows_what_the_stream_leaves_out() {
                is_read($release);
            }
        }
    )+};
}

releases! {
    newest: Release::Newest;
    v0_169: Release::V0_169;
    v0_153: Release::V0_153;
}

/// A server whose Codex has a fast login shell, as its home directory is empty.
fn quick(home: &Home, release: Release) -> Server {
    real_release(home, release).start()
}

fn warnings(answer: &Value) -> Vec<&str> {
    let warnings = content(answer)["warnings"].as_array();
    warnings.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A command that no turn here may run, and the file that it would make.
fn outside() -> (String, String) {
    let path = scratch().join("outside").display().to_string();
    (format!("touch {path}"), path)
}

/// A model that makes these calls, one after the other, and then replies that it is done.
fn does(items: Vec<Item>) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    move |request| match items.get(request.tool_outputs().len()) {
        Some(item) => Response::items(vec![item.clone()]),
        None => Response::message("Done"),
    }
}

fn is_reported(release: Release) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = quick(&home, release);
    let touch = format!("touch {}", home.project().join("new").display());
    let ask = json!({"prompt": format!("[run {touch}]"), "sandbox": "read-only"});
    for _ in 0..10 {
        let answer = server.call("codex_chat", &ask);
        let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
        for part in ["read-only", "1 command", &touch, "sandbox: \"workspace-write\""] {
            assert!(warning.contains(part), "{part}: {warning}");
        }
    }
}

fn is_patch_reported(release: Release) {
    let model = Model::start(does(vec![
        Item::patch("new.txt"),
        Item::patch(outside().1),
        // Codex does not notice before it writes that this one leads out.
        Item::patch("link/outside"),
    ]));
    let home = home(&model.url());
    symlink(scratch(), home.project().join("link")).expect("the project is empty");
    let server = quick(&home, release);
    let ask = |sandbox: &str| {
        server.call("codex_chat", &json!({"prompt": "Make the change.", "sandbox": sandbox}))
    };
    let answer = ask("read-only");
    let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
    for part in ["read-only", "3 patches", "new.txt", "sandbox: \"workspace-write\""] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let answer = ask("workspace-write");
    let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
    for part in ["workspace-write", "2 patches", &outside().1, "MAX_SANDBOX"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert!(home.project().join("new.txt").exists());
}

fn is_no_refusal(release: Release) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = quick(&home, release);
    for _ in 0..5 {
        let answer = server.call("codex_chat", &json!({"prompt": "[run exit 3]"}));
        assert_eq!(warnings(&answer), [""; 0], "{answer}");
    }
}

/// Newer models run commands and patches from scripts.
fn is_script_reported(release: Release) {
    let script = |source: &str| Item::custom("exec", source);
    let model = Model::start(does(vec![
        script("text(await tools.exec_command({cmd: 'touch one'}));"),
        script("const r = await tools.exec_command({cmd: 'touch two'}); text(r.output);"),
        script(
            "await tools.apply_patch('*** Begin Patch\\n*** Add File: new.txt\\n+a\\n*** End Patch');",
        ),
        // It is slow enough to be in the stream.
        script("text(await tools.exec_command({cmd: 'sleep 0.5; touch three'}));"),
        script("text(await tools.exec_command({cmd: 'exit 3'}));"),
    ]));
    let home = home(&model.url());
    let server = quick(&home, release);
    let ask = json!({"prompt": "Do it.", "sandbox": "read-only", "model": "gpt-5.6-sol"});
    let answer = server.call("codex_chat", &ask);
    let [warning] = warnings(&answer)[..] else { panic!("there is one warning: {answer:#}") };
    for part in ["blocked 3 commands and 1 patch", "the first: touch one"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let read = read(&server, &content(&answer)["session_id"]);
    let said: Vec<_> =
        read.iter().map(|entry| (text(entry, "type"), text(entry, "text"))).collect();
    let expected = [
        ("command", "touch one"),
        ("command", "touch two"),
        ("change", "add new.txt"),
        ("command", "sleep 0.5; touch three"),
        ("command", "exit 3"),
    ];
    assert_eq!(said, expected, "{read:#?}");
}

/// The commands and changes of a session, which are the same however they are read.
fn read(server: &Server, session: &Value) -> Vec<Value> {
    let page = |more: Value| {
        let mut query = json!({"session_id": session, "include": ["commands", "changes"]});
        query.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        content(&server.call("codex_session_read", &query)).clone()
    };
    let entries = |page: &Value| page["entries"].as_array().expect("a list").clone();
    let whole = page(json!({"limit": 200}));
    assert_eq!(whole["more"], false, "{whole}");
    let (mut forwards, mut at) = (Vec::new(), json!(0));
    loop {
        let next = page(json!({"limit": 1, "cursor": at}));
        forwards.extend(entries(&next));
        at = next["cursor"].clone();
        if next["more"] == false {
            break;
        }
    }
    assert_eq!(json!(forwards), whole["entries"]);
    let mut before = page(json!({"limit": 1, "from_end": true}));
    let mut backwards = entries(&before);
    while !before["before"].is_null() {
        before = page(json!({"limit": 1, "before": before["before"]}));
        backwards.splice(0..0, entries(&before));
    }
    assert_eq!(json!(backwards), whole["entries"]);
    let of = ["command", "change"];
    forwards.retain(|entry| of.contains(&text(entry, "type")));
    forwards
}

fn is_read(release: Release) {
    let (touch, outside) = outside();
    let model = Model::start(does(vec![
        Item::shell(&*touch),
        Item::shell("exit 3"),
        Item::patch(&outside),
        Item::shell("echo fine"),
        Item::patch("new.txt"),
        Item::shell(&*touch),
    ]));
    let home = home(&model.url());
    let server = quick(&home, release);
    let ask = json!({"prompt": "Do it.", "sandbox": "workspace-write"});
    let answer = server.call("codex_chat", &ask);
    let read = read(&server, &content(&answer)["session_id"]);
    let [first, failed, rejected, fine, made, last] = &read[..] else {
        panic!("there are six: {read:#?}")
    };
    for (command, said, code) in
        [(first, &*touch, 1), (failed, "exit 3", 3), (fine, "echo fine", 0), (last, &*touch, 1)]
    {
        assert_eq!(
            (text(command, "text"), &command["exit_code"]),
            (said, &json!(code)),
            "{read:#?}"
        );
    }
    assert_eq!(text(rejected, "text"), format!("add {outside}"));
    assert_eq!(text(rejected, "status"), "failed");
    assert!(text(rejected, "diff").contains("+hello"), "{rejected}");
    assert!(text(rejected, "output").contains("patch rejected"), "{rejected}");
    assert!(text(made, "text").ends_with("new.txt"), "{made}");
    assert_eq!(text(made, "status"), "completed");
}

fn is_counted(release: Release) {
    let (touch, outside) = outside();
    let touch = || Item::shell(&*touch);
    let model = Model::start(does(vec![
        touch(),
        touch(),
        touch(),
        Item::shell("exit 3"),
        Item::shell("echo fine"),
        Item::patch(&outside),
        Item::patch("link/outside"),
        Item::patch("new.txt"),
    ]));
    let home = home(&model.url());
    symlink(scratch(), home.project().join("link")).expect("the project is empty");
    let server = quick(&home, release);
    let job = start_with(&server, &json!({"prompt": "Do it.", "sandbox": "workspace-write"}));
    let id = text(&job, "job_id");
    let (_, cursor) = wait(&server, id, &job["notification_cursor"]);
    let ended = snapshot(&server, id);
    let counts = |job: &Value| {
        ["commands", "commands_failed", "files_changed"].map(|name| job[name].as_u64())
    };
    assert_eq!(counts(&ended), [Some(5), Some(4), Some(1)], "{ended:#}");
    let warning = ended["warnings"][0].as_str().expect("there is a warning");
    assert!(warning.contains("3 commands and 2 patches"), "{warning}");

    let query = json!({"job_id": id, "types": ["command_execution", "file_change"]});
    let (events, _) = pages(&server, &query, 0);
    let commands = events.iter().filter(|event| event["type"] == "command_execution");
    let mut codes: Vec<Option<i64>> = commands.map(|event| event["exit_code"].as_i64()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1, 1, 1, 3].map(Some), "{events:#?}");
    let touched = |event: &&Value| event["exit_code"] == 1;
    for event in events.iter().filter(touched) {
        assert_eq!(text(event, "text"), format!("touch {outside}"));
    }
    let patched = |path: &str| {
        let is_it =
            |event: &&Value| event["type"] == "file_change" && text(event, "text").ends_with(path);
        events.iter().find(is_it).unwrap_or_else(|| panic!("no {path} in {events:#?}"))
    };
    assert_eq!(patched(&outside)["status"], "failed");
    assert!(text(patched(&outside), "output").contains("patch rejected"), "{events:#?}");
    assert_eq!(patched("/link/outside")["status"], "failed");
    assert!(patched("new.txt")["status"].is_null(), "{events:#?}");

    // The same holds for a later turn of the session, whose record has the first one too.
    server.call("job_reply", &json!({"job_id": id, "prompt": "Do it again."}));
    wait(&server, id, &cursor);
    let ended = snapshot(&server, id);
    assert_eq!(counts(&ended), [Some(10), Some(8), Some(1)], "{ended:#}");
}

#[test]
fn following_a_job_shows_what_the_stream_leaves_out() {
    let (touch, outside) = outside();
    let model = Model::start(does(vec![Item::shell(&*touch), Item::patch(&outside)]));
    let home = home(&model.url());
    let server = quick(&home, Release::Newest);
    let job = start_with(&server, &json!({"prompt": "Do it.", "sandbox": "read-only"}));
    let id = text(&job, "job_id");
    wait(&server, id, &job["notification_cursor"]);
    let output = clean(&mut Command::new(PROGRAM), home.user())
        .args(["jobs", "follow", id])
        .env("CODEX_PERSISTENT_MCP_STATE_DIR", home.state())
        .output()
        .expect("the program can be started");
    let reported = String::from_utf8_lossy(&output.stderr);
    let edit = format!("✗ edit refused by the sandbox: {outside}");
    for part in [&*touch, &*edit, "1 command and 1 patch"] {
        assert!(reported.contains(part), "{part}: {reported}");
    }
    assert!(!reported.contains("Done"), "the reply is reported once: {reported}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Done\n");
}

#[test]
fn a_turn_that_fails_says_what_the_sandbox_refused() {
    let model = Model::start(|request| match request.has_tool_output() {
        false => Response::shell(outside().0),
        true => Response::failed("server_error", "no more"),
    });
    let home = home(&model.url());
    let server = quick(&home, Release::Newest);
    let ask = json!({"prompt": "Do it.", "sandbox": "read-only"});
    let answer = server.call("codex_chat", &ask);
    let text = error_text(&answer);
    assert!(text.starts_with("turn_failed: "), "{text}");
    assert!(text.contains("1 command, the first: touch "), "{text}");
    let job = start_with(&server, &ask);
    let id = self::text(&job, "job_id");
    wait(&server, id, &job["notification_cursor"]);
    let ended = snapshot(&server, id);
    assert_eq!(ended["commands_failed"], 1, "{ended:#}");
    assert!(ended["warnings"].to_string().contains("1 command"), "{ended:#}");
}

#[test]
fn a_turn_that_is_stopped_says_what_the_sandbox_refused() {
    let model = Model::start(|request| match request.has_tool_output() {
        false => Response::shell(outside().0),
        true => Response::hang(),
    });
    let home = home(&model.url());
    let server = quick(&home, Release::Newest);
    let job = start_with(&server, &json!({"prompt": "Do it.", "sandbox": "read-only"}));
    let id = text(&job, "job_id");
    model.wait_for(Request::has_tool_output);
    server.call("job_cancel", &json!({"job_id": id}));
    wait(&server, id, &job["notification_cursor"]);
    let ended = snapshot(&server, id);
    assert_eq!(ended["status"], "cancelled", "{ended:#}");
    assert_eq!(ended["commands_failed"], 1, "{ended:#}");
    assert!(ended["warnings"].to_string().contains("1 command"), "{ended:#}");
}

#[test]
fn the_warning_suggests_only_what_is_allowed() {
    const MAX_SANDBOX: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
    let (touch, _) = outside();
    let model = Model::start(does(vec![Item::shell(&*touch)]));
    let home = home(&model.url());
    let reported = |most: &str, tool: &str, ask: &Value| {
        let server = real_release(&home, Release::Newest).env(MAX_SANDBOX, most).start();
        let answer = server.call(tool, ask);
        let warnings = warnings(&answer);
        let reported = warnings.iter().find(|warning| warning.contains("1 command"));
        reported.unwrap_or_else(|| panic!("no refusal is reported: {answer:#}")).to_string()
    };
    let ask = |sandbox: &str| json!({"prompt": "Do it.", "sandbox": sandbox});
    let (full, write, read) = ("danger-full-access", "workspace-write", "read-only");
    // Without a sandbox in the call, the turn runs in Codex's own default.
    let default = json!({"prompt": "Do it."});
    for (most, ask, sandbox, has, has_not) in [
        (full, ask(read), read, "sandbox: \"workspace-write\"", MAX_SANDBOX),
        (write, default.clone(), read, "sandbox: \"workspace-write\"", MAX_SANDBOX),
        (read, default, read, MAX_SANDBOX, "send the prompt again"),
        (full, ask(write), write, "sandbox: \"danger-full-access\"", MAX_SANDBOX),
        (write, ask(write), write, MAX_SANDBOX, "sandbox:"),
    ] {
        let reported = reported(most, "codex_chat", &ask);
        assert!(
            reported.starts_with(&format!("The turn ran in the sandbox {sandbox}, ")),
            "{most}, {ask}: {reported}"
        );
        assert!(reported.contains(has) && !reported.contains(has_not), "{most}: {reported}");
    }
    // A guard changes nothing, so repeating it in another sandbox is not suggested.
    let reported = reported(full, "codex_guard_final", &json!({"change_summary": "It is done."}));
    assert!(reported.contains("read-only") && !reported.contains("again"), "{reported}");
}

#[test]
fn earlier_refusals_in_the_session_are_not_reported_again() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = quick(&home, Release::Newest);
    let touch = format!("[run touch {}]", home.path().join("outside").display());
    let first = server.call("codex_chat", &json!({"prompt": touch}));
    assert_eq!(warnings(&first).len(), 1, "{first}");
    let session = content(&first)["session_id"].clone();
    let ask = |prompt: &str, fork: bool| {
        let arguments = json!({"prompt": prompt, "session_id": session, "fork": fork});
        server.call("codex_chat", &arguments)
    };
    for fork in [true, false] {
        let next = ask("[run echo fine]", fork);
        assert_eq!(warnings(&next), [""; 0], "{next}");
        let again = ask(&touch, fork);
        let [warning] = warnings(&again)[..] else { panic!("there is one warning: {again}") };
        assert!(warning.contains("1 command"), "{warning}");
    }
}
