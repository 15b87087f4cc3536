//! `codex_chat`: a question, a task, the next message of a session.

use rmcp::model::JsonObject;

use super::Tool;
use super::arguments::{Arguments, Result, invalid};
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::settings::Origin;
use crate::model::value::InvalidValue;

pub(super) fn request(arguments: JsonObject, origin: &Origin) -> Result<TurnRequest> {
    let arguments = Arguments::new(Tool::Chat, arguments)?;
    Ok(request_of(arguments, Tool::Chat.name(), origin)?.0)
}

/// The request, and the text in it that is the caller's own.
pub(super) fn request_of(
    mut arguments: Arguments,
    tool: &str,
    origin: &Origin,
) -> Result<(TurnRequest, String)> {
    let text = arguments.text("prompt")?;
    let sandbox = arguments.parsed("sandbox", str::parse::<Sandbox>)?;
    let parts = [Part { title: "request", text: &text }];
    let prompt =
        compose(origin, tool, None, &parts).map_err(|problem| invalid("prompt", problem))?;
    let sandbox = sandbox.map_or(SandboxChoice::Inherit, SandboxChoice::Set);
    let options = arguments.options()?;
    let fork = arguments.flag("fork")?;
    let last = arguments.flag("continue_last")?;
    let request = arguments.into_request(prompt, options)?.sandbox(sandbox);
    let request = request.fork(fork).continue_last(last);
    if fork && request.session.is_none() && !last {
        let problem = InvalidValue("needs session_id, the session to copy".into());
        return Err(invalid("fork", problem));
    }
    Ok((request, text))
}
