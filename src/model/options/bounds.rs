//! The size limits of options.

/// Maximum number of directories, images, overrides or arguments.
pub const MAX_OPTION_ENTRIES: usize = 50;

/// Maximum size of one override, argument or JSON Schema, in bytes as passed to Codex.
pub const MAX_OPTION_BYTES: usize = 64 << 10;

/// Maximum total size of all overrides, and of all arguments, in bytes. The operating system limits the
/// command line and environment combined: Linux usually to 2 MiB, macOS to 1 MiB.
pub const MAX_OPTIONS_BYTES: usize = 256 << 10;
