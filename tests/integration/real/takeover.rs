//! What an answer hands over: the command for a user in a fresh shell, pictures with any path, empty messages,
//! coloured lines.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::kit::jobs::{snapshot, wait};
use crate::kit::play::Stage;
use crate::kit::real::PICTURE;
use crate::kit::setup::{
    PROGRAM, content, field, home, real, real_release, resume_command, script,
};
use crate::support::client::Server;
use crate::support::model::{Model, Response, echo};
use crate::support::real_codex::{Release, install};

/// Runs a resume command with `exec` in place of the user, in a shell that has
/// only a home directory.
fn take_over(command: &str, user: &Path, dir: &Path) {
    let programs = user.join("bin");
    fs::create_dir_all(&programs).expect("the test's folder is writable");
    let codex = programs.join("codex");
    if !codex.exists() {
        std::os::unix::fs::symlink(&install().native, &codex).expect("it is new");
    }
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
    let prompt = user.join("prompt");
    fs::write(&prompt, "Mine now.").expect("the test's folder is writable");
    let exec = command.replace(" codex resume ", " codex exec --skip-git-repo-check resume ");
    let exec = exec
        .strip_prefix("codex resume ")
        .map_or(exec.clone(), |id| format!("codex exec --skip-git-repo-check resume {id}"));
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("{exec} -")])
        .env_clear()
        .env("HOME", user)
        .env("PATH", path)
        .current_dir(dir)
        .stdin(Stdio::from(fs::File::open(&prompt).expect("it was just written")))
        .output()
        .expect("a shell is on every Unix");
    assert!(output.status.success(), "{exec}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The command for a user, as a call and a job answer it.
fn commands(server: &Server, prompt: &str) -> [String; 2] {
    let chat = server.call("codex_chat", &json!({ "prompt": prompt }));
    let job = content(&server.call("job_start", &json!({ "prompt": prompt }))).clone();
    let id = job["job_id"].as_str().expect("an id");
    wait(server, id, &job["notification_cursor"]);
    let job = snapshot(server, id);
    [&content(&chat)["resume_command"], &job["resume_command"]]
        .map(|command| command.as_str().expect("a command").to_owned())
}

#[test]
fn a_user_takes_over_a_session_from_a_plain_shell() {
    let model = Model::start(echo);
    let home = home(&model.url());
    // A home with a name that a shell would split.
    let odd = home.project().with_file_name("it's a home");
    std::os::unix::fs::symlink(home.path(), &odd).expect("it is new");
    let server = real(&home).env("CODEX_HOME", &odd).start();
    let user = home.project().with_file_name("user");
    for command in commands(&server, "Remember seven.") {
        take_over(&command, &user, home.project());
        let asked = model.requests().pop().expect("the person asked");
        let texts = asked.user_texts();
        assert!(texts.last().is_some_and(|text| text.contains("Mine now.")), "{texts:?}");
        assert!(texts.iter().any(|text| text.contains("Remember seven.")), "{texts:?}");
    }
}

#[test]
fn the_usual_home_is_not_named() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let user = home.project().with_file_name("user");
    fs::create_dir_all(&user).expect("the test's folder is writable");
    std::os::unix::fs::symlink(home.path(), user.join(".codex")).expect("it is new");
    let named = real(&home).env("HOME", &user).start();
    let usual = real(&home).env("HOME", &user).env_remove("CODEX_HOME").start();
    for command in [commands(&named, "One."), commands(&usual, "Two.")].concat() {
        assert!(command.starts_with("codex resume "), "{command}");
        take_over(&command, &user, home.project());
    }
    let elsewhere = real(&home).env("HOME", home.project()).start();
    let answer = elsewhere.call("codex_chat", &json!({"prompt": "Three."}));
    let session = field(&answer, "session_id");
    assert_eq!(field(&answer, "resume_command"), resume_command(&home, session));
}

#[test]
fn an_empty_message_is_reported_as_none() {
    for release in Release::ALL {
        for empty in ["", " \n"] {
            let model = Model::start(move |_| Response::message(empty));
            let home = home(&model.url());
            let server = real_release(&home, release).start();
            let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
            let warnings = content(&answer)["warnings"].to_string();
            assert!(warnings.contains("without a message"), "{empty:?}: {answer}");
        }
    }
}

#[test]
fn pictures_are_seen_whatever_their_path() {
    let model = Model::start(echo);
    for release in Release::ALL {
        let home = home(&model.url());
        let folder = home.project().join("a, b");
        fs::create_dir(&folder).expect("it is new");
        let pictures = ["c,d.png", "e.png"].map(|name| folder.join(name));
        let plain = home.project().join("f.png");
        for picture in pictures.iter().chain([&plain]) {
            fs::write(picture, PICTURE).expect("the project is writable");
        }
        let server = real_release(&home, release).start();
        let [first, second] = &pictures;
        let seen = json!({"prompt": "look", "images": [first, plain, second]});
        content(&server.call("codex_chat", &seen));
        let asked = model.requests().pop().expect("it was asked");
        assert_eq!(asked.images().len(), 3, "{:?}", asked.images());
        assert!(!asked.last_user_text().contains("could not read"), "{release:?}");
        let left = fs::read_dir(home.state().join("scratch")).expect("it was used").count();
        assert_eq!(left, 0, "the names of one turn are left behind");
        assert!(first.exists(), "the picture itself stays");
    }
}

#[test]
fn coloured_lines_are_read() {
    let stage = Stage::new();
    let server = stage.server().start();
    let id = "0199a213-81c0-7800-8aa1-bbab2a035a53";
    let coloured =
        |event: Value| json!({"raw": format!("\u{1b}[0m\u{1b}[?2004h{event}\u{1b}[K\n")});
    let steps = json!([
        coloured(json!({"type": "thread.started", "thread_id": id})),
        coloured(
            json!({"type": "item.completed", "item": {"id": "a", "type": "agent_message", "text": "seen"}})
        ),
        coloured(
            json!({"type": "turn.completed", "usage": {"input_tokens": 1, "cached_input_tokens": 0, "output_tokens": 1}})
        ),
    ]);
    let prompt = json!({"prompt": script(&steps)});
    let answer = server.call("codex_chat", &prompt);
    assert_eq!((field(&answer, "session_id"), field(&answer, "reply")), (id, "seen"));
    // A job's events are recorded as JSON only.
    let job = content(&server.call("job_start", &prompt)).clone();
    let job_id = job["job_id"].as_str().expect("an id");
    wait(&server, job_id, &job["notification_cursor"]);
    let raw = server.call("job_events", &json!({"job_id": job_id, "raw": true}));
    assert!(raw.to_string().contains("seen"), "{raw}");
}

#[test]
fn a_record_that_cannot_be_written_is_a_warning() {
    let model = Model::start(echo);
    for release in Release::ALL {
        let home = home(&model.url());
        fs::write(home.path().join("sessions"), "").expect("it is new");
        let server = real_release(&home, release).start();
        let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
        let warnings = content(&answer)["warnings"].to_string();
        assert!(warnings.contains("could not write its record"), "{release:?}: {answer}");
    }
}

#[test]
fn a_model_that_is_not_reachable_by_websocket_is_a_warning_with_a_fix() {
    let model = Model::start(echo);
    for release in Release::ALL {
        let home = home(&model.url());
        home.append_config("model_providers.stand-in.supports_websockets = true");
        let server = real_release(&home, release).start();
        let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
        let warnings = content(&answer)["warnings"].to_string();
        assert!(warnings.contains("by WebSocket"), "{release:?}: {answer}");
        assert!(warnings.contains("supports_websockets = false"), "{release:?}: {answer}");
    }
}

#[test]
fn a_notice_of_codex_is_a_warning_with_a_fix() {
    let stage = Stage::new();
    let server = stage.server().start();
    let item = |item: Value| json!({"event": {"type": "item.completed", "item": item}});
    let call = json!({"id": "a", "type": "mcp_tool_call", "server": "files", "tool": "write",
        "arguments": {}, "result": null, "status": "failed",
        "error": {"message": "user cancelled MCP tool call"}});
    let fell_back = json!({"id": "b", "type": "error",
        "message": "Falling back from WebSockets to HTTPS transport. stream disconnected"});
    let fine = json!({"id": "c", "type": "mcp_tool_call", "server": "other", "tool": "read",
        "arguments": {}, "result": {}, "status": "completed", "error": null});
    let steps = json!([{"started": {}}, item(call.clone()), item(call), item(fell_back), item(fine), {"reply": "ok"}]);
    let answer = server.call("codex_chat", &json!({"prompt": script(&steps)}));
    let warnings = content(&answer)["warnings"].as_array().expect("there are some").clone();
    assert_eq!(warnings.len(), 2, "{answer}");
    let reported = json!(warnings).to_string();
    for part in [
        "write of its MCP server files",
        "default_tools_approval_mode",
        "supports_websockets = false",
    ] {
        assert!(reported.contains(part), "{part} is not in {reported}");
    }
}

#[test]
fn a_tool_that_nobody_could_approve_is_named() {
    let model = Model::start(|request| match request.has_tool_output() {
        true => Response::message("Done."),
        false => Response::call("mcp__inner/codex_chat", json!({"prompt": "hello"})),
    });
    for release in Release::ALL {
        let home = home(&model.url());
        home.append_config(&format!("mcp_servers.inner.command = {PROGRAM:?}"));
        let server = real_release(&home, release).start();
        let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
        let warnings = content(&answer)["warnings"].to_string();
        let named = "not allowed to call codex_chat of its MCP server inner";
        let said: Vec<_> = model.requests().iter().flat_map(|it| it.tool_outputs()).collect();
        assert!(warnings.contains(named), "{release:?}: {said:?}: {answer}");
    }
}
