//! Follows the bytes of a JSON object to its end. Pure.

/// The deepest nesting: the JSON decoder accepts no more either.
const MAX_DEPTH: u32 = 128;

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The beginning of an object.
    Open,
    /// A whole object, which ends after this many of the bytes fed last.
    Closed(usize),
    /// Neither: no further bytes make it JSON.
    Wrong,
}

/// The scan of one object, fed piece by piece. Numbers are checked only by their characters, and text is
/// not checked to be UTF-8: the decoder does that when the object is whole.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    expected: Expected,
    /// Whether each open bracket is that of an object, the innermost one in the lowest bit.
    objects: u128,
    depth: u32,
    /// Whether the text being read is a key.
    key: bool,
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    Value,
    /// A value, or the end of an empty array.
    FirstValue,
    Key,
    /// A key, or the end of an empty object.
    FirstKey,
    Colon,
    /// A comma, or a closing bracket.
    CommaOrEnd,
    /// More of a text.
    Text,
    Escaped,
    /// This many more digits of `\u`.
    Digits(u8),
    Number,
    /// The rest of `true`, `false` or `null`.
    Literal(&'static [u8]),
}

impl Scan {
    /// A scan that has seen nothing yet: the first byte must open the object.
    pub(super) fn new() -> Self {
        Self { expected: Expected::Value, objects: 0, depth: 0, key: false }
    }

    /// Reads on up to the end of the object. After anything but [`Progress::Open`] the scan is over.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Progress {
        for (at, &byte) in bytes.iter().enumerate() {
            let Some(next) = self.after(byte) else { return Progress::Wrong };
            self.expected = next;
            if self.depth == 0 {
                return Progress::Closed(at + 1);
            }
        }
        Progress::Open
    }

    /// What is expected after this byte. `None` if the byte is wrong.
    fn after(&mut self, byte: u8) -> Option<Expected> {
        use Expected::{
            Colon, CommaOrEnd, Digits, Escaped, FirstKey, FirstValue, Key, Literal, Number, Text,
            Value,
        };
        Some(match (self.expected, byte) {
            (Text, b'"') => match self.key {
                true => Colon,
                false => CommaOrEnd,
            },
            (Text, b'\\') => Escaped,
            (Text, 0x20..) => Text,
            (Escaped, b'u') => Digits(4),
            (Escaped, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Text,
            (Digits(1), _) if byte.is_ascii_hexdigit() => Text,
            (Digits(left), _) if byte.is_ascii_hexdigit() => Digits(left - 1),
            (Literal(rest), _) => match rest.split_first() {
                Some((&first, [])) if first == byte => CommaOrEnd,
                Some((&first, rest)) if first == byte => Literal(rest),
                _ => return None,
            },
            (Number, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') => Number,
            (Number, _) => {
                self.expected = CommaOrEnd;
                return self.after(byte);
            }
            (Text | Escaped | Digits(_), _) => return None,
            (expected, b' ' | b'\t' | b'\r' | b'\n') if self.depth > 0 => expected,
            (Value | FirstValue, b'{') => self.open(true)?,
            (_, _) if self.depth == 0 => return None,
            (Value | FirstValue, b'[') => self.open(false)?,
            (Value | FirstValue, b'"') => self.text(false),
            (Value | FirstValue, b'-' | b'0'..=b'9') => Number,
            (Value | FirstValue, b't') => Literal(b"rue"),
            (Value | FirstValue, b'f') => Literal(b"alse"),
            (Value | FirstValue, b'n') => Literal(b"ull"),
            (Key | FirstKey, b'"') => self.text(true),
            (Colon, b':') => Value,
            (CommaOrEnd, b',') if self.in_object() => Key,
            (CommaOrEnd, b',') => Value,
            (CommaOrEnd | FirstKey, b'}') if self.in_object() => self.close(),
            (CommaOrEnd | FirstValue, b']') if !self.in_object() => self.close(),
            _ => return None,
        })
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn open(&mut self, object: bool) -> Option<Expected> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        Some(if object { Expected::FirstKey } else { Expected::FirstValue })
    }

    fn close(&mut self) -> Expected {
        self.depth -= 1;
        self.objects >>= 1;
        Expected::CommaOrEnd
    }

    fn text(&mut self, key: bool) -> Expected {
        self.key = key;
        Expected::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn scan(text: &str) -> Progress {
        Scan::new().feed(text.as_bytes())
    }

    #[test]
    fn an_object_is_followed_to_its_end() {
        assert_eq!(scan("{}"), Progress::Closed(2));
        assert_eq!(
            scan(r#"{"a":[1,-2.5e+3,true,false,null,"}\"\u00e9"],"b":{}}{"#),
            Progress::Closed(52)
        );
        assert_eq!(scan("{ \"a\" :\r\n\t[ ] , \"b\" : 1 }"), Progress::Closed(25));
    }

    #[test]
    fn what_can_still_become_an_object_is_open() {
        for text in [
            "{",
            "{ ",
            "{\"",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":tr",
            "{\"a\":\"\\u00",
            "{\"a\":[",
            "{\"a\":[1,",
            "{\"a\":{}",
            "{\"a\":{},",
        ] {
            assert_eq!(scan(text), Progress::Open, "{text}");
        }
    }

    #[test]
    fn what_no_byte_can_mend_is_wrong() {
        for text in [
            "x",
            "[",
            " {",
            "{{",
            "{1",
            "{,",
            "{]",
            "{\"a\"}",
            "{\"a\" \"b",
            "{\"a\":}",
            "{\"a\":nope",
            "{\"a\":1]",
            "{\"a\":[1}",
            "{\"a\":1,}",
            "{\"a\":[1,]",
            "{\"a\":\"\n",
            "{\"a\":\"\\x",
            "{\"a\":\"\\u00g",
            "{\"a\":tr\n",
            "{\"a\":1 2",
        ] {
            assert_eq!(scan(text), Progress::Wrong, "{text}");
        }
        assert_eq!(scan(&"{\"a\":".repeat(MAX_DEPTH as usize)), Progress::Open);
        assert_eq!(scan(&"{\"a\":".repeat(MAX_DEPTH as usize + 1)), Progress::Wrong);
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_decoder(text in r#"\{[\{\}\[\]":,a1tn\\ \n-]{0,12}"#) {
            let whole = |text: &str| serde_json::from_str::<Value>(text).is_ok();
            match scan(&text) {
                Progress::Closed(end) => {
                    let longer = (1..end).find(|&end| whole(&text[..end]));
                    prop_assert_eq!(longer, None);
                }
                Progress::Open | Progress::Wrong => {
                    for end in 1..=text.len() {
                        prop_assert!(!whole(&text[..end]), "{}", &text[..end]);
                    }
                }
            }
            if let Err(error) = serde_json::from_str::<Value>(&text) && error.is_eof() {
                prop_assert_eq!(scan(&text), Progress::Open, "{}", error);
            }
        }
    }
}
