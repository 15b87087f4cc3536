//! The reading end of a server's stdout, which can be left full and can be closed at any time.

use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::process::ChildStdout;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::inbox::Inbox;

const PAUSE: u8 = b'p';
const RESUME: u8 = b'r';
const CLOSE: u8 = b'c';

/// The orders for the thread that reads. It also ends when this is dropped.
pub struct Output {
    orders: PipeWriter,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Output {
    /// Starts to read lines into the inbox.
    pub fn read(stdout: ChildStdout, inbox: Arc<Inbox>) -> Self {
        let (received, orders) = pipe().expect("the process has file descriptors left");
        let thread = thread::spawn(move || {
            read_lines(stdout, received, &inbox);
            inbox.close();
        });
        Self { orders, thread: Mutex::new(Some(thread)) }
    }

    /// Reads no more for now.
    pub fn pause(&self) {
        self.order(PAUSE);
    }

    /// Reads on.
    pub fn resume(&self) {
        self.order(RESUME);
    }

    /// Closes the pipe. It is closed when this returns.
    pub fn close(&self) {
        self.order(CLOSE);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.join().expect("reading does not panic");
        }
    }

    fn order(&self, order: u8) {
        let _the_stream_has_ended = (&self.orders).write_all(&[order]);
    }
}

fn read_lines(mut stdout: ChildStdout, mut orders: PipeReader, inbox: &Inbox) {
    let mut paused = false;
    let mut line = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut wanted = vec![PollFd::new(orders.as_fd(), PollFlags::POLLIN)];
        if !paused {
            wanted.push(PollFd::new(stdout.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut wanted, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => panic!("two pipes can be polled: {error}"),
        }
        let ready = |at: usize| wanted.get(at).and_then(PollFd::any).unwrap_or(false);
        let (ordered, readable) = (ready(0), ready(1));
        if ordered {
            let mut order = [0];
            match orders.read(&mut order) {
                Ok(1..) if order == [PAUSE] => paused = true,
                Ok(1..) if order == [RESUME] => paused = false,
                _ => return,
            }
        } else if readable {
            match stdout.read(&mut buffer) {
                Ok(length @ 1..) => split(&buffer[..length], &mut line, inbox),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
    }
    if !line.is_empty() {
        inbox.line(&line);
    }
}

/// Hands over the lines that end here, and keeps the beginning of the next.
fn split(bytes: &[u8], line: &mut Vec<u8>, inbox: &Inbox) {
    for part in bytes.split_inclusive(|&byte| byte == b'\n') {
        line.extend_from_slice(part);
        if line.last() == Some(&b'\n') {
            line.pop();
            inbox.line(line);
            line.clear();
        }
    }
}
