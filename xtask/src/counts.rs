//! Compares how many instructions this tree and an earlier one take for the paths that must stay short.
//!
//! Both are built and counted in the same run: the same binary counts differently on another
//! processor, and another compiler makes another binary.
//!
//! The earlier one is where this branch left the main branch, so that all commits of a submission
//! are compared together, and a rise in the first of them is not hidden by being in the parent of
//! the last. On the main branch itself it is the parent, which after a merge is all that was there
//! before it. Whoever lands several commits without a merge names the commit before them.

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

/// Names that the main branch may have, the remote's first: what is landed is there.
const MAIN: [&str; 4] = ["origin/HEAD", "origin/main", "origin/master", "main"];

/// A commit message with a line that begins so says why a count rises.
const EXCUSE: &str = "Counts:";

/// The function of `benches/counts.rs` inside of which instructions are counted.
const COUNTED: &str = "cuwhy_counted";

/// Instructions of one run of each path.
type Counts = BTreeMap<String, f64>;

/// Counts this tree and `base`, and fails when a path takes more than 2 % more.
pub(crate) fn run(base: Option<String>) -> Result<()> {
    let root = root()?;
    let base = match base.filter(|base| !base.is_empty()) {
        Some(base) => {
            commit(&root, &base)?.with_context(|| format!("there is no commit {base}"))?
        }
        None => match before(&root)? {
            Some(base) => base,
            None => {
                return say("counts: this is the first commit: there is nothing to compare with");
            }
        },
    };
    say(&format!(
        "counts: compared with {}",
        described(&root, &base)
    ))?;
    let base = base.as_str();
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

/// The commit to compare with when nobody names one; nothing for the first commit of all.
fn before(root: &Path) -> Result<Option<String>> {
    let head = commit(root, "HEAD")?.context("there is no commit here")?;
    let left = || {
        MAIN.iter().find_map(|main| {
            let base = git(root, &["merge-base", "HEAD", main]).ok()?;
            let base = base.trim().to_owned();
            (base != head && !base.is_empty()).then_some(base)
        })
    };
    if let Some(base) = left() {
        return Ok(Some(base));
    }
    if let Some(parent) = commit(root, "HEAD^")? {
        return Ok(Some(parent));
    }
    let shallow = git(root, &["rev-parse", "--is-shallow-repository"])?;
    if shallow.trim() != "true" {
        return Ok(None);
    }
    // To pass because the history was left behind would be to compare nothing, every time.
    git(root, &["fetch", "--quiet", "--unshallow"])
        .context("this clone has no history, and there is nothing to compare with without it")?;
    match left() {
        Some(base) => Ok(Some(base)),
        None => commit(root, "HEAD^"),
    }
}

/// The id of a commit, where there is one of this name.
fn commit(root: &Path, name: &str) -> Result<Option<String>> {
    let name = format!("{name}^{{commit}}");
    let output = Command::new("git")
        .current_dir(root)
        .args(["rev-parse", "--verify", "--quiet", &name])
        .output()
        .context("running git")?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((output.status.success() && !id.is_empty()).then_some(id))
}

/// A commit as people know it.
fn described(root: &Path, id: &str) -> String {
    let line = git(root, &["log", "-1", "--format=%h %s", id]);
    line.map_or_else(|_| id.to_owned(), |line| line.trim().to_owned())
}

/// The counts of `base`, or why there are none.
fn parent(root: &Path, base: &str, folder: &Path) -> Result<Result<Counts, String>> {
    let tree = folder.join("parent");
    let path = tree
        .to_str()
        .context("the target folder has a name that is no text")?;
    // What an interrupted run left.
    drop(git(root, &["worktree", "remove", "--force", path]));
    git(
        root,
        &["worktree", "add", "--detach", "--force", path, base],
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
    // A folder for each of the two: cargo gives both the same names, and would take what the other left
    // behind for its own where that is newer than the source.
    let target = binary.with_extension("build");
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
    use super::{before, commit, git, reason, total};
    use std::path::Path;

    fn add(repository: &Path, message: &str) -> String {
        let who = ["-c", "user.name=n", "-c", "user.email=e@e"];
        let what = ["commit", "--quiet", "--allow-empty", "-m", message];
        git(repository, &[&who[..], &what[..]].concat()).unwrap();
        commit(repository, "HEAD").unwrap().unwrap()
    }

    #[test]
    fn all_commits_of_a_branch_are_compared_with_where_it_left_main() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        git(here, &["init", "--quiet", "--initial-branch=main"]).unwrap();
        let first = add(here, "first");
        assert_eq!(before(here).unwrap(), None, "the first commit has none");
        let second = add(here, "second");
        assert_eq!(before(here).unwrap(), Some(first), "on main, the parent");
        git(here, &["checkout", "--quiet", "-b", "topic"]).unwrap();
        add(here, "third");
        add(here, "fourth");
        assert_eq!(before(here).unwrap(), Some(second.clone()));
        // Main goes on meanwhile; and a merge of the branch is compared with main before it.
        git(here, &["checkout", "--quiet", "main"]).unwrap();
        let fifth = add(here, "fifth");
        git(here, &["checkout", "--quiet", "topic"]).unwrap();
        assert_eq!(before(here).unwrap(), Some(second));
        git(here, &["checkout", "--quiet", "main"]).unwrap();
        let who = ["-c", "user.name=n", "-c", "user.email=e@e"];
        let merge = ["merge", "--quiet", "--no-ff", "-m", "merged", "topic"];
        git(here, &[&who[..], &merge[..]].concat()).unwrap();
        assert_eq!(before(here).unwrap(), Some(fifth));
    }

    #[test]
    fn a_clone_without_history_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (origin, clone) = (folder.join("origin"), folder.join("clone"));
        std::fs::create_dir_all(&origin).unwrap();
        git(&origin, &["init", "--quiet", "--initial-branch=main"]).unwrap();
        let first = add(&origin, "first");
        add(&origin, "second");
        let url = format!("file://{}", origin.display());
        let path = clone.to_str().unwrap();
        git(folder, &["clone", "--quiet", "--depth=1", &url, path]).unwrap();
        assert_eq!(commit(&clone, "HEAD^").unwrap(), None);
        assert_eq!(before(&clone).unwrap(), Some(first));
        // Where there is nobody to get it from, that is an error, and no comparison with nothing.
        std::fs::remove_dir_all(&clone).unwrap();
        git(folder, &["clone", "--quiet", "--depth=1", &url, path]).unwrap();
        std::fs::remove_dir_all(&origin).unwrap();
        let error = before(&clone).unwrap_err();
        assert!(error.to_string().contains("no history"), "{error}");
    }

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
