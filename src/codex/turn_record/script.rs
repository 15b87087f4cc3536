//! Extracts the results of commands and patches from the output of a model's script. Pure.

use std::collections::HashSet;

use serde_json::Value;

use super::action::{Action, patch_changes};
use super::output::Output;
use crate::codex::{sandbox_denials, sandbox_failure};

/// The actions of a script and their results, as far as it printed them. `seen` holds the ids of results
/// printed before.
pub(super) fn results(
    source: &str,
    printed: &[String],
    seen: &mut HashSet<String>,
) -> Vec<(Action, Output)> {
    let mut outputs = Vec::new();
    for text in printed {
        match serde_json::from_str::<Value>(text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => {
                find_results(&value, seen, &mut outputs)
            }
            _ => outputs.extend(denial(text)),
        }
    }
    let commands = literal_commands(source);
    let of_commands =
        outputs.iter().filter(|output| !sandbox_denials::is_patch_denied(&output.printed));
    let all_printed = of_commands.count() == commands.len();
    let mut commands = commands.into_iter();
    let action = |output: &Output| {
        if sandbox_denials::is_patch_denied(&output.printed) {
            return Action::Patch(patch_changes(source));
        }
        match commands.next().filter(|_| all_printed) {
            Some(command) => Action::Command(command),
            None => Action::Script(source.to_owned()),
        }
    };
    let actions: Vec<Action> = outputs.iter().map(action).collect();
    actions.into_iter().zip(outputs).collect()
}

/// Finds the results of commands in JSON that the script printed.
fn find_results(value: &Value, seen: &mut HashSet<String>, outputs: &mut Vec<Output>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| find_results(value, seen, outputs)),
        Value::Object(fields) => {
            if let (Some(printed), Some(chunk)) =
                (value["output"].as_str(), value["chunk_id"].as_str())
            {
                let exit_code = value["exit_code"].as_i64();
                if exit_code.is_some() && seen.insert(chunk.to_owned()) {
                    outputs.push(Output { exit_code, printed: printed.to_owned() });
                }
            } else {
                fields.values().for_each(|value| find_results(value, seen, outputs));
            }
        }
        Value::String(text) => outputs.extend(denial(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The result of a command or patch, if the text says that it was denied or did not run.
fn denial(text: &str) -> Option<Output> {
    let text = text.split_once("Script error:\n").map_or(text, |(_, error)| error);
    let is_denied = sandbox_denials::is_patch_denied(text)
        || sandbox_denials::is_command_denied(text, None)
        || sandbox_failure::message("", text, None).is_some();
    is_denied.then(|| Output { exit_code: None, printed: text.to_owned() })
}

/// The commands that appear in a script as string literals.
fn literal_commands(source: &str) -> Vec<String> {
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

    fn of(source: &str, printed: &[&str]) -> Vec<(Action, Option<i64>)> {
        let printed: Vec<String> = printed.iter().map(|&part| part.to_owned()).collect();
        let found = results(source, &printed, &mut HashSet::new());
        found.into_iter().map(|(action, output)| (action, output.exit_code)).collect()
    }

    #[test]
    fn commands_are_matched_to_results_if_all_results_are_printed() {
        let result =
            |chunk: &str, code: i64| json!({"chunk_id": chunk, "exit_code": code, "output": ""});
        let source = r#"const a = await Promise.all([tools.exec_command({cmd: 'touch a'}), tools.exec_command({"cmd": "echo \"b\""})]); text(JSON.stringify(a));"#;
        let all = json!([result("1", 1), result("2", 0)]).to_string();
        let command = |text: &str| Action::Command(text.into());
        let each = [(command("touch a"), Some(1)), (command("echo \"b\""), Some(0))];
        assert_eq!(of(source, &[&all]), each);
        assert_eq!(of(source, &[&all, &all]), each, "what is printed twice was done once");
        let one = result("1", 1).to_string();
        assert_eq!(of(source, &[&one]), [(Action::Script(source.into()), Some(1))]);
    }

    #[test]
    fn a_denial_is_found_in_plain_text_and_other_text_is_ignored() {
        let source = "text((await tools.exec_command({cmd: `touch a`})).output)";
        let denied = [(Action::Command("touch a".into()), None)];
        assert_eq!(of(source, &["touch: cannot touch 'a': Read-only file system\n"]), denied);
        assert_eq!(of(source, &["all is well", "3", "null"]), []);
        let patch =
            r"await tools.apply_patch('*** Begin Patch\n*** Add File: a.txt\n+a\n*** End Patch')";
        let rejected = "Script error:\npatch rejected: no; rejected by user approval settings";
        assert_eq!(of(patch, &[rejected]), [(Action::Patch(vec![("add", "a.txt".into())]), None)]);
    }
}
