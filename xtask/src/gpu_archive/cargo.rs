//! What cargo says of the packages and of what it built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// Packages that are chores of the workspace and nothing to run on a GPU.
const CHORES: [&str; 2] = ["xtask", "cuwhy-codegen"];

/// Packages whose tests bring or choose the libraries that they need themselves.
const ONCE: [&str; 3] = ["cuda-sys", "cuwhy-device-state", "cuwhy-sim"];

/// A line of cargo's JSON that tells of something built; other lines have none of this.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<Target>,
    profile: Option<Profile>,
    #[serde(default)]
    pub(super) filenames: Vec<PathBuf>,
    pub(super) executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Target {
    pub(super) name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Profile {
    test: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    #[serde(default)]
    metadata: Value,
    targets: Vec<Target>,
}

pub(super) fn metadata(workspace: &Path) -> Result<Vec<Package>> {
    let answer = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(workspace)
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
    ensure!(
        answer.status.success(),
        "cargo metadata ended with {}",
        answer.status
    );
    let metadata: Metadata =
        serde_json::from_slice(&answer.stdout).context("reading what cargo metadata says")?;
    Ok(metadata.packages)
}

pub(super) fn has_bench(package: &Package) -> bool {
    package
        .targets
        .iter()
        .any(|target| target.has_kind("bench"))
}

/// Runs cargo and gives what it says of everything that it built.
pub(super) fn cargo(workspace: &Path, arguments: &[&str], more: &[&str]) -> Result<Vec<Message>> {
    let answer = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .args(more)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace)
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
    let what = arguments.join(" ");
    ensure!(
        answer.status.success(),
        "cargo {what} ended with {}",
        answer.status
    );
    let text =
        String::from_utf8(answer.stdout).context("cargo printed something else than text")?;
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let messages = lines.map(|line| {
        serde_json::from_str(line).with_context(|| format!("reading what cargo says: {line}"))
    });
    messages.collect()
}

impl Message {
    pub(super) fn is_test(&self) -> bool {
        let test = self.profile.as_ref().is_some_and(|profile| profile.test);
        test && self.executable.is_some() && !self.has_kind("bench")
    }

    pub(super) fn has_kind(&self, kind: &str) -> bool {
        let target = self.target.as_ref();
        target.is_some_and(|target| target.has_kind(kind))
    }

    /// The package and target, when it is something built here that goes into the archive.
    pub(super) fn belongs<'a>(
        &'a self,
        packages: &'a [Package],
    ) -> Option<(&'a Package, &'a Target)> {
        let id = self.package_id.as_ref()?;
        let package = packages.iter().find(|package| package.id == *id)?;
        let target = self.target.as_ref()?;
        let built = self.reason == "compiler-artifact";
        let wanted = !CHORES.contains(&&*package.name) && !package.leaves_out(target.part());
        (built && wanted).then_some((package, target))
    }
}

impl Target {
    pub(super) fn has_kind(&self, kind: &str) -> bool {
        self.kind.iter().any(|found| found == kind)
    }

    /// What it is called in a manifest's list: its name, or `lib`.
    pub(super) fn part(&self) -> &str {
        let named = ["test", "bench", "bin", "example"];
        match named.into_iter().any(|kind| self.has_kind(kind)) {
            true => &self.name,
            false => "lib",
        }
    }
}

impl Package {
    fn leaves_out(&self, target: &str) -> bool {
        self.names("leave-out", target)
    }

    pub(super) fn runs_once(&self, target: &str) -> bool {
        ONCE.contains(&&*self.name) || self.names("once", target)
    }

    /// Whether the manifest names the target in this list.
    fn names(&self, list: &str, target: &str) -> bool {
        let names = self.metadata["gpu-archive"][list].as_array();
        names.is_some_and(|names| names.iter().any(|name| name == target))
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Package};

    fn package(text: &str) -> Package {
        serde_json::from_str(text).unwrap()
    }

    fn message(id: &str, name: &str, kind: &str, test: bool) -> Message {
        let text = format!(
            r#"{{"reason": "compiler-artifact", "package_id": "{id}", "executable": "/x",
                "target": {{"name": "{name}", "kind": ["{kind}"]}}, "profile": {{"test": {test}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_package_leaves_out_what_its_manifest_names_and_chores_stay_at_home() {
        let packages = [
            package(
                r#"{"id": "a", "name": "cuwhy-a", "targets": [],
                    "metadata": {"gpu-archive": {"leave-out": ["snapshots"]}}}"#,
            ),
            package(r#"{"id": "x", "name": "xtask", "targets": [], "metadata": null}"#),
        ];
        assert!(
            message("a", "copies", "test", true)
                .belongs(&packages)
                .is_some()
        );
        assert!(
            message("a", "snapshots", "test", true)
                .belongs(&packages)
                .is_none()
        );
        assert!(
            message("x", "xtask", "bin", true)
                .belongs(&packages)
                .is_none()
        );
        assert!(
            message("elsewhere", "copies", "test", true)
                .belongs(&packages)
                .is_none()
        );
    }

    #[test]
    fn what_chooses_its_own_libraries_runs_once() {
        let sim = package(r#"{"id": "s", "name": "cuwhy-sim", "targets": []}"#);
        let other = package(
            r#"{"id": "o", "name": "cuwhy-o", "targets": [],
                "metadata": {"gpu-archive": {"once": ["lib"]}}}"#,
        );
        assert!(sim.runs_once("copy_table"));
        assert!(other.runs_once("lib"));
        assert!(!other.runs_once("copies"));
    }

    #[test]
    fn a_bench_that_is_built_as_a_test_is_no_test() {
        assert!(message("a", "copies", "test", true).is_test());
        assert!(!message("a", "copies", "bench", true).is_test());
        assert!(!message("a", "cuwhy", "bin", false).is_test());
    }

    #[test]
    fn other_lines_of_cargo_are_read_and_mean_nothing() {
        let line = r#"{"reason": "build-finished", "success": true}"#;
        let message: Message = serde_json::from_str(line).unwrap();
        assert!(!message.is_test());
        assert!(message.belongs(&[]).is_none());
    }
}
