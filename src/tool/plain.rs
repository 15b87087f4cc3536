//! The text block beside the structured content of a success, for clients that give their model only that. Pure.

use serde_json::{Map, Value};

/// Writes the text block of an answer with this content.
pub(super) type Plain = fn(&Map<String, Value>) -> String;

/// The content as JSON.
pub(super) fn json(content: &Map<String, Value>) -> String {
    serde_json::to_string(content).unwrap_or_default()
}
