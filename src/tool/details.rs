//! What an error says beyond kind, message and advice: the session, changed files, warnings and the partial
//! reply, as text and as structured content. Pure.

use std::path::Path;

use serde_json::{Map, Value};

use super::reply::{changed, shortened};
use crate::job::State;
use crate::model::changed_files::ChangedFiles;
use crate::model::outcome::Failure;
use crate::model::text::{LineBreaks, escape_controls, sanitize};

/// The longest partial reply in an error, in characters: Claude Code cuts errors at 10,000.
pub(super) const MAX_PARTIAL_CHARS: usize = 6_000;

/// What is known about a turn that was not completed.
pub(super) struct Details<'a> {
    job_id: Option<String>,
    session: Option<Session>,
    cwd: Option<&'a Path>,
    files_changed: &'a ChangedFiles,
    warnings: Vec<String>,
    partial_reply: Option<&'a str>,
}

struct Session {
    id: String,
    /// Absent if Codex keeps no record of it.
    resume_command: Option<String>,
}

impl<'a> From<&'a Failure> for Details<'a> {
    fn from(failure: &'a Failure) -> Self {
        let session = failure
            .session_id
            .map(|id| Session { id: id.to_string(), resume_command: Some(id.resume_command()) });
        Self {
            job_id: None,
            session,
            cwd: failure.working_dir.as_deref(),
            files_changed: &failure.files_changed,
            warnings: failure.warnings.clone(),
            partial_reply: failure.partial_reply.as_deref(),
        }
    }
}

impl<'a> From<&'a State> for Details<'a> {
    fn from(state: &'a State) -> Self {
        let session = state
            .session_id
            .map(|id| Session { id: id.to_string(), resume_command: state.resume_command() });
        Self {
            job_id: Some(state.job_id.to_string()),
            session: session.filter(|session| session.resume_command.is_some()),
            cwd: state.cwd.as_deref(),
            files_changed: &state.files_changed,
            warnings: state.warnings.iter().cloned().chain(state.activity.warning()).collect(),
            partial_reply: state.error.as_ref().and_then(|error| error.partial_reply.as_deref()),
        }
    }
}

impl Details<'_> {
    /// The text that follows the advice. `id` is what the tool calls the id of a session.
    pub(super) fn text(&self, id: &str) -> String {
        let mut text = String::new();
        if let Some(job) = &self.job_id {
            text += &format!("\njob_id: {job}\n");
        }
        if let Some(session) = &self.session {
            text += &format!("\n{id}: {}\n", session.id);
            if let Some(resume) = &session.resume_command {
                text += &format!("resume_command: {resume}\n");
            }
            if let Some(cwd) = self.cwd {
                text += &format!("cwd: {}\n", sanitize(cwd.display(), LineBreaks::Escape));
            }
        }
        if !self.files_changed.is_empty() {
            text += &format!("\nFiles changed: {}\n", listed(self.files_changed, self.cwd));
        }
        for warning in &self.warnings {
            text += &format!("\nWarning: {warning}\n");
        }
        if let Some(partial) = self.partial_reply {
            let (partial, _) = shortened(partial.to_owned(), MAX_PARTIAL_CHARS);
            text += &format!("\nPartial reply:\n{}\n", escape_controls(&partial, LineBreaks::Keep));
        }
        text
    }

    /// The same as fields.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        if let Some(job) = &self.job_id {
            fields.insert("job_id".into(), job.as_str().into());
        }
        if let Some(Session { id, resume_command }) = &self.session {
            fields.insert("session_id".into(), id.as_str().into());
            if let Some(resume) = resume_command {
                fields.insert("resume_command".into(), resume.as_str().into());
            }
            if let Some(cwd) = self.cwd {
                fields.insert("cwd".into(), cwd.to_string_lossy().into());
            }
        }
        if let Some(partial) = self.partial_reply {
            let (partial, _) = shortened(partial.to_owned(), MAX_PARTIAL_CHARS);
            fields.insert("partial_reply".into(), partial.into());
        }
        fields.extend(changed(self.files_changed, self.cwd, false));
        if !self.warnings.is_empty() {
            fields.insert("warnings".into(), self.warnings.clone().into());
        }
        fields
    }
}

/// The most changed files that the text of an error names, and the longest list in characters.
const MAX_NAMED: usize = 20;
const MAX_NAMED_CHARS: usize = 1_000;

/// The changed files on one line.
fn listed(files: &ChangedFiles, working_dir: Option<&Path>) -> String {
    let paths = match working_dir {
        Some(dir) => files.relative_to(dir),
        None => files.paths.clone(),
    };
    let mut room = MAX_NAMED_CHARS;
    let named: Vec<String> = paths
        .iter()
        .take(MAX_NAMED)
        .map(|path| sanitize(path, LineBreaks::Escape))
        .take_while(|path| {
            let fits = path.chars().count() <= room;
            room = room.saturating_sub(path.chars().count());
            fits
        })
        .collect();
    match (&named[..], paths.len() - named.len() + files.omitted) {
        ([], count) => format!("{count} files"),
        (named, 0) => named.join(", "),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_few_files_and_counts_the_rest() {
        let files = |paths: Vec<String>, omitted: usize| {
            listed(&ChangedFiles { paths, omitted }, Some(Path::new("/p")))
        };
        assert_eq!(files(vec!["/p/a".into(), "/q/b".into()], 0), "a, /q/b");
        let many = (0..200).map(|number| format!("/p/{number}")).collect();
        assert!(files(many, 5).ends_with("18, 19 and 185 more"));
        assert_eq!(files(vec!["x".repeat(MAX_NAMED_CHARS + 1)], 1), "2 files");
    }
}
