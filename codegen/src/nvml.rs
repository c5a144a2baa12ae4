//! `nvml.h`: which version of CUDA brought which function of NVML.
//!
//! The calls themselves come from another crate; what is wanted of the header is the names that it declares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Error;

/// The names that each version's header declares.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    versions: BTreeMap<u32, BTreeSet<String>>,
}

impl Headers {
    /// Adds the header in `include` as that of `version` (12080 for 12.8).
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when there is no header that can be read.
    pub fn add(&mut self, version: u32, include: &Path) -> Result<(), Error> {
        let path = include.join("nvml.h");
        let text = fs::read_to_string(&path).map_err(|cause| Error::Read { path, cause })?;
        self.versions.insert(version, declared(&text));
        Ok(())
    }

    /// The oldest and the newest version.
    #[must_use]
    pub fn range(&self) -> Option<(u32, u32)> {
        let mut versions = self.versions.keys();
        let oldest = *versions.next()?;
        Some((oldest, versions.next_back().copied().unwrap_or(oldest)))
    }

    /// Every function, with the oldest version that declares it.
    #[must_use]
    pub fn introduced(&self) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        for (version, names) in &self.versions {
            for name in names {
                found.entry(name.clone()).or_insert(*version);
            }
        }
        found
    }
}

/// The functions that a header declares: each stands on a line of its own, behind the mark of an export.
fn declared(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("DECLDIR ")?;
        let (name, _) = rest.split_once('(')?;
        name.trim().split([' ', '*']).next_back()
    });
    lines
        .filter(|name| name.starts_with("nvml"))
        .map(str::to_owned)
        .collect()
}

/// The functions as a Rust slice, sorted by name.
#[must_use]
pub fn emit(headers: &Headers) -> String {
    let mut text = String::from(
        "/// Every function that NVML's headers declare, sorted, with the version of CUDA whose header is the\n\
         /// first to have it. What is older than the oldest header stands under that one's version.\n\
         pub(in crate::nvml) const DECLARED: &[(&str, u32)] = &[\n",
    );
    for (name, version) in headers.introduced() {
        text.push_str(&format!("    (\"{name}\", {version}),\n"));
    }
    text.push_str("];\n");
    text
}

#[cfg(test)]
mod tests {
    use super::{Headers, declared, emit};
    use std::fs;

    const OLD: &str = "\
#define DECLDIR __declspec(dllexport)
nvmlReturn_t  DECLDIR nvmlInit_v2 (void);
const DECLDIR char* nvmlErrorString(nvmlReturn_t result);
// nvmlReturn_t DECLDIR is what a line begins with
";

    #[test]
    fn declarations_are_found_and_nothing_else() {
        let names: Vec<String> = declared(OLD).into_iter().collect();
        assert_eq!(names, ["nvmlErrorString", "nvmlInit_v2"]);
    }

    #[test]
    fn a_function_began_with_the_first_header_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut headers = Headers::default();
        let added = "nvmlReturn_t DECLDIR nvmlNew(nvmlDevice_t device,\n    int *value);\n";
        for (version, text) in [(12040, format!("{OLD}{added}")), (11070, OLD.to_owned())] {
            fs::write(folder.path().join("nvml.h"), text).unwrap();
            headers.add(version, folder.path()).unwrap();
        }
        let found = headers.introduced();
        assert_eq!(found["nvmlInit_v2"], 11070);
        assert_eq!(found["nvmlNew"], 12040);
        assert_eq!(headers.range(), Some((11070, 12040)));
        assert!(emit(&headers).contains("(\"nvmlNew\", 12040),"));
    }

    #[test]
    fn a_folder_without_the_header_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = Headers::default().add(11070, folder.path()).unwrap_err();
        assert!(error.to_string().contains("nvml.h"), "{error}");
    }
}
