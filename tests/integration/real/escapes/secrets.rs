//! What commands can read in the environment.

use super::*;

const COMMANDS: &str =
    "[run env; tr '\\0' '\\n' < /proc/1/environ; cat $CODEX_HOME/shell_snapshots/*]";

const SECRETS: [(&str, &str); 4] = [
    ("OPENAI_API_KEY", "secret-one"),
    ("ANTHROPIC_API_KEY", "secret-two"),
    ("GITHUB_TOKEN", "secret-three"),
    ("DATABASE_URL", "postgres://me:secret-four@localhost"),
];

fn with_secrets(server: Builder) -> Builder {
    SECRETS.iter().fold(server, |server, (name, value)| server.env(name, value))
}

/// The output of a guard's command, as the model got it.
fn reported(rig: &Rig) -> String {
    let requests = rig.model.requests();
    let outputs = requests.last().map(|request| request.tool_outputs().join("\n"));
    outputs.expect("the model was asked")
}

#[test]
fn a_guard_s_commands_see_no_secret() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let rig = Rig::new(release);
        let config = rig.home.path().join("config.toml");
        let text = fs::read_to_string(&config).expect("it was written");
        fs::write(&config, text.replace("features.shell_snapshot = false\n", ""))
            .expect("writable");
        rig.home.append_config("shell_environment_policy.set = { MINE = \"secret-five\" }\n");
        let mut command = rig.by_hand(rig.project());
        command.envs(SECRETS).args(["-s", "read-only", "-"]);
        ByHand::start(command, COMMANDS).finish();
        let said = reported(&rig);
        assert!(said.contains("secret-one") && said.contains("secret-four"), "by hand: {said}");
        for most in ["workspace-write", "danger-full-access"] {
            let server = with_secrets(rig.server().env(MOST, most)).start();
            for (tool, guard) in [
                ("codex_guard_final", json!({"change_summary": COMMANDS})),
                ("codex_guard_plan", json!({"requirements": "none", "plan": COMMANDS})),
            ] {
                content(&server.call(tool, &guard));
                let said = reported(&rig);
                assert!(said.contains("PATH=") && said.contains("HOME="), "{tool}: {said}");
                assert!(!said.contains("secret-"), "{tool} on {release:?}: {said}");
            }
        }
    }
}

#[test]
fn other_turns_have_the_environment_that_codex_or_the_operator_configures() {
    for release in RELEASES {
        let rig = Rig::new(release);
        rig.home.append_config("shell_environment_policy.exclude = [\"GITHUB_*\"]\n");
        for sandbox in ["read-only", "workspace-write"] {
            let arguments = json!({"prompt": COMMANDS, "sandbox": sandbox});
            let server = with_secrets(rig.server()).start();
            content(&server.call("codex_chat", &arguments));
            let said = reported(&rig);
            assert!(said.contains("secret-one") && !said.contains("secret-three"), "{said}");
            let server = with_secrets(rig.server());
            let server = server.env("CODEX_PERSISTENT_MCP_COMMAND_ENVIRONMENT", "plain").start();
            content(&server.call("codex_chat", &arguments));
            let said = reported(&rig);
            assert!(said.contains("HOME=") && !said.contains("secret-"), "{said}");
            let job = content(&server.call("job_start", &arguments)).clone();
            let id = job["job_id"].as_str().expect("an id");
            crate::kit::jobs::wait(&server, id, &job["notification_cursor"]);
            let said = reported(&rig);
            assert!(said.contains("HOME=") && !said.contains("secret-"), "a job: {said}");
        }
    }
}
