//! Trying what a device claims. This, and nothing else in this crate, creates a context.
//!
//! A trial may end its process, or leave its context unusable. That is an answer too, and so trials belong
//! in processes of their own.

mod attempt;
mod device;
mod host;
mod kernel;
mod managed;
mod place;
mod trial;

pub use trial::{TRIALS, Trial, Tried, UNTRIED, run};
