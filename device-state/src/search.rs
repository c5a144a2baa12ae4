//! Which library files lie where programs could find them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::absent::{Absent, Reason};
use crate::cache::cached_paths;
use crate::elf::{self, Exports};
use crate::library::{AbsentFunction, Attempt, Library};
use crate::machine::Surroundings;
use crate::parts::Depth;
use crate::provenance::{origin, version};

/// The libraries that are looked for, and who needs them.
const WANTED: [(&str, &str); 4] = [
    ("libcuda", "every CUDA program"),
    (
        "libcudart",
        "programs that use the runtime API and do not contain it",
    ),
    ("libnvidia-ml", "monitoring"),
    ("libcupti", "profilers"),
];

/// A function that we would call, and the version that introduced it, as `major.minor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFunction {
    /// Its name.
    pub name: String,
    /// The CUDA version that introduced it.
    pub since: Option<String>,
}

impl Surroundings {
    /// Lists every library file that is found in the folders where such files are.
    ///
    /// Nothing is loaded. With [`Depth::Everything`] the exported names are compared with those that
    /// `wanted` gives for a library and its version.
    pub fn search(
        &self,
        depth: Depth,
        wanted: &dyn Fn(&str, Option<&str>) -> Vec<WantedFunction>,
    ) -> Vec<Library> {
        let mut found: BTreeMap<(usize, PathBuf), PathBuf> = BTreeMap::new();
        let mut order = Vec::new();
        for folder in self.folders() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            let mut names: Vec<String> = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| library_of(name).is_some())
                .collect();
            // `libcuda.so.1` before `libcuda.so.580.1`, and the name without a number last: it is for
            // linking.
            names.sort_by_key(|name| (name.ends_with(".so"), name.len(), name.clone()));
            for name in names {
                self.add(&folder.join(&name), &mut found, &mut order);
            }
        }
        for path in self.loader_cache() {
            self.add(&path, &mut found, &mut order);
        }
        order
            .into_iter()
            .map(|key| {
                let seen = &found[&key];
                self.describe(WANTED[key.0], seen, &key.1, depth, wanted)
            })
            .collect()
    }

    fn add(
        &self,
        path: &Path,
        found: &mut BTreeMap<(usize, PathBuf), PathBuf>,
        order: &mut Vec<(usize, PathBuf)>,
    ) {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(which) = name.and_then(library_of) else {
            return;
        };
        // A link that leads nowhere is no library.
        let Ok(real) = fs::canonicalize(path) else {
            return;
        };
        let key = (which, real);
        if !found.contains_key(&key) {
            found.insert(key.clone(), path.to_owned());
            order.push(key);
        }
    }

    fn describe(
        &self,
        (name, wanted_by): (&str, &str),
        seen: &Path,
        real: &Path,
        depth: Depth,
        wanted: &dyn Fn(&str, Option<&str>) -> Vec<WantedFunction>,
    ) -> Library {
        let mut absent = Absent::default();
        let exports = if depth == Depth::Everything {
            Exports::Wanted
        } else {
            Exports::Unwanted
        };
        let read = elf::read(real, exports);
        let result = match &read {
            Ok(_) => "not tried".to_owned(),
            Err(error) => format!("not a shared object for this machine: {error}"),
        };
        let object = read.unwrap_or_default();
        if object.soname.is_none() {
            absent.set("soname", Reason::NotApplicable);
        }
        let origin = origin(name, &self.name(seen), &self.name(real), real);
        let (version, version_source) = match version(name, real) {
            Some((version, source)) => (Some(version), Some(source.to_owned())),
            None => {
                absent.set("version", Reason::Unsupported);
                absent.set("version_source", Reason::Unsupported);
                (None, None)
            }
        };
        let (mut functions_wanted, mut functions_found, mut functions_absent) = (None, None, None);
        let functions = wanted(name, version.as_deref());
        match &object.exports {
            Some(exports) if !functions.is_empty() => {
                let lacking: Vec<AbsentFunction> = functions
                    .iter()
                    .filter(|function| !exports.contains(&function.name))
                    .map(|function| absent_function(&function.name, function.since.clone()))
                    .collect();
                let count = |number: usize| u32::try_from(number).ok();
                functions_wanted = count(functions.len());
                functions_found = count(functions.len() - lacking.len());
                functions_absent = Some(lacking);
            }
            _ => {
                let reason = if functions.is_empty() {
                    Reason::NotApplicable
                } else {
                    Reason::NotCollected
                };
                for key in ["functions_wanted", "functions_found", "functions_absent"] {
                    absent.set(key, reason.clone());
                }
            }
        }
        absent.set("already_loaded", Reason::NotApplicable);
        Library {
            name: name.to_owned(),
            wanted_by: wanted_by.to_owned(),
            chosen: false,
            tried: vec![Attempt {
                candidate: self.name(seen),
                result,
            }],
            loaded_from: Some(self.name(seen)),
            real_path: Some(self.name(real)),
            soname: object.soname,
            version,
            version_source,
            origin,
            already_loaded: None,
            functions_wanted,
            functions_found,
            functions_absent,
            absent,
        }
    }

    /// The folders in which libraries are, in the order in which the loader would go.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        if let Some(list) = self.variable("LD_LIBRARY_PATH") {
            folders.extend(
                list.split([':', ';'])
                    .filter(|entry| entry.starts_with('/'))
                    .map(|entry| self.path(entry)),
            );
        }
        for folder in [
            "/lib/x86_64-linux-gnu",
            "/usr/lib/x86_64-linux-gnu",
            "/lib64",
            "/usr/lib64",
            "/usr/lib",
            "/usr/local/lib",
            "/usr/local/nvidia/lib64",
            "/usr/local/nvidia/lib",
            "/usr/lib/wsl/lib",
            "/run/opengl-driver/lib",
        ] {
            folders.push(self.path(folder));
        }
        let mut toolkits: Vec<PathBuf> = ["CUDA_HOME", "CUDA_PATH"]
            .iter()
            .filter_map(|name| self.variable(name))
            .map(|home| self.path(home))
            .collect();
        let mut installed = children(&self.path("/usr/local"), "cuda");
        installed.reverse();
        toolkits.extend(installed);
        toolkits.push(self.path("/opt/cuda"));
        for toolkit in toolkits {
            for part in [
                "lib64",
                "targets/x86_64-linux/lib",
                "lib64/stubs",
                "targets/x86_64-linux/lib/stubs",
                "compat",
                "extras/CUPTI/lib64",
            ] {
                folders.push(toolkit.join(part));
            }
        }
        if let Some(prefix) = self.variable("CONDA_PREFIX") {
            let prefix = self.path(prefix);
            folders.push(prefix.join("lib"));
            folders.push(prefix.join("targets/x86_64-linux/lib"));
        }
        for packages in self.python_packages() {
            folders.push(packages.join("torch/lib"));
            for part in children(&packages.join("nvidia"), "cu") {
                folders.push(part.join("lib"));
            }
        }
        folders
    }

    /// The folders in which Python keeps its packages.
    fn python_packages(&self) -> Vec<PathBuf> {
        let mut prefixes = Vec::new();
        for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
            prefixes.extend(self.variable(name).map(|prefix| self.path(prefix)));
        }
        for folder in self.variable("PATH").unwrap_or_default().split(':') {
            if let Some(prefix) = folder
                .strip_suffix("/bin")
                .filter(|prefix| !prefix.is_empty())
            {
                prefixes.push(self.path(prefix));
            }
        }
        prefixes.extend(
            self.variable("HOME")
                .map(|home| self.path(home).join(".local")),
        );
        prefixes.extend([self.path("/usr/local"), self.path("/usr")]);
        let mut packages: Vec<PathBuf> = self
            .variable("PYTHONPATH")
            .unwrap_or_default()
            .split(':')
            .filter(|entry| entry.starts_with('/'))
            .map(|entry| self.path(entry))
            .collect();
        for prefix in prefixes {
            for python in children(&prefix.join("lib"), "python3") {
                packages.push(python.join("site-packages"));
                packages.push(python.join("dist-packages"));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        packages.retain(|folder| seen.insert(folder.clone()));
        packages
    }

    /// The files that the loader's cache names.
    fn loader_cache(&self) -> Vec<PathBuf> {
        let Ok(bytes) = fs::read(self.path("/etc/ld.so.cache")) else {
            return Vec::new();
        };
        cached_paths(&bytes)
            .into_iter()
            .map(|path| self.path(&path))
            .collect()
    }
}

pub(crate) fn absent_function(name: &str, since: Option<String>) -> AbsentFunction {
    let mut absent = Absent::default();
    if since.is_none() {
        absent.set("since", Reason::Unsupported);
    }
    AbsentFunction {
        name: name.to_owned(),
        since,
        absent,
    }
}

/// Which of the wanted libraries a file name belongs to.
pub(crate) fn library_of(file: &str) -> Option<usize> {
    WANTED.iter().position(|(name, _)| {
        let Some(rest) = file.strip_prefix(name) else {
            return false;
        };
        // PyTorch's wheels put a checksum between the name and the number.
        let rest = match rest.strip_prefix('-') {
            Some(sum) => sum.trim_start_matches(|c: char| c.is_ascii_hexdigit()),
            None => rest,
        };
        rest == ".so"
            || rest
                .strip_prefix(".so.")
                .is_some_and(|number| number.chars().all(|c| c.is_ascii_digit() || c == '.'))
    })
}

fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(prefix))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests;
