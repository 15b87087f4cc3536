//! `docs/tools.md`, generated from the registry. A test fails when the committed page is stale.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use serde_json::Value;

use super::definition::Tool;
use super::registry;
use crate::model::settings::Settings;

/// Refreshes the page.
const REFRESH: &str = "REFRESH_DOCS=1 cargo test --lib tools_page";

#[test]
fn the_tools_page_is_what_clients_see() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tools.md");
    let page = page(&Settings::default());
    if env::var_os("REFRESH_DOCS").is_some() {
        fs::write(&path, &page).expect("the checkout is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/tools.md is stale. Refresh it: {REFRESH}");
}

fn page(settings: &Settings) -> String {
    let mut page = format!(
        "# Tools\n\n<!-- Generated: change the tools in src/tool, then run `{REFRESH}`. -->\n\n\
         What `tools/list` returns under the default settings. A nested field is written `outer.inner`, \
         a field of a list's entries `list[].field`.\n\n| tool | what it does |\n|---|---|\n"
    );
    for tool in registry::all() {
        let (name, description) = (tool.name(), tool.description);
        let first = description.split_inclusive(". ").next().unwrap_or_default().trim();
        writeln!(page, "| [`{name}`](#{name}) | {first} |").expect("a string takes all");
    }
    page.extend(registry::all().iter().map(|tool| section(tool, settings)));
    page
}

fn section(tool: &Tool, settings: &Settings) -> String {
    let definition = tool.definition_under(settings);
    let hints = definition.annotations.unwrap_or_default();
    let hints: Vec<&str> = [
        (hints.read_only_hint, "read-only"),
        (hints.destructive_hint, "destructive"),
        (hints.idempotent_hint, "idempotent"),
        (hints.open_world_hint, "open-world"),
    ]
    .into_iter()
    .filter_map(|(is_so, hint)| is_so.unwrap_or_default().then_some(hint))
    .collect();
    let mut section = format!(
        "\n## `{}`\n\n**{}.** {}\n\nHints: {}.\n\n| parameter | type | required | description |\n|---|---|---|---|\n",
        tool.name(),
        tool.title,
        tool.description,
        hints.join(", ")
    );
    rows(&mut section, "", &Value::Object((*definition.input_schema).clone()));
    section += "\n| output | type | always | description |\n|---|---|---|---|\n";
    rows(&mut section, "", &tool.output);
    section
}

/// Adds a row for each property of an object, and for those of nested objects.
fn rows(table: &mut String, before: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in properties {
        let required = if required.iter().any(|required| required == name) { "yes" } else { "" };
        let about = property["description"].as_str().unwrap_or_default();
        let about = about.replace('|', "\\|").replace('<', "&lt;");
        let kind = kind_of(property);
        writeln!(table, "| `{before}{name}` | {kind} | {required} | {about} |")
            .expect("a string takes all");
        rows(table, &format!("{before}{name}."), property);
        rows(table, &format!("{before}{name}[]."), &property["items"]);
    }
}

fn kind_of(property: &Value) -> String {
    if let Some(words) = property["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    match (property["type"].as_str(), property["items"]["type"].as_str()) {
        (Some("array"), Some(items)) => format!("list of {items}s"),
        (kind, _) => kind.unwrap_or("any").to_owned(),
    }
}
