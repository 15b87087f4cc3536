//! The library without MCP: the example of the crate's documentation, on the real Codex.

use std::process::Command;

use crate::setup::home;
use crate::support::example;
use crate::support::model::{Model, echo};
use crate::support::real_codex;

#[test]
fn the_documentation_s_example_asks_and_goes_on_in_the_same_session() {
    let model = Model::start(echo);
    let home = home(&model.url());
    // The library finds `codex` on the PATH, as a user's program does.
    let codex = real_codex::install().script.parent().expect("a file is in a directory");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(codex.to_owned()).chain(std::env::split_paths(&path)));
    let output = Command::new(example("ask"))
        .env("PATH", path.expect("these paths were in a PATH before"))
        .env("CODEX_HOME", home.path())
        .current_dir(home.project())
        .output()
        .expect("the example can be started");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = stdout.lines().collect();
    let session = lines[0].strip_prefix("session ").expect("the session comes first");
    assert_eq!(lines[1..3], ["echo: What is in this directory?", "echo: And what is it for?"]);
    assert_eq!(lines[3], format!("codex resume {session}"));
    let asked = model.wait_for(|request| request.last_user_text().contains("what is it for"));
    assert!(asked.user_texts().contains(&"What is in this directory?".into()));
}
