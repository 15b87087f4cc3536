//! Turns of the real Codex, stopped in every way, while the model or a command runs: no process is left, and
//! no session is lost.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::kit::jobs::{gate, wait_started};
use crate::kit::life::{assert_none_left, kill_together, watchdog_of};
use crate::kit::real::{by_script, obey, record};
use crate::kit::setup::{error_text, field, home, real, real_with, skipped};
use crate::kit::wait::wait_until;
use crate::support::client::{Builder, Call, Server, wait_no_descendants_of};
use crate::support::environment::patient;
use crate::support::model::Model;
use crate::support::real_codex::Home;

/// What stops a turn.
#[derive(Clone, Copy, PartialEq)]
enum Cause {
    Total,
    Idle,
    Cancel,
    Signal(Signal, i32),
    Kill,
}

/// What runs when that happens.
#[derive(Clone, Copy, PartialEq)]
enum During {
    Model,
    Command,
}

/// How Codex is started.
#[derive(Clone, Copy)]
enum Started {
    Native,
    ByScript,
}

/// Timeouts that leave a slow machine enough time to start Codex.
const TOTAL: Duration = Duration::from_secs(8);
const IDLE: Duration = Duration::from_secs(4);

/// How long a Codex whose output nobody reads lives after its next event.
const LEAVE: Duration = Duration::from_secs(20);

/// The command that runs. No other process on the machine has these arguments.
const COMMAND: &str = "sleep 300.75";

macro_rules! matrix {
    ($($cause_name:ident: $cause:expr;)+) => {$(
        mod $cause_name {
            use super::*;

            #[test]
            fn while_the_model_hangs() {
                broken_off($cause, During::Model, Started::Native);
            }

            #[test]
            fn while_the_model_hangs_with_the_script() {
                broken_off($cause, During::Model, Started::ByScript);
            }

            #[test]
            fn while_a_command_runs() {
                broken_off($cause, During::Command, Started::Native);
            }

            #[test]
            fn while_a_command_runs_with_the_script() {
                broken_off($cause, During::Command, Started::ByScript);
            }
        }
    )+};
}

matrix! {
    total_limit: Cause::Total;
    idle_limit: Cause::Idle;
    cancel: Cause::Cancel;
    sigint: Cause::Signal(Signal::SIGINT, 130);
    sigterm: Cause::Signal(Signal::SIGTERM, 143);
    sighup: Cause::Signal(Signal::SIGHUP, 129);
    sigkill: Cause::Kill;
}

fn broken_off(cause: Cause, during: During, started: Started) {
    let model = Model::start(obey);
    let home = home(&model.url());
    let start = || match started {
        Started::Native => real(&home),
        Started::ByScript => real_with(&home, &by_script()),
    };
    let server = start().start();

    let mut arguments = match during {
        During::Model => json!({"prompt": "Remember seven. [hang]"}),
        During::Command => json!({"prompt": format!("Remember seven. [run {COMMAND}]")}),
    };
    if cause == Cause::Idle {
        arguments["idle_timeout_ms"] = json!(patient(IDLE).as_millis());
    }
    if cause == Cause::Total || (cause == Cause::Idle && during == During::Command) {
        arguments["timeout_ms"] = json!(patient(TOTAL).as_millis());
    }
    let call = server.begin_call("codex_chat", &arguments);
    let reported = server.wait_progress(&call, |message| message.starts_with("session "));
    let session = reported.split(' ').nth(1).expect("the session's id").to_owned();
    model.wait_for(|request| request.last_user_text().contains("Remember seven."));
    if during == During::Command {
        wait_until_command_runs(&server);
    }

    break_off(&server, &call, cause, during, &session);
    if cause != Cause::Kill {
        let lines = record(&home, &session);
        let aborted = lines.iter().any(|line| line.to_string().contains("<turn_aborted>"));
        assert!(aborted, "the session does not know that it was interrupted: {lines:#?}");
    }
    drop(server);

    let again = start().start();
    let reply = again.call("codex_chat", &json!({"prompt": "Go on.", "session_id": session}));
    assert_eq!(field(&reply, "session_id"), session);
    let asked = model.wait_for(|request| request.last_user_text().contains("Go on."));
    let remembers = asked.user_texts().iter().any(|text| text.contains("Remember seven."));
    assert!(remembers, "the interrupted prompt is lost: {:?}", asked.user_texts());
}

#[test]
fn a_codex_whose_server_and_watchdog_were_killed_exits_at_its_next_event() {
    if !cfg!(target_os = "linux") {
        return skipped("the watchdog is looked for in /proc");
    }
    for start in [real as fn(&Home) -> Builder, |home| real_with(home, &by_script())] {
        let model = Model::start(obey);
        let home = home(&model.url());
        let server = start(&home).start();
        let (path, prompt) = gate(&home, "gate");
        server.begin_call("codex_chat", &json!({"prompt": prompt, "sandbox": "workspace-write"}));
        wait_started(&path);
        let watchdog = watchdog_of(server.pid()).expect("there is one while Codex runs");
        kill_together([watchdog, server.pid()]);
        std::fs::write(&path, "").expect("writable");
        assert_none_left(wait_no_descendants_of(server.marker(), LEAVE));
    }
}

/// Stops the turn, and waits until it has ended and no process is left.
fn break_off(server: &Server, call: &Call, cause: Cause, during: During, session: &str) {
    let two_seconds = Duration::from_secs(2);
    match cause {
        Cause::Total | Cause::Idle => {
            let result = server.answer(call)["result"].clone();
            let text = error_text(&result);
            assert!(text.starts_with("timed_out: "), "{text}");
            assert!(text.contains(&format!("codex resume {session}")), "{text}");
            // A running command does not count as idle, so only the timeout of the whole call applies.
            let idle = cause == Cause::Idle && during == During::Model;
            let reason = if idle { "the idle timeout of " } else { "the timeout of " };
            assert!(text.contains(reason), "{text}");
            assert_none_left(server.wait_no_descendants(two_seconds));
        }
        Cause::Cancel => {
            server.cancel(call);
            assert_none_left(server.wait_no_descendants(Duration::from_secs(6)));
            server.request("ping", &json!({}));
            assert_eq!(server.try_answer(call), None, "a cancelled call has no answer");
        }
        Cause::Signal(signal, status) => {
            server.signal(signal);
            let exited = server.wait_exit(two_seconds);
            assert_eq!(exited.code(), Some(status));
            assert_none_left(wait_no_descendants_of(server.marker(), two_seconds));
        }
        Cause::Kill => {
            server.kill();
            assert_none_left(wait_no_descendants_of(server.marker(), two_seconds));
        }
    }
}

/// Waits until the command can be seen among the processes that the server started.
fn wait_until_command_runs(server: &Server) {
    wait_until("the command to run", || {
        let running = server.descendants();
        running.map_or(true, |all| all.iter().any(|process| process.cmdline == COMMAND))
    });
}
