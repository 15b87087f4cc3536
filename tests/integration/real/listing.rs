//! The list of plain `codex resume`, shown by the real Codex on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::{Winsize, openpty};
use serde_json::{Value, json};

use crate::kit::play::session_of;
use crate::kit::real::{ByHand, obey, record};
use crate::kit::setup::{content, field, home, real};
use crate::kit::wait::{wait_for, wait_until};
use crate::support::client::{Builder, Server};
use crate::support::environment::clean;
use crate::support::model::Model;
use crate::support::real_codex::{Home, install};

/// The queries of Codex to a terminal before it draws, and the answers of one.
const QUESTIONS: [(&[u8], &[u8]); 5] = [
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b[c", b"\x1b[?62c"),
    (b"\x1b[?u", b"\x1b[?0u"),
    (b"\x1b]10;?", b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
];

/// `codex resume` on a terminal. It is killed when this is dropped.
struct Picker {
    codex: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Picker {
    fn open(home: &Home, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).expect("the system has terminals");
        let end = || Stdio::from(terminal.slave.try_clone().expect("it can be shared"));
        let mut codex = Command::new(&install().native);
        let codex = clean(&mut codex, home.user())
            .arg("resume")
            .args(arguments)
            .env("CODEX_HOME", home.path())
            .env("TERM", "xterm-256color")
            .current_dir(home.project())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("Codex is installed");
        let shown = Arc::new(Mutex::default());
        let screen = File::from(terminal.master);
        let to = Arc::clone(&shown);
        thread::spawn(move || watch(screen, &to));
        Self { codex, shown }
    }

    /// Whether this word has been on the screen.
    fn shows(&self, word: &str) -> bool {
        let shown = self.shown.lock().expect("nothing panics while it holds this lock");
        shown.windows(word.len()).any(|part| part == word.as_bytes())
    }

    fn wait_for(&self, word: &str) {
        wait_until(&format!("{word} on the screen"), || self.shows(word));
    }
}

impl Drop for Picker {
    fn drop(&mut self) {
        let _already_gone = self.codex.kill();
        let _already_reaped = self.codex.wait();
    }
}

/// Reads the screen to its end, and answers as a terminal does.
fn watch(mut screen: File, to: &Mutex<Vec<u8>>) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(length @ 1..) = screen.read(&mut chunk) {
        let part = &chunk[..length];
        to.lock().expect("nothing panics while it holds this lock").extend_from_slice(part);
        for (question, answer) in QUESTIONS {
            if part.windows(question.len()).any(|part| part == question) {
                // Nobody reads it after Codex has exited.
                let _gone = screen.write_all(answer);
            }
        }
    }
}

/// A home in which Codex's terminal shows no dialogs and leaves no process.
fn quiet_home(model: &Model) -> Home {
    let home = home(&model.url());
    home.append_config("features.daemon_auto_start = false");
    let project = home.project().display();
    home.append_config(&format!("projects.\"{project}\".trust_level = \"trusted\""));
    home
}

/// A server with a name that identifies its sessions on the screen.
fn named(home: &Home, name: &str) -> Builder {
    real(home).arg("--origin").arg(name)
}

fn source(home: &Home, session: &str) -> Value {
    record(home, session)[0]["payload"]["source"].clone()
}

fn wait_until_listed(home: &Home, session: &str) {
    wait_until("the session to be listed", || source(home, session) == "cli");
}

fn begin(server: &Server) -> String {
    let answer = server.call("codex_chat", &json!({"prompt": "hello"}));
    field(&answer, "session_id").to_owned()
}

#[test]
fn plain_codex_resume_lists_sessions_of_this_server_only_with_a_setting() {
    let model = Model::start(obey);
    let home = quiet_home(&model);
    let listed = named(&home, "in-the-list").env("CODEX_PERSISTENT_MCP_LIST_SESSIONS", "1");
    wait_until_listed(&home, &begin(&listed.start()));
    let job = named(&home, "of-a-job").arg("--list-sessions").start();
    let started = job.call("job_start", &json!({"prompt": "hello"}));
    let id = field(&started, "job_id").to_owned();
    job.call("job_wait", &json!({"job_ids": [id]}));
    let shown = job.call("job_events", &json!({"job_id": id}));
    let session = content(&shown)["job"]["session_id"].as_str().expect("a session").to_owned();
    wait_until_listed(&home, &session);
    // It is the newest, so it would be above the others.
    let left = named(&home, "not-in-the-list").start();
    let hidden = begin(&left);
    left.close_stdin();
    left.wait_exit(crate::kit::wait::WAIT);
    assert_eq!(source(&home, &hidden), "exec");

    let picker = Picker::open(&home, &[]);
    picker.wait_for("in-the-list");
    picker.wait_for("of-a-job");
    assert!(!picker.shows("not-in-the-list"), "only a setting puts it there");
    drop(picker);
    Picker::open(&home, &["--include-non-interactive"]).wait_for("not-in-the-list");
}

#[test]
fn a_user_s_session_is_unchanged_and_a_stopped_one_is_listed() {
    let model = Model::start(obey);
    let home = quiet_home(&model);
    let server = real(&home).arg("--debug").arg("--list-sessions").start();
    ByHand::exec(&home, &["-"], "asked by a person").finish();
    let found = server.call("codex_sessions", &json!({}));
    let person = content(&found)["sessions"][0]["session_id"].as_str().expect("an id").to_owned();
    server.call("codex_chat", &json!({"prompt": "go on", "session_id": person}));

    let stopped = server.begin_call("codex_chat", &json!({"prompt": "[hang]"}));
    let session = session_of(&server, &stopped);
    model.wait_for(|request| request.last_user_text().contains("[hang]"));
    server.cancel(&stopped);
    wait_until_listed(&home, &session);
    server.close_stdin();
    assert!(server.wait_exit(crate::kit::wait::WAIT).success());
    assert_eq!(source(&home, &person), "exec");
}

#[test]
fn a_listed_session_can_be_resumed_and_so_can_its_earlier_and_later_forks() {
    let model = Model::start(obey);
    let home = quiet_home(&model);
    let server = real(&home).arg("--list-sessions").start();
    let first = "first-words [run touch began; until test -e go; do sleep 0.02; done]";
    let prompt = json!({"prompt": first, "sandbox": "workspace-write"});
    let call = server.begin_call("codex_chat", &prompt);
    let session = session_of(&server, &call);
    wait_for(&home.project().join("began"));
    let fork = |words: &str| {
        let request = json!({"prompt": words, "session_id": session, "fork": true});
        field(&server.call("codex_chat", &request), "session_id").to_owned()
    };
    let before = fork("fork-of-before");
    // The index is filled before the record is changed.
    let found = |id: &str| {
        let list = server.call("codex_sessions", &json!({"source": "tools"}));
        let list = content(&list)["sessions"].as_array().expect("a list").clone();
        list.into_iter().find(|found| found["session_id"] == id).expect("it is found")
    };
    assert_eq!(found(&session)["source"], "exec");
    std::fs::write(home.project().join("go"), "").expect("the project is writable");
    field(&server.answer(&call)["result"], "reply");
    wait_until_listed(&home, &session);

    let after = fork("fork-of-after");
    for (id, words) in [(&session, "first"), (&before, "fork-of-before"), (&after, "fork-of-after")]
    {
        wait_until_listed(&home, id);
        let by_hand = format!("{id} by hand");
        ByHand::resume(&home, id, &by_hand).finish();
        let by_tool = format!("{id} by a tool");
        server.call("codex_chat", &json!({"prompt": by_tool, "session_id": id}));
        let asked = model.wait_for(|request| request.last_user_text().contains(&by_tool));
        let said = asked.user_texts().join("\n");
        for words in ["first-words", words, &by_hand] {
            assert!(said.contains(words), "{words} is not in {said}");
        }
        assert_eq!(source(&home, id), "cli");
        let found = found(id);
        assert_eq!((&found["source"], &found["tool"]), (&json!("exec"), &json!("codex_chat")));
    }
}
