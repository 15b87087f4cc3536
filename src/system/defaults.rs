//! The default settings, of which two depend on the process: its current directory, and the user's state
//! folder.

use std::time::Duration;

use super::private;
use crate::model::limits::Limits;
use crate::model::operator_config::OperatorConfig;
use crate::model::policy::Policy;
use crate::model::settings::{Logging, Origin, Retention, Settings};
use crate::model::surface::Surface;
use crate::model::tool_list::ToolList;
use crate::model::working_dir::WorkingDir;

impl Default for Settings {
    fn default() -> Self {
        Self {
            codex_bin: "codex".into(),
            working_dir: std::env::current_dir()
                .ok()
                .and_then(|dir| WorkingDir::from_path(dir).ok())
                .unwrap_or_else(WorkingDir::root),
            origin: Origin::default(),
            limits: Limits::default(),
            job_limits: Limits {
                total: Duration::from_secs(4 * 60 * 60),
                idle: Duration::from_secs(15 * 60),
            },
            retention: Retention::default(),
            busy_wait: Duration::from_secs(30),
            max_concurrent: 8,
            max_queued: 64,
            state_dir: private::default_state_dir(),
            tasks: true,
            list_sessions: false,
            policy: Policy::default(),
            surface: Surface::Own,
            tools: ToolList::default(),
            codex_events: false,
            prompt_header: false,
            one_thread: false,
            operator_config: OperatorConfig::default(),
            #[cfg(feature = "http")]
            http: crate::model::http::Http::default(),
            logging: Logging::default(),
        }
    }
}
