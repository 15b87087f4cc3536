//! Which entries to print. Pure.

use std::str::FromStr;

use super::Arguments;
use crate::codex::reading::entry::{Entry, What};
use crate::model::value::InvalidValue;

/// How much of the end to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Items(usize),
    Characters(usize),
}

impl Last {
    pub(super) fn is_reached(self, items: usize, characters: usize) -> bool {
        match self {
            Self::Items(bound) => items >= bound,
            Self::Characters(bound) => characters >= bound,
        }
    }

    pub(super) fn is_exceeded(self, items: usize, characters: usize) -> bool {
        match self {
            Self::Items(bound) => items > bound,
            Self::Characters(bound) => characters > bound,
        }
    }

    /// How many characters to print at most.
    pub(super) fn chars(self) -> Option<usize> {
        match self {
            Self::Items(_) => None,
            Self::Characters(bound) => Some(bound),
        }
    }
}

/// The most items that are kept to be printed.
const MAX_ITEMS: usize = 10_000;

/// The most characters.
const MAX_CHARACTERS: usize = 10_000_000;

impl FromStr for Last {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (digits, bound, last): (_, _, fn(usize) -> Self) = match text.strip_suffix('c') {
            Some(digits) => (digits, MAX_CHARACTERS, Self::Characters),
            None => (text, MAX_ITEMS, Self::Items),
        };
        match digits.parse() {
            Ok(number @ 1..) if number <= bound => Ok(last(number)),
            _ => Err(InvalidValue(format!(
                "must be a number of items from 1 to {MAX_ITEMS}, or of characters from 1c to {MAX_CHARACTERS}c"
            ))),
        }
    }
}

/// Which entries to print.
pub(super) struct Selection {
    messages: bool,
    reasoning: bool,
    commands: bool,
    errors: bool,
    all: bool,
    /// The starts of what ends with an entry of its own.
    starts: bool,
    json: bool,
    request: Option<String>,
}

impl Selection {
    /// `follows`: the user watches, and wants to see what starts.
    pub(super) fn new(arguments: &Arguments, follows: bool) -> Self {
        let Arguments { messages, reasoning, commands, errors, timeline, json, .. } = *arguments;
        let is_any = messages || reasoning || commands || errors;
        let judges = arguments.stuck || arguments.tokens;
        let by_default = arguments.last.is_some() || follows || (json && !judges);
        Self {
            messages,
            reasoning,
            commands,
            errors,
            all: timeline || (by_default && !is_any),
            starts: json || follows,
            json,
            request: arguments.request.clone(),
        }
    }

    /// Whether no entries are printed.
    pub(super) fn is_none(&self) -> bool {
        !(self.messages || self.reasoning || self.commands || self.errors || self.all)
    }

    pub(super) fn has_request(&self) -> bool {
        self.request.is_some()
    }

    /// Whether the entry is of the request that was asked for. Its id is a number or a string.
    pub(super) fn is_of_request(&self, entry: &Entry) -> bool {
        let Some(wanted) = &self.request else { return true };
        let Some(request) = &entry.request else { return false };
        request == wanted
            || serde_json::from_str::<String>(request).is_ok_and(|request| request == *wanted)
    }

    pub(super) fn is_wanted(&self, entry: &Entry) -> bool {
        if !self.is_of_request(entry) || (entry.what.is_start() && !self.starts) {
            return false;
        }
        if self.all {
            // On a line of its own, a token count after each response says little.
            return self.json || !matches!(entry.what, What::Tokens(_));
        }
        match entry.what {
            What::Message { .. } => self.messages,
            What::Answer { is_error, .. } => self.messages || (self.errors && is_error),
            What::Reasoning { .. } => self.reasoning,
            What::CommandBegan { .. } => self.commands,
            What::CommandEnded { .. } => self.commands || (self.errors && entry.what.is_failure()),
            _ => self.errors && entry.what.is_failure(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_items_or_characters_are_asked_for() {
        assert_eq!("20".parse(), Ok(Last::Items(20)));
        assert_eq!("4000c".parse(), Ok(Last::Characters(4_000)));
        for invalid in ["", "0", "0c", "-1", "c", "20x", "10001", "10000001c", "4 000"] {
            assert!(invalid.parse::<Last>().is_err(), "{invalid:?}");
        }
    }
}
