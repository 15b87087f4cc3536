//! Attacks by which a repository could use our own git, when it checks the `diff` of a call: the real git,
//! in repositories that a turn may have written.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::play::Stage;
use crate::kit::setup::{content, error_text, git, git_command};
use crate::kit::wait::{WAIT, wait_for};
use crate::support::client::{Call, Left, Server};

/// A commit that does not exist.
const NOWHERE: &str = "commit:1234567890123456789012345678901234567890";

/// A repository with one commit on `main`.
fn repository(dir: &Path) {
    fs::create_dir_all(dir).expect("the test's folder is writable");
    git(dir, &["init", "--quiet", "--initial-branch=main"]);
    fs::write(dir.join("a"), "one").expect("the test's folder is writable");
    git(dir, &["add", "."]);
    git(dir, &["commit", "--quiet", "--message=one"]);
}

/// Writes a program.
fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("writable");
    fs::write(path, script).expect("the test's folder is writable");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

fn arguments(diff: &str) -> Value {
    json!({"change_summary": "c", "diff": diff})
}

fn review(server: &Server, diff: &str) -> Value {
    server.call("codex_guard_final", &arguments(diff))
}

fn begin(server: &Server, arguments: &Value) -> Call {
    server.begin_call("codex_guard_final", arguments)
}

/// The error of a call that did not start Codex.
fn refused(stage: &Stage, answer: &Value) -> String {
    assert_eq!(stage.starts().len(), 0, "Codex was started");
    error_text(answer).to_owned()
}

/// The PATH of the tests, behind a folder.
fn path_behind(folder: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(all).expect("no folder has a colon in its name")
}

/// The settings by which a repository lacks objects and fetches them by running this.
fn partial(run: &Path) -> Vec<(&'static str, String)> {
    let run = run.display();
    let common = |url: String| {
        format!(
            "[extensions]\n\tpartialClone = evil\n[remote \"evil\"]\n\tpromisor = true\n\
             \tpartialclonefilter = blob:none\n\tfetch = +refs/heads/*:refs/remotes/evil/*\n{url}"
        )
    };
    vec![
        (
            "ext",
            common(format!(
                "\turl = ext::{run}\n[protocol]\n\tallow = always\n[protocol \"ext\"]\n\tallow = always\n"
            )),
        ),
        (
            "ssh",
            common(format!("\turl = ssh://nobody@localhost/x\n[core]\n\tsshCommand = {run}\n")),
        ),
        ("uploadpack", common(format!("\turl = .\n\tuploadpack = {run}\n"))),
        ("proxy", common(format!("\turl = git://localhost/x\n[core]\n\tgitProxy = {run}\n"))),
    ]
}

/// Adds them to a repository's configuration.
fn make_partial(config: &Path, settings: &str) {
    let own = fs::read_to_string(config).expect("git has written it");
    let own = own.replace("repositoryformatversion = 0", "repositoryformatversion = 1");
    fs::write(config, own + settings).expect("the test's folder is writable");
}

/// A folder with a git of the operator that does this and then runs the real one.
fn git_that(stage: &Stage, does: &str) -> PathBuf {
    let bin = stage.home.path().join("bin");
    let real = which::which("git").expect("git is installed");
    program(&bin.join("git"), &format!("#!/bin/sh\n{does}\nexec '{}' \"$@\"\n", real.display()));
    bin
}

/// Where a repository has the harmful settings.
#[derive(Debug, Clone, Copy)]
enum Hidden {
    /// In its configuration.
    Here,
    /// In a file that its configuration includes.
    Included,
    /// In another repository, to which a file `.git` points.
    Elsewhere,
}

#[test]
fn a_repository_runs_no_program_when_a_commit_is_checked() {
    let mut ran = Vec::new();
    for hidden in [Hidden::Here, Hidden::Included, Hidden::Elsewhere] {
        for at in 0..4 {
            let stage = Stage::new();
            let project = stage.home.project();
            let (evil, pwned) = (stage.file("evil"), stage.file("pwned"));
            program(&evil, &format!("#!/bin/sh\ntouch '{}'\nexit 1\n", pwned.display()));
            let (way, settings) = partial(&evil).swap_remove(at);
            let home = match hidden {
                Hidden::Here | Hidden::Included => project.to_owned(),
                Hidden::Elsewhere => stage.file("other"),
            };
            repository(&home);
            let config = home.join(".git/config");
            let settings = match hidden {
                Hidden::Here | Hidden::Elsewhere => settings,
                Hidden::Included => {
                    fs::write(stage.file("more"), settings).expect("writable");
                    "[include]\n\tpath = ../more\n".into()
                }
            };
            make_partial(&config, &settings);
            if let Hidden::Elsewhere = hidden {
                fs::write(project.join(".git"), "gitdir: other/.git\n").expect("writable");
            }
            let server = stage.server().start();
            let text = refused(&stage, &review(&server, NOWHERE));
            if pwned.exists() {
                ran.push((way, hidden));
            }
            assert!(text.starts_with("bad_input: diff names the commit "), "{way}: {text}");
        }
    }
    assert!(ran.is_empty(), "these were run: {ran:?}");
}

#[test]
fn a_git_that_cannot_be_stopped_from_fetching_has_no_means_to_fetch() {
    for at in 0..4 {
        let stage = Stage::new();
        let (evil, pwned) = (stage.file("evil"), stage.file("pwned"));
        program(&evil, &format!("#!/bin/sh\ntouch '{}'\nexit 1\n", pwned.display()));
        let (way, settings) = partial(&evil).swap_remove(at);
        repository(stage.home.project());
        make_partial(&stage.home.project().join(".git/config"), &settings);
        // Like git before 2.44, which ignores the variable.
        let bin = git_that(&stage, "unset GIT_NO_LAZY_FETCH");
        let server = stage.server().env("PATH", path_behind(&bin)).start();
        let text = refused(&stage, &review(&server, NOWHERE));
        assert!(!pwned.exists(), "{way}: {text}");
    }
}

#[test]
fn variables_of_git_s_that_the_server_inherits_change_nothing() {
    let stage = Stage::new();
    let project = stage.home.project();
    repository(project);
    let other = stage.home.path().join("other");
    repository(&other);
    git(&other, &["branch", "theirs"]);
    // As in a hook, or in a terminal in which a user has set them.
    let server = stage
        .server()
        .env("GIT_DIR", other.join(".git"))
        .env("GIT_WORK_TREE", &other)
        .env("GIT_OBJECT_DIRECTORY", other.join(".git/objects"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.repositoryformatversion")
        .env("GIT_CONFIG_VALUE_0", "99")
        .start();
    let text = refused(&stage, &review(&server, "base:theirs"));
    assert!(text.starts_with("bad_input: diff names the branch theirs"), "{text}");
    content(&review(&server, "base:main"));
}

#[test]
fn git_is_never_taken_from_where_the_turn_works() {
    let stage = Stage::new();
    let project = stage.home.project();
    repository(project);
    let pwned = stage.file("pwned");
    let bin = project.join("bin");
    program(&bin.join("git"), &format!("#!/bin/sh\ntouch '{}'\necho true\n", pwned.display()));
    let server = stage.server().env("PATH", path_behind(&bin)).start();
    let text = refused(&stage, &review(&server, "base:nobody"));
    assert!(!pwned.exists(), "{text}");
    assert!(text.starts_with("bad_input: diff names the branch nobody"), "{text}");
}

/// A repository in which git waits forever, and the files that it waits for.
fn hanging(stage: &Stage) -> Vec<PathBuf> {
    let project = stage.home.project();
    repository(project);
    ["config", "HEAD"].map(|file| project.join(".git").join(file)).into()
}

#[test]
fn a_git_that_hangs_ends_with_the_call() {
    let stage = Stage::new();
    for file in hanging(&stage) {
        let kept = fs::read(&file).expect("git has written it");
        fs::remove_file(&file).expect("it exists");
        let made = Command::new("mkfifo").arg(&file).status().expect("every system has it");
        assert!(made.success(), "a pipe can be made");
        let server = stage.server().start();
        let mut limited = arguments("base:main");
        limited["timeout_ms"] = 1_000.into();
        let text = refused(&stage, &server.call("codex_guard_final", &limited));
        assert!(text.starts_with("timed_out: "), "{}: {text}", file.display());
        assert_eq!(server.wait_no_descendants(WAIT), Ok(()));
        fs::remove_file(&file).expect("it exists");
        fs::write(&file, kept).expect("writable");
    }
}

/// A git that is a script of the operator, which starts another program and waits for it.
fn slow_git(stage: &Stage) -> PathBuf {
    let bin = stage.home.path().join("bin");
    let up = stage.file("up");
    let script = format!("#!/bin/sh\nsleep 1000 &\ntouch '{}'\nwait\n", up.display());
    program(&bin.join("git"), &script);
    bin
}

#[test]
fn processes_of_git_end_with_a_cancelled_call() {
    let stage = Stage::new();
    let server = stage.server().env("PATH", path_behind(&slow_git(&stage))).start();
    let call = begin(&server, &arguments("base:main"));
    wait_for(&stage.file("up"));
    server.cancel(&call);
    gone(server.wait_no_descendants(WAIT));
    assert_eq!(stage.starts().len(), 0, "Codex was started");
}

#[test]
fn processes_of_git_end_with_the_timeout_of_the_call() {
    let stage = Stage::new();
    let server = stage.server().env("PATH", path_behind(&slow_git(&stage))).start();
    let mut limited = arguments("base:main");
    limited["timeout_ms"] = 2_000.into();
    let text = refused(&stage, &server.call("codex_guard_final", &limited));
    assert!(text.starts_with("timed_out: "), "{text}");
    gone(server.wait_no_descendants(WAIT));
}

#[test]
fn processes_of_git_end_with_a_server_that_exits_or_is_killed() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let stage = Stage::new();
        let server = stage.server().env("PATH", path_behind(&slow_git(&stage))).start();
        begin(&server, &arguments("base:main"));
        wait_for(&stage.file("up"));
        server.signal(signal);
        server.wait_exit(WAIT);
        gone(crate::support::client::wait_no_descendants_of(server.marker(), WAIT));
    }
}

fn gone(left: Result<(), Left>) {
    assert_eq!(left, Ok(()), "something is left");
}

#[test]
fn a_git_that_writes_without_end_is_stopped() {
    let stage = Stage::new();
    let bin = stage.home.path().join("bin");
    program(&bin.join("git"), "#!/bin/sh\nexec cat /dev/zero\n");
    let server = stage.server().env("PATH", path_behind(&bin)).start();
    let before = server.peak_kib();
    let text = refused(&stage, &review(&server, "base:main"));
    assert!(text.starts_with("bad_input: diff cannot be checked"), "{text}");
    if let (Some(before), Some(after)) = (before, server.peak_kib()) {
        assert!(after < before + 8_192, "{before} KiB, and then {after}");
    }
    gone(server.wait_no_descendants(WAIT));
}

#[test]
fn an_object_as_large_as_the_memory_is_not_read() {
    let stage = Stage::new();
    let project = stage.home.project();
    repository(project);
    // Well formed, and small on the disk.
    let tree = git(project, &["rev-parse", "HEAD^{tree}"]);
    let mut writer = git_command(project)
        .args(["hash-object", "-t", "commit", "-w", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git is installed");
    let mut stdin = writer.stdin.take().expect("stdin is a pipe");
    write!(stdin, "tree {tree}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\n").expect("read");
    for _ in 0..200 {
        stdin.write_all(&[b'x'; 1 << 20]).expect("git reads it");
    }
    drop(stdin);
    let written = writer.wait_with_output().expect("it is a child of this process");
    let commit = String::from_utf8(written.stdout).expect("git writes text");
    let server = stage.server().start();
    let text = refused(&stage, &review(&server, &format!("commit:{}", commit.trim())));
    assert!(text.starts_with("bad_input: diff names the commit "), "{text}");
}

#[test]
fn a_repository_of_another_user_is_reported_as_such() {
    let stage = Stage::new();
    repository(stage.home.project());
    // The only variable that makes git report this without a second user.
    let bin = git_that(&stage, "export GIT_TEST_ASSUME_DIFFERENT_OWNER=1");
    let server = stage.server().env("PATH", path_behind(&bin)).start();
    let text = refused(&stage, &review(&server, "uncommitted"));
    assert!(text.starts_with("bad_input: diff "), "{text}");
    assert!(text.contains("belongs to another user") && text.contains("safe.directory"), "{text}");
    let project = stage.home.project().to_str().expect("test paths are text");
    assert!(text.contains(project), "{text}");
}
