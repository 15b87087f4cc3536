//! Where steps are played: the output, the session, and who is playing.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio, exit};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::script::{Grandchild, Step};
use crate::{BAD_SCRIPT, fail};

/// The hidden argument that makes this program a sleeping grandchild.
pub const GRANDCHILD: &str = "--scripted-grandchild";

const CHUNK: usize = 128 * 1024;
const POLL: Duration = Duration::from_millis(5);

/// One run of a script. The main thread plays the script on it until the thread that waits for
/// signals takes over with the steps for an interrupt.
pub struct Stage {
    session_id: String,
    items: AtomicUsize,
    interrupted: AtomicBool,
    on_signal: Mutex<OnSignal>,
}

/// The effect of the steps `ignore`, `note_signals` and `on_interrupt`.
#[derive(Clone, Default)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no signals to act on"))]
pub struct OnSignal {
    /// The names of the signals to ignore, without `SIG`.
    pub ignored: Vec<String>,
    /// The file that each signal is recorded in.
    pub noted: Option<PathBuf>,
    /// What to play on SIGINT.
    pub on_interrupt: &'static [Step],
}

impl Stage {
    /// A stage for one session.
    pub fn new(session_id: String) -> Self {
        Self {
            session_id,
            items: AtomicUsize::new(0),
            interrupted: AtomicBool::new(false),
            on_signal: Mutex::default(),
        }
    }

    /// Plays the script, then leaves with status 0. For the main thread.
    pub fn play(&self, steps: &'static [Step]) -> ! {
        let give_way = || {
            while self.interrupted.load(Ordering::SeqCst) {
                thread::park();
            }
        };
        self.run(steps, &give_way);
        give_way();
        exit(0);
    }

    /// Stops the main thread at its next step, plays the steps for an interrupt and leaves.
    #[cfg(unix)]
    pub fn interrupt(&self) -> ! {
        self.interrupted.store(true, Ordering::SeqCst);
        self.run(self.on_signal().on_interrupt, &|| {});
        exit(1);
    }

    /// What signals do at this moment.
    #[cfg(unix)]
    pub fn on_signal(&self) -> OnSignal {
        self.lock_on_signal().clone()
    }

    fn lock_on_signal(&self) -> std::sync::MutexGuard<'_, OnSignal> {
        self.on_signal.lock().expect("nothing panics while it holds this lock")
    }

    fn run(&self, steps: &'static [Step], give_way: &dyn Fn()) {
        for step in steps {
            give_way();
            match step {
                Step::Started => {
                    print_event(&json!({"type": "thread.started", "thread_id": self.session_id}));
                    print_event(&json!({"type": "turn.started"}));
                }
                Step::Event(value) => print_event(&with_id(value, &self.session_id)),
                Step::Reply(text) => {
                    let item = json!({"id": self.item_id(), "type": "agent_message", "text": text});
                    print_event(&json!({"type": "item.completed", "item": item}));
                    Self::completed(&json!({}));
                }
                Step::Completed(usage) => Self::completed(usage),
                Step::Raw(text) => print(text.as_bytes()),
                Step::Bytes(bytes) => print(bytes),
                Step::Stderr(text) => eprintln!("{text}"),
                Step::Flood { bytes, line } => self.flood(*bytes, *line),
                Step::LongLine(bytes) => print(&self.command_line(*bytes)),
                Step::Record(line) => self.record(line),
                Step::Touch(path) => {
                    if let Err(error) = File::create(path) {
                        fail(BAD_SCRIPT, &format!("{}: {error}", path.display()));
                    }
                }
                Step::WaitFor(path) => {
                    while !fs::exists(path).unwrap_or(false) {
                        thread::sleep(POLL);
                        give_way();
                    }
                }
                Step::Hang => loop {
                    thread::park();
                },
                Step::Ignore(signals) => self.lock_on_signal().ignored.extend_from_slice(signals),
                Step::NoteSignals(path) => self.lock_on_signal().noted = Some(path.clone()),
                Step::OnInterrupt(steps) => self.lock_on_signal().on_interrupt = steps,
                Step::Grandchild(grandchild) => start(grandchild),
                Step::CloseStdout => close_stdout(),
                Step::Exit(status) => exit(*status),
            }
        }
    }

    fn completed(usage: &Value) {
        let default = json!({
            "input_tokens": 100,
            "cached_input_tokens": 40,
            "cache_write_input_tokens": 0,
            "output_tokens": 20,
            "reasoning_output_tokens": 5,
        });
        let usage = if usage == &json!({}) { &default } else { usage };
        print_event(&json!({"type": "turn.completed", "usage": usage}));
    }

    /// Appends a line to the session's record, in the place where the real Codex has it.
    fn record(&self, line: &Value) {
        let home = env::var_os("CODEX_HOME").map(PathBuf::from).unwrap_or_default();
        let folder = home.join("sessions/2026/11/21");
        let path = folder.join(format!("rollout-2026-11-21T12-00-00-{}.jsonl", self.session_id));
        let written = fs::create_dir_all(&folder)
            .and_then(|()| File::options().create(true).append(true).open(&path))
            .and_then(|mut file| writeln!(file, "{}", with_id(line, &self.session_id)));
        if let Err(error) = written {
            fail(BAD_SCRIPT, &format!("{}: {error}", path.display()));
        }
    }

    fn item_id(&self) -> String {
        format!("item_{}", self.items.fetch_add(1, Ordering::SeqCst))
    }

    /// Prints the same lines repeatedly, so that the cost is that of writing.
    fn flood(&self, bytes: usize, line: usize) {
        let line = self.command_line(line);
        let mut left = bytes.div_ceil(line.len());
        let lines_per_chunk = (CHUNK / line.len()).clamp(1, left.max(1));
        let chunk = line.repeat(lines_per_chunk);
        while left > 0 {
            let lines = left.min(lines_per_chunk);
            print(&chunk[..lines * line.len()]);
            left -= lines;
        }
    }

    /// The event of a finished command, with an output that makes a line of this many bytes.
    fn command_line(&self, bytes: usize) -> Vec<u8> {
        let id = self.item_id();
        let line = |output: &str| {
            let item = json!({
                "id": id,
                "type": "command_execution",
                "command": "yes",
                "aggregated_output": output,
                "exit_code": 0,
                "status": "completed",
            });
            format!("{}\n", json!({"type": "item.completed", "item": item}))
        };
        let padding = bytes.saturating_sub(line("").len());
        line(&"x".repeat(padding)).into_bytes()
    }
}

fn print(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        exit(1);
    }
}

fn print_event(event: &Value) {
    print(format!("{event}\n").as_bytes());
}

fn with_id(value: &Value, id: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("$ID", id)),
        Value::Array(values) => values.iter().map(|value| with_id(value, id)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), with_id(value, id))).collect()
        }
        _ => value.clone(),
    }
}

fn start(grandchild: &Grandchild) {
    let output = || {
        if grandchild.hold_stdout { Stdio::inherit() } else { Stdio::null() }
    };
    let mut command = Command::new(env::current_exe().expect("a running program has a path"));
    command
        .arg(GRANDCHILD)
        .arg(grandchild.seconds.to_string())
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output());
    if grandchild.own_group {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    if let Err(error) = command.spawn() {
        fail(BAD_SCRIPT, &format!("the grandchild did not start: {error}"));
    }
}

/// Closes the pipe. /dev/null takes its descriptor, the lowest free one, so that no other file does.
#[cfg(unix)]
fn close_stdout() {
    use std::os::fd::IntoRawFd;

    nix::unistd::close(nix::libc::STDOUT_FILENO).expect("stdout is open until this step");
    let null = File::options().write(true).open("/dev/null");
    let _number = null.expect("/dev/null can be written").into_raw_fd();
}

#[cfg(not(unix))]
fn close_stdout() {
    fail(BAD_SCRIPT, "stdout can be closed on Unix only");
}
