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
    with_option("web_search", &json!("live"), |_, asked| {
        assert!(asked.tool("web_search").is_some(), "{:?}", asked.tools());
    })
}

pub fn profile() -> Found {
    let rig = Rig::with(echo);
    fs::write(rig.home.path().join("fast.config.toml"), "model = \"gpt-5.4\"\n").expect("writable");
    let server = rig.server().start();
    let ask = call(&server).prompt("Hello.").argument("profile", "fast");
    let found = match ask.clone().send().succeeds_or_fails_with("no_result") {
        Ok(_) => Found::All,
        Err(failure) => {
            let _it_names_the_profile = failure.mentions("`fast` not found");
            rig.home.append_config("[profiles.fast]\nmodel = \"gpt-5.4\"");
            ask.succeeds();
            Found::Less("profiles are tables in config.toml, not files".into())
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
