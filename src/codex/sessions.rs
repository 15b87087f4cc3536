//! The sessions in Codex's own store, including those from the user's terminal. Strictly read-only.
//!
//! [`walk`] finds the records, [`lines`] reads them in bounded memory, [`mod@line`] classifies a line, and
//! [`summary`] folds a record into what a list shows. [`index`] caches the summaries in the state folder, so
//! that each record is read only once. [`scan`] goes through all records, [`query`] selects the matching
//! ones, and [`listing`] builds a page of them; [`store`] ties these together. [`transcript`] shows one
//! session as a list of [`entry`] values, [`call_lookup`] finds results that the record does not list as
//! items, and [`history`] collects all directories that a session has worked in.
//!
//! Records are named `rollout-….jsonl` (see [`super::rollout`]). Codex 0.153 to 0.171 also keep databases,
//! which are not read. From 0.169 on Codex can compress records (`….jsonl.zst`) if a feature under
//! development is enabled; these are counted but not read.

mod call_lookup;
mod entry;
pub(crate) mod history;
pub(crate) mod include;
mod index;
mod line;
pub(super) mod lines;
mod listing;
pub(crate) mod query;
mod scan;
mod store;
mod summary;
pub(crate) mod transcript;
pub(crate) mod view;
mod walk;

pub(crate) use listing::Session;
pub(crate) use query::{Cursor, Query};
pub(crate) use store::Store;
