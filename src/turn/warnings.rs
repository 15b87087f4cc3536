//! Warnings that come with an outcome.

use std::time::Duration;

use super::call::Call;
use super::plan::Plan;
use crate::codex::developer_message::{self, When};
use crate::codex::sandbox_denials::SandboxDenials;
use crate::codex::transcript::Transcript;
use crate::model::effective::Effective;
use crate::model::policy;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::text::{self, LineBreaks};
use crate::system::bounded::blocking;

/// How long an answer waits to learn that.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

pub(super) const UNRECORDED: &str =
    "Codex keeps no record of this session because of --ephemeral, so it cannot be resumed.";

/// The warnings of a plan. They contain names that callers chose.
pub(super) fn of_plan(plan: &Plan) -> Vec<String> {
    plan.warnings.iter().map(|warning| text::sanitize(warning, LineBreaks::Escape)).collect()
}

/// A warning, if Codex did not read the developer instructions that it was given.
pub(super) async fn unread_instructions(plan: &Plan) -> Option<String> {
    let (file, When::AtStart) = plan.scratch.files.developer_message.as_ref()? else {
        return None;
    };
    let mark = developer_message::read_mark(file);
    // What is not known to be missing counts as read.
    let is_read = blocking(LOOK_WITHIN, move || mark.exists()).await.unwrap_or(true);
    (!is_read).then(|| {
        "The developer instructions did not reach Codex: it did not run the hook that passes them. An \
         administrator may allow only hooks of their own. Put the instructions into the prompt."
            .into()
    })
}

/// A warning, if the reply is missing or may not be complete.
pub(super) fn of_reply(transcript: &Transcript) -> Option<String> {
    if transcript.skipped_after_reply {
        return Some(format!(
            "Codex printed an event of {} bytes, which exceeds the limit. If the reply is incomplete, the \
             session has all of it.",
            transcript.longest_skipped
        ));
    }
    let is_empty = transcript.reply.as_ref().is_none_or(|reply| reply.trim().is_empty());
    is_empty.then(|| "Codex completed the turn without a message.".into())
}

/// A warning, if a stricter sandbox was in force than the turn was given.
pub(super) fn stricter(effective: &Effective, given: Option<Sandbox>) -> Option<String> {
    let (got, given) = (effective.sandbox?, given?);
    (got < given).then(|| {
        format!(
            "The turn ran in the sandbox {} instead of {}, because something on this machine, such as \
             Codex's requirements.toml or managed_config.toml, allows no more.",
            got.as_str(),
            given.as_str()
        )
    })
}

impl Call {
    /// A warning, if the sandbox refused something, with what to request instead.
    pub(super) fn refusal_warning(
        &self,
        refused: &SandboxDenials,
        effective: Option<&Effective>,
        plan: &Plan,
    ) -> Option<String> {
        let first = refused.first.as_ref()?;
        if refused.not_run.count > 0 && refused.commands == 0 {
            // The warning about commands that did not run covers these.
            return None;
        }
        let sandbox = effective.and_then(|effective| effective.sandbox).or(plan.sandbox);
        let (sandbox, again) = match sandbox {
            None => ("The sandbox".into(), String::new()),
            Some(Sandbox::DangerFullAccess) => return None,
            Some(sandbox) => {
                let mut again = self.again(sandbox);
                if sandbox == Sandbox::WorkspaceWrite && refused.commands == 0 {
                    again += &format!(
                        " Patches also fail like this if the machine cannot create a sandbox. `{} doctor` \
                         shows whether it can.",
                        env!("CARGO_PKG_NAME")
                    );
                }
                (format!("The turn ran in the sandbox {}, which", sandbox.as_str()), again)
            }
        };
        let count = |count: u64, one: &str, more: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        };
        let what = [
            count(refused.commands, "command", "commands"),
            count(refused.patches, "patch", "patches"),
        ];
        let what: Vec<String> = what.into_iter().flatten().collect();
        Some(format!(
            "{sandbox} seems to have blocked {}, the first: {first}{again}",
            what.join(" and "),
        ))
    }

    /// What to request so that this sandbox does not block the turn.
    fn again(&self, sandbox: Sandbox) -> String {
        // A guard changes nothing, whatever the request.
        if matches!(self.request.sandbox, SandboxChoice::Once(_)) {
            return String::new();
        }
        if self.request.fixed_sandbox {
            return ". A reply runs in the sandbox of its thread; only a new thread can have another one."
                .into();
        }
        let most = self.policy.max_sandbox;
        let operator = format!("the operator can allow more with {}.", policy::MAX_SANDBOX);
        match (sandbox, most) {
            (Sandbox::ReadOnly, Sandbox::ReadOnly) => {
                format!(". This server allows no other sandbox; {operator}")
            }
            (Sandbox::ReadOnly, _) => {
                ". To let Codex change files, send the prompt again with sandbox: \"workspace-write\".".into()
            }
            (_, Sandbox::DangerFullAccess) => {
                ". It can write only to its cwd and add_dirs. Send the prompt again with these set, or \
                 with sandbox: \"danger-full-access\"."
                    .into()
            }
            (_, _) => {
                format!(
                    ". It can write only to its cwd and add_dirs. Send the prompt again with these set; \
                     {operator}"
                )
            }
        }
    }
}
