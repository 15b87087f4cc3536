//! Which turns may run at the same time, depending on where they may write. Pure: does not access
//! the disk.
//!
//! Codex finds the folders of a sandbox by name, again for each command. A turn that may write in
//! the parent of such a folder can replace the folder by a link to anywhere, and a command of the
//! other turn then writes there. So no turn runs while another may write in a parent of one of its
//! folders.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::system::links;

/// The folders in which a turn may write, with links resolved. Stored as text for the table: two
/// different names that are not Unicode may look the same, in which case turns wait more often than
/// needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WritableRoots {
    /// The folders that it was given to work in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) own: Vec<String>,
    /// Folders for temporary files. A turn does without a clashing one rather than wait for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) temp: Vec<Temp>,
    /// There are too many to list in the table, so other turns must assume any folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) any: bool,
}

/// A folder for temporary files that is not inside another folder of the turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Temp {
    pub(crate) which: TempKind,
    pub(crate) folder: String,
    /// Symbolic links through which its name leads there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<String>,
}

/// How Codex refers to a folder for temporary files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TempKind {
    /// `/tmp`.
    SlashTmp,
    /// The value of `TMPDIR`.
    TmpDir,
}

/// Two folders of two turns, one inside the other, so that these turns must not run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clash {
    /// Where the other turn may write, or a folder that it was given.
    pub(crate) theirs: String,
    pub(crate) mine: String,
}

impl WritableRoots {
    /// The form for more folders than the table has room for.
    pub(crate) fn shortened() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// The clash for which this turn must wait, beside a turn that `runs` or waits in front of it.
    ///
    /// A waiting turn drops its folders for temporary files when its turn comes, if it must.
    pub(crate) fn clash(&self, other: &Self, runs: bool) -> Option<Clash> {
        if self.any || other.any {
            let first = |roots: &Self| roots.own.first().cloned().unwrap_or_default();
            return Some(Clash { theirs: first(other), mine: first(self) });
        }
        let theirs = || other.folders().filter(|(_, temp)| runs || !temp).map(|(name, _)| name);
        let names = || other.names().filter(|(_, temp)| runs || !temp).map(|(name, _)| name);
        self.own.iter().find_map(|mine| {
            let within = theirs().find(|theirs| is_within(mine, theirs));
            let around = || names().find(|theirs| is_within(theirs, mine));
            let theirs = within.or_else(around)?;
            Some(Clash { theirs: theirs.to_owned(), mine: mine.clone() })
        })
    }

    /// Drops the folders for temporary files that clash with those of the other turn.
    pub(crate) fn drop_clashing_temp(&mut self, other: &Self, runs: bool) {
        self.temp.retain(|temp| {
            let holds = other.names().any(|(name, _)| is_within(name, &temp.folder));
            let lies = |name: &str| other.folders().any(|(folder, _)| is_within(name, folder));
            let lies = runs && temp.names().any(lies);
            !(holds || lies || other.any)
        });
    }

    /// Where it may write, and whether that is for temporary files.
    fn folders(&self) -> impl Iterator<Item = (&str, bool)> {
        let own = self.own.iter().map(|folder| (folder.as_str(), false));
        own.chain(self.temp.iter().map(|temp| (temp.folder.as_str(), true)))
    }

    /// Names that nobody may replace while it runs.
    fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        let own = self.own.iter().map(|folder| (folder.as_str(), false));
        own.chain(self.temp.iter().flat_map(Temp::names).map(|name| (name, true)))
    }
}

impl Temp {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.links.iter().chain([&self.folder]).map(String::as_str)
    }
}

fn is_within(name: &str, folder: &str) -> bool {
    links::is_within(Path::new(name), Path::new(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(own: &[&str], temp: &[&str]) -> WritableRoots {
        let temp = temp.iter().map(|folder| Temp {
            which: TempKind::SlashTmp,
            folder: (*folder).into(),
            links: Vec::new(),
        });
        WritableRoots {
            own: own.iter().map(|&own| own.into()).collect(),
            temp: temp.collect(),
            any: false,
        }
    }

    fn clash(mine: &WritableRoots, other: &WritableRoots, runs: bool) -> bool {
        mine.clash(other, runs).is_some()
    }

    #[test]
    fn only_nested_folders_clash_whichever_came_first() {
        let parent = roots(&["/a"], &["/tmp"]);
        for (own, with_parent) in [
            ("/a", false),
            ("/a/b", true),
            ("/a/b/c", true),
            ("/ab", false),
            ("/b", false),
            ("/", true),
        ] {
            let other = roots(&[own], &["/tmp"]);
            for runs in [true, false] {
                assert_eq!(clash(&parent, &other, runs), with_parent, "{own}");
                assert_eq!(clash(&other, &parent, runs), with_parent, "{own}");
            }
        }
        let two = roots(&["/x", "/a/b"], &[]);
        assert_eq!(
            two.clash(&parent, true),
            Some(Clash { theirs: "/a".into(), mine: "/a/b".into() })
        );
    }

    #[test]
    fn a_turn_waits_for_a_temporary_folder_only_while_it_is_in_use() {
        let elsewhere = roots(&["/a"], &["/tmp"]);
        let in_tmp = roots(&["/tmp/x"], &[]);
        assert!(clash(&in_tmp, &elsewhere, true), "its commands could exchange /tmp/x");
        assert!(!clash(&in_tmp, &elsewhere, false), "it drops /tmp when its turn comes");
        for runs in [true, false] {
            assert!(!clash(&elsewhere, &in_tmp, runs));
            let mut beside = elsewhere.clone();
            beside.drop_clashing_temp(&in_tmp, runs);
            assert_eq!(beside, roots(&["/a"], &[]));
        }
        assert!(!clash(&in_tmp, &roots(&["/tmp/y"], &[]), true));
        let mut unharmed = elsewhere.clone();
        unharmed.drop_clashing_temp(&elsewhere, true);
        assert_eq!(unharmed, elsewhere);
    }

    #[test]
    fn a_temporary_folder_inside_another_turn_s_folder_is_dropped_or_waited_for() {
        let around = roots(&["/a"], &[]);
        let mut within = roots(&["/b"], &["/a/tmp"]);
        assert!(clash(&around, &within, true));
        assert!(!clash(&around, &within, false));
        assert!(!clash(&within, &around, true));
        within.drop_clashing_temp(&around, true);
        assert_eq!(within, roots(&["/b"], &[]));
        let mut linked = roots(&["/b"], &["/c"]);
        linked.temp[0].links.push("/a/link".into());
        assert!(clash(&around, &linked, true), "a turn that may write in /a can redirect the link");
        linked.drop_clashing_temp(&around, true);
        assert!(linked.temp.is_empty());
    }

    #[test]
    fn too_many_folders_clash_with_all() {
        let many = WritableRoots::shortened();
        let one = roots(&["/a"], &["/tmp"]);
        assert!(clash(&many, &one, true) && clash(&one, &many, false) && clash(&many, &many, true));
    }
}
