//! Where the documentation is on the web. Pure.

/// The address of a section of a page in docs/.
pub(crate) fn section(page: &str, anchor: &str) -> String {
    format!("{}#{anchor}", address(page))
}

/// The address of a page in docs/.
pub(crate) fn address(page: &str) -> String {
    format!("{}/blob/main/docs/{page}", env!("CARGO_PKG_REPOSITORY"))
}
