//! The schema of the reply, from a file.

use std::path::Path;

use serde_json::Value;

use crate::model::options::{MAX_OPTION_BYTES, OutputSchema};
use crate::model::value::InvalidValue;
use crate::system::bounded::read_bytes;

/// Reads a JSON Schema.
pub(super) fn read(path: &Path) -> Result<OutputSchema, InvalidValue> {
    let unreadable =
        |problem: String| InvalidValue(format!("{} cannot be used: {problem}", path.display()));
    let bytes =
        read_bytes(path, MAX_OPTION_BYTES as u64).map_err(|error| unreadable(error.to_string()))?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(schema)) => OutputSchema::new(schema),
        Ok(_) => Err(unreadable("it is no JSON object".into())),
        Err(error) => Err(unreadable(format!("it is no JSON: {error}"))),
    }
}
