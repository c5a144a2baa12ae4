use std::env;
use std::path::{Path, PathBuf};

use crate::Error;

/// The files, as their packages are called.
pub(crate) const CORE: &str = "libcuwhy_sim.so";
pub(crate) const RUNTIME_11: &str = "libcuwhy_sim_cudart11.so";
pub(crate) const RUNTIME_12: &str = "libcuwhy_sim_cudart12.so";
pub(crate) const RUNTIME_13: &str = "libcuwhy_sim_cudart13.so";
pub(crate) const NVML: &str = "libcuwhy_sim_nvml.so";

const ALL: [&str; 5] = [CORE, RUNTIME_11, RUNTIME_12, RUNTIME_13, NVML];

/// A place that has all libraries of the simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libraries {
    place: PathBuf,
}

impl Libraries {
    /// Finds them around the running executable.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with every place, when none has all of them.
    pub fn find() -> Result<Self, Error> {
        let executable = env::current_exe().map_err(Error::Executable)?;
        // An executable that was reached through a link belongs to where it really is.
        let executable = executable.canonicalize().map_err(Error::Executable)?;
        Self::find_around(&executable)
    }

    /// Finds them around this executable.
    ///
    /// # Errors
    ///
    /// As [`Libraries::find`].
    pub fn find_around(executable: &Path) -> Result<Self, Error> {
        let mut places = Vec::new();
        for place in candidates(executable) {
            match ALL.into_iter().find(|name| !place.join(name).is_file()) {
                None => return Ok(Self { place }),
                Some(lacks) => places.push((place, lacks)),
            }
        }
        Err(Error::NotFound { places })
    }

    /// Where they are.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }
}

fn candidates(executable: &Path) -> Vec<PathBuf> {
    let Some(folder) = executable.parent() else {
        return Vec::new();
    };
    let above = folder.parent().unwrap_or(folder);
    let mut places = Vec::new();
    if !folder.ends_with("deps") {
        places.push(folder.join("deps"));
    }
    if folder.ends_with("examples") {
        places.push(above.join("deps"));
    }
    places.push(folder.to_path_buf());
    places.push(above.join("lib/cuwhy"));
    places.push(above.join("lib"));
    places
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ALL, Error, Libraries};

    fn layout(folders: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in folders {
            let folder = root.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            for name in ALL {
                fs::write(folder.join(name), "").unwrap();
            }
        }
        root
    }

    #[test]
    fn what_cargo_refreshed_comes_before_what_lies_beside_the_program() {
        let root = layout(&["debug", "debug/deps"]);
        for program in ["debug/cuwhy", "debug/deps/test-1234", "debug/examples/one"] {
            let found = Libraries::find_around(&root.path().join(program)).unwrap();
            assert_eq!(found.place(), root.path().join("debug/deps"), "{program}");
        }
    }

    #[test]
    fn an_installation_keeps_them_in_lib() {
        let root = layout(&["lib/cuwhy"]);
        let found = Libraries::find_around(&root.path().join("bin/cuwhy")).unwrap();
        assert_eq!(found.place(), root.path().join("lib/cuwhy"));
    }

    #[test]
    fn some_of_them_are_none() {
        let root = layout(&["bin"]);
        fs::remove_file(root.path().join("bin").join(super::NVML)).unwrap();
        let error = Libraries::find_around(&root.path().join("bin/cuwhy")).unwrap_err();
        let Error::NotFound { places } = error else {
            panic!("{error}")
        };
        assert!(places.contains(&(root.path().join("bin"), super::NVML)));
    }
}
