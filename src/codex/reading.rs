//! Reads what Codex did from a file, in whatever form it was reported: what `codex mcp-server` or this program
//! wrote as an MCP server (`codex/event`, answers), what `codex exec --json` printed, or Codex's own record.
//!
//! [`line`](mod@line) decodes a line of any form into [`entry`] values, [`source`] reads the lines of a file that
//! grows, [`reader`] does both, and a [`cursor`] marks a place. [`runs`] folds entries into what each request has
//! done, and [`stuck`] judges that.

pub(crate) mod calls;
pub(crate) mod cursor;
pub(crate) mod entry;
mod event;
pub(crate) mod exec;
pub(crate) mod line;
pub(crate) mod reader;
mod record;
pub(crate) mod repetition;
pub(crate) mod runs;
mod source;
pub(crate) mod stuck;
mod values;

#[cfg(test)]
mod tests;
