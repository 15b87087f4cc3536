//! Matches the end of a call with its start. Pure.

use std::collections::VecDeque;

use super::entry::{Entry, What};
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
}

impl Calls {
    /// Adds to the end of a call how long it took, if only the times of both tell.
    pub(super) fn complete(&mut self, entry: &mut Entry) {
        let Some((id, is_start)) = id(&entry.what) else { return };
        let found = self.0.iter().position(|call| call.id == *id && call.request == entry.request);
        let started = found.and_then(|at| self.0.remove(at));
        if is_start {
            if self.0.len() == MAX_OPEN {
                self.0.pop_front();
            }
            let (id, request) = (id.clone(), entry.request.clone());
            self.0.push_back(Call { id, request, at: entry.at });
            return;
        }
        let took = || {
            let ms = entry.at?.0.checked_sub(started.as_ref()?.at?.0)?;
            Some(std::time::Duration::from_millis(ms))
        };
        let took = took();
        if let What::CommandEnded { duration: duration @ None, .. }
        | What::ToolEnded { duration: duration @ None, .. } = &mut entry.what
        {
            *duration = took;
        }
    }
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
        | What::SearchEnded { call, .. } => Some((call, false)),
        _ => None,
    }
}
