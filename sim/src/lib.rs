//! CUDA's memory model on a machine without a GPU.
//!
//! This crate becomes a shared library that answers to `libcuda.so.1`: it exports the driver's C interface and keeps all
//! state itself. Device memory has addresses of its own that fault when the program follows them, copies move real bytes,
//! and what is refused, accepted and fatal is what hardware refuses, accepts and dies of. Kernels are not run.
//!
//! It has no Rust interface: whoever named one would carry a second simulator. Load the library, or link to it.
//!
//! How it is made:
//! - `model` is the machine: addresses, memory, streams. It knows numbers, not C.
//! - `abi` is the C interface over it, one entry per exported name. What nobody has built answers
//!   `CUDA_ERROR_NOT_SUPPORTED` and says so once per function on stderr.
//! - `profile` is what devices say of themselves, `config` what the variable `CUWHY_SIM` says.

mod abi;
mod config;
mod model;
mod profile;

/// Says a line to the person before the screen.
#[expect(
    clippy::print_stderr,
    reason = "a driver has no other way to say that it is simulated"
)]
fn say(text: &str) {
    eprintln!("cuwhy-sim: {text}");
}
