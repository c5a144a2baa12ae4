//! How long a clean build takes, as the figures' chore reads it.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::packages::root;

/// What is built, and how many seconds the design allows.
const BUILDS: [(&str, &str, f64); 2] = [
    ("cuda-sys", "clean release build: `cuda-sys` alone", 6.0),
    ("cuwhy-cli", "clean release build: the whole command", 90.0),
];

/// How many jobs cargo may run at a time.
const JOBS: &str = "2";

/// Builds each in a folder of its own, which is removed before and after, and writes
/// `cuwhy/build_times.json` into `folder`.
pub(crate) fn run(folder: &Path) -> Result<()> {
    let begin = Instant::now();
    // What has to be fetched is not part of a build.
    cargo(&["fetch", "--quiet"])?;
    let target = root()?.join("target/build-times");
    let mut bounds = Vec::new();
    for (package, what, limit) in BUILDS {
        remove(&target)?;
        let start = Instant::now();
        let folder = target
            .to_str()
            .context("the target folder has a name that is no text")?;
        let arguments = [
            "build",
            "--release",
            "--quiet",
            "--jobs",
            JOBS,
            "--package",
            package,
        ];
        cargo(&[&arguments[..], &["--target-dir", folder]].concat())?;
        let seconds = start.elapsed().as_secs_f64();
        say(&format!("{what}: {seconds:.1} s, at most {limit} s"))?;
        bounds.push(json!({
            "what": what,
            "detail": format!("{JOBS} jobs, dependencies included, nothing fetched; once"),
            "unit": "s",
            "limit": limit,
            "measured": seconds,
            "low": seconds,
            "high": seconds,
        }));
    }
    remove(&target)?;
    let record = json!({
        "bench": "build_times",
        "date": output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])?,
        "command": "cargo xtask build-times",
        "seconds": begin.elapsed().as_secs_f64(),
        "machine": machine(),
        "bounds": bounds,
    });
    let folder = folder.join("cuwhy");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let path = folder.join("build_times.json");
    fs::write(&path, serde_json::to_vec_pretty(&record)?)
        .with_context(|| format!("writing {}", path.display()))
}

/// The machine as the benches tell it; what a build does not use is left out.
fn machine() -> Value {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "cpu": name.map_or("unknown", |(_, name)| name.trim()),
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "kernel": kernel.trim(),
        "gpu": null,
        "driver": null,
        "cuda": null,
        "cudart": null,
    })
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root()?)
        .args(arguments)
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "cargo {}: {status}", arguments.join(" "));
    Ok(())
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("running {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("writing to standard output")
}
