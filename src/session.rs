//! Who may work in which session, and what a session is known to be.
//!
//! [`queue`] is the door: calls come in and get their places. Behind it, [`line`] is what all servers
//! of the user share, [`table`] the file in which they do, at which only [`looker`] looks, [`calls`]
//! this server's part of it, and [`order`] decides whose turn it is, by sessions, the limit, and the
//! [`roots`] of turns. [`known`] remembers directory, sandbox and tokens of a session, from its turns
//! here or from Codex's record.

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
