//! The command line that starts a job's process with the settings of this one.

use std::ffi::OsString;

use crate::model::settings::Settings;

/// The program's command that runs one job.
pub(crate) const RUN_JOB: &str = "run-job";

/// The arguments that run a job under these settings, except the job's id. Flags win over variables, so the
/// process does not depend on what it inherits from the environment.
pub(crate) fn runner_arguments(settings: &Settings) -> Vec<OsString> {
    // To its own process, the turn of a job is a call.
    let settings = Settings { limits: settings.job_limits, ..settings.clone() };
    let mut arguments: Vec<OsString> = vec![RUN_JOB.into()];
    for setting in super::all().filter(|setting| setting.inherited) {
        for value in setting.values(&settings) {
            arguments.extend([format!("--{}", setting.flag).into(), value]);
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::limits::Limits;

    #[test]
    fn a_turn_of_a_job_gets_the_limits_of_jobs() {
        let total = Duration::from_millis(90_500);
        let settings = Settings {
            job_limits: Limits { total, idle: Duration::from_secs(120) },
            ..Settings::default()
        };
        let arguments = runner_arguments(&settings);
        let value = |flag: &str| {
            let at = arguments.iter().position(|argument| argument == flag)?;
            arguments[at + 1].to_str()
        };
        assert_eq!(arguments[0], RUN_JOB);
        assert_eq!(value("--timeout"), Some("90500ms"));
        assert_eq!(value("--idle-timeout"), Some("2m"));
        assert_eq!(value("--max-sandbox"), Some("workspace-write"));
        // An empty list must win over a variable too.
        assert_eq!(value("--allowed-dirs"), Some(""));
        assert_eq!((value("--job-timeout"), value("--log-file")), (None, None));
    }
}
