//! What later turns of a thread have from the call that started it, beyond what Codex's record keeps. Codex's server,
//! too, kept it only as long as it ran.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::options::{Options, Override};
use crate::model::session_id::SessionId;

/// How many threads are remembered, and how many bytes of settings. The oldest are forgotten first.
const MAX_THREADS: usize = 1_000;
const MAX_BYTES: usize = 8 << 20;

/// The settings of threads that were started here. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Threads(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    threads: VecDeque<(SessionId, Options)>,
    bytes: usize,
}

impl Threads {
    /// Remembers the profile, the settings and the developer instructions of these options. Of the others, Codex's
    /// record keeps what later turns need.
    pub(super) fn remember(&self, thread: SessionId, options: &Options) {
        let options = Options {
            profile: options.profile.clone(),
            config: options.config.clone(),
            compact_prompt: options.compact_prompt.clone(),
            // The record has them until Codex compacts the session.
            developer_instructions: options.developer_instructions.clone(),
            ..Options::default()
        };
        if options != Options::default() {
            self.lock().push(thread, options);
        }
    }

    /// The options of a later turn of the thread.
    pub(super) fn options(&self, thread: SessionId) -> Options {
        let remembered = self.lock();
        let found = remembered.threads.iter().rev().find(|(id, _)| *id == thread);
        found.map(|(_, options)| options.clone()).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn push(&mut self, thread: SessionId, options: Options) {
        self.bytes += size(&options);
        self.threads.push_back((thread, options));
        while self.threads.len() > MAX_THREADS || self.bytes > MAX_BYTES {
            let Some((_, options)) = self.threads.pop_front() else { return };
            self.bytes -= size(&options);
        }
    }
}

fn size(Options { config, compact_prompt, developer_instructions, .. }: &Options) -> usize {
    let settings: usize = config.iter().map(Override::to_string).map(|it| it.len()).sum();
    let texts = [compact_prompt, developer_instructions];
    settings + texts.into_iter().flatten().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::options::MAX_OPTION_BYTES;

    fn id(number: usize) -> SessionId {
        format!("00000000-0000-7000-8000-{number:012}").parse().expect("a UUID")
    }

    #[test]
    fn only_the_newest_threads_are_remembered_within_both_bounds() {
        let threads = Threads::default();
        threads.remember(id(0), &Options::default());
        assert!(threads.lock().threads.is_empty(), "there is nothing to remember");

        let short = Options { compact_prompt: Some("x".into()), ..Options::default() };
        (0..=MAX_THREADS).for_each(|number| threads.remember(id(number), &short));
        assert_eq!(threads.options(id(0)), Options::default());
        assert_eq!((threads.options(id(1)), threads.lock().bytes), (short, MAX_THREADS));

        let long =
            Options { compact_prompt: Some("x".repeat(MAX_OPTION_BYTES)), ..Options::default() };
        let fitting = MAX_BYTES / MAX_OPTION_BYTES;
        (0..=fitting).for_each(|number| threads.remember(id(number), &long));
        assert_eq!(threads.lock().threads.len(), fitting);
        assert_eq!(threads.options(id(fitting)), long);
    }
}
