//! `codex` and `codex-reply`, the tools of Codex's own MCP server, `codex mcp-server`, which Codex 0.154 removed.
//!
//! Clients see exactly what 0.153.4 listed. The arguments are the union of what its versions took, and a wrong
//! one is refused with the message of 0.153.4. `tests/fixtures/mcp-server` has what that server said.

mod answer;
mod arguments;
mod codex;
mod codex_reply;
mod ending;
mod events;
#[cfg(test)]
mod recorded;
mod request;
mod turn;

use std::sync::Arc;

use futures::future::BoxFuture;
use rmcp::model::{CallToolResult, JsonObject, Tool as Definition};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use super::definition::Services;
use super::schema::object;

pub(crate) use answer::unknown_tool;

/// A tool as Codex's server defined it: without hints, and without the limits of this server.
pub(crate) struct CompatTool {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// The schema of its parameters, in the order of keys in which Codex sent it.
    input: Value,
    run: for<'a> fn(Call<'a>) -> BoxFuture<'a, CallToolResult>,
}

/// A call with arguments that have not been read.
struct Call<'a> {
    arguments: Option<JsonObject>,
    services: &'a Services,
    context: &'a RequestContext<RoleServer>,
}

impl CompatTool {
    /// What clients see of the tool. Equal to Codex's, byte for byte.
    pub(super) fn definition(&self) -> Definition {
        Definition::new(self.name, self.description, Arc::new(object(self.input.clone())))
            .with_title(self.title)
            .with_raw_output_schema(Arc::new(object(output())))
    }

    /// Answers a call. For Codex's server, missing arguments and an empty object are different errors.
    pub(super) async fn call(
        &self,
        arguments: Option<JsonObject>,
        services: &Services,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        (self.run)(Call { arguments, services, context }).await
    }
}

/// Both tools, in the order in which Codex listed them.
pub(super) fn all() -> [CompatTool; 2] {
    [codex::tool(), codex_reply::tool()]
}

/// The schema of the answers of both.
fn output() -> Value {
    json!({
        "type": "object",
        "properties": { "threadId": { "type": "string" }, "content": { "type": "string" } },
        "required": ["threadId", "content"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Vec<Value> {
        all().iter().map(|tool| json!(tool.definition())).collect()
    }

    #[test]
    fn the_definitions_are_those_of_codex_byte_for_byte() {
        let theirs = recorded::result("handshake", "tools/list");
        let Some(Value::Array(theirs)) = theirs.get("tools") else { panic!("a list of tools") };
        let ours = definitions();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            let (ours, theirs) = (object(ours.clone()), object(theirs.clone()));
            for (field, value) in &theirs {
                assert_eq!(ours.get(field), Some(value), "{field} of {}", theirs["name"]);
            }
            assert_eq!(Value::Object(ours).to_string(), Value::Object(theirs).to_string());
        }
    }
}
