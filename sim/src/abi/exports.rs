//! Functions that nobody has written, and the list of all, made by the build script from the bindings.

#![allow(
    non_camel_case_types,
    non_snake_case,
    clashing_extern_declarations,
    clippy::allow_attributes,
    let_underscore_drop,
    reason = "generated: names belong to the C header, and the list declares functions for their addresses alone"
)]

use cuda_sys::driver::*;

/// An exported function.
#[derive(Debug)]
pub(super) struct Export {
    /// Its name without version and kind of default stream; the list is sorted by it.
    pub(super) base: &'static str,
    /// The number behind `_v`, or 1.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the list is sorted by it already; tests look")
    )]
    pub(super) version: u32,
    /// Whether its default stream is the thread's own.
    pub(super) per_thread: bool,
    /// The CUDA version that introduced it.
    pub(super) since: u32,
    pub(super) function: unsafe extern "C" fn(),
}

include!(concat!(env!("OUT_DIR"), "/exports.rs"));
