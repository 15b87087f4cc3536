//! Matches the end of a call with its start. Pure.

use std::collections::VecDeque;

use super::entry::{Entry, File, What};
use crate::model::time::Time;

/// Maximum number of calls to remember that have started and not ended.
const MAX_OPEN: usize = 256;

/// The calls that have started and not ended.
#[derive(Debug, Default)]
pub(super) struct Calls(VecDeque<Call>);

#[derive(Debug)]
struct Call {
    id: String,
    /// Calls of different requests may have the same id.
    request: Option<String>,
    at: Option<Time>,
    start: What,
}

impl Calls {
    /// Adds to an entry what only the start of its call tells. Returns false if the entry says nothing then.
    pub(super) fn complete(&mut self, entry: &mut Entry) -> bool {
        let Some((id, is_start)) = id(&entry.what) else { return true };
        let found = self.0.iter().position(|call| call.id == *id && call.request == entry.request);
        let started = found.and_then(|at| self.0.remove(at));
        if is_start {
            if self.0.len() == MAX_OPEN {
                self.0.pop_front();
            }
            let (id, request) = (id.clone(), entry.request.clone());
            self.0.push_back(Call { id, request, at: entry.at, start: entry.what.clone() });
            return true;
        }
        let took = || {
            let ms = entry.at?.0.checked_sub(started.as_ref()?.at?.0)?;
            Some(std::time::Duration::from_millis(ms))
        };
        let took = took();
        let start = started.map(|call| call.start);
        if let What::CallEnded { call, exit_code, output } = &entry.what {
            let (call, exit_code, output) = (call.clone(), *exit_code, output.clone());
            let Some(ended) = ended(start, call, exit_code, output) else { return false };
            entry.what = ended;
        } else if let What::CommandEnded { command: command @ None, .. } = &mut entry.what
            && let Some(What::CommandBegan { command: started, .. }) = start
        {
            *command = Some(started);
        }
        if let What::CommandEnded { duration: duration @ None, .. }
        | What::ToolEnded { duration: duration @ None, .. } = &mut entry.what
        {
            *duration = took;
        }
        true
    }
}

/// The end of the call that started so.
fn ended(
    start: Option<What>,
    call: String,
    exit_code: Option<i64>,
    output: String,
) -> Option<What> {
    Some(match start? {
        What::CommandBegan { command, .. } => What::CommandEnded {
            call,
            command: Some(command),
            exit_code,
            duration: None,
            output,
            declined: false,
        },
        What::PatchBegan { files, .. } => {
            What::PatchEnded { call, files, applied: is_applied(exit_code, &output), output }
        }
        What::ToolBegan { tool, .. } => What::ToolEnded { call, tool, duration: None, error: None },
        _ => return None,
    })
}

/// Whether Codex's answer to `apply_patch` says so: with an exit code, or with this text (0.77 to 0.171).
fn is_applied(exit_code: Option<i64>, output: &str) -> bool {
    exit_code.map_or_else(|| output.contains("Success."), |code| code == 0)
}

/// The id of the call, and whether this is its start.
fn id(what: &What) -> Option<(&String, bool)> {
    match what {
        What::CommandBegan { call, .. }
        | What::PatchBegan { call, .. }
        | What::ToolBegan { call, .. }
        | What::SearchBegan { call } => Some((call, true)),
        What::CommandEnded { call, .. }
        | What::PatchEnded { call, .. }
        | What::ToolEnded { call, .. }
        | What::SearchEnded { call, .. }
        | What::CallEnded { call, .. } => Some((call, false)),
        _ => None,
    }
}

/// The paths of files, for a text.
pub(crate) fn paths(files: &[File]) -> impl Iterator<Item = &str> {
    files.iter().map(|file| file.path.as_str())
}
