//! The text block beside the structured content of a success, for clients that give their model only that:
//! Gemini CLI, opencode, Continue, LangChain and the Agents SDK. Pure.

use serde_json::{Map, Value};

use crate::model::text::{LineBreaks, escape_controls};

/// Writes the text block of an answer with this content.
pub(super) type Plain = fn(&Map<String, Value>) -> String;

/// The content as JSON.
pub(super) fn json(content: &Map<String, Value>) -> String {
    serde_json::to_string(content).unwrap_or_default()
}

/// A turn: its reply, then a line with the rest that a caller acts on.
pub(super) fn turn(content: &Map<String, Value>) -> String {
    let text = |name: &str| content.get(name).and_then(Value::as_str);
    let reply = ["reply", "critique", "review", "result"].into_iter().find_map(text);
    let mut plain = String::new();
    if let Some(verdict) = text("verdict") {
        plain += &format!("Verdict: {verdict}\n\n");
    }
    let reply = reply.unwrap_or_default().trim_end();
    plain += reply;
    let findings = content.get("findings").and_then(Value::as_array).into_iter().flatten();
    let missing: Vec<String> = findings.filter_map(|finding| missing(finding, reply)).collect();
    if !missing.is_empty() {
        plain += &format!("\n\nFindings:\n{}", missing.join("\n"));
    }
    plain += &format!("\n\n[{}]", details(content).join(" · "));
    plain
}

/// A finding as an item of a list, unless the text of the review has its title.
fn missing(finding: &Value, review: &str) -> Option<String> {
    let text = |name: &str| finding[name].as_str().map(str::trim).filter(|text| !text.is_empty());
    let title = text("title")?;
    if review.contains(title) {
        return None;
    }
    let mut item = format!("- {}: {title}", text("severity").unwrap_or("finding"));
    item += &text("where").map(|place| format!(" ({place})")).unwrap_or_default();
    for name in ["why", "suggestion"] {
        item +=
            &text(name).map(|more| format!(". {}", more.trim_end_matches('.'))).unwrap_or_default();
    }
    Some(item)
}

/// Session, job, changed files and warnings, each in a phrase.
pub(super) fn details(content: &Map<String, Value>) -> Vec<String> {
    let mut details = Vec::new();
    for (name, what) in [("job_id", "job_id"), ("status", "status"), ("session_id", "session_id")] {
        details.extend(content.get(name).and_then(Value::as_str).map(|id| format!("{what} {id}")));
    }
    if let Some(files) = content.get("files_changed").and_then(Value::as_array) {
        let names: Vec<&str> = files.iter().filter_map(Value::as_str).collect();
        let omitted = content.get("files_changed_omitted").and_then(Value::as_u64);
        let more = omitted.map(|more| format!(" and {more} more")).unwrap_or_default();
        details.push(match &names[..] {
            [] => "no files changed".to_owned(),
            names => {
                format!(
                    "files changed: {}{more}",
                    escape_controls(&names.join(", "), LineBreaks::Escape)
                )
            }
        });
    }
    let warnings = content.get("warnings").and_then(Value::as_array).into_iter().flatten();
    details.extend(warnings.filter_map(Value::as_str).map(|warning| format!("warning: {warning}")));
    details
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(content: Value) -> String {
        turn(content.as_object().expect("it is an object"))
    }

    #[test]
    fn a_turn_is_its_reply_and_one_line() {
        let content = json!({
            "session_id": "0199", "reply": "Done.\n", "files_changed": ["a.rs", "b.rs"],
            "files_changed_omitted": 3, "warnings": ["Look."], "cwd": "/", "usage": {},
        });
        assert_eq!(
            plain(content),
            "Done.\n\n[session_id 0199 · files changed: a.rs, b.rs and 3 more · warning: Look.]"
        );
        let review = json!({"session_id": "0199", "critique": "No.", "verdict": "block"});
        assert_eq!(plain(review), "Verdict: block\n\nNo.\n\n[session_id 0199]");
    }

    #[test]
    fn a_review_lists_the_findings_that_its_text_lacks() {
        let finding = |title: &str| {
            json!({
                "severity": "major", "title": title, "where": "a.rs:1", "why": "It fails.",
                "suggestion": "Mend it",
            })
        };
        let review = json!({
            "session_id": "0199", "review": "A leak.", "verdict": "revise",
            "findings": [finding("A leak"), finding("A race")],
        });
        assert_eq!(
            plain(review),
            "Verdict: revise\n\nA leak.\n\nFindings:\n- major: A race (a.rs:1). It fails. Mend it\n\n\
             [session_id 0199]"
        );
    }
}
