//! `jobs`: the table.

use std::io::{self, IsTerminal, Write};

use super::words::{BOLD, Paint, age, head};
use crate::job::{State, Time};

/// How wide a text may be where there is no end of the line, in characters.
const WIDE: usize = 40;

/// How wide a terminal is that does not say.
const TERMINAL: usize = 80;

/// The least width of a text, also if the table is then wider than the terminal.
const NARROW: usize = 12;

/// How much of an id a terminal shows: enough to name the job. Its beginning is the time, which jobs
/// that were started together have in common.
const ID_END: usize = 8;

const NAMES: [&str; 6] = ["ID", "STATUS", "AGE", "TURNS", "WHAT", "LAST ACTIVITY"];
const STATUS: usize = 1;

type Row = [String; 6];

/// Prints jobs, one a line: to a terminal so that they fit, elsewhere with their whole ids.
pub(super) fn print(states: &[State]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let paint = Paint::for_stdout();
    let columns = out.is_terminal().then(columns);
    let rows: Vec<Row> = states.iter().map(|state| row(state, columns.is_some())).collect();
    let mut widths: [usize; 6] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([NAMES[column].len()]).max().unwrap_or_default()
    });
    share(&mut widths, columns);
    let cut =
        |row: &Row| -> Row { std::array::from_fn(|column| fitted(&row[column], widths[column])) };
    let names = cut(&NAMES.map(str::to_owned)).join("  ");
    writeln!(out, "{}", paint.paint(BOLD, names.trim_end()))?;
    for (row, state) in rows.iter().zip(states) {
        let mut row = cut(row);
        // The colour must not count as width.
        let blanks = widths[STATUS] - state.status.as_str().len();
        row[STATUS] = paint.status(state.status) + &" ".repeat(blanks);
        writeln!(out, "{}", row.join("  ").trim_end())?;
    }
    out.flush()
}

fn row(state: &State, short: bool) -> Row {
    let id = state.job_id.to_string();
    let id = if short { id[id.len() - ID_END..].to_owned() } else { id };
    [
        id,
        state.status.as_str().to_owned(),
        age(state.created_at),
        state.turns.to_string(),
        head(title(state), WIDE * 4),
        head(&last(state), WIDE * 4),
    ]
}

/// What a person calls the job.
pub(super) fn title(state: &State) -> &str {
    state.label.as_deref().unwrap_or(&state.prompt)
}

/// What the job is at, and after its end what came of it.
fn last(state: &State) -> String {
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

/// What the terminal says of its width, where its shell passes that on.
fn columns() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.filter(|columns| *columns > 0).unwrap_or(TERMINAL)
}

/// Gives the two texts what the others leave, or what they need if that is less.
fn share(widths: &mut [usize; 6], columns: Option<usize>) {
    let [.., what, last] = widths;
    let (needs_what, needs_last) = (*what, *last);
    let Some(columns) = columns else {
        (*what, *last) = (needs_what.min(WIDE), needs_last.min(WIDE));
        return;
    };
    let fixed: usize = widths[..4].iter().map(|width| width + 2).sum::<usize>() + 2;
    let room = columns.saturating_sub(fixed);
    let for_what = needs_what.min((room / 2).max(room.saturating_sub(needs_last)).max(NARROW));
    widths[4] = for_what;
    widths[5] = needs_last.min(room.saturating_sub(for_what).max(NARROW));
}

/// A cell of exactly this width.
fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return format!("{text:width$}");
    }
    let text: String = text.chars().take(width - 1).collect();
    format!("{text}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_share_what_the_others_leave() {
        let shared = |widths: [usize; 6], columns| {
            let mut widths = widths;
            share(&mut widths, columns);
            (widths[4], widths[5])
        };
        // 8 + 9 + 3 + 5, and two blanks between all.
        assert_eq!(shared([8, 9, 3, 5, 100, 100], Some(80)), (22, 23));
        assert_eq!(shared([8, 9, 3, 5, 100, 13], Some(80)), (32, 13));
        assert_eq!(shared([8, 9, 3, 5, 10, 100], Some(80)), (10, 35));
        assert_eq!(shared([8, 9, 3, 5, 100, 100], Some(20)), (12, 12));
        assert_eq!(shared([36, 9, 3, 5, 100, 20], None), (40, 20));
        assert_eq!((fitted("abcdef", 4), fitted("é", 3)), ("abc…".into(), "é  ".into()));
    }
}
