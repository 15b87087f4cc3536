//! `setup codex`, as the real Codex reads it.

use std::fs;

use serde_json::{Value, json};

use crate::kit::cli::{self, run};
use crate::kit::setup::{PROGRAM, home};
use crate::support::real_codex::install;

#[test]
fn codex_reads_the_entry_and_loses_it_again() {
    let home = home("http://127.0.0.1:9/v1");
    let config = home.path().join("config.toml");
    let before = fs::read_to_string(&config).expect("it exists");
    let setup = |arguments: &[&str]| {
        let ran = run(cli::program(&home, &install().native, &[&["setup"], arguments].concat()));
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""));
    };
    let servers = || -> Value {
        let codex = install().native.to_str().expect("test paths are text");
        let listed = run(cli::command(&home, &install().native, codex, &["mcp", "list", "--json"]));
        assert_eq!(listed.status, Some(0), "{}", listed.stderr);
        serde_json::from_str(&listed.stdout).expect("it is JSON")
    };
    setup(&["codex", "--print"]);
    assert_eq!(servers(), json!([]));
    setup(&["codex"]);
    let entry = &servers()[0];
    assert_eq!(entry["name"], "codex-persistent");
    assert_eq!(entry["transport"]["command"], PROGRAM);
    assert_eq!(entry["tool_timeout_sec"], 3600.0);
    let passed = entry["transport"]["env_vars"].as_array().expect("a list");
    assert!(passed.contains(&json!("CODEX_HOME")), "{entry}");
    setup(&["codex", "--undo"]);
    assert_eq!(servers(), json!([]));
    assert_eq!(fs::read_to_string(&config).expect("it exists"), before);
}
