//! The argument list of one run. Pure: no file, no process, no prompt.

use std::ffi::OsString;

use crate::turn::request::{Model, ReasoningEffort, Sandbox, SessionId, WorkingDir};

/// What one run of Codex is told on its command line. The prompt is not a part of it: it goes to
/// standard input, where it can neither be read as a flag nor be seen in the process list.
#[derive(Debug, Clone)]
pub(crate) struct Invocation<'a> {
    pub(crate) working_dir: &'a WorkingDir,
    pub(crate) sandbox: Option<Sandbox>,
    pub(crate) model: Option<&'a Model>,
    pub(crate) effort: Option<&'a ReasoningEffort>,
    pub(crate) resume: Option<SessionId>,
}

impl Invocation<'_> {
    /// `exec … [resume <id>] -`. Options stand before `resume`: Codex refuses `-s` after it.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            ["exec", "--skip-git-repo-check", "--json", "-C"].map(Into::into).into();
        arguments.push(self.working_dir.as_path().into());
        if let Some(sandbox) = self.sandbox {
            arguments.extend(["-s".into(), sandbox.as_str().into()]);
        }
        if let Some(model) = self.model {
            arguments.extend(["-m".into(), model.as_str().into()]);
        }
        if let Some(effort) = self.effort {
            let setting = format!("model_reasoning_effort=\"{}\"", effort.as_str());
            arguments.extend(["-c".into(), setting.into()]);
        }
        if let Some(session) = self.resume {
            arguments.extend(["resume".into(), session.to_string().into()]);
        }
        arguments.push("-".into());
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_before_resume_and_the_prompt_is_read_from_stdin() {
        let working_dir = WorkingDir::existing("/").expect("the root exists");
        let session = "0199a213-81c0-7800-8aa1-bbab2a035a53";
        let invocation = Invocation {
            working_dir: &working_dir,
            sandbox: Some(Sandbox::WorkspaceWrite),
            model: Some(&Model::parse("gpt-5").expect("a plain name")),
            effort: Some(&ReasoningEffort::parse("high").expect("a plain word")),
            resume: Some(session.parse().expect("a UUID")),
        };
        let line = invocation.arguments().join(" ".as_ref());
        assert_eq!(
            line.to_str().expect("all of it is text"),
            format!(
                "exec --skip-git-repo-check --json -C / -s workspace-write -m gpt-5 \
                 -c model_reasoning_effort=\"high\" resume {session} -"
            )
        );
    }
}
