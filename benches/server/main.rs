//! `cargo bench`: the cost of the server compared with the minimum that would do the same.
//!
//! One run prints all figures, or those of the sections that are named (`cargo bench -- jobs`), each beside
//! what it is compared with and its target. No timing is asserted, because machines differ. If
//! `CODEX_PERSISTENT_MCP_BENCH_BEFORE` names the program of another build, the same tables have its figures,
//! measured alternately. This program also plays the other sides, started again with [`roles::ROLE`] in its
//! environment: a process that only echoes, and a Codex that only prints its events.
//!
//! Cargo builds the program under test with the features of the dev-dependencies, which make it larger and
//! slower than what users get. So it is built again first, as `cargo build --release` does.

mod http;
mod jobs;
#[cfg(unix)]
mod npm;
mod real;
mod roles;
mod sandbox;
mod server;
mod stream;
mod table;

#[path = "../../tests/support/environment.rs"]
mod environment;
#[path = "../../tests/support/model.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use all of it")]
mod model;
#[path = "../../tests/support/real_codex.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod real_codex;

use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use roles::Role;
use server::{Build, Server, Setup};
use table::{Samples, Table};

/// A folder for temporary files. Not the system's temporary directory, because Codex warns about that.
pub const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

const INITIALIZE_PAIRS: usize = 150;

/// How many calls run at once, and how often each number is tried.
const CALLS: [(usize, usize); 4] = [(1, 200), (8, 50), (64, 12), (512, 3)];

/// Waits for the cleanup after a call, outside of the measured time.
const SETTLE: Duration = Duration::from_millis(3);

/// The name of a section and the function that measures and prints it.
type Section<'a> = (&'a str, &'a dyn Fn(&Path));

/// Replaces the program that Cargo built for the benchmark by the one that users get.
fn build_as_shipped() {
    let arguments = ["build", "--release", "--locked", "--quiet", "--bin", env!("CARGO_PKG_NAME")];
    let built = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("Cargo has started this program");
    assert!(built.success(), "the program cannot be built");
}

fn main() {
    if let Some(role) = Role::of_this_process() {
        return role.play();
    }
    // `cargo test --all-targets` also starts this program and must not run benchmarks.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run this by `cargo bench`");
        return;
    }
    build_as_shipped();
    let scratch = Scratch::new();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!(
        "codex-persistent-mcp {} on {} {}, {cores} cores",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    let sections: &[Section<'_>] = &[
        ("initialize", &initialize),
        ("calls", &all_calls),
        ("sandbox", &sandbox::run),
        ("stream", &stream::run),
        ("jobs", &jobs::run),
        ("memory", &memory),
        ("http", &http::run),
        #[cfg(unix)]
        ("npm", &npm::run),
        ("real", &|_| real::run()),
    ];
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, run) in sections {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            run(&scratch.0);
        }
    }
}

/// From the start of a process to the first line that it answers.
fn initialize(home: &Path) {
    let mut echo = Samples::default();
    let mut builds = measured();
    for _ in 0..INITIALIZE_PAIRS {
        echo.push(time_to_answer(Setup::echo()));
        for (build, samples) in &mut builds {
            samples.push(time_to_answer(Setup::of(*build, &build.home(home))));
        }
    }
    Table::new(&format!("Spawn to the answer to initialize ({INITIALIZE_PAIRS} pairs)"))
        .times("a process that echoes a line", &echo)
        .builds(&echo, &builds, "at most 1.5 x")
        .print();
}

fn time_to_answer(setup: Setup) -> Duration {
    let began = Instant::now();
    let mut process = Server::spawn(setup);
    process.initialize();
    let answered = began.elapsed();
    process.leave();
    answered
}

/// The builds to measure, without any times yet.
fn measured() -> Vec<(Build, Samples)> {
    Build::all().into_iter().map(|build| (build, Samples::default())).collect()
}

fn all_calls(home: &Path) {
    for (at_once, rounds) in CALLS {
        calls(home, at_once, rounds);
    }
}

/// Calls, against starting the same Codex and reading what it prints.
fn calls(home: &Path, at_once: usize, rounds: usize) {
    let mut bare = Samples::default();
    let mut builds = measured();
    let mut servers: Vec<Server> = builds
        .iter()
        .map(|(build, _)| {
            let mut server = Server::spawn(Setup::of(*build, &build.home(home)).at_once(at_once));
            server.initialize();
            server
        })
        .collect();
    // The first round of each starts the watchdog and warms the caches.
    for round in 0..=rounds {
        let spawned = spawn_at_once(at_once) / at_once as u32;
        thread::sleep(SETTLE);
        if round > 0 {
            bare.push(spawned);
        }
        for (server, (_, samples)) in servers.iter_mut().zip(&mut builds) {
            let began = Instant::now();
            server.calls(at_once);
            let called = began.elapsed() / at_once as u32;
            thread::sleep(SETTLE);
            if round > 0 {
                samples.push(called);
            }
        }
    }
    servers.into_iter().for_each(Server::leave);
    let what = match at_once {
        1 => format!("A call, one at a time ({rounds} pairs)"),
        _ => format!("A call, {at_once} at once ({rounds} pairs; time divided by {at_once})"),
    };
    Table::new(&what)
        .times("spawn of the scripted Codex, output read", &bare)
        .builds(&bare, &builds, "at most 0.5 ms")
        .print();
}

/// Starts so many at the same moment, and waits until all are gone.
fn spawn_at_once(count: usize) -> Duration {
    let start = Barrier::new(count);
    thread::scope(|scope| {
        let spawns: Vec<_> = (0..count)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let began = Instant::now();
                    roles::run_codex_bare();
                    (began, Instant::now())
                })
            })
            .collect();
        let times = spawns.into_iter().map(|spawn| spawn.join().expect("a spawn does not panic"));
        let (began, ended) = times
            .reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
            .expect("there is at least one");
        ended.duration_since(began)
    })
}

fn memory(home: &Path) {
    let mut table = Table::new("Resident memory");
    for build in Build::all() {
        let mut server = Server::spawn(Setup::of(build, &build.home(home)));
        server.initialize();
        let idle = server.resident();
        for _ in 0..20 {
            server.calls(1);
        }
        thread::sleep(Duration::from_millis(100));
        let after = server.resident();
        server.leave();
        let aim = if build == Build::Current { "under 6 MB" } else { "" };
        table = table
            .row(&format!("{}, after initialize", build.name()), &[table::kib(idle)], aim)
            .row(&format!("{}, after 20 calls", build.name()), &[table::kib(after)], "");
    }
    table.print();
}

/// A folder that is removed on drop.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = Path::new(SCRATCH).join(format!("bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the target directory can be written");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}
