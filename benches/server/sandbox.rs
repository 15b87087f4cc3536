//! The cost of confining a turn to its sandbox, compared with a turn that has full access.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::model::{Model, echo};
use crate::real_codex::{self, Home};
use crate::server::{Server, Setup};
use crate::table::{Samples, Table};
use crate::{SCRATCH, SETTLE};

const SCRIPTED_PAIRS: usize = 200;
const REAL_PAIRS: usize = 12;

/// Measures and prints, with the scripted Codex and, if available, the real one.
pub fn run(home: &Path) {
    // The working directory must not be Codex's home.
    let setup = |codex_home: &Path| Setup::scripted(codex_home).open();
    let work = home.join("work");
    let codex_home = home.join("codex");
    for folder in [&work, &codex_home] {
        std::fs::create_dir_all(folder).expect("the target directory can be written");
    }
    pairs("the scripted Codex", SCRIPTED_PAIRS, setup(&codex_home), &work);
    let native = match real_codex::try_install() {
        Ok(installed) => installed.native,
        Err(problem) => return println!("\nThe same with the real Codex: left out. {problem}"),
    };
    let model = Model::start(echo);
    let home = Home::new(Path::new(SCRATCH), &model.url());
    let setup = Setup::with_codex(&native, home.path()).open();
    pairs("the real Codex, its model instant", REAL_PAIRS, setup, home.project());
}

fn pairs(codex: &str, count: usize, setup: Setup, work: &Path) {
    let mut server = Server::spawn(setup);
    server.initialize();
    let (mut full, mut kept) = (Samples::default(), Samples::default());
    for round in 0..=count {
        let open = time_of_call(&mut server, work, "danger-full-access");
        let closed = time_of_call(&mut server, work, "workspace-write");
        if round > 0 {
            full.push(open);
            kept.push(closed);
        }
    }
    server.leave();
    Table::new(&format!("A turn of {codex} ({count} pairs)"))
        .times("with full access", &full)
        .times("kept in workspace-write", &kept)
        .difference(&full, &kept, "under 3 ms")
        .print();
}

fn time_of_call(server: &mut Server, work: &Path, sandbox: &str) -> Duration {
    thread::sleep(SETTLE);
    let arguments = json!({"prompt": "A question.", "cwd": work, "sandbox": sandbox});
    let began = Instant::now();
    server.call("codex_chat", &arguments);
    began.elapsed()
}
