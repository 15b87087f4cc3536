//! Programs and libraries that are searched for where a turn may write.

use super::*;
use crate::kit::setup::error_text;
use crate::support::real_codex;

/// A home in which Codex takes a snapshot of the user's shell, as it does by default.
fn rig_with_snapshots(release: Release) -> Rig {
    let rig = Rig::new(release);
    let config = rig.home.path().join("config.toml");
    let text = fs::read_to_string(&config).expect("it was written");
    fs::write(&config, text.replace("features.shell_snapshot = false\n", "")).expect("writable");
    rig
}

#[test]
fn planted_programs_on_the_path() {
    for release in RELEASES {
        for folder in [".venv/bin", "node_modules/.bin", "tools"] {
            let rig = Rig::new(release);
            let planted = rig.project().join(folder);
            for name in ["git", "lsb_release", "getconf", "bwrap"] {
                program(&planted.join(name), &rig.touch());
            }
            let path = path_with(&[&planted]);
            let mut command = rig.by_hand(rig.project());
            command.env("PATH", &path);
            rig.escapes(command, "read-only", "hello");
            rig.is_confined(rig.project(), "hello", |server| server.env("PATH", &path));
            // Also where the turn works in another folder, and where the folder is a relative path.
            let elsewhere = rig.project().with_file_name("elsewhere");
            fs::create_dir(&elsewhere).expect("it is new");
            rig.is_confined(&elsewhere, "hello", |server| server.env("PATH", &path));
            let relative = path_with(&[Path::new(folder), Path::new("")]);
            rig.is_confined(rig.project(), "hello", |server| server.env("PATH", &relative));
        }
    }
}

/// Codex takes the first `bwrap` on the PATH of its commands, to make their sandbox.
#[test]
fn a_planted_program_that_makes_the_sandbox() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let rig = Rig::new(release);
        let planted = rig.project().with_file_name("other").join(".venv/bin");
        program(&planted.join("bwrap"), &rig.touch());
        let path = path_with(&[&planted]);
        let mut command = rig.by_hand(rig.project());
        command.env("PATH", &path);
        let prompt = "[run true]";
        rig.escapes(command, "read-only", prompt);
        rig.is_confined(rig.project(), prompt, |server| server.env("PATH", &path));
        // Codex skips a `bwrap` in its own directory, as ours may be.
        for dir in [rig.user.clone(), PathBuf::from("/")] {
            let server = rig
                .server()
                .env("PATH", &path)
                .env("CODEX_PERSISTENT_MCP_STATE_DIR", rig.user.join("state"));
            let look = json!({"prompt": prompt, "sandbox": "read-only", "cwd": dir});
            content(&server.start().call("codex_chat", &look));
            assert!(!rig.mark().exists(), "{release:?} in {}", dir.display());
        }
    }
}

/// A library may be loaded into it as well.
#[test]
fn a_planted_library_is_loaded_into_nothing() {
    let rig = Rig::new(Release::Newest);
    let planted = rig.project().join("lib");
    let prompt = "[run tr '\\0' '\\n' < /proc/1/environ]";
    let list = format!("/usr/lib:{}:", planted.display());
    let server = rig.server().env("LD_LIBRARY_PATH", list).env("LD_PRELOAD", &planted).start();
    let answer = server.call("codex_chat", &json!({"prompt": prompt}));
    let said = field(&answer, "reply");
    assert!(said.contains("LD_LIBRARY_PATH=/usr/lib\n"), "{said}");
    assert!(!said.contains("LD_PRELOAD") && !said.contains("project/lib"), "{said}");
}

/// `npx` and the like take a program from the directory in which they are started.
#[test]
fn a_planted_program_for_a_server_of_codex_s_own() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let rig = Rig::new(release);
        program(&rig.project().join("node_modules/.bin/server"), &rig.touch());
        rig.home.append_config("[mcp_servers.s]\ncommand = \"npx\"\nargs = [\"server\"]\n");
        let wait = "[run sleep 1]";
        rig.escapes(rig.by_hand(rig.project()), "read-only", wait);
        rig.is_confined(rig.project(), wait, |server| server);
        // It is started all the same, in the directory of the user's choice if there is one.
        let here = rig.user.join("here");
        let config = rig.home.path().join("config.toml");
        let text = fs::read_to_string(&config).expect("it was written");
        let own = format!(
            "[mcp_servers.s]\ncommand = \"sh\"\nargs = [\"-c\", \"pwd > {}\"]",
            here.display()
        );
        let text = text.split("[mcp_servers.s]").next().expect("a beginning").to_owned() + &own;
        for (cwd, expected) in [
            (String::new(), rig.home.state().join("empty")),
            (format!("\ncwd = {:?}\n", rig.user), rig.user.clone()),
        ] {
            fs::write(&config, format!("{text}{cwd}")).expect("writable");
            let server = rig.server().start();
            content(&server.call("codex_chat", &json!({"prompt": "hello"})));
            wait_for(&here);
            let said = fs::read_to_string(&here).expect("it was just made");
            assert_eq!(Path::new(said.trim()), expected, "{release:?}");
            fs::remove_file(&here).expect("it exists");
        }
    }
}

/// Commands in the sandbox have the PATH of the client.
#[test]
fn commands_have_the_whole_path() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let planted = rig.project().join(".venv/bin");
        program(&planted.join("only-here"), "echo found it");
        let server = rig.server().env("PATH", path_with(&[&planted])).start();
        // A login shell may set another one, so it is read off the first process in the sandbox.
        let prompt = "[run tr '\\0' '\\n' < /proc/1/environ | grep ^PATH=]";
        let answer = server.call("codex_chat", &json!({"prompt": prompt}));
        let said = field(&answer, "reply");
        assert!(said.contains(planted.to_str().expect("text")), "{release:?}: {said}");
    }
}

#[test]
fn a_planted_codex() {
    let rig = Rig::new(Release::Newest);
    let planted = rig.project().join("node_modules/.bin");
    program(&planted.join("codex"), &rig.touch());
    let native = &real_codex::install().native;
    // There is no other program of this name: the error says what to do.
    let system = Path::new("/usr/bin");
    let path = std::env::join_paths([&planted, system]).expect("no colon");
    let server = rig.server().env_remove("CODEX_BIN").env("PATH", &path).start();
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    let text = error_text(&answer);
    assert!(text.starts_with("codex_not_found: "), "{text}");
    assert!(text.contains("node_modules/.bin/codex") && text.contains("CODEX_BIN"), "{text}");
    // A real one further back on the PATH is found.
    let own = rig.user.join(".local/bin");
    fs::create_dir_all(&own).expect("writable");
    std::os::unix::fs::symlink(native, own.join("codex")).expect("it is new");
    let path = std::env::join_paths([&planted, &own, &system.to_owned()]).expect("no colon");
    rig.is_confined(rig.project(), "hello", |server| {
        server.env_remove("CODEX_BIN").env("PATH", &path)
    });
    assert!(!rig.mark().exists());
}

/// A shell that Codex starts outside the sandbox reads the file that `BASH_ENV` names.
#[test]
fn a_planted_file_that_a_variable_names() {
    for release in RELEASES {
        let rig = rig_with_snapshots(release);
        let file = rig.project().join("env.sh");
        write(&file, &format!("{} 2>/dev/null\n", rig.touch()));
        let wait = "[run sleep 1]";
        let mut command = rig.by_hand(rig.project());
        command.env("BASH_ENV", &file).env("SHELL", "/bin/bash");
        rig.escapes(command, "read-only", wait);
        rig.is_confined(rig.project(), wait, |server| {
            server.env("BASH_ENV", &file).env("SHELL", "/bin/bash")
        });
    }
}
