//! Which jobs are removed, when, and what remains of them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::kit::cli::parsed;
use crate::kit::jobs::{
    assert_nothing_left, folder, notifications_of, pages, reply, start_with, text, wait,
    wait_notifications,
};
use crate::kit::play::{Stage, result_of, steps, steps_in, turn};
use crate::kit::setup::{content, error_text, script};
use crate::kit::wait::{WAIT, wait_until};
use crate::scripted::commands::run;
use crate::support::client::{Builder, Server};

const KEEP_HOURS: &str = "CODEX_PERSISTENT_MCP_JOB_KEEP_HOURS";
const KEEP_MB: &str = "CODEX_PERSISTENT_MCP_JOB_KEEP_MB";

/// How often a race is repeated: an error in one shows only sometimes.
const ROUNDS: usize = 12;

/// A job that has ended, and whose process is gone.
fn ended(stage: &Stage, server: &Server, arguments: &Value) -> String {
    let job = start_with(server, arguments);
    let id = text(&job, "job_id");
    wait(server, id, &job["notification_cursor"]);
    assert_nothing_left(&stage.home, server);
    id.to_owned()
}

/// Jobs that must be kept: one that runs its second turn until `go-on` exists, and one that waits
/// for the same session.
struct Unfinished {
    server: Server,
    running: String,
    queued: String,
    /// The notification of the first turn.
    reported: Vec<Value>,
}

impl Unfinished {
    fn new(stage: &Stage) -> Self {
        let server = stage.server().start();
        let job = start_with(&server, &json!({"prompt": "hello"}));
        let running = text(&job, "job_id").to_owned();
        let reported = wait_notifications(&server, &running, 1);
        reply(&server, &running, &script(&turn("on")));
        stage.wait_for("began-on");
        let session = text(&job, "session_id");
        let queued = start_with(&server, &steps_in(session, &json!([{"reply": "at last"}])));
        assert_eq!(text(&queued, "status"), "queued", "{queued}");
        Self { running, queued: text(&queued, "job_id").to_owned(), reported, server }
    }

    /// Expects all jobs but these and one that ended to be gone, and these to be whole.
    fn are_left(&self, with: Option<&str>) {
        let listed = self.server.call("job_list", &json!({}));
        let listed = content(&listed)["jobs"].as_array().expect("a list");
        let listed: Vec<[&str; 2]> =
            listed.iter().map(|job| [text(job, "job_id"), text(job, "status")]).collect();
        let mut left: Vec<[&str; 2]> = with.map(|job| [job, "completed"]).into_iter().collect();
        left.extend([[&*self.queued, "queued"], [&*self.running, "running"]]);
        assert_eq!(listed, left);
        assert_eq!(
            notifications_of(&self.server, &self.running),
            self.reported,
            "with the same cursors"
        );
    }

    /// Expects them to end as usual, with higher cursors than all notifications before.
    fn end(self, stage: &Stage, last_cursor: &Value) {
        stage.release("go-on");
        let [running, queued] = [(&self.running, 2), (&self.queued, 1)].map(|(job, count)| {
            wait_notifications(&self.server, job, count).pop().expect("that many notifications")
        });
        assert_eq!((text(&running, "result"), text(&queued, "result")), ("on", "at last"));
        let number = |cursor: &Value| cursor.as_u64().expect("a number");
        assert!(number(last_cursor) < number(&running["cursor"]), "{last_cursor} and {running}");
        let (events, last) = pages(&self.server, &json!({"job_id": self.running, "raw": true}), 0);
        assert_eq!(events.len() as u64, last, "no event is lost");
        assert_nothing_left(&stage.home, &self.server);
    }
}

/// The cursor of the last notification.
fn last_cursor(server: &Server) -> Value {
    content(&server.call("job_notifications", &json!({})))["cursor"].clone()
}

/// Expects no tool to find the job.
fn is_not_found(server: &Server, job: &str) {
    for (tool, arguments) in [
        ("job_events", json!({"job_id": job})),
        ("job_reply", json!({"job_id": job, "prompt": "go on"})),
        ("job_cancel", json!({"job_id": job})),
        ("job_wait", json!({"job_ids": [job]})),
    ] {
        let answer = server.call(tool, &arguments);
        let error = error_text(&answer);
        assert!(error.starts_with("job_not_found: ") && error.contains(job), "{tool}: {error}");
        assert!(error.contains("\n\nNext: "), "{tool}: {error}");
    }
}

/// Ends a job of a server that keeps none, which removes all others that have ended.
fn removed_by_the_next_end(setting: fn(Builder) -> Builder) {
    let stage = Stage::new();
    let unfinished = Unfinished::new(&stage);
    let server = stage.server().start();
    let jobs = ["one", "two"].map(|name| ended(&stage, &server, &json!({"prompt": name})));
    let last = last_cursor(&server);
    let keeps_nothing = setting(stage.server()).start();
    let next = start_with(&keeps_nothing, &json!({"prompt": "the next"}));
    for job in &jobs {
        let folder = folder(&stage.home, job);
        wait_until("the job to be removed", || !folder.exists());
    }
    assert_nothing_left(&stage.home, &keeps_nothing);
    for server in [&server, &keeps_nothing] {
        jobs.iter().for_each(|job| is_not_found(server, job));
    }
    assert_eq!(stage.started(&["go on"]).len(), 0, "nothing was asked");
    // Its own result can still be read.
    let next = text(&next, "job_id");
    assert_eq!(wait_notifications(&server, next, 1)[0]["result"], "done");
    unfinished.are_left(Some(next));
    unfinished.end(&stage, &last);
}

#[test]
fn jobs_that_are_too_old_are_removed_when_the_next_one_ends() {
    removed_by_the_next_end(|server| server.env(KEEP_HOURS, "0"));
}

#[test]
fn jobs_that_are_too_large_are_removed_when_the_next_one_ends() {
    removed_by_the_next_end(|server| server.env(KEEP_MB, "0"));
}

#[test]
fn of_jobs_that_are_too_large_together_the_newest_are_kept() {
    let stage = Stage::new();
    let server = stage.server().env(KEEP_MB, "1").start();
    let large = json!([
        {"started": {}}, {"flood": {"bytes": 600_000, "line": 10_000}}, {"reply": "much"},
    ]);
    let first = ended(&stage, &server, &steps(&large));
    assert!(folder(&stage.home, &first).exists(), "there is room for one");
    let second = ended(&stage, &server, &steps(&large));
    is_not_found(&server, &first);
    assert_eq!(notifications_of(&server, &second)[0]["result"], "much");
}

#[test]
fn a_user_removes_old_jobs_or_all_ended_ones() {
    let stage = Stage::new();
    let unfinished = Unfinished::new(&stage);
    let server = stage.server().start();
    let job = ended(&stage, &server, &json!({"prompt": "one"}));
    let last = last_cursor(&server);
    let removed = |arguments: &[&str]| {
        let ran = run(&stage, arguments);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""));
        parsed(&ran.stdout)[0]["jobs"].clone()
    };
    assert_eq!(removed(&["jobs", "prune", "--json"]), 0, "it is not old");
    assert_eq!(removed(&["jobs", "prune", "--json", "--job-keep-hours", "0"]), 1);
    is_not_found(&server, &job);
    unfinished.are_left(None);
    let job = ended(&stage, &server, &json!({"prompt": "another"}));
    let remnant = folder(&stage.home, &job).with_extension("gone");
    fs::create_dir(&remnant).expect("one whose removal was cut short");
    assert_eq!(removed(&["jobs", "prune", "--json", "--all"]), 1);
    is_not_found(&server, &job);
    unfinished.are_left(None);
    assert!(!remnant.exists());
    assert_eq!(removed(&["jobs", "prune", "--json", "--all"]), 0);
    unfinished.end(&stage, &last);
}

/// The leftovers, with a prompt, of a server that was killed while it started a job: the name shows
/// that this was long ago.
fn begun(stage: &Stage, name: &str) -> PathBuf {
    let folder = folder(&stage.home, name);
    fs::create_dir_all(folder.join("inbox")).expect("the disk has room");
    fs::write(folder.join("inbox/01900000-0000-7000-8000-00000000000a.json"), "{}")
        .expect("the disk has room");
    folder
}

/// A temporary file of a process that was killed long ago.
fn half_written(path: PathBuf) -> PathBuf {
    let file = fs::File::create(&path).expect("the disk has room");
    let long_ago = SystemTime::now() - Duration::from_hours(1);
    file.set_modified(long_ago).expect("it is ours");
    path
}

#[test]
fn leftovers_of_killed_servers_are_removed_by_a_user_and_when_a_job_ends() {
    let stage = Stage::new();
    let server = stage.server().env(KEEP_HOURS, "0").start();
    let names = ["01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"];
    for (round, by_person) in [true, false].into_iter().enumerate() {
        let keeps = stage.server().start();
        let kept = ended(&stage, &keeps, &json!({"prompt": "to be kept"}));
        let prompted = ended(&stage, &keeps, &json!({"prompt": "one"}));
        let prompt = folder(&stage.home, &prompted).join("inbox");
        fs::write(prompt.join("01900000-0000-7000-8000-00000000000b.json"), "{}")
            .expect("the disk has room");
        let begun = begun(&stage, names[round]);
        let halves = ["state.4711.new", "inbox/01900000.4711.new"]
            .map(|name| half_written(folder(&stage.home, &kept).join(name)));
        let young = folder(&stage.home, &kept).join("state.4712.new");
        fs::write(&young, "").expect("the disk has room");
        if by_person {
            // The job itself is not old.
            assert_eq!(run(&stage, &["jobs", "prune"]).status, Some(0));
            assert!(folder(&stage.home, &kept).exists());
            halves.iter().for_each(|half| assert!(!half.exists(), "{half:?}"));
            assert!(young.exists(), "somebody may be at it");
            assert!(!begun.exists());
            assert_eq!(run(&stage, &["jobs", "prune", "--all"]).status, Some(0));
            assert!(!folder(&stage.home, &prompted).exists());
        } else {
            start_with(&server, &json!({"prompt": "the next"}));
            for left in [begun, folder(&stage.home, &prompted), folder(&stage.home, &kept)] {
                wait_until("what was left to be removed", || !left.exists());
            }
        }
        assert_nothing_left(&stage.home, &server);
    }
    assert_eq!(stage.started(&["to be kept", "one", "the next"]).len(), 5);
}

#[test]
fn before_the_first_job_there_is_nothing_to_remove() {
    let removed = run(&Stage::new(), &["jobs", "prune"]);
    assert_eq!((removed.status, removed.stdout.as_str()), (Some(0), "removed 0 jobs, 0 bytes\n"));
}

#[test]
fn servers_that_are_killed_while_they_start_jobs_leave_nothing_permanent() {
    let stage = Stage::new();
    for round in 0..ROUNDS {
        let server = stage.server().start();
        let _call = server.begin_call("job_start", &json!({"prompt": "hello"}));
        // Between nothing and a job that runs.
        std::thread::sleep(Duration::from_millis(round as u64));
        server.kill();
        server.wait_exit(WAIT);
        wait_until("its processes to be gone", || {
            server.descendants().expect("Linux lists processes").is_empty()
        });
    }
    let jobs = stage.home.state().join("jobs");
    let all = || fs::read_dir(&jobs).into_iter().flatten().flatten();
    // The age of a folder that never became a job shows only in its name.
    for job in all() {
        let name = job.file_name().into_string().expect("a name of ours");
        let old = jobs.join(format!("01900000{}", &name[8..]));
        let log = job.path().join("events.jsonl").metadata();
        let is_job = log.is_ok_and(|log| log.len() > 0);
        if !is_job {
            fs::rename(job.path(), old).expect("nobody is at it");
        }
    }
    assert_eq!(run(&stage, &["jobs", "prune", "--all"]).status, Some(0));
    let left: Vec<_> = all().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_job_that_gets_a_reply_during_pruning_is_kept_or_already_gone() {
    let stage = Stage::new();
    let server = stage.server().start();
    for round in 0..ROUNDS {
        let job = ended(&stage, &server, &json!({"prompt": "hello"}));
        let name = format!("round-{round}");
        let call = json!({"job_id": job, "prompt": script(&turn(&name))});
        let call = server.begin_call("job_reply", &call);
        for _ in 0..4 {
            assert_eq!(run(&stage, &["jobs", "prune", "--all"]).status, Some(0));
        }
        let answer = result_of(&server, &call);
        stage.release(&format!("go-{name}"));
        if answer["isError"] == true {
            let error = error_text(&answer);
            assert!(error.starts_with("job_not_found: "), "{name}: {error}");
            assert_nothing_left(&stage.home, &server);
            assert_eq!(stage.started(&[&name]).len(), 0, "{name}: nothing was asked");
        } else {
            assert_eq!(wait_notifications(&server, &job, 2)[1]["result"], name);
        }
    }
}
