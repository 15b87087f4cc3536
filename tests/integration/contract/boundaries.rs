//! What Codex's sandbox keeps from commands. The whole corpus of attacks is in `real/escapes.rs`.

use serde_json::json;

use super::{Found, Rig};
use crate::kit::call::call;

/// What a command says that the sandbox stops.
const REFUSED: [&str; 3] =
    ["Read-only file system", "Operation not permitted", "Permission denied"];

fn assert_refused(said: &str) {
    assert!(REFUSED.iter().any(|words| said.contains(words)), "{said}");
}

pub fn read_only() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let answer = call(&server).prompt("[run touch inside]").sandbox("read-only").succeeds();
    assert_refused(answer.reply());
    assert!(!rig.home.project().join("inside").exists(), "{answer}");
    Found::All
}

pub fn workspace_write() -> Found {
    let rig = Rig::new();
    let (inside, outside) = (rig.home.project().join("inside"), rig.home.path().join("outside"));
    let command = format!("[run touch {} {}]", inside.display(), outside.display());
    let server = rig.server().start();
    let answer = call(&server).prompt(&command).sandbox("workspace-write").succeeds();
    assert_refused(answer.reply());
    assert!(inside.exists(), "{answer}");
    assert!(!outside.exists(), "{answer}");
    Found::All
}

pub fn secrets() -> Found {
    let rig = Rig::new();
    let server = rig.server().env("GITHUB_TOKEN", "secret-one").start();
    let plan = "[run env; tr '\\0' '\\n' < /proc/1/environ]";
    let arguments = json!({"requirements": "none", "plan": plan});
    call(&server).tool("codex_guard_plan").arguments(&arguments).succeeds();
    let asked = rig.model.requests().pop().expect("the model was asked");
    let said = asked.tool_outputs().join("\n");
    assert!(said.contains("PATH="), "{said}");
    assert!(!said.contains("secret-"), "{said}");
    Found::All
}
