//! Removes terminal commands around a line of JSON: a shell's start-up file, or a wrapper around Codex,
//! may have written them. Pure.

use std::ops::Range;

const ESCAPE: u8 = 0x1b;

/// The range of the JSON in a line, if only terminal commands and space surround it. Otherwise all of
/// the line.
pub(super) fn trimmed(line: &[u8]) -> Range<usize> {
    let whole = 0..line.len();
    if memchr::memchr(ESCAPE, line).is_none() {
        return whole;
    }
    let start = commands(line);
    let end = line.iter().rposition(|byte| *byte == b'}').map_or(start, |at| at + 1);
    let is_json = line.get(start) == Some(&b'{') && start < end;
    if is_json && commands(&line[end..]) == line.len() - end { start..end } else { whole }
}

/// The length of the commands and the space at the beginning, in bytes.
fn commands(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = command(&text[at..]) {
        at += length;
    }
    at
}

/// The length of the command or the space character at the beginning, if there is one.
fn command(text: &[u8]) -> Option<usize> {
    let (first, rest) = text.split_first()?;
    if first.is_ascii_whitespace() {
        return Some(1);
    }
    if *first != ESCAPE {
        return None;
    }
    let (kind, rest) = rest.split_first()?;
    let body = match kind {
        // Parameters, then a letter.
        b'[' => rest.iter().position(|byte| (0x40..=0x7e).contains(byte))? + 1,
        // A text, such as a title, up to a bell or the end of a string.
        b']' => {
            let end = rest.iter().position(|byte| matches!(*byte, 0x07 | ESCAPE))?;
            if rest[end] == ESCAPE { end + 2 } else { end + 1 }
        }
        _ => 0,
    };
    let length = 2 + body;
    (length <= text.len()).then_some(length)
}
