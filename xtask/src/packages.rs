//! The pinned packages of `packages.toml`: fetched, checked, unpacked, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// How many packages are fetched at a time.
const AT_A_TIME: usize = 4;

#[derive(Debug, Deserialize)]
struct Pins {
    libclang: Pin,
    toolkit: Vec<Pin>,
    nvml: Vec<Pin>,
}

/// One line of the reviewed list.
#[derive(Debug, Clone, Deserialize)]
struct Pin {
    #[serde(default)]
    version: u32,
    package: String,
    release: String,
    sha256: String,
    #[serde(default)]
    include: PathBuf,
    #[serde(default)]
    library: PathBuf,
}

/// An unpacked package.
#[derive(Debug, Clone)]
pub(crate) struct Toolkit {
    /// CUDA's own number: 12080 for 12.8.
    pub(crate) version: u32,
    /// The folder with `cuda.h`, or with `nvml.h`.
    pub(crate) include: PathBuf,
}

/// The workspace's root folder.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map(Path::to_path_buf)
        .context("xtask has no parent folder")
}

fn pins() -> Result<Pins> {
    let path = root()?.join("xtask/packages.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Where packages are kept: `CUWHY_TOOLKITS`, or `toolkits` in the target folder.
fn cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("CUWHY_TOOLKITS") {
        return Ok(folder.into());
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => root()?.join("target"),
    };
    Ok(target.join("toolkits"))
}

/// Fetches what is not there yet; the toolkits come back from the oldest to the newest.
pub(crate) fn fetch_all() -> Result<Vec<Toolkit>> {
    fetch(&pins()?.toolkit)
}

/// The same for the packages with NVML's header.
pub(crate) fn fetch_nvml() -> Result<Vec<Toolkit>> {
    fetch(&pins()?.nvml)
}

fn fetch(pins: &[Pin]) -> Result<Vec<Toolkit>> {
    let cache = cache()?;
    let waiting = Mutex::new(pins.iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting.lock().map_or(None, |mut queue| queue.next());
            let Some(pin) = next else { return };
            if let (Err(error), Ok(mut failures)) = (unpacked(pin, &cache), failures.lock()) {
                failures.push(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    if let Some(error) = failures.into_iter().next() {
        return Err(error);
    }
    let mut toolkits = Vec::new();
    for pin in pins {
        let include = unpacked(pin, &cache)?.join(&pin.include);
        ensure!(
            include.is_dir(),
            "{} {} has no folder {}",
            pin.package,
            pin.release,
            pin.include.display()
        );
        toolkits.push(Toolkit {
            version: pin.version,
            include,
        });
    }
    toolkits.sort_by_key(|toolkit| toolkit.version);
    Ok(toolkits)
}

/// A folder with a libclang of ours, for machines that have none.
pub(crate) fn libclang() -> Result<PathBuf> {
    let pin = pins()?.libclang;
    let folder = unpacked(&pin, &cache()?)?.join(&pin.library);
    ensure!(
        folder.is_dir(),
        "the package {} has no folder {}",
        pin.package,
        pin.library.display()
    );
    Ok(folder)
}

/// The folder of an unpacked package, fetched first when it is not in the cache.
fn unpacked(pin: &Pin, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join(format!("{}-{}", pin.package, pin.release));
    if folder.is_dir() {
        return Ok(folder);
    }
    let wheel = download(pin, cache).with_context(|| {
        format!(
            "fetching {} {} with pip (needed once; afterwards {} serves without a network)",
            pin.package,
            pin.release,
            cache.display()
        )
    })?;
    chosen(&wheel, pin)?;
    let unfinished = folder.with_extension("unfinished");
    let mut unzip = Command::new("python3");
    unzip
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(&unfinished);
    run(unzip)?;
    fs::rename(&unfinished, &folder)
        .with_context(|| format!("renaming to {}", folder.display()))?;
    Ok(folder)
}

/// Makes sure that this is the wheel that was reviewed.
fn chosen(wheel: &Path, pin: &Pin) -> Result<()> {
    let sum = checksum(wheel)?;
    if sum != pin.sha256 {
        // The next run is to fetch it anew and not to stumble over this one.
        fs::remove_file(wheel).with_context(|| format!("removing {}", wheel.display()))?;
        bail!(
            "{} has the checksum {sum}, and packages.toml wants {}: it was removed",
            wheel.display(),
            pin.sha256
        );
    }
    Ok(())
}

fn download(pin: &Pin, cache: &Path) -> Result<PathBuf> {
    let into = cache
        .join("wheels")
        .join(format!("{}-{}", pin.package, pin.release));
    fs::create_dir_all(&into).with_context(|| format!("making {}", into.display()))?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]);
    pip.arg("--only-binary=:all:");
    // Some releases come in two builds: pip takes the platform that is named first.
    for platform in [
        "manylinux2014",
        "manylinux_2_17",
        "manylinux2010",
        "manylinux1",
    ] {
        pip.arg(format!("--platform={platform}_x86_64"));
    }
    pip.arg("--dest")
        .arg(&into)
        .arg(format!("{}=={}", pin.package, pin.release));
    run(pip)?;
    let entries = fs::read_dir(&into)?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let mut wheels = entries.filter(|path| path.extension().is_some_and(|ending| ending == "whl"));
    wheels
        .next()
        .context("pip reported success and left no wheel")
}

fn run(mut command: Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let answer = command
        .output()
        .with_context(|| format!("starting {name}: is it installed?"))?;
    if answer.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&answer.stderr);
    bail!("{name} ended with {}: {}", answer.status, words.trim())
}

fn checksum(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|error| anyhow!("reading {}: {error}", path.display()))?;
    Ok(Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use super::{Pin, checksum, chosen, run, unpacked};

    fn pin(sha256: &str) -> Pin {
        Pin {
            version: 12080,
            package: "nvidia-none".to_owned(),
            release: "1.0".to_owned(),
            sha256: sha256.to_owned(),
            include: PathBuf::new(),
            library: PathBuf::new(),
        }
    }

    #[test]
    fn what_is_in_the_cache_is_not_fetched() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("nvidia-none-1.0");
        fs::create_dir(&folder).unwrap();
        assert_eq!(unpacked(&pin(""), cache.path()).unwrap(), folder);
    }

    #[test]
    fn a_program_that_is_not_there_or_fails_is_named() {
        let error = run(Command::new("/nowhere/python3")).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("/nowhere/python3: is it installed?"),
            "{text}"
        );
        let mut python = Command::new("sh");
        python.args(["-c", "echo No module named pip >&2; exit 1"]);
        let text = run(python).unwrap_err().to_string();
        assert!(text.contains("No module named pip"), "{text}");
    }

    #[test]
    fn a_wheel_with_another_checksum_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("one.whl");
        fs::write(&wheel, "another").unwrap();
        let error = chosen(&wheel, &pin("0123")).unwrap_err().to_string();
        assert!(
            error.contains("0123") && error.contains("it was removed"),
            "{error}"
        );
        assert!(!wheel.exists());
        fs::write(&wheel, "the one").unwrap();
        let sum = checksum(&wheel).unwrap();
        chosen(&wheel, &pin(&sum)).unwrap();
        assert!(wheel.exists());
    }
}
