//! Folders with rules, which no turn may write, and links that lead there.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::kit::fenced::{assert_refused, folder, link};
use crate::kit::play::with;
use crate::kit::real::obey;
use crate::kit::setup::{content, error_text, field, home, real, scratch};
use crate::support::model::Model;
use crate::support::real_codex::Home;

const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";

/// Folders in which a turn could gain more than its sandbox allows.
fn folders_with_power(home: &Home) -> Vec<PathBuf> {
    let beside = |name: &str| home.project().with_file_name(name);
    let up = home.project().join("../codex");
    vec![
        "/".into(),
        "//".into(),
        home.path().into(),
        home.path().parent().expect("a parent").into(),
        home.path().join("sessions"),
        up.clone(),
        up.join("./../codex/sessions/.."),
        link(home.path(), beside("to-codex")),
        link(&beside("to-codex"), beside("to-link")),
        link(Path::new("/"), beside("to-root")),
        beside("to-root").join(home.path().strip_prefix("/").expect("it is absolute")),
        home.state().into(),
        home.state().join("jobs"),
        link(home.state(), beside("to-state")),
        folder(&home.project().join(".codex")),
        folder(&home.project().join(".git/hooks")),
        folder(&home.project().join(".agents/skills")),
        link(&home.project().join(".git"), beside("to-git")),
    ]
}

#[test]
fn no_turn_writes_in_folders_with_rules() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    // Makes the folders that exist after a first session.
    content(&server.call("codex_chat", &json!({"prompt": "hello"})));
    folder(&home.state().join("jobs"));
    let asked = model.requests().len();
    // Its name is this run's own: should it ever be made in the root, no other test finds it there.
    let name = format!("pwned-{}", std::process::id());
    let touch = json!({"prompt": format!("[run touch {name}]"), "sandbox": "workspace-write"});
    for folder in folders_with_power(&home) {
        assert_refused(&server, &with(touch.clone(), "cwd", folder.to_str()), "cwd", MOST);
        assert_refused(
            &server,
            &with(touch.clone(), "add_dirs", vec![folder.to_str()]),
            "add_dirs",
            MOST,
        );
        assert!(!folder.join(&name).exists());
    }
    assert_eq!(model.requests().len(), asked);
    // They can be read.
    for folder in [home.path(), Path::new("/"), &home.project().join(".git")] {
        let arguments = with(with(touch.clone(), "cwd", folder.to_str()), "sandbox", "read-only");
        let answer = server.call("codex_chat", &arguments);
        assert_eq!(content(&answer)["effective"]["sandbox"], "read-only");
        assert!(!folder.join(&name).exists());
    }
    // And written where everything is allowed.
    let open = real(&home).env(MOST, "danger-full-access").start();
    let arguments = with(touch, "cwd", home.path().to_str());
    let refused = open.call("codex_chat", &arguments);
    assert!(error_text(&refused).starts_with("bad_input: cwd "), "{refused}");
    content(&open.call("codex_chat", &with(arguments, "sandbox", "danger-full-access")));
    assert!(home.path().join(&name).exists());
}

#[test]
fn a_session_of_such_a_folder_is_only_read_in() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let open = real(&home).env(MOST, "danger-full-access").start();
    let begin = json!({"prompt": "hello", "cwd": home.path(), "sandbox": "danger-full-access"});
    let begun = open.call("codex_chat", &begin);
    let session = field(&begun, "session_id");
    let server = real(&home).start();
    let go_on = json!({"prompt": "[run touch pwned]", "session_id": session});
    assert_refused(&server, &go_on, "cwd", MOST);
    assert_refused(&server, &with(go_on.clone(), "fork", true), "cwd", MOST);
    assert!(!home.path().join("pwned").exists());
    content(&server.call("codex_chat", &with(go_on, "sandbox", "read-only")));
    assert!(!home.path().join("pwned").exists());
}

/// Commands may write in the system's folders for temporary files, unless Codex's home is in one.
#[test]
fn the_rules_hold_for_folders_among_temporary_files() {
    let model = Model::start(obey);
    for base in [scratch(), Path::new("/tmp")] {
        let home = Home::new(base, &model.url());
        home.append_config("features.shell_snapshot = false");
        let around = home.path().parent().expect("a parent");
        let server = real(&home);
        let server = if base == scratch() { server.env("TMPDIR", around) } else { server }.start();
        folder(home.state());
        let touch = |dir: &Path| format!("touch {}/pwned", dir.display());
        let all = [home.path(), home.state(), around, home.project()].map(touch).join("; ");
        let arguments = json!({"prompt": format!("[run {all}]"), "sandbox": "workspace-write"});
        let begun = server.call("codex_chat", &arguments);
        let session = field(&begun, "session_id");
        content(&server.call("codex_chat", &with(arguments, "session_id", session)));
        for dir in [home.path(), home.state()] {
            assert!(!dir.join("pwned").exists(), "{}", dir.display());
        }
        assert!(home.project().join("pwned").exists(), "it could write where it works: {begun}");
    }
}

/// A project's own settings start programs without any sandbox once a user trusts the project.
#[test]
fn no_call_can_write_what_a_later_one_would_start() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let codex = folder(&home.project().join(".codex"));
    let project = home.project().display();
    home.append_config(&format!("[projects.\"{project}\"]\ntrust_level = \"trusted\""));
    let settings = format!("[run echo 'notify = 1' > {}/config.toml]", codex.display());
    let server = real(&home).start();
    for (name, value) in
        [("cwd", json!(codex)), ("add_dirs", json!([codex])), ("cwd", json!(home.project()))]
    {
        let arguments = json!({"prompt": settings, "sandbox": "workspace-write"});
        server.call("codex_chat", &with(arguments, name, value));
        assert!(!codex.join("config.toml").exists(), "{name}");
    }
}
