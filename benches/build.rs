//! Makes the small libraries of `stub/libcuda.c`: what `call_link` is linked against, and what
//! `call` calls where there is no driver.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const SOURCE: &str = "stub/libcuda.c";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if env::var_os("CARGO_FEATURE_TIMING").is_some() {
        let folder = folder(&out, "stand-in");
        let library = folder.join("libcuda-stand-in.so");
        compile(&library, &["-DSTAND_IN", "-O2"]);
        println!("cargo::rustc-env=CUWHY_STAND_IN={}", library.display());
    }
    if env::var_os("CARGO_FEATURE_LINK_TIME").is_some() {
        // The file is called libcuda.so and not libcuda.so.1, so that it can be linked against and
        // is never found when the program starts.
        let folder = folder(&out, "link");
        compile(&folder.join("libcuda.so"), &[]);
        println!("cargo::rustc-link-search=native={}", folder.display());
    }
}

fn folder(out: &Path, name: &str) -> PathBuf {
    let folder = out.join(name);
    fs::create_dir_all(&folder).expect("OUT_DIR can be written");
    folder
}

fn compile(library: &Path, flags: &[&str]) {
    let status = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"])
        .args(flags)
        .arg("-o")
        .args([library, Path::new(SOURCE)])
        .status()
        .expect("a C compiler, as Rust's linker is one");
    assert!(status.success(), "{SOURCE} does not compile: {status}");
}
