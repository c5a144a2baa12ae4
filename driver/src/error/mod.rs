//! Errors: which call, which status, with which arguments, and why.
//!
//! The name and the sentence of a status come from the library that returned it, because a newer
//! library knows statuses that this crate has never heard of; the tables of `cuda-sys` stand in
//! where it has no answer. Drivers for CUDA 12.9 and later keep a log that says more than a status
//! can; the sentence that they wrote for the failed call is attached ([`Failure::log`]).

mod checked;
mod drops;
mod failure;
mod misuse;
mod outcome;
mod status;

pub use crate::api::Status;
pub use drops::{clear_drop_hook, drop_failures, on_drop_failure};
pub use failure::{Argument, Failure, Value};
pub use misuse::Misuse;
pub use outcome::{Error, Result};
pub use status::is_sticky;

pub(crate) use checked::{check, checked, misuse, ready};
pub(crate) use drops::{contain, report_drop};
