//! What the plugin consists of: how it finds the program, and that its texts name tools that exist.

use std::collections::HashSet;
use std::fs;

use serde_json::Value;

use crate::kit::cli::{self, run};
use crate::kit::play::Stage;
use crate::kit::plugin::{Programs, json, path};
use crate::support::scripted_codex;

/// What Claude Code puts before the name of a tool of the plugin.
const PREFIX: &str = "mcp__plugin_codex_codex__";

/// The longest name that Cursor takes; several model APIs take 64.
const MAX_NAME: usize = 60;

/// All tools, whether they are listed or not.
fn tools() -> Vec<String> {
    let stage = Stage::new();
    let server = stage.server().env("CODEX_PERSISTENT_MCP_TOOLS", "all").start();
    let listed = server.request("tools/list", &serde_json::json!({}));
    let tools = listed["result"]["tools"].as_array().expect("a list").iter();
    tools.map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn no_tool_has_a_name_that_is_too_long() {
    let names = json(".mcp.json")["mcpServers"].as_object().expect("servers").clone();
    assert_eq!(names.keys().collect::<Vec<_>>(), ["codex"]);
    assert_eq!(json(".claude-plugin/plugin.json")["name"], "codex");
    for tool in tools() {
        assert!(PREFIX.len() + tool.len() < MAX_NAME, "{PREFIX}{tool}");
    }
}

#[test]
fn each_command_describes_itself_and_may_call_the_tools_that_it_names() {
    let tools: HashSet<String> = tools().into_iter().collect();
    let mut names = Vec::new();
    for entry in fs::read_dir(path("commands")).expect("there are some").flatten() {
        let text = fs::read_to_string(entry.path()).expect("it is text");
        let name = entry.path().file_stem().expect("it has one").to_string_lossy().into_owned();
        let (head, body) = text[4..].split_once("\n---\n").expect("it has a head");
        assert!(head.starts_with("description: "), "{name}");
        assert!(head.contains("\nargument-hint: ") || name == "setup", "{name}");
        assert!(body.contains("$ARGUMENTS") || name == "setup", "{name}");
        let allowed = head.lines().find_map(|line| line.strip_prefix("allowed-tools: "));
        let allowed: HashSet<&str> = allowed.expect("it needs some").split(", ").collect();
        for tool in allowed.iter().filter_map(|tool| tool.strip_prefix(PREFIX)) {
            assert!(tools.contains(tool), "{name} allows {tool}");
        }
        let named = body.split('`').filter(|word| tools.contains(*word));
        // In /codex:job and others, Claude is told what to call later.
        let now = named.take(1).find(|word| !allowed.contains(&*format!("{PREFIX}{word}")));
        assert_eq!(now, None, "{name}");
        names.push(name);
    }
    names.sort();
    let all = ["ask", "job", "plan", "result", "review", "sessions", "setup", "status", "stop"];
    assert_eq!(names, all);
    let skills = ["skills/codex/SKILL.md", ".codex-plugin/skills/other-session/SKILL.md"];
    for text in ["agents/codex.md"].into_iter().chain(skills) {
        let text = fs::read_to_string(path(text)).expect("it is text");
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let of_codex = words.filter(|word| word.starts_with("codex_") && word.len() > 6);
        for tool in of_codex.map(|word| word.trim_end_matches('_')) {
            assert!(tools.contains(tool), "{tool}");
        }
    }
}

/// How the clients start the server, without the arguments of the program.
fn starts() -> [(&'static str, Vec<String>); 2] {
    let claude = &json(".mcp.json")["mcpServers"]["codex"];
    let root = path("");
    let root = root.to_str().expect("test paths are text").trim_end_matches('/');
    let command = claude["command"].as_str().expect("a command");
    let codex = &json(".codex-plugin/mcp.json")["mcpServers"]["codex"];
    let text = |word: &Value| word.as_str().expect("a text").to_owned();
    let words = [&codex["command"]].into_iter().chain(codex["args"].as_array().expect("a list"));
    [
        ("claude", vec![command.replace("${CLAUDE_PLUGIN_ROOT}", root)]),
        ("codex", words.map(text).collect()),
    ]
}

/// Codex does not say where the plugin is, so its entry has the script itself.
#[test]
fn both_clients_start_the_server_by_the_same_script() {
    let file = fs::read_to_string(path("server/codex-persistent-mcp")).expect("it is text");
    let [_, (_, words)] = starts();
    let own_version = file.lines().find(|line| line.starts_with("wanted=")).expect("it has one");
    assert_eq!(
        words[2],
        file.replace("#!/bin/sh\n", "").replace(own_version, "wanted=$1 && shift")
    );
}

#[test]
fn the_program_on_the_path_serves_if_it_is_new_enough_and_else_that_of_npm() {
    let version = env!("CARGO_PKG_VERSION");
    let newer = "1000.0.0";
    for (client, words) in starts() {
        let stage = Stage::new();
        let programs = Programs::new(&stage.home);
        programs.shell("npx", r#"echo "npx $*""#);
        let started = || {
            let mut command = cli::command(&stage.home, &scripted_codex(), &words[0], &[]);
            command.args(&words[1..]).env("PATH", programs.path());
            let ran = run(command);
            assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{client}");
            ran.stdout.trim().to_owned()
        };
        let by_npm = format!("npx -y codex-persistent-mcp@{version}");
        for (found, serves) in [
            ("exit 127", by_npm.as_str()),
            ("echo codex-persistent-mcp 0.0.99", &by_npm),
            ("echo something else", &by_npm),
            (&*format!("echo codex-persistent-mcp {version}"), "itself"),
            (&*format!("echo codex-persistent-mcp {newer}"), "itself"),
        ] {
            let text = format!("[ \"$1\" != --version ] || {{ {found}; exit; }}\necho itself");
            programs.shell("codex-persistent-mcp", &text);
            assert_eq!(started(), serves, "{client}: {found}");
        }
        // What npx once brought is found without it.
        programs.shell("codex-persistent-mcp", "exit 127");
        let cached = ".npm/_npx/0123abcd/node_modules/codex-persistent-mcp-linux-x64/bin";
        let cached = Programs::in_folder(stage.home.user().join(cached));
        for (version, serves) in
            [("0.0.99", by_npm.as_str()), (version, "cached"), (newer, "cached")]
        {
            let text =
                format!("[ \"$1\" != --version ] || {{ echo {version}; exit; }}\necho cached");
            cached.shell("codex-persistent-mcp", &text);
            assert_eq!(started(), serves, "{client}: {version} in the cache");
        }
    }
}

#[test]
fn a_hook_starts_nothing_where_there_is_nothing_to_do() {
    let stage = Stage::new();
    let programs = Programs::new(&stage.home);
    for name in ["codex-persistent-mcp", "npx"] {
        programs.shell(name, &format!("touch {}", stage.file("started").display()));
    }
    let hook = |name: &str, review: Option<&str>| {
        let script = path("hooks/run");
        let script = script.to_str().expect("test paths are text");
        let mut command = cli::command(&stage.home, &scripted_codex(), "sh", &[script, name]);
        let option = review.map(|value| ("CLAUDE_PLUGIN_OPTION_REVIEW", value));
        command.env("PATH", programs.path()).envs(option);
        let ran = run(command);
        assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
        fs::remove_file(stage.file("started")).is_ok()
    };
    assert!(!hook("review", None));
    assert!(!hook("review", Some("false")));
    assert!(hook("review", Some("true")));
    assert!(!hook("jobs", None));
    fs::create_dir_all(stage.home.state().join("jobs")).expect("writable");
    assert!(hook("jobs", None));
}
