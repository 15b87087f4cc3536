//! `read`: the output of Codex in files that grow, are replaced, and have lines that are none.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::cli::{self, Ran, ended, parsed};
use crate::kit::play::{Stage, message};
use crate::kit::setup::script;
use crate::kit::wait::WAIT;
use crate::support::environment::patient;
use crate::support::scripted_codex;

fn program(stage: &Stage, arguments: &[&str]) -> Command {
    cli::program(&stage.home, &scripted_codex(), &[&["read"], arguments].concat())
}

fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    cli::run(program(stage, arguments))
}

/// What it prints, which must succeed.
fn read(stage: &Stage, arguments: &[&str]) -> String {
    let ran = run(stage, arguments);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    ran.stdout
}

/// What it prints before the cursor, and the cursor.
fn before_cursor(output: &str) -> (&str, &str) {
    let (before, cursor) = output.rsplit_once("cursor: ").expect("a cursor");
    (before, cursor.trim_end())
}

/// What a server of this release wrote in a recorded scenario.
fn recorded(scenario: &str) -> Vec<String> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp-server");
    let text = fs::read_to_string(fixtures.join(scenario)).expect("it is recorded");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|line| Some(line.get("server")?.to_string() + "\n")).collect()
}

fn write(stage: &Stage, content: impl AsRef<[u8]>) -> String {
    let path = stage.file("out.jsonl");
    fs::write(&path, content).expect("writable");
    path.to_str().expect("test paths are text").to_owned()
}

fn append(path: &str, content: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    file.write_all(content.as_ref()).expect("there is room");
}

fn said(text: &str) -> String {
    let item = json!({"id": "1", "type": "agent_message", "text": text});
    json!({"type": "item.completed", "item": item}).to_string() + "\n"
}

fn event(kind: &str) -> String {
    json!({"type": kind}).to_string() + "\n"
}

/// A command that prints lines for as long as it runs.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(mut command: Command) -> Self {
        let mut child = cli::start(&mut command);
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The next line, which must come.
    fn line(&self) -> String {
        self.lines.recv_timeout(patient(WAIT)).expect("a line is printed")
    }

    /// Its exit status, and the lines that were not taken.
    fn end(self) -> (Option<i32>, Vec<String>) {
        let status = ended(self.child).status;
        (status, self.lines.iter().collect())
    }
}

#[test]
fn each_view_shows_its_part_of_what_the_old_server_wrote() {
    let stage = Stage::new();
    let file = write(&stage, recorded("0.153.4/command.jsonl").concat());
    let shown = |arguments: &[&str]| {
        let output = read(&stage, &[&[&*file], arguments].concat());
        before_cursor(&output).0.to_owned()
    };
    let head = "== request 1 · session 00000000-0000-7000-8000-000000000001\n";
    assert_eq!(shown(&["--messages"]), format!("{head}message Done.\n"));
    let failed = "08:00:00 command echo bad >&2; exit 3 → 3 in 0 s\n  bad\n";
    let commands = format!("{head}08:00:00 command echo hello → 0 in 0 s\n{failed}");
    assert_eq!(shown(&["--commands"]), commands);
    assert_eq!(shown(&["--errors"]), format!("{head}{failed}"));
    assert_eq!(shown(&["--reasoning"]), "");
    let summary = shown(&[]);
    assert!(summary.contains("· completed in 0 s · 2 commands (1 failed)\n"), "{summary}");
    assert!(summary.contains("last message:\nDone.\n"), "{summary}");
    let tokens = "tokens: 3,150 used (3,000 in, 1,200 of them cached, 150 out) · context 1,050 of 258,400, \
                  257,350 left (99 %)\n";
    assert!(summary.ends_with(tokens), "{summary}");
    assert_eq!(shown(&["--tokens"]), tokens);
    let timeline = shown(&["--timeline"]);
    for line in ["prompt Run two commands\n", "message Done.\n", "answer: the last message\n"] {
        assert!(timeline.contains(line), "{timeline}");
    }
}

#[test]
fn a_request_is_told_from_the_others() {
    let stage = Stage::new();
    let file = write(&stage, recorded("0.77.0/call.jsonl").concat());
    let (first, fifth) =
        ["1", "5"].map(|id| read(&stage, &[&file, "--request", id, "--timeline"])).into();
    assert!(first.contains("message echo: Say hello\n") && !first.contains("request 5"), "{first}");
    assert!(fifth.contains("edit +/home/user/project/note.txt\n"), "{fifth}");
    let none = read(&stage, &[&file, "--request", "77", "--timeline"]);
    assert_eq!(before_cursor(&none).0, "");
    // An id may be a text.
    let file = write(&stage, recorded("0.153.4/no-initialize.jsonl").concat());
    let named = read(&stage, &[&file]);
    let id = named.lines().find_map(|line| line.strip_prefix("request ")).expect("a request");
    let id = id.split(' ').next().expect("its id");
    assert!(id.parse::<u64>().is_err(), "{named}");
    assert!(read(&stage, &[&file, "--request", id]).contains("completed"), "{named}");
}

#[test]
fn the_last_items_or_characters_are_read_from_the_end() {
    let stage = Stage::new();
    let all: Vec<String> = (0..2_000).map(|number| said(&format!("number {number}"))).collect();
    let file = write(&stage, all.concat());
    let last = read(&stage, &[&file, "--messages", "--last", "2"]);
    assert_eq!(before_cursor(&last).0, "message number 1998\nmessage number 1999\n");
    // Each line has 20 characters with its line end.
    for (bound, count) in [("20c", 1), ("39c", 1), ("40c", 2), ("60c", 3)] {
        let last = read(&stage, &[&file, "--messages", "--last", bound]);
        assert_eq!(before_cursor(&last).0.lines().count(), count, "{bound}: {last}");
    }
    let cut = read(&stage, &[&file, "--messages", "--last", "10c"]);
    assert_eq!(before_cursor(&cut).0, "message nu…\n");
    let wrong = run(&stage, &[&file, "--last", "0"]);
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.stderr.contains("'--last <N[c]>'"), "{}", wrong.stderr);
}

#[test]
fn the_next_look_has_only_what_is_new() {
    let stage = Stage::new();
    let file = write(&stage, said("one") + &said("two"));
    let first = read(&stage, &[&file, "--messages"]);
    let (shown, cursor) = before_cursor(&first);
    assert_eq!(shown, "message one\nmessage two\n");
    let again = read(&stage, &[&file, "--messages", "--since", cursor]);
    assert_eq!(again, format!("cursor: {cursor}\n"));
    append(&file, said("three"));
    let next = read(&stage, &[&file, "--messages", "--since", cursor]);
    let (shown, next_cursor) = before_cursor(&next);
    assert_eq!(shown, "message three\n");
    let rest = read(&stage, &[&file, "--messages", "--since", next_cursor]);
    assert_eq!(rest, format!("cursor: {next_cursor}\n"));
    assert!(read(&stage, &[&file, "--since", next_cursor]).starts_with("nothing new\n"));
    // A cursor that fits no more: the file is shorter, another one, or was written anew.
    let note = "note: the file was replaced or truncated since that cursor, so this is all of it\n";
    for content in [said("new"), said("three") + &said("four") + &said("five")] {
        fs::write(&file, &content).expect("writable");
        let all = read(&stage, &[&file, "--messages", "--since", next_cursor]);
        assert!(all.starts_with(&format!("{note}message ")), "{all}");
        assert_eq!(all.lines().count(), content.lines().count() + 2, "{all}");
        let json = parsed(&read(&stage, &[&file, "--json", "--since", next_cursor]));
        assert_eq!(json.last().expect("the end")["replaced"], true, "{json:?}");
    }
    let wrong = run(&stage, &[&file, "--since", "yesterday"]);
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.stderr.contains("must be the cursor"), "{}", wrong.stderr);
}

#[test]
fn torn_binary_long_and_unknown_lines_are_counted_and_an_incomplete_one_is_read_later() {
    let stage = Stage::new();
    let whole = said("after all of it");
    let (head, tail) = whole.split_at(40);
    let long = format!("{{\"type\":\"x\",\"y\":\"{}\"}}\n", "z".repeat(5 << 20));
    let file = write(
        &stage,
        [
            said("before").as_bytes(),
            b"{\"type\":\"item.com\n",
            b"\xff\xfe\0\n",
            b"\n",
            long.as_bytes(),
            b"{\"some\":\"thing\"}\n",
            b"codex: a warning\n",
            head.as_bytes(),
        ]
        .concat(),
    );
    let first = read(&stage, &[&file, "--messages"]);
    let (shown, cursor) = before_cursor(&first);
    assert_eq!(
        shown,
        "message before\nskipped lines: 2 torn or not JSON, 1 binary, 1 over 4 MiB, 1 of an unknown form; the last \
         line is incomplete (40 bytes)\n"
    );
    let end = parsed(&read(&stage, &[&file, "--json"])).pop().expect("the end");
    assert_eq!(end["skipped"], json!({"not_json": 2, "binary": 1, "too_long": 1, "unknown": 1}));
    assert_eq!(end["incomplete_bytes"], 40);
    append(&file, tail.trim_end());
    // It is complete even without its line end, and is not read again when that comes.
    let next = read(&stage, &[&file, "--messages", "--since", cursor]);
    let (shown, cursor) = before_cursor(&next);
    assert_eq!(shown, "message after all of it\n");
    append(&file, "\n");
    let rest = read(&stage, &[&file, "--messages", "--since", cursor]);
    assert_eq!(before_cursor(&rest).0, "");
    let last = read(&stage, &[&file, "--messages", "--last", "2"]);
    assert!(last.starts_with("message before\nmessage after all of it\n"), "{last}");
}

#[test]
fn a_growing_file_is_followed_through_truncation_and_rotation_until_a_signal() {
    let stage = Stage::new();
    let file = write(&stage, said("first"));
    let following = Following::start(program(&stage, &[&file, "--follow"]));
    assert_eq!(following.line(), "message first");
    let half = said("second");
    append(&file, &half[..30]);
    append(&file, &half[30..]);
    assert_eq!(following.line(), "message second");
    let note = "note: the file was replaced or truncated; this is the new one";
    fs::write(&file, said("truncated")).expect("writable");
    assert_eq!((following.line(), following.line()), (note.into(), "message truncated".into()));
    // The last lines of the old file are read before the new one.
    let new = stage.file("new.jsonl");
    fs::write(&new, said("rotated")).expect("writable");
    append(&file, said("last of the old"));
    fs::rename(&new, &file).expect("same folder");
    assert_eq!(following.line(), "message last of the old");
    assert_eq!((following.line(), following.line()), (note.into(), "message rotated".into()));
    cli::signal(&following.child, Signal::SIGTERM);
    let (status, rest) = following.end();
    assert_eq!(status, Some(143));
    let cursor = rest.last().and_then(|line| line.strip_prefix("cursor: ")).expect("a cursor");
    append(&file, said("afterwards"));
    let next = read(&stage, &[&file, "--messages", "--since", cursor]);
    assert_eq!(before_cursor(&next).0, "message afterwards\n");
}

#[test]
fn following_a_request_ends_with_its_answer() {
    let stage = Stage::new();
    for (scenario, id, status) in [("call", "1", 0), ("failed", "1", 1), ("cancelled", "1", 1)] {
        let lines = recorded(&format!("0.153.4/{scenario}.jsonl"));
        let file = write(&stage, lines[..4].concat());
        let following =
            Following::start(program(&stage, &[&file, "--follow", "--request", id, "--json"]));
        following.line();
        append(&file, lines[4..].concat());
        let (ended, rest) = following.end();
        let last: Value = serde_json::from_str(rest.last().expect("the end")).expect("JSON");
        assert_eq!((ended, &last["type"]), (Some(status), &json!("end")), "{scenario}: {rest:?}");
    }
}

#[test]
fn whether_it_looks_stuck_is_in_the_exit_status() {
    let stage = Stage::new();
    let begun = event("turn.started") + &said("I look.");
    let file = write(&stage, &begun);
    let old = SystemTime::now() - Duration::from_secs(3_600);
    let judged = |content: &str, writer: Option<&File>, modified: SystemTime| {
        fs::write(&file, content).expect("writable");
        let file_of = File::options().append(true).open(&file).expect("it is there");
        file_of.set_modified(modified).expect("it is ours");
        drop(file_of);
        let _kept_open = writer;
        let ran = run(&stage, &[&file, "--stuck"]);
        (ran.status, before_cursor(&ran.stdout).0.to_owned())
    };
    let now = SystemTime::now;
    let running = json!({"type": "item.started", "item": {"id": "2", "type": "command_execution", "command": "make"}});
    let working = begun.clone() + &running.to_string() + "\n";
    let (status, said) = judged(&working, None, now());
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("not stuck: running: make; last event "), "{said}");
    let (status, said) = judged(&(begun.clone() + &event("turn.completed")), None, old);
    assert_eq!((status, said.as_str()), (Some(0), "not stuck: completed\n"));
    if cfg!(target_os = "linux") {
        let (status, said) = judged(&begun, None, old);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.starts_with("looks stuck: the process that wrote this is gone"), "{said}");
    }
    let writer = File::options().append(true).open(&file).expect("it is there");
    let (status, said) = judged(&begun, Some(&writer), old);
    assert_eq!(
        (status, said.as_str()),
        (Some(3), "looks stuck: no event from the model for 1 h\n")
    );
    let (status, said) = judged(&working, Some(&writer), old);
    assert_eq!(
        (status, said.as_str()),
        (Some(3), "looks stuck: no event for 1 h while running: make\n")
    );
    let error = json!({"type": "error", "message": "Reconnecting... 1/5"}).to_string() + "\n";
    let (status, said) = judged(&(begun + &error.repeat(3)), Some(&writer), now());
    assert_eq!(
        (status, said.as_str()),
        (Some(3), "looks stuck: 3 errors without progress: Reconnecting... 1/5\n")
    );
    let (status, said) = judged("", None, old);
    assert_eq!((status, said.as_str()), (Some(4), "unknown: no turn has started\n"));
    let json = run(&stage, &[&file, "--stuck", "--json"]);
    assert_eq!(parsed(&json.stdout)[0]["stuck"], "unknown");
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_file_takes_little_memory() {
    const LINES: usize = 100_000;
    let stage = Stage::new();
    let file = write(&stage, "");
    // About 200 MB, as a pipe would have made them: a message of 2 KB, and events of no interest.
    let filler = "x".repeat(2_000);
    let mut writer = std::io::BufWriter::new(File::create(&file).expect("writable"));
    for number in 0..LINES {
        writer.write_all(said(&format!("{number} {filler}")).as_bytes()).expect("there is room");
    }
    writer.flush().expect("there is room");
    let peak = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let summary = read(&stage, &[&file]);
    assert!(summary.starts_with("note: this is of the last 128 MiB of 19"), "{}", &summary[..80]);
    for arguments in [&["--errors"][..], &["--messages", "--last", "3"]] {
        let following =
            Following::start(program(&stage, &[&[&*file, "--follow"], arguments].concat()));
        if arguments.len() > 1 {
            let shown = [(); 3].map(|()| following.line());
            assert!(
                shown[2].starts_with(&format!("message {} ", LINES - 1)),
                "{}",
                &shown[2][..40]
            );
        } else {
            append(&file, json!({"type": "error", "message": "enough"}).to_string() + "\n");
            assert_eq!(following.line(), "error enough");
        }
        let kib = peak(following.child.id());
        assert!(kib < 48 << 10, "{arguments:?} took {kib} KiB");
        cli::signal(&following.child, Signal::SIGTERM);
        following.end();
    }
}

#[test]
#[cfg(unix)]
fn what_is_no_regular_file_is_refused_at_once() {
    let stage = Stage::new();
    let pipe = stage.file("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("pipes can be made");
    for path in [pipe, PathBuf::from("/dev/zero"), stage.home.project().to_path_buf()] {
        let refused = run(&stage, &[path.to_str().expect("test paths are text")]);
        assert_eq!((refused.status, refused.stdout.as_str()), (Some(2), ""));
        assert!(refused.stderr.contains("it is not a regular file"), "{}", refused.stderr);
    }
    for (target, problem) in [
        ("missing.jsonl", "there is no file missing.jsonl"),
        ("0199a213-81c0-7800-8aa1-bbab2a035a53", "there is no file, job or session"),
        ("abc", "too short"),
    ] {
        let refused = run(&stage, &[target, "--messages"]);
        assert_eq!(refused.status, Some(2), "{target}");
        assert!(refused.stderr.contains(problem), "{}", refused.stderr);
    }
}

#[test]
fn text_from_outside_does_not_reach_a_terminal_as_it_is() {
    let stage = Stage::new();
    let file = write(&stage, said("\u{1b}[2Jgone") + &said("two\nlines"));
    let shown = read(&stage, &[&file, "--messages"]);
    assert!(shown.starts_with("message \\u{1b}[2Jgone\nmessage two\nlines\n"), "{shown}");
    let (screen, status) = cli::on_terminal(program(&stage, &[&file, "--timeline"]));
    assert_eq!(status, Some(0));
    assert!(screen.contains("\\u{1b}[2Jgone") && !screen.contains("\u{1b}[2J"), "{screen}");
}

#[test]
fn a_job_is_read_by_its_id_or_a_part_of_it() {
    let stage = Stage::new();
    let steps = json!([{"started": {}}, message("I look."), {"touch": stage.file("up")},
                       {"wait_for": stage.file("go")}, {"reply": "all is well"}]);
    let started = cli::run(cli::program(
        &stage.home,
        &scripted_codex(),
        &["chat", "--detach", &script(&steps)],
    ));
    let id = started.stdout.trim().to_owned();
    stage.wait_for("up");
    let working = run(&stage, &[&id, "--stuck"]);
    assert_eq!(working.status, Some(0), "{}", working.stderr);
    assert!(working.stdout.starts_with("not stuck: request 1: "), "{}", working.stdout);
    let following = Following::start(program(&stage, &[&id[..13], "--follow", "--messages"]));
    while !following.line().ends_with("message I look.") {}
    stage.release("go");
    let (status, rest) = following.end();
    assert_eq!(status, Some(0));
    assert!(rest[0].ends_with("message all is well"), "{rest:?}");
    let summary = read(&stage, &[&id[24..]]);
    assert!(summary.starts_with("request 1 · session "), "{summary}");
    assert!(summary.contains("\nlast message:\nall is well\n"), "{summary}");
    assert_eq!(run(&stage, &[&id, "--stuck"]).status, Some(0));
    cli::wait_nothing_left(&stage.home);
}
