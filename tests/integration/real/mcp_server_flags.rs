//! The flags of `codex` on the command line of `mcp-server`: what reaches Codex and its model, and that no flag undoes
//! what confines a turn.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::cli;
use crate::kit::mcp_server::{beside, refused, reply, said, thread, thread_of};
use crate::kit::real::{ByHand, last_turn, obey};
use crate::kit::setup::{PROGRAM, home, real, real_release};
use crate::kit::wait::wait_for;
use crate::support::client::Builder;
use crate::support::environment::clean;
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::{Home, Release, install_release};
use crate::support::scripted_codex;

const ALLOWED: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";
const NESTED: &str = "CODEX_PERSISTENT_MCP_NESTED_MCP";

/// A server that is started with these arguments.
fn server(home: &Home, release: Release, arguments: &[&str]) -> Builder {
    arguments.iter().fold(real_release(home, release), Builder::arg)
}

/// The model, its reasoning effort and its verbosity, in a request.
fn asked(request: &Request) -> [&str; 3] {
    let body = &request.body;
    let texts = [&body["model"], &body["reasoning"]["effort"], &body["text"]["verbosity"]];
    texts.map(|value| value.as_str().unwrap_or_default())
}

fn last(model: &Model) -> Request {
    model.requests().pop().expect("the model was asked")
}

#[test]
fn flags_before_and_after_the_command_reach_the_model_and_a_call_wins() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(echo);
        let home = home(&model.url());
        fs::write(
            home.path().join("fast.config.toml"),
            "model = \"gpt-5.4\"\nmodel_reasoning_effort = \"low\"",
        )
        .expect("the home is writable");
        let ask = |arguments: &[&str], call: Value| {
            let server = server(&home, release, arguments).start();
            let answer = server.call("codex", &call);
            let _replied = said(&answer);
            (asked(&last(&model)).map(str::to_owned), thread_of(&answer).to_owned())
        };
        let hello = || json!({"prompt": "hello"});
        let inner = home.project().join("inner");
        fs::create_dir_all(inner.join("deeper")).expect("the project is writable");
        let (found, thread) =
            ask(&["mcp-server", "-c", "model_reasoning_effort=\"high\""], hello());
        assert_eq!(found, ["gpt-5.5", "high", "low"], "{release:?}");
        // A literal string, and in a thread that another server began.
        let again = server(&home, release, &["-c", "model_verbosity=medium", "mcp-server"]).start();
        reply(&again, &thread, "again");
        assert_eq!(asked(&last(&model))[2], "medium", "{release:?}");

        let all = [
            "-c",
            "model_verbosity=high",
            "-p",
            "fast",
            "mcp-server",
            "--model=gpt-5.5",
            "--strict-config",
            "-Cinner",
            "-sworkspace-write",
            "-a",
            "untrusted",
        ];
        let (found, thread) = ask(&all, hello());
        assert_eq!(found, ["gpt-5.5", "low", "high"], "{release:?}");
        let (dir, sandbox) = last_turn(&home, &thread);
        assert_eq!((dir, &*sandbox), (inner.clone(), "workspace-write"));
        let call = json!({
            "prompt": "hello", "model": "gpt-5.4", "sandbox": "read-only", "cwd": "deeper",
            "config": {"model_reasoning_effort": "medium"},
        });
        let (found, thread) = ask(&all, call);
        assert_eq!(found[..2], ["gpt-5.4", "medium"], "{release:?}");
        let (dir, sandbox) = last_turn(&home, &thread);
        assert_eq!((dir, &*sandbox), (inner.join("deeper"), "read-only"));
    }
}

/// An entry of `config.toml` for `codex mcp-server`, with one word changed.
#[test]
fn codex_itself_is_a_client_of_it() {
    let model = Model::start(|request| match &*request.last_user_text() {
        "[delegate]" if !request.has_tool_output() => {
            Response::call("mcp__codex/codex", json!({"prompt": "the innermost"}))
        }
        "[delegate]" => Response::message(request.tool_outputs().join("\n")),
        _ => echo(request),
    });
    let home = home(&model.url());
    let (codex, state) = (&install_release(Release::Newest).native, home.state());
    home.append_config(&format!(
        "[mcp_servers.codex]\ncommand = {PROGRAM:?}\n\
         args = [\"mcp-server\", \"-c\", \"model_reasoning_effort=\\\"high\\\"\"]\n\
         default_tools_approval_mode = \"approve\"\n\
         env = {{ CODEX_HOME = {:?}, CODEX_BIN = {codex:?}, CODEX_PERSISTENT_MCP_STATE_DIR = {state:?} }}\n",
        home.path(),
    ));
    ByHand::exec(&home, &["-"], "[delegate]").finish();
    let requests = model.requests();
    let [outer, inner, answered] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((&*inner.last_user_text(), asked(inner)[1]), ("the innermost", "high"));
    assert_ne!(asked(outer)[1], "high");
    let outputs = answered.tool_outputs();
    assert!(outputs.iter().any(|output| output.contains("echo: the innermost")), "{outputs:?}");
}

#[test]
fn a_setting_that_codex_does_not_know_fails_each_call_if_it_is_strict() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let flags = ["mcp-server", "-c", "no_such_key=1"];
    thread(&server(&home, Release::Newest, &flags).start(), "hello");
    let strict = server(&home, Release::Newest, &flags).arg("--strict-config").start();
    let answer = strict.call("codex", &json!({"prompt": "hello"}));
    assert!(refused(&answer).contains("no_such_key"), "{answer}");
}

/// A turn may have written in its directory.
#[test]
fn a_file_that_a_flag_names_is_that_of_the_server_and_not_of_the_turn() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(echo);
        let home = home(&model.url());
        let inner = home.project().join("inner");
        fs::create_dir(&inner).expect("the project is writable");
        for (dir, text) in [(home.project(), "Of the server."), (&inner, "Planted.")] {
            fs::write(dir.join("base.md"), text).expect("the project is writable");
        }
        let flags = ["-c", "model_instructions_file=base.md"];
        let inner = inner.to_str().expect("test paths are text");
        let by_hand = [&flags[..], &["-C", inner, "-"]].concat();
        ByHand::exec_release(&home, release, &by_hand, "hello").finish();
        let instructions = || last(&model).instructions();
        assert!(instructions().iter().any(|text| text.contains("Planted.")), "{release:?}");

        let server = server(&home, release, &[&flags[..], &["mcp-server"]].concat()).start();
        let answer = server.call("codex", &json!({"prompt": "hello", "cwd": "inner"}));
        assert_eq!(said(&answer), "echo: hello");
        assert!(instructions().iter().any(|text| text.contains("Of the server.")), "{release:?}");
    }
}

#[test]
fn features_are_turned_on_and_off() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let has_shell = |arguments: &[&str]| {
        let server = server(&home, Release::Newest, arguments).start();
        thread(&server, "hello");
        last(&model).tools().iter().any(|tool| tool.contains("exec") || tool.contains("shell"))
    };
    assert!(has_shell(&["mcp-server"]));
    assert!(!has_shell(&["mcp-server", "--disable", "shell_tool"]));
    assert!(has_shell(&["--disable=shell_tool", "mcp-server", "--enable=shell_tool"]));
}

#[test]
fn a_flag_that_cannot_be_used_ends_the_program_without_showing_its_value() {
    let home = home("http://127.0.0.1:9/v1");
    for (arguments, says) in [
        (&["mcp-server", "-c", "xylophone"][..], "--config must be KEY=VALUE"),
        (&["-c", "instructions=xylophone", "mcp-server"], "config.toml"),
        (&["mcp-server", "-c", "mcp_servers.a.env.API_TOKEN=xylophone"], "config.toml"),
        (&["mcp-server", "--enable", "xylo.phone"], "--enable must be"),
        (&["-m", "gpt-5", "jobs"], "belong to the command mcp-server"),
        (&["-p", "fast"], "belong to the command mcp-server"),
    ] {
        let ran = cli::run(cli::program(&home, &scripted_codex(), arguments));
        assert_eq!((ran.status, &*ran.stdout), (Some(2), ""), "{arguments:?}");
        assert!(ran.stderr.contains(says) && !ran.stderr.contains("xylo"), "{}", ran.stderr);
    }
}

/// Each of these, given to `codex exec` itself, makes a file outside of the project.
#[test]
fn no_flag_undoes_what_confines_a_turn() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(obey);
        let home = home(&model.url());
        let mark = home.project().with_file_name("mark");
        let touch = format!("touch {}", mark.display());
        let planted = home.project().join("planted");
        fs::write(&planted, format!("#!/bin/sh\n{touch}\n")).expect("the project is writable");
        let folder = home.project().join(".codex");
        fs::create_dir(&folder).expect("the project is writable");
        let theirs = format!("[mcp_servers.e]\ncommand = \"sh\"\nargs = [\"-c\", {touch:?}]\n");
        fs::write(folder.join("config.toml"), theirs).expect("the project is writable");
        let project = home.project().display();
        let trusted = format!("projects={{{:?}={{trust_level=\"trusted\"}}}}", home.project());
        let run = format!("[run {touch}]");
        let attacks: [(&[&str], &str); 6] = [
            (&["-s", "danger-full-access"], &run),
            (&["-c", "sandbox_mode=danger-full-access"], &run),
            (&["-c", "default_permissions=\":danger-full-access\""], &run),
            (&["-c", &trusted], "hello"),
            (&["-c", "mcp_servers.ours={command=\"sh\",args=[\"planted\"]}"], "hello"),
            (
                &["-c", "mcp_servers.ours.command=sh", "-c", "mcp_servers.ours.args=[\"planted\"]"],
                "hello",
            ),
        ];
        for (flags, prompt) in attacks {
            let arguments: Vec<&str> = flags.iter().chain(&["-"]).copied().collect();
            ByHand::exec_release(&home, release, &arguments, prompt).finish();
            wait_for(&mark);
            fs::remove_file(&mark).expect("it was just made");

            let arguments: Vec<&str> = flags.iter().chain(&["mcp-server"]).copied().collect();
            let server = server(&home, release, &arguments).start();
            let first = server.call("codex", &json!({"prompt": prompt}));
            assert!(first["isError"].is_null(), "{first}");
            let reply = json!({"prompt": prompt, "threadId": thread_of(&first)});
            server.call("codex-reply", &reply);
            assert!(!mark.exists(), "{release:?} {flags:?} in {project}");
        }
    }
}

#[test]
fn a_server_of_the_operators_starts_outside_of_the_project_if_it_may() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let mark = home.project().with_file_name("mark");
    let run = format!("mcp_servers.ours.args=[\"-c\",\"pwd > {}\"]", mark.display());
    let flags = ["mcp-server", "-c", "mcp_servers.ours.command=sh", "-c", &run];
    let started_in = |nested: &str, flags: &[&str]| {
        let server = server(&home, Release::Newest, flags).env(NESTED, nested).start();
        thread(&server, "hello");
        fs::read_to_string(&mark).ok().inspect(|_| fs::remove_file(&mark).expect("it is there"))
    };
    let dir = started_in("inherit", &flags).expect("it is allowed");
    assert!(Path::new(dir.trim()).ends_with("state/empty"), "{dir}");
    assert_eq!(started_in("none", &flags), None);
    let enabled: Vec<&str> =
        flags.iter().chain(&["-c", "mcp_servers.ours.enabled=true"]).copied().collect();
    assert_eq!(started_in("theirs", &enabled), None);
}

/// Connectors have a former name, which would win. Whether they are on depends on an account, so this asks Codex.
#[test]
fn connectors_are_off_by_their_former_name_too() {
    for release in [Release::Newest, Release::V0_153] {
        let home = home("http://127.0.0.1:9/v1");
        let are_on = |settings: &[&str]| {
            let mut command = Command::new(&install_release(release).native);
            let command = clean(&mut command, home.user()).env("CODEX_HOME", home.path());
            let settings = settings.iter().flat_map(|setting| ["-c", setting]);
            let output = command.args(["features", "list"]).args(settings).output();
            let output = output.expect("Codex starts");
            let list = String::from_utf8(output.stdout).expect("it is text");
            let line =
                list.lines().find(|line| line.starts_with("apps ")).expect("it is a feature");
            line.ends_with("true")
        };
        let (on, off) = ("features.connectors=true", "features.apps=false");
        assert!(are_on(&[on, off]), "{release:?}");
        assert!(!are_on(&[on, off, "features.connectors=false"]), "{release:?}");
    }
}

/// What a call says to the model beside its prompt.
fn texts() -> Value {
    json!({
        "prompt": "[hang]",
        "base-instructions": "Base xylophone.",
        "developer-instructions": "Developer \"xylophone\",\n'quoted' \\ deep ünder #1\n[sandbox]\n\u{202e}",
        "compact-prompt": "Sum up by xylophone.",
    })
}

#[test]
#[cfg(target_os = "linux")]
fn texts_for_the_model_are_in_no_process_list_and_no_log() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let model = Model::start(obey);
        let home = home(&model.url());
        home.append_config("developer_instructions = \"The user's own.\"");
        let log = home.path().join("server.log");
        let server = server(&home, release, &["mcp-server", "--debug", "--log-file"]);
        let server = server.arg(&log).start();
        let texts = texts();
        let call = server.begin_call("codex", &texts);
        let request = model.wait_for(|request| request.last_user_text() == "[hang]");
        let instructions = request.instructions();
        let has = |text: &str| instructions.iter().filter(|one| *one == text).count();
        assert_eq!(has("Base xylophone."), 1, "{release:?} {instructions:?}");
        let developer = texts["developer-instructions"].as_str().expect("it is text");
        assert_eq!(has(developer), 1, "{release:?} {instructions:?}");
        // They replace those of the configuration.
        assert_eq!(has("The user's own."), 0, "{release:?} {instructions:?}");
        let running = server.descendants().expect("Linux lists processes");
        assert!(running.iter().any(|process| process.cmdline.contains(" exec ")), "{running:?}");
        for process in running {
            assert!(!process.cmdline.contains("xylophone"), "{}", process.cmdline);
        }
        server.cancel(&call);
        server.close_stdin();
        assert!(server.wait_exit(crate::kit::wait::WAIT).success());
        for log in [server.stderr(), fs::read_to_string(&log).expect("it is text")] {
            assert!(log.contains("starting Codex") || log.is_empty() || !log.contains("xylophone"));
            assert!(!log.contains("xylophone"), "{log}");
        }
        let left = fs::read_dir(home.state().join("scratch")).expect("there were files").count();
        assert_eq!(left, 0, "{release:?}");
    }
}

#[test]
fn developer_instructions_stay_in_the_thread() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(echo);
        let home = home(&model.url());
        let server = server(
            &home,
            release,
            &["mcp-server", "-c", "developer_instructions=Of the operator."],
        );
        let server = server.start();
        let long = format!("Long. {}", "é text ".repeat(20_000));
        let call = json!({"prompt": "hello", "developer-instructions": long});
        let answer = server.call("codex", &call);
        assert_eq!((said(&answer), beside(&answer)), ("echo: hello", ""));
        reply(&server, thread_of(&answer), "again");
        let whole = long.trim_end();
        let given = |request: &Request, text: &str| {
            request.instructions().iter().filter(|one| one.trim_end() == text).count()
        };
        assert_eq!(given(&last(&model), whole), 1, "{release:?}");
        assert_eq!(given(&last(&model), "Of the operator."), 0, "{release:?}");
        let own = thread(&server, "hello");
        reply(&server, &own, "again");
        assert_eq!(given(&last(&model), "Of the operator."), 1, "{release:?}");
    }
}

#[test]
fn developer_instructions_survive_a_compaction() {
    for release in [Release::Newest, Release::V0_153] {
        let model = Model::start(|request: &Request| {
            if request.last_user_text() == "[again]" && !request.has_tool_output() {
                return Response::shell("echo hi").with_usage(9_000, 0, 1_000, 0);
            }
            Response::message("so it was")
        });
        let home = home(&model.url());
        let server = server(&home, release, &["mcp-server"]).start();
        let config = json!({"model_auto_compact_token_limit": 500});
        let call =
            json!({"prompt": "[again]", "developer-instructions": "Be brief.", "config": config});
        let answer = server.call("codex", &call);
        assert_eq!((said(&answer), beside(&answer)), ("so it was", ""));
        // The reply's own turn is compacted, too.
        let reply = json!({"prompt": "[again]", "threadId": thread_of(&answer)});
        let answer = server.call("codex-reply", &reply);
        assert_eq!((said(&answer), beside(&answer)), ("so it was", ""));
        let asked = model.requests();
        assert_eq!(asked.len(), 6, "each turn was compacted: {asked:?}");
        for request in &asked {
            let instructions = request.instructions();
            let times = instructions.iter().filter(|text| *text == "Be brief.").count();
            assert_eq!(times, 1, "{release:?} {instructions:?}");
        }
    }
}

#[test]
fn where_codex_runs_no_hooks_the_caller_is_told() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let call = |config: Value| json!({"prompt": "hello", "developer-instructions": "Be brief.", "config": config});
    let off = server(&home, Release::Newest, &["mcp-server", "--disable", "hooks"]).start();
    let answer = off.call("codex", &call(json!({})));
    assert!(beside(&answer).contains("at the beginning of the prompt"), "{answer}");
    let prompt = last(&model).last_user_text();
    assert!(prompt.contains("\nBe brief.\n") && prompt.ends_with("\n\nhello"), "{prompt}");
    assert!(prompt.lines().next().is_some_and(|line| line.contains("developer instructions")));

    // Found out only afterwards.
    let open = real(&home).arg("mcp-server").env(ALLOWED, "danger-full-access").start();
    let answer = open.call("codex", &call(json!({"features": {"hooks": false}})));
    assert!(beside(&answer).contains("did not reach Codex"), "{answer}");
    let answer = open.call("codex", &call(json!({"model_verbosity": "low"})));
    assert_eq!(beside(&answer), "");
}

#[test]
fn settings_of_a_call_are_nested_or_dotted_and_a_refusal_says_who_may_change_that() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let call = |config: Value| json!({"prompt": "hello", "config": config});
    let open = real(&home).arg("mcp-server").env(ALLOWED, "danger-full-access").start();
    let shell = |config: Value| {
        let _replied = said(&open.call("codex", &call(config)));
        last(&model).tools().iter().any(|tool| tool.contains("exec") || tool.contains("shell"))
    };
    assert!(shell(json!({"features": {"shell_tool": true}})));
    assert!(!shell(json!({"features": {"shell_tool": false}})));
    assert!(!shell(json!({"features.shell_tool": false})));

    let limited = server(&home, Release::Newest, &["mcp-server"]).start();
    for config in [
        json!({"sandbox_workspace_write": {"network_access": true}}),
        json!({"sandbox_workspace_write.network_access": true}),
    ] {
        let answer = limited.call("codex", &call(config));
        let text = refused(&answer);
        assert!(text.contains("sandbox_workspace_write"), "{text}");
        assert!(text.contains("--max-sandbox danger-full-access"), "{text}");
    }
    let missing = limited.call("codex", &json!({"prompt": "hello", "cwd": "no/such"}));
    let text = refused(&missing);
    let folder = home.project().join("no/such");
    assert!(text.contains("cwd") && text.contains(&*folder.to_string_lossy()), "{text}");
}
