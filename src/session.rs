//! Who may work in which session, and what a session is known to be.
//!
//! [`queue`] keeps calls of this process in order, [`lock`] keeps processes apart, and [`known`]
//! remembers directory, sandbox and tokens of a session, from its turns here or from Codex's record.

pub(crate) mod holder;
pub(crate) mod known;
pub(crate) mod lock;
pub(crate) mod queue;
