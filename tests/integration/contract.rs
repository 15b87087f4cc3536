//! What this program relies on in Codex, checked with the real one of any release.
//!
//! `cargo test` checks the newest pinned release, which must have all of it. `cargo xtask codex 0.172.0` brings another,
//! names it by [`PROGRAM`], and makes a table of what the checks write to [`REPORT`].

mod boundaries;
mod endings;
mod options;
mod sessions;
mod turns;

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::call::ToolCall;
use crate::kit::real::obey;
use crate::kit::setup::{home, real_with};
use crate::support::client::Builder;
use crate::support::model::{Model, Request, Response};
use crate::support::real_codex::{Home, install};

/// The variable with the path of the Codex to check.
const PROGRAM: &str = "CODEX_CONTRACT_PROGRAM";

/// The variable with the file that gets a line of JSON when a check begins, and when it passes.
const REPORT: &str = "CODEX_CONTRACT_REPORT";

/// What a release has of a part of the contract.
enum Found {
    /// All of it.
    All,
    /// Something is missing, and a caller is told so.
    Less(String),
}

/// The Codex under test, with a model and a home of its own.
struct Rig {
    codex: PathBuf,
    model: Model,
    home: Home,
}

impl Rig {
    /// With a model that obeys its prompt.
    fn new() -> Self {
        Self::with(obey)
    }

    fn with(script: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let codex = env::var_os(PROGRAM).map_or_else(|| install().native.clone(), PathBuf::from);
        let model = Model::start(script);
        let home = home(&model.url());
        Self { codex, model, home }
    }

    fn server(&self) -> Builder {
        real_with(&self.home, &self.codex)
    }
}

macro_rules! contract {
    ($($part:ident { $($row:ident, $title:literal;)+ })+) => {
        /// The checks, in the order of the table.
        const ORDER: &[&str] = &[$($(stringify!($row),)+)+];

        /// Their rows.
        const TITLES: &[&str] = &[$($($title,)+)+];

        $($(
            #[test]
            fn $row() {
                begin(stringify!($row), $title);
                let found = $part::$row();
                end(stringify!($row), &found);
            }
        )+)+
    };
}

contract! {
    turns {
        start, "starts, and names its version";
        events, "reply, commands and tokens from the events";
        last_message, "the last of several messages is the reply";
        tokens, "tokens of the session";
        edits, "changed files";
        failed_turn, "a failed turn is an error with its session";
        interrupted, "a cancelled turn is remembered, nothing is left running";
        job, "a job outlives the server";
        guard, "verdict and findings of a review";
    }
    endings {
        broken_stream, "a stream that breaks off is a failed turn";
        login, "a refused login is `not_logged_in`";
        usage_limit, "a used-up plan is `usage_limit`";
        configuration, "a broken `config.toml` is `config_not_loaded`";
        value, "a setting that Codex refuses is `config_not_loaded`";
        unknown_session, "an unknown session is `session_not_found`";
    }
    sessions {
        resume, "a session resumes with its directory and sandbox";
        lock, "a session that is in use is not written to";
        order, "two prompts to one session wait for each other";
        fork, "a copy of a session";
        store, "sessions are found and read in Codex's store";
        last, "the last session in a folder continues";
    }
    options {
        settings, "model, reasoning effort and settings";
        pictures, "images";
        schema, "output schema";
        directories, "additional directories";
        web_search, "web search, live or off";
        cached_search, "web search, cached";
        profile, "profiles";
        ephemeral, "further arguments of `codex exec`";
        instructions, "base instructions";
        developer_instructions, "developer instructions";
        instructions_of_user, "`AGENTS.md` in Codex's home";
    }
    boundaries {
        read_only, "read-only writes nothing";
        workspace_write, "workspace-write writes in its folder alone";
        guard_writes, "a guard writes nothing, also in a session that may";
        secrets, "a guard's commands see no secret";
        rules, "rules of Codex take no command out of the sandbox";
        projects, "a project's configuration starts no program";
    }
}

#[test]
fn the_page_has_a_row_for_each_check() {
    // Then the table is about to be made.
    if env::var_os(PROGRAM).is_some() {
        return;
    }
    let page = include_str!("../../docs/compatibility.md");
    let (_, made) = page.split_once("codex --write`. -->").expect("it has a table");
    let (made, _) = made.split_once("<!--").expect("it has an end");
    let rows = made.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let rows: Vec<&str> = rows.skip(1).collect();
    assert_eq!(rows, TITLES, "run cargo xtask codex --write");
}

/// Reports that a check has begun. One that fails reports nothing more.
fn begin(check: &str, title: &str) {
    let number = ORDER.iter().position(|it| *it == check);
    report(&json!({"number": number, "check": check, "row": title}));
}

/// Reports the result of a check. The newest pinned release must have everything.
fn end(check: &str, found: &Found) {
    let less = match found {
        Found::All => None,
        Found::Less(less) => Some(less),
    };
    if env::var_os(PROGRAM).is_none() {
        assert!(less.is_none(), "the newest pinned release lacks something: {less:?}");
    }
    report(&json!({"check": check, "less": less}));
}

fn report(line: &Value) {
    if let Some(path) = env::var_os(REPORT) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("writable");
        file.write_all(format!("{line}\n").as_bytes()).expect("writable");
    }
}

/// Makes a call for which a release may be too old: its check, or what a caller is told.
fn unless_too_old(call: ToolCall<'_>, check: impl FnOnce(crate::kit::call::Answer)) -> Found {
    match call.send().succeeds_or_fails_with("needs_newer_codex") {
        Ok(answer) => {
            check(answer);
            Found::All
        }
        Err(failure) => Found::Less(first_sentence(failure.text())),
    }
}

/// What an error says, without its kind and its advice.
fn first_sentence(text: &str) -> String {
    let text = text.split_once(": ").map_or(text, |(_, text)| text);
    let line = text.lines().next().unwrap_or_default();
    line.split(". ").next().unwrap_or(line).trim_end_matches('.').to_owned()
}
