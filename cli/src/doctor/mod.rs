//! `cuwhy doctor`: checks over a report, in an order in which the first failure is the cause.
//!
//! A check is a pure function of the report: it asks nobody. What must be tried on the device was
//! tried before, and stands in the report.

mod catalogue;
mod check;
mod cuda;
mod device;
mod examine;
mod host;
mod library;
mod memory;
mod peer;
pub mod render;

pub use catalogue::{CHECKS, find};
pub use check::{Check, Finding, Outcome, Word};
pub use examine::{Choice, Diagnosis, Summary, examine};
