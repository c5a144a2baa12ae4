//! NVML: where `libnvidia-ml.so.1` is.
//!
//! The calls are left to crates that wrap NVML; they are given this file's path.

use crate::loader::{LibraryName, LoadError, LoadedFile, candidates, open_first};

/// The names under which the system's loader knows NVML.
const NAMES: [&str; 1] = ["libnvidia-ml.so.1"];

/// Finds NVML by the order of [`loader`](crate::loader), and leaves it loaded.
///
/// # Errors
///
/// [`LoadError`] with every candidate that was tried.
pub fn locate() -> Result<LoadedFile, LoadError> {
    let library = LibraryName::Nvml;
    let candidates = candidates(library, None, || NAMES.to_vec());
    let (_, file, ()) = open_first(library, candidates, c"nvmlInit_v2", |_, _, _| Ok(()))?;
    Ok(file)
}
