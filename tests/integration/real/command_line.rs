//! What a user types: words, pipes, paths and short ids, with the real Codex.

use std::fs;

use serde_json::json;

use crate::kit::cli::{self, Ran, kill_what_is_left, parsed, run_with, session, wait_nothing_left};
use crate::kit::real::PICTURE;
use crate::kit::setup::home;
use crate::support::model::{Model, Request, Response};
use crate::support::real_codex::{Home, install};

/// Hangs if there is a `[hang]` in the prompt.
fn reply(request: &Request) -> Response {
    match request.last_user_text().contains("[hang]") {
        true => Response::hang(),
        false => Response::message("done"),
    }
}

struct User {
    model: Model,
    home: Home,
}

impl Drop for User {
    fn drop(&mut self) {
        kill_what_is_left(&self.home);
    }
}

impl User {
    fn new() -> Self {
        let model = Model::start(reply);
        let home = home(&model.url());
        Self { model, home }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        cli::run(cli::program(&self.home, &install().native, arguments))
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        run_with(cli::program(&self.home, &install().native, arguments), input)
    }

    /// Runs a chat, and returns its session and what the model was asked last.
    fn chat(&self, arguments: &[&str]) -> (String, Request) {
        self.asked(self.run(&[&["chat"], arguments].concat()))
    }

    fn asked(&self, ran: Ran) -> (String, Request) {
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "done\n"), "{}", ran.stderr);
        let asked = self.model.requests().pop().expect("the model was asked");
        (session(&ran.stderr).to_owned(), asked)
    }

    fn refuses(&self, ran: Ran, named: &str) {
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        assert!(ran.stderr.contains(named), "{named} is not in {}", ran.stderr);
    }

    /// A job that hangs, once its model was asked.
    fn hanging_job(&self) -> String {
        let started = self.run(&["chat", "--detach", "wait", "[hang]"]);
        assert_eq!((started.status, started.stderr.as_str()), (Some(0), ""));
        self.model.wait_for(|request| request.last_user_text().contains("[hang]"));
        started.stdout.trim_end().to_owned()
    }
}

#[test]
fn chat_joins_words_and_what_is_piped_in() {
    let user = User::new();
    let (_, asked) = user.chat(&["why", "is", "it", "flaky?"]);
    assert_eq!(asked.last_user_text(), "why is it flaky?");

    for words in [&["review", "this"][..], &["-", "review", "this"]] {
        let ran = user.run_with(&[&["chat"], words].concat(), "-old\n+new\n");
        let text = user.asked(ran).1.last_user_text();
        let lines: Vec<&str> = text.lines().collect();
        let [first, "", begin, "-old", "+new", end] = lines[..] else { panic!("{text}") };
        let marker = begin.strip_prefix("--- ").and_then(|line| line.split_once(' '));
        let (marker, what) = marker.expect("the input stands between fences");
        assert_eq!((first, what), ("review this", "standard input ---"));
        assert_eq!(end, format!("--- {marker} end ---"));
    }
    for words in [&["-"][..], &[]] {
        let ran = user.run_with(&[&["chat"], words].concat(), "only this");
        assert_eq!(user.asked(ran).1.last_user_text(), "only this");
    }
    let ran = user.run_with(&["chat", "nothing", "came"], "");
    assert_eq!(user.asked(ran).1.last_user_text(), "nothing came");
    let file = user.home.project().join("question.txt");
    fs::write(&file, "from a file").expect("the project is writable");
    let mut command = cli::program(&user.home, &install().native, &["chat", "answer"]);
    command.stdin(fs::File::open(&file).expect("it was just written"));
    assert!(user.asked(cli::run(command)).1.last_user_text().contains("\nfrom a file\n"));
    wait_nothing_left(&user.home);
}

#[test]
fn a_prompt_that_is_missing_or_too_long_asks_nobody() {
    let user = User::new();
    user.refuses(user.run(&["chat"]), "prompt");
    user.refuses(user.run_with(&["chat"], " \n"), "prompt");
    let long = "é".repeat((8 << 20) / 2) + "x";
    user.refuses(user.run_with(&["chat", "review"], &long), "8 MiB");
    assert_eq!(user.model.requests().len(), 0);
}

#[test]
fn chat_goes_on_in_the_last_session_a_named_one_or_a_copy() {
    let user = User::new();
    let below = user.home.project().join("below");
    fs::create_dir(&below).expect("the project is writable");
    user.refuses(user.run(&["chat", "--last", "x"]), "--last");
    let (first, _) = user.chat(&["the first"]);
    let (elsewhere, _) = user.chat(&["-C", "below", "elsewhere"]);
    assert_ne!(first, elsewhere);

    let (last, asked) = user.chat(&["--last", "go on"]);
    assert_eq!(last, first);
    assert!(asked.user_texts().iter().any(|text| text == "the first"));
    assert_eq!(user.chat(&["--last", "-C", "below", "go on"]).0, elsewhere);
    for id in [&first[..13], &first[28..]] {
        assert_eq!(user.chat(&["--session", id, "again"]).0, first);
    }

    for from in [&["--last"][..], &["--session", &first[28..]]] {
        let (copy, asked) = user.chat(&[from, &["--fork", "a copy"]].concat());
        assert_ne!(copy, first);
        assert!(asked.user_texts().iter().any(|text| text == "the first"));
        // It would be the last one otherwise.
        assert_eq!(user.chat(&["--session", &first, "go on"]).0, first);
    }
    user.refuses(user.run(&["chat", "--fork", "x"]), "--fork");
    user.refuses(user.run(&["chat", "--last", "--session", &first, "x"]), "--session");
    user.refuses(user.run(&["chat", "--session", "zzzz", "x"]), "--session");
    // All begin with the time.
    let ambiguous = user.run(&["chat", "--session", &first[..4], "x"]);
    assert!(ambiguous.stderr.contains(&elsewhere), "{}", ambiguous.stderr);
    user.refuses(ambiguous, &first);
    wait_nothing_left(&user.home);
}

#[test]
fn paths_may_be_relative() {
    let user = User::new();
    let project = user.home.project();
    for dir in ["below", "more"] {
        fs::create_dir(project.join(dir)).expect("the project is writable");
    }
    fs::write(project.join("a.png"), PICTURE).expect("the project is writable");
    let schema = json!({"type": "object", "properties": {"verdict": {"type": "string"}},
                        "required": ["verdict"], "additionalProperties": false});
    fs::write(project.join("schema.json"), schema.to_string()).expect("it is writable");
    let ran = user.run(&[
        "chat",
        "-C",
        "below",
        "-s",
        "workspace-write",
        "-m",
        "gpt-5.5",
        "--add-dir",
        "more",
        "--image",
        "a.png",
        "--output-schema",
        "schema.json",
        "--json",
        "look",
    ]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let answer = &parsed(&ran.stdout)[0];
    assert_eq!(answer["cwd"], json!(project.join("below")));
    let asked = user.model.requests().pop().expect("the model was asked");
    assert_eq!(asked.images().len(), 1, "{}", asked.body["input"]);
    assert_eq!(asked.body["model"], "gpt-5.5");
    assert_eq!(asked.body["text"]["format"]["schema"], schema);
    let more = project.join("more");
    let is_told = asked.body["input"].to_string().contains(&more.display().to_string());
    assert!(is_told, "Codex does not know of {}: {}", more.display(), asked.body["input"]);

    for (arguments, named) in [
        (["-C", "nowhere"], "nowhere"),
        (["--add-dir", "nowhere"], "--add-dir"),
        (["--image", "nowhere.png"], "--image"),
        (["--output-schema", "nowhere.json"], "--output-schema"),
        (["--output-schema", "a.png"], "--output-schema"),
        (["--profile", "a b"], "--profile"),
    ] {
        user.refuses(user.run(&[&["chat", "x"], &arguments[..]].concat()), named);
    }
    wait_nothing_left(&user.home);
}

#[test]
fn jobs_are_followed_stopped_and_removed_by_short_names() {
    let user = User::new();
    user.refuses(user.run(&["jobs", "follow"]), "there are no jobs");
    let pruned = user.run(&["jobs", "prune"]);
    assert_eq!((pruned.status, pruned.stderr.as_str()), (Some(0), ""), "there is nothing yet");
    let ended = user.run(&["chat", "--detach", "be quick"]).stdout.trim_end().to_owned();
    assert_eq!(user.run(&["jobs", "logs", &ended[28..]]).stdout, "done\n");
    let job = user.hanging_job();
    wait_nothing_of(&user, &ended);

    let refused = user.run(&["jobs", "rm", &job]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""), "it runs");
    assert!(refused.stderr.contains(&format!("jobs cancel {job}")), "{}", refused.stderr);
    // Without an id, the one that is active.
    let follow = cli::start(&mut cli::program(&user.home, &install().native, &["jobs", "follow"]));
    let stopped = user.run(&["jobs", "stop", &job[28..]]);
    assert_eq!((stopped.status, stopped.stdout), (Some(0), format!("job {job} cancelled\n")));
    assert_eq!(cli::ended(follow).status, Some(130));
    wait_nothing_left(&user.home);

    let shown = user.run(&["jobs", "show", "--json"]);
    assert_eq!(parsed(&shown.stdout)[0]["job_id"], json!(job), "the newest");
    let kept = user.run(&["jobs", "prune", "--older-than", "1d"]);
    assert!(kept.stdout.starts_with("removed 0 jobs, "), "{}", kept.stdout);
    let removed = user.run(&["jobs", "rm", &ended[28..]]);
    assert_eq!((removed.status, removed.stdout), (Some(0), format!("removed job {ended}\n")));
    let left = parsed(&user.run(&["jobs", "--json"]).stdout);
    assert_eq!((left.len(), &left[0]["job_id"]), (1, &json!(job)));
    let pruned = user.run(&["jobs", "prune", "--older-than", "0s"]);
    assert!(pruned.stdout.starts_with("removed 1 job, "), "{}", pruned.stdout);
    user.refuses(user.run(&["jobs", "prune", "--older-than", "soon"]), "--older-than");
    user.refuses(user.run(&["jobs", "prune", "--older-than", "1d", "--all"]), "--all");
    // Its session stays.
    let sessions = parsed(&user.run(&["sessions", "list", "--json", "--since", "2h"]).stdout);
    let bare = parsed(&user.run(&["sessions", "--json"]).stdout);
    assert_eq!((sessions.len(), &sessions), (2, &bare));
    let id = sessions[0]["session_id"].as_str().expect("a session has an id");
    let shown = user.run(&["sessions", "show", &id[28..]]);
    assert!(shown.stdout.contains(id), "{}", shown.stdout);
}

/// Waits until this job's process has left.
fn wait_nothing_of(user: &User, job: &str) {
    let show = || parsed(&user.run(&["jobs", "show", job, "--json"]).stdout);
    crate::kit::wait::wait_until("the job to end", || show()[0]["status"] == "completed");
}
