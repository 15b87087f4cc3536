//! Bounded waits for what can be observed.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::environment::patient;

/// Longer than anything in the tests takes, even on a busy machine.
pub const WAIT: Duration = Duration::from_mins(1);

/// Waits for a file.
pub fn wait_for(path: &Path) {
    wait_until(&path.display().to_string(), || path.exists());
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, is_it: impl Fn() -> bool) {
    wait_within(WAIT, what, is_it);
}

/// Waits until a condition holds, for this time on a machine of usual speed.
pub fn wait_within(bound: Duration, what: &str, is_it: impl Fn() -> bool) {
    let bound = patient(bound);
    let deadline = Instant::now() + bound;
    while !is_it() {
        assert!(Instant::now() < deadline, "waited {bound:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
