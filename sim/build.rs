//! Gives the shared library the name and the binding that a driver has, and every exported function that nobody has
//! written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The bindings' list of functions: one line per function, with its C signature and since when it exists.
const TABLE: &str = "../cuda-sys/src/generated/driver/table.rs";
const WRITTEN: &str = "src/abi";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={TABLE}");
    println!("cargo::rerun-if-changed={WRITTEN}");
    // Programs record this name, and the loader finds the library under it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    // A call inside the library must not go through an interposer's function of the same name: the real driver's
    // inner calls cannot be seen from outside either.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic-functions");
    // Worker threads and handed-out addresses outlive every `dlclose`.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");

    let written = written(Path::new(WRITTEN))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("exports.rs");
    fs::write(out, exports(&fs::read_to_string(TABLE)?, &written))
}

/// The functions that `export!` defines: `ready fn cuFoo / cuFoo_ptsz(`.
fn written(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let text = fs::read_to_string(entry?.path())?;
        for line in text.lines().map(str::trim_start) {
            let Some(rest) = line
                .strip_prefix("ready fn ")
                .or_else(|| line.strip_prefix("open fn "))
                .or_else(|| line.strip_prefix("held fn "))
            else {
                continue;
            };
            let head = rest.split('(').next().unwrap_or_default();
            names.extend(head.split('/').map(|name| name.trim().to_owned()));
        }
    }
    Ok(names)
}

fn exports(table: &str, written: &BTreeSet<String>) -> String {
    let mut stubs = String::from("super::gate::stub! {\n");
    let mut names = String::new();
    let mut list = Vec::new();
    for line in table.lines() {
        let Some((name, arguments, versions)) = declaration(line) else {
            continue;
        };
        if !written.contains(name) {
            let _ = writeln!(stubs, "fn {name}({arguments});");
        }
        // A driver keeps what newer headers dropped, so only the first version counts.
        let since = versions.split(',').next().unwrap_or(versions);
        let _ = writeln!(names, "fn {name}();");
        let (base, version, per_thread) = parts(name);
        let entry = format!(
            "Export {{ base: \"{base}\", version: {version}, per_thread: {per_thread}, since: {since}, function: {name} }},\n"
        );
        list.push(((base, version, per_thread), entry));
    }
    list.sort();
    let list: String = list.into_iter().map(|(_, entry)| entry).collect();
    let mut text = stubs;
    let _ = write!(
        text,
        "}}\n\nunsafe extern \"C\" {{\n{names}}}\n\n\
         /// Every exported function; the best of a name is the last.\n\
         pub(super) static EXPORTS: &[Export] = &[\n{list}];\n"
    );
    text
}

/// A name without its version and its kind of default stream.
fn parts(name: &str) -> (&str, u32, bool) {
    let plain = name
        .strip_suffix("_ptsz")
        .or_else(|| name.strip_suffix("_ptds"));
    let (name, per_thread) = (plain.unwrap_or(name), plain.is_some());
    let versioned = name
        .rsplit_once("_v")
        .and_then(|(base, version)| Some((base, version.parse().ok()?)));
    let (base, version) = versioned.unwrap_or((name, 1));
    (base, version, per_thread)
}

/// `    fn cuFoo(a: T, b: U) -> CUresult = 2000;` or `= 2000, 12000;`
fn declaration(line: &str) -> Option<(&str, &str, &str)> {
    let rest = line.trim().strip_prefix("fn ")?;
    let (name, rest) = rest.split_once('(')?;
    let (arguments, rest) = rest.split_once(") -> CUresult")?;
    if rest.starts_with(" as") {
        return None;
    }
    let versions = rest.trim().strip_prefix('=')?.trim().strip_suffix(';')?;
    Some((name, arguments, versions))
}
