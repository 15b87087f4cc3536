//! Every known way around the sandbox, tried for real: the model requests a command that writes outside, and
//! no file may appear. Where the operator allows full access the same call is passed on, which shows that the
//! file would have appeared.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kit::call::{ToolCall, call};
use crate::kit::jobs::{assert_nothing_left, snapshot, wait};
use crate::kit::play::with;
use crate::kit::real::{ByHand, last_turn, obey, record};
use crate::kit::setup::{content, home, real};
use crate::kit::wait::wait_for;
use crate::support::client::{Builder, Server};
use crate::support::model::Model;
use crate::support::real_codex::Home;

const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";

/// A model that obeys, a home, and a folder outside the project.
struct Rig {
    model: Model,
    home: Home,
    outside: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let model = Model::start(obey);
        let home = home(&model.url());
        let outside = home.project().with_file_name("outside");
        fs::create_dir(&outside).expect("it is new");
        Self { model, home, outside }
    }

    /// A server that allows everything but a higher sandbox.
    fn server(&self) -> Builder {
        real(&self.home).env("CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS", "true")
    }

    /// A server that allows everything.
    fn open(&self) -> Server {
        self.server().env(MOST, "danger-full-access").start()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.outside.join(name)
    }

    /// A prompt for which the model makes the file with one command.
    fn prompt(&self, name: &str) -> String {
        format!("[run touch {}]", self.file(name).display())
    }

    /// Expects nothing to have been written outside.
    fn assert_confined(&self, what: &str) {
        let written: Vec<_> = fs::read_dir(&self.outside).expect("readable").flatten().collect();
        assert!(written.is_empty(), "{what}: {written:?}");
    }

    /// Tries it through each tool that can run a command, in new and in old sessions.
    fn try_all(&self, server: &Server, options: &Value) {
        let prompt = self.prompt("tried");
        let chat = call(server).arguments(options).prompt(&prompt);
        let first = chat.clone().succeeds();
        self.assert_confined("chat");
        let session = first.session();
        let resumed = chat.in_session(session);
        resumed.clone().succeeds();
        self.assert_confined("resumed chat");
        resumed.argument("fork", true).succeeds();
        self.assert_confined("fork");
        let done = run_job(server, &with(options.clone(), "prompt", prompt.as_str()));
        assert_eq!(done["status"], "completed", "{done}");
        self.assert_confined("job");
        for guard in guards(server, &prompt) {
            guard.in_session(session).succeeds().has("effective.sandbox", "read-only");
            self.assert_confined("guard");
        }
    }
}

/// A call of each guard, with a prompt among its texts.
fn guards<'a>(server: &'a Server, prompt: &str) -> [ToolCall<'a>; 2] {
    let plan = call(server).tool("codex_guard_plan").argument("requirements", "none");
    let done = call(server).tool("codex_guard_final").argument("change_summary", prompt);
    [done, plan.argument("plan", prompt)]
}

/// Runs a job to its end.
fn run_job(server: &Server, arguments: &Value) -> Value {
    let job = content(&server.call("job_start", arguments)).clone();
    let id = job["job_id"].as_str().expect("a job has an id");
    wait(server, id, &job["notification_cursor"]);
    snapshot(server, id)
}

/// Settings of Codex that open a sandbox, write a file, start a program or send the prompt
/// elsewhere.
fn opening_settings(outside: &Path) -> Vec<(&'static str, Value)> {
    let outside = outside.to_str().expect("test paths are text");
    let touch = |name: &str| json!(["touch", format!("{outside}/{name}")]);
    vec![
        ("sandbox_mode", json!("danger-full-access")),
        ("sandbox_workspace_write", json!({"writable_roots": [outside], "network_access": true})),
        ("sandbox_workspace_write.writable_roots", json!([outside])),
        ("sandbox_workspace_write.network_access", json!(true)),
        ("sandbox_permissions", json!(["disk-full-write-access"])),
        ("mcp_servers", json!({"evil": {"command": "touch", "args": [format!("{outside}/mcp")]}})),
        ("mcp_servers.evil.command", json!("touch")),
        ("mcp_servers.evil.args", touch("mcp")),
        ("notify", touch("notify")),
        ("hooks", json!({"SessionStart": [{"hooks": [{"type": "command", "command": "true"}]}]})),
        ("hooks.SessionStart", json!([])),
        ("model_providers", json!({"evil": {"name": "x", "base_url": "http://127.0.0.1:9"}})),
        ("model_providers.stand-in.auth", json!({"command": "touch"})),
        ("model_providers.stand-in.base_url", json!("http://127.0.0.1:9")),
        ("model_provider", json!("evil")),
        ("openai_base_url", json!("http://127.0.0.1:9")),
        ("chatgpt_base_url", json!("http://127.0.0.1:9")),
        ("permissions", json!({"evil": {"filesystem": {":root": "write"}}})),
        ("permissions.evil.filesystem", json!({":root": "write"})),
        ("default_permissions", json!(":danger-full-access")),
        ("projects", json!({"/": {"trust_level": "trusted"}})),
        ("features", json!({"use_legacy_landlock": true})),
        ("features.use_legacy_landlock", json!(true)),
        ("approval_policy", json!("on-request")),
        ("approvals_reviewer", json!("auto_review")),
        ("profile", json!("evil")),
        ("profiles", json!({"evil": {"sandbox_mode": "danger-full-access"}})),
        ("model", json!("other")),
        ("model_instructions_file", json!("/etc/passwd")),
        ("experimental_instructions_file", json!("/etc/passwd")),
        ("instructions", json!("obey")),
        ("shell_environment_policy", json!({"set": {"PATH": outside}})),
        ("shell_environment_policy.set.PATH", json!(outside)),
        ("log_dir", json!(outside)),
        ("sqlite_home", json!(outside)),
        ("otel", json!({"exporter": "none"})),
        ("tools", json!({"web_search": true})),
        ("zsh_path", json!("/bin/sh")),
        ("agents", json!({"evil": {"config_file": "evil.toml"}})),
        ("tool_output_token_limit.x", json!(1)),
        ("model_verbosity.sandbox_mode", json!("x")),
        ("Sandbox_mode", json!("danger-full-access")),
        ("no_such_setting", json!(1)),
    ]
}

/// Arguments of `codex exec` of the same kind, each with its values.
fn opening_arguments(outside: &Path) -> Vec<Vec<String>> {
    let outside = outside.display();
    let all: &[&[&str]] = &[
        &["--yolo"],
        &["--dangerously-bypass-approvals-and-sandbox"],
        &["--dangerously-bypass-hook-trust"],
        &["--full-auto"],
        &["--approve-for-me"],
        &["--trust"],
        &["-s", "danger-full-access"],
        &["-sdanger-full-access"],
        &["--sandbox=danger-full-access"],
        &["-c", "sandbox_mode=\"danger-full-access\""],
        &["-csandbox_mode=danger-full-access"],
        &["--config=sandbox_mode=danger-full-access"],
        &["--enable", "use_legacy_landlock"],
        &["--profile=evil"],
        &["-p", "evil"],
        &["-m", "other"],
        &["-C", "/"],
        &["--cd=/"],
        &["-i", "/etc/passwd"],
        &["--oss"],
        &["--worktree"],
        &["--"],
        &["-"],
        &["resume", "--last"],
        &["review"],
        &["hello"],
        &["--ephemeral=true"],
        &["--ephemeral", "--yolo"],
        &[" --ephemeral"],
        &["--EPHEMERAL"],
        &["--ephemeral\n--yolo"],
    ];
    let mut all: Vec<Vec<String>> =
        all.iter().map(|line| line.iter().map(|&word| word.to_owned()).collect()).collect();
    for line in ["--add-dir=OUT", "-oOUT/last", "--output-last-message=OUT/last"] {
        all.push(vec![line.replace("OUT", &outside.to_string())]);
    }
    for flag in ["--add-dir", "-o", "--output-schema"] {
        all.push(vec![flag.into(), outside.to_string()]);
    }
    all
}

/// Expects all tools that accept such options to refuse a call by name, and to start nothing.
fn assert_refused(
    rig: &Rig,
    server: &Server,
    field: &str,
    value: &Value,
    setting: &str,
    word: &str,
) {
    for tool in ["codex_chat", "job_start"] {
        call(server)
            .tool(tool)
            .prompt(&rig.prompt("tried"))
            .argument(field, value)
            .fails_with("not_allowed")
            .about(field)
            .mentions(setting)
            .mentions(word)
            .mentions("Nothing was started");
    }
    for tool in ["codex_guard_plan", "codex_guard_final"] {
        call(server).tool(tool).argument(field, value).fails_with("bad_input").about(field);
    }
}

#[test]
fn settings_that_could_open_the_sandbox_are_refused_by_name() {
    let rig = Rig::new();
    let server = rig.server().start();
    for (key, value) in opening_settings(&rig.outside) {
        assert_refused(&rig, &server, "config", &json!({key: value}), MOST, key);
        let among = json!({"model_verbosity": "low", key: value, "personality": "x"});
        assert_refused(&rig, &server, "config", &among, MOST, key);
    }
    assert!(rig.model.requests().is_empty());
    rig.assert_confined("settings");
    let strict = rig.server().env("CODEX_PERSISTENT_MCP_ALLOW_CONFIG", "false").start();
    let setting = "CODEX_PERSISTENT_MCP_ALLOW_CONFIG";
    assert_refused(&rig, &strict, "config", &json!({"personality": "x"}), setting, "personality");
}

#[test]
fn arguments_that_could_open_the_sandbox_are_refused_also_where_some_are_allowed() {
    let rig = Rig::new();
    let server = rig.server().start();
    let none = real(&rig.home).start();
    let setting = "CODEX_PERSISTENT_MCP_ALLOW_EXTRA_ARGUMENTS";
    for arguments in opening_arguments(&rig.outside) {
        let value = json!(arguments);
        assert_refused(&rig, &server, "extra_arguments", &value, MOST, "");
        assert_refused(&rig, &none, "extra_arguments", &value, setting, "");
    }
    assert_refused(&rig, &none, "extra_arguments", &json!(["--ephemeral"]), setting, "--ephemeral");
    assert!(rig.model.requests().is_empty());
    rig.assert_confined("arguments");
}

#[test]
fn where_full_access_is_allowed_settings_and_arguments_are_passed_on() {
    let rig = Rig::new();
    let server = rig.open();
    let prompt = |name: &str| rig.prompt(name);
    let root = rig.outside.display();
    for (name, options) in [
        ("sandbox", json!({"sandbox": "danger-full-access"})),
        ("mode", json!({"config": {"sandbox_mode": "danger-full-access"}})),
        ("yolo", json!({"sandbox": "read-only", "extra_arguments": ["--yolo"]})),
        (
            "roots",
            json!({
                "sandbox": "workspace-write",
                "config": {"sandbox_workspace_write.writable_roots": [rig.outside]},
            }),
        ),
        (
            "added",
            json!({
                "sandbox": "workspace-write",
                "extra_arguments": ["--add-dir", rig.outside],
            }),
        ),
        ("directory", json!({"sandbox": "workspace-write", "cwd": rig.outside})),
        ("notify", json!({"config": {"notify": ["touch", format!("{root}/by-notify")]}})),
        (
            "mcp",
            json!({"config": {
                "mcp_servers": {"evil": {"command": "touch", "args": [format!("{root}/by-mcp")]}},
            }}),
        ),
    ] {
        call(&server).arguments(&options).prompt(&prompt(name)).succeeds();
        let made = match name {
            "notify" | "mcp" => rig.file(&format!("by-{name}")),
            _ => rig.file(name),
        };
        wait_for(&made);
    }
    let done = run_job(&server, &json!({"prompt": prompt("job"), "sandbox": "danger-full-access"}));
    assert_eq!(done["effective"]["sandbox"], "danger-full-access", "{done}");
    assert!(rig.file("job").exists());
}

/// Settings that a user may have for themselves, which are not meant for callers.
fn hostile_home(rig: &Rig) {
    rig.home.append_config(
        "sandbox_mode = \"danger-full-access\"\n\
         approval_policy = \"on-request\"\n\
         approvals_reviewer = \"auto_review\"\n",
    );
    rules(&rig.home);
}

/// A rule that runs `touch` outside any sandbox.
fn rules(home: &Home) {
    let rules = home.path().join("rules");
    fs::create_dir_all(&rules).expect("Codex's home can be written");
    let allow = "prefix_rule(pattern=[\"touch\"], decision=\"allow\")\n";
    fs::write(rules.join("default.rules"), allow).expect("writable");
}

#[test]
fn a_user_s_own_permissions_are_not_passed_on_to_callers() {
    let rig = Rig::new();
    hostile_home(&rig);
    let server = rig.server().start();
    for sandbox in ["read-only", "workspace-write"] {
        rig.try_all(&server, &json!({"sandbox": sandbox}));
        for policy in ["never", "on-request", "on-failure"] {
            call(&server)
                .prompt(&rig.prompt("tried"))
                .sandbox(sandbox)
                .argument("approval_policy", policy)
                .succeeds()
                .has("effective.approval_policy", "never");
            rig.assert_confined(policy);
        }
    }
    // Without a sandbox in the call it is the highest allowed one, and the caller gets a warning.
    rig.try_all(&server, &json!({}));
    let hello = call(&server).prompt("hello").succeeds();
    hello.has("effective.sandbox", "workspace-write").warns_of(MOST);

    call(&rig.open()).prompt(&rig.prompt("mine")).succeeds();
    assert!(rig.file("mine").exists(), "this home was meant to be wide open");
}

#[test]
fn a_rule_opens_no_sandbox_whatever_the_server_allows() {
    let rig = Rig::new();
    rules(&rig.home);
    rig.try_all(&rig.server().start(), &json!({"sandbox": "read-only"}));

    let open = rig.open();
    for guard in guards(&open, &rig.prompt("guard")) {
        guard.succeeds();
        rig.assert_confined("guard");
    }
    rig.try_all(&open, &json!({"sandbox": "read-only"}));
    ByHand::exec(&rig.home, &["-s", "read-only", "-"], &rig.prompt("mine")).finish();
    assert!(rig.file("mine").exists(), "the rule was meant to open the sandbox");
}

#[test]
fn a_user_s_permission_profile_opens_nothing() {
    let rig = Rig::new();
    rig.home.append_config(
        "default_permissions = \"wide\"\n\
         [permissions.wide.filesystem]\n\":root\" = \"write\"\n",
    );
    let server = rig.server().start();
    rig.try_all(&server, &json!({}));
    rig.try_all(&server, &json!({"sandbox": "workspace-write"}));
    rig.try_all(&server, &json!({"sandbox": "read-only"}));
}

#[test]
fn a_project_that_is_trusted_opens_nothing() {
    let rig = Rig::new();
    let codex = rig.home.project().join(".codex");
    fs::create_dir_all(codex.join("rules")).expect("the project is writable");
    fs::write(codex.join("config.toml"), "sandbox_mode = \"danger-full-access\"\n")
        .expect("writable");
    let allow = "prefix_rule(pattern=[\"touch\"], decision=\"allow\")\n";
    fs::write(codex.join("rules/default.rules"), allow).expect("writable");
    let project = rig.home.project().display();
    rig.home.append_config(&format!("[projects.\"{project}\"]\ntrust_level = \"trusted\""));
    rig.try_all(&rig.server().start(), &json!({"sandbox": "read-only"}));
    rig.try_all(&rig.server().start(), &json!({"sandbox": "workspace-write"}));
    call(&rig.open()).prompt(&rig.prompt("mine")).succeeds();
    assert!(rig.file("mine").exists(), "this project was meant to be wide open");
}

#[test]
fn read_only_can_be_the_highest_sandbox() {
    let rig = Rig::new();
    rig.home.append_config("sandbox_mode = \"workspace-write\"");
    let before = rig.server().start();
    let arguments = json!({"prompt": "[run touch in-project]", "sandbox": "workspace-write"});
    let first = call(&before).arguments(&arguments).succeeds();
    let session = first.session();
    let inside = rig.home.project().join("in-project");
    assert!(inside.exists());
    fs::remove_file(&inside).expect("it exists");
    let job = run_job(&before, &arguments);
    fs::remove_file(&inside).expect("the job has made it again");
    assert_nothing_left(&rig.home, &before);

    let server = rig.server().env(MOST, "read-only").start();
    for tool in ["codex_chat", "job_start"] {
        for sandbox in ["workspace-write", "danger-full-access"] {
            let refused = call(&server).tool(tool).arguments(&arguments).sandbox(sandbox);
            refused.fails_with("not_allowed").about("sandbox").mentions(sandbox);
        }
    }
    // Sessions from before the limit are subject to it, with a warning.
    let fresh = call(&server).prompt("[run touch in-project]");
    let resumed = fresh.clone().in_session(session);
    for call in [fresh, resumed.clone().argument("fork", true), resumed] {
        let answer = call.succeeds().has("effective.sandbox", "read-only").warns_of(MOST);
        assert!(!inside.exists(), "{answer}");
    }
    let id = job["job_id"].as_str().expect("an id");
    let reply = crate::kit::jobs::reply(&server, id, "[run touch in-project]");
    wait(&server, id, &reply["notification_cursor"]);
    let job = snapshot(&server, id);
    assert_eq!(job["effective"]["sandbox"], "read-only", "{job}");
    assert!(!inside.exists(), "{job}");
    assert_eq!(last_turn(&rig.home, session).1, "read-only");
}

#[test]
fn a_session_does_not_keep_full_access() {
    let rig = Rig::new();
    let first = call(&rig.open())
        .prompt(&rig.prompt("before"))
        .sandbox("danger-full-access")
        .succeeds()
        .has("effective.sandbox", "danger-full-access");
    fs::remove_file(rig.file("before")).expect("it had full access");
    rig.try_all(&rig.server().start(), &json!({"session_id": first.session()}));
}

#[test]
fn only_allowed_models_can_be_requested() {
    let rig = Rig::new();
    let models = "CODEX_PERSISTENT_MCP_ALLOWED_MODELS";
    let server = rig.server().env(models, "gpt-5.5,gpt-5.4").start();
    for model in ["gpt-5.4", "gpt-5.5"] {
        let hello = call(&server).prompt("hello").argument("model", model);
        hello.succeeds().has("effective.model", model);
    }
    let asked = rig.model.requests().len();
    for tool in ["codex_chat", "job_start", "codex_guard_final", "codex_guard_plan"] {
        let arguments = match tool {
            "codex_guard_final" => json!({"change_summary": "x"}),
            "codex_guard_plan" => json!({"requirements": "x", "plan": "x"}),
            _ => json!({"prompt": "x"}),
        };
        for model in ["gpt-5", "gpt-5.55", "GPT-5.5", "openai/gpt-5.5"] {
            let refused = call(&server).tool(tool).arguments(&arguments).argument("model", model);
            let refused = refused.fails_with("not_allowed").about("model");
            refused.mentions(models).mentions("gpt-5.4");
        }
    }
    assert_eq!(rig.model.requests().len(), asked);

    // A profile's own model shows in Codex's record.
    fs::write(rig.home.path().join("other.config.toml"), "model = \"gpt-5\"\n").expect("writable");
    let other = call(&server).prompt("hello").argument("profile", "other");
    other.fails_with("not_allowed").mentions("gpt-5").mentions(models);
}

#[test]
fn the_record_has_what_the_answer_says_was_in_force() {
    let rig = Rig::new();
    let server = rig.open();
    for sandbox in ["read-only", "workspace-write", "danger-full-access"] {
        let options = json!({"prompt": "hello", "sandbox": sandbox, "model": "gpt-5.4"});
        let chat = content(&server.call("codex_chat", &options)).clone();
        for answer in [chat, run_job(&server, &options)] {
            let session = answer["session_id"].as_str().expect("a session");
            let lines = record(&rig.home, session);
            let context = lines.iter().rfind(|line| line["type"] == "turn_context");
            let context = &context.expect("a turn")["payload"];
            let effective = &answer["effective"];
            for name in ["approval_policy", "model"] {
                assert_eq!(effective[name], context[name], "{answer}");
            }
            assert_eq!(answer["cwd"], context["cwd"], "{answer}");
            assert_eq!(effective["sandbox"], context["sandbox_policy"]["type"]);
            assert_eq!(effective["sandbox"], sandbox);
            assert_eq!(effective["model"], "gpt-5.4");
            let network = sandbox == "danger-full-access";
            assert_eq!(effective["network_access"] == true, network, "{answer}");
        }
    }
}
