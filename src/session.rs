//! Who may work in which session, and what is known about a session.
//!
//! Calls enter at [`queue`] and get their places there. [`shared_queue`] is the queue of all
//! servers of the user, as this server sees it; [`table`] is the file that holds it, read and
//! written by [`table_thread`] alone; [`calls`] are this server's entries. [`order`] decides which
//! call is next, by session, limit and [`writable_roots`]. [`info`] remembers the directory,
//! sandbox and tokens of a session, from its turns here or from Codex's record.

pub(crate) mod calls;
pub(crate) mod holder;
pub(crate) mod info;
pub(crate) mod last;
pub(crate) mod order;
pub(crate) mod queue;
pub(crate) mod shared_queue;
pub(crate) mod survey;
pub(crate) mod table;
pub(crate) mod table_thread;
mod waiters;
pub(crate) mod writable_roots;
