//! What a turn answers, in the structure and in the text beside it: changed files, refused edits, and errors.

use std::fs;

use serde_json::{Value, json};

use crate::kit::jobs::meta;
use crate::kit::setup::{assert_structure_agrees, content, home, real, real_release};
use crate::kit::wait::wait_until;
use crate::support::client::{Server, result};
use crate::support::model::{Item, Model, Request, Response, echo};
use crate::support::real_codex::{Home, Release};

macro_rules! releases {
    ($($name:ident: $release:expr;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn an_answer_lists_the_files_that_codex_edited() {
                lists_edited_files($release);
            }

            #[test]
            fn an_edit_that_the_sandbox_refused_is_told_in_the_structure_and_in_the_text() {
                tells_a_refused_edit($release);
            }

            #[test]
            fn a_file_that_a_script_patched_is_listed_once() {
                lists_a_script_s_patch($release);
            }

            #[test]
            fn an_error_lists_the_files_that_were_changed_before_it() {
                lists_files_in_an_error($release);
            }
        }
    )+};
}

releases! {
    newest: Release::Newest;
    v0_169: Release::V0_169;
    v0_153: Release::V0_153;
}

/// A model that makes these calls, one after the other, and then answers this.
fn does(
    items: Vec<Item>,
    then: fn() -> Response,
) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    move |request| match items.get(request.tool_outputs().len()) {
        Some(item) => Response::items(vec![item.clone()]),
        None => then(),
    }
}

fn done() -> Response {
    Response::message("Done.")
}

fn broken() -> Response {
    let error = json!({"error": {"message": "it broke", "type": "some_error"}});
    Response::status(400, error)
}

fn text(answer: &Value) -> &str {
    answer["content"][0]["text"].as_str().expect("there is a text block")
}

fn session(answer: &Value) -> &str {
    answer["structuredContent"]["session_id"].as_str().expect("there is a session")
}

fn update(path: &str) -> Item {
    let patch = format!(
        "*** Begin Patch\n*** Update File: {path}\n@@\n-hello\n+hello again\n*** End Patch\n"
    );
    Item::custom("apply_patch", patch)
}

/// A server whose client calls itself that.
fn server_of(home: &Home, client: &str) -> Server {
    let server = real(home).spawn();
    let parameters = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": client, "version": "1"},
    });
    result(server.request("initialize", &parameters));
    server.notify("notifications/initialized", &json!({}));
    server
}

fn lists_edited_files(release: Release) {
    let outside = crate::kit::setup::scratch().join(format!("more-{}", std::process::id()));
    let outside = outside.join(format!("{release:?}"));
    fs::create_dir_all(&outside).expect("writable");
    let elsewhere = outside.join("c.txt").display().to_string();
    let edit = does(
        vec![
            Item::patch("a.txt"),
            Item::patch("sub/b.txt"),
            update("a.txt"),
            Item::patch(&elsewhere),
            // It does not apply.
            update("missing.txt"),
            Item::shell("touch by-a-command.txt"),
        ],
        done,
    );
    let model = Model::start(move |request| match request.last_user_text().contains("And now?") {
        true => done(),
        false => edit(request),
    });
    let home = home(&model.url());
    let server = real_release(&home, release).start();
    let ask = json!({
        "prompt": "Edit.", "sandbox": "workspace-write", "options": {"add_dirs": [outside]},
    });
    let answer = server.call("codex_chat", &ask);
    let expected = json!(["a.txt", "sub/b.txt", elsewhere]);
    assert_eq!(content(&answer)["files_changed"], expected, "{answer:#}");
    assert!(home.project().join("by-a-command.txt").exists(), "{answer:#}");
    let line = format!(
        "Done.\n\n[session_id {} · files changed: a.txt, sub/b.txt, {elsewhere}",
        session(&answer)
    );
    assert!(text(&answer).starts_with(&line), "{}", text(&answer));

    // The next turn may still write.
    let again = json!({"prompt": "And now?", "session_id": session(&answer)});
    let again = server.call("codex_chat", &again);
    assert_eq!(content(&again)["files_changed"], json!([]), "{again:#}");
    assert_eq!(
        text(&again),
        format!("Done.\n\n[session_id {} · no files changed]", session(&again))
    );
}

fn tells_a_refused_edit(release: Release) {
    let model = Model::start(does(vec![Item::patch("a.txt")], done));
    let home = home(&model.url());
    let server = real_release(&home, release).start();
    let ask = json!({"prompt": "Edit.", "sandbox": "read-only"});
    let answer = server.call("codex_chat", &ask);
    let structure = content(&answer);
    assert!(structure["files_changed"].is_null(), "{answer:#}");
    let warning = structure["warnings"][0].as_str().expect("there is a warning");
    for told in [warning, text(&answer)] {
        for part in ["blocked 1 patch", "a.txt", "sandbox: \"workspace-write\""] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    let line = format!("[session_id {} · warning: {warning}]", session(&answer));
    assert_eq!(text(&answer), format!("Done.\n\n{line}"));
    assert!(!home.project().join("a.txt").exists());
}

fn lists_a_script_s_patch(release: Release) {
    let script = "text(await tools.apply_patch('*** Begin Patch\\n*** Add File: a.txt\\n+a\\n*** \
                  End Patch'));";
    let model = Model::start(does(vec![Item::custom("exec", script)], done));
    let home = home(&model.url());
    let server = real_release(&home, release).start();
    let ask = json!({"prompt": "Edit.", "sandbox": "workspace-write", "model": "gpt-5.6-sol"});
    let answer = server.call("codex_chat", &ask);
    assert_eq!(content(&answer)["files_changed"], json!(["a.txt"]), "{answer:#}");
}

fn lists_files_in_an_error(release: Release) {
    let model = Model::start(does(vec![Item::patch("a.txt")], broken));
    let home = home(&model.url());
    let server = real_release(&home, release).start();
    let ask = json!({"prompt": "Edit.", "sandbox": "workspace-write"});
    let answer = server.call("codex_chat", &ask);
    assert_eq!(answer["isError"], true, "{answer:#}");
    assert!(text(&answer).starts_with("turn_failed: "), "{}", text(&answer));
    assert!(text(&answer).contains("\nFiles changed: a.txt\n"), "{}", text(&answer));
    let structure = &answer["structuredContent"];
    assert_eq!(structure["error"]["kind"], "turn_failed", "{answer:#}");
    assert_eq!(structure["files_changed"], json!(["a.txt"]), "{answer:#}");
    assert_eq!(structure["cwd"], home.project().to_str().expect("UTF-8"), "{answer:#}");
    assert_structure_agrees(&answer, text(&answer));
}

#[test]
fn a_turn_that_may_only_read_has_no_list_of_changed_files() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let answer = server.call("codex_chat", &json!({"prompt": "hello", "sandbox": "read-only"}));
    assert!(content(&answer).get("files_changed").is_none(), "{answer:#}");
    let end = format!("\n\n[session_id {}]", session(&answer));
    assert!(text(&answer).ends_with(&end), "{}", text(&answer));
}

#[test]
fn an_answer_has_no_field_twice() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    let first = content(&answer);
    assert_eq!(first["cwd"], home.project().to_str().expect("UTF-8"));
    assert!(first["effective"]["sandbox"].is_string(), "{first}");
    for twice in [&first["effective"]["cwd"], &first["session_usage"]] {
        assert!(twice.is_null(), "{first}");
    }
    // From the second turn on, the session has more tokens than the turn.
    let again = json!({"prompt": "hello", "session_id": session(&answer)});
    let again = server.call("codex_chat", &again);
    let tokens = |name: &str| content(&again)[name]["input_tokens"].as_u64();
    assert!(tokens("session_usage") > tokens("usage"), "{again:#}");
}

#[test]
fn the_text_of_a_review_begins_with_its_verdict_and_has_all_findings() {
    let finding = json!({
        "severity": "major", "title": "A race", "where": "a.rs:1", "why": "Two write.",
        "suggestion": "Lock it.",
    });
    let review = json!({"review": "Bad work.", "verdict": "revise", "findings": [finding]});
    let model = Model::start(move |_| Response::message(review.to_string()));
    let home = home(&model.url());
    let server = real(&home).start();
    let answer = server.call("codex_guard_final", &json!({"change_summary": "hello"}));
    assert_eq!(
        text(&answer),
        format!(
            "Verdict: revise\n\nBad work.\n\nFindings:\n- major: A race (a.rs:1). Two write. Lock it\n\n\
             [session_id {}]",
            session(&answer)
        )
    );
}

#[test]
fn only_clients_that_lose_nothing_get_structured_errors() {
    let home = home("http://127.0.0.1:9/v1");
    for (client, is_structured) in [
        ("my-program", true),
        ("claude-code", false),
        ("codex-mcp-client", false),
        ("Cline", false),
        ("Roo Code", false),
    ] {
        let answer = server_of(&home, client).call("codex_chat", &json!({"prompt": " "}));
        assert!(text(&answer).starts_with("bad_input: prompt "), "{answer:#}");
        assert_eq!(answer["structuredContent"].is_object(), is_structured, "{client}: {answer:#}");
        assert_structure_agrees(&answer, text(&answer));
    }
}

#[test]
fn a_task_that_failed_tells_the_same_as_a_call() {
    let model = Model::start(does(vec![Item::patch("a.txt")], broken));
    let home = home(&model.url());
    let server = real(&home).spawn();
    let arguments = json!({"prompt": "Edit.", "sandbox": "workspace-write"});
    let call = json!({"name": "codex_chat", "arguments": arguments, "_meta": meta(true)});
    let task = result(server.request("tools/call", &call));
    let answer = &match task["taskId"].as_str() {
        Some(id) => {
            let get = || {
                let about = json!({"taskId": id, "inputResponses": {}, "_meta": meta(true)});
                result(server.request("tasks/get", &about))
            };
            wait_until("the end", || get()["status"] == "completed");
            get()["result"].clone()
        }
        // It was quick, so this is the answer already.
        None => task.clone(),
    };
    let id = answer["structuredContent"]["job_id"].as_str().expect("a job ran it");
    assert_eq!(answer["isError"], true, "{answer:#}");
    assert!(text(answer).starts_with("turn_failed: "), "{}", text(answer));
    assert!(text(answer).contains("\nFiles changed: a.txt\n"), "{}", text(answer));
    assert!(text(answer).contains(&format!("\njob_id: {id}\n")), "{}", text(answer));
    let structure = &answer["structuredContent"];
    assert_eq!(structure["error"]["kind"], "turn_failed", "{answer:#}");
    assert_eq!(structure["files_changed"], json!(["a.txt"]), "{answer:#}");
    assert_structure_agrees(answer, text(answer));
}
