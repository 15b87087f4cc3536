//! The options of a call, as they reach the model of the real Codex: in a new session, in a resumed one, in a
//! fork, and in a job.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::kit::jobs::wait;
use crate::kit::play::with;
use crate::kit::real::{PICTURE, last_turn, obey};
use crate::kit::setup::{content, field, home, real};
use crate::kit::wait::wait_until;
use crate::support::client::{Server, result};
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::Home;

/// A model, a home and a server that lets calls add arguments.
fn rig(script: impl Fn(&Request) -> Response + Send + Sync + 'static) -> (Model, Home, Server) {
    let model = Model::start(script);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true").start();
    (model, home, server)
}

/// The result of one turn.
struct Asked {
    way: &'static str,
    /// The first request to the model.
    request: Request,
    /// The answer, or the job.
    answer: Value,
}

/// Runs a turn with these options in each way. None may fail.
fn each_way(model: &Model, server: &Server, options: &Value) -> Vec<Asked> {
    let begun = server.call("codex_chat", &json!({"prompt": "begin"}));
    let session = field(&begun, "session_id");
    ["new", "resume", "fork", "job"].map(|way| one_way(model, server, options, session, way)).into()
}

fn one_way(
    model: &Model,
    server: &Server,
    options: &Value,
    session: &str,
    way: &'static str,
) -> Asked {
    let word = format!("word-{way}-{}.", model.requests().len());
    let said = options["prompt"].as_str().unwrap_or_default();
    let mut arguments = with(options.clone(), "prompt", format!("{word} {said}"));
    if way != "new" {
        arguments["session_id"] = session.into();
    }
    arguments["fork"] = (way == "fork").into();
    let answer = if way == "job" {
        job(server, &arguments)
    } else {
        content(&server.call("codex_chat", &arguments)).clone()
    };
    assert!(answer["error"].is_null(), "{way}: {answer}");
    let request = model.wait_for(|request| request.last_user_text().contains(&word));
    Asked { way, request, answer }
}

/// Runs a job to its end.
fn job(server: &Server, arguments: &Value) -> Value {
    let job = content(&server.call("job_start", arguments)).clone();
    let id = job["job_id"].as_str().expect("a job has an id");
    wait(server, id, &job["notification_cursor"]);
    crate::kit::jobs::snapshot(server, id)
}

/// Gives a job another turn, and returns the request to the model.
fn reply(model: &Model, server: &Server, job: &Value) -> Request {
    let id = job["job_id"].as_str().expect("a job has an id");
    let reply = crate::kit::jobs::reply(server, id, "word-later");
    wait(server, id, &reply["notification_cursor"]);
    model.wait_for(|request| request.last_user_text().contains("word-later"))
}

#[test]
fn pictures_are_shown_to_the_model() {
    let (model, home, server) = rig(echo);
    // Names that would be flags, or several names, if they were not separated.
    let paths = ["-c x.png", "\"two\" words\nand a line.png"].map(|name| home.project().join(name));
    for path in &paths {
        fs::write(path, PICTURE).expect("the project is writable");
    }
    for Asked { way, request, .. } in each_way(&model, &server, &json!({"images": paths})) {
        let images = request.images();
        assert_eq!(images.len(), 2, "{way}: {}", request.body["input"]);
        assert!(
            images.iter().all(|image| image.starts_with("data:image/png;base64,iVBOR")),
            "{way}"
        );
        assert!(!request.last_user_text().contains("could not read"), "{way}");
    }
}

#[test]
fn a_schema_shapes_the_answer_and_the_output_is_parsed() {
    let (model, home, server) = rig(|_| Response::message(r#"{"depth": 3, "dry": true}"#));
    let schema = json!({
        "type": "object",
        "properties": {"depth": {"type": "integer"}, "dry": {"type": "boolean"}},
        "required": ["depth", "dry"],
        "additionalProperties": false,
    });
    let options = json!({"output_schema": schema});
    for Asked { way, request, answer } in each_way(&model, &server, &options) {
        let format = &request.body["text"]["format"];
        assert_eq!((&format["type"], &format["schema"]), (&json!("json_schema"), &schema), "{way}");
        assert_eq!(answer["output"], json!({"depth": 3, "dry": true}), "{way}: {answer}");
        assert!(answer["warnings"].is_null(), "{way}: {answer}");
    }
    assert_eq!(fs::read_dir(home.state().join("scratch")).expect("it was used").count(), 0);

    // It holds for its turn only, in a job too.
    let job = job(&server, &with(options, "prompt", "once"));
    let later = reply(&model, &server, &job);
    assert!(later.body["text"]["format"].is_null(), "{}", later.body["text"]);
}

#[test]
fn a_reply_that_is_not_json_is_returned_with_a_warning() {
    let (model, _home, server) = rig(echo);
    let options = json!({"output_schema": {"type": "object", "additionalProperties": false}});
    for Asked { way, answer, .. } in each_way(&model, &server, &options) {
        assert!(answer["output"].is_null(), "{way}: {answer}");
        assert!(answer["warnings"].to_string().contains("output_schema"), "{way}: {answer}");
        let reply = answer["reply"].as_str().or(answer["result"].as_str());
        assert!(reply.is_some_and(|reply| reply.starts_with("echo: ")), "{way}: {answer}");
    }
}

#[test]
fn web_search_is_used_as_the_call_sets_it() {
    let (model, _home, server) = rig(echo);
    for (word, access) in
        [("live", json!(true)), ("cached", json!(false)), ("disabled", json!(null))]
    {
        let options = json!({"web_search": word});
        for Asked { way, request, .. } in each_way(&model, &server, &options) {
            let tool = request.tool("web_search");
            assert_eq!(tool.is_some(), word != "disabled", "{word} {way}");
            let tool = tool.unwrap_or(&Value::Null);
            assert_eq!(tool["external_web_access"], access, "{word} {way}");
        }
    }
}

#[test]
fn base_instructions_replace_those_of_codex() {
    let (model, home, server) = rig(echo);
    let begun = server.call("codex_chat", &json!({"prompt": "begin"}));
    let plain = model.requests().remove(0).instructions();
    let own = plain.iter().max_by_key(|text| text.len()).expect("Codex has instructions");
    let beginning: String = own.chars().take(60).collect();
    assert!(!home.state().join("scratch").exists(), "without such options no file is made");

    let mine = "You dig.\n\"Quietly\", 'and' \\deep ünder #1\n[sandbox]\n";
    let options = json!({"base_instructions": mine});
    for Asked { way, request, .. } in each_way(&model, &server, &options) {
        let reported = request.instructions();
        assert!(reported.iter().any(|text| text.trim() == mine.trim()), "{way}: {reported:?}");
        assert!(!reported.iter().any(|text| text.contains(&beginning)), "{way}: {reported:?}");
    }
    // Codex itself would forget them after a turn of a session that has others. The job does not.
    let session = field(&begun, "session_id");
    let arguments = json!({"prompt": "dig", "session_id": session, "base_instructions": mine});
    let job = job(&server, &arguments);
    let later = reply(&model, &server, &job);
    assert!(later.instructions().iter().any(|text| text.trim() == mine.trim()));
}

#[test]
fn settings_reach_codex_with_whatever_is_in_them() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access").start();
    let text = "x\" sandbox_mode = \"danger-full-access\" \"\"\" ''' \\ # }]";
    let options = json!({"sandbox": "read-only", "config": {
        "model_verbosity": "low",
        "model_reasoning_summary": "detailed",
        "model_providers.stand-in.http_headers": {"x-mine": text},
    }});
    for Asked { way, request, answer } in each_way(&model, &server, &options) {
        assert_eq!(request.body["text"]["verbosity"], "low", "{way}");
        let mine = ("x-mine".to_owned(), text.to_owned());
        assert!(request.headers.contains(&mine), "{way}: {:?}", request.headers);
        if way == "new" {
            assert_eq!(request.body["reasoning"]["summary"], "detailed");
        }
        assert_eq!(answer["effective"]["sandbox"], "read-only", "{way}");
    }
}

#[test]
fn a_limit_for_the_output_of_tools_holds() {
    let (model, _home, server) = rig(obey);
    let long = |config: Value| {
        let arguments = json!({"prompt": "[run seq 1 5000]", "config": config});
        field(&server.call("codex_chat", &arguments), "reply").len()
    };
    assert!(long(json!({"tool_output_token_limit": 200})) < 3_000);
    assert!(long(json!({})) > 10_000);
    drop(model);
}

#[test]
fn a_profile_is_that_of_its_file() {
    let (model, home, server) = rig(echo);
    fs::write(home.path().join("fast-1.config.toml"), "model = \"gpt-5.4\"\n").expect("writable");
    for Asked { way, request, answer } in each_way(&model, &server, &json!({"profile": "fast-1"})) {
        assert_eq!(request.body["model"], "gpt-5.4", "{way}");
        assert_eq!(answer["effective"]["model"], "gpt-5.4", "{way}");
    }
    // A parameter overrides it.
    let arguments = json!({"prompt": "word-both", "profile": "fast-1", "model": "gpt-5.5"});
    content(&server.call("codex_chat", &arguments));
    let both = model.wait_for(|request| request.last_user_text().contains("word-both"));
    assert_eq!(both.body["model"], "gpt-5.5");
}

#[test]
fn commands_write_in_added_directories_and_nowhere_else() {
    let (model, home, server) = rig(obey);
    let beside = |name: &str| {
        let dir = home.project().with_file_name(name);
        fs::create_dir(&dir).expect("it is new");
        dir
    };
    let (added, other) = (beside("-c added"), beside("other"));
    let command = |way: &str| {
        let touch = |dir: &Path| format!("touch '{}/{way}'", dir.display());
        format!("[run {}; {}; echo tried]", touch(&added), touch(&other))
    };
    let options = json!({"add_dirs": [added], "sandbox": "workspace-write"});
    let begun = server.call("codex_chat", &json!({"prompt": "begin"}));
    let session = field(&begun, "session_id");
    for way in ["new", "resume", "fork", "job"] {
        let options = with(options.clone(), "prompt", command(way));
        let Asked { answer, .. } = one_way(&model, &server, &options, session, way);
        assert_eq!(answer["effective"]["writable_roots"], json!([added]), "{way}: {answer}");
        assert!(added.join(way).exists(), "{way}: {answer}");
        assert!(!other.join(way).exists(), "{way}: {answer}");
    }
    // They belong to the turn: the next one of the session has none.
    let later = json!({"prompt": command("later"), "session_id": session});
    let later = server.call("codex_chat", &later);
    assert!(!added.join("later").exists(), "{later}");
}

#[test]
fn further_arguments_reach_codex() {
    let (_model, home, server) = rig(echo);
    let arguments = json!({"prompt": "hello", "extra_arguments": ["--ephemeral"]});
    let answer = server.call("codex_chat", &arguments);
    let session = field(&answer, "session_id");
    assert!(home.rollout(session).is_none(), "nothing is kept of it");
    assert!(content(&answer)["effective"].is_null(), "nothing tells what was in force: {answer}");

    // Nor do those of an earlier turn of the session.
    let begun =
        server.call("codex_chat", &json!({"prompt": "hello", "sandbox": "workspace-write"}));
    let arguments = json!({
        "prompt": "hello", "sandbox": "read-only", "extra_arguments": ["--ephemeral"],
        "session_id": field(&begun, "session_id"),
    });
    let answer = server.call("codex_chat", &arguments);
    assert_ne!(content(&answer)["effective"]["sandbox"], "workspace-write", "{answer}");

    home.append_config("no_such_setting = 1");
    let arguments = json!({"prompt": "hello", "extra_arguments": ["--strict-config"]});
    let strict = server.call("codex_chat", &arguments);
    let text = crate::kit::setup::error_text(&strict);
    assert!(text.starts_with("config_not_loaded: ") && text.contains("no_such_setting"), "{text}");
    content(&server.call("codex_chat", &json!({"prompt": "hello"})));
}

#[test]
fn effective_settings_are_reported_as_codex_recorded_them() {
    let (model, home, server) = rig(echo);
    let options = json!({"sandbox": "workspace-write", "approval_policy": "on-request"});
    for Asked { way, answer, .. } in each_way(&model, &server, &options) {
        let session = answer["session_id"].as_str().expect("a session");
        let (cwd, sandbox) = last_turn(&home, session);
        assert_eq!(answer["cwd"], json!(cwd), "{way}");
        let expected = json!({
            "sandbox": sandbox,
            // Nobody can approve anything in `codex exec`.
            "approval_policy": "never",
            "model": "gpt-5.5",
        });
        let mut effective = answer["effective"].clone();
        // What the tools for jobs have always said repeats it.
        effective.as_object_mut().expect("an object").remove("cwd");
        assert_eq!(effective, expected, "{way}");
        assert_eq!(sandbox, "workspace-write", "{way}");
    }
}

#[test]
fn files_for_codex_are_private_and_removed_afterwards() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let scratch = home.state().join("scratch");
    let arguments = json!({
        "prompt": "[hang]",
        "output_schema": {"type": "object", "title": "secret", "additionalProperties": false},
        "base_instructions": "secret",
    });
    let files = || -> Vec<_> {
        let folders = fs::read_dir(&scratch).into_iter().flatten().flatten();
        folders.flat_map(|folder| fs::read_dir(folder.path())).flatten().flatten().collect()
    };
    for tool in ["codex_chat", "job_start"] {
        let call = server.begin_call(tool, &arguments);
        model.wait_for(|request| request.last_user_text().contains(&format!("tool: {tool} ")));
        let found = files();
        assert_eq!(found.len(), 2, "{found:?}");
        for file in found {
            let mode = file.metadata().expect("it exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.path().display());
            let folder = fs::metadata(file.path().parent().expect("a folder")).expect("it exists");
            assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        }
        if tool == "codex_chat" {
            server.cancel(&call);
        } else {
            let job = result(server.answer(&call));
            server.call("job_cancel", &json!({"job_id": field(&job, "job_id")}));
        }
        wait_until("the files to be gone", || {
            files().is_empty() && fs::read_dir(&scratch).is_ok_and(|mut all| all.next().is_none())
        });
    }
}
