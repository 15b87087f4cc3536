//! Arranges where a turn may write, so that its own commands cannot replace one of these folders. Pure,
//! except that it resolves paths.
//!
//! Codex resolves the folders by name for each command. So none may lie in another: a folder within
//! another is left out, and a folder around the working directory is excluded or refused. A mount point
//! in the sandbox does not protect a folder: a command of an ordinary user can leave the mounts behind
//! and rename it through a handle (measured on 0.153 and 0.171).

use std::path::{Path, PathBuf};

use toml::Value;

use crate::admission::folders::READ_ONLY_NAMES;
use crate::codex::configured::{Configured, Requirements};
use crate::codex::setting::Setting;
use crate::model::options::Options;
use crate::model::outcome::FailureKind;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::session::writable_roots::{Temp, TempKind, WritableRoots};
use crate::system::links::{follow, is_within};

/// The folders for temporary files in which Codex lets all commands write that may write at all.
const TEMPORARY: [TempKind; 2] = [TempKind::SlashTmp, TempKind::TmpDir];

/// The setting that has Codex exclude a folder for temporary files.
pub(super) fn exclusion(which: TempKind) -> &'static str {
    match which {
        TempKind::SlashTmp => "sandbox_workspace_write.exclude_slash_tmp",
        TempKind::TmpDir => "sandbox_workspace_write.exclude_tmpdir_env_var",
    }
}

/// The folders for temporary files on this machine.
pub(super) fn temporary() -> Vec<Temp> {
    let folder = |which| match which {
        TempKind::SlashTmp => Some(PathBuf::from("/tmp")),
        TempKind::TmpDir => std::env::var_os("TMPDIR").map(PathBuf::from),
    };
    let temp = |which| {
        let (real, links) = follow(&folder(which).filter(|folder| folder.is_absolute())?);
        let links = links.iter().map(|link| text(link)).collect();
        Some(Temp { which, folder: text(&real), links })
    };
    TEMPORARY.into_iter().filter_map(temp).collect()
}

/// Where a turn may write, and the settings by which Codex ensures that.
#[derive(Debug, Default)]
pub(super) struct Arranged {
    pub(super) roots: Option<WritableRoots>,
    /// The settings that exclude folders for temporary files.
    pub(super) excluded: Vec<&'static str>,
    pub(super) settings: Vec<Setting>,
    pub(super) warnings: Vec<String>,
}

/// What the folders of a turn are arranged by.
pub(super) struct Context<'a> {
    pub(super) configured: &'a Configured,
    pub(super) codex_home: Option<&'a Path>,
    /// Settings of folders for temporary files that are excluded already.
    pub(super) excluded: &'a [&'static str],
    /// Folders that the policy names, which must stay where they are.
    pub(super) fixed: Vec<PathBuf>,
}

/// Arranges the folders of a turn that may write in `working_dir`. Removes from the options the
/// directories that lie in others.
///
/// # Errors
///
/// An added directory lies around the working directory.
pub(super) fn arrange(
    working_dir: &WorkingDir,
    options: &mut Options,
    context: Context<'_>,
) -> Result<Arranged, FailureKind> {
    let Context { configured, codex_home, excluded, fixed } = context;
    let cwd = working_dir.as_path();
    let is_excluded = |which: TempKind| {
        excluded.contains(&exclusion(which)) || configured.is_set(exclusion(which))
    };
    let as_configured: Vec<PathBuf> = configured.writable_roots();
    let folders = Folders {
        cwd: cwd.to_owned(),
        add_dirs: options.add_dirs.iter().map(|dir| dir.as_path().to_owned()).collect(),
        configured: as_configured.iter().map(|dir| resolved(dir, codex_home)).collect(),
        temp: temporary().into_iter().filter(|temp| !is_excluded(temp.which)).collect(),
        fixed,
    };
    let shielded: Vec<PathBuf> =
        folders.configured.iter().filter(|dir| folders.is_shielded(dir)).cloned().collect();
    let arrangement = folders.arrange().map_err(|around| {
        let problem = format!(
            "has {}, which contains the turn's directory {}: a command could replace that directory with a \
             link to anywhere; set cwd to {0}, or remove {0} from add_dirs",
            around.display(),
            cwd.display()
        );
        FailureKind::BadInput { field: "add_dirs".into(), problem: InvalidValue(problem) }
    })?;
    options.add_dirs.retain(|dir| arrangement.add_dirs.iter().any(|kept| kept == dir.as_path()));
    let mut settings = Vec::new();
    if arrangement.configured != as_configured {
        let roots = arrangement.configured.iter().map(|root| Value::from(text(root)));
        let key = "sandbox_workspace_write.writable_roots";
        settings.push((key.to_owned(), Value::Array(roots.collect())));
    }
    let mut roots = arrangement.roots();
    if configured.requirements() == Requirements::Profiles {
        // Here Codex ignores the settings that exclude these folders, so they cannot be yielded.
        roots.own.extend(roots.temp.drain(..).map(|temp| temp.folder));
    }
    Ok(Arranged {
        roots: Some(roots),
        excluded: arrangement.excluded.iter().map(|which| exclusion(*which)).collect(),
        settings,
        warnings: warnings(&arrangement.left_out, &shielded),
    })
}

/// Warnings about configured folders in which the turn cannot write.
fn warnings(left_out: &[PathBuf], shielded: &[PathBuf]) -> Vec<String> {
    let mut warnings = Vec::new();
    if !left_out.is_empty() {
        warnings.push(format!(
            "Codex is configured to let commands write to {}, which contains the turn's directory or an \
             allowed one. That setting was ignored, because a command could replace such a directory with \
             a link to anywhere.",
            listed(left_out)
        ));
    }
    if !shielded.is_empty() {
        warnings.push(format!(
            "Codex is configured to let commands write to {}, which it otherwise keeps read-only. That \
             setting was ignored, because a command could replace such a folder with a link to anywhere.",
            listed(shielded)
        ));
    }
    warnings
}

/// The folders of a turn as requested and configured, with all paths resolved.
#[derive(Debug, Clone, Default)]
struct Folders {
    cwd: PathBuf,
    add_dirs: Vec<PathBuf>,
    configured: Vec<PathBuf>,
    temp: Vec<Temp>,
    /// Folders that the policy names, which must stay where they are.
    fixed: Vec<PathBuf>,
}

/// The same without folders within others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrangement {
    cwd: PathBuf,
    add_dirs: Vec<PathBuf>,
    configured: Vec<PathBuf>,
    temp: Vec<Temp>,
    /// Configured folders that lie around the working directory or around a folder of the policy.
    left_out: Vec<PathBuf>,
    excluded: Vec<TempKind>,
}

impl Folders {
    /// Whether a folder lies in one of the turn's, in a part that Codex does not let commands write.
    fn is_shielded(&self, dir: &Path) -> bool {
        let parts = self.add_dirs.iter().chain([&self.cwd]);
        let mut parts = parts.filter_map(|own| dir.strip_prefix(own).ok()).flat_map(Path::iter);
        parts.any(|part| READ_ONLY_NAMES.iter().any(|name| part == *name))
    }

    /// Leaves out folders within others. Returns as an error an added directory around the working
    /// directory, since the caller named both.
    fn arrange(self) -> Result<Arrangement, PathBuf> {
        let Self { cwd, add_dirs, configured, temp, fixed } = self;
        if let Some(around) = add_dirs.iter().find(|dir| is_within(&cwd, dir)) {
            return Err(around.clone());
        }
        let (left_out, configured): (Vec<_>, Vec<_>) = configured
            .into_iter()
            .partition(|dir| fixed.iter().chain([&cwd]).any(|it| is_within(it, dir)));
        // A folder around what the request names cannot be yielded without losing that.
        let named = || add_dirs.iter().chain([&cwd]);
        let (around, temp): (Vec<_>, Vec<_>) = temp.into_iter().partition(|temp| {
            let mut inner = named().chain(&fixed);
            inner.any(|dir| is_within(dir, Path::new(&temp.folder)))
        });
        let mut excluded: Vec<TempKind> = around.iter().map(|temp| temp.which).collect();

        let own: Vec<PathBuf> = named().chain(&configured).cloned().collect();
        let is_outermost = |dir: &PathBuf| !own.iter().any(|other| is_within(dir, other));
        let in_temp =
            |dir: &PathBuf| temp.iter().any(|temp| is_within(dir, Path::new(&temp.folder)));
        let add_dirs = add_dirs.iter().filter(|dir| is_outermost(dir)).cloned().collect();
        let configured =
            configured.iter().filter(|dir| is_outermost(dir) && !in_temp(dir)).cloned().collect();
        let is_led = |one: &Temp, other: &Path| {
            let mut names = one.links.iter().chain([&one.folder]);
            names.any(|name| is_within(Path::new(name), other))
        };
        let within = |one: &Temp| {
            own.iter().any(|dir| is_led(one, dir))
                || temp.iter().any(|other| is_led(one, Path::new(&other.folder)))
        };
        excluded.extend(temp.iter().filter(|one| within(one)).map(|one| one.which));
        let temp = temp.iter().filter(|one| !within(one)).cloned().collect();
        Ok(Arrangement { cwd, add_dirs, configured, temp, left_out, excluded })
    }
}

impl Arrangement {
    /// What other turns must know, each folder once.
    fn roots(&self) -> WritableRoots {
        let mut roots = WritableRoots::default();
        for dir in self.add_dirs.iter().chain(&self.configured).chain([&self.cwd]) {
            let dir = text(dir);
            if !roots.own.contains(&dir) {
                roots.own.push(dir);
            }
        }
        for temp in &self.temp {
            if !roots.own.contains(&temp.folder)
                && !roots.temp.iter().any(|listed| listed.folder == temp.folder)
            {
                roots.temp.push(temp.clone());
            }
        }
        roots
    }
}

/// A configured folder, resolved. Codex takes a relative path as one in its home.
fn resolved(dir: &Path, home: Option<&Path>) -> PathBuf {
    let dir = match dir.strip_prefix("~") {
        Ok(rest) => std::env::home_dir().unwrap_or_default().join(rest),
        Err(_) => home.unwrap_or(Path::new("/")).join(dir),
    };
    follow(&dir).0
}

fn listed(dirs: &[PathBuf]) -> String {
    dirs.iter().map(|dir| text(dir)).collect::<Vec<_>>().join(", ")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn temp(which: TempKind, folder: &str, links: &[&str]) -> Temp {
        let links = links.iter().map(|&link| link.into()).collect();
        Temp { which, folder: folder.into(), links }
    }

    fn slash_tmp() -> Temp {
        temp(TempKind::SlashTmp, "/tmp", &[])
    }

    fn folders(cwd: &str, add_dirs: &[&str], configured: &[&str], temp: Vec<Temp>) -> Folders {
        let (add_dirs, configured) = (paths(add_dirs), paths(configured));
        Folders { cwd: cwd.into(), add_dirs, configured, temp, fixed: Vec::new() }
    }

    #[test]
    fn a_folder_in_another_is_left_out() {
        let given = folders(
            "/a",
            &["/a/b", "/c", "/c/d", "/a"],
            &["/c/e", "/f", "/tmp/g"],
            vec![slash_tmp()],
        );
        let arranged = given.arrange().expect("nothing is around the directory");
        assert_eq!(arranged.add_dirs, paths(&["/c", "/a"]));
        assert_eq!(arranged.configured, paths(&["/f"]));
        assert_eq!((&arranged.left_out, &arranged.excluded), (&vec![], &vec![]));
        let roots = arranged.roots();
        assert_eq!(roots.own, ["/c", "/a", "/f"]);
        assert_eq!(roots.temp, [slash_tmp()]);
    }

    #[test]
    fn a_folder_around_the_directory_is_excluded_left_out_or_refused() {
        let arrange = |cwd: &str, add_dirs: &[&str], configured: &[&str]| {
            folders(cwd, add_dirs, configured, vec![slash_tmp()]).arrange()
        };
        assert_eq!(arrange("/a/b/c", &["/x", "/a"], &[]), Err("/a".into()));
        assert_eq!(arrange("/a/b", &["/a"], &[]), Err("/a".into()));
        let configured = arrange("/a/b", &[], &["/a", "/c"]).expect("no added one is around it");
        assert_eq!(configured.left_out, paths(&["/a"]));
        assert_eq!(configured.configured, paths(&["/c"]));
        for (cwd, add_dirs) in [("/tmp/a", &[][..]), ("/tmp/a/b", &[]), ("/a", &["/tmp/b"])] {
            let in_tmp = arrange(cwd, add_dirs, &[]).expect("no added one is around it");
            assert_eq!(in_tmp.excluded, [TempKind::SlashTmp], "{cwd}");
            assert!(in_tmp.roots().temp.is_empty());
            assert_eq!(in_tmp.add_dirs, paths(add_dirs));
        }
        let mut fixed = folders("/a", &[], &["/b"], vec![slash_tmp()]);
        fixed.fixed = paths(&["/a", "/b/c", "/tmp/d"]);
        let fixed = fixed.arrange().expect("no added one is around it");
        assert_eq!((fixed.left_out, fixed.excluded), (paths(&["/b"]), vec![TempKind::SlashTmp]));
        let itself = arrange("/tmp", &[], &[]).expect("no added one is around it");
        assert!(itself.excluded.is_empty());
        assert_eq!(
            itself.roots(),
            WritableRoots { own: vec!["/tmp".into()], ..WritableRoots::default() }
        );
    }

    #[test]
    fn a_temporary_folder_in_a_writable_one_is_excluded() {
        for (folder, links, is_excluded) in [
            ("/a/tmp", &[][..], true),
            ("/a/b/tmp", &[], true),
            ("/tmp/mine", &[], true),
            ("/elsewhere", &[], false),
            ("/elsewhere", &["/a/link"], true),
            ("/elsewhere", &["/tmp/link"], true),
            ("/elsewhere", &["/link"], false),
            ("/tmp", &[], false),
        ] {
            let tmpdir = temp(TempKind::TmpDir, folder, links);
            let given = folders("/a", &[], &[], vec![slash_tmp(), tmpdir]);
            let arranged = given.arrange().expect("nothing is around the directory");
            let expected = if is_excluded { vec![TempKind::TmpDir] } else { Vec::new() };
            assert_eq!(arranged.excluded, expected, "{folder} {links:?}");
            let shared = arranged.roots().temp.len();
            assert_eq!(
                shared,
                if is_excluded || folder == "/tmp" { 1 } else { 2 },
                "{folder} {links:?}"
            );
        }
        // A folder around the working directory is excluded itself, so it excludes no other.
        let tmpdir = temp(TempKind::TmpDir, "/tmp/mine", &[]);
        let given = folders("/tmp/a", &[], &[], vec![slash_tmp(), tmpdir.clone()]);
        let arranged = given.arrange().expect("nothing is around the directory");
        assert_eq!((arranged.excluded, arranged.temp), (vec![TempKind::SlashTmp], vec![tmpdir]));
    }
}
