//! The process that stays beside this one after it has started it: npm's launcher, where Node cannot replace itself.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, getppid};

/// The variable by which a launcher names itself, with its process id.
const LAUNCHER: &str = "CODEX_MCP_LAUNCHER";

/// How soon the end of a launcher is noticed.
const PERIOD: Duration = Duration::from_millis(500);

/// Stops this process, as `SIGTERM` does, once its launcher is gone: a client that kills the launcher means this
/// process. What a launched process starts inherits the variable, but has another parent, and is not concerned.
pub(crate) fn watch() {
    let named = std::env::var(LAUNCHER).ok().and_then(|id| id.parse().ok()).map(Pid::from_raw);
    let Some(launcher) = named.filter(|launcher| *launcher == getppid()) else { return };
    let wait = move || {
        while getppid() == launcher {
            thread::sleep(PERIOD);
        }
        // Not to the thread, which is what `raise` does.
        let _it_exists = signal::kill(Pid::this(), Signal::SIGTERM);
    };
    if let Err(error) = thread::Builder::new().name("launcher".into()).spawn(wait) {
        eprintln!("codex-persistent-mcp: cannot watch its launcher: {error}");
    }
}
