//! `codex-reply`: continues a thread.

use rmcp::model::{CallToolResult, JsonObject};
use serde_json::json;

use super::arguments::{Arguments, Refused, Result};
use super::{Call, CompatTool, ending, turn};
use crate::model::session_id::SessionId;
use crate::model::text::excerpt;
use crate::model::value::InvalidValue;

/// Its name.
pub(super) const NAME: &str = "codex-reply";

pub(super) fn tool() -> CompatTool {
    let text = |about: &str| json!({ "description": about, "type": "string" });
    CompatTool {
        name: NAME,
        title: "Codex Reply",
        description: "Continue a Codex conversation by providing the thread id and prompt.",
        input: json!({
            "properties": {
                "conversationId": text("DEPRECATED: use threadId instead."),
                "prompt": text("The *next user prompt* to continue the Codex conversation."),
                "threadId": text("The thread id for this Codex session. This field is required, \
                                  but we keep it optional here for backward compatibility for \
                                  clients that still use conversationId."),
            },
            "required": ["prompt"],
            "type": "object",
        }),
        run: |call| Box::pin(run(call)),
    }
}

async fn run(Call { arguments, services, context }: Call<'_>) -> CallToolResult {
    let call = match ReplyCall::read(arguments) {
        Ok(call) => call,
        Err(refused) => return refused.into(),
    };
    let thread = call.thread;
    let options = services.threads.options(thread);
    match call.prepare(services.codex.settings(), options) {
        Ok(prepared) => turn::run(NAME, prepared, None, services, context).await,
        Err(kind) => ending::refused(NAME, kind, Some(thread)),
    }
}

/// What a call requests.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReplyCall {
    pub(super) thread: SessionId,
    pub(super) prompt: String,
    /// Other arguments. Every version ignored them.
    pub(super) ignored: Vec<String>,
}

impl ReplyCall {
    pub(super) fn read(arguments: Option<JsonObject>) -> Result<Self> {
        let missing = "Missing arguments for codex-reply tool-call; the `thread_id` and `prompt` \
                       fields are required.";
        let mut arguments = Arguments::new(arguments, missing)?;
        let thread = arguments.optional_text("threadId")?;
        let conversation = arguments.optional_text("conversationId")?;
        let prompt = arguments.text("prompt")?;
        // A conversation beside a thread is not even checked.
        let id = thread.or(conversation).ok_or_else(|| {
            unusable_id("either threadId or conversationId must be provided".into())
        })?;
        // Codex's message depends on the version of a library.
        let thread = id
            .parse()
            .map_err(|_: InvalidValue| unusable_id(format!("not a UUID: \"{}\"", excerpt(&id))))?;
        Ok(Self { thread, prompt, ignored: arguments.rest() })
    }
}

fn unusable_id(problem: String) -> Refused {
    Refused(format!("Failed to parse thread_id: {problem}"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::recorded;
    use super::*;

    fn read(arguments: &Value) -> Result<ReplyCall> {
        ReplyCall::read(arguments.as_object().cloned())
    }

    #[test]
    fn wrong_arguments_are_refused_with_codex_own_messages() {
        let mut refused = 0;
        for scenario in ["bad-arguments", "unknown-thread"] {
            for recorded::Exchange { request, answer } in recorded::exchanges(scenario) {
                let result = &answer["result"];
                // A thread id in the answer means that the arguments were fine.
                if request["params"]["name"] == "codex-reply"
                    && result["structuredContent"].is_null()
                {
                    let refusal = read(&request["params"]["arguments"]);
                    let Err(Refused(ours)) = refusal else { panic!("accepted: {request}") };
                    let theirs = result["content"][0]["text"].as_str().unwrap_or_default();
                    match ours.split_once("not a UUID") {
                        Some((start, _)) => {
                            assert!(theirs.starts_with(&format!("{start}invalid ")), "{theirs}");
                        }
                        None => assert_eq!(ours, theirs),
                    }
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 7, "the recordings have seven such calls");
    }

    #[test]
    fn the_thread_may_have_either_name() {
        let mut read_calls = 0;
        for recorded::Exchange { request, answer } in recorded::exchanges("call") {
            if request["params"]["name"] == "codex-reply" {
                let call = read(&request["params"]["arguments"]).expect("Codex accepted it");
                let thread = &answer["result"]["structuredContent"]["threadId"];
                assert_eq!(call.thread.to_string(), *thread);
                assert_eq!(call.prompt, request["params"]["arguments"]["prompt"]);
                read_calls += 1;
            }
        }
        assert_eq!(read_calls, 3, "by threadId, by conversationId, and by both");
    }
}
