//! The output of a call in a record. Pure.

use serde_json::Value;

/// The result of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::codex) struct Output {
    /// The exit status of a command.
    pub(in crate::codex) exit_code: Option<i64>,
    /// The output, or the reason why there is no exit status.
    pub(in crate::codex) printed: String,
}

/// The texts of an output, which is a single text or a list.
pub(in crate::codex) fn parts(output: &Value) -> Vec<String> {
    let text = |text: &Value| text.as_str().map(str::to_owned);
    match output {
        Value::Array(parts) => parts.iter().filter_map(|part| text(&part["text"])).collect(),
        Value::Object(fields) => fields.get("content").and_then(text).into_iter().collect(),
        other => text(other).into_iter().collect(),
    }
}

/// The end of an output's header.
const HEADER_END: &str = "\nOutput:\n";

/// Maximum length of a header, in bytes.
const MAX_HEADER_BYTES: usize = 500;

impl Output {
    /// Reads the `output` field of a call's output.
    pub(in crate::codex) fn read(output: &Value) -> Self {
        let text = parts(output).join("\n");
        Self::from_json(&text).unwrap_or_else(|| Self::with_header(&text))
    }

    /// An output in JSON, as written by Codex before 0.100.
    fn from_json(text: &str) -> Option<Self> {
        let value: Value = text.starts_with('{').then(|| serde_json::from_str(text).ok())??;
        let printed = value["output"].as_str()?.to_owned();
        Some(Self { exit_code: value["metadata"]["exit_code"].as_i64(), printed })
    }

    /// An output with a header that contains the exit status. A patch in a command has two headers.
    fn with_header(text: &str) -> Self {
        let mut rest = text;
        let mut exit_code = None;
        while exit_code.is_none()
            && let Some((header, printed)) = rest.split_once(HEADER_END)
            && header.len() <= MAX_HEADER_BYTES
            && header.lines().any(|line| line.starts_with("Wall time"))
        {
            exit_code = header.lines().find_map(status);
            rest = printed;
        }
        Self { exit_code, printed: rest.to_owned() }
    }
}

/// The exit status in a line of a header.
fn status(line: &str) -> Option<i64> {
    let prefixes = ["Process exited with code ", "Exit code: "];
    prefixes.into_iter().find_map(|prefix| line.strip_prefix(prefix)?.trim().parse().ok())
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
    fn status_and_output_are_read_in_every_format() {
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
