//! This program, asked directly.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::Failure;

/// The names of the tools that it lists without any setting.
///
/// # Errors
/// If it does not answer.
pub fn tools(program: &Path) -> Result<Vec<String>, Failure> {
    let listed = exchange(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let tools = listed["result"]["tools"].as_array();
    let tools = tools.ok_or_else(|| format!("{} listed no tools: {listed}", program.display()))?;
    Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
}

/// Its answer to the request for the tools.
fn exchange(program: &Path) -> std::io::Result<Value> {
    let mut server = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let client = json!({"name": "xtask", "version": "0"});
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    if let Some(mut input) = server.stdin.take() {
        for message in [
            json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        ] {
            writeln!(input, "{message}")?;
        }
    }
    let mut answer = Value::Null;
    for line in server.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        if message["id"] == 1 {
            answer = message;
        }
    }
    server.wait()?;
    Ok(answer)
}
