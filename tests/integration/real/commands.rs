//! The commands for users, with the real Codex.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::cli::{
    self, Ran, command, ended, give, kill_what_is_left, on_terminal, on_terminal_of, parsed,
    session, signal, wait_nothing_left,
};
use crate::kit::real::record;
use crate::kit::setup::{PROGRAM, home, resume_command};
use crate::kit::wait::wait_until;
use crate::support::client::descendants_of;
use crate::support::model::{Item, Model, Request, Response};
use crate::support::real_codex::{Home, install};

/// A model that runs the lines of the prompt that start with `$ `, one after the other. Then it hangs
/// if there is a `[hang]`, and otherwise repeats the prompt's first line.
fn work(request: &Request) -> Response {
    let prompt = request.last_user_text();
    let mut commands = prompt.lines().filter_map(|line| line.strip_prefix("$ "));
    let response = match commands.nth(request.tool_outputs().len()) {
        Some(command) => {
            let command = command.replace('⏎', "\n");
            Response::items(vec![Item::message("One step more."), Item::shell(command)])
        }
        None if prompt.contains("[hang]") => Response::hang(),
        None => Response::message(format!("Did {}", prompt.lines().next().unwrap_or_default())),
    };
    response.with_usage(100_000, 40_000, 20, 5)
}

/// A user with the real Codex. Their processes end when this is dropped.
struct Person {
    model: Model,
    home: Home,
}

impl Drop for Person {
    fn drop(&mut self) {
        kill_what_is_left(&self.home);
    }
}

impl Person {
    fn new() -> Self {
        Self::with(work)
    }

    fn with(model: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let model = Model::start(model);
        let home = home(&model.url());
        Self { model, home }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        cli::program(&self.home, &install().native, arguments)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        cli::run(self.program(arguments))
    }

    fn start(&self, arguments: &[&str]) -> Child {
        cli::start(&mut self.program(arguments))
    }

    /// Starts a job and returns its id.
    fn job(&self, prompt: &str) -> String {
        let started = self.run(&["chat", "--detach", "--sandbox", "workspace-write", prompt]);
        assert_eq!((started.status, started.stderr.as_str()), (Some(0), ""));
        started.stdout.trim_end().to_owned()
    }

    /// A job that hangs, once its model got the request.
    fn hanging_job(&self) -> String {
        let job = self.job("wait for ever [hang]");
        self.model.wait_for(|request| request.last_user_text().contains("[hang]"));
        self.wait_for_state(&job, "what it does", |state| {
            state["activity"]["last_activity"] == "thinking"
        });
        job
    }

    fn show(&self, job: &str) -> String {
        let shown = self.run(&["jobs", "show", job]);
        assert_eq!((shown.status, shown.stderr.as_str()), (Some(0), ""));
        shown.stdout
    }

    fn state_file(&self, job: &str) -> PathBuf {
        self.home.state().join("jobs").join(job).join("state.json")
    }

    fn state(&self, job: &str) -> Value {
        let state = fs::read(self.state_file(job)).expect("a job has a state");
        serde_json::from_slice(&state).expect("the state is JSON")
    }

    fn wait_for_state(&self, job: &str, what: &str, is_it: impl Fn(&Value) -> bool) {
        wait_until(what, || is_it(&self.state(job)));
    }

    fn wait_for_file(&self, name: &str) {
        crate::kit::wait::wait_for(&self.home.project().join(name));
    }

    fn knows_of_the_interruption(&self, session: &str) {
        let lines = record(&self.home, session);
        let aborted = lines.iter().any(|line| line.to_string().contains("turn_aborted"));
        assert!(aborted, "the session does not know that it was interrupted: {lines:#?}");
    }
}

/// A command that reports that it runs, and waits for the file `go`.
const GATE: &str = "touch began; until test -e go; do sleep 0.02; done";

#[test]
fn chat_prints_only_the_reply_and_continues_its_session() {
    let person = Person::new();
    let first = person.run(&["chat", "the first thing\n$ echo one"]);
    assert_eq!((first.status, first.stdout.as_str()), (Some(0), "Did the first thing\n"));
    let id = session(&first.stderr).to_owned();
    let lines: Vec<&str> = first.stderr.lines().collect();
    let [began, message, command, figures, session, go_on, take_over] = lines[..] else {
        panic!("{}", first.stderr);
    };
    let project = person.home.project().display().to_string();
    assert_eq!(
        (began, message),
        (&*format!("session {id} started · {project}"), "  One step more.")
    );
    assert!(command.starts_with("$ echo one ") && command.ends_with('s'), "{command}");
    let figures_but_time = figures.split(" · ").enumerate().filter(|(at, _)| *at != 1);
    let figures: Vec<&str> = figures_but_time.map(|(_, figure)| figure).collect();
    assert_eq!(
        figures,
        [
            "1 turn",
            "gpt-5.5",
            "read-only",
            "1 command",
            "0 files changed",
            "200,000 tokens in, 40 out"
        ]
    );
    assert_eq!(session, format!("session: {id}"));
    assert_eq!(go_on, format!("go on: codex-persistent-mcp chat --session {id} \"…\""));
    assert_eq!(take_over, format!("take over: {}", resume_command(&person.home, &id)));

    let second = person.run(&["chat", "--session", &id, "the second"]);
    assert_eq!((second.status, second.stdout.as_str()), (Some(0), "Did the second\n"));
    assert!(second.stderr.starts_with(&format!("session {id} resumed")), "{}", second.stderr);
    let asked = person.model.wait_for(|request| request.last_user_text() == "the second");
    assert!(asked.user_texts().iter().any(|text| text.contains("the first thing")));

    let third = person.run(&["chat", "--json", "--session", &id, "the third"]);
    let answer = &parsed(&third.stdout)[..];
    let [answer] = answer else { panic!("one object is printed: {answer:?}") };
    assert_eq!((&answer["session_id"], &answer["reply"]), (&json!(id), &json!("Did the third")));
    assert_eq!(answer["resume_command"], resume_command(&person.home, &id));
    assert_eq!(answer["usage"]["input_tokens"], 100_000);
    wait_nothing_left(&person.home);
}

#[test]
fn a_prompt_from_stdin_is_in_no_list_of_processes() {
    let person = Person::new();
    let secret = "nobody-else-sees-this";
    let mut chat = cli::start(person.program(&["chat", "-"]).stdin(Stdio::piped()));
    give(&mut chat, &format!("{secret} [hang]"));
    person.model.wait_for(|request| request.last_user_text().contains(secret));
    let marker = person.home.path().to_str().expect("test paths are text");
    let running = descendants_of(marker).expect("Linux lists processes");
    assert!(running.len() >= 2, "the program and Codex run: {running:?}");
    assert!(running.iter().all(|process| !process.cmdline.contains(secret)), "{running:?}");
    signal(&chat, Signal::SIGTERM);
    assert_eq!(ended(chat).status, Some(143));
    wait_nothing_left(&person.home);
}

#[test]
fn a_stopped_chat_leaves_a_session_that_remembers_it() {
    for (stop, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let person = Person::new();
        let chat = person.start(&["chat", "wait for ever [hang]"]);
        person.model.wait_for(|request| request.last_user_text().contains("[hang]"));
        signal(&chat, stop);
        let ran = ended(chat);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(status), ""), "{}", ran.stderr);
        let reported = format!("error: cancelled: stopped by {stop}\nnext: nothing is lost: ");
        assert!(ran.stderr.contains(&reported), "{}", ran.stderr);
        let id = session(&ran.stderr);
        assert!(ran.stderr.contains(&format!("chat --session {id} PROMPT\n")), "{}", ran.stderr);
        person.knows_of_the_interruption(id);
        wait_nothing_left(&person.home);
        assert_eq!(person.run(&["chat", "--session", id, "go on"]).stdout, "Did go on\n");
    }
}

#[test]
fn a_chat_that_times_out_exits_with_124() {
    let person = Person::new();
    let arguments = ["chat", "wait for ever [hang]", "--timeout-ms", "6000"];
    let job = person.run(&[&arguments[..], &["--detach"]].concat());
    let ran = person.run(&arguments);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(124), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("error: timed_out: the timeout of 6 s expired"));
    assert!(ran.stderr.contains("larger --timeout "), "{}", ran.stderr);
    person.knows_of_the_interruption(session(&ran.stderr));
    let followed = person.run(&["jobs", "follow", job.stdout.trim_end()]);
    assert_eq!((followed.status, followed.stdout.as_str()), (Some(124), ""));
    assert!(followed.stderr.contains("\nerror: timed_out: "), "{}", followed.stderr);
    assert!(followed.stderr.contains("\nnext: nothing is lost: "), "{}", followed.stderr);
    wait_nothing_left(&person.home);
}

#[test]
fn a_failure_says_what_to_do_next() {
    let refused = json!({"error": {"type": "invalid_request_error", "message": "no such key"}});
    let person = Person::with(move |_| Response::status(401, refused.clone()));
    let chat = person.run(&["chat", "hello"]);
    assert_eq!((chat.status, chat.stdout.as_str()), (Some(1), ""), "{}", chat.stderr);
    assert!(chat.stderr.contains("error: not_logged_in: "), "{}", chat.stderr);
    assert!(chat.stderr.contains("\nnext: run `codex login`"), "{}", chat.stderr);
    let help = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors.md#not_logged_in");
    assert!(chat.stderr.contains(&format!("\nhelp: {help}\n")), "{}", chat.stderr);
    let json = parsed(&person.run(&["chat", "hello", "--json"]).stdout);
    assert_eq!(json[0]["error"]["help"], help);
    assert!(json[0]["error"]["next"].as_str().is_some_and(|next| next.contains("codex login")));

    let job = person.job("hello");
    let followed = person.run(&["jobs", "follow", &job]);
    assert_eq!((followed.status, followed.stdout.as_str()), (Some(1), ""), "{}", followed.stderr);
    let reported: Vec<&str> =
        followed.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(
        matches!(reported[..], [error] if error.starts_with("error: not_logged_in: ")),
        "{reported:?}"
    );
    assert!(followed.stderr.contains("\nnext: run `codex login`"), "{}", followed.stderr);
    assert!(followed.stderr.contains(&format!("\nhelp: {help}\n")), "{}", followed.stderr);
    let shown = person.show(&job);
    assert!(shown.contains(&format!("\nhelp       {help}\n")), "{shown}");
    assert!(shown.contains("\nnext       run `codex login`"), "{shown}");
    let resume = format!("codex resume {}", session(&followed.stderr));
    assert!(shown.contains(&resume), "{shown}");
    wait_nothing_left(&person.home);
}

#[test]
fn a_job_is_followed_while_it_works_and_shown_with_all_its_activity() {
    let person = Person::new();
    let patch = "apply_patch <<'EOF'⏎*** Begin Patch⏎*** Add File: new.txt⏎+new⏎*** End Patch⏎EOF⏎";
    let job = person.job(&format!("all of it\n$ {GATE}\n$ exit 3\n$ {patch}"));
    person.wait_for_file("began");
    let steps = person.home.path().join("steps");
    let to = File::create(&steps).expect("the home is writable");
    let follow = cli::start(person.program(&["jobs", "follow", &job]).stderr(to));
    let reported = || fs::read_to_string(&steps).unwrap_or_default();
    wait_until("its commands to be reported", || {
        reported().contains(&format!("running: {GATE}\n"))
    });
    assert!(reported().contains("\n  One step more.\n"), "{}", reported());
    let listed = person.run(&["jobs", "--status", "running"]).stdout;
    assert!(listed.contains(&job) && listed.contains("all of it"), "{listed}");
    let shown = person.show(&job);
    assert!(shown.contains("\nsummary    running · 1 turn · 0 commands · 0 files "), "{shown}");

    fs::write(person.home.project().join("go"), "").expect("the project is writable");
    let followed = ended(follow);
    assert_eq!((followed.status, followed.stdout.as_str()), (Some(0), "Did all of it\n"));
    assert!(reported().contains("\n$ exit 3 exit 3 "), "{}", reported());
    assert!(!reported().contains("Did all of it"), "the reply is reported once: {}", reported());
    let steps = reported();
    let summary = steps.lines().find(|line| line.starts_with("1 turn · ")).expect("a summary");
    let did = " · 2 commands (1 failed) · 1 file changed · 400,000 tokens in, 80 out · context ";
    let (_, rest) = summary.split_once(did).unwrap_or_else(|| panic!("{summary}"));
    let full = rest.strip_suffix(" % full").unwrap_or_else(|| panic!("{summary}"));
    assert_eq!(full.parse(), Ok(context_percent(&person.home, &reported())), "{summary}");
    assert!(steps.contains("\nchanged: new.txt\n"), "{steps}");

    let again = person.run(&["jobs", "follow", &job]);
    assert_eq!((again.status, again.stdout.as_str()), (Some(0), "Did all of it\n"));
    for part in ["\n  One step more.\n", "\n$ exit 3 exit 3", "edited new.txt", did] {
        assert!(again.stderr.contains(part), "{part}: {}", again.stderr);
    }
    let shown = person.show(&job);
    assert!(shown.contains(did) && shown.ends_with("\nresult:\nDid all of it\n"), "{shown}");
    let session = session(&again.stderr);
    let resume = resume_command(&person.home, session);
    assert!(shown.contains(&format!("\nresume     {resume}\n")), "{shown}");
    wait_nothing_left(&person.home);
    let pruned = person.run(&["jobs", "prune", "--all"]);
    assert!(pruned.stdout.starts_with("removed 1 job, "), "{}", pruned.stdout);
    assert_eq!(person.run(&["jobs", "show", &job]).status, Some(2));
}

/// From Codex's own record: 100,020 tokens of the model's context window.
fn context_percent(home: &Home, reported: &str) -> u64 {
    let lines = record(home, session(reported));
    let counts = lines.iter().map(|line| &line["payload"]["info"]["model_context_window"]);
    let window = counts.filter_map(Value::as_u64).next_back().expect("the record has the window");
    100_020 * 100 / window
}

#[test]
fn a_running_job_is_cancelled_and_not_removed_before() {
    let person = Person::new();
    let job = person.hanging_job();
    let pruned = person.run(&["jobs", "prune", "--all"]);
    assert!(pruned.stdout.starts_with("removed 0 jobs, "), "{}", pruned.stdout);
    let follow = person.start(&["jobs", "follow", &job]);
    let cancelled = person.run(&["jobs", "cancel", &job[24..]]);
    assert_eq!((cancelled.status, cancelled.stdout), (Some(0), format!("job {job} cancelled\n")));
    let followed = ended(follow);
    assert_eq!((followed.status, followed.stdout.as_str()), (Some(130), ""));
    let id = session(&followed.stderr);
    let next =
        format!("\nnext: nothing is lost: codex-persistent-mcp chat --session {id} PROMPT\n");
    assert!(followed.stderr.contains(&next), "{}", followed.stderr);
    person.knows_of_the_interruption(id);
    wait_nothing_left(&person.home);
}

#[test]
fn a_wrong_or_denied_call_starts_nothing() {
    let person = Person::new();
    for (arguments, named) in [
        (&["--sandbox", "danger-full-access"][..], "CODEX_PERSISTENT_MCP_MAX_SANDBOX"),
        (&["--sandbox", "none"], "--sandbox"),
        (&["--session", "none"], "--session"),
        (&["--model", "a b"], "--model"),
        (&["--cwd", "/is/not/there"], "--cwd"),
        (&["--timeout-ms", "0"], "--timeout-ms"),
    ] {
        for detach in [&[][..], &["--detach"]] {
            let ran = person.run(&[&["chat", "hello"], arguments, detach].concat());
            assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
            assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
            assert!(ran.stderr.contains(named), "{named} is not in {}", ran.stderr);
        }
    }
    assert_eq!(person.run(&["jobs", "--json"]).stdout, "");
    assert_eq!(person.model.requests().len(), 0);
    let allowed =
        ["chat", "hello", "--sandbox", "danger-full-access", "--max-sandbox=danger-full-access"];
    let allowed = person.run(&[&allowed[..], &["--detach"]].concat());
    assert_eq!(allowed.status, Some(0), "{}", allowed.stderr);
    assert_eq!(person.run(&["jobs", "follow", allowed.stdout.trim()]).stdout, "Did hello\n");
    wait_nothing_left(&person.home);
}

#[test]
fn a_job_that_repeats_itself_looks_stuck() {
    let person = Person::new();
    let job = person.job(&format!("round and round [hang]{}", "\n$ exit 7".repeat(4)));
    let steps = person.home.path().join("steps");
    let to = File::create(&steps).expect("the home is writable");
    let follow = cli::start(person.program(&["jobs", "follow", &job]).stderr(to));
    wait_until("it to be reported", || {
        fs::read_to_string(&steps)
            .is_ok_and(|reported| reported.contains("\nlooks stuck: 4 of the last "))
    });
    // Each of them comes with a message.
    let why = " · looks stuck: 4 of the last 8 steps were the same command: exit 7\n";
    wait_until("the last of them", || person.show(&job).contains(why));
    assert!(person.run(&["jobs"]).stdout.contains("looks stuck: "));
    person.run(&["jobs", "cancel", &job]);
    assert_eq!(ended(follow).status, Some(130));
    assert!(!person.show(&job).contains("looks stuck"), "one that has ended is not");
    wait_nothing_left(&person.home);
}

#[test]
fn a_silent_job_looks_stuck_sooner_while_the_model_thinks() {
    let person = Person::new();
    let thinking = person.hanging_job();
    let working = person.job(&format!("work for long\n$ {GATE}"));
    person.wait_for_file("began");
    person.wait_for_state(&working, "the command to be known", |state| {
        state["activity"]["last_activity"].as_str().is_some_and(|what| what.contains("began"))
    });
    for (job, minutes, why) in [
        (&thinking, 2, None),
        (&thinking, 4, Some("no event from the model for 4 min")),
        (&working, 14, None),
        (&working, 16, Some("no event from the running command or tool for 16 min")),
    ] {
        person.silence_for(job, minutes);
        let shown = person.show(job);
        match why {
            None => assert!(!shown.contains("looks stuck"), "{shown}"),
            Some(why) => assert!(shown.contains(&format!(" · looks stuck: {why}")), "{shown}"),
        }
    }
    for job in [thinking, working] {
        assert_eq!(person.run(&["jobs", "cancel", &job]).status, Some(0));
    }
    wait_nothing_left(&person.home);
}

impl Person {
    /// Records that the last sign of a silent job is this old. Its process records that
    /// itself only when there is another one.
    fn silence_for(&self, job: &str, minutes: u64) {
        let mut state = self.state(job);
        let past = SystemTime::now() - Duration::from_mins(minutes);
        let past = humantime::format_rfc3339_millis(past).to_string();
        let at = &mut state["activity"]["last_activity_at"];
        assert!(at.is_string(), "{at} is no point in time");
        *at = past.into();
        fs::write(self.state_file(job), state.to_string()).expect("it is writable");
    }
}

#[test]
fn following_ends_when_its_reader_is_gone() {
    let person = Person::new();
    let job = person.hanging_job();
    let log = person.state_file(&job).with_file_name("events.jsonl");
    let events = fs::read_to_string(log).expect("a job has a log").lines().count();
    // Its reader leaves once there is nothing more to write.
    let head = format!("'{PROGRAM}' jobs follow {job} --json | head -n {events}");
    let shell = command(&person.home, &install().native, "sh", &["-c", &head]);
    let ran = cli::run(shell);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(parsed(&ran.stdout).len(), events);
    let listed = parsed(&person.run(&["jobs", "--json"]).stdout);
    assert_eq!(listed[0]["status"], "running", "the job is left alone");
    assert_eq!(person.run(&["jobs", "cancel", &job]).status, Some(0));
    for long in ["jobs", "jobs show JOB", "chat hello", "jobs follow JOB"] {
        let unread = format!("'{PROGRAM}' {} | true", long.replace("JOB", &job));
        let ran = cli::run(command(&person.home, &install().native, "sh", &["-c", &unread]));
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    wait_nothing_left(&person.home);
}

#[test]
fn a_terminal_gets_colours_and_lines_that_fit() {
    let person = Person::new();
    let prompt = format!("{} to do\n$ exit 1", "very much ".repeat(12));
    let job = person.job(&prompt);
    let (followed, status) = on_terminal(person.program(&["jobs", "follow", &job]));
    assert_eq!(status, Some(0), "{followed}");
    assert_eq!(followed.matches("Did very much ").count(), 1, "{followed}");
    assert!(followed.contains("\u{1b}[31mexit 1 "), "{followed}");

    let (table, _) = on_terminal(person.program(&["jobs"]));
    assert!(table.contains("\u{1b}[32mcompleted\u{1b}[0m"), "{table}");
    for (name, value, width) in
        [("NO_COLOR", "1", 80), ("TERM", "dumb", 80), ("COLUMNS", "132", 132)]
    {
        let mut jobs = person.program(&["jobs"]);
        jobs.env("NO_COLOR", "1").env(name, value);
        if name == "TERM" {
            jobs.env_remove("NO_COLOR");
        }
        let (table, status) = on_terminal(jobs);
        assert_eq!(status, Some(0), "{table}");
        let lines: Vec<&str> = table.lines().collect();
        let [head, row, _, foot] = lines[..] else { panic!("a head, a job and a foot: {table}") };
        assert!(head.starts_with("  JOB "), "{head}");
        // The prompt is too long, so it fills the line.
        assert!((width - 3..=width).contains(&row.chars().count()), "{table}");
        let id = row.split(' ').nth(1).expect("an id comes after the mark");
        assert!(foot.ends_with(&format!("jobs show {id}")), "{foot}");
        assert!(job.ends_with(id), "{row}");
        assert!(person.show(id).contains(&job));
    }
    let (table, _) = on_terminal_of(100, person.program(&["jobs"]));
    let row = table.lines().nth(1).expect("there is a job");
    let plain: String = row.replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
    assert!((97..=100).contains(&plain.chars().count()), "{table}");
    let (chat, _) = on_terminal(person.program(&["chat", "hello"]));
    assert_eq!(chat.matches("Did hello").count(), 1, "{chat}");
    assert!(chat.contains(" starting Codex · 0.") && chat.contains("\nDid hello\n"), "{chat}");
    let piped = person.run(&["jobs"]);
    assert!(piped.stdout.contains(&job) && !piped.stdout.contains('\u{1b}'), "{}", piped.stdout);
    wait_nothing_left(&person.home);
}
