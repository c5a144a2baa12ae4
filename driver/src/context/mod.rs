//! Contexts: where everything else lives, and which one the thread works in.

mod entered;
mod handle;
mod kinds;
mod work;

pub use entered::Entered;
pub use handle::Context;
pub use kinds::{ContextFlags, MemoryInfo, StreamPriorities};
