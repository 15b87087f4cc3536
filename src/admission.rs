//! Checks a request against the file system: whether the paths it names exist, where they really lead, and
//! whether the operator allows them.

mod allowed_dirs;
mod existing;
pub(crate) mod folders;
pub(crate) mod protected_folders;
pub(crate) mod scope;
