use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the exports of a front could not be written.
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    File(PathBuf, io::Error),
    /// A line that is no declaration.
    Line(PathBuf, String),
    /// `forward.list` names a driver function that does not exist.
    NoSuchDriverFunction(String),
    /// cargo did not set a variable.
    Variable(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Line(path, line) => write!(f, "{}: not understood: {line}", path.display()),
            Self::NoSuchDriverFunction(line) => write!(f, "no such driver function: {line}"),
            Self::Variable(name) => write!(f, "{name} is not set"),
        }
    }
}

// What a build script prints when `main` fails.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
