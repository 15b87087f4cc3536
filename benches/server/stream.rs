//! A gigabyte of events: how fast it is read, and how much memory that takes.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use memchr::memchr_iter;

use crate::roles::{FLOOD_LINE, codex_command};
use crate::server::{Build, Server, Setup};
use crate::table::{Table, kib, rate};

/// Lengths of lines, in bytes: for a command with little output, and for one with more.
const LINES: [usize; 2] = [1 << 10, 8 << 10];

const CHUNK: usize = 64 << 10;

/// How often each is read. Writer and reader take turns at a pipe of 64 KiB, so that a run tells as
/// much of the system's scheduler as of the reader.
const ROUNDS: usize = 5;

/// How much was read, and in which time.
#[derive(Clone, Copy)]
struct Flow {
    bytes: u64,
    lines: u64,
    time: Duration,
}

/// Measures and prints.
pub fn run(home: &Path) {
    LINES.into_iter().for_each(|length| measure(home, length));
}

fn measure(home: &Path, length: usize) {
    let mut builds: Vec<(Build, Server, Vec<Flow>)> = Build::all()
        .into_iter()
        .map(|build| {
            let mut server = Server::spawn(Setup::of(build, &build.home(home)).flood(length));
            server.initialize();
            (build, server, Vec::new())
        })
        .collect();
    let idle: Vec<_> = builds.iter().map(|(_, server, _)| server.resident()).collect();
    let mut bare = Vec::new();
    for _ in 0..ROUNDS {
        let flow = read_bare(length);
        bare.push(flow);
        for (_, server, flows) in &mut builds {
            let began = Instant::now();
            server.calls(1);
            flows.push(Flow { time: began.elapsed(), ..flow });
        }
    }
    let bare = median(bare);
    let mut table = Table::new(&format!(
        "A stream of 1 GB of events, lines of {} KiB (median of {ROUNDS})",
        length >> 10
    ))
    .row("a reader that counts lines", &bare.cells(), "");
    for ((build, server, flows), idle) in builds.into_iter().zip(idle) {
        let peak = server.peak();
        server.leave();
        let ours = median(flows);
        let grown = peak.zip(idle).map(|(peak, idle)| peak.saturating_sub(idle));
        let ratio = ours.time.as_secs_f64() / bare.time.as_secs_f64();
        table = table
            .row(build.name(), &ours.cells(), "over 500 MB/s")
            .row("time against the reader", &[format!("{ratio:.2} x")], "")
            .row("memory at most, above idle", &[kib(grown)], "flat: a few MB");
    }
    table.print();
}

fn median(mut flows: Vec<Flow>) -> Flow {
    flows.sort_by_key(|flow| flow.time);
    flows[flows.len() / 2]
}

impl Flow {
    fn cells(&self) -> [String; 2] {
        let per_second = |count: u64| count as f64 / self.time.as_secs_f64();
        [rate(per_second(self.bytes) / 1e6, "MB/s"), rate(per_second(self.lines) / 1e3, "k/s")]
    }
}

/// Reads the same stream directly and only counts its lines.
fn read_bare(length: usize) -> Flow {
    let began = Instant::now();
    let mut child = codex_command()
        .env(FLOOD_LINE, length.to_string())
        .spawn()
        .expect("this program can be started");
    drop(child.stdin.take());
    let mut stdout = child.stdout.take().expect("stdout is a pipe");
    let mut chunk = vec![0; CHUNK];
    let (mut bytes, mut lines) = (0, 0);
    while let length @ 1.. = stdout.read(&mut chunk).expect("a pipe can be read") {
        bytes += length as u64;
        lines += memchr_iter(b'\n', &chunk[..length]).count() as u64;
    }
    child.wait().expect("a child can be waited for");
    Flow { bytes, lines, time: began.elapsed() }
}
