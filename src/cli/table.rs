//! A table for a person. The last two columns are texts: on a terminal they share what the others
//! leave, elsewhere they are cut to a bound.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use super::words::{BOLD, Paint, one_line};

/// How wide a text may be where there is no end of the line, in characters.
pub(super) const WIDE: usize = 40;

/// How wide a terminal is that does not say.
const TERMINAL: usize = 80;

/// The least width of a text, also if the table is then wider than the terminal.
const NARROW: usize = 12;

/// How much of an id a terminal shows: enough to name it. Its beginning is the time, which those that
/// were made together have in common.
const ID_END: usize = 8;

/// An id as it stands in a table: whole, but on a terminal its end.
pub(super) fn id(id: impl Display) -> String {
    let id = id.to_string();
    if io::stdout().is_terminal() { id[id.len().saturating_sub(ID_END)..].to_owned() } else { id }
}

/// Prints a table. `painted` puts colour on the cell in this row and column, which is padded already:
/// the colour must not count as width.
pub(super) fn print<const N: usize>(
    names: [&str; N],
    rows: &[[String; N]],
    painted: impl Fn(Paint, usize, usize, &str) -> String,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let paint = Paint::for_stdout();
    let names = names.map(str::to_owned);
    // Before their widths are known, of which an escape takes more.
    let visible = |row: &[String; N]| row.each_ref().map(|cell| one_line(cell).into_owned());
    let rows: Vec<[String; N]> = rows.iter().map(visible).collect();
    let mut widths: [usize; N] = std::array::from_fn(|column| {
        let all = rows.iter().chain([&names]);
        all.map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    share(&mut widths, out.is_terminal().then(columns));
    let cut = |row: &[String; N]| -> [String; N] {
        std::array::from_fn(|column| fitted(&row[column], widths[column]))
    };
    writeln!(out, "{}", paint.paint(BOLD, cut(&names).join("  ").trim_end()))?;
    for (number, row) in rows.iter().enumerate() {
        let cells = cut(row).into_iter().enumerate();
        let cells: Vec<String> =
            cells.map(|(column, cell)| painted(paint, number, column, &cell)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    out.flush()
}

/// What the terminal says of its width, where its shell passes that on.
fn columns() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.filter(|columns| *columns > 0).unwrap_or(TERMINAL)
}

/// Gives the two texts what the others leave, or what they need if that is less.
fn share<const N: usize>(widths: &mut [usize; N], columns: Option<usize>) {
    let (others, texts) = widths.split_at_mut(N - 2);
    let (needs_one, needs_other) = (texts[0], texts[1]);
    let Some(columns) = columns else {
        (texts[0], texts[1]) = (needs_one.min(WIDE), needs_other.min(WIDE));
        return;
    };
    let fixed: usize = others.iter().map(|width| width + 2).sum::<usize>() + 2;
    let room = columns.saturating_sub(fixed);
    let one = needs_one.min((room / 2).max(room.saturating_sub(needs_other)).max(NARROW));
    texts[0] = one;
    texts[1] = needs_other.min(room.saturating_sub(one).max(NARROW));
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
