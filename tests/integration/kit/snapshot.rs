//! Texts that the program shows, compared with snapshots beside the tests. CONTRIBUTING.md says how to
//! accept a change.

use insta::Settings;

use crate::kit::setup::PROGRAM;
use crate::support::real_codex::Home;
use crate::support::scripted_codex;

/// What differs between runs, and what stands for it in a snapshot. In tables it has the same width.
const FILTERS: [(&str, &str); 7] = [
    (
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    ),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"process \d+", "process <pid>"),
    // The ages of jobs of this test, and of sessions that were made for it.
    (r"\b\d{1,2}[smh] {3,4}", "age  "),
    (r"\b\d{3,5}d {4,6}", "age      "),
    (concat!("codex-persistent-mcp ", env!("CARGO_PKG_VERSION")), "codex-persistent-mcp <version>"),
    (concat!("mcp doctor ", env!("CARGO_PKG_VERSION")), "mcp doctor <version>"),
];

/// Expects a text to be that of the snapshot.
pub fn assert_snapshot(name: &str, text: &str) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("../scripted/snapshots");
    for (pattern, name) in FILTERS {
        settings.add_filter(pattern, name);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A text without the paths of this home and of the programs under test.
pub fn portable(home: &Home, text: &str) -> String {
    let codex = scripted_codex();
    let names = [
        (home.path(), "<codex-home>"),
        (home.project(), "<project>"),
        (home.state(), "<state>"),
        (home.user(), "<home>"),
        (PROGRAM.as_ref(), "<program>"),
        (codex.as_path(), "<codex>"),
    ];
    names.iter().fold(text.to_owned(), |text, (path, name)| {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let text = text.replace(&*real.to_string_lossy(), name);
        text.replace(&*path.to_string_lossy(), name)
    })
}
