//! What `docs/settings.md` says of a variable, for tests of packages that ask for it.

use crate::repository;

/// The default, as it is written. The page is made from the program's own descriptions.
///
/// # Panics
/// If the program has no such variable.
pub fn documented_default(variable: &str) -> String {
    let page = repository::read("docs/settings.md").expect("it exists");
    let rest = page.split_once(&format!("- Variable: `{variable}`\n"));
    let (_, rest) = rest.unwrap_or_else(|| panic!("the program has no variable {variable}"));
    let line = rest.lines().find_map(|line| line.strip_prefix("- Default: "));
    line.unwrap_or_default().trim_matches('`').to_owned()
}
