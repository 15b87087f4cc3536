//! How long a turn of a job takes, and which ended jobs are kept.

use std::time::Duration;

use super::limits::TIMEOUT;
use super::{DurationRange, Former, Group, Kind, Setting, Unit};

pub(super) const GROUP: Group = Group { heading: "Jobs", settings: &SETTINGS };

const SETTINGS: [Setting; 4] = [
    Setting {
        flag: "job-timeout",
        variable: "CODEX_PERSISTENT_MCP_JOB_TIMEOUT",
        value_name: "DURATION",
        kind: Kind::Duration { range: TIMEOUT, field: |settings| &mut settings.job_limits.total },
        default: None,
        help: "Timeout of one turn of a job, without the time in the queue",
        docs: "A call can set its own with `timeout_ms`.",
        inherited: false,
        former: Some(Former {
            flag: "job-timeout-ms",
            variable: "CODEX_PERSISTENT_MCP_JOB_TIMEOUT_MS",
            unit: Unit::Milliseconds,
        }),
    },
    Setting {
        flag: "job-idle-timeout",
        variable: "CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT",
        value_name: "DURATION",
        kind: Kind::Duration { range: TIMEOUT, field: |settings| &mut settings.job_limits.idle },
        default: None,
        help: "Idle timeout of a turn of a job",
        docs: "A call can set its own with `idle_timeout_ms`.",
        inherited: false,
        former: Some(Former {
            flag: "job-idle-timeout-ms",
            variable: "CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT_MS",
            unit: Unit::Milliseconds,
        }),
    },
    Setting {
        flag: "job-keep",
        variable: "CODEX_PERSISTENT_MCP_JOB_KEEP",
        value_name: "DURATION",
        kind: Kind::Duration {
            range: DurationRange { least: Duration::ZERO, most: None },
            field: |settings| &mut settings.retention.age,
        },
        default: None,
        help: "How long ended jobs are kept",
        docs: "Older ones are removed when another job ends, and by `jobs prune`. Their sessions stay.",
        inherited: true,
        former: Some(Former {
            flag: "job-keep-hours",
            variable: "CODEX_PERSISTENT_MCP_JOB_KEEP_HOURS",
            unit: Unit::Hours,
        }),
    },
    Setting {
        flag: "job-keep-mb",
        variable: "CODEX_PERSISTENT_MCP_JOB_KEEP_MB",
        value_name: "MIB",
        kind: Kind::Count {
            range: 0..=u32::MAX,
            get: |settings| u32::try_from(settings.retention.bytes >> 20).unwrap_or(u32::MAX),
            set: |settings, mib| settings.retention.bytes = u64::from(mib) << 20,
        },
        default: None,
        help: "How much room all ended jobs together may take, in MiB",
        docs: "If they take more, the oldest are removed.",
        inherited: true,
        former: None,
    },
];
