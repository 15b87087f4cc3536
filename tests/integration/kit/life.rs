//! The processes of a server: its watchdog, and killing several at once.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kit::setup::skipped;
use crate::support::client::Left;

/// The watchdog of a process, by its parent and its name.
pub fn watchdog_of(pid: u32) -> Option<u32> {
    let parent = format!(" {pid} ");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let after_name = stat.rsplit_once(')')?.1;
        // The state, then the parent.
        after_name.get(2..)?.starts_with(&parent).then_some(())?;
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let is_it = String::from_utf8_lossy(&command).ends_with("watchdog\0");
        is_it.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    })
}

/// Kills two processes such that neither sees the other end.
pub fn kill_together(pids: [u32; 2]) {
    let pids = pids.map(|pid| Pid::from_raw(i32::try_from(pid).expect("process ids are small")));
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in pids {
            kill(pid, signal).expect("it is running");
        }
    }
}

/// Expects no process to be left, where this is visible.
pub fn assert_none_left(left: Result<(), Left>) {
    match left {
        Ok(()) => {}
        Err(Left::Alive(processes)) => panic!("these are left running: {processes:#?}"),
        Err(Left::Unavailable(why)) => skipped(&format!("what is left running: {why}")),
    }
}
