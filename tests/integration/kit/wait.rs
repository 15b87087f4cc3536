//! Waiting for what can be observed, for a bounded time.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, also when the machine is busy.
pub const WAIT: Duration = Duration::from_mins(1);

/// Waits for a file.
pub fn wait_for(path: &Path) {
    wait_until(&path.display().to_string(), || path.exists());
}

/// Waits until something is so.
pub fn wait_until(what: &str, is_it: impl Fn() -> bool) {
    wait_within(WAIT, what, is_it);
}

/// Waits until something is so, for a bounded time.
pub fn wait_within(bound: Duration, what: &str, is_it: impl Fn() -> bool) {
    let deadline = Instant::now() + bound;
    while !is_it() {
        assert!(Instant::now() < deadline, "waited {bound:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
