//! NVML, asked through `nvml-wrapper`.
//!
//! Every field is asked for on its own, and failing is a property of the field.

mod calls;
mod fields;
pub(crate) mod functions;
/// What `cargo xtask codegen` makes of NVML's headers.
mod generated {
    mod functions;

    pub(super) use functions::DECLARED;
}
mod links;
mod lists;
mod reason;
mod source;

pub use functions::FUNCTIONS;
pub use source::NvmlLibrary;
