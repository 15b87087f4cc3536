//! All settings, for a terminal: what `settings` and `help settings` print.

use std::fmt::Write;

use crate::model::settings::Settings;
use crate::settings;

const INTRODUCTION: &str = "\
Each setting is a flag, which every command takes, and a variable. The flag wins.
A duration is numbers with units: 90s, 30m, 2h 30m. A BOOL is true or false, and a flag
without a value means true. `doctor --all` shows the settings in force.
";

/// The list, under headings.
pub(in crate::cli) fn text() -> String {
    let defaults = Settings::default();
    let mut text = INTRODUCTION.to_owned();
    for group in settings::GROUPS {
        write!(text, "\n{}:\n", group.heading).expect("a string takes all");
        for setting in group.settings {
            let default = setting.default_text(&defaults);
            write!(
                text,
                "  --{} <{}>\n      {} [default: {default}] [env: {}]\n",
                setting.flag, setting.value_name, setting.help, setting.variable
            )
            .expect("a string takes all");
        }
    }
    text
}
