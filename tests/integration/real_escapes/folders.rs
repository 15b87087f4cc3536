//! Folders in which what is written is run, or ruled by, later.

use super::*;
use crate::setup::error_text;
use crate::support::real_codex;

fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).expect("it is new");
}

/// Where nothing may be written, by what is found there.
fn ruling(rig: &Rig) -> Vec<PathBuf> {
    let native = &real_codex::install().native;
    let packages = native.ancestors().find(|dir| dir.ends_with("@openai")).expect("a package");
    let own = Path::new(crate::setup::PROGRAM).parent().expect("a folder");
    vec![
        rig.user.clone(),
        rig.user.join(".config/git"),
        rig.user.join(".ssh"),
        rig.user.join(".local/bin"),
        rig.user.join("bin"),
        rig.user.join("bin/below"),
        packages.to_owned(),
        native.parent().expect("a folder").to_owned(),
        packages.ancestors().nth(2).expect("it lies deep").to_owned(),
        own.to_owned(),
        "/etc".into(),
        "/usr".into(),
        "/usr/local/lib".into(),
    ]
}

#[test]
fn nobody_writes_where_programs_and_settings_lie() {
    let rig = Rig::new(Release::Newest);
    for folder in [".config/git", ".ssh", ".local/bin", "bin/below"] {
        fs::create_dir_all(rig.user.join(folder)).expect("writable");
    }
    let path = path_with(&[&rig.user.join("bin"), &rig.user.join(".local/bin")]);
    for most in ["workspace-write", "danger-full-access"] {
        let server = rig.server().env("PATH", &path).env(MOST, most).start();
        for folder in ruling(&rig) {
            for field in ["cwd", "add_dirs"] {
                let value = if field == "cwd" { json!(folder) } else { json!([folder]) };
                let arguments = json!({"prompt": "hello", "sandbox": "workspace-write"});
                let refused = server.call("codex_chat", &with(arguments, field, value));
                let text = error_text(&refused);
                assert!(text.contains(&format!(": {field} ")), "{text}");
                assert!(text.contains("around the sandbox"), "{text}");
            }
        }
        assert!(rig.model.requests().is_empty(), "nothing was started");
        // A folder of the home directory that is none of these is where people work.
        let work = rig.user.join("work");
        fs::create_dir_all(&work).expect("writable");
        let arguments = json!({"prompt": "hello", "sandbox": "workspace-write", "cwd": work});
        content(&server.call("codex_chat", &arguments));
        assert_eq!(rig.model.requests().len(), 1);
        drop(server);
        assert!(most == "danger-full-access" || !rig.model.requests().is_empty());
        if most == "workspace-write" {
            return self::again(&rig, &path);
        }
    }
}

/// The same on a server that allows everything: the turn decides, and not the policy.
fn again(rig: &Rig, path: &OsStr) {
    let server = rig.server().env("PATH", path).env(MOST, "danger-full-access").start();
    for folder in ruling(rig) {
        let arguments = json!({"prompt": "hello", "sandbox": "workspace-write", "cwd": folder});
        let refused = server.call("codex_chat", &arguments);
        assert!(error_text(&refused).starts_with("bad_input: cwd "), "{refused}");
    }
}

/// Codex's home may be named through a link, and whoever writes where the link is can name another.
#[test]
fn nobody_writes_where_a_link_leads_to_codex_s_home() {
    let rig = Rig::new(Release::Newest);
    let around = rig.project().join("around");
    fs::create_dir_all(around.join("below")).expect("writable");
    link(rig.home.path(), &around.join("codex"));
    link(&around.join("codex"), &rig.user.join("codex"));
    link(rig.home.state(), &around.join("state"));
    for (name, folder) in [
        ("CODEX_HOME", around.join("codex")),
        ("CODEX_HOME", rig.user.join("codex")),
        ("CODEX_PERSISTENT_MCP_STATE_DIR", around.join("state")),
    ] {
        let server = rig.server().env(name, &folder).start();
        for dir in [&around, rig.project()] {
            let arguments = json!({"prompt": "hello", "sandbox": "workspace-write", "cwd": dir});
            let refused = server.call("codex_chat", &arguments);
            assert!(error_text(&refused).starts_with("not_allowed: cwd "), "{refused}");
        }
        // What lies beside the link does it no harm.
        let beside = json!({
            "prompt": "hello", "sandbox": "workspace-write", "cwd": around.join("below"),
        });
        content(&server.call("codex_chat", &beside));
    }
}
