//! Devices: how many, which, what they can do, and on which one the thread works.

mod facts;
mod selection;

pub use facts::{Device, MemoryInfo, StreamPriorities, Uuid};
pub use selection::Entered;

pub(crate) use facts::c_text;
