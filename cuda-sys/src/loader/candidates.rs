//! Names and paths to try, in order.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{FoundBy, LibraryName};

/// Where installers, containers, WSL and NixOS put the driver's libraries.
const DRIVER_FOLDERS: [&str; 7] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/wsl/lib",
    "/run/opengl-driver/lib",
];

/// A name or path to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(super) file: PathBuf,
    pub(super) found_by: FoundBy,
}

/// Everything to try for `library` under `names`, the best name first.
///
/// `explicit` is the caller's own file; it and the environment variable are the only candidate where
/// they are given, and `names` is not called then.
pub(crate) fn candidates(
    library: LibraryName,
    explicit: Option<&Path>,
    names: impl FnOnce() -> Vec<&'static str>,
) -> Vec<Candidate> {
    if let Some(file) = explicit {
        return vec![Candidate {
            file: file.to_path_buf(),
            found_by: FoundBy::Caller,
        }];
    }
    if let Some(file) = variable(library.variable()) {
        let found_by = FoundBy::Variable(library.variable());
        return vec![Candidate {
            file: file.into(),
            found_by,
        }];
    }
    let names = names();
    let mut all = Vec::new();
    // What the host program chose is used even where we would have chosen another major.
    let others = library
        .sonames()
        .iter()
        .filter(|name| !names.contains(name));
    all.extend(names.iter().chain(others).map(|name| Candidate {
        file: name.into(),
        found_by: FoundBy::AlreadyMapped,
    }));
    all.extend(names.iter().map(|name| Candidate {
        file: name.into(),
        found_by: FoundBy::SystemLoader,
    }));
    let folders = match library {
        LibraryName::Cuda | LibraryName::Nvml => DRIVER_FOLDERS.map(PathBuf::from).to_vec(),
        LibraryName::Cudart => toolkit_folders(),
    };
    for name in names {
        let files = folders.iter().map(|folder| folder.join(name));
        let files = files.filter(|file| fs::symlink_metadata(file).is_ok());
        all.extend(files.map(|file| Candidate {
            file,
            found_by: FoundBy::UsualFolder,
        }));
    }
    all
}

/// The variable's value, unless it is empty or the program runs with another user's rights.
fn variable(name: &str) -> Option<OsString> {
    // SAFETY: `getauxval` has no preconditions.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    env::var_os(name).filter(|value| !secure && !value.is_empty())
}

/// Folders in which toolkits, conda environments and Python wheels keep libcudart.
fn toolkit_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for name in ["CUDA_HOME", "CUDA_PATH"] {
        folders.extend(variable(name).map(|home| PathBuf::from(home).join("lib64")));
    }
    folders.extend(variable("CONDA_PREFIX").map(|prefix| PathBuf::from(prefix).join("lib")));
    folders.push(PathBuf::from("/usr/local/cuda/lib64"));
    let versions = children(Path::new("/usr/local"), "cuda-");
    folders.extend(
        versions
            .into_iter()
            .rev()
            .map(|version| version.join("lib64")),
    );
    folders.push(PathBuf::from("/opt/cuda/lib64"));
    for packages in python_folders() {
        for wheel in ["nvidia/cu13/lib", "nvidia/cuda_runtime/lib"] {
            folders.push(packages.join(wheel));
        }
    }
    folders
}

/// Folders in which Python keeps its packages.
fn python_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = variable("PYTHONPATH")
        .iter()
        .flat_map(env::split_paths)
        .filter(|path| path.is_absolute())
        .collect();
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".local"));
    let prefixes = [
        variable("VIRTUAL_ENV").map(PathBuf::from),
        variable("CONDA_PREFIX").map(PathBuf::from),
        home,
    ];
    let system = [PathBuf::from("/usr/local"), PathBuf::from("/usr")];
    for prefix in prefixes.into_iter().flatten().chain(system) {
        for python in children(&prefix.join("lib"), "python3").into_iter().rev() {
            folders.push(python.join("site-packages"));
            folders.push(python.join("dist-packages"));
        }
    }
    folders
}

/// What stands in `folder` under names that begin with `prefix`, sorted.
fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let mut found: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    found.sort();
    found
}
