//! Compares how many instructions this tree and its parent take for the paths that must stay short.
//!
//! Both are built and counted in the same run: the same binary counts differently on another
//! processor, and another compiler makes another binary.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::packages::root;

/// How much a count may rise, in percent.
const ALLOWED: f64 = 2.0;

/// A commit message with a line that begins so says why a count rises.
const EXCUSE: &str = "Counts:";

/// The function of `benches/counts.rs` inside of which instructions are counted.
const COUNTED: &str = "cuwhy_counted";

/// Instructions of one run of each path.
type Counts = BTreeMap<String, f64>;

/// Counts this tree and `base`, and fails when a path takes more than 2 % more.
pub(crate) fn run(base: &str) -> Result<()> {
    let root = root()?;
    let folder = root.join("target/counts");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    ensure!(
        Command::new("valgrind").arg("--version").output().is_ok(),
        "valgrind is not installed, and instructions are counted with it: apt-get install valgrind"
    );
    let ours = count(&build(&root, &folder.join("this"))?, &folder)?;
    let theirs = match parent(&root, base, &folder)? {
        Ok(counts) => counts,
        Err(why) => {
            say(&format!("counts: {why}: there is nothing to compare with"))?;
            Counts::new()
        }
    };
    let mut risen = Vec::new();
    say(&format!(
        "{:<44} {:>10} {:>10} {:>9}",
        "instructions", "before", "now", ""
    ))?;
    for (path, now) in &ours {
        let line = match theirs.get(path) {
            None => format!("{path:<44} {:>10} {now:>10.1} {:>9}", "-", "new"),
            Some(before) => {
                let change = (now / before - 1.0) * 100.0;
                if change > ALLOWED {
                    risen.push(format!("{path}: {before:.1} -> {now:.1} ({change:+.1} %)"));
                }
                format!("{path:<44} {before:>10.1} {now:>10.1} {change:>+7.1} %")
            }
        };
        say(&line)?;
    }
    for path in theirs.keys().filter(|path| !ours.contains_key(*path)) {
        say(&format!("{path:<44} is no longer counted"))?;
    }
    if risen.is_empty() {
        return Ok(());
    }
    if let Some(reason) = excuse(&root, base)? {
        return say(&format!(
            "more than {ALLOWED} % more, and the commit says why: {reason}"
        ));
    }
    bail!(
        "instructions rose by more than {ALLOWED} %: {}. Make it shorter, or say why in the commit \
         message, in a line that begins with \"{EXCUSE}\"",
        risen.join("; ")
    )
}

/// The counts of `base`, or why there are none.
fn parent(root: &Path, base: &str, folder: &Path) -> Result<Result<Counts, String>> {
    let commit = format!("{base}^{{commit}}");
    let Ok(commit) = git(root, &["rev-parse", "--verify", "--quiet", &commit]) else {
        return Ok(Err(format!("this clone has no commit {base}")));
    };
    let tree = folder.join("parent");
    let path = tree
        .to_str()
        .context("the target folder has a name that is no text")?;
    // What an interrupted run left.
    drop(git(root, &["worktree", "remove", "--force", path]));
    git(
        root,
        &[
            "worktree",
            "add",
            "--detach",
            "--force",
            path,
            commit.trim(),
        ],
    )?;
    let counts = if tree.join("benches/counts.rs").is_file() {
        match build(&tree, &folder.join("before")) {
            Ok(binary) => count(&binary, folder).map(Ok),
            Err(error) => Ok(Err(format!("{base} does not build ({error})"))),
        }
    } else {
        Ok(Err(format!("{base} has no benches/counts.rs")))
    };
    git(root, &["worktree", "remove", "--force", path])?;
    counts
}

/// Builds what is counted from the tree at `source`, and copies it to `binary`.
fn build(source: &Path, binary: &Path) -> Result<PathBuf> {
    let target = root()?.join("target/counts/build");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(source)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "cuwhy-benches",
        ])
        .args(["--bin", "cuwhy-counts", "--no-default-features"])
        // One unit and the same names whatever the folder: the same source gives the same code.
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "cargo: {status}");
    let built = target.join("release/cuwhy-counts");
    fs::copy(&built, binary).with_context(|| format!("copying {}", built.display()))?;
    Ok(binary.to_path_buf())
}

/// Runs every path of `binary` under callgrind.
fn count(binary: &Path, folder: &Path) -> Result<Counts> {
    let output = Command::new(binary)
        .output()
        .with_context(|| binary.display().to_string())?;
    let listed = String::from_utf8(output.stdout).context("the list of paths is no text")?;
    let mut counts = Counts::new();
    for line in listed.lines() {
        let (times, path) = line
            .split_once(' ')
            .with_context(|| format!("listed: {line}"))?;
        let times: f64 = times.parse().with_context(|| format!("listed: {line}"))?;
        let result = folder.join("callgrind.out");
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--collect-atstart=no"])
            .arg(format!("--toggle-collect={COUNTED}"))
            .arg(format!("--callgrind-out-file={}", result.display()))
            .arg(binary)
            .arg(path)
            .output()
            .context("running valgrind")?;
        ensure!(
            output.status.success(),
            "valgrind over {path:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let text = fs::read_to_string(&result)?;
        let total = total(&text).with_context(|| format!("{} has no total", result.display()))?;
        ensure!(
            total > 0.0,
            "nothing was counted of {path:?}: is {COUNTED} still its name?"
        );
        counts.insert(path.to_owned(), total / times);
    }
    Ok(counts)
}

/// The number of instructions that a callgrind file tells.
fn total(text: &str) -> Option<f64> {
    let lines = text.lines();
    let mut told = lines.filter_map(|line| {
        line.strip_prefix("summary: ")
            .or_else(|| line.strip_prefix("totals: "))
    });
    told.next()?.trim().parse().ok()
}

/// Why counts rise, when a commit since `base` says so.
fn excuse(root: &Path, base: &str) -> Result<Option<String>> {
    let messages = git(root, &["log", "--format=%B", &format!("{base}..HEAD")])?;
    Ok(reason(&messages))
}

fn reason(messages: &str) -> Option<String> {
    let mut lines = messages
        .lines()
        .filter_map(|line| line.trim().strip_prefix(EXCUSE));
    lines
        .find(|reason| !reason.trim().is_empty())
        .map(|reason| reason.trim().to_owned())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output();
    let output = output.context("running git")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        words.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("writing to standard output")
}

#[cfg(test)]
mod tests {
    use super::{reason, total};

    #[test]
    fn the_total_is_read_from_callgrinds_file() {
        assert_eq!(total("events: Ir\nsummary: 12000\n\n7 1\n"), Some(12_000.0));
        assert_eq!(total("totals: 5\n"), Some(5.0));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn a_reason_is_a_line_of_its_own_and_not_empty() {
        let given = reason("Faster\n\nCounts: the check covers arrays now\n");
        assert_eq!(given.as_deref(), Some("the check covers arrays now"));
        assert_eq!(reason("the line Counts: is not at the beginning"), None);
        assert_eq!(reason("Counts:\n"), None);
    }
}
