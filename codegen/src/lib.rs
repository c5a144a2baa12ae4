//! Turns the CUDA headers into the types and function tables of `cuda-sys`.
//!
//! Three steps, one module each:
//!
//! 1. [`mod@unit`] runs bindgen over one header of one CUDA version and sorts what
//!    comes out into types and functions, by name.
//! 2. [`history`] compares the units of many versions and knows when a
//!    function appeared, when it was last declared, and what two majors share.
//! 3. [`emit`] writes the types as Rust and the functions as tables, one line
//!    per function.
//!
//! [`mod@nvml`] does the little that is wanted of NVML's header: which version brought which function.
//!
//! Two programs stand on it: `cargo xtask codegen`, which writes the committed
//! files from many headers, and the build script of `cuda-sys` with its feature
//! `bindgen`, which has one local toolkit.

pub mod committed;
pub mod emit;
mod error;
pub mod history;
pub mod nvml;
pub mod typedefs;
pub mod unit;

use std::path::Path;

pub use error::Error;

/// The folder of headers that stand in for those which NVIDIA's packages lack.
#[must_use]
pub fn stand_ins() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/headers"))
}
