//! The list of jobs: on a terminal as wide as that is, elsewhere a table of fixed columns.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::Style;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::cli::error::Result;
use crate::cli::format::{age, fitting, head, one_line};
use crate::cli::output::{Stream, columns, note, stdout};
use crate::cli::render::{short, tilde};
use crate::cli::style::{BOLD, DIM, PLAIN, RED, YELLOW, of_status, styled};
use crate::cli::table;
use crate::job::snapshot::snapshot;
use crate::job::{State, Status, Time};

/// Prints the jobs.
pub(super) fn print(states: &[State], json: bool) -> Result<()> {
    if json {
        let mut out = io::stdout().lock();
        for state in states {
            writeln!(out, "{}", Value::Object(snapshot(state)))?;
        }
        return Ok(out.flush()?);
    }
    if states.is_empty() {
        note("No jobs found. Start one: codex-persistent-mcp chat --detach \"…\"");
        return Ok(());
    }
    if !io::stdout().is_terminal() {
        return plain(states);
    }
    let mut out = stdout(false);
    for line in lines(states, columns(Stream::Out)) {
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

/// Whole ids, and texts cut to a bound.
fn plain(states: &[State]) -> Result<()> {
    let row = |state: &State| {
        [
            state.job_id.to_string(),
            state.status.as_str().to_owned(),
            age(state.created_at),
            state.turns.to_string(),
            head(title(state), table::WIDE * 4),
            head(&last_activity_of(state), table::WIDE * 4),
        ]
    };
    let rows: Vec<[String; 6]> = states.iter().map(row).collect();
    let names = ["ID", "STATUS", "AGE", "TURNS", "WHAT", "LAST ACTIVITY"];
    Ok(table::print(names, &rows, |row, column, _| match column {
        1 => of_status(states[row].status),
        _ => PLAIN,
    })?)
}

/// The job's label, or its prompt.
pub(super) fn title(state: &State) -> &str {
    state.label.as_deref().unwrap_or(&state.prompt)
}

/// The last activity of a job; after its end, the result or the error.
fn last_activity_of(state: &State) -> String {
    if let Some(why) = state.activity.stuck(Time::now()) {
        return format!("looks stuck: {why}");
    }
    let outcome = match (&state.error, &state.result) {
        (Some(error), _) => Some(&error.message),
        (None, result) => result.as_ref(),
    };
    let outcome = outcome.filter(|_| state.status.has_ended());
    outcome.unwrap_or(&state.activity.last_activity).clone()
}

/// A column, and the narrowest terminal that has it.
struct Column {
    name: &'static str,
    from: usize,
    is_number: bool,
    cell: fn(&State) -> String,
}

const STATUS: usize = 0;
const COLUMNS: [Column; 5] = [
    Column {
        name: "STATUS",
        from: 0,
        is_number: false,
        cell: |state| state.status.as_str().into(),
    },
    Column { name: "TIME", from: 60, is_number: true, cell: time },
    Column { name: "TURNS", from: 110, is_number: true, cell: |state| state.turns.to_string() },
    Column { name: "DIRECTORY", from: 100, is_number: false, cell: directory },
    Column {
        name: "STARTED",
        from: 72,
        is_number: false,
        cell: |state| format!("{} ago", age(state.created_at)),
    },
];

/// How much of a job's id is shown: enough to name it.
const ID: usize = 8;

/// The widest directory.
const DIRECTORY: usize = 24;

/// The lines for a terminal of this width.
fn lines(states: &[State], columns: usize) -> Vec<String> {
    let shown: Vec<&Column> = COLUMNS.iter().filter(|column| columns >= column.from).collect();
    let cells: Vec<Vec<String>> = states
        .iter()
        .map(|state| {
            shown.iter().map(|column| one_line(&(column.cell)(state)).into_owned()).collect()
        })
        .collect();
    let width = |number: usize| {
        let cells = cells.iter().map(|row| row[number].width());
        cells.chain([shown[number].name.len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..shown.len()).map(width).collect();
    let fixed = 2 + ID + 2 + widths.iter().map(|width| width + 2).sum::<usize>();
    let titles =
        states.iter().map(|state| one_line(title(state)).width()).max().unwrap_or_default();
    let room = columns.saturating_sub(fixed).max(12).min(titles.max(4));
    let mut lines = Vec::new();
    let heads: Vec<String> = shown
        .iter()
        .zip(&widths)
        .map(|(column, width)| padded(column.name, *width, column.is_number))
        .collect();
    let head = format!(
        "  {}  {}  {}",
        padded("JOB", ID, false),
        padded("WHAT", room, false),
        heads.join("  ")
    );
    lines.push(styled(BOLD, head.trim_end()));
    for (state, cells) in states.iter().zip(&cells) {
        let id = state.job_id.to_string();
        let style = of_status(state.status);
        let mut line = format!(
            "{} {}  {}",
            styled(style, mark(state.status)),
            &id[id.len() - ID..],
            styled(PLAIN, &padded(&fitting(&one_line(title(state)), room), room, false))
        );
        for (number, cell) in cells.iter().enumerate() {
            let cell = padded(cell, widths[number], shown[number].is_number);
            let style = if number == STATUS { style } else { PLAIN };
            line += &format!("  {}", styled(style, &cell));
        }
        lines.push(line.trim_end().to_owned());
        lines.extend(detail(state).map(|(style, text)| {
            let text = format!("    └ {}", one_line(&text));
            styled(style, &fitting(&text, columns))
        }));
    }
    let active = states.iter().filter(|state| !state.status.has_ended()).count();
    let counts = format!("{active} active · {} ended", states.len() - active);
    let newest = states[0].job_id.to_string();
    let show = format!("codex-persistent-mcp jobs show {}", &newest[newest.len() - ID..]);
    lines.push(String::new());
    let foot = format!("{counts} · show one: {show}");
    if foot.width() <= columns {
        lines.push(styled(DIM, &foot));
    } else {
        // A command that is cut cannot be typed.
        lines.extend([counts, show].map(|line| styled(DIM, &fitting(&line, columns))));
    }
    lines
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Queued => "○",
        Status::Running => "●",
        Status::Completed => "✓",
        Status::Failed | Status::TimedOut => "✗",
        Status::Cancelled | Status::Interrupted => "■",
    }
}

/// What runs now, or why it failed.
fn detail(state: &State) -> Option<(Style, String)> {
    if let Some(why) = state.activity.stuck(Time::now()) {
        return Some((YELLOW, format!("looks stuck: {why}")));
    }
    match (&state.error, state.status) {
        (None, Status::Running) => Some((DIM, state.activity.last_activity.clone())),
        (Some(error), Status::Failed | Status::TimedOut | Status::Interrupted) => {
            Some((RED, head(&error.message, 400)))
        }
        _ => None,
    }
}

fn time(state: &State) -> String {
    let Some(began) = state.started_at else { return "-".into() };
    let until = state.ended_at.unwrap_or_else(Time::now);
    short(Duration::from_millis(until.0.saturating_sub(began.0)))
}

fn directory(state: &State) -> String {
    let directory = state.cwd.as_deref().map(tilde).unwrap_or_default();
    // The end says more.
    let skip = directory.chars().count().saturating_sub(DIRECTORY);
    if skip == 0 {
        directory
    } else {
        format!("…{}", directory.chars().skip(skip + 1).collect::<String>())
    }
}

/// A cell of exactly this width, if it is not wider.
fn padded(text: &str, width: usize, to_the_right: bool) -> String {
    let spaces = " ".repeat(width.saturating_sub(text.width()));
    if to_the_right { spaces + text } else { format!("{text}{spaces}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobId;

    fn job(title: &str, status: Status) -> State {
        State {
            prompt: title.into(),
            status,
            cwd: Some("/work".into()),
            ..State::new(JobId::new())
        }
    }

    #[test]
    fn every_line_fits_and_columns_are_aligned_in_cells() {
        let states = [
            job("请为上传功能添加重试，并补充测试用例，不要改变公共接口", Status::Completed),
            job("🚀 ship it with emojis", Status::Running),
            job("plain\x1b[2J", Status::Failed),
        ];
        for columns in [50, 80, 140] {
            let lines: Vec<String> = lines(&states, columns)
                .iter()
                .map(|line| anstream::adapter::strip_str(line).to_string())
                .collect();
            for line in &lines {
                assert!(line.width() <= columns, "{columns}: {line:?}");
                assert!(!line.contains('\x1b'), "{line:?}");
            }
            let at = |line: &String, word: &str| line.find(word).map(|at| line[..at].width());
            let status = at(&lines[0], "STATUS");
            assert!(status.is_some() && at(&lines[1], "completed") == status, "{lines:#?}");
            assert_eq!(at(&lines[2], "running"), status, "{lines:#?}");
            let last = lines.last().expect("there is a footer");
            assert!(
                last.contains("codex-persistent-mcp jobs show ") && !last.contains('…'),
                "{last}"
            );
        }
    }
}
