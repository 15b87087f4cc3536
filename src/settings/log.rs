//! What is logged, and where.

use super::{Group, Kind, Setting, change};

pub(super) const GROUP: Group = Group { heading: "Log", settings: &SETTINGS };

const SETTINGS: [Setting; 2] = [
    Setting {
        flag: "debug",
        variable: "CODEX_PERSISTENT_MCP_DEBUG",
        value_name: "BOOL",
        kind: Kind::Switch {
            get: |settings| settings.logging.debug,
            set: |settings, on| settings.logging.debug = on,
        },
        default: None,
        help: "Log in detail, with what Codex writes to standard error",
        docs: "The log is on standard error. Prompts and replies are never logged.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "log-file",
        variable: "CODEX_PERSISTENT_MCP_LOG_FILE",
        value_name: "FILE",
        kind: Kind::Text {
            read: |file| {
                let file = super::absolute(file)?;
                change(move |settings| settings.logging.file = Some(file.clone()))
            },
            write: |settings| settings.logging.file.as_ref().map(Into::into),
        },
        default: Some("none"),
        help: "Append the detailed log to this file, which only you can read",
        docs: "Its mode becomes 0600, also if it existed before.",
        inherited: true,
        former: None,
    },
];
