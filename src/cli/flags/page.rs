//! The documentation of the settings: the page `docs/settings.md`. It is made from the descriptions, and a test
//! keeps it up to date.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::model::settings::Settings;
use crate::settings::{self, Kind, Setting};

/// Set this variable to write the page instead of checking it.
const REFRESH: &str = "REFRESH_SETTINGS";

/// Refreshes the page.
const COMMAND: &str = "REFRESH_SETTINGS=1 cargo test --lib settings_are_documented";

const INTRODUCTION: &str = "\
# Settings

<!-- Made from src/settings/. Edit the descriptions there, and refresh this page with:
     REFRESH_SETTINGS=1 cargo test --lib settings_are_documented -->

Each setting is a flag and an environment variable. The flag wins. A wrong value ends the program at the
start, with a message on standard error and exit status 2.

A duration is one or more numbers with units: `90s`, `30m`, `2h 30m`, `14d`. A `BOOL` is `true` or `false`,
and a flag without a value means `true`. `codex-persistent-mcp doctor --all` lists the settings in force and where
each comes from.
";

fn page(defaults: &Settings) -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in settings::GROUPS {
        write!(page, "\n## {}\n", group.heading).expect("a string can be written to");
        for setting in group.settings {
            page += &section(setting, defaults);
        }
    }
    page
}

fn section(setting: &Setting, defaults: &Settings) -> String {
    let Setting { flag, variable, value_name, help, docs, .. } = setting;
    let mut section =
        format!("\n### `--{flag} {value_name}`\n\n{help}.\n\n- Variable: `{variable}`\n");
    if let Some(value) = value_of(&setting.kind) {
        section += &format!("- Value: {value}\n");
    }
    section += &format!("- Default: {}\n", default_of(setting, defaults));
    if let Some(former) = &setting.former {
        section += &format!(
            "- Former name, still valid: `--{}`, `{}`, a whole number of {}\n",
            former.flag,
            former.variable,
            former.unit.name()
        );
    }
    section + "\n" + docs + "\n"
}

/// What a value may be, where the help does not say that.
fn value_of(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Switch { .. } => "`true` or `false`".into(),
        Kind::Count { range, .. } if *range.end() == u32::MAX => {
            format!("a whole number from {} up", range.start())
        }
        Kind::Count { range, .. } => {
            format!("a whole number from {} to {}", range.start(), range.end())
        }
        Kind::Duration { range, .. } => format!("a duration {range}"),
        Kind::Text { .. } | Kind::List { .. } => return None,
    })
}

/// A phrase as it is, a value as code.
fn default_of(setting: &Setting, defaults: &Settings) -> String {
    let text = setting.default_text(defaults);
    if setting.default.is_some() { text } else { format!("`{text}`") }
}

#[test]
fn settings_are_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let page = page(&Settings::default());
    if std::env::var_os(REFRESH).is_some() {
        fs::write(&path, &page).expect("the checkout can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/settings.md is stale. Refresh it with: {COMMAND}");
}
