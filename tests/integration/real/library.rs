//! The library without MCP: the package's examples, with the real Codex.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use codex_persistent_mcp::{Codex, Event, Item, JobEntryKind, JobManager, Phase, Settings};
use nix::unistd::Pid;
use serde_json::Value;

use crate::kit::setup::{PROGRAM, content, home, real, resume_command};
use crate::kit::wait::wait_until;
use crate::support::environment::clean;
use crate::support::example;
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::{self, Home};

/// An example in the home's project. Like a user's program it finds `codex` and `codex-persistent-mcp` on the PATH,
/// where no turn can have put them.
fn command(name: &str, home: &Home) -> Command {
    let bin = home.user().join(".local/bin");
    fs::create_dir_all(&bin).expect("the home directory is the test's own");
    let codex = &real_codex::install().script;
    for (program, name) in [(codex.as_path(), "codex"), (PROGRAM.as_ref(), "codex-persistent-mcp")]
    {
        std::os::unix::fs::symlink(program, bin.join(name)).expect("it is new");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)));
    let mut command = Command::new(example(name));
    clean(&mut command, home.user())
        .env("PATH", path.expect("these paths were in a PATH before"))
        .env("CODEX_HOME", home.path())
        .env("XDG_STATE_HOME", home.state())
        .current_dir(home.project());
    command
}

/// The lines that an example prints.
fn run(name: &str, home: &Home) -> Vec<String> {
    let output = command(name, home).output().expect("the example can be started");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    stdout.lines().map(str::to_owned).collect()
}

/// The state folder of a program that has only `XDG_STATE_HOME`.
fn state_dir(home: &Home) -> std::path::PathBuf {
    home.state().join("codex-persistent-mcp")
}

fn state(job: &Path) -> Value {
    let state = fs::read(job.join("state.json")).expect("the job has a state");
    serde_json::from_slice(&state).expect("JSON")
}

/// Waits until the processes of all jobs are gone.
fn wait_until_jobs_are_gone(home: &Home) {
    for job in fs::read_dir(state_dir(home).join("jobs")).expect("there are jobs").flatten() {
        let pid = state(&job.path())["runner"]["pid"].as_i64().expect("a process ran it");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
        wait_until("the job's process to exit", || nix::sys::signal::kill(pid, None).is_err());
    }
}

#[test]
fn the_documentation_s_example_follows_a_turn_and_continues_its_session() {
    let model = Model::start(|request: &Request| match request.last_user_text() {
        prompt if prompt.contains("in this directory") => match request.tool_outputs().first() {
            None => Response::shell("echo src"),
            Some(output) => Response::message(format!("there is {}", output.contains("src"))),
        },
        _ => echo(request),
    });
    let home = home(&model.url());
    let lines = run("ask", &home);
    let session = lines[0].strip_prefix("session ").expect("the session comes first");
    assert!(lines[1].starts_with("running ") && lines[1].contains("echo src"), "{lines:?}");
    assert_eq!(lines[2..4], ["there is true", "echo: And what is it for?"]);
    assert_eq!(lines[4], resume_command(&home, session));
    let asked = model.wait_for(|request| request.last_user_text().contains("what is it for"));
    assert!(asked.user_texts().contains(&"What is in this directory?".into()));
}

#[test]
fn the_example_of_jobs_starts_follows_answers_interrupts_and_cancels_them() {
    let model = Model::start(|request: &Request| match request.last_user_text() {
        prompt if prompt.contains("Keep watching") => Response::hang(),
        prompt if prompt.contains("How many files") && !request.has_tool_output() => {
            Response::shell("echo one")
        }
        _ => echo(request),
    });
    let home = home(&model.url());
    let lines = run("job", &home);
    wait_until_jobs_are_gone(&home);
    let id = lines[0].strip_prefix("job ").expect("the job comes first");
    let session = lines[1].strip_prefix("session ").expect("then the session");
    assert!(lines[2].starts_with("running ") && lines[2].contains("echo one"), "{lines:?}");
    let reply = "echo: How many files are in this directory?";
    assert_eq!(lines[3], format!("turn completed: Some({reply:?}) None"));
    assert_eq!(lines[4], "completed: echo: And how many are empty?");
    assert_eq!(lines[5], "completed: echo: What have you seen so far?");
    assert_eq!(lines[6], "cancelled: cancelled: the call was cancelled");
    assert!(
        lines[7].contains(" cancelled ") && lines[7].ends_with("Keep watching this directory.")
    );
    assert_eq!(lines[8], format!("{id} completed 2 turns: And how many are empty?"));
    assert_eq!(lines.len(), 9, "{lines:?}");
    let asked = model.wait_for(|request| request.last_user_text().contains("are empty"));
    assert!(asked.user_texts().contains(&"How many files are in this directory?".into()));
    another_program_reads_the_job(&home, id, session);
}

/// Any other program of the user sees the same job, by its number of each entry.
fn another_program_reads_the_job(home: &Home, id: &str, session: &str) {
    let mut settings = Settings::default();
    settings.state_dir = Some(state_dir(home));
    let jobs = JobManager::new(&Codex::new(settings), PROGRAM);
    let id = id.parse().expect("it is the id of a job");
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    runtime.block_on(async {
        let job = jobs.get(id).await.expect("it exists");
        assert_eq!((job.label.as_deref(), job.turns), (Some("counting"), 2));
        assert_eq!(job.session_id.expect("it has a session").to_string(), session);
        assert!(job.usage.is_some() && job.ended_at > job.started_at, "{job:?}");
        let page = jobs.entries(id, 0).await.expect("it has a log");
        assert!(!page.more && page.cursor == job.cursor, "{page:?}");
        assert!(page.entries.is_sorted_by(|one, two| one.cursor < two.cursor), "{page:?}");
        let command = page.entries.iter().find_map(|entry| match &entry.kind {
            JobEntryKind::Codex {
                event: Event::Item { phase: Phase::Completed, item: Item::Command { .. }, .. },
                json,
            } => Some(json),
            _ => None,
        });
        let json: Value = serde_json::from_str(command.expect("it ran one")).expect("JSON");
        assert_eq!(json["item"]["aggregated_output"], "one\n", "the rest of the event is there");
        let second = page.entries.iter().filter(|entry| entry.turn == 2).map(|entry| entry.cursor);
        let after = second.min().expect("it has a second turn") - 1;
        let rest = jobs.entries(id, after).await.expect("it has a log").entries;
        assert!(rest[0].cursor == after + 1 && rest.len() < page.entries.len(), "{rest:?}");
        let none = jobs.entries(id, page.cursor).await.expect("it has a log");
        assert!(none.entries.is_empty() && none.cursor == page.cursor, "{none:?}");
    });
}

#[test]
fn a_job_outlives_the_program_that_started_it_and_any_server_sees_it() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let closed = Arc::clone(&gate);
    let model = Model::start(move |request: &Request| {
        let (is_open, opened) = &*closed;
        let is_open = is_open.lock().expect("nobody panics with it");
        drop(opened.wait_while(is_open, |is_open| !*is_open).expect("nobody panics with it"));
        echo(request)
    });
    let home = home(&model.url());
    let mut example = command("job", &home).stdout(Stdio::piped()).spawn().expect("it can start");
    let mut lines = BufReader::new(example.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("it prints the job").expect("text");
    let id = first.strip_prefix("job ").expect("the job comes first");
    model.wait_for(|request| request.last_user_text().contains("How many files"));
    example.kill().expect("it runs");
    example.wait().expect("it is a child");
    *gate.0.lock().expect("nobody panics with it") = true;
    gate.1.notify_all();
    let server = real(&home).env("CODEX_PERSISTENT_MCP_STATE_DIR", state_dir(&home)).start();
    let (ended, _) = crate::kit::jobs::wait(&server, id, &0.into());
    assert_eq!(ended["result"], "echo: How many files are in this directory?", "{ended}");
    let listed = server.call("job_list", &serde_json::json!({}));
    assert_eq!(content(&listed)["jobs"][0]["label"], "counting");
    wait_until_jobs_are_gone(&home);
}
