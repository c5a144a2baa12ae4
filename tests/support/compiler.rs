//! A C compiler, for the second opinion on layouts and for libraries that are not what they should be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::variable;
use crate::toolkit;

/// The C compiler: `CC`, or `cc`. Where there is none the test is to do nothing.
///
/// # Panics
///
/// When there is none and `CUWHY_TEST_TOOLKITS` is `require`.
#[must_use]
pub fn compiler() -> Option<PathBuf> {
    let name = variable("CC").map_or_else(|| PathBuf::from("cc"), PathBuf::from);
    let starts = Command::new(&name).arg("--version").output().is_ok();
    if !starts {
        toolkit::missing(&format!("no C compiler {}", name.display()));
    }
    starts.then_some(name)
}

/// Compiles `source` to the shared object `folder/name`, which tells the loader that it is `soname`
/// and whose symbols have the version `symbols` where one is given.
///
/// # Panics
///
/// When the compiler refuses.
pub fn shared_object(
    compiler: &Path,
    folder: &Path,
    name: &str,
    soname: &str,
    symbols: Option<&str>,
    source: &str,
) -> PathBuf {
    let file = folder.join(name);
    let code = folder.join(format!("{name}.c"));
    fs::write(&code, source).expect("the folder of the test can be written");
    let mut command = Command::new(compiler);
    command
        .args(["-shared", "-fPIC", "-w"])
        .arg(format!("-Wl,-soname,{soname}"))
        .arg("-o")
        .arg(&file)
        .arg(&code);
    if let Some(version) = symbols {
        let script = folder.join(format!("{name}.map"));
        fs::write(&script, format!("{version} {{ global: *; }};"))
            .expect("the folder of the test can be written");
        command.arg(format!("-Wl,--version-script={}", script.display()));
    }
    let answer = command.output().expect("the compiler starts");
    let words = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{words}");
    file
}

/// Compiles and runs the C program `source`, and gives what it prints.
///
/// # Panics
///
/// When the compiler refuses or the program fails.
#[must_use]
pub fn run_c(compiler: &Path, folder: &Path, arguments: &[String], source: &str) -> String {
    let program = folder.join("program");
    let code = folder.join("program.c");
    fs::write(&code, source).expect("the folder of the test can be written");
    let answer = Command::new(compiler)
        .args(arguments)
        .args(["-w", "-o"])
        .arg(&program)
        .arg(&code)
        .output()
        .expect("the compiler starts");
    let words = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{words}");
    let answer = Command::new(&program)
        .output()
        .expect("the program that was just compiled starts");
    assert!(answer.status.success(), "it ended with {}", answer.status);
    String::from_utf8(answer.stdout).expect("the program prints ASCII")
}

/// The lines of `source` that the C compiler refuses, counted from 1.
///
/// # Panics
///
/// When the compiler does not start.
#[must_use]
pub fn refused_lines(
    compiler: &Path,
    folder: &Path,
    arguments: &[String],
    source: &str,
) -> BTreeSet<usize> {
    let code = folder.join("probe.c");
    fs::write(&code, source).expect("the folder of the test can be written");
    let answer = Command::new(compiler)
        .env("LC_ALL", "C")
        .args(arguments)
        .args(["-w", "-fsyntax-only", "-fmax-errors=0"])
        .arg(&code)
        .output()
        .expect("the compiler starts");
    let text = String::from_utf8_lossy(&answer.stderr);
    let errors = text.lines().filter(|line| line.contains(": error: "));
    let places = errors.filter_map(|line| line.split_once("probe.c:").map(|(_, rest)| rest));
    places
        .filter_map(|place| place.split(':').next()?.parse().ok())
        .collect()
}
