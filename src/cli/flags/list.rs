//! All settings, for a terminal: what `settings` and `help settings` print. The values of variables are not in it.

use std::fmt::Write;

use textwrap::{Options, WordSplitter};

use crate::cli::output::{Stream, columns};
use crate::model::settings::Settings;
use crate::settings;

/// The widest line: longer ones are hard to read.
const MAX_COLUMNS: usize = 100;

const INTRODUCTION: &str = "\
Each setting is a flag, which every command takes, and a variable. The flag wins. A duration is numbers with units: \
90s, 30m, 2h 30m. A BOOL is true or false, and a flag without a value means true. `doctor --all` shows the settings \
in force.";

/// The list, under headings.
pub(in crate::cli) fn text() -> String {
    let defaults = Settings::default();
    let width = columns(Stream::Out).min(MAX_COLUMNS);
    let options = || Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    let mut text = textwrap::fill(INTRODUCTION, options()) + "\n";
    for group in settings::GROUPS {
        write!(text, "\n{}:\n", group.heading).expect("a string takes all");
        for setting in group.settings {
            let default = setting.default_text(&defaults);
            let (flag, value, variable) = (setting.flag, setting.value_name, setting.variable);
            let about = format!("{} [default: {default}]", setting.help);
            let indent = options().initial_indent("      ").subsequent_indent("      ");
            let about = textwrap::fill(&about, indent);
            writeln!(text, "  --{flag} <{value}> [env: {variable}]\n{about}")
                .expect("a string takes all");
        }
    }
    text
}
