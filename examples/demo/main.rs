//! Demonstrates the server from a client's point of view: `cargo run --release --example demo`.
//!
//! Installs the pinned Codex, simulates the model, starts the server, asks a question, asks another in the
//! same session, and requests the review of a plan. With `--live` it uses your own Codex, model and login.

mod client;
mod screen;
mod stage;
mod story;

#[path = "../../tests/support/environment.rs"]
mod environment;
#[path = "../../tests/support/model.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod model;
#[path = "../../tests/support/real_codex.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod real_codex;

use std::env;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use client::{Client, Result};
use screen::Screen;
use stage::Stage;

const HELP: &str = "\
Shows codex-persistent-mcp at work: a question, another one in the same session,
and the review of a plan.

Usage: cargo run --release --example demo [-- --live]

Without options no account is needed: the real Codex runs on a stand-in for the
model, in a folder that is removed at the end. The first time, npm downloads
Codex (about 100 MB).

Options:
  --live      Use your own Codex (CODEX_BIN, or codex on the PATH), model and
              login, in the current directory, which Codex may only read.
              This uses tokens.
  -h, --help  Print this
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let live = match arguments[..] {
        [] => false,
        ["--live"] => true,
        ["-h" | "--help"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("This is not understood: {}\n\n{HELP}", arguments.join(" "));
            return ExitCode::from(2);
        }
    };
    survive_interrupt();
    let screen = Screen::new();
    match run(&screen, live) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            screen.failure(&problem.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The results of the calls, for the summary.
#[derive(Default)]
struct Seen {
    sessions: Vec<String>,
    commands: Vec<String>,
    progress: usize,
    calls: usize,
}

fn run(screen: &Screen, live: bool) -> Result<()> {
    screen.title("codex-persistent-mcp: Codex as a second agent, in sessions that last");
    screen.heading(if live { "Your Codex" } else { "A real Codex on a stand-in model" });
    if !live {
        screen.say(
            "The model is a STAND-IN, played by this program with replies written beforehand. \
             All else is real: Codex, its sessions, the commands it runs, and the server.",
        );
    }
    let stage = if live { Stage::live(screen)? } else { Stage::stand_in(screen)? };

    screen.heading("The server, started as a client starts it");
    let began = Instant::now();
    let mut client = Client::start(stage.server_command())?;
    let hello = client.initialize()?;
    screen.done(&format!(
        "{} {} answered in {} ms, in MCP {}",
        text(&hello["serverInfo"], "name"),
        text(&hello["serverInfo"], "version"),
        began.elapsed().as_millis(),
        text(&hello, "protocolVersion"),
    ));
    for tool in client.tools()? {
        screen.field(&format!("{:<17}", text(&tool, "name")), text(&tool, "title"));
    }

    let mut seen = Seen::default();
    let story = stage.story;
    screen.heading("codex_chat: a question");
    screen.ask(story.question);
    let arguments = json!({"prompt": story.question, "sandbox": "read-only"});
    let first = call(screen, &mut client, &mut seen, "codex_chat", arguments)?;
    show(screen, &first, "reply");

    screen.heading("codex_chat: again, in the same session");
    screen.ask(story.again);
    let arguments = json!({"prompt": story.again, "session_id": first["session_id"]});
    let second = call(screen, &mut client, &mut seen, "codex_chat", arguments)?;
    show(screen, &second, "reply");
    // The simulated model quotes what Codex sent, so this proves that the session was continued.
    if !live && !text(&second, "reply").contains(story.question) {
        return Err("the model was not sent the first question in the second call".into());
    }

    screen.heading("codex_guard_plan: a plan, reviewed before any code is written");
    screen.ask(&format!("Wanted: {}\nPlan: {}", story.requirements, story.plan));
    let arguments = json!({"requirements": story.requirements, "plan": story.plan});
    let third = call(screen, &mut client, &mut seen, "codex_guard_plan", arguments)?;
    show(screen, &third, "critique");
    screen.field("verdict", text(&third, "verdict"));
    for finding in third["findings"].as_array().into_iter().flatten() {
        screen.field(text(finding, "severity"), text(finding, "title"));
    }

    let server = stage.server.display().to_string();
    // Stop the processes before removing their folders.
    drop(client);
    stage.clear()?;
    summary(screen, &seen, live, &server);
    Ok(())
}

/// Calls a tool and shows its progress.
fn call(
    screen: &Screen,
    client: &mut Client,
    seen: &mut Seen,
    tool: &str,
    arguments: Value,
) -> Result<Value> {
    let began = Instant::now();
    seen.calls += 1;
    let asked = arguments["session_id"].as_str().map(str::to_owned);
    let answer = client.call(tool, arguments, |message| {
        screen.progress(began.elapsed(), message);
        seen.progress += 1;
        seen.commands.extend(message.strip_prefix("running: ").map(str::to_owned));
    })?;
    let session = text(&answer, "session_id").to_owned();
    if asked.is_some_and(|asked| asked != session) {
        return Err(format!("another session has answered: {session}").into());
    }
    if !seen.sessions.contains(&session) {
        seen.sessions.push(session);
    }
    Ok(answer)
}

fn show(screen: &Screen, answer: &Value, reply: &str) {
    screen.reply(text(answer, reply));
    screen.field("session", text(answer, "session_id"));
    screen.field("resume", text(answer, "resume_command"));
    for (name, usage) in [("this call", "usage"), ("session", "session_usage")] {
        if let Some(usage) = answer.get(usage) {
            screen.field(
                name,
                &format!(
                    "{} tokens in ({} of them cached), {} out",
                    usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"],
                ),
            );
        }
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        screen.say(&format!("Warning: {}", warning.as_str().unwrap_or_default()));
    }
}

fn summary(screen: &Screen, seen: &Seen, live: bool, server: &str) {
    screen.heading("What you have seen");
    screen.done(&format!(
        "{} calls in {} sessions, with {} lines of progress",
        seen.calls,
        seen.sessions.len(),
        seen.progress,
    ));
    if !seen.commands.is_empty() {
        screen.done(&format!("commands that Codex ran: {}", seen.commands.join("; ")));
    }
    if live {
        screen.done("the second call went on in the session of the first");
        screen.done("the sessions are yours now: the resume commands open them");
    } else {
        screen.done("the second call went on in the session of the first, and knew its question");
        screen.done("these sessions are gone with the folder that was made for them");
    }
    screen.heading("Next");
    if !live {
        screen.field("your Codex", "cargo run --release --example demo -- --live");
    }
    screen.field("Claude    ", &format!("claude mcp add codex-persistent -- {server}"));
    screen.field("Codex     ", &format!("codex mcp add codex-persistent -- {server}"));
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// Ctrl-C also reaches the server, which stops Codex and exits. That makes this program end in an orderly way
/// and remove what it created.
fn survive_interrupt() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        }
    });
}
