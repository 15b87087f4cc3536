//! Each prompt that a job accepted runs once, or has an end of its own, whatever happens to the job's
//! process.

use serde_json::json;

use crate::job_kit::{folder, nothing_left, start, text, told};
use crate::real_kit::obey;
use crate::real_tasks::meta;
use crate::setup::{content, home, real};
use crate::support::client::result;
use crate::support::model::Model;

/// How often the same race is run: what goes wrong in one does so only sometimes.
const ROUNDS: usize = 6;

/// Nothing waits for the job, not even half a file.
fn nothing_waits(stage: &std::path::Path) {
    let inbox = std::fs::read_dir(stage.join("inbox")).expect("it has an inbox");
    let left: Vec<_> = inbox.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_job_that_is_cancelled_by_many_at_once_is_cancelled_for_each() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let _other = real(&home).start();
    for round in 0..ROUNDS {
        let job = start(&server, &format!("[hang] in round {round}"));
        let id = text(&job, "job_id");
        let tools: Vec<_> =
            (0..8).map(|_| server.begin_call("job_cancel", &json!({"job_id": id}))).collect();
        let task = json!({"taskId": id, "_meta": meta(true)});
        let tasks: Vec<_> = (0..8).map(|_| server.begin("tasks/cancel", &task)).collect();
        for call in tools {
            let answer = result(server.answer(&call));
            assert_eq!(content(&answer)["status"], "cancelled", "{answer}");
        }
        for id in tasks {
            let answer = server.wait_message(|message| message["id"] == id);
            assert!(answer["error"].is_null(), "{answer}");
        }
        // What has ended stays as it ended.
        let again = server.call("job_cancel", &json!({"job_id": id}));
        assert_eq!(content(&again)["status"], "cancelled", "{again}");
        assert_eq!(content(&again)["had_ended"], true, "{again}");
        nothing_left(&home, &server);
        nothing_waits(&folder(&home, id));
        assert_eq!(told(&server, id).len(), 1);
    }
}
