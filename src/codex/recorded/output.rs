//! What came of a call, as a record has it. Pure.

use serde_json::Value;

/// What a call gave back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    /// The exit status of a command.
    pub(super) exit_code: Option<i64>,
    /// What was printed, or why there is no status.
    pub(super) printed: String,
}

/// The texts of an output, which is one or a list of them.
pub(super) fn parts(output: &Value) -> Vec<String> {
    let text = |text: &Value| text.as_str().map(str::to_owned);
    match output {
        Value::Array(parts) => parts.iter().filter_map(|part| text(&part["text"])).collect(),
        Value::Object(fields) => fields.get("content").and_then(text).into_iter().collect(),
        other => text(other).into_iter().collect(),
    }
}

/// How the head of an output ends.
const HEAD_ENDS: &str = "\nOutput:\n";

/// How long a head is at most, in bytes.
const MAX_HEAD: usize = 500;

impl Output {
    /// Reads an `output`.
    pub(super) fn read(output: &Value) -> Self {
        let text = parts(output).join("\n");
        Self::object(&text).unwrap_or_else(|| Self::with_head(&text))
    }

    /// One that is JSON, as versions before 0.100 write it.
    fn object(text: &str) -> Option<Self> {
        let value: Value = text.starts_with('{').then(|| serde_json::from_str(text).ok())??;
        let printed = value["output"].as_str()?.to_owned();
        Some(Self { exit_code: value["metadata"]["exit_code"].as_i64(), printed })
    }

    /// One with a head in which the exit status stands. A patch in a command has two of them.
    fn with_head(text: &str) -> Self {
        let mut rest = text;
        let mut exit_code = None;
        while exit_code.is_none()
            && let Some((head, printed)) = rest.split_once(HEAD_ENDS)
            && head.len() <= MAX_HEAD
            && head.lines().any(|line| line.starts_with("Wall time"))
        {
            exit_code = head.lines().find_map(status);
            rest = printed;
        }
        Self { exit_code, printed: rest.to_owned() }
    }
}

/// The exit status in a line of a head.
fn status(line: &str) -> Option<i64> {
    let words = ["Process exited with code ", "Exit code: "];
    words.into_iter().find_map(|words| line.strip_prefix(words)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(output: &Value) -> (Option<i64>, String) {
        let Output { exit_code, printed } = Output::read(output);
        (exit_code, printed)
    }

    #[test]
    fn the_status_and_what_was_printed_are_found_in_every_form() {
        let exec = "Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code 3\nOriginal token count: 1\nOutput:\n";
        assert_eq!(read(&json!(format!("{exec}no\n"))), (Some(3), "no\n".into()));
        let printed = "Exit code: 0\nWall time: 0 seconds\nOutput:\nno\n";
        assert_eq!(read(&json!(format!("{exec}{printed}"))), (Some(3), printed.into()));
        assert_eq!(read(&json!(printed)), (Some(0), "no\n".into()));
        let twice = format!("Wall time: 0.0000 seconds\nOutput:\n{printed}");
        assert_eq!(read(&json!(twice)), (Some(0), "no\n".into()));
        let object = json!({"output": "no", "metadata": {"exit_code": 1}}).to_string();
        assert_eq!(read(&json!(object)), (Some(1), "no".into()));
        assert_eq!(read(&json!("patch rejected: no")), (None, "patch rejected: no".into()));
        assert_eq!(read(&json!([{"text": "a"}, {"text": "b"}])), (None, "a\nb".into()));
        let runs = "Wall time: 0.3 seconds\nProcess running with session ID 1\nOutput:\nno";
        assert_eq!(read(&json!(runs)), (None, "no".into()));
    }
}
