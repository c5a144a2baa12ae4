//! Devices: how many, which, what they can do, and on which one the thread works.

mod facts;
mod kinds;
mod selection;
mod work;

pub use facts::{Device, Uuid};
pub use kinds::{MemoryInfo, StreamPriorities};
pub use selection::Entered;

pub(crate) use facts::c_text;
