//! `cargo xtask gpu-archive`: one folder that runs on a machine with a GPU and without Rust.
//!
//! What is in it comes from what cargo says it built, so that a new crate comes along by itself. Its
//! tests run once with each real runtime. A package names in its manifest the targets for which that
//! is different:
//!
//! ```toml
//! [package.metadata.gpu-archive]
//! leave-out = ["snapshots"]   # not in the archive at all
//! once = ["lib"]              # run once, because it does not matter which runtime there is
//! ```

mod cargo;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt::Write as _};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::packages;
use cargo::{Message, Package, cargo, has_bench, metadata};

/// More than this is too much to carry.
const LIMIT: u64 = 60 << 20;

/// The file by which the tests know that they stand in an archive.
const MARK: &str = "cuwhy-archive.json";

/// The real runtimes to run against, as CUDA counts versions.
const RUNTIMES: [u32; 3] = [11080, 12090, 13000];

/// Packages whose tests are about what stands in for a GPU, and of no use beside one.
const STAND_IN: &str = "cuwhy-sim";

/// The list of tests that run once, for the runner.
const ONCE_LIST: &str = "tests-once.txt";

const RUN_TESTS: &str = include_str!("gpu_archive/run-tests.sh");
const RUN_BENCHES: &str = include_str!("gpu_archive/run-benches.sh");

/// The archive while it is filled.
struct Archive {
    root: PathBuf,
    /// Each file, relative to the root, with its size.
    files: Vec<(PathBuf, u64)>,
    /// The tests that run once, by name.
    once: Vec<String>,
}

/// Builds and packs; the tests in the release profile with `release`.
pub(crate) fn run(release: bool) -> Result<()> {
    let workspace = packages::root()?;
    let target = match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => workspace.join("target"),
    };
    let root = target.join("gpu-archive");
    let packages = metadata(&workspace)?;
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    let tests = cargo(&workspace, &["test", "--no-run", "--workspace"], profile)?;
    let ours = cargo(&workspace, &["build", "--release", "--workspace"], &[])?;
    let benches = if packages.iter().any(has_bench) {
        // `call_link` is bound when it is linked, which only a machine with a driver can run.
        let features = ["--features", "cuwhy-benches/link-time"];
        // As `cargo bench` would, with the crates that the command was just built from.
        let benches = ["build", "--release", "--workspace", "--bench", "*"];
        cargo(&workspace, &benches, &features)?
    } else {
        Vec::new()
    };

    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("removing {}", root.display()))?;
    }
    let mut archive = Archive {
        root,
        files: Vec::new(),
        once: Vec::new(),
    };
    for message in &tests {
        if message.is_test() {
            archive.add_target("tests", message, &packages)?;
        }
    }
    for message in &ours {
        archive.add_ours(message, &packages)?;
    }
    for message in &benches {
        if message.has_kind("bench") {
            archive.add_target("benches", message, &packages)?;
        }
    }
    archive.add_folder(&workspace.join("tests/data"), Path::new("data"))?;
    archive.add_runtimes()?;
    let once = archive.once.join("\n") + "\n";
    archive.add_text(ONCE_LIST, &once)?;
    archive.add_text("run-tests.sh", RUN_TESTS)?;
    archive.add_text("run-benches.sh", RUN_BENCHES)?;
    archive.finish()
}

impl Archive {
    /// A test or bench binary, under a name that says of what: `cuwhy-validate.lib`, `cuwhy-tests.canary`.
    fn add_target(&mut self, folder: &str, message: &Message, packages: &[Package]) -> Result<()> {
        let Some((package, target)) = message.belongs(packages) else {
            return Ok(());
        };
        let Some(program) = &message.executable else {
            return Ok(());
        };
        if package.name.starts_with(STAND_IN) {
            return Ok(());
        }
        let part = match target.has_kind("bin") {
            true => format!("bin-{}", target.name),
            false => target.part().to_owned(),
        };
        let name = format!("{}.{part}", package.name);
        let to = Path::new(folder).join(&name);
        self.strip(program, &to)?;
        self.compress(&to)?;
        if package.runs_once(target.part()) {
            self.once.push(name);
        }
        Ok(())
    }

    /// A program or a shared library of ours.
    fn add_ours(&mut self, message: &Message, packages: &[Package]) -> Result<()> {
        if message.belongs(packages).is_none() {
            return Ok(());
        }
        if let (Some(program), true) = (&message.executable, message.has_kind("bin")) {
            let name = program.file_name().context("a program has a name")?;
            self.add_stripped(program, &Path::new("bin").join(name))?;
        }
        if message.has_kind("cdylib") {
            let shared = |file: &&PathBuf| file.extension().is_some_and(|ending| ending == "so");
            for library in message.filenames.iter().filter(shared) {
                let name = library.file_name().context("a library has a name")?;
                self.add_stripped(library, &Path::new("lib").join(name))?;
            }
        }
        Ok(())
    }

    /// The real runtimes, in the folders in which the tests look for toolkits.
    fn add_runtimes(&mut self) -> Result<()> {
        let toolkits = packages::fetch_all()?;
        for version in RUNTIMES {
            let toolkit = toolkits
                .iter()
                .find(|toolkit| toolkit.version == version)
                .with_context(|| format!("packages.toml has no toolkit {version}"))?;
            // nvidia-cuda-runtime-cu12-12.9.79/nvidia/cuda_runtime/{include,lib}
            let inside = toolkit
                .include
                .parent()
                .context("headers are in a folder")?;
            let package = inside.ancestors().nth(2).context("packages are folders")?;
            let cache = package.parent().context("the cache is a folder")?;
            let libraries = inside.join("lib");
            let entries = fs::read_dir(&libraries)
                .with_context(|| format!("reading {}", libraries.display()))?;
            for entry in entries {
                let file = entry?.path();
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                if name.starts_with("libcudart.so") {
                    let within = file.strip_prefix(cache)?.to_path_buf();
                    self.add(&file, &Path::new("toolkits").join(within))?;
                }
            }
        }
        Ok(())
    }

    fn add_folder(&mut self, from: &Path, to: &Path) -> Result<()> {
        if !from.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
            let path = entry?.path();
            let name = path.file_name().context("an entry has a name")?;
            if path.is_dir() {
                self.add_folder(&path, &to.join(name))?;
            } else {
                self.add(&path, &to.join(name))?;
            }
        }
        Ok(())
    }

    fn add_text(&mut self, name: &str, text: &str) -> Result<()> {
        let file = self.place(Path::new(name))?;
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        if name.ends_with(".sh") {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        }
        self.note(Path::new(name))
    }

    fn add(&mut self, from: &Path, to: &Path) -> Result<()> {
        let file = self.place(to)?;
        fs::copy(from, &file)
            .with_context(|| format!("copying {} to {}", from.display(), file.display()))?;
        self.note(to)
    }

    fn add_stripped(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.strip(from, to)?;
        self.note(to)
    }

    /// Makes `to.gz` of the file `to`; the runner unpacks it when its turn comes.
    fn compress(&mut self, to: &Path) -> Result<()> {
        let file = self.root.join(to);
        let answer = Command::new("gzip")
            .arg("-n")
            .arg(&file)
            .output()
            .context("starting gzip: is it installed?")?;
        ensure!(
            answer.status.success(),
            "gzip {}: {}",
            file.display(),
            String::from_utf8_lossy(&answer.stderr).trim()
        );
        let mut packed = to.as_os_str().to_owned();
        packed.push(".gz");
        self.note(Path::new(&packed))
    }

    fn strip(&self, from: &Path, to: &Path) -> Result<()> {
        let file = self.place(to)?;
        let answer = Command::new("strip")
            .args(["--strip-unneeded", "-o"])
            .arg(&file)
            .arg(from)
            .output()
            .context("starting strip: are the binutils installed?")?;
        ensure!(
            answer.status.success(),
            "strip {}: {}",
            from.display(),
            String::from_utf8_lossy(&answer.stderr).trim()
        );
        Ok(())
    }

    /// The full path of a file to be, in a folder that exists, where nothing stands yet.
    fn place(&self, to: &Path) -> Result<PathBuf> {
        let file = self.root.join(to);
        ensure!(!file.exists(), "two files want to be {}", to.display());
        let folder = file.parent().context("a file stands in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(file)
    }

    fn note(&mut self, to: &Path) -> Result<()> {
        let size = fs::metadata(self.root.join(to))?.len();
        self.files.push((to.to_path_buf(), size));
        Ok(())
    }

    /// Writes the mark and says what there is; an error with every size when it is too much.
    fn finish(mut self) -> Result<()> {
        let folders: BTreeSet<&Path> = self
            .files
            .iter()
            .filter_map(|(file, _)| file.parent())
            .collect();
        ensure!(
            folders.contains(Path::new("tests")) && folders.contains(Path::new("bin")),
            "no tests or no command were built"
        );
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|(file, size)| json!({ "file": file, "bytes": size }))
            .collect();
        let text = serde_json::to_string_pretty(&json!({
            "made_by": "cargo xtask gpu-archive",
            "files": files,
        }))?;
        let mark = self.root.join(MARK);
        fs::write(&mark, text + "\n").with_context(|| format!("writing {}", mark.display()))?;

        let total = self.files.iter().map(|(_, size)| size).sum::<u64>();
        let root = self.root.display();
        if total <= LIMIT {
            #[expect(clippy::print_stdout, reason = "what a chore has done is its output")]
            {
                println!("{} in {root}: {} files", mebibytes(total), self.files.len());
            }
            return Ok(());
        }
        self.files.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let mut sizes = String::new();
        for (file, size) in &self.files {
            write!(sizes, "\n  {:>10}  {}", mebibytes(*size), file.display())?;
        }
        bail!(
            "{root} has {}, and {} is the limit (--release makes the tests smaller):{sizes}",
            mebibytes(total),
            mebibytes(LIMIT)
        )
    }
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod runner;

#[cfg(test)]
mod tests {
    use super::{Archive, LIMIT, mebibytes};
    use std::fs;
    use std::path::{Path, PathBuf};

    fn archive(root: &Path, files: &[(&str, u64)]) -> Archive {
        let files = files
            .iter()
            .map(|(file, size)| (PathBuf::from(file), *size));
        Archive {
            root: root.to_path_buf(),
            files: files.collect(),
            once: Vec::new(),
        }
    }

    #[test]
    fn too_much_is_an_error_with_every_size_the_largest_first() {
        let root = tempfile::tempdir().unwrap();
        let files = [("bin/cuwhy", 1 << 20), ("tests/large", LIMIT)];
        let error = archive(root.path(), &files)
            .finish()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("has 61.0 MiB, and 60.0 MiB is the limit"),
            "{error}"
        );
        let (large, small) = (error.find("tests/large"), error.find("bin/cuwhy"));
        assert!(large < small, "{error}");
    }

    #[test]
    fn an_archive_without_tests_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(archive(root.path(), &[("bin/cuwhy", 1)]).finish().is_err());
    }

    #[test]
    fn two_files_of_one_name_are_an_error() {
        let root = tempfile::tempdir().unwrap();
        let mut archive = archive(root.path(), &[]);
        archive.add_text("same", "one").unwrap();
        assert!(archive.add_text("same", "two").is_err());
        assert_eq!(fs::read_to_string(root.path().join("same")).unwrap(), "one");
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(mebibytes(0), "0.0 MiB");
        assert_eq!(mebibytes(LIMIT + (1 << 19)), "60.5 MiB");
    }
}
