//! The change under review, as named by the caller.

use std::str::FromStr;

use super::value::InvalidValue;

/// Maximum length of a branch or commit name, in bytes.
const MAX_NAME_BYTES: usize = 250;

/// The change to review: `uncommitted`, `base:<branch>` or `commit:<sha>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Diff {
    /// All uncommitted changes, including untracked files.
    Uncommitted,
    /// Everything since the current branch diverged from this one.
    Base(String),
    /// One commit.
    Commit(String),
}

impl FromStr for Diff {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || {
            let forms = "must be uncommitted, base:<branch> or commit:<sha>, with a valid git name";
            InvalidValue(forms.into())
        };
        let name = |name: &str| {
            let plain = |c: char| c.is_alphanumeric() || "._/-@+#".contains(c);
            let fits = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.starts_with('-');
            (fits && name.chars().all(plain)).then(|| name.to_owned()).ok_or_else(wrong)
        };
        match text.split_once(':') {
            None if text == "uncommitted" => Ok(Self::Uncommitted),
            Some(("base", branch)) => name(branch).map(Self::Base),
            Some(("commit", commit)) if commit.chars().all(|c| c.is_ascii_hexdigit()) => {
                name(commit).map(Self::Commit)
            }
            _ => Err(wrong()),
        }
    }
}

impl Diff {
    /// Tells Codex how to view the change. Names come from the caller, so they are not part of this trusted
    /// text; [`Diff::caller_part`] has them.
    pub(crate) fn instructions(&self) -> &'static str {
        match self {
            Self::Uncommitted => {
                "The work to review is everything uncommitted: `git status --short`, `git diff \
                 HEAD`, and the untracked files. Read all of it before you judge."
            }
            Self::Base(_) | Self::Commit(_) => {
                "The work to review is named below, under `diff`. `base:NAME` is everything since \
                 branch NAME: `git log --oneline NAME..HEAD` and `git diff NAME...HEAD`. \
                 `commit:NAME` \
                 is one commit: `git show NAME`. Read all of it before you judge."
            }
        }
    }

    /// The branch or commit as the caller wrote it, for a fenced part of the prompt.
    pub(crate) fn caller_part(&self) -> Option<String> {
        match self {
            Self::Uncommitted => None,
            Self::Base(branch) => Some(format!("base:{branch}")),
            Self::Commit(commit) => Some(format!("commit:{commit}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_git_accepts_are_parsed() {
        assert_eq!("uncommitted".parse(), Ok(Diff::Uncommitted));
        assert_eq!("base:origin/main".parse(), Ok(Diff::Base("origin/main".into())));
        assert_eq!("commit:0abc12".parse(), Ok(Diff::Commit("0abc12".into())));
        for wrong in ["", "base:", "base:--help", "base:a b", "base:a`b", "commit:HEAD;x", "HEAD"] {
            assert!(wrong.parse::<Diff>().is_err(), "{wrong:?}");
        }
    }
}
