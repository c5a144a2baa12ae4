//! Where things are: in a cargo target folder while the workspace is at hand, and in the archive
//! that `cargo xtask gpu-archive` packs for machines with a GPU and without Rust.
//!
//! Everything is found at run time, from the environment and from where the running test stands.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

use crate::skip;

/// The file at the archive's root by which it is recognised.
pub const ARCHIVE_MARK: &str = "cuwhy-archive.json";

/// Where the running test lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum House {
    /// In the workspace: its root folder.
    Workspace(PathBuf),
    /// In an archive for GPU machines: its root folder.
    Archive(PathBuf),
}

/// Where the running test lives.
///
/// # Panics
///
/// When neither a workspace nor an archive is anywhere above the test or the working folder.
#[must_use]
pub fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let program = env::current_exe().ok();
        find_house(
            variable("CUWHY_ARCHIVE").map(PathBuf::from),
            program.as_deref(),
            &[
                variable("CARGO_MANIFEST_DIR").map(PathBuf::from),
                env::current_dir().ok(),
                program.clone(),
            ],
        )
        .expect(
            "no workspace and no archive above this program; set CUWHY_ARCHIVE to the archive's root",
        )
    })
}

fn find_house(
    archive: Option<PathBuf>,
    program: Option<&Path>,
    starts: &[Option<PathBuf>],
) -> Option<House> {
    if let Some(root) = archive {
        return Some(House::Archive(root));
    }
    let mut above_program = program.iter().flat_map(|program| program.ancestors());
    if let Some(root) = above_program.find(|folder| folder.join(ARCHIVE_MARK).is_file()) {
        return Some(House::Archive(root.to_path_buf()));
    }
    let mut folders = starts.iter().flatten().flat_map(|start| start.ancestors());
    let is_root = |folder: &&Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml"));
        manifest.is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
    };
    let root = folders.find(is_root)?;
    Some(House::Workspace(root.to_path_buf()))
}

pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// A file or folder of `tests/data`.
#[must_use]
pub fn fixture(name: &str) -> PathBuf {
    match house() {
        House::Workspace(root) => root.join("tests/data").join(name),
        House::Archive(root) => root.join("data").join(name),
    }
}

/// A file or folder of the workspace, for a test about what stands there: documents, sources, snapshots.
///
/// An archive has none of it: then one line says that the test is skipped, which is to do nothing.
#[must_use]
pub fn workspace(part: &str) -> Option<PathBuf> {
    match house() {
        House::Workspace(root) => Some(root.join(part)),
        House::Archive(_) => {
            skip(&format!(
                "it is about {part} of the workspace, and this is an archive"
            ));
            None
        }
    }
}

/// A program of ours: the target `name` of `package`.
///
/// Under cargo it is built first, so that it is never an old one.
///
/// # Panics
///
/// When it is not there and cannot be built.
#[must_use]
pub fn executable(package: &str, name: &str) -> PathBuf {
    match house() {
        House::Workspace(_) => built(package, name),
        House::Archive(root) => there(root.join("bin").join(name)),
    }
}

/// A shared library of ours: the file `name` that `package` makes.
///
/// Under cargo it is built first, so that it is never an old one.
///
/// # Panics
///
/// When it is not there and cannot be built.
#[must_use]
pub fn shared_library(package: &str, name: &str) -> PathBuf {
    match house() {
        House::Workspace(_) => built(package, name),
        House::Archive(root) => there(root.join("lib").join(name)),
    }
}

fn there(file: PathBuf) -> PathBuf {
    assert!(file.is_file(), "{} is not there", file.display());
    file
}

/// The file of this name that `package` makes, built by the cargo that runs this test.
fn built(package: &str, name: &str) -> PathBuf {
    let profile = profile_folder();
    let Some(cargo) = variable("CARGO") else {
        return there(profile.join(name));
    };
    static BUILT: Mutex<BTreeMap<String, Vec<PathBuf>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let files = built
        .entry(package.to_owned())
        .or_insert_with(|| build(Path::new(&cargo), package, &profile));
    let file = files
        .iter()
        .find(|file| file.file_name().is_some_and(|found| found == name));
    file.unwrap_or_else(|| panic!("{package} makes no {name}; it makes {files:?}"))
        .clone()
}

fn build(cargo: &Path, package: &str, profile: &Path) -> Vec<PathBuf> {
    let House::Workspace(root) = house() else {
        unreachable!("only called in a workspace")
    };
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let answer = Command::new(cargo)
        .args(["build", "--message-format=json", "--package", package])
        .args(["--profile", name])
        .current_dir(root)
        .output()
        .expect("the cargo that runs this test starts");
    let words = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "cargo build -p {package}: {words}");
    let text = String::from_utf8_lossy(&answer.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let files = messages.flat_map(|message| match &message["filenames"] {
        Value::Array(files) => files.clone(),
        _ => Vec::new(),
    });
    files
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .collect()
}

/// The folder of this profile: `debug` or `release` of the target folder, above `deps`.
fn profile_folder() -> PathBuf {
    let program = env::current_exe().expect("the system tells this program's file");
    let mut folders = program.ancestors().skip(1);
    let named = |folder: &Path| {
        folder
            .file_name()
            .is_none_or(|name| name != "deps" && name != "examples")
    };
    folders
        .find(|folder| named(folder))
        .expect("a test stands in a folder")
        .to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::{ARCHIVE_MARK, House, find_house};
    use std::fs;
    use std::path::PathBuf;

    #[test]
    fn an_archive_is_recognised_by_its_mark_above_the_program() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("tests/some-test");
        let starts = [Some(PathBuf::from("/"))];
        assert_eq!(find_house(None, Some(&program), &starts), None);
        fs::write(root.path().join(ARCHIVE_MARK), "{}").unwrap();
        let found = find_house(None, Some(&program), &starts);
        assert_eq!(found, Some(House::Archive(root.path().to_path_buf())));
    }

    #[test]
    fn the_variable_wins_over_everything() {
        let root = PathBuf::from("/somewhere");
        let found = find_house(Some(root.clone()), None, &[]);
        assert_eq!(found, Some(House::Archive(root)));
    }

    #[test]
    fn a_workspace_is_the_folder_with_the_virtual_manifest() {
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join("tests");
        fs::create_dir(&package).unwrap();
        fs::write(root.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        fs::write(package.join("Cargo.toml"), "[package]\n").unwrap();
        let found = find_house(None, None, &[Some(package)]);
        assert_eq!(found, Some(House::Workspace(root.path().to_path_buf())));
    }
}
