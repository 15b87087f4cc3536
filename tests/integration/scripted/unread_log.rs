//! A log that nobody reads. Nothing waits for a reader, and nothing but messages gets onto standard output.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

use crate::kit::play::{Stage, chat, steps};
use crate::kit::setup::field;
use crate::kit::wait::wait_until;
use crate::support::client::Server;

/// More than a pipe and the log together hold.
const LINES: usize = 6_000;

/// Longer than the server takes to exit on a busy machine, and shorter than it waits for a client.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);

/// A server whose standard error is an open pipe without a reader.
fn server(stage: &Stage) -> Server {
    let pipe = stage.home.path().join("stderr");
    mkfifo(&pipe, Mode::S_IRWXU).expect("pipes can be made");
    let unread = "exec \"$@\" 2<>\"$0\"";
    let pipe = pipe.to_str().expect("test paths are text");
    stage.server().arg("--debug").through(&["sh", "-c", unread, pipe]).start()
}

/// Whether the thread that writes messages is blocked in a write, where the system reports it.
fn is_writing(server: &Server) -> Option<bool> {
    let tasks = format!("/proc/{}/task", server.pid());
    let mut tasks = fs::read_dir(tasks).ok()?.flatten().map(|task| task.path());
    let writer = tasks.find(|task| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "stdout")
    })?;
    // The number of the system call, then its arguments: the first of a write's is the output.
    let call = fs::read_to_string(writer.join("syscall")).ok()?;
    Some(call.split(' ').nth(1) == Some("0x1"))
}

fn talkative(server: &Server) {
    let said = "something to be logged\n".repeat(LINES);
    let reply =
        chat(server, &steps(&json!([{"started": {}}, {"stderr": said}, {"reply": "done"}])));
    assert_eq!(field(&reply, "reply"), "done");
}

#[test]
fn an_unread_log_is_not_a_message() {
    let stage = Stage::new();
    let server = server(&stage);
    talkative(&server);
    server.close_stdin();
    assert!(server.wait_exit(LEAVES_WITHIN).success());
    server.wait_stdout_closed();
    assert_eq!(server.bad_lines(), Vec::<String>::new());
}

#[test]
fn an_unread_log_does_not_stop_the_server_from_exiting() {
    let stage = Stage::new();
    let server = server(&stage);
    talkative(&server);
    // Now the messages are not read either.
    server.stop_reading();
    for _ in 0..100 {
        server.begin("tools/list", &json!({}));
    }
    wait_until("the server to wait for a reader", || is_writing(&server) != Some(false));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(LEAVES_WITHIN).code(), Some(143));
}
