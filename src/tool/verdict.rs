//! The verdict and findings of a review, which let a program act on it.

use serde_json::{Map, Value, json};

use super::schema::object;
use crate::model::options::OutputSchema;

/// The possible verdicts.
pub(super) const VERDICTS: [&str; 3] = ["approve", "revise", "block"];

/// How severe a finding can be.
const SEVERITIES: [&str; 4] = ["blocker", "major", "minor", "suggestion"];

/// The schema of Codex's final message. All fields are required, because providers demand that.
pub(super) fn schema(text_field: &str) -> OutputSchema {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let schema = json!({
        "type": "object",
        "properties": {
            text_field: text("The full review, in Markdown."),
            "verdict": { "type": "string", "enum": VERDICTS },
            "findings": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "severity": { "type": "string", "enum": SEVERITIES },
                        "title": text("One line."),
                        "where": text("File and line, or the part of the plan."),
                        "why": text("What goes wrong."),
                        "suggestion": text("How to fix it."),
                    },
                    "required": ["severity", "title", "where", "why", "suggestion"],
                    "additionalProperties": false,
                },
            },
        },
        "required": [text_field, "verdict", "findings"],
        "additionalProperties": false,
    });
    OutputSchema::new(object(schema)).expect("it is short")
}

/// The text, and the verdict and findings, of a reply that follows the schema.
pub(super) fn read(text_field: &str, output: &Value) -> Option<(String, Map<String, Value>)> {
    let text = output.get(text_field)?.as_str()?.to_owned();
    let (verdict, findings) = (output.get("verdict")?, output.get("findings")?);
    let is_known = verdict.as_str().is_some_and(|verdict| VERDICTS.contains(&verdict));
    let texts = |finding: &Value| {
        finding.as_object().is_some_and(|finding| finding.values().all(Value::is_string))
    };
    let are_findings = findings.as_array().is_some_and(|findings| findings.iter().all(texts));
    let kept = [("verdict".to_owned(), verdict.clone()), ("findings".to_owned(), findings.clone())];
    (is_known && are_findings).then(|| (text, kept.into_iter().collect()))
}

/// Whether a review approves the work.
pub(super) fn approves(review: &Map<String, Value>) -> bool {
    review.get("verdict").is_some_and(|verdict| verdict == VERDICTS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_one_of_three_with_findings_in_words() {
        let reply = |verdict: &str, findings: Value| {
            let output = json!({"critique": "Text.", "verdict": verdict, "findings": findings});
            read("critique", &output)
        };
        let (text, kept) = reply("revise", json!([{"title": "x"}])).expect("it is one");
        assert_eq!(text, "Text.");
        assert_eq!(Value::from(kept), json!({"verdict": "revise", "findings": [{"title": "x"}]}));
        assert!(reply("maybe", json!([])).is_none());
        assert!(reply("block", json!([1])).is_none());
        assert!(read("review", &json!({"verdict": "block", "findings": []})).is_none());
    }
}
