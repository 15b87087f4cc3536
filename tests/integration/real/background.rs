//! `codex_chat` in the background, with the real Codex: a job that is waited for and continued.

use std::fs;

use serde_json::json;

use crate::kit::call::call;
use crate::kit::jobs::{gate, wait_started};
use crate::kit::real::obey;
use crate::kit::setup::{content, home, real};
use crate::kit::wait::WAIT;
use crate::support::model::Model;

#[test]
fn a_question_in_the_background_outlives_its_server_and_its_session_is_continued() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let first = real(&home).start();
    let (path, prompt) = gate(&home, "gate");
    let started = call(&first)
        .prompt(&prompt)
        .sandbox("workspace-write")
        .argument("background", true)
        .argument("options", json!({"label": "behind", "idle_timeout_ms": 3_600_000}))
        .succeeds()
        .has("status", "running")
        .lacks("reply");
    let (job, session) = (started.text("job_id"), started.session());
    wait_started(&path);
    let early = call(&first).tool("codex_job_wait").argument("timeout_ms", 1).succeeds();
    early.has("job_id", job).has("status", "running").lacks("result");
    first.kill();
    first.wait_exit(WAIT);

    let second = real(&home).start();
    fs::write(&path, "").expect("writable");
    let ended = call(&second).tool("codex_job_wait").argument("job_id", job).succeeds();
    assert!(ended.text("result").trim_end().ends_with("opened"), "{ended}");
    let ended = ended.has("status", "completed").in_session(session);
    drop(ended);
    call(&second).in_session(session).prompt("and now?").succeeds().says("\nand now?\n");
}

#[test]
fn options_reach_the_real_codex_from_both_places() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let first = call(&server).prompt("hello").succeeds();
    for (inside, beside) in [(json!({"fork": true}), json!({})), (json!({}), json!({"fork": true}))]
    {
        let fork = call(&server).in_session(first.session()).prompt("again");
        let fork = fork.arguments(&beside).argument("options", inside).succeeds();
        assert_ne!(fork.session(), first.session(), "{fork}");
    }
    let jobs = server.call("codex_jobs", &json!({}));
    assert_eq!(content(&jobs)["jobs"], json!([]), "nothing ran as a job");
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["answer"],
        "properties": {"answer": {"type": "string"}},
    });
    let asked = call(&server).prompt("hello").argument("options", json!({"output_schema": schema}));
    asked.succeeds().warns_of("not JSON");
}
