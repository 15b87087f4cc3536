//! All tools. A new one is defined in a file of its family, and gets a line here.

use std::sync::LazyLock;

use rmcp::model::{CallToolResult, JsonObject, Tool as Definition};
use rmcp::service::{RequestContext, RoleServer};

use super::compat::{self, CompatTool};
use super::definition::{Services, Tool};
use super::{chat, guard, job, sessions};
use crate::model::settings::Settings;
use crate::model::surface::Surface;

/// In the order in which clients list them.
static OWN: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    vec![
        chat::tool(),
        guard::plan(),
        guard::work(),
        job::start::tool(),
        job::wait::tool(),
        job::events::tool(),
        job::reply::tool(),
        job::notifications::tool(),
        job::list::tool(),
        job::cancel::tool(),
        sessions::list::tool(),
        sessions::read::tool(),
    ]
});

/// Those of Codex's own server.
static COMPAT: LazyLock<[CompatTool; 2]> = LazyLock::new(compat::all);

/// A tool of either kind.
#[derive(Clone, Copy)]
pub(crate) enum Listed {
    Own(&'static Tool),
    Compat(&'static CompatTool),
}

/// The tools that a server with this surface lists, in this order. It knows no others.
pub(crate) fn listed(surface: Surface) -> Vec<Listed> {
    let own = OWN.iter().map(Listed::Own);
    let compat = COMPAT.iter().map(Listed::Compat);
    match surface {
        Surface::Own => own.collect(),
        Surface::OwnAndCodex => own.chain(compat).collect(),
        Surface::Codex => compat.collect(),
    }
}

/// The tool of this name, if it is listed.
pub(crate) fn named(surface: Surface, name: &str) -> Option<Listed> {
    listed(surface).into_iter().find(|tool| tool.name() == name)
}

impl Listed {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own(tool) => tool.name(),
            Self::Compat(tool) => tool.name,
        }
    }

    /// What clients see of the tool, whatever the operator's settings.
    pub(crate) fn definition(self) -> Definition {
        match self {
            Self::Own(tool) => tool.definition(),
            Self::Compat(tool) => tool.definition(),
        }
    }

    /// What clients see of the tool. Only the server's own tools depend on the settings.
    pub(crate) fn definition_under(self, settings: &Settings) -> Definition {
        match self {
            Self::Own(tool) => tool.definition_under(settings),
            Self::Compat(tool) => tool.definition(),
        }
    }

    /// Answers a call.
    pub(crate) async fn call(
        self,
        arguments: Option<JsonObject>,
        services: &Services,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        match self {
            Self::Own(tool) => tool.call(arguments.unwrap_or_default(), services, context).await,
            Self::Compat(tool) => tool.call(arguments, services, context).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(surface: Surface) -> Vec<&'static str> {
        listed(surface).into_iter().map(Listed::name).collect()
    }

    #[test]
    fn the_surface_decides_which_tools_are_listed_and_known() {
        let own = names(Surface::Own);
        assert_eq!((own.len(), own[0]), (12, chat::NAME));
        let compat = ["codex", "codex-reply"];
        assert_eq!(names(Surface::Codex), compat);
        assert_eq!(names(Surface::OwnAndCodex), [&own[..], &compat].concat());
        for (surface, unknown) in [(Surface::Own, "codex"), (Surface::Codex, chat::NAME)] {
            assert!(named(surface, unknown).is_none(), "{unknown} is known");
        }
    }
}
