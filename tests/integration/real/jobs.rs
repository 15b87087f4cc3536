//! Jobs of the real Codex: what they outlive, and how they are continued and stopped.

use std::fs;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::kit::jobs::{
    assert_nothing_left, gate, reply, runner, snapshot, start, start_blocked, text, wait,
    wait_started,
};
use crate::kit::real::{obey, record};
use crate::kit::setup::{content, error_text, field, home, real, resume_command};
use crate::kit::wait::{WAIT, wait_until};
use crate::support::model::Model;

#[test]
fn a_job_outlives_its_killed_server_and_is_waited_for_read_and_answered_from_another() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let first = real(&home).start();
    let (path, prompt) = gate(&home, "gate");
    let job = start(&first, &prompt);
    assert_eq!(job["status"], "running", "{job}");
    let (id, session) = (text(&job, "job_id"), text(&job, "session_id"));
    assert_eq!(text(&job, "resume_command"), resume_command(&home, session));
    wait_started(&path);
    first.kill();
    first.wait_exit(WAIT);

    let second = real(&home).start();
    assert_eq!(snapshot(&second, id)["status"], "running");
    let listed = second.call("job_list", &json!({}));
    assert_eq!(content(&listed)["jobs"][0]["job_id"], id);
    fs::write(&path, "").expect("writable");
    let (reported, cursor) = wait(&second, id, &job["notification_cursor"]);
    assert_eq!(text(&reported, "status"), "completed");
    assert!(text(&reported, "result").trim_end().ends_with("opened"), "{reported}");
    let events = second.call("job_events", &json!({"job_id": id, "types": ["command_execution"]}));
    let events = content(&events)["events"].as_array().expect("a list").clone();
    assert_eq!(events.len(), 1, "no event is lost or doubled: {events:?}");
    assert!(text(&events[0], "output").contains("opened"), "{events:?}");

    second.call("job_reply", &json!({"job_id": id, "prompt": "and now?"}));
    let (reported, _) = wait(&second, id, &cursor);
    assert!(text(&reported, "result").contains("\nand now?\n"), "{reported}");
    let job = snapshot(&second, id);
    assert_eq!((&job["turns"], text(&job, "session_id")), (&json!(2), session));
    assert_nothing_left(&home, &first);
    assert_nothing_left(&home, &second);
}

#[test]
fn a_job_is_cancelled_from_another_server_and_can_be_continued() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let first = real(&home).start();
    let job = start_blocked(&home, &first);
    let id = text(&job, "job_id");
    let second = real(&home).start();
    let cancelled = second.call("job_cancel", &json!({"job_id": id}));
    assert_eq!(field(&cancelled, "status"), "cancelled");
    assert_eq!(content(&cancelled)["error"]["kind"], "cancelled");
    // Both servers may report it, repeatedly.
    assert_eq!(field(&first.call("job_cancel", &json!({"job_id": id})), "status"), "cancelled");
    let session = text(&job, "session_id");
    let aborted = record(&home, session);
    assert!(aborted.iter().any(|line| line.to_string().contains("turn_aborted")));
    assert_nothing_left(&home, &first);
    let answer = reply(&first, id, "go on");
    let (reported, _) = wait(&first, id, &answer["notification_cursor"]);
    assert!(text(&reported, "result").contains("\ngo on\n"), "{reported}");
}

#[test]
fn a_reply_that_interrupts_is_next_and_the_session_remembers_the_interruption() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = start_blocked(&home, &server);
    let id = text(&job, "job_id");
    server.call("job_reply", &json!({"job_id": id, "prompt": "wait your turn"}));
    let hurry = json!({"job_id": id, "prompt": "this first", "interrupt": true});
    server.call("job_reply", &hurry);
    let (reported, cursor) = wait(&server, id, &job["notification_cursor"]);
    assert!(text(&reported, "result").contains("\nthis first\n"), "{reported}");
    let (reported, _) = wait(&server, id, &cursor);
    assert!(text(&reported, "result").contains("\nwait your turn\n"), "{reported}");
    let lines = record(&home, text(&job, "session_id"));
    let all: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let at = |what: &str| all.find(what).unwrap_or_else(|| panic!("no {what} in {all}"));
    assert!(at("turn_aborted") < at("this first") && at("this first") < at("wait your turn"));
    let job = snapshot(&server, id);
    assert_eq!((text(&job, "status"), &job["turns"]), ("completed", &json!(3)));
    assert_nothing_left(&home, &server);
}

#[test]
fn a_job_whose_process_is_gone_is_interrupted_and_reported_once() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = start_blocked(&home, &server);
    let id = text(&job, "job_id");
    kill(runner(&home, id), Signal::SIGKILL).expect("it runs");
    let (reported, cursor) = wait(&server, id, &job["notification_cursor"]);
    assert_eq!((text(&reported, "status"), text(&reported, "job_id")), ("interrupted", id));
    let second = real(&home).start();
    let job = snapshot(&second, id);
    assert_eq!(
        (text(&job, "status"), &job["error"]["kind"]),
        ("interrupted", &json!("interrupted"))
    );
    assert!(text(&job, "resume_command").contains(" codex resume "));
    let again = second.call("job_notifications", &json!({"job_ids": [id]}));
    assert_eq!(content(&again)["cursor"], cursor, "it is reported once: {again}");
    assert_nothing_left(&home, &server);
    let answer = reply(&second, id, "go on");
    let (reported, _) = wait(&second, id, &answer["notification_cursor"]);
    assert!(text(&reported, "result").contains("\ngo on\n"), "{reported}");
}

#[test]
fn a_job_is_interrupted_after_a_reboot() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = start_blocked(&home, &server);
    let id = text(&job, "job_id");
    kill(runner(&home, id), Signal::SIGKILL).expect("it runs");
    wait_until("Codex to be gone", || {
        server.descendants().expect("Linux lists processes").is_empty()
    });
    // After a reboot another process has its id: this one, with another start time.
    let file = home.state().join("jobs").join(id).join("state.json");
    let mut state: Value =
        serde_json::from_slice(&fs::read(&file).expect("readable")).expect("JSON");
    state["runner"]["pid"] = std::process::id().into();
    fs::write(&file, state.to_string()).expect("writable");
    assert_eq!(snapshot(&server, id)["status"], "interrupted");
}

#[test]
fn a_wrong_id_cursor_or_limit_is_reported_by_name() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = start(&server, "hello");
    let id = text(&job, "job_id");
    wait(&server, id, &job["notification_cursor"]);
    let nobody = "01900000-0000-7000-8000-000000000000";
    for (tool, arguments, named) in [
        ("job_start", json!({}), "prompt"),
        ("job_start", json!({"prompt": "x", "label": "x".repeat(201)}), "label"),
        ("job_start", json!({"prompt": "x", "cwd": "relative"}), "cwd"),
        ("job_events", json!({"job_id": "7"}), "job_id"),
        ("job_events", json!({"job_id": nobody}), nobody),
        ("job_events", json!({"job_id": id, "cursor": 1_000_000}), "cursor"),
        ("job_events", json!({"job_id": id, "cursor": -1}), "cursor"),
        ("job_events", json!({"job_id": id, "limit": 0}), "limit"),
        ("job_events", json!({"job_id": id, "limit": 201}), "limit"),
        ("job_events", json!({"job_id": id, "types": "error"}), "types"),
        ("job_events", json!({"job_id": id, "truncate": -1}), "truncate"),
        ("job_events", json!({"job_id": id, "raw": "yes"}), "raw"),
        ("job_reply", json!({"job_id": id}), "prompt"),
        ("job_reply", json!({"job_id": nobody, "prompt": "x"}), nobody),
        ("job_cancel", json!({"job_id": nobody}), nobody),
        ("job_wait", json!({"cursor": 1_000_000}), "cursor"),
        ("job_wait", json!({"job_ids": [nobody]}), nobody),
        ("job_wait", json!({"timeout_ms": 280_001}), "timeout_ms"),
        ("job_notifications", json!({"job_ids": ["x"]}), "job_ids"),
        ("job_list", json!({"status": "done"}), "status"),
        ("job_list", json!({"limit": 0}), "limit"),
        ("job_list", json!({"colour": "red"}), "colour"),
    ] {
        let answer = server.call(tool, &arguments);
        let error = error_text(&answer);
        assert!(
            error.contains(named) && error.contains("\n\nNext: "),
            "{tool} {arguments}: {error}"
        );
    }
    let none = server.call("job_wait", &json!({"cursor": 1, "timeout_ms": 1}));
    assert_eq!(content(&none)["notifications"], json!([]), "no error at the end of the time");
}

#[test]
fn a_record_that_is_cut_at_any_byte_of_its_last_entries_is_read() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = start(&server, "hello");
    let id = text(&job, "job_id");
    wait(&server, id, &job["notification_cursor"]);
    assert_nothing_left(&home, &server);
    let folder = home.state().join("jobs").join(id);
    let (log, state) = (folder.join("events.jsonl"), folder.join("state.json"));
    let (whole, saved) = (fs::read(&log).expect("a log"), fs::read(&state).expect("a state"));
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    let kept = |events: &Value| {
        let cursors = events.as_array().expect("a list").iter();
        cursors.map(|event| event["cursor"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    let events = json!({"job_id": id, "raw": true, "limit": 200});
    for length in whole.len() - 900..=whole.len() {
        for with_state in [true, false] {
            fs::write(&log, &whole[..length]).expect("writable");
            if with_state {
                fs::write(&state, &saved).expect("writable");
            } else {
                fs::remove_file(&state).expect("it exists");
            }
            let answer = server.call("job_events", &events);
            let answer = content(&answer);
            let cursors = kept(&answer["events"]);
            let expected: Vec<u64> = (1..=lines(&whole[..length]) as u64).collect();
            assert!(cursors.starts_with(&expected), "{length} bytes: {answer}");
            let ended = ["completed", "interrupted"];
            assert!(ended.contains(&text(&answer["job"], "status")), "{length} bytes: {answer}");
            assert_eq!(text(&answer["job"], "job_id"), id);
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_the_job_starts() {
    let model = Model::start(obey);
    let home = home(&model.url());
    fs::write(home.state(), "not a folder").expect("writable");
    let server = real(&home).start();
    let answer = server.call("job_start", &json!({"prompt": "hello"}));
    let error = error_text(&answer);
    assert!(error.starts_with("storage: ") && error.contains("Nothing was started"), "{error}");
    assert!(error.contains("CODEX_PERSISTENT_MCP_STATE_DIR"), "{error}");
    assert!(
        field(&server.call("codex_chat", &json!({"prompt": "hello"})), "reply").contains("hello")
    );
}

#[test]
fn files_on_the_disk_are_readable_only_by_their_owner() {
    use std::os::unix::fs::PermissionsExt;

    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let job = start(&server, "hello");
    wait(&server, text(&job, "job_id"), &job["notification_cursor"]);
    assert_nothing_left(&home, &server);
    let mut paths = vec![home.state().to_owned()];
    let mut files = 0;
    while let Some(path) = paths.pop() {
        let metadata = path.symlink_metadata().expect("nothing runs that could remove it");
        if metadata.is_symlink() {
            continue;
        }
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "{}", path.display());
        if metadata.is_dir() {
            paths
                .extend(fs::read_dir(&path).expect("readable").flatten().map(|entry| entry.path()));
        } else {
            files += 1;
        }
    }
    assert!(files >= 4, "a job has files");
}
