//! Checks on disk the files and folders that a call names.

use std::io::Read;
use std::path::Path;

use crate::model::options::Image;
use crate::model::text::excerpt;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::system::bounded::open_file;

impl WorkingDir {
    /// Checks that `path` is an existing directory. A relative path is resolved against the current
    /// directory.
    ///
    /// # Errors
    ///
    /// If the path does not exist, cannot be accessed or is not a directory.
    pub fn existing(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let dir = Self::from_path(path)?;
        let shown = excerpt(dir.as_path().display());
        match std::fs::metadata(dir.as_path()) {
            Ok(metadata) if metadata.is_dir() => Ok(dir),
            Ok(_) => Err(InvalidValue(format!("is not a directory: {shown}"))),
            Err(error) => Err(InvalidValue(format!(
                "must be an existing directory, but {shown} cannot be accessed ({error})"
            ))),
        }
    }
}

impl Image {
    /// Checks that `path` is an image file, by its first bytes.
    ///
    /// # Errors
    ///
    /// If the path is relative, or the file cannot be read or is not a PNG, JPEG, GIF or WebP image.
    pub fn existing(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let image = Self::from_absolute_path(path)?;
        let path = image.as_path();
        let shown = excerpt(path.display());
        let unreadable =
            |error| InvalidValue(format!("contains {shown}, which cannot be read ({error})"));
        // Opening a pipe would block, and reading a terminal would take the user's input.
        let is_file = std::fs::metadata(path).map_err(unreadable)?.is_file();
        if !is_file {
            return Err(InvalidValue(format!("contains {shown}, which is not a file")));
        }
        let mut head = Vec::new();
        open_file(path)
            .and_then(|file| file.take(16).read_to_end(&mut head))
            .map_err(unreadable)?;
        let known: [&[u8]; 3] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8"];
        let webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
        if !webp && !known.iter().any(|known| head.starts_with(known)) {
            return Err(InvalidValue(format!(
                "contains {shown}, which is not a PNG, JPEG, GIF or WebP image"
            )));
        }
        Ok(image)
    }
}
