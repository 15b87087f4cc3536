//! The lines of the input, read by a thread of its own.

use std::io::{self, BufRead, BufReader, Read};

use memchr::memchr;
use tokio::sync::mpsc;

use super::MAX_LINE;
use super::salvage::{Salvage, Salvaged};

/// A line of the input.
#[derive(Debug)]
pub(super) enum Line {
    /// Without its line ending.
    Whole(Vec<u8>),
    /// Longer than [`MAX_LINE`]: thrown away but for what tells whose answer it needs.
    TooLong { length: u64, salvaged: Salvaged },
}

/// Starts the thread. It holds at most one line while another waits to be taken.
pub(super) fn read(input: impl Read + Send + 'static) -> mpsc::Receiver<io::Result<Line>> {
    let (sender, lines) = mpsc::channel(1);
    let run = move || {
        let mut input = BufReader::with_capacity(64 << 10, input);
        loop {
            match next_line(&mut input) {
                Ok(Some(line)) => {
                    if sender.blocking_send(Ok(line)).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return drop(sender.blocking_send(Err(error))),
            }
        }
    };
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(run)
        .expect("the system has room for one thread");
    lines
}

fn next_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut salvage: Option<Salvage> = None;
    let mut length = 0;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let ended = chunk.is_empty();
        let newline = memchr(b'\n', chunk);
        let part = &chunk[..newline.unwrap_or(chunk.len())];
        length += part.len() as u64;
        match &mut salvage {
            Some(salvage) => salvage.feed(part),
            None if line.len() + part.len() > MAX_LINE => {
                let mut begun = Salvage::default();
                begun.feed(&std::mem::take(&mut line));
                begun.feed(part);
                salvage = Some(begun);
            }
            None => line.extend_from_slice(part),
        }
        let consumed = newline.map_or(chunk.len(), |at| at + 1);
        input.consume(consumed);
        if newline.is_some() || (ended && length > 0) {
            return Ok(Some(match salvage {
                Some(salvage) => Line::TooLong { length, salvaged: salvage.finish() },
                None => Line::Whole(line),
            }));
        }
        if ended {
            return Ok(None);
        }
    }
}
