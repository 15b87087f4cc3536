//! How many files this process may have open.

/// Raises the limit of open files to `wanted`, or as far as the system lets it. A lower limit means that
/// fewer connections are accepted, so a failure is only logged.
#[cfg(unix)]
pub(crate) fn allow_open_files(wanted: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let wanted = wanted.min(hard);
        if wanted <= soft { Ok(()) } else { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

#[cfg(not(unix))]
pub(crate) fn allow_open_files(_wanted: u64) {}
