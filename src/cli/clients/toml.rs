//! Edits TOML, and keeps everything else as it is. Pure.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike};

fn parsed(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        // The parser's message quotes the line, which may contain a key.
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).map_or(0, |before| before.matches('\n').count()) + 1;
        format!("line {line}")
    })
}

/// The entry, and nothing of the rest.
pub(super) fn entry(
    text: &str,
    servers: &str,
    name: &str,
) -> Result<Option<Map<String, Value>>, String> {
    let document: toml::Table =
        toml::from_str(&parsed(text)?.to_string()).map_err(|_| "it is no TOML".to_owned())?;
    let found = document.get(servers).and_then(|servers| servers.get(name));
    let value = found.and_then(|found| serde_json::to_value(found).ok());
    Ok(value.and_then(|value| value.as_object().cloned()))
}

/// Sets these fields of the entry, which is created if there is none.
pub(super) fn set(
    text: &str,
    servers: &str,
    name: &str,
    fields: &Map<String, Value>,
) -> Result<String, String> {
    let mut document = parsed(text)?;
    let all = document.entry(servers).or_insert_with(|| {
        // Only the tables of the servers have headers.
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let all = all.as_table_like_mut().ok_or_else(|| format!("{servers} in it is no table"))?;
    let entry = all.entry(name).or_insert(Item::Table(Table::new()));
    let entry: &mut dyn TableLike =
        entry.as_table_like_mut().ok_or_else(|| format!("{servers}.{name} in it is no table"))?;
    for (field, value) in fields {
        if let Some(value) = item(value) {
            entry.insert(field, value);
        }
    }
    Ok(document.to_string())
}

/// Removes the entry.
pub(super) fn remove(text: &str, servers: &str, name: &str) -> Result<String, String> {
    let mut document = parsed(text)?;
    if let Some(all) = document.get_mut(servers).and_then(Item::as_table_like_mut) {
        all.remove(name);
        if all.is_empty() {
            document.remove(servers);
        }
    }
    Ok(document.to_string())
}

fn item(value: &Value) -> Option<Item> {
    Some(match value {
        Value::Bool(flag) => toml_edit::value(*flag),
        Value::Number(number) => toml_edit::value(number.as_i64()?),
        Value::String(text) => toml_edit::value(text),
        Value::Array(values) => {
            let texts = values.iter().filter_map(Value::as_str);
            toml_edit::value(texts.collect::<Array>())
        }
        Value::Null | Value::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rest_of_the_file_stays_as_it_is() {
        let before = "# mine\nmodel = \"m\" # keep\n\n[mcp_servers.other]\ncommand = \"x\"\n";
        let fields = json!({"command": "c", "tool_timeout_sec": 3_600, "env_vars": ["A"]});
        let fields = fields.as_object().expect("an object");
        let after = set(before, "mcp_servers", "a-b", fields).expect("it is TOML");
        assert!(after.starts_with(before), "{after}");
        assert!(after.contains("[mcp_servers.a-b]\ncommand = \"c\"\n"), "{after}");
        assert_eq!(entry(&after, "mcp_servers", "a-b"), Ok(Some(fields.clone())));
        assert_eq!(set(&after, "mcp_servers", "a-b", fields).as_deref(), Ok(&*after));
        assert_eq!(remove(&after, "mcp_servers", "a-b").as_deref(), Ok(before));
        assert_eq!(set("a = \n", "mcp_servers", "a", fields), Err("line 1".into()));
    }
}
