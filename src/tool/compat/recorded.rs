//! What Codex's own server said, from `tests/fixtures/mcp-server`.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The release whose definitions and messages these tools have.
const RELEASE: &str = "0.153.4";

/// A request and its answer.
pub(super) struct Exchange {
    pub(super) request: Value,
    pub(super) answer: Value,
}

/// The requests of a scenario that were answered, in order. Their ids differ.
pub(super) fn exchanges(scenario: &str) -> Vec<Exchange> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/mcp-server")
        .join(RELEASE)
        .join(scenario)
        .with_extension("jsonl");
    let text = fs::read_to_string(&path).expect("the scenario was recorded");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let answers = || lines.iter().map(|line| &line["server"]).filter(|it| it["method"].is_null());
    let requests = lines.iter().map(|line| &line["client"]).filter(|it| it["id"] != Value::Null);
    requests
        .filter_map(|request| {
            let answer = answers().find(|answer| answer["id"] == request["id"])?;
            Some(Exchange { request: request.clone(), answer: answer.clone() })
        })
        .collect()
}

/// The result of the first request of a method.
pub(super) fn result(scenario: &str, method: &str) -> Value {
    let mut exchanges = exchanges(scenario).into_iter();
    let found = exchanges.find(|exchange| exchange.request["method"] == method);
    found.expect("the method was called").answer["result"].clone()
}
