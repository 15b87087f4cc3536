//! Which Codex runs where, and what the server offers.

use super::{Group, Kind, Setting, change, utf8};
use crate::model::settings::Origin;
use crate::model::tool_list::Listing;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;

pub(super) const GROUP: Group = Group { heading: "General", settings: &SETTINGS };

const SETTINGS: [Setting; 7] = [
    Setting {
        flag: "codex-bin",
        variable: "CODEX_BIN",
        value_name: "PROGRAM",
        kind: Kind::Text {
            read: |program| {
                if program.is_empty() {
                    return Err(InvalidValue("must not be empty".into()));
                }
                let program = program.to_owned();
                change(move |settings| settings.codex_bin.clone_from(&program))
            },
            write: |settings| Some(settings.codex_bin.clone()),
        },
        default: None,
        help: "The Codex to run: a name on the PATH, or a path",
        docs: "If it is the script of the npm package, the native program inside the package is started directly. \
               A missing program is no error at the start, but of each call.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "cwd",
        variable: "CODEX_MCP_CWD",
        value_name: "DIR",
        kind: Kind::Text {
            read: |dir| {
                let dir = WorkingDir::existing(dir)?;
                change(move |settings| settings.working_dir.clone_from(&dir))
            },
            write: |settings| Some(settings.working_dir.as_path().into()),
        },
        default: Some("the current directory"),
        help: "Where new sessions work if the call does not name a directory",
        docs: "The directory must exist. The commands `chat` and `sessions` take the flag as the directory of \
               the session.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "origin",
        variable: "CODEX_PERSISTENT_MCP_ORIGIN",
        value_name: "NAME",
        kind: Kind::Text {
            read: |name| {
                let origin = Origin::parse(utf8(name)?)?;
                change(move |settings| settings.origin.clone_from(&origin))
            },
            write: |settings| Some(settings.origin.to_string().into()),
        },
        default: None,
        help: "The sender that the header of each prompt names",
        docs: "One line of 1 to 100 characters, without `|`, `[` and `]`.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "state-dir",
        variable: "CODEX_PERSISTENT_MCP_STATE_DIR",
        value_name: "DIR",
        kind: Kind::Text {
            read: |dir| {
                let dir = super::absolute(dir)?;
                change(move |settings| settings.state_dir = Some(dir.clone()))
            },
            write: |settings| settings.state_dir.as_ref().map(Into::into),
        },
        default: Some(
            "codex-persistent-mcp in $XDG_STATE_HOME, or in ~/.local/state if that is not set",
        ),
        help: "The folder for jobs, the shared queue, and other state",
        docs: "All servers with the same folder share one queue of calls, and the same jobs. It should be on a \
               local disk, and readable by you alone.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "tools",
        variable: "CODEX_PERSISTENT_MCP_TOOLS",
        value_name: "TOOLS",
        kind: Kind::List {
            read: |word| {
                let listing: Listing = utf8(word)?.parse()?;
                change(move |settings| settings.tools.add(listing))
            },
            write: |settings| settings.tools.words().into_iter().map(Into::into).collect(),
        },
        default: None,
        help: "The listed tools: default, core, async, all or names, separated by commas",
        docs: "`core` is `codex_chat`, the two guards and `codex_job_wait`. `async` is the `job_` tools, for \
               callers that know the names of codex-async-mcp. Every tool can be called, whether listed or \
               not; fewer listed tools cost fewer tokens in each request of the client.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "tasks",
        variable: "CODEX_PERSISTENT_MCP_TASKS",
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.tasks,
            set: |settings, on| settings.tasks = on,
        },
        default: None,
        help: "Answer codex_chat with a task if the client supports tasks",
        docs: "A task (MCP's tasks extension) is a job, so it outlives the server.",
        inherited: false,
        former: None,
    },
    Setting {
        flag: "list-sessions",
        variable: "CODEX_PERSISTENT_MCP_LIST_SESSIONS",
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.list_sessions,
            set: |settings, on| settings.list_sessions = on,
        },
        default: None,
        help: "Include new sessions in the list of plain `codex resume`, by changing one word in their records",
        docs: "After the first turn of a session, `\"exec\"` in the first line of its record becomes `\"cli\"`. \
               This is the only thing that the server ever writes in Codex's store.",
        inherited: true,
        former: None,
    },
];
