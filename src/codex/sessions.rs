//! The sessions in Codex's own store, for those who look for one: all of them, also those of the
//! person's own terminal. Strictly read-only.
//!
//! [`walk`] finds the records, [`lines`] reads them in bounded memory, [`mod@line`] tells what a line
//! is about, and [`summary`] folds a record into what a list shows. [`index`] remembers that in the
//! state folder, so that a record is read once; [`look`] goes through all of them, and [`list`] makes
//! pages of it. [`transcript`] shows one session by its [`entry`]s; [`untold`] finds what has none of
//! its own in the record, and [`history`] says where a session has worked.
//!
//! Records are `rollout-….jsonl` (see [`super::rollout`]). Codex 0.153 to 0.171 keep databases
//! beside them, which are not looked at. From 0.169 on it can compress records (`….jsonl.zst`), if a
//! feature that is off and under development is turned on: these are counted and not read.

mod entry;
pub(crate) mod history;
pub(crate) mod include;
mod index;
mod line;
pub(super) mod lines;
pub(crate) mod list;
mod omitted;
mod scan;
mod summary;
pub(crate) mod transcript;
pub(crate) mod view;
mod walk;

pub(crate) use list::{Cursor, Query, Session, Store};
