//! Edits JSON that may have comments, and keeps everything else as it is. Pure.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::{Map, Value};

/// The object with the servers, if there is one.
fn parsed(text: &str) -> Result<CstRootNode, String> {
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    CstRootNode::parse(text, &ParseOptions::default())
        .map_err(|error| format!("line {}", error.line_display()))
}

/// The content of a file. An error says where it is wrong, and quotes nothing of it.
pub(in crate::cli) fn value(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    Ok(parsed(text)?.to_serde_value().unwrap_or_default())
}

/// The entry, and nothing of the rest.
pub(super) fn entry(
    text: &str,
    servers: &str,
    name: &str,
) -> Result<Option<Map<String, Value>>, String> {
    let root = parsed(text)?;
    let entry = root.object_value().and_then(|root| root.object_value(servers)?.object_value(name));
    Ok(entry.and_then(|entry| entry.to_serde_value()).and_then(|entry| match entry {
        Value::Object(entry) => Some(entry),
        _ => None,
    }))
}

/// Sets these fields of the entry, which is created if there is none.
pub(super) fn set(
    text: &str,
    servers: &str,
    name: &str,
    fields: &Map<String, Value>,
) -> Result<String, String> {
    let root = parsed(text)?;
    let not_object = || "it is no JSON object".to_owned();
    let root_object = root.object_value_or_create().ok_or_else(not_object)?;
    let servers_object = root_object
        .object_value_or_create(servers)
        .ok_or_else(|| format!("{servers} in it is no object"))?;
    match servers_object.object_value(name) {
        Some(entry) => fields.iter().for_each(|(field, value)| put(&entry, field, value)),
        None => {
            let value = input(&Value::Object(fields.clone()));
            match servers_object.get(name) {
                Some(_) => return Err(format!("{servers}.{name} in it is no object")),
                None => drop(servers_object.append(name, value)),
            }
        }
    }
    Ok(root.to_string())
}

/// Removes what is at this path: an entry, or a field of one.
pub(super) fn remove(text: &str, path: &[&str]) -> Result<String, String> {
    let root = parsed(text)?;
    let Some((last, folders)) = path.split_last() else { return Ok(root.to_string()) };
    let mut object = root.object_value();
    for name in folders {
        object = object.and_then(|object| object.object_value(name));
    }
    if let Some(found) = object.and_then(|object| object.get(last)) {
        found.remove();
    }
    Ok(root.to_string())
}

fn put(entry: &CstObject, field: &str, value: &Value) {
    match entry.get(field) {
        Some(found) => found.set_value(input(value)),
        None => drop(entry.append(field, input(value))),
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(fields) => CstInputValue::Object(
            fields.iter().map(|(name, value)| (name.clone(), input(value))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn the_rest_of_the_file_stays_as_it_is() {
        let before = "// mine\n{\n    \"theme\": \"dark\", // keep\n    \"mcp\": {\n        \"other\": {\"command\": \"x\"},\n    },\n}\n";
        let entry = fields(json!({"command": "c", "args": []}));
        let after = set(before, "mcp", "a", &entry).expect("it is JSON");
        for kept in ["// mine", "\"theme\": \"dark\", // keep", "\"other\": {\"command\": \"x\"}"] {
            assert!(after.contains(kept), "{after}");
        }
        assert_eq!(super::entry(&after, "mcp", "a"), Ok(Some(entry.clone())));
        assert_eq!(
            set(&after, "mcp", "a", &entry).as_deref(),
            Ok(&*after),
            "twice changes nothing"
        );
        let gone = remove(&after, &["mcp", "a"]).expect("it is JSON");
        assert_eq!(super::entry(&gone, "mcp", "a"), Ok(None));
        assert!(gone.contains("// keep") && gone.contains("other"), "{gone}");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let entry = fields(json!({}));
        for (text, problem) in [("[1]", "object"), ("{\"mcp\": 1}", "mcp"), ("{\"a\" 1", "line")] {
            let refused = set(text, "mcp", "a", &entry).expect_err(text);
            assert!(refused.contains(problem), "{refused}");
        }
    }
}
