//! `docs/tools.md`, generated from the registry. A test fails when the committed page is stale.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use rmcp::model::ToolAnnotations;
use serde_json::Value;

use super::registry::{self, Listed};
use crate::model::settings::Settings;
use crate::model::surface::Surface;

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
         What `tools/list` returns under the default settings, and the two tools of `codex mcp-server` at the end. A nested field is written `outer.inner`, \
         a field of a list's entries `list[].field`.\n\n| tool | what it does |\n|---|---|\n"
    );
    let tools: Vec<Listed> = registry::known(Surface::OwnAndCodex).collect();
    for tool in &tools {
        let (name, definition) = (tool.name(), tool.definition());
        let description = definition.description.unwrap_or_default();
        let first = description.split_inclusive(". ").next().unwrap_or_default().trim();
        writeln!(page, "| [`{name}`](#{name}) | {first} |").expect("a string takes all");
    }
    page.extend(tools.iter().map(|tool| section(*tool, settings)));
    page
}

fn section(tool: Listed, settings: &Settings) -> String {
    let definition = tool.definition_under(settings);
    let mut section = format!(
        "\n## `{}`\n\n**{}.** {}\n\n{}\n\n| parameter | type | required | description |\n|---|---|---|---|\n",
        tool.name(),
        definition.title.unwrap_or_default(),
        definition.description.unwrap_or_default(),
        match tool {
            Listed::Own(_) =>
                format!("Hints: {}.", hints(definition.annotations.unwrap_or_default())),
            Listed::Compat(_) => COMPAT.into(),
        },
    );
    rows(&mut section, "", &Value::Object((*definition.input_schema).clone()));
    section += "\n| output | type | always | description |\n|---|---|---|---|\n";
    let output = definition.output_schema.expect("every tool has one");
    rows(&mut section, "", &Value::Object((*output).clone()));
    section
}

/// What the page says of a tool of Codex's own server.
const COMPAT: &str = "A tool of `codex mcp-server`, as Codex 0.153.4 defined it. Listed with `--list-codex-tools \
                      true`, and alone by the command `mcp-server`.";

fn hints(hints: ToolAnnotations) -> String {
    let hints: Vec<&str> = [
        (hints.read_only_hint, "read-only"),
        (hints.destructive_hint, "destructive"),
        (hints.idempotent_hint, "idempotent"),
        (hints.open_world_hint, "open-world"),
    ]
    .into_iter()
    .filter_map(|(is_so, hint)| is_so.unwrap_or_default().then_some(hint))
    .collect();
    hints.join(", ")
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
