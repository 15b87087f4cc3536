//! Options, as they reach the model.

use std::fs;

use serde_json::{Value, json};

use super::{Found, Rig, unless_too_old};
use crate::kit::call::call;
use crate::kit::real::PICTURE;
use crate::support::model::{Request, Response, echo};

/// A call with this option, and what the model was asked then.
fn with_option(name: &str, value: &Value, check: impl FnOnce(&Rig, &Request)) -> Found {
    let rig = Rig::with(echo);
    let server = rig.server().start();
    unless_too_old(call(&server).prompt("Hello.").argument(name, value), |answer| {
        let answer = answer.warns_of_nothing();
        let asked = rig.model.requests().pop().unwrap_or_else(|| panic!("{answer}"));
        check(&rig, &asked);
    })
}

pub fn settings() -> Found {
    let rig = Rig::with(echo);
    let server = rig.server().start();
    let call = call(&server).prompt("Hello.").argument("model", "gpt-5.4");
    let call = call.argument("reasoning_effort", "high");
    call.argument("config", json!({"model_reasoning_summary": "detailed"}))
        .succeeds()
        .warns_of_nothing();
    let asked = rig.model.requests().pop().expect("the model was asked");
    assert_eq!(asked.body["model"], "gpt-5.4");
    assert_eq!(asked.body["reasoning"]["effort"], "high");
    assert_eq!(asked.body["reasoning"]["summary"], "detailed");
    Found::All
}

pub fn pictures() -> Found {
    let rig = Rig::with(echo);
    let path = rig.home.project().join("a, b.png");
    fs::write(&path, PICTURE).expect("the project is writable");
    let server = rig.server().start();
    call(&server).prompt("Look.").argument("images", [path]).succeeds().warns_of_nothing();
    let asked = rig.model.requests().pop().expect("the model was asked");
    assert_eq!(asked.images().len(), 1, "{}", asked.body["input"]);
    Found::All
}

pub fn schema() -> Found {
    let rig = Rig::with(|_| Response::message(r#"{"depth": 3}"#));
    let server = rig.server().start();
    let schema = json!({
        "type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"],
        "additionalProperties": false,
    });
    let answer = call(&server).prompt("Dig.").argument("output_schema", &schema).succeeds();
    assert_eq!(answer["output"], json!({"depth": 3}), "{answer}");
    let asked = rig.model.requests().pop().expect("the model was asked");
    assert_eq!(asked.body["text"]["format"]["schema"], schema);
    Found::All
}

pub fn directories() -> Found {
    let rig = Rig::new();
    let (added, other) =
        (rig.home.project().with_file_name("added"), rig.home.project().with_file_name("other"));
    for directory in [&added, &other] {
        fs::create_dir(directory).expect("it is new");
    }
    let server = rig.server().start();
    let command = format!("[run touch {}/a; touch {}/a]", added.display(), other.display());
    let call = call(&server).prompt(&command).sandbox("workspace-write");
    let answer = call.argument("add_dirs", [&added]).succeeds();
    assert!(added.join("a").exists(), "{answer}");
    assert!(!other.join("a").exists(), "{answer}");
    Found::All
}

pub fn web_search() -> Found {
    let _it_is_on = with_option("web_search", &json!("live"), |_, asked| {
        let tool = asked.tool("web_search").unwrap_or_else(|| panic!("{:?}", asked.tools()));
        assert_ne!(tool["external_web_access"], false, "{tool}");
    });
    with_option("web_search", &json!("disabled"), |_, asked| {
        assert!(asked.tool("web_search").is_none(), "{:?}", asked.tools());
    })
}

pub fn cached_search() -> Found {
    with_option("web_search", &json!("cached"), |_, asked| {
        let tool = asked.tool("web_search").unwrap_or_else(|| panic!("{:?}", asked.tools()));
        assert_eq!(tool["external_web_access"], false, "{tool}");
    })
}

pub fn profile() -> Found {
    let rig = Rig::with(echo);
    fs::write(rig.home.path().join("fast.config.toml"), "model = \"gpt-5.4\"\n").expect("writable");
    let server = rig.server().start();
    let ask = call(&server).prompt("Hello.").argument("profile", "fast");
    let found = match ask.clone().send().succeeds_or_fails_with("config_not_loaded") {
        Ok(_) => Found::All,
        Err(failure) => {
            let _it_names_the_profile = failure.mentions("`fast` not found");
            rig.home.append_config("[profiles.fast]\nmodel = \"gpt-5.4\"");
            ask.succeeds();
            Found::Less("they are tables `[profiles.NAME]` in `config.toml`, not files".into())
        }
    };
    let asked = rig.model.requests().pop().expect("the model was asked");
    assert_eq!(asked.body["model"], "gpt-5.4");
    found
}

pub fn instructions() -> Found {
    with_option("base_instructions", &json!("You dig."), |_, asked| {
        let all = asked.instructions();
        assert!(all.iter().any(|text| text.trim() == "You dig."), "{all:?}");
    })
}

pub fn ephemeral() -> Found {
    let rig = Rig::with(echo);
    let server = rig.server().env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true").start();
    let arguments = json!({"prompt": "Hello.", "extra_arguments": ["--ephemeral"]});
    let result = server.call("codex_chat", &arguments);
    if result["isError"] == true {
        assert!(result.to_string().contains("unexpected argument '--ephemeral'"), "{result}");
        assert!(rig.model.requests().is_empty(), "the model was asked");
        let less = "it has no `--ephemeral`, and the call fails with Codex's own error";
        return Found::Less(less.into());
    }
    let session = result["structuredContent"]["session_id"].as_str().expect("a session");
    assert!(rig.home.rollout(session).is_none(), "there is a record");
    Found::All
}

pub fn developer_instructions() -> Found {
    let rig = Rig::with(echo);
    let server = rig.server().arg("mcp-server").start();
    let arguments = json!({"prompt": "Hello.", "developer-instructions": "Answer in rhymes."});
    let result = server.call("codex", &arguments);
    assert_ne!(result["isError"], true, "{result}");
    let asked = rig.model.requests().pop().expect("the model was asked");
    if asked.instructions().iter().any(|text| text.contains("Answer in rhymes.")) {
        return Found::All;
    }
    let prompt = asked.last_user_text();
    assert!(prompt.contains("Answer in rhymes."), "they are lost: {prompt}");
    Found::Less("they are at the beginning of the prompt".into())
}

pub fn instructions_of_user() -> Found {
    let rig = Rig::with(echo);
    fs::write(rig.home.path().join("AGENTS.md"), "Dig with a spade.\n").expect("writable");
    call(&rig.server().start()).prompt("Hello.").succeeds();
    let asked = rig.model.requests().pop().expect("the model was asked");
    assert!(asked.body.to_string().contains("Dig with a spade."), "the model has not got it");
    Found::All
}
