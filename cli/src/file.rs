//! Writing files so that whoever reads them sees the old text or the new one, and never half of it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the process's mask allows.
    Everybody,
    /// Its owner.
    Owner,
}

/// Replaces a file by this text.
///
/// # Errors
///
/// [`Failure::Output`] when it could not be written; the old file is then still there.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    replace_for(path, text, Readers::Everybody)
}

/// Replaces a file by this text, for these readers.
///
/// # Errors
///
/// As [`replace`].
pub fn replace_for(path: &Path, text: &str, readers: Readers) -> Result<(), Failure> {
    // A device or a pipe has no second name under which it could be written first.
    let special = fs::metadata(path).is_ok_and(|data| !data.is_file());
    let result = if special {
        File::options()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
    } else {
        beside(path).and_then(|new| {
            write(&new, text, readers)
                .and_then(|()| fs::rename(&new, path))
                .inspect_err(|_| drop(fs::remove_file(&new)))
        })
    };
    result.map_err(|cause| Failure::Output {
        place: path.display().to_string(),
        cause,
    })
}

/// A name in the same folder, which no collector takes for a file of its own.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut new = OsString::from(".");
    new.push(name);
    new.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(new))
}

fn write(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let mode = match readers {
        Readers::Everybody => 0o666,
        Readers::Owner => 0o600,
    };
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
