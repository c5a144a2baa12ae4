//! NVML, asked through `nvml-wrapper`.
//!
//! Every field is asked for on its own, and failing is a property of the field.

mod fields;
mod links;
mod reason;
mod source;

pub use source::NvmlLibrary;
