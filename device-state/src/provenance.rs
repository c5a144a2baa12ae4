//! Where a library file comes from, and of which version it is, as its place and its name tell.

use std::fs;
use std::path::Path;

use crate::library::Origin;

/// Where a file comes from, as its place tells.
pub(crate) fn origin(name: &str, seen: &str, real: &str, file: &Path) -> Origin {
    let either = |part: &str| seen.contains(part) || real.contains(part);
    let of_driver = matches!(name, "libcuda" | "libnvidia-ml");
    if either("/stubs/") {
        return Origin::Stub;
    }
    if either("/wsl/") {
        return Origin::Wsl;
    }
    if of_driver && either("/compat/") {
        return Origin::Compat;
    }
    let in_wheel = || {
        let parts = fs::read_dir(packages_of(file)?).ok()?;
        parts
            .flatten()
            .find(|part| part.file_name().to_string_lossy().ends_with(".dist-info"))
    };
    if either("/site-packages/") || either("/dist-packages/") || in_wheel().is_some() {
        return Origin::Wheel;
    }
    let prefix = real.split_once("/lib/").map(|(prefix, _)| prefix);
    let conda = either("conda")
        || prefix.is_some_and(|prefix| {
            !prefix.is_empty() && Path::new(prefix).join("conda-meta").is_dir()
        });
    if conda {
        return Origin::Conda;
    }
    if either("/cuda/") || either("/cuda-") || either("/targets/x86_64-linux/") {
        return Origin::Toolkit;
    }
    if of_driver {
        // A toolkit's stub has all names and no code: a few ten kilobytes, against many megabytes.
        let small = fs::metadata(file).is_ok_and(|data| data.len() < 256 * 1024);
        return if small && real.ends_with(".so") {
            Origin::Stub
        } else {
            Origin::Driver
        };
    }
    if real.starts_with("/usr/lib") || real.starts_with("/lib") {
        // Distributions package the toolkit this way.
        return Origin::Toolkit;
    }
    Origin::Unknown
}

/// The version of a file, and where it was read.
pub(crate) fn version(name: &str, real: &Path) -> Option<(String, &'static str)> {
    let file = real.file_name()?.to_str()?;
    let number = file.split_once(".so.").map(|(_, number)| number);
    if let Some(number) = number.filter(|number| number.contains('.') && *number != "11.0") {
        return Some((number.to_owned(), "file name"));
    }
    let package = packaged_version(name, real);
    if package.is_some() {
        return package;
    }
    toolkit_version(name, real)
}

/// The folder of packages that a file of a wheel lies in: `.../nvidia/cuda_runtime/lib/libcudart.so.12`.
fn packages_of(real: &Path) -> Option<&Path> {
    real.ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "nvidia"))?
        .parent()
}

/// The version in the name of a wheel's folder: `nvidia_cuda_runtime_cu12-12.8.90.dist-info`.
fn packaged_version(name: &str, real: &Path) -> Option<(String, &'static str)> {
    let packages = packages_of(real)?;
    let part = match name {
        "libcudart" => "cuda_runtime",
        "libcupti" => "cuda_cupti",
        _ => return None,
    };
    let in_wheel = real.strip_prefix(packages).ok()?.to_str()?;
    let major = real
        .file_name()?
        .to_str()?
        .split_once(".so.")
        .map_or("", |(_, number)| number.split('.').next().unwrap_or(""));
    fs::read_dir(packages)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|folder| folder.starts_with("nvidia_") && folder.contains(part))
        .filter_map(|folder| {
            let stem = folder.strip_suffix(".dist-info")?;
            let (_, version) = stem.rsplit_once('-')?;
            Some(version.to_owned())
        })
        .find(|version| {
            in_wheel.starts_with("nvidia/")
                && (major.is_empty() || version.split('.').next() == Some(major))
        })
        .map(|version| (version, "package folder"))
}

/// The version in a toolkit's `version.json`.
fn toolkit_version(name: &str, real: &Path) -> Option<(String, &'static str)> {
    let part = match name {
        "libcudart" => "cuda_cudart",
        "libcupti" => "cuda_cupti",
        _ => return None,
    };
    let file = real
        .ancestors()
        .take(5)
        .map(|folder| folder.join("version.json"))
        .find(|file| file.is_file())?;
    let text = fs::read_to_string(file).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    let version = value.get(part)?.get("version")?.as_str()?;
    Some((version.to_owned(), "version.json"))
}
