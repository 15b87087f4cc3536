//! A place in a file that grows, which tells whether the file is still the same.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::str::FromStr;

use crate::model::value::InvalidValue;

/// How many bytes at the start of the file and before the place are compared.
const COMPARED: u64 = 256;

/// Where the next line starts, and a hash of what is before it. Written as `1234-9f8e7d6c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) offset: u64,
    hash: u32,
}

impl Cursor {
    /// The cursor of this place.
    pub(crate) fn at(file: &mut File, offset: u64) -> io::Result<Self> {
        Ok(Self { offset, hash: hash_before(file, offset)? })
    }

    /// Whether the file still has the same content before the place. It does not if it was replaced or truncated.
    pub(crate) fn fits(self, file: &mut File) -> io::Result<bool> {
        Ok(file.metadata()?.len() >= self.offset && hash_before(file, self.offset)? == self.hash)
    }
}

/// A hash of the first bytes of the file and of those before the place. Moves the file's position.
fn hash_before(file: &mut File, offset: u64) -> io::Result<u32> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    Read::take(&mut *file, offset.min(COMPARED)).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(offset.saturating_sub(COMPARED)))?;
    Read::take(&mut *file, offset.min(COMPARED)).read_to_end(&mut bytes)?;
    // FNV-1a: the same in every build of this program.
    let hash = bytes
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    Ok(hash)
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:08x}", self.offset, self.hash)
    }
}

impl FromStr for Cursor {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let parsed = text.trim().split_once('-').and_then(|(offset, hash)| {
            Some(Self { offset: offset.parse().ok()?, hash: u32::from_str_radix(hash, 16).ok()? })
        });
        let problem = "must be the cursor at the end of an earlier output, such as 1234-9f8e7d6c";
        parsed.ok_or_else(|| InvalidValue(problem.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_cursor_fits_a_file_that_grew_and_no_other() {
        let path = crate::testing::scratch().join(format!("cursor-{}", uuid::Uuid::new_v4()));
        let mut file =
            File::options().read(true).write(true).create_new(true).open(&path).expect("fresh");
        let line = "x".repeat(300) + "\n";
        file.write_all(line.as_bytes()).expect("there is room");
        let cursor = Cursor::at(&mut file, 301).expect("readable");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        file.seek(SeekFrom::End(0)).expect("seekable");
        file.write_all(b"more\n").expect("there is room");
        assert!(cursor.fits(&mut file).expect("readable"), "it grew");
        file.set_len(300).expect("writable");
        assert!(!cursor.fits(&mut file).expect("readable"), "it was truncated");
        for (at, what) in [(0, "another start"), (299, "another end")] {
            std::fs::write(&path, line.repeat(2)).expect("writable");
            assert!(cursor.fits(&mut file).expect("readable"));
            file.seek(SeekFrom::Start(at)).expect("seekable");
            file.write_all(b"y").expect("there is room");
            assert!(!cursor.fits(&mut file).expect("readable"), "{what}");
        }
        std::fs::remove_file(&path).expect("just made");
        for invalid in ["", "12", "12-", "-1-2", "x-9f8e7d6c", "12-xyz"] {
            assert!(invalid.parse::<Cursor>().is_err(), "{invalid:?}");
        }
    }
}
