//! All tools. A new one is defined in a file of its family, and gets a line here.

use std::sync::LazyLock;

use super::definition::Tool;
use super::{chat, guard, job, sessions};

/// In the order in which clients list them.
static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    vec![
        chat::tool(),
        guard::plan(),
        guard::work(),
        job::start::tool(),
        job::wait::tool(),
        job::events::tool(),
        job::reply::tool(),
        job::notifications::tool(),
        job::list::tool(),
        job::cancel::tool(),
        sessions::list::tool(),
        sessions::read::tool(),
    ]
});

/// All tools, in the order in which they are listed.
pub(crate) fn all() -> &'static [Tool] {
    &ALL
}

/// The tool of this name.
pub(crate) fn named(name: &str) -> Option<&'static Tool> {
    all().iter().find(|tool| tool.name() == name)
}
