//! The configuration of a machine, in a mount namespace of the test, and the effect of Codex's own tools and
//! servers.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::kit::setup::slash_tmp_is_denied;
use crate::support::environment::clean;

/// Runs a program in a mount namespace in which `/etc/codex` holds these files.
struct Machine {
    etc: PathBuf,
}

impl Machine {
    fn new(rig: &Rig, files: &[(&str, &str)]) -> Self {
        let etc = rig.home.project().with_file_name("etc");
        let _left_behind = fs::remove_dir_all(&etc);
        for (name, text) in files {
            write(&etc.join("codex").join(name), text);
        }
        // Everything else there is visible through links.
        for entry in fs::read_dir("/etc").expect("readable").flatten() {
            let link = etc.join(entry.file_name());
            if !link.exists() {
                let to = Path::new("/old-etc").join(entry.file_name());
                std::os::unix::fs::symlink(to, link).expect("it is new");
            }
        }
        Self { etc }
    }

    /// The command that runs another one in that namespace.
    fn through(&self) -> Vec<String> {
        // A copy of /etc is laid over it: the kernel mounts nothing where there is no folder.
        // Who is root there gets their own user back, as Codex has a folder in /tmp for each: that of root
        // may be another user's.
        let me = fs::metadata("/proc/self").expect("Linux shows processes");
        let script = format!(
            "cp -a /etc/. \"$1/\" 2>/dev/null; mount --bind \"$1\" /etc && shift && \
             exec unshare --user --map-user={} --map-group={} -- \"$@\"",
            me.uid(),
            me.gid()
        );
        let own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"];
        let own = own.iter().map(|&word| word.to_owned());
        own.chain([self.etc.display().to_string()]).collect()
    }

    fn server(&self, server: Builder) -> Builder {
        let through = self.through();
        server.through(&through.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn by_hand(&self, command: &Command) -> Command {
        let through = self.through();
        let mut outer = Command::new(&through[0]);
        outer.args(&through[1..]).arg(command.get_program()).args(command.get_args());
        outer.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                outer.env(name, value);
            }
        }
        outer.current_dir(command.get_current_dir().expect("it has one"));
        outer
    }
}

const PROFILES: &str = "default_permissions = \":workspace\"\n\n[allowed_permission_profiles]\n\
                        \":workspace\" = true\n\":read-only\" = true\n";

/// With permission profiles in the machine's requirements, Codex ignores `-s`
/// (openai/codex#47464).
#[test]
fn requirements_with_permission_profiles() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let rig = Rig::new(release);
        let machine = Machine::new(&rig, &[("requirements.toml", PROFILES)]);
        let made = rig.project().join("made");
        let prompt = format!("[run touch {}]", made.display());
        let mut command = rig.by_hand(rig.project());
        command.args(["-s", "read-only", "-"]);
        ByHand::start(machine.by_hand(&command), &prompt).finish();
        let said = rig.model.requests().last().map(|request| request.tool_outputs());
        assert!(
            made.exists(),
            "{release:?}: by hand it is written although -s says read-only: {said:?}"
        );
        fs::remove_file(&made).expect("it was just made");

        let server = machine.server(rig.server()).start();
        for (tool, arguments) in [
            ("codex_guard_final", json!({"change_summary": prompt})),
            ("codex_guard_plan", json!({"requirements": "none", "plan": prompt})),
            ("codex_chat", json!({"prompt": prompt, "sandbox": "read-only"})),
        ] {
            let answer = server.call(tool, &arguments);
            assert_eq!(content(&answer)["effective"]["sandbox"], "read-only", "{answer}");
            assert!(!made.exists(), "{tool} on {release:?}");
        }
        let write = json!({"prompt": prompt, "sandbox": "workspace-write"});
        if !slash_tmp_is_denied() {
            let answer = server.call("codex_chat", &write);
            assert_eq!(content(&answer)["effective"]["sandbox"], "workspace-write", "{answer}");
            assert!(made.exists(), "what may be written is: {release:?}");
        }
        // There the folders for temporary files cannot be excluded.
        let state =
            machine.server(rig.server().env("TMPDIR", rig.home.state().parent().expect("one")));
        let refused = state.start().call("codex_chat", &write);
        let text = crate::kit::setup::error_text(&refused);
        assert!(
            text.starts_with("not_allowed: sandbox ") && text.contains("requirements"),
            "{text}"
        );
    }
}

#[test]
fn a_machine_that_allows_less_is_reported() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let less = "allowed_sandbox_modes = [\"read-only\"]\n";
        let machine = Machine::new(&rig, &[("requirements.toml", less)]);
        let server = machine.server(rig.server()).start();
        let write = json!({"prompt": "hello", "sandbox": "workspace-write"});
        let answer = server.call("codex_chat", &write);
        assert_eq!(content(&answer)["effective"]["sandbox"], "read-only", "{answer}");
        let warnings = content(&answer)["warnings"].to_string();
        assert!(warnings.contains("requirements.toml"), "{release:?}: {answer}");
    }
}

/// A machine that allows no read-only turn gives a guard more than it requests. That cannot be prevented,
/// and is an error.
#[test]
fn a_machine_that_gives_more_is_an_error() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let only = "default_permissions = \":workspace\"\n\n[allowed_permission_profiles]\n\
                    \":workspace\" = true\n";
        let machine = Machine::new(&rig, &[("requirements.toml", only)]);
        for most in ["workspace-write", "danger-full-access"] {
            let server = machine.server(rig.server().env(MOST, most)).start();
            let answer = server.call("codex_guard_final", &json!({"change_summary": "hello"}));
            let text = crate::kit::setup::error_text(&answer);
            assert!(text.starts_with("looser_than_asked: "), "{release:?}: {text}");
            assert!(text.contains("workspace-write"), "{text}");
        }
    }
}

/// A setting of the administrator that overrides the user's gives a guard no more.
#[test]
fn a_managed_setting_gives_a_guard_no_more() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let more = "sandbox_mode = \"danger-full-access\"\napproval_policy = \"on-request\"\n";
        let machine = Machine::new(&rig, &[("managed_config.toml", more)]);
        let server = machine.server(rig.server()).start();
        let prompt = format!("[run {}]", rig.touch());
        let answer = server.call("codex_guard_final", &json!({"change_summary": prompt}));
        assert_eq!(content(&answer)["effective"]["sandbox"], "read-only", "{answer}");
        assert!(!rig.mark().exists(), "{release:?}");
    }
}

const NESTED: &str = "CODEX_PERSISTENT_MCP_NESTED_MCP";

/// `--nested-mcp` includes servers that are not in the user's `config.toml`.
#[test]
fn nested_servers_of_the_machine_and_of_plugins() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let touch = rig.touch();
        let server = format!("[mcp_servers.e]\ncommand = \"sh\"\nargs = [\"-c\", {touch:?}]\n");
        let machine = Machine::new(&rig, &[("config.toml", &server)]);
        let by_hand = machine.by_hand(rig.by_hand(rig.project()).args(["-s", "read-only", "-"]));
        ByHand::start(by_hand, "hello").finish();
        wait_for(&rig.mark());
        fs::remove_file(rig.mark()).expect("it was just made");
        let server = machine.server(rig.server().env(NESTED, "none")).start();
        content(&server.call("codex_chat", &json!({"prompt": "hello"})));
        content(&server.call("codex_guard_final", &json!({"change_summary": "hello"})));
        assert!(!rig.mark().exists(), "{release:?}");

        plugin(&rig);
        rig.escapes(rig.by_hand(rig.project()), "read-only", "hello");
        let most = rig.server().env(NESTED, "none").env(MOST, "danger-full-access").start();
        let full = json!({"prompt": "hello", "sandbox": "danger-full-access"});
        content(&most.call("codex_chat", &full));
        content(&most.call("codex_guard_final", &json!({"change_summary": "hello"})));
        assert!(!rig.mark().exists(), "{release:?}");
        drop(most);
        let inherit = rig.server().start();
        content(&inherit.call("codex_chat", &json!({"prompt": "hello"})));
        wait_for(&rig.mark());
    }
}

/// Installs a plugin with a server.
fn plugin(rig: &Rig) {
    let market = rig.home.project().with_file_name("market");
    let listing = json!({
        "name": "market", "owner": {"name": "t"},
        "plugins": [{"name": "plug", "source": "./plug", "description": "d"}],
    });
    let manifest = json!({"name": "plug", "version": "1.0.0", "description": "d"});
    let servers = json!({"mcpServers": {"p": {"command": "sh", "args": ["-c", rig.touch()]}}});
    write(&market.join(".claude-plugin/marketplace.json"), &listing.to_string());
    write(&market.join("plug/.claude-plugin/plugin.json"), &manifest.to_string());
    write(&market.join("plug/.mcp.json"), &servers.to_string());
    let market = market.to_str().expect("test paths are text");
    for arguments in
        [&["plugin", "marketplace", "add", market][..], &["plugin", "add", "plug@market"]]
    {
        let native = &crate::support::real_codex::install_release(rig.release).native;
        let output = clean(&mut Command::new(native), &rig.user)
            .args(arguments)
            .env("CODEX_HOME", rig.home.path())
            .output()
            .expect("Codex is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// An agent may use another model, so there are no agents where models are limited.
#[test]
fn agents_of_another_model() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let rig = Rig::new(release);
        rig.home.append_config("features.multi_agent_v2 = true\n");
        let agents = |rig: &Rig| {
            let requests = rig.model.requests();
            let tools = requests.last().expect("the model was asked").body["tools"].to_string();
            tools.contains("spawn_agent") || tools.contains("collaboration")
        };
        let free = rig.server().start();
        content(&free.call("codex_chat", &json!({"prompt": "hello"})));
        assert!(agents(&rig), "{release:?}: there are agents where models are not limited");
        let limited = rig.server().env("CODEX_PERSISTENT_MCP_ALLOWED_MODELS", "gpt-5.5");
        let limited = limited.env(MOST, "danger-full-access").start();
        for sandbox in ["read-only", "danger-full-access"] {
            let arguments = json!({"prompt": "hello", "sandbox": sandbox});
            content(&limited.call("codex_chat", &arguments));
            assert!(!agents(&rig), "{release:?} {sandbox}");
        }
    }
}
