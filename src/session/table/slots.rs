//! The slots of the table, as bytes of its file.

use std::fs::File;
use std::io;
#[cfg(not(unix))]
use std::io::{Read, Seek, SeekFrom, Write};

/// The size of a slot in bytes: one line of JSON, padded with spaces. Divides the page size.
pub(crate) const SLOT: usize = 4096;

/// The content of a slot.
pub(crate) type Slot = [u8; SLOT];

/// The largest table that is read: more than all calls of a hundred servers.
const MAX_BYTES: u64 = 32 << 20;

/// A slot with this line. `None` if the line is too long.
pub(crate) fn slot_of(line: &[u8]) -> Option<Slot> {
    let mut slot = [b' '; SLOT];
    slot.get_mut(..line.len())?.copy_from_slice(line);
    slot[SLOT - 1] = b'\n';
    (line.len() < SLOT).then_some(slot)
}

pub(super) fn slots_in(file: &File) -> io::Result<Vec<u8>> {
    let bytes = file.metadata()?.len().min(MAX_BYTES) as usize;
    let mut slots = vec![0; bytes - bytes % SLOT];
    read_at(file, &mut slots)?;
    Ok(slots)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0)
}

#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(bytes)
}

#[cfg(not(unix))]
pub(super) fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}
