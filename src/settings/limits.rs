//! How long calls take, and how many run.

use std::time::Duration;

use super::{DurationRange, Former, Group, Kind, Setting, Unit};
use crate::model::limits::MAX_LIMIT;

pub(super) const GROUP: Group = Group { heading: "Limits of calls", settings: &SETTINGS };

/// What a timeout may be.
pub(super) const TIMEOUT: DurationRange =
    DurationRange { least: Duration::from_millis(1), most: Some(MAX_LIMIT) };

const SETTINGS: [Setting; 5] = [
    Setting {
        flag: "timeout",
        variable: "CODEX_PERSISTENT_MCP_TIMEOUT",
        value_name: "DURATION",
        kind: Kind::Duration { range: TIMEOUT, field: |settings| &mut settings.limits.total },
        default: None,
        help: "Timeout of a whole call, waiting in the queue included",
        docs: "A call can set its own with `timeout_ms`. The command `mcp-server` has the timeouts of jobs unless \
               this is set. When the timeout is reached, Codex is stopped, and the \
               session can be resumed.",
        inherited: true,
        former: Some(Former {
            flag: "timeout-ms",
            variable: "CODEX_PERSISTENT_MCP_TIMEOUT_MS",
            unit: Unit::Milliseconds,
        }),
    },
    Setting {
        flag: "idle-timeout",
        variable: "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT",
        value_name: "DURATION",
        kind: Kind::Duration { range: TIMEOUT, field: |settings| &mut settings.limits.idle },
        default: None,
        help: "Timeout without any event from Codex, while it runs no command and no tool call",
        docs: "A call can set its own with `idle_timeout_ms`. The command `mcp-server` has the idle timeout of jobs \
               unless this is set.",
        inherited: true,
        former: Some(Former {
            flag: "idle-timeout-ms",
            variable: "CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS",
            unit: Unit::Milliseconds,
        }),
    },
    Setting {
        flag: "busy-wait",
        variable: "CODEX_PERSISTENT_MCP_BUSY_WAIT",
        value_name: "DURATION",
        kind: Kind::Duration {
            range: DurationRange { least: Duration::ZERO, most: Some(MAX_LIMIT) },
            field: |settings| &mut settings.busy_wait,
        },
        default: None,
        help: "How long to wait for a session that the user has open",
        docs: "After that the call fails with `session_busy`. It can be repeated with `fork`, which works on a \
               copy of the session.",
        inherited: true,
        former: Some(Former {
            flag: "busy-wait-ms",
            variable: "CODEX_PERSISTENT_MCP_BUSY_WAIT_MS",
            unit: Unit::Milliseconds,
        }),
    },
    Setting {
        flag: "max-concurrent",
        variable: "CODEX_PERSISTENT_MCP_MAX_CONCURRENT",
        value_name: "N",
        kind: Kind::Count {
            range: 1..=1_000,
            get: |settings| u32::try_from(settings.max_concurrent).unwrap_or(u32::MAX),
            set: |settings, number| settings.max_concurrent = number as usize,
        },
        default: None,
        help: "How many calls run at a time, in all servers of the user",
        docs: "It counts the calls of all servers with the same `--state-dir`, and the turns of jobs.",
        inherited: true,
        former: None,
    },
    Setting {
        flag: "max-queued",
        variable: "CODEX_PERSISTENT_MCP_MAX_QUEUED",
        value_name: "N",
        kind: Kind::Count {
            range: 0..=10_000,
            get: |settings| u32::try_from(settings.max_queued).unwrap_or(u32::MAX),
            set: |settings, number| settings.max_queued = number as usize,
        },
        default: None,
        help: "How many further calls wait in this server before it refuses more",
        docs: "A refused call fails with `too_many_calls`. The command `mcp-server` lets 1,000 calls wait unless \
               this is set.",
        inherited: false,
        former: None,
    },
];
