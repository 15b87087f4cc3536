//! Notices that nobody can read standard output any more, while there is nothing to write.

use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the other end of standard output is closed. A file or a terminal
/// has no other end.
///
/// A thread waits for it, because the system offers it only as a blocking call that works for every
/// kind of output.
#[cfg(unix)]
pub(crate) fn hung_up() -> CancellationToken {
    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    let token = CancellationToken::new();
    let gone = token.clone();
    let wait = move || {
        let stdout = std::io::stdout();
        // No event is asked for: an error or a hang-up is always reported.
        let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        while poll(&mut polled, PollTimeout::NONE) == Err(Errno::EINTR) {}
        let hang_up = PollFlags::POLLERR | PollFlags::POLLHUP;
        if polled[0].revents().is_some_and(|seen| seen.intersects(hang_up)) {
            gone.cancel();
        }
    };
    std::thread::Builder::new()
        .name("stdout-watch".into())
        .spawn(wait)
        .expect("the system has room for one thread");
    token
}

/// Windows tells only when something is written, which the outbox notices.
#[cfg(not(unix))]
pub(crate) fn hung_up() -> CancellationToken {
    CancellationToken::new()
}
