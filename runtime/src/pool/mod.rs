//! Stream-ordered memory: pools, and buffers that are allocated and freed in the order of a stream.

mod buffer;
pub mod raw;
mod supply;
mod usage;

pub use buffer::{PointerHandle, PooledBuffer};
pub use supply::{Pool, PoolOptions};
pub use usage::PoolUsage;
