//! The rules for strict JSON Schemas. Pure.
//!
//! Codex always requests strict mode (`"strict": true`, 0.77 to 0.171), and OpenAI rejects a schema that
//! breaks one of these rules only after the session has started: the root must be an object, and every object
//! must require all of its fields and allow no others.

use serde_json::{Map, Value};

use crate::model::text::excerpt;

/// Maximum depth to which a schema is checked. Providers accept about ten levels.
const MAX_DEPTH: usize = 64;

/// Describes the first broken rule and where it is broken.
pub(super) fn violation(schema: &Map<String, Value>) -> Option<String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Some(
            "must have \"type\": \"object\" at its root, because strict schemas require \
                     it"
            .into(),
        );
    }
    object(schema, "the root", MAX_DEPTH)
}

fn any(schema: &Value, path: &str, depth: usize) -> Option<String> {
    object(schema.as_object()?, path, depth.checked_sub(1)?)
}

fn object(schema: &Map<String, Value>, path: &str, depth: usize) -> Option<String> {
    if is_object(schema) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(rule(path, "\"additionalProperties\": false"));
        }
        if let Some(problem) = fields(schema, path) {
            return Some(problem);
        }
    }
    let inner = |(key, value): (&String, &Value)| {
        let path = if path == "the root" { key.clone() } else { format!("{path}.{key}") };
        match (key.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(all)) => {
                all.iter().find_map(|(name, schema)| any(schema, &format!("{path}.{name}"), depth))
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(all)) => all
                .iter()
                .enumerate()
                .find_map(|(at, schema)| any(schema, &format!("{path}.{at}"), depth)),
            ("items" | "not" | "if" | "then" | "else", schema) => any(schema, &path, depth),
            _ => None,
        }
    };
    schema.iter().find_map(inner)
}

/// Whether the schema describes an object, including nullable objects and those without a `type`.
fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.get("properties").is_some_and(Value::is_object),
    }
}

fn fields(schema: &Map<String, Value>, path: &str) -> Option<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)));
    let names = || properties.into_iter().flat_map(Map::keys);
    if let Some(name) = names().find(|name| !is_required(name)) {
        let name = excerpt(name);
        let rule = rule(path, &format!("{name} in \"required\""));
        return Some(format!("{rule}; allow null if it is optional"));
    }
    let unknown = required.into_iter().flatten().filter_map(Value::as_str);
    let unknown = unknown.filter(|name| properties.is_none_or(|all| !all.contains_key(*name)));
    let name = excerpt(unknown.into_iter().next()?);
    Some(rule(path, &format!("{name} in \"properties\", because \"required\" lists it")))
}

fn rule(path: &str, what: &str) -> String {
    format!("must have {what} at {}: strict schemas require this of every object", excerpt(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn broken(schema: Value) -> Option<String> {
        violation(schema.as_object().expect("an object"))
    }

    #[test]
    fn every_object_must_be_closed_and_require_all_fields() {
        let closed = |properties: Value, required: Value| {
            json!({"type": "object", "properties": properties, "required": required,
                   "additionalProperties": false})
        };
        let inner = closed(json!({"b": {"type": ["string", "null"]}}), json!(["b"]));
        let good = closed(json!({"a": {"type": "array", "items": inner}}), json!(["a"]));
        assert_eq!(broken(good), None);
        assert_eq!(broken(closed(json!({}), json!([]))), None);
        let mut open = inner.clone();
        open["additionalProperties"] = json!(true);
        let mut lax = inner.clone();
        lax["required"] = json!([]);
        let mut more = inner.clone();
        more["required"] = json!(["b", "c"]);
        let mut untyped = lax.clone();
        untyped.as_object_mut().expect("an object").remove("type");
        let mut maybe = open.clone();
        maybe["type"] = json!(["object", "null"]);
        for (schema, path, rule) in [
            (json!({"type": "array", "items": inner}), "root", "\"type\": \"object\""),
            (json!({"anyOf": [inner]}), "root", "\"type\": \"object\""),
            (open.clone(), "the root", "additionalProperties"),
            (lax.clone(), "the root", "b in \"required\""),
            (more, "the root", "c in \"properties\""),
            (closed(json!({"a": open}), json!(["a"])), "properties.a", "additionalProperties"),
            (
                closed(json!({"a": {"type": "array", "items": lax}}), json!(["a"])),
                "properties.a.items",
                "required",
            ),
            (
                closed(json!({"a": {"anyOf": [{"type": "null"}, untyped]}}), json!(["a"])),
                "properties.a.anyOf.1",
                "required",
            ),
            (closed(json!({"a": maybe}), json!(["a"])), "properties.a", "additionalProperties"),
        ] {
            let problem = broken(schema.clone()).unwrap_or_else(|| panic!("{schema} is refused"));
            assert!(problem.contains(path) && problem.contains(rule), "{schema}: {problem}");
        }
        let mut with_defs = closed(json!({"a": {"$ref": "#/$defs/x"}}), json!(["a"]));
        with_defs["$defs"] = json!({"x": {"type": "object"}});
        assert!(broken(with_defs).expect("it is refused").contains("$defs.x"));
    }

    #[test]
    fn a_field_may_have_any_name() {
        let names = json!({"type": "object", "additionalProperties": false,
            "properties": {"properties": {"type": "string"}, "type": {"type": "string"}},
            "required": ["type", "properties"]});
        assert_eq!(broken(names), None);
    }
}
