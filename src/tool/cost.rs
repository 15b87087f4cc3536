//! What the list of tools costs a client's model, counted with the tokenizer of OpenAI's models (o200k).

use rmcp::model::{ListToolsResult, Tool as Definition};
use serde_json::{Value, json};
use tiktoken_rs::o200k_base_singleton;

use super::registry;
use crate::model::settings::Settings;
use crate::model::surface::Surface;
use crate::model::tool_list::ToolList;

/// The most tokens of each set: as the model sees it, and on the wire.
const LIMITS: [(&str, usize, usize); 4] = [
    ("default", 1_600, 2_600),
    ("core", 1_050, 1_700),
    ("async", 1_600, 2_450),
    ("all", 3_400, 5_200),
];

fn tokens(value: &Value) -> usize {
    o200k_base_singleton().encode_ordinary(&value.to_string()).len()
}

/// A tool as clients describe it to their model: name, description and input schema.
fn as_the_model_sees_it(tool: &Definition) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "input_schema": *tool.input_schema,
    })
}

#[test]
fn the_list_of_tools_is_short() {
    for (set, most_seen, most_sent) in LIMITS {
        let mut tools = ToolList::default();
        tools.add(set.parse().expect("it is a set"));
        let settings = Settings { tools, ..Settings::default() };
        let listed = registry::listed(Surface::Own, &settings.tools);
        let tools: Vec<Definition> = listed.map(|tool| tool.definition_under(&settings)).collect();
        let seen: Value = tools.iter().map(as_the_model_sees_it).collect();
        for tool in &tools {
            let alone = as_the_model_sees_it(tool);
            println!("  {:4} {}", tokens(&alone), tool.name);
        }
        let sent = json!(ListToolsResult::with_all_items(tools));
        let (seen, sent) = (tokens(&seen), tokens(&sent));
        println!("{set}: {seen} tokens as the model sees it, {sent} on the wire");
        assert!(seen <= most_seen, "{set}: {seen} tokens");
        assert!(sent <= most_sent, "{set}: {sent} tokens on the wire");
    }
}
