//! Folders whose content is run, or followed as rules, later.

use super::*;
use crate::kit::setup::error_text;
use crate::support::real_codex;

fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).expect("it is new");
}

/// Folders in which no turn may write, by what is in them.
fn ruling(rig: &Rig) -> Vec<PathBuf> {
    let native = &real_codex::install().native;
    let packages = native.ancestors().find(|dir| dir.ends_with("@openai")).expect("a package");
    let own = Path::new(crate::kit::setup::PROGRAM).parent().expect("a folder");
    vec![
        rig.user.clone(),
        rig.user.join(".config/git"),
        rig.user.join(".ssh"),
        rig.user.join(".local/bin"),
        rig.user.join("bin"),
        rig.user.join("bin/below"),
        packages.to_owned(),
        packages.join("codex"),
        native.ancestors().nth(2).expect("it is nested").join("codex-resources"),
        native.parent().expect("a folder").to_owned(),
        packages.ancestors().nth(2).expect("it is nested").to_owned(),
        own.to_owned(),
        "/etc".into(),
        "/usr".into(),
        "/usr/local/lib".into(),
    ]
}

#[test]
fn no_turn_writes_in_folders_of_programs_and_settings() {
    let rig = Rig::new(Release::Newest);
    for folder in [".config/git", ".ssh", ".local/bin", "bin/below"] {
        fs::create_dir_all(rig.user.join(folder)).expect("writable");
    }
    let path = path_with(&[&rig.user.join("bin"), &rig.user.join(".local/bin")]);
    let write = json!({"prompt": "hello", "sandbox": "workspace-write"});
    let server = rig.server().env("PATH", &path).start();
    // The turn decides, and not the policy, so it is the same on a server that allows everything.
    let open = rig.server().env("PATH", &path).env(MOST, "danger-full-access").start();
    for folder in ruling(&rig) {
        for (field, value) in [("cwd", json!(folder)), ("add_dirs", json!([folder]))] {
            let arguments = with(write.clone(), field, value);
            for (server, kind) in [(&server, "not_allowed"), (&open, "bad_input")] {
                let refused = server.call("codex_chat", &arguments);
                let text = error_text(&refused);
                assert!(text.starts_with(&format!("{kind}: {field} ")), "{text}");
                assert!(text.contains("bypass the sandbox"), "{text}");
            }
        }
    }
    // Also where nothing on the PATH is in it.
    let plain = rig.server().start();
    let refused = plain.call("codex_chat", &with(write.clone(), "cwd", rig.user.to_str()));
    assert!(error_text(&refused).starts_with("not_allowed: cwd "), "{refused}");
    assert!(rig.model.requests().is_empty(), "nothing was started");
    // Other folders of the home directory are for work.
    let work = rig.user.join("work");
    fs::create_dir_all(&work).expect("writable");
    content(&server.call("codex_chat", &with(write, "cwd", work.to_str())));
}

/// Codex's home may be named through a link, and a turn that can write there could name another one.
#[test]
fn no_turn_writes_where_a_link_leads_to_codex_s_home() {
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
        // Folders beside the link do no harm.
        let beside = json!({
            "prompt": "hello", "sandbox": "workspace-write", "cwd": around.join("below"),
        });
        content(&server.call("codex_chat", &beside));
    }
}

/// A folder that the user makes writable for all commands, inside the one of a turn, could be
/// exchanged by the turn.
#[test]
fn a_configured_folder_inside_the_turn_s_own_is_omitted() {
    let rig = Rig::new(Release::Newest);
    repository(rig.project());
    let git = rig.project().join(".git");
    rig.home.append_config(&format!("sandbox_workspace_write.writable_roots = [{git:?}]\n"));
    let made = git.join("made");
    let prompt = format!("[run touch {}]", made.display());
    let mut command = rig.by_hand(rig.project());
    command.args(["-s", "workspace-write", "-"]);
    ByHand::start(command, &prompt).finish();
    assert!(made.exists(), "by hand it is written, as configured");
    fs::remove_file(&made).expect("it was just made");
    let server = rig.server().start();
    let write = json!({"prompt": prompt, "sandbox": "workspace-write", "cwd": rig.project()});
    let answer = server.call("codex_chat", &write);
    assert!(!made.exists(), "{answer}");
    let warnings = content(&answer)["warnings"].to_string();
    assert!(warnings.contains("/.git") && warnings.contains("was ignored"), "{answer}");
}
