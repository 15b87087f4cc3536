//! Pieces of JSON schemas.

use rmcp::model::JsonObject;
use serde_json::{Map, Value};

pub(super) fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
