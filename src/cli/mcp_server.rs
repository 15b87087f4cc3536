//! The command `mcp-server`, which takes the place of `codex mcp-server`.

use clap::Args;

use super::codex_flags::{CodexFlags, Unusable};
use super::flags::Flags;
use crate::model::settings::Settings;
use crate::model::surface::Surface;

/// The name of the command.
pub(super) const NAME: &str = "mcp-server";

/// How many calls may wait, if no setting says otherwise: a file of requests has many.
const MAX_QUEUED: usize = 1_000;

/// What the command takes beside the settings.
#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// The flags of `codex` that stand before the command.
    #[arg(skip)]
    before: CodexFlags,

    #[command(flatten)]
    codex: CodexFlags,
}

impl Arguments {
    /// Adds the flags that stand before the command.
    pub(super) fn after(&mut self, before: CodexFlags) {
        self.before = before;
    }

    /// The settings, with the defaults of this command where nothing was given.
    ///
    /// # Errors
    ///
    /// If a setting of Codex cannot be used.
    pub(super) fn settings(&self, flags: &Flags) -> Result<Settings, Unusable> {
        let mut settings = flags.settings();
        settings.surface = Surface::Codex;
        if !flags.is_given("codex-events") {
            settings.codex_events = true;
        }
        // A call of `codex mcp-server` could take as long as it wanted.
        if !flags.is_given("timeout") {
            settings.limits.total = settings.job_limits.total;
        }
        if !flags.is_given("idle-timeout") {
            settings.limits.idle = settings.job_limits.idle;
        }
        // It also took any number of calls.
        if !flags.is_given("max-queued") {
            settings.max_queued = MAX_QUEUED;
        }
        // Of two settings of the same key the later one wins.
        self.before.apply(&mut settings)?;
        self.codex.apply(&mut settings)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let value = |name| variables.iter().find(|(variable, _)| *variable == name);
        let flags = Flags::from_variables(|name| value(name).map(|(_, value)| value.into()));
        let flags = flags.expect("they can be used");
        Arguments::default().settings(&flags).expect("there are no flags of Codex")
    }

    #[test]
    fn the_command_has_defaults_of_its_own_which_settings_override() {
        let plain = settings(&[]);
        assert_eq!(plain.surface, Surface::Codex);
        assert!(plain.codex_events && !plain.prompt_header && !plain.one_thread);
        assert_eq!(plain.limits, plain.job_limits);
        assert_eq!(plain.max_queued, MAX_QUEUED);

        let set = settings(&[
            ("CODEX_PERSISTENT_MCP_CODEX_EVENTS", "off"),
            ("CODEX_PERSISTENT_MCP_LIST_CODEX_TOOLS", "on"),
            ("CODEX_PERSISTENT_MCP_TIMEOUT", "90s"),
            ("CODEX_PERSISTENT_MCP_MAX_QUEUED", "7"),
            ("CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT", "7m"),
        ]);
        assert_eq!(set.surface, Surface::Codex);
        assert!(!set.codex_events);
        assert_eq!(set.limits.total, Duration::from_secs(90));
        assert_eq!(set.max_queued, 7);
        assert_eq!(set.limits.idle, Duration::from_secs(7 * 60));
    }
}
