//! What the build scripts of the runtime fronts do.
//!
//! A front exports every function that `cuda-sys` knows of its major, with the
//! C signature from the same tables. What a function does is found in this order:
//!
//! 1. a hand-written function of the same name in `sim/fronts/cudart/*.rs`;
//! 2. a line in `forward.list`: the driver function it hands its arguments to;
//! 3. neither: it answers `cudaErrorNotSupported` and says so once.
//!
//! `beyond.list` declares what the real libraries export and no header shows.

#![expect(
    clippy::print_stdout,
    reason = "a build script speaks to cargo on stdout"
)]

mod body;
mod error;
mod forward;
mod library;
mod signature;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use body::Hand;
pub use error::Error;
use forward::Forward;
pub use library::{Major, named};
use signature::Signature;

/// Generates the exports of one runtime front and names its library.
///
/// # Errors
///
/// [`Error`] when a list cannot be read, or names what does not exist.
pub fn runtime(major: Major) -> Result<(), Error> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let fronts = manifest.join("..");
    let source = fronts.join("cudart");
    let tables = fronts.join("../../cuda-sys/src/generated");

    let mut functions = BTreeMap::new();
    for file in [
        tables.join("runtime/table.rs"),
        tables.join(major.folder()).join("table.rs"),
        source.join("beyond.list"),
    ] {
        let text = read(&file)?;
        for function in signature::all(&text, &file)? {
            if function.belongs_to(major) {
                functions.insert(function.name.clone(), function);
            }
        }
    }
    let driver_file = tables.join("driver/table.rs");
    let driver: BTreeMap<String, Signature> = signature::all(&read(&driver_file)?, &driver_file)?
        .into_iter()
        .map(|function| (function.name.clone(), function))
        .collect();
    let forwards = forward::all(&read(&source.join("forward.list"))?, &driver)?;
    let hands = hand_written(&source)?;

    let text = exports(&functions, &hands, &forwards);
    let out = PathBuf::from(variable("OUT_DIR")?).join("exports.rs");
    fs::write(&out, text).map_err(|error| Error::File(out.clone(), error))?;

    println!("cargo::rustc-check-cfg=cfg(major, values(\"11\", \"12\", \"13\"))");
    println!("cargo::rustc-cfg=major=\"{}\"", major.number());
    named(major.soname(), true);
    Ok(())
}

/// Every hand-written function of the shared source.
fn hand_written(source: &Path) -> Result<BTreeMap<String, Hand>, Error> {
    println!("cargo::rerun-if-changed={}", source.display());
    let mut found = BTreeMap::new();
    let entries = fs::read_dir(source).map_err(|error| Error::File(source.to_path_buf(), error))?;
    for entry in entries {
        let path = entry
            .map_err(|error| Error::File(source.to_path_buf(), error))?
            .path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = read(&path)?;
            found.extend(body::all(&text, &module));
        }
    }
    Ok(found)
}

/// The text of every exported function.
fn exports(
    functions: &BTreeMap<String, Signature>,
    hands: &BTreeMap<String, Hand>,
    forwards: &BTreeMap<String, Forward>,
) -> String {
    let mut text = String::new();
    for function in functions.values() {
        let (plain, mode) = function.plain();
        let body = match (hands.get(plain), forwards.get(plain)) {
            (Some(hand), _) => hand.call(function, mode),
            (None, Some(forward)) => forward.call(function, mode),
            (None, None) => format!("unsupported(c\"{}\")", function.name),
        };
        let list: Vec<String> = function
            .arguments
            .iter()
            .map(|(name, kind)| format!("{name}: {kind}"))
            .collect();
        let answer = match function.answer.as_str() {
            "()" => String::new(),
            answer => format!(" -> {answer}"),
        };
        let _ = writeln!(
            text,
            "#[unsafe(no_mangle)]\nunsafe extern \"C\" fn {}({}){answer} {{\n    {body}\n}}",
            function.name,
            list.join(", "),
        );
    }
    text
}

fn read(path: &Path) -> Result<String, Error> {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).map_err(|error| Error::File(path.to_path_buf(), error))
}

fn variable(name: &'static str) -> Result<String, Error> {
    env::var(name).map_err(|_| Error::Variable(name))
}

/// Generates the exports of the NVML front that nobody has written, and names its library.
///
/// # Errors
///
/// [`Error`] when a list or the source cannot be read.
pub fn nvml() -> Result<(), Error> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let source = manifest.join("src");
    let mut written = String::new();
    let entries = fs::read_dir(&source).map_err(|error| Error::File(source.clone(), error))?;
    for entry in entries {
        let path = entry
            .map_err(|error| Error::File(source.clone(), error))?
            .path();
        written.push_str(&read(&path)?);
    }
    println!("cargo::rerun-if-changed={}", source.display());
    let names = read(&manifest.join("names.list"))?;
    let mut text = String::new();
    for name in names.lines().filter(|line| line.starts_with("nvml")) {
        // Nothing in the source calls a function of NVML: a name before a parenthesis is a definition.
        if !written.contains(&format!(" {name}(")) && !written.contains(&format!(" {name} = ")) {
            let _ = writeln!(
                text,
                "#[unsafe(no_mangle)]\nextern \"C\" fn {name}() -> core::ffi::c_uint {{\n    unsupported()\n}}"
            );
        }
    }
    let out = PathBuf::from(variable("OUT_DIR")?).join("exports.rs");
    fs::write(&out, text).map_err(|error| Error::File(out.clone(), error))?;
    named("libnvidia-ml.so.1", false);
    Ok(())
}
