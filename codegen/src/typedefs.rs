//! `cudaTypedefs.h`: which version of CUDA brought which export of the driver.
//!
//! The header names a function pointer type for every export, with the version
//! in its name: `PFN_cuMemAlloc_v3020`. The export itself is `cuMemAlloc_v2`;
//! the two are matched by their order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Error;

/// Versions (as CUDA counts them, 12080 for 12.8) of each function, by the name
/// without a version and the per-thread suffix.
#[derive(Debug, Clone, Default)]
pub struct Typedefs {
    versions: BTreeMap<(String, &'static str), BTreeSet<u32>>,
}

impl Typedefs {
    /// Adds what the header in `include` says; nothing when it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the header is there and cannot be read.
    pub fn add(&mut self, include: &Path) -> Result<(), Error> {
        let path = include.join("cudaTypedefs.h");
        if !path.is_file() {
            return Ok(());
        }
        let text = fs::read_to_string(&path).map_err(|cause| Error::Read { path, cause })?;
        for line in text.lines().filter(|line| line.contains("CUDAAPI *PFN_")) {
            let Some(rest) = line.split("*PFN_").nth(1) else {
                continue;
            };
            let Some(name) = rest.split(')').next() else {
                continue;
            };
            let (name, suffix) = split_suffix(name);
            let Some((name, version)) = name.rsplit_once("_v") else {
                continue;
            };
            let Ok(version) = version.parse() else {
                continue;
            };
            self.versions
                .entry((name.to_owned(), suffix))
                .or_default()
                .insert(version);
        }
        Ok(())
    }

    /// The version that introduced each of `exports`, where the order decides it.
    #[must_use]
    pub fn introduced<'a>(&self, exports: impl Iterator<Item = &'a str>) -> BTreeMap<String, u32> {
        let mut families: BTreeMap<(String, &'static str), Vec<(u32, String)>> = BTreeMap::new();
        for export in exports {
            let (plain, suffix) = split_suffix(export);
            let (base, revision) = split_revision(plain);
            families
                .entry((base.to_owned(), suffix))
                .or_default()
                .push((revision, export.to_owned()));
        }
        let mut found = BTreeMap::new();
        for (key, mut members) in families {
            members.sort();
            let Some(versions) = self.versions.get(&key) else {
                continue;
            };
            if versions.len() == members.len() {
                found.extend(
                    members
                        .into_iter()
                        .map(|(_, name)| name)
                        .zip(versions.iter().copied()),
                );
            }
        }
        found
    }
}

/// `cuMemcpy_ptds` is `cuMemcpy` with the suffix `_ptds`.
#[must_use]
pub fn split_suffix(name: &str) -> (&str, &'static str) {
    for suffix in ["_ptds", "_ptsz"] {
        if let Some(plain) = name.strip_suffix(suffix) {
            return (plain, suffix);
        }
    }
    (name, "")
}

/// `cuMemAlloc_v2` is the second `cuMemAlloc`.
fn split_revision(name: &str) -> (&str, u32) {
    match name.rsplit_once("_v") {
        Some((base, revision)) => match revision.parse() {
            Ok(revision) => (base, revision),
            Err(_) => (name, 1),
        },
        None => (name, 1),
    }
}
