//! What a user sees on a terminal while the real Codex works: `chat`, `jobs follow`, `sessions follow`.

use std::fs::{self, File};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::kit::cli::{
    self, Ran, ended, kill_what_is_left, on_terminal_of, on_terminal_until, program, signal,
    wait_nothing_left,
};
use crate::kit::real::ByHand;
use crate::kit::setup::home;
use crate::kit::wait::wait_until;
use crate::support::model::{Item, Model, Request, Response};
use crate::support::real_codex::{Home, install};

const SLOW: &str = "until test -e go; do sleep 0.02; done; exit 3";

/// A message, then two commands with another message, then a reply. The texts try to write to the terminal.
fn work(request: &Request) -> Response {
    let response = match request.tool_outputs().len() {
        0 => Response::items(vec![
            Item::message("Looking at the code \x1b[2J\x1b]0;owned\x07\u{9b}2J"),
            Item::shell("printf \"it's %s\" fine".to_owned()),
        ]),
        1 => Response::items(vec![
            Item::message(format!("\n\n{}", "名前の表示を確認します 🚀 and more words ".repeat(5))),
            Item::shell(SLOW.to_owned()),
        ]),
        _ => Response::message(format!("Did it \x1b[2J. {}", "It took several words. ".repeat(8))),
    };
    response.with_usage(1_000, 400, 20, 5)
}

struct Person {
    _model: Model,
    home: Home,
}

impl Drop for Person {
    fn drop(&mut self) {
        kill_what_is_left(&self.home);
    }
}

impl Person {
    fn new() -> Self {
        let model = Model::start(work);
        let home = home(&model.url());
        Self { _model: model, home }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        program(&self.home, &install().native, arguments)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        cli::run(self.program(arguments))
    }

    fn go(&self) {
        fs::write(self.home.project().join("go"), "").expect("the project is writable");
    }

    /// The session that was used last.
    fn session(&self) -> Option<String> {
        let listed = cli::parsed(&self.run(&["sessions", "--json"]).stdout);
        listed.first().and_then(|session| session["session_id"].as_str().map(str::to_owned))
    }

    /// The text of the record of a session.
    fn record(&self, session: &str) -> String {
        let path = self.home.rollout(session);
        path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
    }
}

/// What remains on the terminal, and what was on it for a while: each line before it was erased.
fn seen(written: &str) -> (String, Vec<String>) {
    let (mut lines, mut erased, mut line) = (Vec::new(), Vec::new(), String::new());
    let mut rest = written;
    while let Some(next) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\r\u{1b}[2K") {
            erased.push(std::mem::take(&mut line));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\u{1b}[") {
            let end = after.find(|it: char| it.is_ascii_alphabetic()).expect("an escape ends");
            assert!(after[end..].starts_with('m'), "only colours and erased lines: {written:?}");
            rest = &after[end + 1..];
        } else {
            rest = &rest[next.len_utf8()..];
            if next == '\n' {
                lines.push(std::mem::take(&mut line));
            } else {
                assert!(!next.is_control(), "{next:?} in {written:?}");
                line.push(next);
            }
        }
    }
    lines.push(line);
    (lines.join("\n"), erased)
}

fn is_live(line: &str) -> bool {
    line.starts_with(|first: char| ('⠀'..='⣿').contains(&first))
}

/// How many cells of a terminal a text takes: these characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|it| if it > '\u{2fff}' { 2 } else { 1 }).sum()
}

#[test]
fn chat_shows_steps_one_live_line_and_how_to_go_on_at_each_width() {
    for columns in [50, 80, 140] {
        let person = Person::new();
        let chat = person.program(&["chat", "do it"]);
        let has_tokens =
            |shown: &str| shown.contains("running until") && shown.contains("s · 1,020 tokens");
        let (written, status) = on_terminal_until(columns, chat, has_tokens, |_| person.go());
        assert_eq!(status, Some(0), "{written}");
        let (left, erased) = seen(&written);
        let session = person.session().expect("a session");
        // Without the places where it is wrapped.
        let flat = left.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            " Looking at the code \\u{1b}[2J\\u{1b}]0;owned\\u{7}\\u{9b}2J $ printf ",
            "; do sleep 0.02; done; exit 3 exit 3 ",
            " 2 commands (1 failed) · 0 files changed · ",
        ] {
            assert!(flat.contains(part), "{part:?} is not in {left}");
        }
        for part in [
            &*format!("session {session}"),
            "\n$ printf \"it's %s\" fine 0.",
            "\n\nDid it \\u{1b}[2J. It took",
            "\n1 turn · ",
            &*format!("\ngo on: codex-persistent-mcp chat --session {session} \"…\"\n"),
            "\ntake over: ",
        ] {
            assert!(left.contains(part), "{part:?} is not in {left}");
        }
        let commands = ["go on: ", "take over: "];
        // Nor can a path be wrapped.
        let project = person.home.project().display().to_string();
        let may_be_long =
            |line: &str| commands.iter().any(|it| line.starts_with(it)) || line.contains(&project);
        for line in left.lines().filter(|line| !may_be_long(line)) {
            assert!(width(line) <= usize::from(columns), "{columns} columns: {line}\n{left}");
            assert!(!is_live(line), "the live line is left: {left}");
        }
        let live: Vec<&String> = erased.iter().filter(|line| is_live(line)).collect();
        assert!(live.iter().all(|line| width(line) < usize::from(columns)), "{live:?}");
        assert!(live.iter().any(|line| line.contains("running until test")), "{live:?}");
        assert!(live.iter().any(|line| line.ends_with(" · 1,020 tokens")), "{live:?}");
        wait_nothing_left(&person.home);
    }
}

#[test]
fn a_session_that_another_client_runs_is_watched_until_its_turn_has_ended() {
    let person = Person::new();
    let codex = ByHand::exec(&person.home, &["-"], "do it by hand");
    wait_until("the slow command", || {
        person.session().is_some_and(|session| person.record(&session).contains("test -e go"))
    });
    let session = person.session().expect("a session");
    let follow = cli::start(&mut person.program(&["sessions", "follow", &session[24..]]));
    let interrupted = person.program(&["sessions", "follow", &session]);
    let is_drawn = |shown: &str| shown.contains("running until");
    let (written, status) = on_terminal_until(80, interrupted, is_drawn, |follow| {
        signal(follow, Signal::SIGINT);
    });
    assert_eq!(status, Some(130), "{written}");
    let (left, _) = seen(&written);
    assert!(left.contains("\n> do it by hand\n") && !left.lines().any(is_live), "{left}");
    let on_screen = person.program(&["sessions", "follow", &session]);
    let (written, status) = on_terminal_until(80, on_screen, is_drawn, |_| person.go());
    assert_eq!(status, Some(0), "{written}");
    let (left, erased) = seen(&written);
    assert!(left.contains("\n$ printf \"it's %s\" fine"), "{left}");
    assert!(left.contains("\ntake over: "), "{left}");
    assert!(erased.iter().any(|line| is_live(line)), "{erased:?}");
    assert!(!left.lines().any(is_live), "{left}");

    let followed = ended(follow);
    assert_eq!(followed.status, Some(0), "{}", followed.stderr);
    // On a pipe the reply is as Codex wrote it, and the rest has no escapes.
    assert!(followed.stdout.starts_with("Did it \u{1b}[2J. "), "{}", followed.stdout);
    assert!(!followed.stderr.contains(['\u{1b}', '\r', '⠋']), "{}", followed.stderr);
    let lines: Vec<&str> = followed.stderr.lines().collect();
    assert!(lines[0].starts_with(&format!("session {session} · gpt-5.5 · ")), "{lines:?}");
    assert_eq!(
        (lines[1], lines[3].split(" fine").next()),
        ("> do it by hand", Some("$ printf \"it's %s\""))
    );
    let figures = lines.iter().find(|line| line.starts_with("1 turn · ")).expect("a summary");
    assert!(
        figures.contains(" · 2 commands (1 failed) · 0 files changed · 3,000 tokens in, 60 out"),
        "{figures}"
    );
    drop(codex);

    // The last turn of a session that is idle.
    let again = person.run(&["sessions", "follow", &session]);
    assert_eq!((again.status, &again.stdout), (Some(0), &followed.stdout), "{}", again.stderr);
    let resume = format!("go on: codex-persistent-mcp chat --session {session} ");
    assert!(again.stderr.contains(&resume), "{}", again.stderr);
    let none = person.run(&["sessions", "follow", "ffffffff"]);
    assert_eq!(none.status, Some(2), "{}", none.stderr);
    wait_nothing_left(&person.home);
}

#[test]
fn the_turns_that_follow_are_watched_too_if_that_is_wanted() {
    let person = Person::new();
    person.go();
    assert_eq!(person.run(&["chat", "the first"]).status, Some(0));
    let session = person.session().expect("a session");
    let steps = person.home.path().join("steps");
    let reported = || fs::read_to_string(&steps).unwrap_or_default();
    let to = File::create(&steps).expect("the home is writable");
    let mut follow = person.program(&["sessions", "follow", "--keep", &session]);
    let follow = cli::start(follow.stderr(to));
    assert_eq!(person.run(&["chat", "--session", &session, "the second"]).status, Some(0));
    wait_until("both turns", || reported().matches("\n1 turn · ").count() == 2);
    signal(&follow, Signal::SIGTERM);
    let followed = ended(follow);
    assert_eq!(followed.status, Some(143), "{}", reported());
    assert_eq!(followed.stdout.matches("Did it").count(), 2, "{}", followed.stdout);
    assert!(reported().contains("\n> the second\n"), "{}", reported());
    wait_nothing_left(&person.home);
}

#[test]
fn an_interrupt_ends_the_following_and_not_the_job() {
    let person = Person::new();
    let job = person.run(&["chat", "--detach", "do it"]).stdout.trim().to_owned();
    let steps = person.home.path().join("steps");
    let reported = || fs::read_to_string(&steps).unwrap_or_default();
    let to = File::create(&steps).expect("the home is writable");
    let follow = cli::start(person.program(&["jobs", "follow"]).stderr(to));
    wait_until("it to be followed", || reported().contains("running: until "));
    signal(&follow, Signal::SIGINT);
    assert_eq!(ended(follow).status, Some(130), "{}", reported());
    let goes_on = format!("the job goes on: codex-persistent-mcp jobs follow {job}\n");
    assert!(reported().ends_with(&goes_on), "{}", reported());
    person.go();
    let (written, status) = on_terminal_of(50, person.program(&["jobs", "follow", &job]));
    let (left, _) = seen(&written);
    assert_eq!(status, Some(0), "{left}");
    assert!(left.contains("\n1 turn · ") && !left.lines().any(is_live), "{left}");
    wait_nothing_left(&person.home);
}
