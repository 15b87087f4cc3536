//! `docs/tools.md`, generated from the registry. A test fails when the committed page is stale.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use rmcp::model::ToolAnnotations;
use serde_json::Value;

use super::registry::{self, Listed};
use crate::model::settings::Settings;
use crate::model::surface::Surface;
use crate::model::tool_list::{SETS, ToolList};

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

const HEAD: &str = "\
The tools as clients see them under the default settings. A nested field is written `outer.inner`, a field
of a list's entries `list[].field`. Texts of a call may have 1,000,000 characters together. An unknown
parameter is an error, so a misspelt `session_id` never starts a new session; an empty text or `null` counts
as absent.
";

const SETS_HEAD: &str = "\
## Which tools are listed

Each listed tool costs tokens in every request that a client sends to its model. `--tools` (or the variable
`CODEX_PERSISTENT_MCP_TOOLS`) takes names of tools and of these sets, separated by commas, and replaces the
default list: `async` lists only the `job_` tools, `core,async` lists both. *Every tool can be called, whether
it is listed or not.*

| set | tools |
|---|---|
";

const UNLISTED_HEAD: &str = "\
# Tools that are not listed by default

They do what the listed ones do, under their former names and with their former parameters. The `job_` tools
have the names and parameters of codex-async-mcp.
";

fn page(settings: &Settings) -> String {
    let mut page = format!(
        "# Tools\n\n<!-- Generated: change the tools in src/tool, then run `{REFRESH}`. -->\n\n{HEAD}\n"
    );
    let default = ToolList::default();
    let is_listed = |tool: &Listed| default.has(tool.name());
    let (listed, others): (Vec<Listed>, Vec<Listed>) =
        registry::known(Surface::OwnAndCodex).partition(is_listed);
    page += &overview(&listed);
    page += "\n";
    page += SETS_HEAD;
    for (set, tools) in SETS {
        let tools: Vec<String> = tools.iter().map(|tool| format!("`{tool}`")).collect();
        writeln!(page, "| `{set}` | {} |", tools.join(", ")).expect("a string takes all");
    }
    page.extend(listed.iter().map(|tool| section(*tool, settings)));
    page += "\n";
    page += UNLISTED_HEAD;
    page += "\n";
    page += &overview(&others);
    page.extend(others.iter().map(|tool| section(*tool, settings)));
    page
}

/// A table with a line for each tool.
fn overview(tools: &[Listed]) -> String {
    let mut table = String::from("| tool | what it does |\n|---|---|\n");
    for tool in tools {
        let (name, definition) = (tool.name(), tool.definition());
        let description = definition.description.unwrap_or_default();
        let first = description.split_inclusive(". ").next().unwrap_or_default().trim();
        writeln!(table, "| [`{name}`](#{name}) | {first} |").expect("a string takes all");
    }
    table
}

fn section(tool: Listed, settings: &Settings) -> String {
    let definition = tool.definition_under(settings);
    let mut section = format!(
        "\n## `{}`\n\n**{}.** {}\n\n{}\n\n{PARAMETERS}",
        tool.name(),
        definition.title.unwrap_or_default(),
        definition.description.unwrap_or_default(),
        match tool {
            Listed::Own(_) =>
                format!("Hints: {}.", hints(definition.annotations.unwrap_or_default())),
            Listed::Compat(_) => COMPAT.into(),
        },
    );
    let has_options = definition.input_schema["properties"].get("options").is_some();
    rows(&mut section, "", &Value::Object((*definition.input_schema).clone()));
    let output = match tool {
        Listed::Own(own) => {
            let unlisted = own.unlisted_under(settings);
            if !unlisted.is_empty() {
                section += match has_options {
                    true => "\nIn `options`, or beside it:\n\n",
                    false => "\nAlso accepted, though clients do not see it:\n\n",
                };
                section += PARAMETERS;
                rows(&mut section, "", &serde_json::json!({ "properties": unlisted }));
            }
            own.output().clone()
        }
        Listed::Compat(_) => {
            let output = definition.output_schema.expect("every tool has one");
            Value::Object((*output).clone())
        }
    };
    section += "\n| output | type | always | description |\n|---|---|---|---|\n";
    rows(&mut section, "", &output);
    section
}

const PARAMETERS: &str = "| parameter | type | required | description |\n|---|---|---|---|\n";

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
