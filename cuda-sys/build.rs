//! With the feature `bindgen`: bindings from the toolkit in `CUDA_HOME` or `CUDA_PATH`.
//!
//! Without it there is nothing to do: the committed files are the bindings.

#[cfg(feature = "bindgen")]
#[path = "build/toolkit.rs"]
mod toolkit;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(local_runtime, values(\"11\", \"12\", \"13\"))");
    #[cfg(feature = "bindgen")]
    if let Err(error) = toolkit::generate() {
        println!("cargo::error={error}");
    }
}
