//! Which of the server's own tools clients see. Every one can be called, listed or not.

use std::str::FromStr;

use super::text::excerpt;
use super::value::InvalidValue;

/// All tools, in the order in which clients list them.
pub(crate) const TOOLS: [&str; 15] = [
    "codex_chat",
    "codex_guard_plan",
    "codex_guard_final",
    "codex_job_wait",
    "codex_jobs",
    "codex_job_send",
    "codex_sessions",
    "codex_session_read",
    "job_start",
    "job_wait",
    "job_events",
    "job_reply",
    "job_notifications",
    "job_list",
    "job_cancel",
];

/// Sets of tools, each with its name.
pub(crate) const SETS: [(&str, &[&str]); 4] = [
    (DEFAULT, TOOLS.split_at(7).0),
    ("core", TOOLS.split_at(4).0),
    ("async", TOOLS.split_at(8).1),
    ("all", &TOOLS),
];

const DEFAULT: &str = "default";

/// The listed tools, as sets and single tools. Without any, the set `default`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToolList(Vec<Listing>);

/// A set of tools, or a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listing {
    word: &'static str,
    tools: &'static [&'static str],
}

impl ToolList {
    pub(crate) fn add(&mut self, listing: Listing) {
        if !self.0.contains(&listing) {
            self.0.push(listing);
        }
    }

    /// Whether the tool of this name is listed.
    pub(crate) fn has(&self, tool: &str) -> bool {
        match &self.0[..] {
            [] => SETS[0].1.contains(&tool),
            listings => listings.iter().any(|listing| listing.tools.contains(&tool)),
        }
    }

    /// The list as the setting takes it.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        match &self.0[..] {
            [] => vec![DEFAULT],
            listings => listings.iter().map(|listing| listing.word).collect(),
        }
    }
}

impl FromStr for Listing {
    type Err = InvalidValue;

    fn from_str(word: &str) -> Result<Self, InvalidValue> {
        let set = SETS.into_iter().find(|(name, _)| *name == word);
        let tool = || {
            let tool = TOOLS.iter().position(|name| *name == word)?;
            Some((TOOLS[tool], &TOOLS[tool..=tool]))
        };
        let (word, tools) = set.or_else(tool).ok_or_else(|| {
            let sets = SETS.map(|(name, _)| name).join(", ");
            InvalidValue(format!(
                "has no set or tool {}; the sets are {sets}, the tools {}",
                excerpt(word),
                TOOLS.join(", ")
            ))
        })?;
        Ok(Self { word, tools })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(words: &[&str]) -> Vec<&'static str> {
        let mut list = ToolList::default();
        for word in words {
            list.add(word.parse().expect("it is known"));
        }
        TOOLS.into_iter().filter(|tool| list.has(tool)).collect()
    }

    #[test]
    fn sets_and_tools_add_up() {
        assert_eq!(listed(&[]), listed(&["default"]));
        assert_eq!(listed(&["all"]), TOOLS);
        assert_eq!(listed(&["core", "codex_sessions"]).len(), 5);
        assert_eq!(listed(&["async", "job_wait"]).len(), 7);
        assert!(listed(&["async"]).iter().all(|tool| tool.starts_with("job_")));
        assert!(listed(&["default"]).iter().all(|tool| tool.starts_with("codex_")));
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        for word in ["", "Core", "codex", "job"] {
            let problem = word.parse::<Listing>().expect_err(word).to_string();
            assert!(problem.contains("core") && problem.contains("job_cancel"), "{problem}");
        }
    }
}
