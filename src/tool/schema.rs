//! Pieces of JSON schemas.

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

use super::arguments::MAX_TEXT_CHARS;

/// The value as an object. Anything else becomes an empty one.
pub(super) fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// The fields of both. The second wins.
pub(super) fn merged(first: Value, second: Value) -> Value {
    let mut all = object(first);
    all.extend(object(second));
    Value::Object(all)
}

/// An object with these properties.
pub(super) fn open(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// An object with these properties and no others.
pub(super) fn closed(properties: Value, required: &[&str]) -> Value {
    merged(open(properties, required), json!({ "additionalProperties": false }))
}

/// An object in which every property is required.
pub(super) fn complete(properties: Value) -> Value {
    let properties = object(properties);
    let required: Vec<&str> = properties.keys().map(String::as_str).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// A text of the caller's, which counts towards the limit for a call.
pub(super) fn text(about: &str) -> Value {
    json!({
        "type": "string",
        "maxLength": MAX_TEXT_CHARS,
        "description": format!("{about} At most {MAX_TEXT_CHARS} characters in all fields together."),
    })
}

pub(super) fn string(about: &str) -> Value {
    described(json!({ "type": "string" }), about)
}

/// With a description, unless it is empty.
fn described(mut schema: Value, about: &str) -> Value {
    if !about.is_empty() {
        schema["description"] = about.into();
    }
    schema
}

pub(super) fn integer(about: &str) -> Value {
    described(json!({ "type": "integer" }), about)
}

pub(super) fn boolean(about: &str) -> Value {
    described(json!({ "type": "boolean" }), about)
}

pub(super) fn strings(about: &str) -> Value {
    described(json!({ "type": "array", "items": { "type": "string" } }), about)
}

pub(super) fn one_of<'a>(about: &str, words: impl IntoIterator<Item = &'a str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "type": "string", "enum": words, "description": about })
}

/// A list of objects whose fields the schema does not describe.
pub(super) fn objects() -> Value {
    json!({ "type": "array", "items": { "type": "object" } })
}
