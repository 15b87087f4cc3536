//! The environment of Codex itself, and of the commands that it runs in its sandbox. Pure.
//!
//! Codex starts programs outside of the sandbox at every turn, found by the PATH: `git`, `lsb_release`,
//! `getconf`, a shell (seen on 0.153, 0.169 and 0.171). None of them may be led by what a turn can
//! write: neither by a folder on the PATH or in a variable like `LD_LIBRARY_PATH`, nor, for git, by the
//! repository that Codex works in. The commands get what they would have had.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use toml::{Table, Value};

use super::configured::EnvironmentPolicy;
use super::setting::Setting;

/// The variable that says which repository git works in, and one that there is not: so git runs no
/// filter, no `core.sshCommand` and no other program that a repository's configuration names.
const GIT_DIR: &str = "GIT_DIR";
const NO_REPOSITORY: &str = "/dev/null/none";

/// Variables by which every program loads something. The program that makes the sandbox gets what
/// commands get, and is not in the sandbox itself.
const LOADING: &[&str] = &[
    "DYLD_FRAMEWORK_PATH",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "GCONV_PATH",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LOCPATH",
];

/// Variables by which a shell or an interpreter runs something.
const LEADING: &[&str] = &[
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

/// Variables that a command without any of the client's secrets gets, where they are set.
pub(crate) const PLAIN: &[&str] = &[
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

/// What differs from this process's own environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Variables of Codex itself; `None` for one that it does not get.
    pub(crate) codex: Vec<(OsString, Option<OsString>)>,
    /// The names of variables that commands do not get from Codex.
    pub(crate) exclude: Vec<String>,
    /// Variables that only commands get.
    pub(crate) commands: Vec<(String, String)>,
}

/// The PATH, where Codex must not have it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// For Codex, and for commands too if there is none of their own.
    pub(crate) codex: OsString,
    /// For commands.
    pub(crate) commands: Option<String>,
}

impl Environment {
    /// The environment for a turn that is kept in a sandbox. `paths` is there if the PATH is not to be
    /// as it is; `is_safe` tells whether no turn can have written what lies at a path.
    pub(crate) fn kept(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        paths: Option<Paths>,
        is_safe: impl Fn(&Path) -> bool,
        configured: &EnvironmentPolicy,
    ) -> Self {
        let mut kept = Self::free(paths, configured);
        kept.exclude.clone_from(&configured.exclude);
        kept.codex.push((GIT_DIR.into(), Some(NO_REPOSITORY.into())));
        kept.exclude.push(GIT_DIR.into());
        for (name, value) in variables {
            let Some(known) = name.to_str() else { continue };
            let value = if known == GIT_DIR {
                value
            } else if LOADING.contains(&known) && !is_led_safely(&value, &is_safe) {
                // Commands have this from Codex, too.
                let safe = safe_parts(&value, &is_safe);
                kept.codex.push((name, safe));
                continue;
            } else if LEADING.contains(&known) && !is_led_safely(&value, &is_safe) {
                kept.codex.push((name.clone(), None));
                value
            } else {
                continue;
            };
            kept.for_commands(known, value.into_string().ok(), configured);
        }
        kept
    }

    /// The environment for a turn that is kept in no sandbox: the PATH alone may differ.
    pub(crate) fn free(paths: Option<Paths>, configured: &EnvironmentPolicy) -> Self {
        let mut free = Self::default();
        if let Some(Paths { codex, commands }) = paths {
            free.codex.push(("PATH".into(), Some(codex)));
            free.for_commands("PATH", commands, configured);
        }
        free
    }

    /// The settings of Codex's by which commands have what they have.
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

    /// Sets a variable for commands, unless the person does so themselves.
    fn for_commands(&mut self, name: &str, value: Option<String>, configured: &EnvironmentPolicy) {
        let own = configured.set.iter().any(|set| set == name);
        self.commands.extend(value.filter(|_| !own).map(|value| (name.to_owned(), value)));
    }
}

/// The parts of a list of paths that are safe; `None` if there is none.
fn safe_parts(value: &OsStr, is_safe: &impl Fn(&Path) -> bool) -> Option<OsString> {
    let text = value.to_string_lossy();
    let parts = text.split([':', ' ']).filter(|part| is_led_safely(part.as_ref(), is_safe));
    let safe = parts.collect::<Vec<_>>().join(":");
    (!safe.is_empty()).then(|| safe.into())
}

/// Whether every path in the value of a variable is safe. What is relative is taken from the directory
/// in which a program happens to run, where turns write; an empty part means that directory too.
fn is_led_safely(value: &OsStr, is_safe: &impl Fn(&Path) -> bool) -> bool {
    let text = value.to_string_lossy();
    let divides = |char: char| char.is_whitespace() || ":;,=".contains(char);
    text.split(divides).all(|part| {
        let path = Path::new(part);
        // An option is none of a path.
        part.starts_with('-')
            || (path.is_absolute() && path.canonicalize().is_ok_and(|real| is_safe(&real)))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn kept(variables: &[(&str, &str)], paths: Option<Paths>) -> Environment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let configured =
            EnvironmentPolicy { exclude: vec!["MY_*".into()], set: vec!["NODE_PATH".into()] };
        Environment::kept(variables, paths, |path| path.starts_with("/usr"), &configured)
    }

    fn pairs(of: &Environment) -> Vec<(&str, Option<&str>)> {
        let text = |text: &'_ OsString| -> &'static str {
            Box::leak(text.to_string_lossy().into_owned().into_boxed_str())
        };
        of.codex.iter().map(|(name, value)| (text(name), value.as_ref().map(text))).collect()
    }

    #[test]
    fn codex_has_no_repository_and_commands_have_theirs() {
        let plain = kept(&[("HOME", "/h"), ("LANG", "C")], None);
        assert_eq!(pairs(&plain), [("GIT_DIR", Some("/dev/null/none"))]);
        assert_eq!(plain.exclude, ["MY_*", "GIT_DIR"]);
        assert!(plain.commands.is_empty());
        let own = kept(&[("GIT_DIR", "/h/dotfiles.git")], None);
        assert_eq!(pairs(&own), pairs(&plain));
        assert_eq!(own.commands, [("GIT_DIR".to_owned(), "/h/dotfiles.git".to_owned())]);
    }

    #[test]
    fn codex_takes_programs_and_libraries_from_safe_places_and_commands_from_all() {
        let paths = Paths { codex: "/usr/bin".into(), commands: Some("/p/.venv/bin".into()) };
        let led = [
            ("PATH", "/p/.venv/bin"),
            ("LD_LIBRARY_PATH", "/usr:/p/lib"),
            ("PYTHONPATH", ""),
            ("PERL5LIB", "/usr"),
            ("NODE_PATH", "/p"),
            ("NODE_OPTIONS", "--require=/p/x.js"),
        ];
        let kept = kept(&led, Some(paths));
        assert_eq!(
            pairs(&kept),
            [
                ("PATH", Some("/usr/bin")),
                ("GIT_DIR", Some("/dev/null/none")),
                ("LD_LIBRARY_PATH", Some("/usr")),
                ("PYTHONPATH", None),
                ("NODE_PATH", None),
                ("NODE_OPTIONS", None),
            ]
        );
        let names: Vec<&str> = kept.commands.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PATH", "PYTHONPATH", "NODE_OPTIONS"]);
    }
}
