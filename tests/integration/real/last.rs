//! Continuing the last session of a directory.

use crate::kit::call::{ToolCall, call};
use crate::kit::setup::{home, real};
use crate::support::client::Server;
use crate::support::model::{Model, echo};

fn last<'a>(server: &'a Server, prompt: &str) -> ToolCall<'a> {
    call(server).prompt(prompt).argument("continue_last", true)
}

#[test]
fn the_last_session_in_a_directory_is_continued_from_any_server() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let first = real(&home).start();
    last(&first, "x").fails_with("bad_input").about("continue_last");

    let elsewhere = home.project().join("below");
    std::fs::create_dir(&elsewhere).expect("the test's folder is writable");
    let here = call(&first).prompt("here").succeeds();
    let there = call(&first).prompt("there").argument("cwd", &elsewhere).succeeds();
    drop(first);

    let second = real(&home).start();
    last(&second, "again").succeeds().in_session(here.session());
    last(&second, "again").argument("cwd", &elsewhere).succeeds().in_session(there.session());
    let job = last(&second, "a job").tool("job_start").succeeds().in_session(here.session());
    call(&second).tool("job_wait").argument("job_ids", [&job["job_id"]]).succeeds();

    last(&second, "x").in_session(here.session()).fails_with("bad_input").about("continue_last");
}
