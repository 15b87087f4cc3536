//! `sessions`: lists and shows the sessions in Codex's store.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::error::{Error, finish};
use super::format::{age, clean, count, head, one_line};
use super::output::{Stream, columns, note, stdout};
use super::render::tilde;
use super::style::{BOLD, CYAN, DIM, PLAIN, styled};
use super::{complete, follow, table};
use crate::codex::sessions::transcript::{self, Include, Page, PageRequest, Position};
use crate::codex::sessions::view::session_fields;
use crate::codex::sessions::{Query, Session, Store};
use crate::job::Time;
use crate::model::session_id::SessionId;
use crate::model::settings::Settings;
use crate::model::text::{LineBreaks, sanitize};
use crate::session::holder::is_written;

/// The shortest part of an id that names a session, in characters.
const MIN_ID: usize = 4;

/// The longest text in the table, in characters.
const COLUMN: usize = 40;

/// How many sessions an error about an ambiguous id lists.
const MAX_MATCHES: usize = 20;

/// How long records are read before the progress is printed.
const SCAN_TIME: Duration = Duration::from_secs(5);

/// How many entries are shown without `--all`.
const LAST: usize = 20;

/// What to do with sessions. Without a command they are listed.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "--cwd DIR lists only the sessions of this directory.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Action>,

    #[command(flatten)]
    list: List,
}

#[derive(Debug, Args)]
struct List {
    /// Only sessions with this text at the start of the first prompt, ignoring case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Only sessions started by: cli, exec, vscode, …; tools (this server); subagent (another session)
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,

    /// Only sessions updated after: a time, a day, or an age such as 2h or 3d
    #[arg(long, value_name = "TIME", value_parser = str::parse::<Time>)]
    since: Option<Time>,

    /// Only sessions updated before this time
    #[arg(long, value_name = "TIME", value_parser = str::parse::<Time>)]
    until: Option<Time>,

    /// The maximum number of sessions
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,

    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

/// A command on sessions.
#[derive(Debug, Subcommand)]
enum Action {
    /// Lists sessions, the last used first
    List(List),
    /// Shows a session and its last messages
    Show {
        /// The session's id, or at least 4 characters of its start or end
        #[arg(add = clap_complete::ArgValueCandidates::new(complete::sessions))]
        id: String,

        /// Show all messages, commands and changes
        #[arg(long)]
        all: bool,

        /// Print JSON, one object per line: the session, then its entries
        #[arg(long)]
        json: bool,
    },
    /// Shows what happens in a session now, whoever runs it
    #[command(after_help = follow::session::AFTER_HELP)]
    Follow {
        /// The session's id, or at least 4 characters of its start or end
        #[arg(add = clap_complete::ArgValueCandidates::new(complete::sessions))]
        id: String,

        /// Go on with the turns that follow
        #[arg(long)]
        keep: bool,
    },
}

/// Runs the command, and returns the exit status. `cwd_is_given`: `--cwd` is on the command line, and
/// limits the list.
pub(super) fn run(arguments: Arguments, settings: &Settings, cwd_is_given: bool) -> u8 {
    let store = Store::new(settings.state_dir.as_deref());
    let cwd = cwd_is_given.then(|| settings.working_dir.as_path().to_owned());
    finish(match arguments.command {
        None => list(&store, arguments.list, cwd),
        Some(Action::List(inner)) => list(&store, inner, cwd),
        Some(Action::Show { id, all, json }) => show(&store, &id, all, json),
        Some(Action::Follow { id, keep }) => find(&store, &id)
            .and_then(|(session, record)| follow::session::follow(&store, session, record, keep)),
    })
}

fn busy(store: &Store, session: SessionId) -> Option<bool> {
    is_written(store.home()?, session)
}

fn list(store: &Store, list: List, cwd: Option<PathBuf>) -> Result<u8, Error> {
    let List { text, source, since, until, limit, json } = list;
    let query = Query { cwd, text, source, since, until, ..Query::first(limit) };
    let listing = loop {
        let listing = store.list(&query, SCAN_TIME, &|| false);
        if listing.missed.unread == 0 {
            break listing;
        }
        note(&format!("reading records for the first time: {} to go", listing.missed.unread));
    };
    for warning in listing.warnings(store.home()) {
        note(&format!("warning: {warning}"));
    }
    let mut out = io::stdout().lock();
    let sessions = listing.sessions;
    if json {
        for session in &sessions {
            writeln!(out, "{}", Value::Object(session_fields(session, busy(store, session.id))))?;
        }
    } else if sessions.is_empty() {
        note("No sessions found.");
    } else {
        drop(out);
        print_table(&sessions, store)?;
        return Ok(0);
    }
    out.flush()?;
    Ok(0)
}

/// Prints a table with the columns that fit: a narrow terminal has fewer.
fn print_table(sessions: &[Session], store: &Store) -> io::Result<()> {
    let width = io::stdout().is_terminal().then(|| columns(Stream::Out));
    let rows: Vec<[String; 6]> =
        sessions.iter().map(|session| cells(session, busy(store, session.id), width)).collect();
    let style = |_, column, cell: &str| match column {
        1 if cell.starts_with("now") => CYAN,
        _ => PLAIN,
    };
    let [id, updated, turns, source, directory, prompt] =
        ["ID", "UPDATED", "TURNS", "SOURCE", "DIRECTORY", "FIRST PROMPT"];
    match width {
        Some(..60) => {
            let rows: Vec<_> =
                rows.into_iter().map(|[id, updated, .., prompt]| [id, updated, prompt]).collect();
            table::print([id, updated, prompt], &rows, style)
        }
        Some(60..100) => {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|[id, updated, .., directory, prompt]| [id, updated, directory, prompt])
                .collect();
            table::print([id, updated, directory, prompt], &rows, style)
        }
        _ => table::print([id, updated, turns, source, directory, prompt], &rows, style),
    }
}

/// The cells of a row. A terminal of this width shows the end of the directory and as much of the prompt as fits.
fn cells(session: &Session, busy: Option<bool>, width: Option<usize>) -> [String; 6] {
    let summary = &session.summary;
    let directory = match (summary.cwd(), width) {
        (Some(cwd), Some(width)) => tail(&tilde(cwd), (width / 4).clamp(16, COLUMN)),
        (Some(cwd), None) => tail(&cwd.to_string_lossy(), COLUMN),
        (None, _) => String::new(),
    };
    [
        table::id(session.id),
        if busy == Some(true) { "now".into() } else { age(summary.updated) },
        summary.turns.to_string(),
        source(session),
        directory,
        head(summary.prompt.as_deref().unwrap_or_default(), width.unwrap_or(COLUMN)),
    ]
}

fn source(session: &Session) -> String {
    let source = session.summary.source.as_deref().unwrap_or("?");
    let tool = session.summary.tool.as_deref().map(|tool| format!(" {tool}")).unwrap_or_default();
    let archived = if session.is_archived { " archived" } else { "" };
    head(&format!("{source}{tool}{archived}"), COLUMN)
}

/// The end of a path, which says more than its start.
fn tail(path: &str, chars: usize) -> String {
    let length = path.chars().count();
    if length <= chars {
        return path.to_owned();
    }
    format!("…{}", path.chars().skip(length - chars + 1).collect::<String>())
}

/// The session whose id starts or ends with this text, and the path of its record.
pub(super) fn find(store: &Store, text: &str) -> Result<(SessionId, PathBuf), Error> {
    lookup(store, text)?.ok_or_else(|| {
        let text = text.trim().to_lowercase();
        Error::BadInput(format!("there is no session whose id starts or ends with {text:?}"))
    })
}

/// The same. `None` if there is none.
pub(super) fn lookup(store: &Store, text: &str) -> Result<Option<(SessionId, PathBuf)>, Error> {
    let text = text.trim().to_lowercase();
    if text.chars().count() < MIN_ID {
        let problem =
            format!("{text:?} is too short: pass at least {MIN_ID} characters of the session's id");
        return Err(Error::BadInput(problem));
    }
    let mut found = Vec::new();
    store.visit_names(|path, session| {
        let id = session.to_string();
        if id.starts_with(&text) || id.ends_with(&text) {
            found.push((session, path.to_owned()));
        }
        found.len() <= MAX_MATCHES
    });
    let home = store.home().unwrap_or(Path::new(""));
    match &found[..] {
        [(session, path)] => Ok(Some((*session, home.join(path)))),
        [] => Ok(None),
        several => {
            let mut problem = format!("{text:?} matches several sessions:");
            for (session, path) in several {
                let session_of = store.session(&home.join(path)).ok().flatten();
                let prompt = session_of.and_then(|session| session.summary.prompt);
                problem += &format!("\n  {session}  {}", head(&prompt.unwrap_or_default(), COLUMN));
            }
            Err(Error::BadInput(problem))
        }
    }
}

fn show(store: &Store, id: &str, all: bool, json: bool) -> Result<u8, Error> {
    let (id, path) = find(store, id)?;
    let unreadable = || Error::BadInput(format!("the record of session {id} cannot be read"));
    let session = store.session(&path).ok().flatten().ok_or_else(unreadable)?;
    let mut out = stdout(json);
    let busy = busy(store, id);
    if json {
        writeln!(out, "{}", Value::Object(session_fields(&session, busy)))?;
    } else {
        write_about(&mut out, &session, busy)?;
    }
    let include = if all { Include::all() } else { Include::default() };
    let from = if all { Position::After(0) } else { Position::End };
    let mut wanted =
        PageRequest { from, limit: if all { usize::MAX } else { LAST }, truncate: 0, include };
    loop {
        let Page { entries, cursor, more, before, .. } =
            transcript::page(&path, &wanted).map_err(|_| unreadable())?;
        if !all && before.is_some() && !json {
            writeln!(out, "\n{}", styled(DIM, "… --all shows earlier entries"))?;
        }
        for entry in entries {
            if json {
                writeln!(out, "{entry}")?;
            } else {
                write_entry(&mut out, &entry)?;
            }
        }
        if !all || !more {
            break;
        }
        wanted.from = Position::After(cursor);
    }
    out.flush()?;
    Ok(0)
}

fn write_about(out: &mut impl Write, session: &Session, busy: Option<bool>) -> io::Result<()> {
    let summary = &session.summary;
    let time = |time: Time| format!("{time} ({} ago)", age(time));
    let busy = if busy == Some(true) { ", in use now" } else { "" };
    let tokens = summary
        .usage
        .map(|usage| format!("{} tokens in, {} out", usage.input_tokens, usage.output_tokens));
    let fields = [
        ("session", Some(session.id.to_string())),
        ("resume", Some(session.resume_command())),
        ("directory", summary.cwd().map(|cwd| cwd.display().to_string())),
        ("source", Some(source(session))),
        ("forked from", summary.forked_from.map(|from| from.to_string())),
        ("created", Some(time(summary.created))),
        ("updated", Some(time(summary.updated) + busy)),
        ("model", summary.model.clone()),
        (
            "usage",
            Some(
                [Some(count(summary.turns, "turn")), tokens]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" · "),
            ),
        ),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        writeln!(
            out,
            "{}{}",
            styled(BOLD, &format!("{name:<12}")),
            sanitize(value, LineBreaks::Escape)
        )?;
    }
    Ok(())
}

fn write_entry(out: &mut impl Write, entry: &Value) -> io::Result<()> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let exit = entry["exit_code"].as_i64().map(|code| format!(" → {code}")).unwrap_or_default();
    let title = one_line(text("type")).into_owned() + &exit;
    writeln!(out, "\n{} {}", styled(BOLD, &title), styled(DIM, &one_line(text("at"))))?;
    for name in ["text", "output", "diff"] {
        let text = text(name).trim_end();
        if !text.is_empty() {
            writeln!(out, "{}", clean(text))?;
        }
    }
    Ok(())
}
