//! The environment of Codex itself, and of the commands that it runs in its sandbox. Pure.
//!
//! In every turn Codex starts programs from the PATH outside the sandbox: `git`, `lsb_release`, `getconf` and
//! a shell (seen on 0.153, 0.169 and 0.171). Nothing that a turn can write to may influence them: no folder
//! on the PATH or in a variable such as `LD_LIBRARY_PATH` and, for git, not the repository that Codex works
//! in. The commands themselves still get their original environment.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use toml::{Table, Value};

use super::configured::EnvironmentPolicy;
use super::setting::Setting;

/// The variable that selects git's repository, and a nonexistent repository. With it, git runs no filter, no
/// `core.sshCommand` and no other program that a repository configures.
const GIT_DIR: &str = "GIT_DIR";
const NO_REPOSITORY: &str = "/dev/null/none";

/// Variables that make every program load code or data. The program that sets up the sandbox receives the
/// environment of the commands but runs outside the sandbox, so commands do not keep unsafe parts either.
const LOADER_VARIABLES: &[&str] = &[
    "DYLD_FRAMEWORK_PATH",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "GCONV_PATH",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LOCPATH",
];

/// Variables that make a shell or interpreter run code.
const INTERPRETER_VARIABLES: &[&str] = &[
    "BASH_ENV",
    "ENV",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "SHELL",
    "ZDOTDIR",
];

/// The basic variables, which hold no secrets.
pub(crate) const PLAIN_VARIABLES: &[&str] = &[
    "COLORTERM",
    "HOME",
    "LANG",
    "LC_*",
    "LOGNAME",
    "NO_COLOR",
    "PATH",
    "PATHEXT",
    "SHELL",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "USERNAME",
    "USERPROFILE",
    "XDG_*",
];

/// The differences from this process's own environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Variables of Codex itself; `None` removes one.
    pub(crate) codex: Vec<(OsString, Option<OsString>)>,
    /// Names of variables that commands do not inherit from Codex.
    pub(crate) exclude: Vec<String>,
    /// Variables that only commands receive.
    pub(crate) commands: Vec<(String, String)>,
}

/// The PATH, if Codex must not use it unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// For Codex, and for commands if `commands` is `None`.
    pub(crate) codex: OsString,
    /// For commands only.
    pub(crate) commands: Option<String>,
}

impl Environment {
    /// The environment for a confined turn. `paths` replaces the PATH; `is_safe` says whether no turn can
    /// have created or changed the file at a path.
    pub(crate) fn confined(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        paths: Option<Paths>,
        is_safe: impl Fn(&Path) -> bool,
        configured: &EnvironmentPolicy,
    ) -> Self {
        let mut environment = Self::unconfined(paths, configured);
        environment.exclude.clone_from(&configured.exclude);
        environment.codex.push((GIT_DIR.into(), Some(NO_REPOSITORY.into())));
        environment.exclude.push(GIT_DIR.into());
        for (name, value) in variables {
            let Some(known) = name.to_str() else { continue };
            let value = if known == GIT_DIR {
                value
            } else if LOADER_VARIABLES.contains(&known) && !has_only_safe_paths(&value, &is_safe) {
                // Commands inherit this from Codex too.
                let safe = safe_parts(&value, &is_safe);
                environment.codex.push((name, safe));
                continue;
            } else if INTERPRETER_VARIABLES.contains(&known)
                && !has_only_safe_paths(&value, &is_safe)
            {
                environment.codex.push((name.clone(), None));
                value
            } else {
                continue;
            };
            environment.for_commands(known, value.into_string().ok(), configured);
        }
        environment
    }

    /// The environment for an unconfined turn, in which only the PATH may differ.
    pub(crate) fn unconfined(paths: Option<Paths>, configured: &EnvironmentPolicy) -> Self {
        let mut environment = Self::default();
        if let Some(Paths { codex, commands }) = paths {
            environment.codex.push(("PATH".into(), Some(codex)));
            environment.for_commands("PATH", commands, configured);
        }
        environment
    }

    /// The settings that make Codex apply the differences to its commands.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        if !self.exclude.is_empty() {
            let names = self.exclude.iter().cloned().map(Value::from).collect();
            settings.push(("shell_environment_policy.exclude".into(), Value::Array(names)));
        }
        if !self.commands.is_empty() {
            let variables = self.commands.iter().cloned();
            let variables = variables.map(|(name, value)| (name, value.into())).collect::<Table>();
            settings.push(("shell_environment_policy.set".into(), variables.into()));
        }
        settings
    }

    /// Sets a variable for commands, unless the user's configuration sets it.
    fn for_commands(&mut self, name: &str, value: Option<String>, configured: &EnvironmentPolicy) {
        let own = configured.set.iter().any(|set| set == name);
        self.commands.extend(value.filter(|_| !own).map(|value| (name.to_owned(), value)));
    }
}

/// The safe parts of a list of paths, or `None` if there are none.
fn safe_parts(value: &OsStr, is_safe: &impl Fn(&Path) -> bool) -> Option<OsString> {
    let text = value.to_string_lossy();
    let parts = text.split([':', ' ']).filter(|part| has_only_safe_paths(part.as_ref(), is_safe));
    let safe = parts.collect::<Vec<_>>().join(":");
    (!safe.is_empty()).then(|| safe.into())
}

/// Whether every path in the value of a variable is safe. Relative paths and empty parts are not: they refer
/// to the working directory, which turns may write to.
fn has_only_safe_paths(value: &OsStr, is_safe: &impl Fn(&Path) -> bool) -> bool {
    let text = value.to_string_lossy();
    let is_separator = |char: char| char.is_whitespace() || ":;,=".contains(char);
    text.split(is_separator).all(|part| {
        let path = Path::new(part);
        // An option is not a path.
        part.starts_with('-')
            || (path.is_absolute() && path.canonicalize().is_ok_and(|real| is_safe(&real)))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn confined(variables: &[(&str, &str)], paths: Option<Paths>) -> Environment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let configured =
            EnvironmentPolicy { exclude: vec!["MY_*".into()], set: vec!["NODE_PATH".into()] };
        Environment::confined(variables, paths, |path| path.starts_with("/usr"), &configured)
    }

    fn pairs(of: &Environment) -> Vec<(&str, Option<&str>)> {
        let text = |text: &'_ OsString| -> &'static str {
            Box::leak(text.to_string_lossy().into_owned().into_boxed_str())
        };
        of.codex.iter().map(|(name, value)| (text(name), value.as_ref().map(text))).collect()
    }

    #[test]
    fn codex_has_no_repository_but_commands_keep_theirs() {
        let plain = confined(&[("HOME", "/h"), ("LANG", "C")], None);
        assert_eq!(pairs(&plain), [("GIT_DIR", Some("/dev/null/none"))]);
        assert_eq!(plain.exclude, ["MY_*", "GIT_DIR"]);
        assert!(plain.commands.is_empty());
        let own = confined(&[("GIT_DIR", "/h/dotfiles.git")], None);
        assert_eq!(pairs(&own), pairs(&plain));
        assert_eq!(own.commands, [("GIT_DIR".to_owned(), "/h/dotfiles.git".to_owned())]);
    }

    #[test]
    fn only_codex_is_limited_to_safe_programs_and_libraries() {
        let paths = Paths { codex: "/usr/bin".into(), commands: Some("/p/.venv/bin".into()) };
        let variables = [
            ("PATH", "/p/.venv/bin"),
            ("LD_LIBRARY_PATH", "/usr:/p/lib"),
            ("PYTHONPATH", ""),
            ("PERL5LIB", "/usr"),
            ("NODE_PATH", "/p"),
            ("NODE_OPTIONS", "--require=/p/x.js"),
        ];
        let environment = confined(&variables, Some(paths));
        assert_eq!(
            pairs(&environment),
            [
                ("PATH", Some("/usr/bin")),
                ("GIT_DIR", Some("/dev/null/none")),
                ("LD_LIBRARY_PATH", Some("/usr")),
                ("PYTHONPATH", None),
                ("NODE_PATH", None),
                ("NODE_OPTIONS", None),
            ]
        );
        let names: Vec<&str> = environment.commands.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PATH", "PYTHONPATH", "NODE_OPTIONS"]);
    }
}
