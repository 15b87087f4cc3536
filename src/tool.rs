//! The tools: what they take, what Codex is asked, what they answer.

mod arguments;
mod chat;
mod definition;
mod guard;
mod job;
mod progress;
mod reply;
mod schema;
mod sessions;
mod size_limit;
mod verdict;

use rmcp::model::{JsonObject, Tool as Definition};

use crate::model::outcome::FailureKind;
use crate::model::request::TurnRequest;
use crate::model::settings::{Origin, Settings};
pub(crate) use job::{JobTool, begin_chat, blocking, chat_result};
/// What clients are told of a tool under the operator's settings.
pub(crate) fn under(settings: &Settings, definition: &Definition) -> Definition {
    definition::under(settings, definition)
}

pub(crate) use progress::Progress;
pub(crate) use reply::{failed, reply};
pub(crate) use sessions::SessionTool;

/// A tool of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Chat,
    GuardPlan,
    GuardFinal,
}

impl Tool {
    /// All of them, in the order in which they are listed.
    pub(crate) const ALL: [Self; 3] = [Self::Chat, Self::GuardPlan, Self::GuardFinal];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "codex_chat",
            Self::GuardPlan => "codex_guard_plan",
            Self::GuardFinal => "codex_guard_final",
        }
    }

    /// The name of the field that holds Codex's reply.
    pub(crate) fn reply_field(self) -> &'static str {
        match self {
            Self::Chat => "reply",
            Self::GuardPlan => "critique",
            Self::GuardFinal => "review",
        }
    }

    /// What clients are told of the tool. Made once: every call's arguments are checked against it.
    pub(crate) fn definition(self) -> &'static Definition {
        definition::of(self)
    }

    /// Checks the arguments of a call, and makes of them what Codex is asked.
    pub(crate) fn request(
        self,
        arguments: JsonObject,
        origin: &Origin,
    ) -> Result<TurnRequest, FailureKind> {
        match self {
            Self::Chat => chat::request(arguments, origin),
            Self::GuardPlan => guard::plan_request(arguments, origin),
            Self::GuardFinal => guard::final_request(arguments, origin),
        }
    }
}
