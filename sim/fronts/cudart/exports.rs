//! The exported functions, as the build script has put them together.

#![allow(
    non_snake_case,
    unused_imports,
    unused_variables,
    unused_unsafe,
    clippy::allow_attributes,
    clippy::too_many_arguments,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "generated: each function hands its caller's arguments on, unchanged and once"
)]

use cuda_sys::runtime::*;

use super::entry::{Mode, answer, driver, pass, unsupported};
use super::own::*;
use super::*;

include!(concat!(env!("OUT_DIR"), "/exports.rs"));
