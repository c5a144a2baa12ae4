use core::fmt;
use std::path::PathBuf;

use super::{Attempt, FoundBy, LibraryName};

/// Why a library could not be had. Its text ends with what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// No candidate could be opened.
    NotFound {
        /// What was looked for.
        library: LibraryName,
        /// Every candidate, with the loader's own words.
        attempts: Vec<Attempt>,
    },
    /// The file that was named could not be opened; nothing else was tried.
    NamedFile {
        /// What was looked for.
        library: LibraryName,
        /// Who named it, with the outcome.
        attempt: Attempt,
    },
    /// What was opened is the toolkit's link-time stub, which answers every call with error 34.
    Stub {
        /// The stub's file.
        path: PathBuf,
        /// Every candidate that was tried.
        attempts: Vec<Attempt>,
    },
    /// The file is a shared object and not the library that was looked for.
    AnotherLibrary {
        /// What was looked for.
        library: LibraryName,
        /// The file.
        path: PathBuf,
        /// What it lacks.
        lacks: &'static str,
    },
    /// The file is a libcudart of a major that these bindings do not know.
    UnsupportedMajor {
        /// The file.
        path: PathBuf,
        /// Its major, when it tells.
        major: Option<u32>,
    },
}

impl LoadError {
    /// What to do next, as one sentence.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            LoadError::NotFound { library: LibraryName::Cudart, .. } => {
                "install a CUDA runtime (the Python package nvidia-cuda-runtime carries one), or name \
                 the file in CUWHY_LIBCUDART"
                    .to_owned()
            }
            LoadError::NotFound { library, .. } => format!(
                "install the NVIDIA driver, or start the container with the GPU passed through, or name \
                 the file in {}",
                library.variable()
            ),
            LoadError::NamedFile { attempt: Attempt { found_by: FoundBy::Variable(name), .. }, .. } => {
                format!("correct {name}, or unset it to have the library looked for")
            }
            LoadError::NamedFile { library, .. } | LoadError::AnotherLibrary { library, .. } => {
                format!("name a {library} for this machine")
            }
            LoadError::Stub { .. } => {
                "take the folder with the stubs out of LD_LIBRARY_PATH: it is for linking only".to_owned()
            }
            LoadError::UnsupportedMajor { .. } => {
                "use a libcudart of CUDA 11.x, 12.x or 13.x".to_owned()
            }
        }
    }

    /// What was tried, in order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            LoadError::NotFound { attempts, .. } | LoadError::Stub { attempts, .. } => attempts,
            LoadError::NamedFile { attempt, .. } => core::slice::from_ref(attempt),
            LoadError::AnotherLibrary { .. } | LoadError::UnsupportedMajor { .. } => &[],
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::NotFound { library, attempts } => {
                write!(f, "no usable {library} was found; tried")?;
                for Attempt {
                    candidate,
                    found_by,
                    outcome,
                } in attempts
                {
                    write!(f, "\n  {} ({found_by}): {outcome}", candidate.display())?;
                }
                f.write_str("\n")?;
            }
            LoadError::NamedFile { library, attempt } => {
                let Attempt {
                    candidate,
                    found_by,
                    outcome,
                } = attempt;
                let file = candidate.display();
                write!(
                    f,
                    "{library} could not be opened from {file} ({found_by}): {outcome}; "
                )?;
            }
            LoadError::Stub { path, .. } => write!(
                f,
                "{} is the toolkit's link-time stub and no driver: every call would answer 34 \
                 (CUDA_ERROR_STUB_LIBRARY); ",
                path.display()
            )?,
            LoadError::AnotherLibrary {
                library,
                path,
                lacks,
            } => {
                write!(
                    f,
                    "{} is not {library}: it does not export {lacks}; ",
                    path.display()
                )?;
            }
            LoadError::UnsupportedMajor {
                path,
                major: Some(major),
            } => {
                write!(f, "{} is a libcudart of CUDA {major}; ", path.display())?;
            }
            LoadError::UnsupportedMajor { path, major: None } => {
                write!(f, "{} does not tell which CUDA it is for; ", path.display())?;
            }
        }
        write!(f, "next: {}", self.next_step())
    }
}

impl core::error::Error for LoadError {}
