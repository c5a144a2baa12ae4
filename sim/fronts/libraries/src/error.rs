use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the simulator's libraries cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No place has all of them.
    NotFound {
        /// Where they were looked for, with the first file that each place lacks.
        places: Vec<(PathBuf, &'static str)>,
    },
    /// The running executable does not know where it is.
    Executable(io::Error),
    /// The folder of links could not be made.
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { places } => {
                f.write_str("the simulator's libraries were not found; looked in")?;
                for (place, lacks) in places {
                    write!(f, "\n  {} (no {lacks})", place.display())?;
                }
                f.write_str("\nbuild them with `cargo build`, or install them into `lib/cuwhy` beside `bin`")
            }
            Self::Executable(_) => f.write_str("the path of the running executable is not known"),
            Self::Folder { path, .. } => {
                write!(
                    f,
                    "the folder of the simulator's libraries cannot be made at {}",
                    path.display()
                )
            }
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NotFound { .. } => None,
            Self::Executable(source) | Self::Folder { source, .. } => Some(source),
        }
    }
}
