//! Codex of other versions, played by the scripted one.

use serde_json::json;

use crate::kit::call::call;
use crate::kit::play::{Stage, chat};
use crate::kit::setup::field;

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

/// How often a Codex was started for its version, and how often for a turn.
fn versions_and_turns(stage: &Stage) -> (usize, usize) {
    let starts = stage.all_starts();
    let versions = starts.iter().filter(|start| start["argv"][1] == "--version").count();
    (versions, starts.len() - versions)
}

#[test]
fn an_old_codex_is_not_started_for_a_fork() {
    let stage = Stage::new();
    let server = stage.server().env("SCRIPTED_CODEX_VERSION", "codex-cli 0.77.0").start();
    let hello = call(&server).prompt("hello");
    let fork = hello.clone().in_session(SESSION).argument("fork", true);
    for _ in 0..3 {
        fork.clone()
            .fails_with("needs_newer_codex")
            .about("fork")
            .mentions("0.153")
            .mentions("0.77")
            .mentions("Nothing was started");
    }
    assert_eq!(versions_and_turns(&stage), (1, 0));

    fork.tool("job_start").fails_with("needs_newer_codex");
    // Everything else works.
    hello.replies("done");
    assert_eq!(versions_and_turns(&stage).1, 1);
}

#[test]
fn a_server_requests_the_version_of_a_codex_once() {
    let stage = Stage::new();
    for server in 1..=2 {
        let running = stage.server().start();
        for _ in 0..3 {
            chat(&running, &json!({"prompt": "hello"}));
        }
        let calls =
            [0, 1, 2].map(|_| running.begin_call("codex_chat", &json!({"prompt": "hello"})));
        for call in &calls {
            running.answer(call);
        }
        assert_eq!(versions_and_turns(&stage), (server, server * 6));
    }
}

#[test]
fn rules_that_an_old_codex_would_follow_out_of_the_sandbox_are_reported() {
    let stage = Stage::new();
    std::fs::create_dir(stage.home.path().join("rules")).expect("it is new");
    let old = "codex-cli 0.77.0";
    let server = stage.server().env("SCRIPTED_CODEX_VERSION", old).start();
    call(&server)
        .prompt("hello")
        .fails_with("needs_newer_codex")
        .about("sandbox requires Codex 0.153 or newer if Codex has rules")
        .mentions("rules/*.rules")
        .omits("again without");
    assert_eq!(versions_and_turns(&stage).1, 0);
    let most = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
    let open =
        stage.server().env("SCRIPTED_CODEX_VERSION", old).env(most, "danger-full-access").start();
    let hello = call(&open).prompt("hello");
    hello.clone().fails_with("needs_newer_codex");
    hello.sandbox("danger-full-access").replies("done");
}

#[test]
fn a_codex_without_a_version_is_treated_as_a_new_one() {
    let stage = Stage::new();
    let server = stage.server().env("SCRIPTED_CODEX_VERSION", "what?").start();
    let arguments = json!({"prompt": "hello", "session_id": SESSION, "fork": true});
    assert_ne!(field(&chat(&server, &arguments), "session_id"), SESSION);
    let starts = stage.all_starts();
    let argv = starts.last().expect("it was started")["argv"].to_string();
    assert!(argv.contains("\"fork\"") && argv.contains("--ignore-rules"), "{argv}");
}

#[test]
fn base_instructions_are_given_by_the_setting_that_a_release_reads() {
    for (version, setting) in [
        ("0.77.0", "experimental_instructions_file="),
        ("0.121.0", "model_instructions_file="),
        ("0.171.0", "model_instructions_file="),
    ] {
        let stage = Stage::new();
        let release = format!("codex-cli {version}");
        let server = stage.server().env("SCRIPTED_CODEX_VERSION", release).start();
        call(&server).prompt("hello").argument("base_instructions", "You dig.").replies("done");
        let started = stage.starts().pop().expect("a turn was started");
        assert!(started["argv"].to_string().contains(setting), "{version}: {started}");
    }
}

#[test]
fn a_codex_that_is_newer_than_tested_is_used_like_the_newest_tested_one() {
    let stage = Stage::new();
    for version in ["0.171.0", "0.999.0"] {
        let release = format!("codex-cli {version}");
        let server = stage.server().env("SCRIPTED_CODEX_VERSION", release).start();
        let hello = call(&server).prompt("hello");
        let first = hello.clone().replies("done").warns_of_nothing();
        hello.in_session(first.session()).argument("fork", true).replies("done").warns_of_nothing();
        assert!(!server.stderr().contains("WARN"), "{version}: {}", server.stderr());
    }
    let starts = stage.starts();
    let [tested, _, newer, _] = &starts[..] else { panic!("four turns: {starts:?}") };
    assert_eq!(newer["argv"], tested["argv"]);
}

#[test]
fn web_search_is_set_as_a_release_reads_it_or_refused() {
    let stage = Stage::new();
    let set = |version: &str, word: &str| {
        let release = format!("codex-cli {version}");
        let server = stage.server().env("SCRIPTED_CODEX_VERSION", release).start();
        call(&server).prompt("hello").argument("web_search", word).replies("done");
        stage.starts().pop().expect("a turn was started")["argv"].to_string()
    };
    for version in ["0.121.0", "0.171.0"] {
        let argv = set(version, "disabled");
        assert!(argv.contains(r#""web_search=\"disabled\"""#), "{version}: {argv}");
        assert!(!argv.contains("tools.web_search"), "{version}: {argv}");
    }
    assert!(set("0.77.0", "disabled").contains("tools.web_search=false"));
    assert!(set("0.77.0", "live").contains("tools.web_search=true"));

    // It would search live.
    let server = stage.server().env("SCRIPTED_CODEX_VERSION", "codex-cli 0.77.0").start();
    let started = stage.starts().len();
    for word in ["cached", "indexed"] {
        let cached = call(&server).prompt("hello").argument("web_search", word);
        cached.fails_with("needs_newer_codex").about("web_search").mentions("0.100");
    }
    assert_eq!(stage.starts().len(), started);
}
