//! What unit tests share.

use std::path::PathBuf;

use crate::model::event::Event;

/// A folder for files of tests: beside the programs that were built, since the system's folder for
/// temporary files may be missing, full or another user's.
pub(crate) fn scratch() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    // It is target/PROFILE/deps/PROGRAM.
    let folder = program.ancestors().nth(3).expect("it is where cargo builds").join("tmp");
    std::fs::create_dir_all(&folder).expect("cargo has written there too");
    folder
}

/// An event, as Codex prints it.
pub(crate) fn event(line: &str) -> Event {
    Event::decode(line.as_bytes()).expect("the test writes events")
}

/// The start of an item with this kind and these fields, written as JSON.
pub(crate) fn started(kind_and_fields: &str) -> Event {
    event(&format!(r#"{{"type":"item.started","item":{{"id":"1",{kind_and_fields}}}}}"#))
}

/// The end of such an item.
pub(crate) fn completed(kind_and_fields: &str) -> Event {
    event(&format!(r#"{{"type":"item.completed","item":{{"id":"1",{kind_and_fields}}}}}"#))
}
