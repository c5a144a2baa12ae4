//! Makes an empty `libcuda.so` to link against: `cuda-driver-sys` asks for `-lcuda` even where only
//! its types are used. Nothing loads it: its name for the loader is that of the real driver.

use std::path::PathBuf;
use std::process::Command;
use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(&compiler)
        .args(["-shared", "-nostdlib", "-Wl,-soname,libcuda.so.1", "-o"])
        .arg(folder.join("libcuda.so"))
        .args(["-x", "c", "/dev/null"])
        .status()
        .map_err(|error| format!("starting {}: {error}", compiler.display()))?;
    if !status.success() {
        return Err(format!("{} ended with {status}", compiler.display()).into());
    }
    println!("cargo:rustc-link-search=native={}", folder.display());
    Ok(())
}
