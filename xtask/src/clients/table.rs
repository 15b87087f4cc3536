//! The table of clients, on the terminal and in `docs/compatibility.md`.

use super::Tried;
use crate::generated::Part;
use crate::{Failure, repository};

const PAGE: &str = "docs/compatibility.md";
const PART: Part = Part { begin: "<!-- made by cargo xtask clients -->\n", end: "<!-- end -->\n" };

/// The table, in Markdown.
pub fn table(all: &[Tried]) -> String {
    let mut text = "| client | version | connects | lists | calls | waits for a call by default | changed by | what is special |\n\
        |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for tried in all {
        let client = tried.client;
        let version = tried.version.as_deref().unwrap_or("not available");
        let seen = [tried.seen.connects, tried.seen.lists, tried.seen.calls];
        let [connects, lists, calls] = seen.map(|seen| if seen { "yes" } else { "no" });
        let (title, page) = (client.title, client.page);
        let (waits, special) = (client.waits, client.special);
        let setting = client.limit.map_or(String::new(), |limit| format!("`{}`", limit.setting));
        text += &format!(
            "| [{title}](clients/{page}) | {version} | {connects} | {lists} | {calls} | {waits} | {setting} | {special} |\n"
        );
    }
    text
}

/// Puts the table into the page.
///
/// # Errors
/// If the page has no place for it.
pub fn write(all: &[Tried]) -> Result<(), Failure> {
    let page = PART.replaced(&repository::read(PAGE)?, &table(all))?;
    repository::write(PAGE, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::list::CLIENTS;
    use crate::clients::run::Seen;

    /// What is in a row, without what comes from a run: the version, and whether the client passed.
    fn fixed(table: &str) -> Vec<Vec<&str>> {
        let rows = table.lines().filter(|line| line.starts_with("| ["));
        let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
        cells.map(|cells| [&cells[..1], &cells[5..]].concat()).collect()
    }

    #[test]
    fn the_page_has_a_row_for_each_client() {
        let tried = CLIENTS.iter().map(|client| Tried {
            client,
            version: None,
            seen: Seen::default(),
            failure: None,
        });
        let expected = table(&tried.collect::<Vec<_>>());
        let page = repository::read(PAGE).expect("it is there");
        let shown = PART.of(&page);
        assert_eq!(fixed(shown), fixed(&expected), "run cargo xtask clients --write");
        assert!(!shown.contains(" no |"), "a client did not pass");
    }
}
