//! Detects that standard output was closed at the other end, even while there is nothing to write.

use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the other end of standard output is closed.
pub(crate) fn hung_up() -> CancellationToken {
    let token = CancellationToken::new();
    watch(token.clone());
    token
}

/// Cancels the token when the other end of standard output is closed. A file or a terminal has no other
/// end.
///
/// A thread waits for that: the only call that works for every kind of output blocks.
#[cfg(unix)]
pub(super) fn watch(closed: CancellationToken) {
    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    let wait = move || {
        let stdout = std::io::stdout();
        // No event is requested: errors and hang-ups are always reported.
        let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        while poll(&mut polled, PollTimeout::NONE) == Err(Errno::EINTR) {}
        let hang_up = PollFlags::POLLERR | PollFlags::POLLHUP;
        if polled[0].revents().is_some_and(|seen| seen.intersects(hang_up)) {
            closed.cancel();
        }
    };
    std::thread::Builder::new()
        .name("stdout-watch".into())
        .spawn(wait)
        .expect("the system has room for one thread");
}

/// Windows reports it only to a write, so the writer finds out.
#[cfg(not(unix))]
pub(super) fn watch(_closed: CancellationToken) {}
