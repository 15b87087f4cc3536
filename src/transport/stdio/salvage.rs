//! Finds the id of a message that cannot be decoded: too long, cut off, or broken.
//!
//! Scans the outermost object in constant memory. It does not validate the JSON; it tracks strings and
//! brackets just far enough to find the outermost `id` and to tell a response from a request.

use serde_json::Value;

/// The longest key or id that is read, in bytes.
const MAX_TOKEN: usize = 256;

/// What was found.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Salvaged {
    pub(super) id: Option<Value>,
    /// Whether it has a `result` or an `error`. Then it is a response, and nobody waits for an answer.
    pub(super) is_response: bool,
}

/// The scan, fed piece by piece.
#[derive(Debug, Default)]
pub(super) struct Salvage {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// The outermost key whose value is being read.
    key: Option<Vec<u8>>,
    /// The outermost token being read: a key, or a value that is neither an object nor an array.
    token: Vec<u8>,
    found: Salvaged,
}

impl Salvage {
    /// Starts with the beginning of a line.
    pub(super) fn of(beginning: &[u8]) -> Self {
        let mut salvage = Self::default();
        salvage.feed(beginning);
        salvage
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.in_string {
                self.string_byte(byte);
            } else {
                self.other_byte(byte);
            }
        }
    }

    pub(super) fn finish(mut self) -> Salvaged {
        self.end_value();
        self.found
    }

    fn string_byte(&mut self, byte: u8) {
        self.keep(byte);
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.in_string = false;
        }
    }

    fn other_byte(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.keep(byte);
                self.in_string = true;
            }
            b'{' | b'[' => {
                self.depth += 1;
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_value();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 && self.key.is_none() => {
                self.key = Some(std::mem::take(&mut self.token));
            }
            b',' if self.depth == 1 => self.end_value(),
            _ if byte.is_ascii_whitespace() => {}
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() <= MAX_TOKEN {
            self.token.push(byte);
        }
    }

    fn end_value(&mut self) {
        let token = std::mem::take(&mut self.token);
        match self.key.take().as_deref() {
            Some(br#""id""#) if token.len() <= MAX_TOKEN => {
                let id = serde_json::from_slice::<Value>(&token).ok();
                self.found.id = id.as_ref().and_then(super::id_from);
            }
            Some(br#""result""# | br#""error""#) => self.found.is_response = true,
            _ => {}
        }
    }
}

/// Scans a whole line.
pub(super) fn salvage(line: &[u8]) -> Salvaged {
    Salvage::of(line).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id_of(line: &str) -> Option<Value> {
        salvage(line.as_bytes()).id
    }

    #[test]
    fn only_the_outermost_id_counts_wherever_it_is() {
        let seven = Some(json!(7));
        assert_eq!(id_of(r#"{"id":7,"params":{"id":8,"x":["id",9]}}"#), seven);
        assert_eq!(id_of(r#"{"params":{"id":8,"t":"},{\"id\":9"},"id" : 7 }"#), seven);
        assert_eq!(id_of(r#"{"id":"a,}\"","x"#), Some(json!("a,}\"")));
        assert_eq!(id_of(r#"{"params":{"id":8},"not":1}"#), None);
    }

    #[test]
    fn a_line_that_is_cut_off_yields_an_id_before_the_cut() {
        assert_eq!(id_of(r#"{"id":7,"method":"tools/call","params":{"na"#), Some(json!(7)));
        assert_eq!(id_of(r#"{"method":"tools/call","par"#), None);
    }

    #[test]
    fn a_response_differs_from_a_request() {
        assert!(salvage(br#"{"id":7,"result":{}}"#).is_response);
        assert!(!salvage(br#"{"id":7,"params":{"result":1}}"#).is_response);
    }
}
