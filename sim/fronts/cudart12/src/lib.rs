//! The simulator's `libcudart.so.12`.
//!
//! The source is shared by all majors and lies in `../cudart`; which functions
//! are exported and which struct layouts they take is what this package chooses.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "../../cudart/mod.rs"]
mod cudart;
