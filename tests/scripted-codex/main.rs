//! A program that plays `codex exec` from a script, for what the real one cannot be made to do.
//!
//! It takes the command line of `codex exec [options] [resume ID | fork ID] -`, reads the prompt
//! from stdin to the end and then plays a list of steps:
//!
//! 1. the JSON list after `SCRIPT: ` on the first line of the prompt that begins with it,
//! 2. else the content of the file that `SCRIPTED_CODEX` names,
//! 3. else a turn that replies "done".
//!
//! If `SCRIPTED_CODEX_LOG` names a file, each start appends one JSON line to it:
//! `{argv, cwd, pid, stdin, env}`, `env` being the variables whose names begin with `CODEX`. What
//! `--version` prints is in `SCRIPTED_CODEX_VERSION`, if that is set.
//!
//! # Steps
//!
//! Each step is an object with one key. Relative paths start at the directory given with `-C`.
//!
//! | step | what it does |
//! |---|---|
//! | `{"started": {}}` | `thread.started` and `turn.started` |
//! | `{"event": VALUE}` | prints the value as a line; `$ID` in its strings becomes the session id |
//! | `{"reply": "text"}` | an `agent_message` with the text, then `turn.completed` |
//! | `{"completed": USAGE}` | `turn.completed`; `{}` stands for a default usage |
//! | `{"raw": "text"}` | prints the text as it is, without a newline |
//! | `{"bytes": "00ff"}` | prints bytes given in hexadecimal |
//! | `{"stderr": "text"}` | prints the text and a newline on stderr |
//! | `{"flood": {"bytes": N, "line": M}}` | command events of M bytes each, N bytes in all, as fast as the reader takes them |
//! | `{"long_line": {"bytes": N}}` | one command event of N bytes |
//! | `{"record": VALUE}` | adds the value as a line to the session's record in `CODEX_HOME`; `$ID` in its strings becomes the session id |
//! | `{"touch": "path"}` | creates a file |
//! | `{"wait_for": "path"}` | waits until the file exists |
//! | `{"hang": {}}` | waits forever |
//! | `{"ignore": ["TERM", ..]}` | INT, TERM or HUP have no effect from here on (Unix) |
//! | `{"note_signals": "path"}` | from here on each INT, TERM or HUP that comes, also one that is ignored, adds its name as a line to the file (Unix) |
//! | `{"on_interrupt": [..]}` | the steps to play when SIGINT comes, before leaving with status 1 (Unix) |
//! | `{"grandchild": {"seconds": N, "hold_stdout": bool, "own_group": bool}}` | starts a process that sleeps; it keeps stdout and stderr open, and is in a process group of its own, if `own_group` |
//! | `{"close_stdout": {}}` | closes stdout (Unix) |
//! | `{"exit": STATUS}` | leaves with the status |
//!
//! At the end of the list the program leaves with status 0. Like the real one it leaves with
//! status 1 on SIGINT, and SIGTERM and SIGHUP end it. It also leaves with status 1 when nobody
//! reads its stdout, with status 2 on a command line that it does not know, and with status 70 on
//! a script that makes no sense; the reason is on stderr.

mod arguments;
mod script;
#[cfg(unix)]
mod signals;
mod stage;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::process::exit;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use arguments::Arguments;
use script::Step;
use stage::Stage;

const VERSION: &str = "codex-cli 0.171.0";
const MISUSE: i32 = 2;
const BAD_SCRIPT: i32 = 70;

fn main() {
    let argv: Vec<String> =
        env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if let [_, flag, seconds] = argv.as_slice()
        && flag == stage::GRANDCHILD
    {
        sleep_as_grandchild(seconds);
    }
    if argv.get(1).is_some_and(|argument| argument == "--version") {
        log_start(&argv, None);
        println!("{}", env::var("SCRIPTED_CODEX_VERSION").unwrap_or_else(|_| VERSION.to_owned()));
        return;
    }
    #[cfg(unix)]
    signals::block();

    let arguments = match Arguments::parse(&argv[1..]) {
        Ok(arguments) => arguments,
        Err(reason) => {
            log_start(&argv, None);
            fail(MISUSE, &reason);
        }
    };
    let mut prompt = Vec::new();
    io::stdin()
        .read_to_end(&mut prompt)
        .unwrap_or_else(|error| fail(1, &format!("stdin cannot be read: {error}")));
    let prompt = String::from_utf8_lossy(&prompt);
    log_start(&argv, Some(&prompt));
    if let Some(directory) = &arguments.directory {
        env::set_current_dir(directory)
            .unwrap_or_else(|error| fail(1, &format!("{}: {error}", directory.display())));
    }

    let steps = find_script(&prompt).unwrap_or_else(|reason| fail(BAD_SCRIPT, &reason));
    let stage: &'static Stage = Box::leak(Box::new(Stage::new(arguments.session_id())));
    #[cfg(unix)]
    signals::watch(stage);
    stage.play(steps.leak());
}

/// The steps to play: from the prompt, from the environment, or the default.
fn find_script(prompt: &str) -> Result<Vec<Step>, String> {
    let inline = prompt.lines().find_map(|line| line.strip_prefix("SCRIPT: "));
    if let Some(inline) = inline {
        return Step::parse_list(inline);
    }
    match env::var_os("SCRIPTED_CODEX") {
        Some(path) => {
            let content = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.to_string_lossy()))?;
            Step::parse_list(&content)
        }
        None => Ok(vec![Step::Started, Step::Reply("done".to_owned())]),
    }
}

fn log_start(argv: &[String], stdin: Option<&str>) {
    let Some(path) = env::var_os("SCRIPTED_CODEX_LOG") else {
        return;
    };
    let variables: Map<String, Value> = env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| name.starts_with("CODEX"))
        .map(|(name, value)| (name, json!(value.to_string_lossy())))
        .collect();
    let line = json!({
        "argv": argv,
        "cwd": env::current_dir().ok().map(|path| path.to_string_lossy().into_owned()),
        "pid": std::process::id(),
        "stdin": stdin,
        "env": variables,
    });
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        fail(BAD_SCRIPT, &format!("the log cannot be written: {error}"));
    }
}

fn sleep_as_grandchild(seconds: &str) -> ! {
    #[cfg(unix)]
    signals::unblock();
    let seconds = seconds.parse().expect("the step that starts a grandchild gives whole seconds");
    thread::sleep(Duration::from_secs(seconds));
    exit(0);
}

fn fail(status: i32, reason: &str) -> ! {
    eprintln!("scripted-codex: {reason}");
    exit(status);
}
