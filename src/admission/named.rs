//! The files and folders that a call names, as they are.

use std::io::Read;
use std::path::Path;

use crate::model::options::Image;
use crate::model::text::excerpt;
use crate::model::value::InvalidValue;
use crate::model::working_dir::WorkingDir;
use crate::system::bounded::open_file;

impl WorkingDir {
    /// Checks that `path` is a directory. A relative path is taken from the current directory.
    ///
    /// # Errors
    ///
    /// If there is no directory there.
    pub fn existing(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let dir = Self::from_path(path)?;
        let shown = excerpt(dir.as_path().display());
        match std::fs::metadata(dir.as_path()) {
            Ok(metadata) if metadata.is_dir() => Ok(dir),
            Ok(_) => Err(InvalidValue(format!("is not a directory: {shown}"))),
            Err(error) => Err(InvalidValue(format!(
                "must be an existing directory, and {shown} cannot be used ({error})"
            ))),
        }
    }
}

impl Image {
    /// Looks at the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is no picture.
    pub fn existing(path: impl AsRef<Path>) -> Result<Self, InvalidValue> {
        let image = Self::from_absolute_path(path)?;
        let path = image.as_path();
        let shown = excerpt(path.display());
        let unreadable =
            |error| InvalidValue(format!("has {shown}, which cannot be read ({error})"));
        // A pipe would be waited for, and a terminal read from.
        let is_file = std::fs::metadata(path).map_err(unreadable)?.is_file();
        if !is_file {
            return Err(InvalidValue(format!("has {shown}, which is not a file")));
        }
        let mut head = Vec::new();
        open_file(path)
            .and_then(|file| file.take(16).read_to_end(&mut head))
            .map_err(unreadable)?;
        let known: [&[u8]; 3] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8"];
        let webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
        if !webp && !known.iter().any(|known| head.starts_with(known)) {
            return Err(InvalidValue(format!("has {shown}, which is no PNG, JPEG, GIF or WebP")));
        }
        Ok(image)
    }
}
