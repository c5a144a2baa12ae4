//! Which file is opened, in which order files are tried, and what is said when none can be.
//!
//! The order, the same for the three libraries:
//!
//! 1. the file that the caller names ([`Driver::open`](crate::driver::Driver::open));
//! 2. the file that `CUWHY_LIBCUDA`, `CUWHY_LIBCUDART` or `CUWHY_LIBNVML` names (not in
//!    set-user-id programs);
//! 3. what this process has mapped already, so that a host program's library is not loaded twice: of
//!    libcudart whichever major the host program chose;
//! 4. the names that the system's loader knows: `libcuda.so.1`, `libnvidia-ml.so.1`; of
//!    `libcudart.so.13`, `.12` and `.11.0` the newest that the driver supports, then `libcudart.so`;
//! 5. usual folders: where drivers are put, `CUDA_HOME`, `CUDA_PATH`, `/usr/local/cuda*`, conda and
//!    the folders of Python wheels.
//!
//! The first two are answers and not hints: when the named file cannot be used, that is an error and
//! nothing else is tried. A library that was opened is never closed. A path is looked at before it is
//! opened: the system's loader would map a file that was cut short and die of it.

mod candidates;
mod elf;
mod error;
mod open;

pub use error::LoadError;
use std::path::{Path, PathBuf};

use core::fmt;

pub(crate) use candidates::candidates;
pub(crate) use open::{Handle, Opened, open_first};

/// One of the libraries that are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LibraryName {
    /// `libcuda.so.1`, the driver API.
    Cuda,
    /// `libcudart.so.*`, the runtime API.
    Cudart,
    /// `libnvidia-ml.so.1`, NVML.
    Nvml,
}

impl LibraryName {
    /// The environment variable that names the file to use.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            LibraryName::Cuda => "CUWHY_LIBCUDA",
            LibraryName::Cudart => "CUWHY_LIBCUDART",
            LibraryName::Nvml => "CUWHY_LIBNVML",
        }
    }

    /// The names that it gives itself, the newest first.
    const fn sonames(self) -> &'static [&'static str] {
        match self {
            LibraryName::Cuda => &["libcuda.so.1"],
            LibraryName::Cudart => &["libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"],
            LibraryName::Nvml => &["libnvidia-ml.so.1"],
        }
    }
}

impl fmt::Display for LibraryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LibraryName::Cuda => "libcuda",
            LibraryName::Cudart => "libcudart",
            LibraryName::Nvml => "libnvidia-ml",
        })
    }
}

/// How a candidate came to be tried.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FoundBy {
    /// The caller named the file.
    Caller,
    /// This environment variable named the file.
    Variable(&'static str),
    /// This process had it mapped already.
    AlreadyMapped,
    /// The system's loader knows the name.
    SystemLoader,
    /// It stands in a folder where such files usually are.
    UsualFolder,
}

impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FoundBy::Caller => f.write_str("named by the caller"),
            FoundBy::Variable(name) => write!(f, "named by {name}"),
            FoundBy::AlreadyMapped => f.write_str("already mapped in this process"),
            FoundBy::SystemLoader => f.write_str("the system's loader"),
            FoundBy::UsualFolder => f.write_str("a usual folder"),
        }
    }
}

/// A candidate that was tried and not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The name or path that was given to the system's loader.
    pub candidate: PathBuf,
    /// Why it was tried.
    pub found_by: FoundBy,
    /// The loader's own words, or ours when the file opened and was not what it should be.
    pub outcome: String,
}

/// A library that was opened, and what was tried before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedFile {
    pub(crate) path: PathBuf,
    pub(crate) found_by: FoundBy,
    pub(crate) attempts: Vec<Attempt>,
}

impl LoadedFile {
    /// The file as the system's loader names it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same file with every symbolic link followed: often its name carries the version.
    #[must_use]
    pub fn real_path(&self) -> PathBuf {
        self.path
            .canonicalize()
            .unwrap_or_else(|_| self.path.clone())
    }

    /// How it was found.
    #[must_use]
    pub fn found_by(&self) -> &FoundBy {
        &self.found_by
    }

    /// Whether this process had it mapped before it was asked for.
    #[must_use]
    pub fn already_mapped(&self) -> bool {
        self.found_by == FoundBy::AlreadyMapped
    }

    /// What was tried before it, in order, with each one's outcome.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}
