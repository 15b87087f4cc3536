//! What Codex is configured for, as far as a sandbox of our own must not take it away: read from
//! `config.toml`, and never written.
//!
//! Up to 0.120 a profile is a table `profiles.NAME` there, from 0.134 on a file `NAME.config.toml`
//! beside it. Where nothing names a sandbox, `codex exec` takes `workspace-write` in a directory that
//! the person trusts, and `read-only` elsewhere (measured on 0.77, 0.153 and 0.169).

use std::path::Path;

use toml::Table;

use crate::turn::request::Sandbox;

/// The sandbox in which Codex runs a new session in `working_dir` if nothing else is said.
pub(crate) fn sandbox(home: &Path, profile: Option<&str>, working_dir: &Path) -> Sandbox {
    let config = read(&home.join("config.toml")).unwrap_or_default();
    let layered = profile.and_then(|name| read(&home.join(format!("{name}.config.toml"))));
    let named = |table: &Table| table.get("sandbox_mode")?.as_str()?.parse().ok();
    let profile = profile.or_else(|| config.get("profile")?.as_str());
    let legacy = profile.and_then(|name| config.get("profiles")?.get(name)?.as_table());
    let trusted = is_trusted(&config, working_dir);
    let project = trusted.then(|| read(&working_dir.join(".codex/config.toml"))).flatten();
    let tables = [layered.as_ref(), legacy, project.as_ref(), Some(&config)];
    let default = if trusted { Sandbox::WorkspaceWrite } else { Sandbox::ReadOnly };
    tables.into_iter().flatten().find_map(named).unwrap_or(default)
}

/// Whether the person trusts the directory, or the nearest one around it of which they said anything.
fn is_trusted(config: &Table, working_dir: &Path) -> bool {
    let level = |dir: &Path| config.get("projects")?.get(dir.to_str()?)?.get("trust_level");
    let level = working_dir.ancestors().find_map(level);
    level.and_then(toml::Value::as_str) == Some("trusted")
}

fn read(path: &Path) -> Option<Table> {
    std::fs::read_to_string(path).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_setting_wins_and_without_one_it_is_a_matter_of_trust() {
        let home = std::env::temp_dir().join(format!("configured-{}", std::process::id()));
        fs::create_dir_all(&home).expect("writable");
        let here = |config: &str, profile: Option<&str>| {
            fs::write(home.join("config.toml"), config).expect("writable");
            sandbox(&home, profile, Path::new("/a/b"))
        };
        fs::write(home.join("loose.config.toml"), "sandbox_mode = \"danger-full-access\"")
            .expect("writable");
        assert_eq!(here("", None), Sandbox::ReadOnly);
        assert_eq!(here("not toml", None), Sandbox::ReadOnly);
        let trusted = "[projects.\"/a\"]\ntrust_level = \"trusted\"";
        assert_eq!(here(trusted, None), Sandbox::WorkspaceWrite);
        let not_here = format!("{trusted}\n[projects.\"/a/b\"]\ntrust_level = \"untrusted\"");
        assert_eq!(here(&not_here, None), Sandbox::ReadOnly);
        let write = "sandbox_mode = \"workspace-write\"";
        assert_eq!(here(write, None), Sandbox::WorkspaceWrite);
        assert_eq!(here(write, Some("loose")), Sandbox::DangerFullAccess);
        let legacy = "profile = \"old\"\n[profiles.old]\nsandbox_mode = \"danger-full-access\"";
        assert_eq!(here(legacy, None), Sandbox::DangerFullAccess);
        fs::remove_dir_all(&home).expect("it is there");
    }
}
