//! The handshake in all its forms, and how the tools are described to clients.

use serde_json::{Value, json};

use crate::kit::call::call;
use crate::kit::setup::{content, home, scripted};
use crate::support::client::{Server, result};
use crate::support::real_codex::Home;

/// The versions that start with `initialize`, the newest last.
const WITH_HANDSHAKE: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// The version without a handshake.
const WITHOUT_HANDSHAKE: &str = "2026-07-28";

/// Each tool with sufficient arguments and the field of its reply.
fn tools() -> [(&'static str, Value, &'static str); 3] {
    [
        ("codex_chat", json!({"prompt": "hello"}), "reply"),
        ("codex_guard_plan", json!({"requirements": "a", "plan": "b"}), "critique"),
        ("codex_guard_final", json!({"change_summary": "c"}), "review"),
    ]
}

/// The tools whose calls run a turn.
const TURN_TOOLS: [&str; 3] = ["codex_chat", "codex_guard_plan", "codex_guard_final"];

/// The tools that are listed by default.
pub const LISTED: [&str; 7] = [
    "codex_chat",
    "codex_guard_plan",
    "codex_guard_final",
    "codex_job_wait",
    "codex_jobs",
    "codex_job_send",
    "codex_sessions",
];

/// No test here reaches a model.
fn offline_home() -> Home {
    home("http://127.0.0.1:9/v1")
}

/// The metadata of every request in the form without a handshake.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": WITHOUT_HANDSHAKE,
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn discover(server: &Server) -> Value {
    result(server.request("server/discover", &json!({"_meta": meta()})))
}

fn call_without_handshake(server: &Server, tool: &str, arguments: &Value) -> Value {
    let parameters = json!({"name": tool, "arguments": arguments, "_meta": meta()});
    result(server.request("tools/call", &parameters))
}

fn listed(server: &Server) -> Vec<Value> {
    let list = result(server.request("tools/list", &json!({})));
    list["tools"].as_array().expect("tools are a list").clone()
}

fn names(server: &Server) -> Vec<String> {
    let name = |tool: &Value| tool["name"].as_str().expect("a tool has a name").to_owned();
    listed(server).iter().map(name).collect()
}

/// Where `value` does not match the schema, in the part of JSON Schema that the tools use.
pub fn misfits(value: &Value, schema: &Value, at: &str) -> Vec<String> {
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        other => return vec![format!("{at}: the schema's type {other:?} is not known here")],
    };
    if !fits {
        return vec![format!("{at}: {value} is no {}", schema["type"])];
    }
    let mut found = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("names are texts");
        if value.get(name).is_none() {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        if let Some(schema) = schema["properties"].get(name) {
            found.extend(misfits(value, schema, &format!("{at}.{name}")));
        }
    }
    found
}

#[test]
fn arguments_may_be_an_object_in_a_text() {
    let home = offline_home();
    let server = scripted(&home).start();
    for (tool, arguments, reply) in tools() {
        let call = json!({"name": tool, "arguments": arguments.to_string()});
        let answer = result(server.request("tools/call", &call));
        assert!(content(&answer)[reply].is_string(), "{answer}");
        let call = json!({"name": tool, "arguments": "hello"});
        let error = server.request("tools/call", &call)["error"].clone();
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].to_string().contains("arguments"), "{error}");
    }
}

#[test]
fn each_version_with_a_handshake_is_agreed_to_and_served() {
    let home = offline_home();
    for version in WITH_HANDSHAKE {
        let server = scripted(&home).spawn();
        let agreed = server.initialize(version);
        assert_eq!(agreed["protocolVersion"], version);
        assert_eq!(agreed["serverInfo"]["name"], "codex-persistent-mcp");
        assert!(agreed["capabilities"]["tools"].is_object(), "{agreed}");
        assert_eq!(names(&server), LISTED, "{version}");
        let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
        let text = answer["content"][0]["text"].as_str().expect("every version has text");
        assert!(text.starts_with("done\n\n[session_id "), "{version}: {text}");
    }
}

#[test]
fn an_unknown_version_is_answered_with_the_newest_that_has_a_handshake() {
    let home = offline_home();
    for unknown in ["2023-01-01", "2099-12-31", "nonsense"] {
        let server = scripted(&home).spawn();
        assert_eq!(server.initialize(unknown)["protocolVersion"], "2025-11-25", "{unknown}");
        assert_eq!(names(&server), LISTED);
    }
}

#[test]
fn without_a_handshake_a_client_discovers_lists_and_calls() {
    let home = offline_home();
    let server = scripted(&home).spawn();
    let discovered = discover(&server);
    let versions = discovered["supportedVersions"].as_array().expect("versions are a list");
    for version in WITH_HANDSHAKE.into_iter().chain([WITHOUT_HANDSHAKE]) {
        assert!(versions.contains(&json!(version)), "{version} is not in {versions:?}");
    }
    assert!(discovered["capabilities"]["tools"].is_object(), "{discovered}");
    let instructions = discovered["instructions"].as_str().expect("there are instructions");
    assert!(instructions.contains("codex_chat"), "{instructions}");

    let list = result(server.request("tools/list", &json!({"_meta": meta()})));
    let list = list["tools"].as_array().expect("tools are a list");
    for ((tool, arguments, reply), definition) in tools().into_iter().zip(list) {
        assert_eq!(definition["name"], tool);
        let answer = call_without_handshake(&server, tool, &arguments);
        assert_eq!(content(&answer)[reply], "done");
        assert_eq!(
            misfits(content(&answer), &definition["outputSchema"], tool),
            Vec::<String>::new()
        );
    }
}

#[test]
fn without_a_handshake_the_first_message_may_be_a_call() {
    let home = offline_home();
    let server = scripted(&home).spawn();
    let answer = call_without_handshake(&server, "codex_chat", &json!({"prompt": "hello"}));
    assert_eq!(content(&answer)["reply"], "done");
}

#[test]
fn progress_is_reported_without_a_handshake_too() {
    let home = offline_home();
    let server = scripted(&home).spawn();
    let mut meta = meta();
    meta["progressToken"] = "steps".into();
    let parameters = json!({"name": "codex_chat", "arguments": {"prompt": "hello"}, "_meta": meta});
    let answer = result(server.request("tools/call", &parameters));
    let session = content(&answer)["session_id"].as_str().expect("an id is text");
    let reported = server.messages().into_iter().find(|message| {
        message["params"]["progressToken"] == "steps"
            && message["params"]["message"].as_str().is_some_and(|text| text.contains(session))
    });
    assert!(reported.is_some(), "the session is not reported: {:?}", server.messages());
}

#[test]
fn a_client_that_only_probed_can_still_do_the_handshake() {
    let home = offline_home();
    let server = scripted(&home).spawn();
    discover(&server);
    assert_eq!(server.initialize("2025-06-18")["protocolVersion"], "2025-06-18");
    call(&server).prompt("hello").replies("done");
}

#[test]
fn the_head_of_the_instructions_says_when_to_use_the_server() {
    let home = offline_home();
    let server = scripted(&home).spawn();
    let agreed = server.initialize("2025-06-18");
    let instructions = agreed["instructions"].as_str().expect("there are instructions");
    assert!(instructions.len() <= 2_048, "Claude Code cuts them there");
    let head: String = instructions.chars().take(250).collect();
    for (tool, ..) in tools() {
        assert!(head.contains(tool), "{tool} is not in {head:?}");
    }
    for when in ["second opinion", "plan", "review", "delegate"] {
        assert!(head.contains(when), "{when} is not in {head:?}");
    }
}

#[test]
fn the_tools_have_a_fixed_order_titles_and_truthful_hints() {
    let home = offline_home();
    let server = scripted(&home).arg("--tools=all").start();
    let list = listed(&server);
    assert_eq!(names(&server)[..7], LISTED);
    assert_eq!(list, listed(&server), "the list is the same each time");
    for tool in &list {
        let title = tool["title"].as_str().expect("each tool has a title");
        assert!(title.contains("Codex"), "{title}");
        let hints = &tool["annotations"];
        // Tools that run a turn may edit files, reach a model on the net, and are not idempotent.
        // Guards only read, readers of jobs and sessions do not reach the net, and cancelling destroys nothing.
        let name = tool["name"].as_str().expect("a tool has a name");
        let edits = ["codex_chat", "codex_job_send", "job_start", "job_reply"].contains(&name);
        let stops = name == "job_cancel";
        assert_eq!(hints["readOnlyHint"], !edits && !stops, "{tool}");
        assert_eq!(hints["destructiveHint"], edits, "{tool}");
        assert_eq!(hints["openWorldHint"], edits || name.starts_with("codex_guard"), "{tool}");
        assert_eq!(hints["idempotentHint"], stops, "{tool}");
    }
}

#[test]
fn the_list_is_small_enough_for_every_client() {
    let home = offline_home();
    let list = listed(&scripted(&home).start());
    let size = Value::from(list.clone()).to_string().len();
    assert!(size < 11_000, "the list has {size} bytes");
    for tool in listed(&scripted(&home).arg("--tools=all").start()) {
        let size = tool["inputSchema"].to_string().len();
        assert!(size < 5_000, "Codex drops the descriptions of {}: {size} bytes", tool["name"]);
        let description = tool["description"].as_str().expect("each tool is described");
        assert!(description.len() <= 2_048, "Claude Code cuts it there");
        let most = &tool["_meta"]["anthropic/maxResultSizeChars"];
        assert!(most.as_u64().is_some_and(|most| (400_000..=500_000).contains(&most)), "{tool}");
    }
}

#[test]
fn schemas_are_plain_objects_and_have_their_limits_in_words_too() {
    let home = offline_home();
    let server = scripted(&home).arg("--tools=all").start();
    for tool in listed(&server) {
        assert_eq!(tool["outputSchema"]["type"], "object", "one other fails Claude's whole list");
        let input = &tool["inputSchema"];
        assert_eq!(input["type"], "object");
        for combination in ["oneOf", "anyOf", "allOf"] {
            assert!(input.get(combination).is_none(), "Claude drops a tool with {combination}");
        }
        let fields = input["properties"].as_object().expect("there are fields");
        for (name, field) in fields {
            let description = field["description"].as_str().expect("each field is described");
            // Codex removes these from the schema before its model sees it.
            for limit in ["minimum", "maximum", "maxLength"] {
                if let Some(limit) = field.get(limit) {
                    assert!(description.contains(&limit.to_string()), "{name}: {description}");
                }
            }
        }
        let name = tool["name"].as_str().expect("a tool has a name");
        if !TURN_TOOLS.contains(&name) {
            continue;
        }
        for common in ["session_id", "cwd", "model", "reasoning_effort", "timeout_ms"] {
            assert!(fields.contains_key(common), "{} takes {common}", tool["name"]);
        }
        assert!(fields["timeout_ms"]["description"].to_string().contains("Default 30 min"));
        let sandbox = fields.get("sandbox").map(|field| &field["enum"]);
        let all = json!(["read-only", "workspace-write"]);
        assert_eq!(sandbox, (tool["name"] == "codex_chat").then_some(&all));
    }
}

#[test]
fn the_timeouts_in_the_schemas_are_the_operator_s() {
    let home = offline_home();
    let server = scripted(&home)
        .env("CODEX_PERSISTENT_MCP_TIMEOUT_MS", "90000")
        .env("CODEX_PERSISTENT_MCP_IDLE_TIMEOUT_MS", "7000")
        .env("CODEX_PERSISTENT_MCP_JOB_TIMEOUT_MS", "7200000")
        .env("CODEX_PERSISTENT_MCP_JOB_IDLE_TIMEOUT_MS", "60000")
        .arg("--tools=all")
        .start();
    for tool in listed(&server) {
        let fields = &tool["inputSchema"]["properties"];
        let limits: &[(&str, &str)] = match tool["name"].as_str().expect("a tool has a name") {
            "job_start" => &[("timeout_ms", "Default 2 h."), ("idle_timeout_ms", "Default 1 min.")],
            "codex_chat" => &[("timeout_ms", "Default 1 min 30 s; of a job 2 h.")],
            name if TURN_TOOLS.contains(&name) => &[("timeout_ms", "Default 1 min 30 s.")],
            _ => &[],
        };
        for (field, limit) in limits {
            let shown = fields[field]["description"].as_str().expect("it is described");
            assert!(shown.contains(limit), "{}: {shown}", tool["name"]);
        }
    }
}

#[test]
fn an_answer_matches_its_tool_s_schema_with_the_session_first() {
    let home = offline_home();
    let server = scripted(&home).start();
    for ((tool, arguments, reply), definition) in tools().into_iter().zip(listed(&server)) {
        let first = server.call(tool, &arguments);
        let mut again = arguments.clone();
        again["session_id"] = content(&first)["session_id"].clone();
        let second = server.call(tool, &again);
        // The scripted Codex writes no record, so another server warns about the session.
        let other = scripted(&home).start();
        let warned = other.call(tool, &again);
        assert!(content(&warned)["warnings"][0].is_string(), "{warned}");
        for answer in [&first, &second, &warned] {
            let structure = content(answer);
            let found = misfits(structure, &definition["outputSchema"], tool);
            assert_eq!(found, Vec::<String>::new(), "{structure}");
            let names: Vec<&String> =
                structure.as_object().expect("an object").keys().take(2).collect();
            assert_eq!(names, ["session_id", reply]);
            let [text] = &answer["content"].as_array().expect("there is text")[..] else {
                panic!("one text is enough: {answer}");
            };
            let text = text["text"].as_str().expect("it is a text");
            let session = structure["session_id"].as_str().expect("an id is text");
            assert!(text.starts_with("done\n\n[session_id "), "{text}");
            assert!(text.contains(session), "{text}");
        }
        // The scripted Codex gives no verdict.
        let warned = content(&first).get("warnings").is_some();
        assert_eq!(warned, tool != "codex_chat", "{first}");
        assert_eq!(content(&second)["session_usage"]["input_tokens"], 100, "{second}");
    }
}
