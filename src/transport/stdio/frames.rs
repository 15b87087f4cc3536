//! Finds the messages in lines that are not one message each. Pure.
//!
//! MCP has one message on a line, and such a line never comes here. Files of requests may have one that
//! is spread over several lines, or several on one line; and a line that was cut off may be followed by
//! whole ones.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::MAX_LINE;
use super::salvage::{Salvage, Salvaged};
use super::scan::{Progress, Scan};

/// How often after a line the framer starts over with lines that it had taken for a part of something.
const MAX_RESTARTS: u32 = 16;

/// How many places of a broken line may be tried for the start of a whole message.
const MAX_PLACES: usize = 16;

/// What was found.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// A whole object.
    Object(Vec<u8>),
    /// Text that is no message.
    Broken(Vec<u8>),
    /// Text that opens an object which does not end.
    CutOff(Vec<u8>),
    /// An object over several lines with more than [`MAX_LINE`] bytes. All that is kept is what shows
    /// which request to answer.
    TooLong { length: u64, salvaged: Salvaged },
}

/// Holds an object until its last line came.
#[derive(Debug, Default)]
pub(super) struct Framer {
    open: Option<Open>,
    restarts: u32,
}

/// An object that has not ended.
#[derive(Debug)]
struct Open {
    scan: Scan,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// Its lines, each with its end.
    Lines(Vec<u8>),
    /// They were longer than [`MAX_LINE`].
    TooLong { length: u64, salvage: Salvage },
}

impl Framer {
    /// Whether an object has begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether an object ends with this text, and nothing follows it.
    pub(super) fn would_end(&self, text: &[u8]) -> bool {
        let mut scan = match &self.open {
            Some(open) => open.scan.clone(),
            None => Scan::new(),
        };
        let mut rest = if self.is_open() { text } else { without_separators(text) };
        while let Progress::Closed(end) = scan.feed(rest) {
            rest = without_separators(&rest[end..]);
            if rest.is_empty() {
                return true;
            }
            scan = Scan::new();
        }
        false
    }

    /// Adds a line, without its end. If nothing is open, it is one that cannot be decoded.
    pub(super) fn push(&mut self, line: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.restarts = 0;
        self.line(line, &mut frames);
        frames
    }

    /// Gives up the object that is open.
    pub(super) fn cut_off(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.restarts = 0;
        // What is left of it may open the next one.
        while let Some(open) = self.open.take() {
            self.abandon(open.held, Frame::CutOff, &mut frames);
        }
        frames
    }

    fn line(&mut self, line: &[u8], frames: &mut Vec<Frame>) {
        match self.open.take() {
            None => self.begin(line, frames),
            Some(open) if is_message(line) => {
                self.abandon(open.held, Frame::CutOff, frames);
                self.line(line, frames);
            }
            Some(open) => self.extend(open, line, frames),
        }
    }

    /// Reads a line outside of any object.
    fn begin(&mut self, line: &[u8], frames: &mut Vec<Frame>) {
        let mut rest = without_separators(line);
        if !matches!(rest.first(), None | Some(b'{')) {
            // Not searched for a message: the line may be a comment.
            return frames.push(Frame::Broken(rest.to_vec()));
        }
        while !rest.is_empty() {
            let mut scan = Scan::new();
            match scan.feed(rest) {
                Progress::Closed(end) => {
                    let next = without_separators(&rest[end..]);
                    if !matches!(next.first(), None | Some(b'{')) {
                        // What follows may have been meant as a part of it.
                        return frames.push(Frame::Broken(rest[..end].to_vec()));
                    }
                    frames.push(Frame::Object(rest[..end].to_vec()));
                    rest = next;
                }
                // A text does not go on in the next line.
                Progress::Open if scan.feed(b"\n") == Progress::Open => {
                    let held = Held::Lines([rest, b"\n"].concat());
                    self.open = Some(Open { scan, held });
                    return;
                }
                Progress::Open => return self.restart(rest, Frame::CutOff, frames),
                Progress::Wrong => return self.restart(rest, Frame::Broken, frames),
            }
        }
    }

    /// Reads a line within an object.
    fn extend(&mut self, mut open: Open, line: &[u8], frames: &mut Vec<Frame>) {
        match open.scan.feed(line) {
            Progress::Closed(end) => {
                let (last, rest) = line.split_at(end);
                open.held.push(last);
                frames.push(match open.held {
                    Held::Lines(object) => Frame::Object(object),
                    Held::TooLong { length, salvage } => {
                        Frame::TooLong { length, salvaged: salvage.finish() }
                    }
                });
                self.begin(rest, frames);
            }
            Progress::Open if open.scan.feed(b"\n") == Progress::Open => {
                open.held.push(line);
                open.held.push(b"\n");
                self.open = Some(open);
            }
            progress => {
                let what = match progress {
                    Progress::Open => Frame::CutOff,
                    _ => Frame::Broken,
                };
                open.held.push(line);
                self.abandon(open.held, what, frames);
            }
        }
    }

    fn abandon(&mut self, held: Held, what: fn(Vec<u8>) -> Frame, frames: &mut Vec<Frame>) {
        match held {
            Held::Lines(text) => self.restart(text.trim_ascii_end(), what, frames),
            Held::TooLong { length, salvage } => {
                frames.push(Frame::TooLong { length, salvaged: salvage.finish() });
            }
        }
    }

    /// Starts over where something else may begin in a text that opens an object and does not end it.
    fn restart(&mut self, text: &[u8], what: fn(Vec<u8>) -> Frame, frames: &mut Vec<Frame>) {
        self.restarts += 1;
        let next = (self.restarts <= MAX_RESTARTS).then(|| next_start(text)).flatten();
        let (lost, rest) = text.split_at(next.unwrap_or(text.len()));
        frames.push(what(lost.to_vec()));
        if !rest.is_empty() {
            for line in rest.split(|byte| *byte == b'\n') {
                self.line(line, frames);
            }
        }
    }
}

impl Held {
    fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Lines(text) if text.len() + bytes.len() <= MAX_LINE => {
                text.extend_from_slice(bytes);
            }
            Self::Lines(text) => {
                let mut salvage = Salvage::of(text);
                salvage.feed(bytes);
                *self = Self::TooLong { length: (text.len() + bytes.len()) as u64, salvage };
            }
            Self::TooLong { length, salvage } => {
                *length += bytes.len() as u64;
                salvage.feed(bytes);
            }
        }
    }
}

/// Where something else may begin: at a brace that is the first byte of a line, or at a whole message that
/// ends the first or the last line.
fn next_start(text: &[u8]) -> Option<usize> {
    let first_end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    let last_start = memchr::memrchr(b'\n', text).map_or(0, |at| at + 1);
    message_at_end(&text[..first_end])
        .or_else(|| memchr::memmem::find(text, b"\n{").map(|at| at + 1))
        .or_else(|| Some(last_start + message_at_end(&text[last_start..])?))
}

/// Where a whole message starts that ends the line, but not the line itself.
fn message_at_end(line: &[u8]) -> Option<usize> {
    let braces = memchr::memrchr_iter(b'{', line).filter(|&at| at > 0);
    braces
        .filter(|&at| opens_message(&line[at..]))
        .take(MAX_PLACES)
        .find(|&at| is_message(&line[at..]))
}

/// Whether the first key is one that messages begin with. Within a text it would be escaped.
fn opens_message(text: &[u8]) -> bool {
    let inside = text[1..].trim_ascii_start();
    [&b"\"jsonrpc\""[..], b"\"id\"", b"\"method\""].iter().any(|key| inside.starts_with(key))
}

/// Whether the line is a whole message by itself.
fn is_message(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Message {
        #[serde(rename = "jsonrpc")]
        _version: IgnoredAny,
    }
    let line = line.trim_ascii();
    line.starts_with(b"{")
        && line.ends_with(b"}")
        && serde_json::from_slice::<Message>(line).is_ok()
}

/// The rest of a line behind what may stand between messages: blanks, the brackets and commas of a batch,
/// and the mark that begins some files.
fn without_separators(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii();
    let is_separator = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'[' | b']' | b',');
    let start = line.iter().position(|byte| !is_separator(byte)).unwrap_or(line.len());
    &line[start..]
}

#[cfg(test)]
mod tests;
