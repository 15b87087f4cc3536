//! What of a request the disk decides: whether what it names is there, where that really leads, and whether
//! the operator lets callers go there.

mod allowed;
pub(crate) mod folders;
mod named;
pub(crate) mod protected;
pub(crate) mod scope;
