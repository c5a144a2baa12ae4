//! The pinned toolkits as `cargo xtask toolkits` unpacks them: headers and real runtimes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use cuda_sys::Version;

use crate::place::{House, house, variable};
use crate::skip;

/// One unpacked toolkit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolkit {
    /// The CUDA version that it is of.
    pub version: Version,
    /// Its headers; not in an archive.
    pub include: PathBuf,
    /// Its libcudart.
    pub runtime: PathBuf,
}

/// Every toolkit that is there, the oldest first. None is no failure unless they are required.
///
/// An archive has few of them, and only their libraries.
///
/// # Panics
///
/// When none is there and `CUWHY_TEST_TOOLKITS` is `require`.
#[must_use]
pub fn toolkits() -> Vec<Toolkit> {
    let folder = folder();
    let entries = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let mut found: Vec<Toolkit> = entries.filter_map(|entry| read(&entry.path())).collect();
    found.sort_by_key(|toolkit| toolkit.version);
    if found.is_empty() {
        missing(&format!("no toolkits in {}", folder.display()));
    }
    found
}

/// The toolkit of this version; without it the test is to do nothing.
///
/// # Panics
///
/// When it is not there and `CUWHY_TEST_TOOLKITS` is `require`.
#[must_use]
pub fn toolkit(version: Version) -> Option<Toolkit> {
    let mut all = toolkits();
    let place = all.iter().position(|toolkit| toolkit.version == version);
    if place.is_none() && !all.is_empty() {
        missing(&format!("no toolkit of CUDA {version}"));
    }
    place.map(|place| all.swap_remove(place))
}

/// Skips the test, or fails where toolkits are required.
pub(crate) fn missing(what: &str) {
    match env::var("CUWHY_TEST_TOOLKITS").as_deref() {
        Err(_) | Ok("" | "auto") => {
            skip(&format!("{what} (`cargo xtask toolkits` fetches them)"));
        }
        Ok("require") => panic!("CUWHY_TEST_TOOLKITS is require: {what}"),
        Ok(other) => panic!("CUWHY_TEST_TOOLKITS is {other:?}: it may be auto or require"),
    }
}

fn folder() -> PathBuf {
    if let Some(folder) = variable("CUWHY_TOOLKITS") {
        return folder.into();
    }
    match house() {
        House::Archive(root) => root.join("toolkits"),
        House::Workspace(root) => {
            let target = variable("CARGO_TARGET_DIR").map_or_else(
                || root.join("target"),
                // A relative one is relative to where cargo was started.
                |folder| root.join(folder),
            );
            target.join("toolkits")
        }
    }
}

/// Reads `nvidia-cuda-runtime-cu12-12.9.79`: the version is in the name.
fn read(folder: &Path) -> Option<Toolkit> {
    let name = folder.file_name()?.to_str()?;
    let release = name.strip_prefix("nvidia-cuda-runtime-")?;
    let release = release
        .split_once('-')
        .map_or(release, |(_, release)| release);
    let mut numbers = release.split('.').map(str::parse::<u32>);
    let version = Version::new(numbers.next()?.ok()?, numbers.next()?.ok()?);
    let inside = match version.major() {
        11 | 12 => folder.join("nvidia/cuda_runtime"),
        major => folder.join(format!("nvidia/cu{major}")),
    };
    let soname = match version.major() {
        11 => "libcudart.so.11.0".to_owned(),
        major => format!("libcudart.so.{major}"),
    };
    let runtime = inside.join("lib").join(soname);
    runtime.is_file().then(|| Toolkit {
        version,
        include: inside.join("include"),
        runtime,
    })
}
