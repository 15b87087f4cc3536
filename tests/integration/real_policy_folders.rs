//! Where calls may go: folders whose writer could change the rules, folders that the operator does
//! not allow, and links that lead there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::job_kit::{nothing_left, snapshot, wait};
use crate::play::with;
use crate::real_kit::{PICTURE, last_turn, obey};
use crate::setup::{content, error_text, field, home, real, scratch};
use crate::support::client::Server;
use crate::support::model::Model;
use crate::support::real_codex::Home;

const DIRS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_DIRS";
const MOST: &str = "CODEX_PERSISTENT_MCP_MAX_SANDBOX";

fn folder(path: &Path) -> PathBuf {
    fs::create_dir_all(path).expect("the test's folder can be written");
    path.to_owned()
}

fn link(to: &Path, path: PathBuf) -> PathBuf {
    symlink(to, &path).expect("a link can be made");
    path
}

/// A call is refused, by name, through both tools that may write.
fn assert_refused(server: &Server, arguments: &Value, field: &str, setting: &str) {
    for tool in ["codex_chat", "job_start"] {
        let text = outcome(server, tool, arguments);
        let begin = format!("not_allowed: {field} ");
        assert!(text.starts_with(&begin) && text.contains(setting), "{tool} {arguments}: {text}");
    }
}

/// The error of a call, or of the job that it started.
fn outcome(server: &Server, tool: &str, arguments: &Value) -> String {
    let answer = server.call(tool, arguments);
    if answer["isError"] == true {
        return error_text(&answer).to_owned();
    }
    let id = content(&answer)["job_id"].as_str();
    let id = id.unwrap_or_else(|| panic!("{arguments} was not refused: {answer}"));
    wait(server, id, &content(&answer)["notification_cursor"]);
    let job = snapshot(server, id);
    let error = &job["error"];
    assert!(error.is_object(), "{arguments} was not refused: {job}");
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    format!("{}: {}", text("kind"), text("message"))
}

/// Folders whose writer could do more than a sandbox allows.
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
fn nobody_writes_in_folders_that_hold_the_rules() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    // Makes the folders that are there once there was a session.
    content(&server.call("codex_chat", &json!({"prompt": "hello"})));
    folder(&home.state().join("jobs"));
    let asked = model.requests().len();
    // Its name is this run's own: should it ever be made in the root, nobody else finds it there.
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
    // They can be looked at.
    for folder in [home.path(), Path::new("/"), &home.project().join(".git")] {
        let arguments = with(with(touch.clone(), "cwd", folder.to_str()), "sandbox", "read-only");
        let answer = server.call("codex_chat", &arguments);
        assert_eq!(content(&answer)["effective"]["sandbox"], "read-only");
        assert!(!folder.join(&name).exists());
    }
    // And written in where everything may be done.
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

/// A home with a folder that is allowed, one that is not, and ways from one to the other.
struct Fenced {
    model: Model,
    home: Home,
    allowed: PathBuf,
    outside: PathBuf,
}

impl Fenced {
    fn new() -> Self {
        let model = Model::start(obey);
        let home = home(&model.url());
        let allowed = folder(&home.project().join("allowed"));
        folder(&allowed.join("inner"));
        let outside = folder(&home.project().join("outside"));
        folder(&home.project().join("allowed-2"));
        link(&outside, allowed.join("out"));
        link(&allowed.join("out"), allowed.join("out-again"));
        link(&allowed, outside.join("in"));
        fs::write(outside.join("a.png"), PICTURE).expect("writable");
        fs::write(allowed.join("a.png"), PICTURE).expect("writable");
        link(&outside.join("a.png"), allowed.join("b.png"));
        link(&allowed.join("a.png"), outside.join("b.png"));
        Self { model, home, allowed, outside }
    }

    fn server(&self) -> Server {
        real(&self.home).env(DIRS, &self.allowed).start()
    }

    fn escapes(&self) -> Vec<PathBuf> {
        vec![
            self.outside.clone(),
            self.home.project().into(),
            "/".into(),
            self.home.project().join("allowed-2"),
            self.allowed.join("out"),
            self.allowed.join("out-again"),
            self.allowed.join(".."),
            self.allowed.join("inner/../../outside"),
            self.allowed.join("out/../allowed-2"),
        ]
    }
}

#[test]
fn links_and_dots_lead_out_of_no_allowed_folder() {
    let fenced = Fenced::new();
    let server = fenced.server();
    for sandbox in ["read-only", "workspace-write"] {
        let hello = json!({"prompt": "hello", "sandbox": sandbox, "cwd": fenced.allowed});
        for path in fenced.escapes() {
            let path = path.to_str().expect("test paths are text");
            assert_refused(&server, &with(hello.clone(), "cwd", path), "cwd", DIRS);
            assert_refused(&server, &with(hello.clone(), "add_dirs", vec![path]), "add_dirs", DIRS);
        }
        for image in [
            fenced.outside.join("a.png"),
            fenced.allowed.join("b.png"),
            fenced.allowed.join("out/a.png"),
            fenced.allowed.join("../outside/a.png"),
        ] {
            let images = vec![image.to_str()];
            assert_refused(&server, &with(hello.clone(), "images", images), "images", DIRS);
        }
    }
    // The server's own folder is not allowed either.
    assert_refused(&server, &json!({"prompt": "hello"}), "cwd", DIRS);
    for tool in ["codex_guard_final", "codex_guard_plan"] {
        let guard = match tool {
            "codex_guard_final" => json!({"change_summary": "x"}),
            _ => json!({"requirements": "x", "plan": "x"}),
        };
        for arguments in [guard.clone(), with(guard, "cwd", fenced.allowed.join("out").to_str())] {
            assert!(outcome(&server, tool, &arguments).starts_with("not_allowed: cwd "));
        }
    }
    assert!(fenced.model.requests().is_empty());
    // What is within is allowed, however it is written.
    for path in [
        fenced.allowed.clone(),
        fenced.allowed.join("inner"),
        fenced.outside.join("in"),
        fenced.allowed.join("out/in/inner/.."),
    ] {
        let arguments = json!({
            "prompt": "hello", "cwd": path, "sandbox": "workspace-write", "add_dirs": [path],
            "images": [fenced.allowed.join("a.png"), fenced.outside.join("b.png")],
        });
        let answer = server.call("codex_chat", &arguments);
        let cwd = Path::new(field(&answer, "cwd"));
        assert_eq!(cwd, path.canonicalize().expect("it is there"), "the cwd has no links");
    }
}

#[test]
fn a_session_s_own_folder_must_be_allowed_too() {
    let fenced = Fenced::new();
    let free = real(&fenced.home).start();
    let server = fenced.server();
    let begun = |cwd: &Path| {
        let begin = json!({"prompt": "hello", "cwd": cwd, "sandbox": "workspace-write"});
        field(&free.call("codex_chat", &begin), "session_id").to_owned()
    };
    let go_on = |session: &str| json!({"prompt": "[run touch pwned]", "session_id": session});
    // One that was somewhere else.
    let session = begun(&fenced.outside);
    assert_refused(&server, &go_on(&session), "cwd", DIRS);
    assert_refused(&server, &with(go_on(&session), "fork", true), "cwd", DIRS);
    let text = outcome(
        &server,
        "codex_guard_final",
        &json!({"change_summary": "x", "session_id": session}),
    );
    assert!(text.starts_with("not_allowed: cwd "), "{text}");
    // It may come in.
    let inside = with(go_on(&session), "cwd", fenced.allowed.to_str());
    content(&server.call("codex_chat", &inside));
    assert_eq!(last_turn(&fenced.home, &session).0, fenced.allowed);

    // One whose folder became a link that leads out.
    let moved = folder(&fenced.allowed.join("moved"));
    let session = begun(&moved);
    content(&server.call("codex_chat", &go_on(&session)));
    fs::remove_file(moved.join("pwned")).expect("it was allowed there");
    fs::remove_dir(&moved).expect("it is empty");
    link(&fenced.outside, moved);
    assert_refused(&server, &go_on(&session), "cwd", DIRS);
    assert!(!fenced.outside.join("pwned").exists());
}

#[test]
fn a_job_of_before_the_limit_does_not_go_on_outside() {
    let fenced = Fenced::new();
    let free = real(&fenced.home).start();
    let begin = json!({"prompt": "hello", "cwd": fenced.outside, "sandbox": "workspace-write"});
    let job = content(&free.call("job_start", &begin)).clone();
    let id = job["job_id"].as_str().expect("an id");
    let (_, cursor) = wait(&free, id, &job["notification_cursor"]);
    // As long as the job's own process is there it is that one's settings that hold.
    nothing_left(&fenced.home, &free);
    let server = fenced.server();
    crate::job_kit::reply(&server, id, "[run touch pwned]");
    let (told, _) = wait(&server, id, &cursor);
    assert_eq!(told["error"]["kind"], "not_allowed", "{told}");
    assert!(!fenced.outside.join("pwned").exists());
}

/// Commands may write in the system's folders for temporary files, unless Codex's home is in one.
#[test]
fn the_rules_are_kept_where_they_lie_among_temporary_files() {
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

/// The project's own settings start programs without any sandbox once a person trusts the project.
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
