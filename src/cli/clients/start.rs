//! How a client starts this program.

use std::path::{Component, Path};

use serde_json::Value;

const NAME: &str = env!("CARGO_PKG_NAME");

/// A command and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Start {
    program: String,
    arguments: Vec<String>,
}

impl Start {
    /// By its name if that is this program on the PATH, by `npx` if that brought it, else by its path.
    pub(in crate::cli) fn of_this() -> Self {
        let Ok(this) = std::env::current_exe() else { return Self::plain(NAME) };
        if is_of_npx(&this) {
            return Self::npx();
        }
        let is_on_path = which::which(NAME).is_ok_and(|found| is_same(&found, &this));
        if is_on_path { Self::plain(NAME) } else { Self::plain(&this.display().to_string()) }
    }

    /// A command without arguments.
    pub(super) fn plain(program: &str) -> Self {
        Self { program: program.to_owned(), arguments: Vec::new() }
    }

    /// By npm's `npx`, which installs the package if need be. On Windows it is a script, which only a shell runs.
    pub(super) fn npx() -> Self {
        let words = ["cmd", "/c", "npx", "-y", NAME];
        let words = if cfg!(windows) { &words[..] } else { &words[2..] };
        let arguments = words[1..].iter().map(|&word| word.to_owned()).collect();
        Self { program: words[0].to_owned(), arguments }
    }

    pub(in crate::cli) fn program(&self) -> &str {
        &self.program
    }

    pub(super) fn arguments(&self) -> Vec<Value> {
        self.arguments.iter().map(|word| word.as_str().into()).collect()
    }

    /// All words, as a shell reads them.
    pub(super) fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments).map(String::as_str);
        shlex::try_join(words.clone()).unwrap_or_else(|_| words.collect::<Vec<_>>().join(" "))
    }
}

/// Whether a word of a command is this program: its name, its path, or its npm package, such as
/// `codex-persistent-mcp@latest`.
pub(in crate::cli) fn is_this(word: &str) -> bool {
    let word = match word.rsplit_once('@') {
        Some((package, version)) if !version.contains(['/', '\\']) => package,
        _ => word,
    };
    Path::new(word).file_stem().is_some_and(|stem| stem == NAME)
}

/// Whether a program on the PATH is this one. npm's is a script, which starts the one that is beside it.
pub(in crate::cli) fn is_same(found: &Path, this: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let (Some(found), Some(this)) = (real(found), real(this)) else { return false };
    let is_launcher = found.ends_with(Path::new(NAME).join("launcher.js"));
    let modules = found.ancestors().nth(2).filter(|_| is_launcher);
    found == this || modules.is_some_and(|modules| this.starts_with(modules))
}

/// Whether the program is in the cache of `npx`, from which npm may remove it.
fn is_of_npx(program: &Path) -> bool {
    program.components().any(|it| matches!(it, Component::Normal(name) if name == "_npx"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_of_npm_is_this_program() {
        for word in [
            NAME,
            "/usr/bin/codex-persistent-mcp",
            "codex-persistent-mcp@latest",
            "codex-persistent-mcp@0.1.0",
        ] {
            assert!(is_this(word), "{word}");
        }
        for word in
            ["npx", "codex-persistent-mcp-linux-x64", "@scope/other@1", "/a@codex-persistent-mcp/b"]
        {
            assert!(!is_this(word), "{word}");
        }
    }

    #[test]
    fn a_program_in_the_cache_of_npx_is_started_by_npx() {
        let cached = "/home/me/.npm/_npx/8a6f/node_modules/codex-persistent-mcp-linux-x64/bin/codex-persistent-mcp";
        assert!(is_of_npx(Path::new(cached)));
        assert!(!is_of_npx(Path::new("/usr/lib/node_modules/x_npx/bin/codex-persistent-mcp")));
        assert!(Start::npx().line().ends_with("npx -y codex-persistent-mcp"));
    }
}
