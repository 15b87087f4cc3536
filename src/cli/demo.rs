//! `demo`: shows this program at work, as a client sees it. The real Codex runs on a stand-in for the model, so no
//! account is needed.

mod client;
mod model;
mod screen;
mod stage;
mod story;

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use client::{Client, Result};
use screen::Screen;
use stage::Stage;

use super::output::{is_broken_pipe, note_in};
use super::style::RED;
use crate::model::settings::Settings;

const AFTER_HELP: &str = "\
Without options no account is needed: the real Codex works for a stand-in model, in a folder that is
removed at the end. Codex is the one on the PATH; without one, npm downloads it (about 100 MB, once).";

/// Which Codex and model.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Use your own Codex, model and login, in this directory, which Codex may only read; this uses tokens
    #[arg(long)]
    live: bool,
}

/// Shows everything, and returns the exit status.
pub(super) fn run(arguments: &Arguments, settings: &Settings) -> u8 {
    survive_interrupt();
    match show(arguments.live, settings) {
        Ok(()) => 0,
        Err(problem) if problem.downcast_ref().is_some_and(is_broken_pipe) => 0,
        Err(problem) => {
            note_in(RED, &format!("The demonstration failed: {problem}"));
            1
        }
    }
}

fn show(live: bool, settings: &Settings) -> Result<()> {
    let mut screen = Screen::new();
    screen.title("codex-persistent-mcp: Codex as a second agent, in sessions that last");
    if !live {
        screen.say(
            "The model is a STAND-IN, played by this program with replies written beforehand. \
             All else is real: Codex, its sessions, the commands it runs, and the server.",
        );
    }
    let stage = if live { Stage::live(settings)? } else { Stage::stand_in(settings, &screen)? };
    screen.done(&stage.about);

    let began = Instant::now();
    let mut client = Client::start(stage.server_command())?;
    let hello = client.initialize()?;
    screen.done(&format!(
        "the server, started as a client starts it: {} {} answered in {} ms",
        text(&hello["serverInfo"], "name"),
        text(&hello["serverInfo"], "version"),
        began.elapsed().as_millis(),
    ));
    let tools = client.tools()?;
    let names: Vec<&str> = tools.iter().map(|tool| text(tool, "name")).collect();
    screen.done(&format!("its tools: {}", names.join(", ")));

    let story = stage.story;
    screen.heading("codex_guard_plan: a plan, picked apart before any code is written");
    screen.ask(&format!("Wanted: {}\nPlan: {}", story.requirements, story.plan));
    let plan = json!({"requirements": story.requirements, "plan": story.plan});
    let review = call(&mut screen, &mut client, "codex_guard_plan", plan)?;
    screen.reply(text(&review, "critique"));
    screen.field("verdict", text(&review, "verdict"));

    screen.heading("codex_chat: a question");
    screen.ask(story.question);
    let question = json!({"prompt": story.question, "sandbox": "read-only"});
    let first = call(&mut screen, &mut client, "codex_chat", question)?;
    screen.reply(text(&first, "reply"));
    let session = text(&first, "session_id").to_owned();
    screen.field("session", &session);

    screen.heading("The server is killed, and a new one goes on in the same session");
    client.kill()?;
    screen.done("SIGKILL: the server is gone, and its Codex with it");
    let mut client = Client::start(stage.server_command())?;
    client.initialize()?;
    screen.ask(story.again);
    let again = json!({"prompt": story.again, "session_id": session});
    let second = call(&mut screen, &mut client, "codex_chat", again)?;
    screen.reply(text(&second, "reply"));
    if text(&second, "session_id") != session {
        return Err("another session has answered".into());
    }
    // The stand-in model quotes what Codex sent, so this proves that the session went on.
    if !live && !text(&second, "reply").contains(story.question) {
        return Err("the model was not sent the first question in the second call".into());
    }
    // Stop the processes before their folders are removed.
    drop(client);
    stage.clear()?;

    screen.heading("Next");
    if live {
        screen.field("take over", text(&second, "resume_command"));
    } else {
        screen
            .say("These sessions are gone with the folder that was made for them. With your own:");
        screen.field("try", "codex-persistent-mcp demo --live");
    }
    screen.field("add it", "codex-persistent-mcp setup claude   (or codex, cursor, vscode, …)");
    screen.field("ask", "codex-persistent-mcp chat \"what does this project do?\"");
    Ok(())
}

/// Calls a tool, and shows its progress.
fn call(screen: &mut Screen, client: &mut Client, tool: &str, arguments: Value) -> Result<Value> {
    let answer = client.call(tool, arguments, |message| match message {
        Some(message) => screen.progress(message),
        None => screen.tick(),
    });
    screen.end_progress();
    let answer = answer?;
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        screen.warning(warning.as_str().unwrap_or_default());
    }
    Ok(answer)
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// Ctrl-C also reaches the server, which stops Codex and exits. That makes this program end in an orderly way and
/// remove what it made.
fn survive_interrupt() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        }
    });
}
