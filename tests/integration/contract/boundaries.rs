//! What Codex's sandbox keeps from commands. The whole corpus of attacks is in `real/escapes.rs`.

use std::fs;

use serde_json::json;

use super::{Found, Rig, unless_too_old};
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

pub fn guard_writes() -> Found {
    let rig = Rig::new();
    let server = rig.server().start();
    let begun = call(&server).prompt("Hello.").sandbox("workspace-write").succeeds();
    let review = call(&server).tool("codex_guard_final").in_session(begun.session());
    let answer = review.argument("change_summary", "[run touch inside]").succeeds();
    assert_refused(answer.reply());
    assert!(!rig.home.project().join("inside").exists(), "{answer}");
    answer.has("effective.sandbox", "read-only");
    Found::All
}

pub fn rules() -> Found {
    let rig = Rig::new();
    let (rules, outside) = (rig.home.path().join("rules"), rig.home.path().join("outside"));
    fs::create_dir(&rules).expect("it is new");
    let rule = "prefix_rule(pattern = [\"touch\"], decision = \"allow\")\n";
    fs::write(rules.join("default.rules"), rule).expect("writable");
    let server = rig.server().start();
    let command = format!("[run touch {}]", outside.display());
    let found = unless_too_old(call(&server).prompt(&command).sandbox("read-only"), |answer| {
        assert_refused(answer.reply());
    });
    assert!(!outside.exists(), "a rule took the command out of the sandbox");
    found
}

pub fn projects() -> Found {
    let rig = Rig::new();
    let project = rig.home.project().canonicalize().expect("it exists");
    let mark = project.with_file_name("mark");
    fs::create_dir(project.join(".codex")).expect("it is new");
    let config = format!(
        "[mcp_servers.other]\ncommand = \"/bin/sh\"\nargs = [\"-c\", \"touch {}\"]\n",
        mark.display()
    );
    fs::write(project.join(".codex/config.toml"), config).expect("writable");
    let trusted = format!("[projects.\"{}\"]\ntrust_level = \"trusted\"", project.display());
    rig.home.append_config(&trusted);
    call(&rig.server().start()).prompt("Hello.").sandbox("read-only").succeeds();
    assert!(!mark.exists(), "the project's server was started");
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
