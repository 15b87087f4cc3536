//! The part of a page that a task makes, between two comments.

use crate::Failure;

/// The comments, each with its line end.
#[derive(Debug)]
pub struct Part {
    pub begin: &'static str,
    pub end: &'static str,
}

impl Part {
    /// What is between the comments, or nothing.
    pub fn of<'a>(&self, page: &'a str) -> &'a str {
        self.split(page).map_or("", |(_, part, _)| part)
    }

    /// The page with something else between the comments.
    ///
    /// # Errors
    /// If the page lacks one of them.
    pub fn replaced(&self, page: &str, new: &str) -> Result<String, Failure> {
        let Self { begin, end } = self;
        let (before, _, after) =
            self.split(page).ok_or_else(|| format!("the page has no {}", begin.trim_end()))?;
        Ok(format!("{before}{begin}{new}{end}{after}"))
    }

    fn split<'a>(&self, page: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        let (before, rest) = page.split_once(self.begin)?;
        let (part, after) = rest.split_once(self.end)?;
        Some((before, part, after))
    }
}
