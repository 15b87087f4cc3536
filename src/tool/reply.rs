//! The answer to a call whose turn was completed. All other endings are in [`super::error`].

use std::path::Path;

use serde_json::{Map, Value, json};

use super::verdict;
use crate::model::changed_files::ChangedFiles;
use crate::model::effective::Effective;
use crate::model::outcome::Answer;
use crate::model::text::{HeadTail, split_head_tail};

/// The longest reply in an answer, in characters. Claude Code accepts 500,000 for the whole answer.
pub(super) const MAX_REPLY_CHARS: usize = 400_000;

/// The form of an answer, beyond the fields that all answers have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// The reply as it is, in the field `reply`.
    Reply,
    /// A review whose text is in this field, with a verdict and findings.
    Review { field: &'static str },
}

/// The content of the answer for a completed turn.
pub(super) fn content(form: Form, answer: Answer) -> Map<String, Value> {
    let Answer {
        session_id,
        is_recorded,
        no_sandbox,
        reply,
        output,
        files_changed,
        working_dir,
        effective,
        usage,
        session_usage,
        mut warnings,
    } = answer;
    let (field, reply, beside) = match form {
        Form::Reply => {
            let output = output.map(|output| ("output".to_owned(), output));
            ("reply", reply, output.into_iter().collect())
        }
        Form::Review { field } => match output.map(|output| verdict::read(field, &output)) {
            Some(Some((text, mut review))) => {
                if no_sandbox && verdict::approves(&review) {
                    review.remove("verdict");
                    warnings.push(
                        "Codex approved what it could not inspect, so there is no verdict.".into(),
                    );
                }
                (field, text, review)
            }
            Some(None) => {
                let warning =
                    "The reply does not follow the review schema, so there is no verdict.";
                warnings.push(warning.into());
                (field, reply, Map::new())
            }
            None => (field, reply, Map::new()),
        },
    };
    let (reply, warning) = shortened(reply, MAX_REPLY_CHARS);
    warnings.extend(warning);
    let mut content = Map::new();
    content.insert("session_id".into(), session_id.to_string().into());
    content.insert(field.into(), reply.into());
    content.extend(beside);
    let may_write = effective.as_ref().is_some_and(Effective::may_write);
    content.extend(changed(&files_changed, Some(&working_dir), may_write));
    if !warnings.is_empty() {
        content.insert("warnings".into(), warnings.into());
    }
    if is_recorded {
        content.insert("resume_command".into(), session_id.resume_command().into());
    }
    content.insert("cwd".into(), working_dir.to_string_lossy().into());
    if let Some(mut effective) = effective {
        effective.cwd = effective.cwd.filter(|cwd| *cwd != working_dir);
        content.insert("effective".into(), json!(effective));
    }
    if let Some(usage) = usage {
        content.insert("usage".into(), json!(usage));
    }
    // In the first turn of a session both are the same.
    if let Some(usage) = session_usage.filter(|session| Some(*session) != usage) {
        content.insert("session_usage".into(), json!(usage));
    }
    content
}

/// The changed files, relative to where Codex worked. An empty list says that a turn that was allowed to
/// write did not change any.
pub(super) fn changed(
    files: &ChangedFiles,
    working_dir: Option<&Path>,
    may_write: bool,
) -> Map<String, Value> {
    let mut fields = Map::new();
    if may_write || !files.is_empty() {
        let paths = working_dir.map_or_else(|| files.paths.clone(), |dir| files.relative_to(dir));
        fields.insert("files_changed".into(), paths.into());
    }
    if files.omitted > 0 {
        fields.insert("files_changed_omitted".into(), files.omitted.into());
    }
    fields
}

/// A text of at most `max_chars`, without its middle, and a warning if something was left out.
pub(super) fn shortened(text: String, max_chars: usize) -> (String, Option<String>) {
    let Some(HeadTail { head, tail, omitted_chars: left_out }) = split_head_tail(&text, max_chars)
    else {
        return (text, None);
    };
    let warning = format!(
        "The reply has {} characters; {left_out} of them were omitted from its middle. The \
         session has all of it.",
        max_chars + left_out
    );
    (format!("{head}\n[… {left_out} characters omitted …]\n{tail}"), Some(warning))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::tool::{chat, guard};

    #[test]
    fn every_field_of_an_answer_is_described() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/answers.md");
        let page = fs::read_to_string(page).expect("there is a page about answers");
        for tool in [chat::tool(), guard::plan(), guard::work()] {
            let fields = tool.output()["properties"].as_object().expect("an answer has fields");
            for field in fields.keys() {
                assert!(page.contains(&format!("`{field}`")), "docs/answers.md lacks {field}");
            }
        }
    }
}
