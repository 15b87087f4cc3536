//! Settings of a project that Codex loads although a turn may have written them.

use super::*;

/// A server of Codex's own that makes the mark when it is started, as a project's settings.
fn servers(rig: &Rig) -> String {
    let touch = rig.touch();
    format!("[mcp_servers.e]\ncommand = \"sh\"\nargs = [\"-c\", {touch:?}]\n")
}

fn trust(rig: &Rig, dir: &Path) {
    rig.home.append_config(&format!("[projects.{dir:?}]\ntrust_level = \"trusted\"\n"));
}

/// A linked worktree of a repository that the user trusts.
fn worktree(rig: &Rig) -> PathBuf {
    let main = rig.project().join("main");
    repository(&main);
    git(&main, &["worktree", "add", "-q", "../worktree"]);
    trust(rig, &main);
    rig.project().join("worktree")
}

/// Codex trusts a linked worktree if the main repository is trusted, wherever it is.
#[test]
fn a_linked_worktree_of_a_trusted_repository() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let worktree = worktree(&rig);
        for dir in [worktree.clone(), worktree.join("below")] {
            write(&dir.join(".codex/config.toml"), &servers(&rig));
            rig.escapes(rig.by_hand(&dir), "read-only", "hello");
            rig.is_confined(&dir, "hello", |server| server);
            fs::remove_dir_all(dir.join(".codex")).expect("it was just made");
        }
    }
}

/// The user may configure what marks the root of a project.
#[test]
fn a_project_with_another_mark_of_its_root() {
    for release in RELEASES {
        let rig = Rig::new(release);
        rig.home.append_config("project_root_markers = [\".root\"]\n");
        trust(&rig, rig.project());
        write(&rig.project().join(".root"), "");
        let dir = rig.project().join("deep/down");
        write(&dir.join(".codex/config.toml"), &servers(&rig));
        rig.escapes(rig.by_hand(&dir), "read-only", "hello");
        rig.is_confined(&dir, "hello", |server| server);
    }
}

/// Rules and hooks are loaded by the same trust.
#[test]
fn the_rules_of_a_trusted_project() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let worktree = worktree(&rig);
        let rule = "prefix_rule(pattern=[\"touch\"], decision=\"allow\")\n";
        write(&worktree.join(".codex/rules/default.rules"), rule);
        let prompt = format!("[run {}]", rig.touch());
        rig.escapes(rig.by_hand(&worktree), "read-only", &prompt);
        rig.is_confined(&worktree, &prompt, |server| server);
    }
}

/// A call without a sandbox gets the one that Codex itself would use.
#[test]
fn a_new_session_gets_no_more_than_codex_would_give_it() {
    for release in RELEASES {
        let rig = Rig::new(release);
        let around = rig.project().join("around");
        let inner = around.join("repo");
        repository(&inner);
        trust(&rig, &around);
        let server = rig.server().start();
        let open = rig.server().env(MOST, "danger-full-access").start();
        for (dir, sandbox) in [(&around, "workspace-write"), (&inner, "read-only")] {
            let mut command = rig.by_hand(dir);
            command.arg("-");
            ByHand::start(command, "by hand").finish();
            for server in [&server, &open] {
                let answer = server.call("codex_chat", &json!({"prompt": "hello", "cwd": dir}));
                let effective = &content(&answer)["effective"];
                assert_eq!(effective["sandbox"], sandbox, "{release:?} {answer}");
            }
            let by_hand = sessions_in(&server, dir);
            for session in by_hand {
                assert_eq!(last_turn(&rig.home, &session).1, sandbox, "{release:?}");
            }
        }
    }
}

/// All sessions that had their first turn in this directory.
fn sessions_in(server: &Server, dir: &Path) -> Vec<String> {
    let all = server.call("codex_sessions", &json!({"cwd": dir}));
    let all = content(&all)["sessions"].as_array().cloned().unwrap_or_default();
    assert_eq!(all.len(), 3, "one by hand and one by each server: {all:?}");
    all.iter().filter_map(|one| one["session_id"].as_str().map(str::to_owned)).collect()
}
