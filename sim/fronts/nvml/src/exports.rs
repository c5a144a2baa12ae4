//! Functions of which nothing was recorded, made by the build script from `names.list`.

#![allow(
    non_snake_case,
    clippy::allow_attributes,
    reason = "generated: names belong to the C header"
)]

use crate::answer::{Code, code, ready};

/// What they answer: that there is no such thing, once the library is in use.
fn unsupported() -> core::ffi::c_uint {
    code(ready().and(Err(Code::NOT_SUPPORTED)))
}

include!(concat!(env!("OUT_DIR"), "/exports.rs"));
