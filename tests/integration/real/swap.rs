//! Folders that one turn exchanges for a link while another works in them. Each attack succeeds with Codex
//! by hand, and fails through the server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::kit::jobs::{snapshot, start_with, text, wait};
use crate::kit::play::{begin, result_of, with};
use crate::kit::real::ByHand;
use crate::kit::setup::{content, error_text, field, home, real_release, slash_tmp_is_denied};
use crate::kit::wait::{wait_for, wait_until};
use crate::support::client::{Builder, Server};
use crate::support::model::{Model, Request, Response};
use crate::support::real_codex::{Home, Release};

const DIRS: &str = "CODEX_PERSISTENT_MCP_ALLOWED_DIRS";

/// A model that runs the commands of all `[run …]` in the prompt, one after the other, and before each
/// waits for the file of a `[when …]`, if there is one.
fn in_steps(request: &Request) -> Response {
    let prompt = request.last_user_text();
    let parts = |name: &str| -> Vec<String> {
        let parts = prompt.split(name).skip(1);
        parts.filter_map(|part| Some(part.split_once(']')?.0.to_owned())).collect()
    };
    let outputs = request.tool_outputs();
    let Some(command) = parts("[run ").get(outputs.len()).cloned() else {
        return Response::message(outputs.join("\n"));
    };
    if let Some(file) = parts("[when ").first() {
        wait_for(Path::new(file));
    }
    Response::shell(command)
}

/// A folder for one turn, and one in it for another.
struct Scene {
    model: Model,
    home: Home,
    outer: PathBuf,
    inner: PathBuf,
    outside: PathBuf,
    release: Release,
}

/// The releases with which the attacks are tried through the server, too.
const RELEASES: [Release; 2] = [Release::Newest, Release::V0_169];

/// Where the folder must lead.
#[derive(Clone, Copy)]
enum Target {
    CodexHome,
    Outside,
}

const TARGETS: [Target; 2] = [Target::CodexHome, Target::Outside];

impl Scene {
    fn new() -> Self {
        Self::on(Release::Newest)
    }

    fn on(release: Release) -> Self {
        let model = Model::start(in_steps);
        let home = home(&model.url());
        let project = home.project().canonicalize().expect("it exists");
        let [outer, outside] = ["outer", "outside"].map(|name| project.join(name));
        let inner = outer.join("inner");
        for folder in [&inner, &outside] {
            fs::create_dir_all(folder).expect("the project is writable");
        }
        Self { model, home, outer, inner, outside, release }
    }

    fn target(&self, target: Target) -> &Path {
        match target {
            Target::CodexHome => self.home.path(),
            Target::Outside => &self.outside,
        }
    }

    fn builder(&self) -> Builder {
        real_release(&self.home, self.release)
    }

    fn server(&self) -> Server {
        self.builder().env(DIRS, &self.outer).start()
    }

    /// A file that a turn waits for, or that it makes.
    fn mark(&self, name: &str) -> PathBuf {
        self.outer.join(name)
    }

    /// The prompt of a turn that writes in its directory, in a second command, once it is released.
    fn victim(&self) -> String {
        format!("victim [when {}] [run touch pwned]", self.mark("go").display())
    }

    /// The prompt of a turn that replaces the inner folder by a link, once it is released.
    fn attacker(&self, target: Target) -> String {
        format!(
            "attacker [run touch begun; until test -e swap; do sleep 0.02; done; \
             mv inner moved && ln -s {} inner; touch swapped]",
            self.target(target).display()
        )
    }

    fn release(&self, name: &str) {
        fs::write(self.mark(name), "").expect("the folder exists");
    }

    /// Waits until the victim's turn has started.
    fn wait_for_victim(&self) {
        self.model.wait_for(is_victim);
    }

    fn calls(&self) -> Vec<Value> {
        let table = fs::read_to_string(self.home.state().join("line/calls-2")).unwrap_or_default();
        table.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Whether a call in the queue has announced where it writes, and waits.
    fn one_waits(&self) -> bool {
        let waits = |call: &Value| call["running"] == false && call["roots"].is_object();
        self.calls().iter().any(waits)
    }

    /// Waits until the attacker's turn is done, or waits for another one.
    fn attacker_settled(&self) {
        let through = || self.mark("swapped").exists();
        wait_until("the attacker to be through or to wait", || self.one_waits() || through());
    }

    /// Waits until the victim's turn has started, or waits for another one.
    fn victim_settled(&self) {
        let begun = || self.model.requests().iter().any(is_victim);
        wait_until("the victim to begin or to wait", || self.one_waits() || begun());
    }

    fn assert_unharmed(&self, target: Target) {
        let written = self.target(target).join("pwned");
        assert!(!written.exists(), "the turn has written {}", written.display());
    }
}

fn is_victim(request: &Request) -> bool {
    request.last_user_text().contains("victim")
}

fn writes(cwd: &Path, prompt: &str) -> Value {
    json!({"prompt": prompt, "cwd": cwd, "sandbox": "workspace-write"})
}

/// Whether one of an answer's warnings has all these words.
fn is_warned(answer: &Value, words: &[&str]) -> bool {
    let warnings = content(answer)["warnings"].as_array().cloned().unwrap_or_default();
    let texts = warnings.iter().filter_map(Value::as_str);
    texts.into_iter().any(|text| words.iter().all(|word| text.contains(word)))
}

/// The attack itself, with each release of Codex. If this fails, Codex prevents it.
#[test]
fn without_this_server_a_turn_redirects_another_one() {
    for release in Release::ALL {
        for target in TARGETS {
            let scene = Scene::new();
            let codex = |cwd: &Path, prompt: &str| {
                let cwd = cwd.to_str().expect("test paths are text");
                // Below `/tmp` Codex would treat all of this as one folder.
                let no_tmp = "sandbox_workspace_write.exclude_slash_tmp=true";
                let arguments = ["-C", cwd, "-s", "workspace-write", "-c", no_tmp, "-"];
                ByHand::exec_release(&scene.home, release, &arguments, prompt)
            };
            let victim = codex(&scene.inner, &scene.victim());
            scene.wait_for_victim();
            let attacker = codex(&scene.outer, &scene.attacker(target));
            scene.release("swap");
            attacker.finish();
            scene.release("go");
            victim.finish();
            assert!(scene.target(target).join("pwned").exists(), "{release:?}");
        }
    }
}

#[test]
fn a_turn_around_a_folder_waits_for_the_one_that_works_in_it() {
    for (target, release) in TARGETS.into_iter().zip(RELEASES) {
        let scene = Scene::on(release);
        let [first, second] = [scene.server(), scene.server()];
        let victim = begin(&first, &writes(&scene.inner, &scene.victim()));
        scene.wait_for_victim();
        scene.release("swap");
        let attacker = begin(&second, &writes(&scene.outer, &scene.attacker(target)));
        scene.attacker_settled();
        scene.release("go");
        let answer = result_of(&first, &victim);
        scene.assert_unharmed(target);
        content(&answer);
        assert!(scene.inner.join("pwned").exists(), "it wrote where it works");
        // Then the other one runs.
        content(&result_of(&second, &attacker));
        assert!(scene.mark("swapped").exists());
    }
}

#[test]
fn a_turn_in_a_folder_waits_for_the_one_around_it_and_resolves_its_path_again() {
    for (target, setting, release) in [
        (Target::CodexHome, "CODEX_PERSISTENT_MCP", Release::V0_169),
        (Target::Outside, DIRS, Release::Newest),
    ] {
        let scene = Scene::on(release);
        let [first, second] = [scene.server(), scene.server()];
        let attacker = begin(&first, &writes(&scene.outer, &scene.attacker(target)));
        wait_for(&scene.mark("begun"));
        let victim = begin(&second, &writes(&scene.inner, &scene.victim()));
        scene.victim_settled();
        scene.release("swap");
        content(&result_of(&first, &attacker));
        scene.release("go");
        let refused = result_of(&second, &victim);
        scene.assert_unharmed(target);
        let text = error_text(&refused);
        assert!(text.starts_with("not_allowed: cwd ") && text.contains(setting), "{text}");
    }
}

/// The same with a job, which has its own process, and for its later turns.
#[test]
fn a_job_and_a_call_wait_for_each_other() {
    RELEASES.into_iter().for_each(a_job_and_a_call_wait_for_each_other_on);
}

fn a_job_and_a_call_wait_for_each_other_on(release: Release) {
    let scene = Scene::on(release);
    let server = scene.builder().start();
    let begun = start_with(&server, &writes(&scene.inner, &scene.victim()));
    scene.wait_for_victim();
    scene.release("swap");
    let prompt = scene.attacker(Target::CodexHome);
    let attacker = begin(&server, &writes(&scene.outer, &prompt));
    scene.attacker_settled();
    scene.release("go");
    let (ended, _) = wait(&server, text(&begun, "job_id"), &begun["notification_cursor"]);
    scene.assert_unharmed(Target::CodexHome);
    assert_eq!(ended["status"], "completed", "{ended}");
    content(&result_of(&server, &attacker));

    let scene = Scene::on(release);
    let server = scene.builder().start();
    let prompt = scene.attacker(Target::CodexHome);
    let attacker = begin(&server, &writes(&scene.outer, &prompt));
    wait_for(&scene.mark("begun"));
    let begun = start_with(&server, &writes(&scene.inner, &scene.victim()));
    let id = text(&begun, "job_id");
    scene.victim_settled();
    assert_eq!(snapshot(&server, id)["status"], "queued");
    scene.release("swap");
    content(&result_of(&server, &attacker));
    scene.release("go");
    let (ended, _) = wait(&server, id, &begun["notification_cursor"]);
    scene.assert_unharmed(Target::CodexHome);
    assert_eq!(ended["error"]["kind"], "not_allowed", "{ended}");
}

/// A turn may read the shared queue, and so can lock it.
#[test]
fn a_turn_that_locks_the_queue_blocks_only_turns_that_write() {
    let scene = Scene::new();
    let [first, second] = [scene.server(), scene.server()];
    let prompt = format!(
        "attacker [run exec 9< {}; flock 9; touch begun; until test -e swap; do sleep 0.02; done; \
         mv inner moved && ln -s {} inner; touch swapped]",
        scene.home.state().join("line/calls-2").display(),
        scene.home.path().display()
    );
    let attacker = begin(&first, &writes(&scene.outer, &prompt));
    wait_for(&scene.mark("begun"));
    // Longer than a server waits for a locked queue.
    let victim = with(writes(&scene.inner, &scene.victim()), "timeout_ms", 6_000);
    let victim = begin(&second, &victim);
    let reads = json!({"prompt": "reader", "cwd": scene.inner, "sandbox": "read-only"});
    content(&second.call("codex_chat", &reads));
    let refused = result_of(&second, &victim);
    let text = error_text(&refused);
    assert!(text.starts_with("timed_out: ") && text.contains("lock of the shared queue"), "{text}");
    scene.release("swap");
    wait_for(&scene.mark("swapped"));
    scene.release("go");
    result_of(&first, &attacker);
    scene.assert_unharmed(Target::CodexHome);
}

/// A turn that only reads cannot be made to write, and turns in the same folder cannot exchange it.
#[test]
fn readers_and_turns_in_the_same_folder_or_beside_it_do_not_wait() {
    let scene = Scene::new();
    let server = scene.server();
    let attacker = begin(&server, &writes(&scene.outer, &scene.attacker(Target::Outside)));
    wait_for(&scene.mark("begun"));
    let reads = json!({"prompt": "reads", "cwd": scene.inner, "sandbox": "read-only"});
    content(&server.call("codex_chat", &reads));
    let guard = json!({"requirements": "x", "plan": "y", "cwd": scene.inner});
    content(&server.call("codex_guard_plan", &guard));
    content(&server.call("codex_chat", &writes(&scene.outer, "the same")));
    let beside = scene.builder().start();
    content(&beside.call("codex_chat", &writes(&scene.outside, "beside")));
    scene.release("swap");
    content(&result_of(&server, &attacker));
}

/// Two commands of one turn: the first exchanges a folder, the second writes where that leads.
fn alone(scene: &Scene, folder: &Path) -> String {
    let target = scene.home.path().display();
    let (folder, moved) = (folder.display(), folder.with_extension("moved"));
    format!(
        "[run cd /; mv {folder} {moved} && mkdir {folder} && ln -s {target} {folder}/deep] \
         [run touch {target}/pwned]",
        moved = moved.display()
    )
}

#[test]
fn a_turn_does_not_lead_its_own_folder_for_temporary_files_elsewhere() {
    RELEASES
        .into_iter()
        .for_each(a_turn_does_not_lead_its_own_folder_for_temporary_files_elsewhere_on);
}

fn a_turn_does_not_lead_its_own_folder_for_temporary_files_elsewhere_on(release: Release) {
    let folder_of = |scene: &Scene| {
        let tmpdir = scene.outer.join("a/deep");
        fs::create_dir_all(&tmpdir).expect("the folder is writable");
        tmpdir
    };
    let scene = Scene::on(release);
    let tmpdir = folder_of(&scene);
    let cwd = scene.outer.to_str().expect("test paths are text");
    let mut codex = ByHand::command(&scene.home, release);
    codex.args(["-C", cwd, "-s", "workspace-write", "-"]).env("TMPDIR", &tmpdir);
    ByHand::start(codex, &alone(&scene, &scene.outer.join("a"))).finish();
    assert!(scene.home.path().join("pwned").exists(), "Codex has closed it");

    let scene = Scene::on(release);
    let tmpdir = folder_of(&scene);
    let server = scene.builder().env("TMPDIR", &tmpdir).start();
    let used = format!("[run touch {}/used]", tmpdir.display());
    content(&server.call("codex_chat", &writes(&scene.outer, &used)));
    assert!(tmpdir.join("used").exists(), "it is a part of the turn's own folder");
    let prompt = alone(&scene, &scene.outer.join("a"));
    content(&server.call("codex_chat", &writes(&scene.outer, &prompt)));
    scene.assert_unharmed(Target::CodexHome);
    // By a link in its folder, the turn could lead it anywhere too.
    let linked = scene.outer.join("linked");
    symlink(&scene.outside, &linked).expect("the folder is writable");
    let server = scene.builder().env("TMPDIR", &linked).start();
    let target = scene.home.path().display();
    let link = linked.display();
    let prompt = format!("[run rm {link}; ln -s {target} {link}] [run touch {target}/pwned]");
    content(&server.call("codex_chat", &writes(&scene.outer, &prompt)));
    scene.assert_unharmed(Target::CodexHome);
}

/// A folder in the system's `/tmp`. It is removed when this is dropped.
struct InTmp(PathBuf);

impl InTmp {
    fn new(name: &str) -> Self {
        let folder = Path::new("/tmp").canonicalize().expect("it exists");
        // Tests run side by side, in one process.
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = folder.join(format!("swap-{}-{made}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("deep")).expect("writable");
        Self(folder)
    }
}

impl Drop for InTmp {
    fn drop(&mut self) {
        let _moved = fs::remove_dir_all(self.0.with_extension("moved"));
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The folders around a turn's directory are denied, so that no command can exchange it.
#[test]
fn a_turn_in_a_folder_for_temporary_files_writes_only_in_its_own_folder() {
    let scene = Scene::new();
    let own = InTmp::new("own");
    let server = scene.builder().start();
    for cwd in [own.0.clone(), own.0.join("deep")] {
        let around = own.0.with_extension("around");
        let command =
            format!("touch inside; touch {0}; mv {1} {0}", around.display(), own.0.display());
        let answer = server.call("codex_chat", &writes(&cwd, &format!("[run cd .; {command}]")));
        assert!(field(&answer, "reply").contains("Read-only"), "{answer}");
        assert!(cwd.join("inside").exists() && !around.exists());
    }
    let prompt = format!("[run touch {}]", own.0.with_extension("beside").display());
    let with_own = with(writes(&scene.outer, &prompt), "add_dirs", json!([own.0]));
    let answer = server.call("codex_chat", &with_own);
    assert!(field(&answer, "reply").contains("Read-only"), "{answer}");
}

#[test]
fn turns_in_a_folder_for_temporary_files_run_side_by_side_and_others_are_denied_it() {
    let scene = Scene::new();
    let [one, two] = ["one", "two"].map(InTmp::new);
    let server = scene.builder().start();
    let first = begin(&server, &writes(&one.0, &scene.victim()));
    scene.wait_for_victim();
    content(&server.call("codex_chat", &writes(&two.0, "beside")));
    let elsewhere = format!("[run mv {0} {0}.moved; touch done]", one.0.display());
    let answer = server.call("codex_chat", &writes(&scene.outer, &elsewhere));
    assert!(field(&answer, "reply").contains("Read-only"), "{answer}");
    assert!(scene.mark("done").exists(), "it worked beside the other");
    // Where `/tmp` is denied to all turns, there is nothing to warn about.
    let closed = slash_tmp_is_denied();
    assert_eq!(is_warned(&answer, &["/tmp", "another turn was working"]), !closed, "{answer}");
    scene.release("go");
    content(&result_of(&server, &first));
    // With nobody else there, nothing is denied.
    wait_until("the queue to be empty", || scene.calls().is_empty());
    let free = one.0.join("free");
    let prompt = format!("[run touch {}]", free.display());
    let answer = server.call("codex_chat", &writes(&scene.outer, &prompt));
    assert_eq!(free.exists(), !closed, "{answer}");
    assert!(!is_warned(&answer, &["/tmp", "another turn was working"]), "{answer}");
}

#[test]
fn a_turn_in_a_folder_for_temporary_files_waits_for_those_who_may_write_there() {
    let scene = Scene::new();
    let own = InTmp::new("own");
    let server = scene.builder().start();
    let prompt = format!("attacker {}", alone(&scene, &own.0));
    let prompt =
        prompt.replacen("[run ", "[run touch begun; until test -e swap; do sleep 0.02; done; ", 1);
    let attacker = begin(&server, &writes(&scene.outer, &prompt));
    wait_for(&scene.mark("begun"));
    let victim = begin(&server, &writes(&own.0.join("deep"), &scene.victim()));
    scene.victim_settled();
    scene.release("swap");
    content(&result_of(&server, &attacker));
    scene.release("go");
    let answer = result_of(&server, &victim);
    scene.assert_unharmed(Target::CodexHome);
    if slash_tmp_is_denied() {
        // Then no other turn may write there, and the folder stays in place.
        content(&answer);
        assert!(own.0.join("deep/pwned").exists(), "{answer}");
    } else {
        assert!(error_text(&answer).starts_with("not_allowed: cwd "), "{answer}");
    }
}

#[test]
fn a_folder_around_the_directory_is_refused_or_omitted() {
    let scene = Scene::new();
    let server = scene.builder().start();
    for around in [&scene.outer, &scene.outer.join("../outer"), scene.home.project()] {
        let arguments = with(writes(&scene.inner, "hello"), "add_dirs", json!([around]));
        let answer = server.call("codex_chat", &arguments);
        let text = error_text(&answer);
        assert!(text.starts_with("bad_input: add_dirs has "), "{text}");
    }
    // A folder below it is a part of it.
    let below = with(writes(&scene.outer, "[run touch inner/x]"), "add_dirs", json!([scene.inner]));
    let answer = server.call("codex_chat", &below);
    assert!(scene.inner.join("x").exists(), "{answer}");
    assert!(content(&answer)["effective"]["writable_roots"].is_null(), "{answer}");

    let roots = [scene.outer.display(), scene.outside.display()].map(|root| root.to_string());
    scene.home.append_config(&format!("sandbox_workspace_write.writable_roots = {roots:?}"));
    let command = "[run touch x; touch ../x; touch ../../outside/x]";
    let answer = server.call("codex_chat", &writes(&scene.inner, command));
    assert!(scene.inner.join("x").exists() && scene.outside.join("x").exists(), "{answer}");
    assert!(!scene.outer.join("x").exists(), "{answer}");
    assert!(is_warned(&answer, &[&roots[0], "was ignored"]), "{answer}");
}

/// A link does not give a folder another name under which it would be free.
#[test]
fn folders_are_compared_by_their_real_paths() {
    let scene = Scene::new();
    let link = scene.outside.join("to-inner");
    symlink(&scene.inner, &link).expect("the folder is writable");
    let server = scene.builder().start();
    let victim = begin(&server, &writes(&link, &scene.victim()));
    scene.wait_for_victim();
    scene.release("swap");
    let attacker = begin(&server, &writes(&scene.outer, &scene.attacker(Target::CodexHome)));
    scene.attacker_settled();
    scene.release("go");
    let answer = result_of(&server, &victim);
    scene.assert_unharmed(Target::CodexHome);
    content(&answer);
    content(&result_of(&server, &attacker));
}

/// An allowed folder is where it was when the operator named it, not where a turn redirects it.
#[test]
fn no_turn_leads_an_allowed_folder_elsewhere() {
    RELEASES.into_iter().for_each(no_turn_leads_an_allowed_folder_elsewhere_on);
}

fn no_turn_leads_an_allowed_folder_elsewhere_on(release: Release) {
    let scene = Scene::on(release);
    let in_tmp = InTmp::new("allowed");
    let allowed = [&scene.outer, &scene.inner, &in_tmp.0].map(|dir| dir.display().to_string());
    let server = scene.builder().env(DIRS, allowed.join(":")).start();
    for (folder, moved) in [
        (&scene.inner, scene.inner.with_extension("moved")),
        (&in_tmp.0, in_tmp.0.with_extension("moved")),
    ] {
        let (folder, moved, to) = (folder.display(), moved.display(), scene.outside.display());
        let prompt = format!("[run mv {folder} {moved} && ln -s {to} {folder}]");
        content(&server.call("codex_chat", &writes(&scene.outer, &prompt)));
        let outside = server.call("codex_chat", &writes(&scene.outside, "[run touch pwned]"));
        scene.assert_unharmed(Target::Outside);
        assert!(error_text(&outside).starts_with("not_allowed: cwd "), "{outside}");
    }
    content(&server.call("codex_chat", &writes(&in_tmp.0, "it is still there")));
}
