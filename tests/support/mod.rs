//! The real Codex, the stand-ins for Codex and for the model, and a client.

#![allow(
    dead_code,
    unused_imports,
    reason = "every test program includes this and uses a part of it"
)]

#[cfg(unix)]
pub mod claude_model;
#[cfg(unix)]
pub mod client;
pub mod environment;
#[cfg(target_os = "linux")]
pub mod hung_disk;
pub mod model;
pub mod npm_registry;
pub mod real_codex;
#[cfg(target_os = "linux")]
pub mod small_disk;

use std::env;
use std::path::PathBuf;

/// The program that plays `codex` from a script.
///
/// # Panics
/// When it has not been built.
pub fn scripted_codex() -> PathBuf {
    example("scripted-codex")
}

/// An example of the package, which `cargo test` builds.
///
/// # Panics
/// When it has not been built.
pub fn example(name: &str) -> PathBuf {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let this = env::current_exe().expect("a running program has a path");
    this.ancestors()
        .map(|directory| directory.join("examples").join(&file))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "no examples/{file} near {}: run `cargo build --example {name}` with the same \
                 profile",
                this.display()
            )
        })
}
