//! All tools. A new one is defined in a file of its family, and gets a line here.

use std::sync::LazyLock;

use rmcp::model::{CallToolResult, JsonObject, Tool as Definition};
use rmcp::service::{RequestContext, RoleServer};

use super::compat::{self, CompatTool};
use super::definition::{Services, Tool};
use super::{chat, guard, job, sessions};
use crate::model::settings::Settings;
use crate::model::surface::Surface;
use crate::model::tool_list::ToolList;

/// In the order in which clients list them.
static OWN: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    vec![
        chat::tool(),
        guard::plan(),
        guard::work(),
        job::turn_wait::tool(),
        job::jobs::tool(),
        job::send::tool(),
        sessions::list::tool(),
        sessions::read::tool(),
        job::start::tool(),
        job::wait::tool(),
        job::events::tool(),
        job::reply::tool(),
        job::notifications::tool(),
        job::list::tool(),
        job::cancel::tool(),
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

/// The tools that a server with this surface knows. Each can be called.
pub(crate) fn known(surface: Surface) -> impl Iterator<Item = Listed> {
    let (has_own, has_codex) = (surface != Surface::Codex, surface != Surface::Own);
    let own = OWN.iter().filter(move |_| has_own).map(Listed::Own);
    own.chain(COMPAT.iter().filter(move |_| has_codex).map(Listed::Compat))
}

/// Those of them that clients see, in this order.
pub(crate) fn listed(surface: Surface, tools: &ToolList) -> impl Iterator<Item = Listed> {
    known(surface).filter(|tool| match tool {
        Listed::Own(tool) => tools.has(tool.name()),
        Listed::Compat(_) => true,
    })
}

/// The tool of this name, if the server knows it.
pub(crate) fn named(surface: Surface, name: &str) -> Option<Listed> {
    known(surface).find(|tool| tool.name() == name)
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
    use crate::model::tool_list::TOOLS;

    fn names(tools: impl Iterator<Item = Listed>) -> Vec<&'static str> {
        tools.map(Listed::name).collect()
    }

    #[test]
    fn the_tools_are_those_that_the_setting_knows() {
        assert_eq!(names(known(Surface::Own)), TOOLS);
    }

    #[test]
    fn the_surface_decides_which_tools_are_known_and_the_setting_which_are_listed() {
        let compat = ["codex", "codex-reply"];
        assert_eq!(names(known(Surface::Codex)), compat);
        assert_eq!(names(known(Surface::OwnAndCodex)), [&TOOLS[..], &compat].concat());
        for (surface, unknown) in [(Surface::Own, "codex"), (Surface::Codex, chat::NAME)] {
            assert!(named(surface, unknown).is_none(), "{unknown} is known");
        }
        let mut core = ToolList::default();
        core.add("core".parse().expect("it is a set"));
        assert_eq!(names(listed(Surface::OwnAndCodex, &core)), [&TOOLS[..4], &compat].concat());
        assert_eq!(names(listed(Surface::Codex, &core)), compat);
    }
}
