//! A table. The last two columns are texts: on a terminal they share the room that the others leave,
//! elsewhere they are cut to a bound. Widths are those of the terminal's cells, of which some characters take
//! two.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::format::one_line;
use super::output::{Stream, columns, stdout};
use super::style::{BOLD, styled};

/// The width of a text where the output is no terminal.
pub(super) const WIDE: usize = 40;

/// The least width of a text, even if the table is then wider than the terminal.
const NARROW: usize = 12;

/// How many characters of an id a terminal shows: enough to name it. Ids start with a time, so those made
/// together start alike.
const ID_END: usize = 8;

/// An id in a table: whole, but on a terminal only its end.
pub(super) fn id(id: impl Display) -> String {
    let id = id.to_string();
    if io::stdout().is_terminal() { id[id.len().saturating_sub(ID_END)..].to_owned() } else { id }
}

/// Prints a table. `style` is that of the cell in this row and column.
pub(super) fn print<const N: usize>(
    names: [&str; N],
    rows: &[[String; N]],
    style: impl Fn(usize, usize, &str) -> Style,
) -> io::Result<()> {
    let mut out = stdout(false);
    let names = names.map(str::to_owned);
    // An escape that is made visible is wider.
    let visible = |row: &[String; N]| row.each_ref().map(|cell| one_line(cell).into_owned());
    let rows: Vec<[String; N]> = rows.iter().map(visible).collect();
    let mut widths: [usize; N] = std::array::from_fn(|column| {
        let all = rows.iter().chain([&names]);
        all.map(|row| row[column].width()).max().unwrap_or_default()
    });
    share(&mut widths, io::stdout().is_terminal().then(|| columns(Stream::Out)));
    let fitted = |row: &[String; N]| -> [String; N] {
        std::array::from_fn(|column| fitted(&row[column], widths[column]))
    };
    writeln!(out, "{}", styled(BOLD, fitted(&names).join("  ").trim_end()))?;
    for (number, row) in rows.iter().enumerate() {
        let cells = fitted(row).into_iter().enumerate();
        let cells: Vec<String> =
            cells.map(|(column, cell)| styled(style(number, column, &cell), &cell)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    out.flush()
}

/// Gives the two texts the room that the others leave, or what they need if that is less.
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
    if text.width() <= width {
        return format!("{text}{}", " ".repeat(width - text.width()));
    }
    let ends = text.char_indices().map(|(at, _)| &text[..at]);
    let cut = ends.take_while(|head| head.width() < width).last().unwrap_or_default();
    format!("{cut}…{}", " ".repeat(width - 1 - cut.width()))
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
        // 8 + 9 + 3 + 5, and two spaces between columns.
        assert_eq!(shared([8, 9, 3, 5, 100, 100], Some(80)), (22, 23));
        assert_eq!(shared([8, 9, 3, 5, 100, 13], Some(80)), (32, 13));
        assert_eq!(shared([8, 9, 3, 5, 10, 100], Some(80)), (10, 35));
        assert_eq!(shared([8, 9, 3, 5, 100, 100], Some(20)), (12, 12));
        assert_eq!(shared([36, 9, 3, 5, 100, 20], None), (40, 20));
    }

    #[test]
    fn a_cell_is_as_wide_as_its_column_in_cells_of_the_terminal() {
        for (text, cell) in [
            ("abcd", "abcd"),
            ("abcdef", "abc…"),
            ("é", "é   "),
            ("e\u{301}", "e\u{301}   "),
            ("名", "名  "),
            ("名前", "名前"),
            ("名前の", "名… "),
        ] {
            assert_eq!(fitted(text, 4), cell);
        }
    }
}
