//! What a script of the model's printed of what its commands and patches came to. Pure.

use std::collections::HashSet;

use serde_json::Value;

use super::call::{What, files};
use super::output::Output;
use crate::codex::{no_sandbox, refusal};

/// Reads what came of commands and patches from what a script printed. `seen` has the ids of results
/// that were printed before.
pub(super) fn results(
    source: &str,
    printed: &[String],
    seen: &mut HashSet<String>,
) -> Vec<(What, Output)> {
    let mut outputs = Vec::new();
    for text in printed {
        match serde_json::from_str::<Value>(text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => find(&value, seen, &mut outputs),
            _ => outputs.extend(plain(text)),
        }
    }
    let commands = literals(source);
    let of_commands = outputs.iter().filter(|output| !refusal::is_of_patch(&output.printed));
    let is_each_told = of_commands.count() == commands.len();
    let mut commands = commands.into_iter();
    let what = |output: &Output| {
        if refusal::is_of_patch(&output.printed) {
            return What::Patch(files(source));
        }
        match commands.next().filter(|_| is_each_told) {
            Some(command) => What::Command(command),
            None => What::Script(source.to_owned()),
        }
    };
    let of: Vec<What> = outputs.iter().map(what).collect();
    of.into_iter().zip(outputs).collect()
}

/// Finds the results of commands in what was printed as JSON.
fn find(value: &Value, seen: &mut HashSet<String>, outputs: &mut Vec<Output>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| find(value, seen, outputs)),
        Value::Object(fields) => {
            if let (Some(printed), Some(chunk)) =
                (value["output"].as_str(), value["chunk_id"].as_str())
            {
                let exit_code = value["exit_code"].as_i64();
                if exit_code.is_some() && seen.insert(chunk.to_owned()) {
                    outputs.push(Output { exit_code, printed: printed.to_owned() });
                }
            } else {
                fields.values().for_each(|value| find(value, seen, outputs));
            }
        }
        Value::String(text) => outputs.extend(plain(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text that says that something was refused.
fn plain(text: &str) -> Option<Output> {
    let text = text.split_once("Script error:\n").map_or(text, |(_, error)| error);
    let is_refused = refusal::is_of_patch(text)
        || refusal::is_of_command(text, None)
        || no_sandbox::said("", text, None).is_some();
    is_refused.then(|| Output { exit_code: None, printed: text.to_owned() })
}

/// The commands of a script that stand in it as they are.
fn literals(source: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut rest = source;
    while let Some((_, after)) = rest.split_once("cmd") {
        rest = after;
        let value = after.trim_start_matches(['"', '\'']).trim_start();
        let Some(value) = value.strip_prefix(':').map(str::trim_start) else { continue };
        let Some(quote) = value.chars().next().filter(|char| "'\"`".contains(*char)) else {
            continue;
        };
        let mut command = String::new();
        let mut chars = value[1..].chars();
        loop {
            match chars.next() {
                None => return commands,
                Some('\\') => command.extend(chars.next().map(|char| match char {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                })),
                Some(char) if char == quote => break,
                Some(char) => command.push(char),
            }
        }
        rest = chars.as_str();
        commands.push(command);
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(source: &str, printed: &[&str]) -> Vec<(What, Option<i64>)> {
        let printed: Vec<String> = printed.iter().map(|&part| part.to_owned()).collect();
        let found = results(source, &printed, &mut HashSet::new());
        found.into_iter().map(|(what, output)| (what, output.exit_code)).collect()
    }

    #[test]
    fn each_command_is_told_with_its_result_if_all_results_are_printed() {
        let result =
            |chunk: &str, code: i64| json!({"chunk_id": chunk, "exit_code": code, "output": ""});
        let source = r#"const a = await Promise.all([tools.exec_command({cmd: 'touch a'}), tools.exec_command({"cmd": "echo \"b\""})]); text(JSON.stringify(a));"#;
        let all = json!([result("1", 1), result("2", 0)]).to_string();
        let command = |text: &str| What::Command(text.into());
        let each = [(command("touch a"), Some(1)), (command("echo \"b\""), Some(0))];
        assert_eq!(of(source, &[&all]), each);
        assert_eq!(of(source, &[&all, &all]), each, "what is printed twice was done once");
        let one = result("1", 1).to_string();
        assert_eq!(of(source, &[&one]), [(What::Script(source.into()), Some(1))]);
    }

    #[test]
    fn a_refusal_is_found_in_plain_text_and_other_text_is_nothing() {
        let source = "text((await tools.exec_command({cmd: `touch a`})).output)";
        let refused = [(What::Command("touch a".into()), None)];
        assert_eq!(of(source, &["touch: cannot touch 'a': Read-only file system\n"]), refused);
        assert_eq!(of(source, &["all is well", "3", "null"]), []);
        let patch =
            r"await tools.apply_patch('*** Begin Patch\n*** Add File: a.txt\n+a\n*** End Patch')";
        let rejected = "Script error:\npatch rejected: no; rejected by user approval settings";
        assert_eq!(of(patch, &[rejected]), [(What::Patch(vec![("add", "a.txt".into())]), None)]);
    }
}
