//! Codex with this program among its own MCP servers.

use serde_json::{Value, json};

use crate::kit::setup::{PROGRAM, content, field, home, real};
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::{self, Home};

const MAX_DEPTH: &str = "CODEX_PERSISTENT_MCP_MAX_DEPTH";
const MAX_SANDBOX: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
const NESTED_MCP: &str = "CODEX_PERSISTENT_MCP_NESTED_MCP";

/// A model that, when told to delegate, calls `codex_chat` of the server `inner`, and replies with its
/// answer.
pub fn delegate(request: &Request) -> Response {
    if !request.last_user_text().contains("[delegate]") {
        return echo(request);
    }
    if request.has_tool_output() {
        return Response::message(request.tool_outputs().join("\n"));
    }
    Response::call("mcp__inner/codex_chat", json!({"prompt": "the innermost"}))
}

/// A home whose Codex has this program as a server, with this depth.
fn configured(model: &Model, depth: &str) -> Home {
    let home = home(&model.url());
    let (codex, state) = (&real_codex::install().native, home.state());
    home.append_config(&format!(
        "[mcp_servers.inner]\ncommand = {PROGRAM:?}\ndefault_tools_approval_mode = \"approve\"\n\
         env = {{ CODEX_HOME = {:?}, CODEX_BIN = {codex:?}, CODEX_PERSISTENT_MCP_STATE_DIR = {state:?}, \
         {MAX_DEPTH} = \"{depth}\" }}\n",
        home.path(),
    ));
    home
}

/// The answer where both servers have this depth.
fn delegated(model: &Model, depth: &str) -> Value {
    let home = configured(model, depth);
    let server = real(&home).env(MAX_DEPTH, depth).env(MAX_SANDBOX, "danger-full-access").start();
    server.call("codex_chat", &json!({"prompt": "[delegate]"}))
}

#[test]
fn a_codex_that_was_started_here_cannot_start_another() {
    let model = Model::start(delegate);
    let answer = delegated(&model, "1");
    let reply = field(&answer, "reply");
    assert!(reply.contains("not_allowed: ") && reply.contains(MAX_DEPTH), "{reply}");
    let asked = model.requests();
    assert!(asked.iter().all(|request| !request.last_user_text().contains("the innermost")));
}

#[test]
fn where_two_levels_are_allowed_it_can() {
    let model = Model::start(delegate);
    let answer = delegated(&model, "2");
    let reply = field(&answer, "reply");
    assert!(reply.contains("the innermost"), "{reply}");
}

#[test]
fn read_only_it_works_from_codex_without_any_approval() {
    let model = Model::start(delegate);
    let reply_with = |sandbox: &str| {
        let home = configured(&model, "2");
        let path = home.path().join("config.toml");
        let config = std::fs::read_to_string(&path).expect("there is a configuration");
        let config = config
            .replace("default_tools_approval_mode = \"approve\"\n", "")
            .replace("env = { ", &format!("env = {{ {MAX_SANDBOX} = {sandbox:?}, "));
        std::fs::write(&path, config).expect("the test's folder is writable");
        let server = real(&home).env(MAX_DEPTH, "2").start();
        let answer = server.call("codex_chat", &json!({"prompt": "[delegate]"}));
        field(&answer, "reply").to_owned()
    };
    let allowed = reply_with("read-only");
    assert!(allowed.contains("the innermost"), "{allowed}");
    let refused = reply_with("workspace-write");
    assert!(!refused.contains("the innermost"), "{refused}");
}

#[test]
fn the_operator_chooses_which_mcp_servers_codex_starts() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let started = |name: &str| home.project().join(name);
    for name in ["plain", "with.dot"] {
        home.append_config(&format!(
            "[mcp_servers.{name:?}]\ncommand = \"touch\"\nargs = [{:?}]\n",
            started(name)
        ));
    }
    let ask = |names: &str| {
        let server = real(&home).env(NESTED_MCP, names).start();
        content(&server.call("codex_chat", &json!({"prompt": "hello"})));
        ["plain", "with.dot"].map(|name| std::fs::remove_file(started(name)).is_ok())
    };
    assert_eq!(ask("inherit"), [true, true]);
    assert_eq!(ask("none"), [false, false]);
    assert_eq!(ask("with.dot"), [false, true]);
    assert_eq!(ask("plain,other"), [true, false]);
}
