//! The folders that the operator allows: what calls may name, and which sessions are in scope.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::kit::fenced::{
    DIRS, Fenced, SECRET, assert_outside, assert_refused, folder, link, resume_in, start_session,
};
use crate::kit::play::with;
use crate::kit::real::record;
use crate::kit::setup::{content, error_text, field, real};
use crate::kit::wait::WAIT;
use crate::support::client::Server;

/// The sessions in the list, sorted.
fn listed(server: &Server, query: &Value) -> Vec<String> {
    let answer = server.call("codex_sessions", query);
    assert!(!answer.to_string().contains(SECRET), "{answer}");
    let sessions = content(&answer)["sessions"].as_array().expect("a list").clone();
    let id = |session: &Value| session["session_id"].as_str().expect("an id").to_owned();
    let mut ids: Vec<String> = sessions.iter().map(id).collect();
    ids.sort_unstable();
    ids
}

/// Every way into a session is denied, whatever else a call names.
fn assert_denied(fenced: &Fenced, server: &Server, session: &str) {
    let before = record(&fenced.home, session).len();
    let asked = fenced.model.requests().len();
    assert_outside(
        &server.call("codex_session_read", &json!({"session_id": session})),
        "session_id",
    );
    let resume = json!({"prompt": "what was said?", "session_id": session});
    let inside = with(resume.clone(), "cwd", fenced.allowed.to_str());
    for arguments in [&resume, &inside] {
        for arguments in [arguments.clone(), with(arguments.clone(), "fork", true)] {
            assert_refused(server, &arguments, "session_id", DIRS);
            for tool in ["codex_chat", "job_start"] {
                assert_outside(&server.call(tool, &arguments), "session_id");
            }
        }
    }
    for (tool, mut guard) in [
        ("codex_guard_final", json!({"change_summary": "x"})),
        ("codex_guard_plan", json!({"requirements": "x", "plan": "x"})),
    ] {
        guard["session_id"] = session.into();
        assert_outside(&server.call(tool, &guard), "session_id");
        guard["cwd"] = fenced.allowed.to_str().into();
        assert_outside(&server.call(tool, &guard), "session_id");
    }
    assert_eq!(fenced.model.requests().len(), asked);
    assert_eq!(record(&fenced.home, session).len(), before);
}

#[test]
fn sessions_that_were_outside_are_not_listed_read_resumed_or_forked() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let (inside, outside) = (fenced.allowed.clone(), fenced.outside.clone());
    let stayed = start_session(&free, "hello", &inside.join("inner"));
    let through_a_link = start_session(&free, "hello", &outside.join("in"));

    let away = start_session(&free, SECRET, &outside);
    let through_a_link_out = start_session(&free, SECRET, &inside.join("out"));
    let came_in = start_session(&free, SECRET, &outside);
    resume_in(&free, &came_in, &inside, false);
    let went_out = start_session(&free, "hello", &inside);
    resume_in(&free, &went_out, &outside, false);
    let was_out = start_session(&free, "hello", &inside);
    resume_in(&free, &was_out, &outside, false);
    resume_in(&free, &was_out, &inside, false);
    let copy = resume_in(&free, &away, &inside, true);
    let copy_of_copy = resume_in(&free, &copy, &inside, true);

    let mut expected = vec![stayed.clone(), through_a_link.clone()];
    expected.sort_unstable();
    assert_eq!(listed(&server, &json!({})), expected);
    assert_eq!(
        listed(&server, &json!({"source": "tools", "cwd": inside.join("inner")})),
        [stayed.as_str()]
    );
    assert_eq!(listed(&server, &json!({"text": SECRET})), [""; 0]);
    assert!(!listed(&server, &json!({"cwd": inside})).contains(&was_out));
    let page = server.call("codex_sessions", &json!({"limit": 1}));
    let rest = json!({"limit": 1, "cursor": content(&page)["cursor"]});
    let rest = server.call("codex_sessions", &rest);
    assert_eq!(content(&rest)["more"], false, "no page is filled by what is outside: {rest}");
    for session in [&away, &through_a_link_out, &came_in, &went_out, &was_out, &copy, &copy_of_copy]
    {
        assert_denied(&fenced, &server, session);
    }
    for path in fenced.escapes() {
        assert_outside(&server.call("codex_sessions", &json!({"cwd": path})), "cwd");
    }
    for session in [&stayed, &through_a_link] {
        let read = server.call("codex_session_read", &json!({"session_id": session}));
        assert_eq!(content(&read)["entries"][0]["text"], "hello");
        resume_in(&server, session, &inside, true);
        resume_in(&server, session, &inside, false);
    }
    // Without the limit all are listed.
    for session in [&away, &copy_of_copy] {
        content(&free.call("codex_session_read", &json!({"session_id": session})));
    }
}

#[test]
fn the_last_session_of_a_folder_is_continued_only_if_it_was_never_outside() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let last = |cwd: &Path| json!({"prompt": "x", "continue_last": true, "cwd": cwd});
    let outside = start_session(&free, SECRET, &fenced.outside);
    for fork in [false, true] {
        let call = with(last(&fenced.outside), "fork", fork);
        assert_refused(&server, &call, "cwd", DIRS);
        let text = server.call("codex_chat", &call).to_string();
        assert!(!text.contains(&outside), "the id is not reported: {text}");
    }
    // Nor is it reported whether there is one.
    assert_refused(&server, &last(&folder(&fenced.home.project().join("empty"))), "cwd", DIRS);
    // It moves inside, and becomes the last one there.
    resume_in(&free, &outside, &fenced.allowed, false);
    for fork in [false, true] {
        let call = with(last(&fenced.allowed), "fork", fork);
        assert_refused(&server, &call, "continue_last", DIRS);
        for tool in ["codex_chat", "job_start"] {
            let text = server.call(tool, &call).to_string();
            assert!(!text.contains(&outside), "the id is not reported: {text}");
        }
    }
    // Nor by a server whose queue is full.
    let full = real(&fenced.home)
        .env(DIRS, &fenced.allowed)
        .env("CODEX_PERSISTENT_MCP_MAX_CONCURRENT", "1")
        .env("CODEX_PERSISTENT_MCP_MAX_QUEUED", "0")
        .start();
    let hang = json!({"prompt": "[hang]", "cwd": fenced.allowed.join("inner")});
    let running = free.begin_call("codex_chat", &hang);
    free.wait_progress(&running, |message| message.starts_with("session "));
    let refused = full.call("codex_chat", &last(&fenced.allowed));
    let text = error_text(&refused);
    assert!(text.starts_with("too_many_calls: ") && !text.contains(&outside), "{text}");
    free.cancel(&running);
    free.wait_no_descendants(WAIT).expect("Codex leaves");

    let own = start_session(&server, "hello", &fenced.allowed);
    let again = server.call("codex_chat", &last(&fenced.allowed));
    assert_eq!(field(&again, "session_id"), own);
}

#[test]
fn a_folder_that_is_gone_is_where_it_was_unless_a_link_took_its_place() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let gone = folder(&fenced.allowed.join("gone/deep"));
    let session = start_session(&server, "hello", &gone);
    let elsewhere = folder(&fenced.outside.join("gone"));
    let away = start_session(&free, SECRET, &elsewhere);
    let by_link = start_session(&free, SECRET, &fenced.allowed.join("out/gone"));
    fs::remove_dir_all(fenced.allowed.join("gone")).expect("it exists");
    fs::remove_dir_all(elsewhere).expect("it exists");
    assert_eq!(listed(&server, &json!({})), [session.as_str()]);
    content(&server.call("codex_session_read", &json!({"session_id": session})));
    for session in [&away, &by_link] {
        assert_denied(&fenced, &server, session);
    }
    // It can be resumed in another folder, and a job reports at once that it needs one.
    let resume = json!({"prompt": "x", "session_id": session});
    for tool in ["codex_chat", "job_start"] {
        let text = server.call(tool, &resume);
        assert!(error_text(&text).starts_with("bad_input: cwd "), "{tool}: {text}");
    }
    assert_eq!(fenced.jobs(), [""; 0]);
    resume_in(&server, &session, &fenced.allowed, false);
    // Links that lead out, to existing and to missing folders.
    for target in [fenced.outside.clone(), fenced.outside.join("nothing")] {
        let way = link(&target, fenced.allowed.join("gone"));
        assert_denied(&fenced, &server, &session);
        assert_eq!(listed(&server, &json!({})), [""; 0]);
        fs::remove_file(way).expect("it is a link");
    }
    assert_eq!(listed(&server, &json!({})), [session]);
}

#[test]
fn a_session_whose_folder_is_not_known_is_outside() {
    let fenced = Fenced::new();
    let server = fenced.server();
    let id = "01a219f8-54d5-7d90-8c3d-b3793741272d";
    let day = folder(&fenced.home.path().join("sessions/2026/11/26"));
    let path = day.join(format!("rollout-2026-11-26T22-27-14-{id}.jsonl"));
    let line = |kind: &str, payload: Value| {
        json!({"timestamp": "2026-11-26T22:27:14Z", "type": kind, "payload": payload}).to_string()
    };
    let said = line("event_msg", json!({"type": "user_message", "message": SECRET}));
    let meta = |more: Value| {
        let mut meta = json!({"id": id, "source": "cli"});
        for (name, value) in more.as_object().expect("an object") {
            meta[name] = value.clone();
        }
        line("session_meta", meta)
    };
    let unknown = "01a219f8-54d5-7d90-8c3d-000000000000";
    for (what, meta) in [
        ("no folder", meta(json!({}))),
        ("no path", meta(json!({"cwd": 7}))),
        ("a relative path", meta(json!({"cwd": "allowed"}))),
        ("a way back", meta(json!({"cwd": fenced.allowed.join("nothing/../../outside")}))),
        ("too long a line", meta(json!({"cwd": fenced.allowed, "x": "x".repeat(3 << 20)}))),
        ("a lost original", meta(json!({"cwd": fenced.allowed, "forked_from_id": unknown}))),
        ("a lost parent", meta(json!({"cwd": fenced.allowed, "parent_thread_id": unknown}))),
        ("no meta", line("x", json!({}))),
    ] {
        fs::write(&path, format!("{meta}\n{said}\n")).expect("writable");
        let read = server.call("codex_session_read", &json!({"session_id": id}));
        assert_eq!(read["isError"], true, "{what}: {read}");
        assert_outside(&read, "session_id");
        assert_eq!(listed(&server, &json!({})), [""; 0], "{what}");
        let resume = json!({"prompt": "x", "session_id": id, "cwd": fenced.allowed});
        assert_refused(&server, &resume, "session_id", DIRS);
        fs::remove_file(&path).expect("just written");
    }
    let plain = meta(json!({"cwd": fenced.allowed}));
    fs::write(&path, format!("{plain}\n{said}\n")).expect("writable");
    let read = server.call("codex_session_read", &json!({"session_id": id}));
    assert_eq!(content(&read)["entries"][0]["text"], SECRET, "else it is read");
    // A session without a record is not resumed: Codex may know it nevertheless.
    let resume = json!({"prompt": "x", "session_id": unknown, "cwd": fenced.allowed});
    assert_refused(&server, &resume, "session_id", DIRS);
    let read = server.call("codex_session_read", &json!({"session_id": unknown}));
    assert!(error_text(&read).starts_with("session_not_found: "), "{read}");
}

#[test]
fn a_session_that_moves_outside_is_out_of_scope_from_then_on() {
    let fenced = Fenced::new();
    let (free, server) = (fenced.free(), fenced.server());
    let session = start_session(&server, "hello", &fenced.allowed);
    let read = json!({"session_id": session});
    content(&server.call("codex_session_read", &read));
    assert_eq!(listed(&server, &json!({})), [session.as_str()]);
    resume_in(&server, &session, &fenced.allowed, false);
    resume_in(&free, &session, &fenced.outside, false);
    assert_denied(&fenced, &server, &session);
    assert_eq!(listed(&server, &json!({})), [""; 0]);
}

#[test]
fn links_and_dots_lead_out_of_no_allowed_folder() {
    let fenced = Fenced::new();
    let server = fenced.server();
    for sandbox in ["read-only", "workspace-write"] {
        let hello = json!({"prompt": "hello", "sandbox": sandbox, "cwd": fenced.allowed});
        for path in fenced.escapes() {
            let path = path.to_str().expect("test paths are text");
            assert_refused(&server, &with(hello.clone(), "cwd", path), "cwd", DIRS);
            assert_refused(&server, &with(hello.clone(), "add_dirs", vec![path]), "add_dirs", DIRS);
        }
        for image in [
            fenced.outside.join("a.png"),
            fenced.allowed.join("b.png"),
            fenced.allowed.join("out/a.png"),
            fenced.allowed.join("../outside/a.png"),
        ] {
            let images = vec![image.to_str()];
            assert_refused(&server, &with(hello.clone(), "images", images), "images", DIRS);
        }
    }
    // The server's own folder is not allowed either.
    assert_refused(&server, &json!({"prompt": "hello"}), "cwd", DIRS);
    for tool in ["codex_guard_final", "codex_guard_plan"] {
        let guard = match tool {
            "codex_guard_final" => json!({"change_summary": "x"}),
            _ => json!({"requirements": "x", "plan": "x"}),
        };
        for arguments in [guard.clone(), with(guard, "cwd", fenced.allowed.join("out").to_str())] {
            assert_outside(&server.call(tool, &arguments), "cwd");
        }
    }
    assert!(fenced.model.requests().is_empty());
    assert_eq!(fenced.jobs(), [""; 0]);
    // What is inside is allowed, however its path is written.
    for path in [
        fenced.allowed.clone(),
        fenced.allowed.join("inner"),
        fenced.outside.join("in"),
        fenced.allowed.join("out/in/inner/.."),
    ] {
        let arguments = json!({
            "prompt": "hello", "cwd": path, "sandbox": "workspace-write", "add_dirs": [path],
            "images": [fenced.allowed.join("a.png"), fenced.outside.join("b.png")],
        });
        let answer = server.call("codex_chat", &arguments);
        let cwd = Path::new(field(&answer, "cwd"));
        assert_eq!(cwd, path.canonicalize().expect("it exists"), "the cwd has no links");
    }
}

#[test]
fn a_session_whose_folder_became_a_link_is_where_that_leads() {
    let fenced = Fenced::new();
    let server = fenced.server();
    let moved = folder(&fenced.allowed.join("moved"));
    let session = start_session(&server, "hello", &moved);
    let touch = json!({"prompt": "[run touch pwned]", "session_id": session});
    content(&server.call("codex_chat", &touch));
    fs::remove_file(moved.join("pwned")).expect("it was allowed there");
    fs::remove_dir(&moved).expect("it is empty");
    link(&fenced.outside, moved);
    assert_refused(&server, &touch, "session_id", DIRS);
    assert_denied(&fenced, &server, &session);
    assert!(!fenced.outside.join("pwned").exists());
}
