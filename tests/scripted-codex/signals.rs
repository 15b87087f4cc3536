//! Signals, without a handler: they are blocked in every thread, and one thread waits for them.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::exit;
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};

use crate::stage::{OnSignal, Stage};
use crate::{BAD_SCRIPT, fail};

fn watched() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

/// Blocks the signals. Must be called before the first thread starts.
pub fn block() {
    watched().thread_block().expect("these signals can be blocked");
}

/// Restores the usual effect of the signals, since a child process inherits what [`block`] did.
pub fn unblock() {
    watched().thread_unblock().expect("these signals can be unblocked");
}

/// Starts the thread that does what the script says about signals.
pub fn watch(stage: &'static Stage) {
    thread::spawn(move || {
        loop {
            let signal = watched().wait().expect("the set of signals is valid");
            let name = signal.as_str().trim_start_matches("SIG");
            let OnSignal { ignored, noted, .. } = stage.on_signal();
            if let Some(path) = noted {
                let file = OpenOptions::new().create(true).append(true).open(&path);
                if let Err(error) = file.and_then(|mut file| writeln!(file, "{name}")) {
                    fail(BAD_SCRIPT, &format!("{}: {error}", path.display()));
                }
            }
            if ignored.iter().any(|ignored| ignored == name) {
                continue;
            }
            if signal == Signal::SIGINT {
                stage.interrupt();
            }
            unblock();
            raise(signal).expect("a process can signal itself");
            exit(1);
        }
    });
}
