//! The tools of Codex's former MCP server, `codex mcp-server`.

use super::{Group, Kind, Setting};
use crate::model::surface::Surface;

pub(super) const GROUP: Group =
    Group { heading: "Compatibility with codex mcp-server", settings: &SETTINGS };

const SETTINGS: [Setting; 4] = [
    Setting {
        flag: "list-codex-tools",
        variable: "CODEX_PERSISTENT_MCP_LIST_CODEX_TOOLS",
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.surface.has_codex_tools(),
            set: |settings, on| {
                settings.surface = if on { Surface::OwnAndCodex } else { Surface::Own };
            },
        },
        default: None,
        help: "List the tools codex and codex-reply of `codex mcp-server` beside the server's own",
        docs: "The command `mcp-server` lists only these two, whatever this says.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "codex-events",
        variable: "CODEX_PERSISTENT_MCP_CODEX_EVENTS",
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.codex_events,
            set: |settings, on| settings.codex_events = on,
        },
        default: Some("`true` for `mcp-server`, else `false`"),
        help: "Send what happens in a turn of codex and codex-reply as `codex/event` notifications",
        docs: "`codex mcp-server` sent them to every client.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "prompt-header",
        variable: "CODEX_PERSISTENT_MCP_PROMPT_HEADER",
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.prompt_header,
            set: |settings, on| settings.prompt_header = on,
        },
        default: None,
        help: "Put the header that names the sender in front of prompts of codex and codex-reply",
        docs: "Prompts of the server's own tools always have it.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "one-thread",
        variable: "CODEX_PERSISTENT_MCP_ONE_THREAD",
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.one_thread,
            set: |settings, on| settings.one_thread = on,
        },
        default: None,
        help: "Let every call of codex after the first continue the thread of the first",
        docs: "It holds for one process of the command `mcp-server`, and is for a script that pipes several \
               prompts into it. Later calls wait until the first has its thread; if it fails without one, the \
               next call starts it. A later call may set other parameters; the model and the sandbox stay as it \
               set them, all others are again those of the first call.",
        inherited: false,
        former: None,
    },
];
