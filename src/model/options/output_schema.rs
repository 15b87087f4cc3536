//! The JSON Schema that the final message must match.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bounds::MAX_OPTION_BYTES;
use super::strict_schema;
use crate::model::value::InvalidValue;

/// A strict JSON Schema for the final message, at most [`MAX_OPTION_BYTES`] bytes as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OutputSchema(Map<String, Value>);

impl OutputSchema {
    /// Checks the size and the rules for strict schemas, which the model provider enforces. Anything else
    /// about the schema is left to Codex and the provider.
    ///
    /// # Errors
    ///
    /// If the schema is too large or breaks a rule for strict schemas.
    pub fn new(schema: Map<String, Value>) -> Result<Self, InvalidValue> {
        let schema = Self(schema);
        if schema.to_json().len() > MAX_OPTION_BYTES {
            return Err(InvalidValue(format!("must have at most {MAX_OPTION_BYTES} bytes")));
        }
        match strict_schema::violation(&schema.0) {
            Some(problem) => Err(InvalidValue(problem)),
            None => Ok(schema),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}
