//! Edits TOML, and keeps everything else as it is. Pure.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

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
        put(entry, field, value);
    }
    Ok(document.to_string())
}

/// Removes what is at this path: an entry, or a field of one. A table that has no header goes with its last entry.
pub(super) fn remove(text: &str, path: &[&str]) -> Result<String, String> {
    let mut document = parsed(text)?;
    if let Some((last, folders)) = path.split_last() {
        let mut table: Option<&mut dyn TableLike> = Some(document.as_table_mut());
        for name in folders {
            table = table.and_then(|table| table.get_mut(name)?.as_table_like_mut());
        }
        if let Some(table) = table {
            table.remove(last);
        }
    }
    let is_empty =
        |item: &Item| item.as_table().is_some_and(|table| table.is_implicit() && table.is_empty());
    if let Some(first) = path.first()
        && document.get(first).is_some_and(is_empty)
    {
        document.remove(first);
    }
    Ok(document.to_string())
}

/// Sets a field. A list that only grows keeps its comments and its form.
fn put(entry: &mut dyn TableLike, field: &str, value: &Value) {
    let Some(item) = item(value) else { return };
    if let Some(found) = entry.get_mut(field).and_then(Item::as_array_mut)
        && let Some(wanted) = item.as_array()
        && let before = found.len()
        && before <= wanted.len()
        && found.iter().zip(wanted).all(|(one, other)| plain(one) == plain(other))
    {
        wanted.iter().skip(before).for_each(|value| found.push(value.clone()));
        return;
    }
    match entry.get_mut(field) {
        Some(found) => {
            // What stands around the old value, such as a comment after it, stays.
            let decor = found.as_value().map(|value| value.decor().clone());
            *found = item;
            if let (Some(value), Some(decor)) = (found.as_value_mut(), decor) {
                *value.decor_mut() = decor;
            }
        }
        None => drop(entry.insert(field, item)),
    }
}

/// A value without what stands around it.
fn plain(value: &toml_edit::Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

fn item(value: &Value) -> Option<Item> {
    Some(match value {
        Value::Bool(flag) => toml_edit::value(*flag),
        Value::Number(number) => toml_edit::value(number.as_i64()?),
        Value::String(text) => toml_edit::value(text),
        Value::Array(values) => {
            let values = values.iter().filter_map(|value| item(value)?.into_value().ok());
            toml_edit::value(values.collect::<Array>())
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), item(value)?.into_value().ok()?)));
            toml_edit::value(fields.collect::<InlineTable>())
        }
        Value::Null => return None,
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
        assert_eq!(remove(&after, &["mcp_servers", "a-b"]).as_deref(), Ok(before));
        let noted = "[mcp_servers.a]\nenv_vars = [\n  \"A\", # one\n]\nt = 1 # two\n";
        let fields = json!({"env_vars": ["A", "B"], "t": 2});
        let fields = fields.as_object().expect("an object");
        let grown = set(noted, "mcp_servers", "a", fields).expect("it is TOML");
        assert_eq!(entry(&grown, "mcp_servers", "a"), Ok(Some(fields.clone())));
        assert!(grown.contains("# one\n") && grown.contains("t = 2 # two\n"), "{grown}");
        assert_eq!(set("a = \n", "mcp_servers", "a", fields), Err("line 1".into()));
    }
}
