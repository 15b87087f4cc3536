//! The shared queue as seen by a process that is not in it.

use std::path::Path;

use super::calls::others_in;
use super::table::{QUEUE_FOLDER, ServerInfo, Snapshot, Unavailable, snapshot};

/// What is going on in all servers with the same state folder.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Servers that are alive. A server is listed from its first call on.
    pub(crate) servers: Vec<ServerInfo>,
    pub(crate) running: usize,
    pub(crate) waiting: usize,
}

/// Reads the shared queue. Writes nothing; removing dead servers is left to those in the queue.
pub(crate) fn survey(state_dir: &Path) -> Result<Survey, Unavailable> {
    let Some(Snapshot { slots, servers }) = snapshot(&state_dir.join(QUEUE_FOLDER))? else {
        return Ok(Survey::default());
    };
    let mut calls = others_in(&slots, &[]);
    calls.retain(|seen| servers.iter().any(|(name, _)| *name == seen.entry.server));
    let running = calls.iter().filter(|seen| seen.entry.running).count();
    Ok(Survey {
        servers: servers.into_iter().map(|(_, who)| who).collect(),
        running,
        waiting: calls.len() - running,
    })
}
