//! Memory that is owned: on the device, pinned, registered, managed and pitched; views of it, and
//! observers that hear of it.
//!
//! Sizes are counted in elements where the type is known, and in [`Bytes`] where it is not. A buffer
//! of no elements is legal and owns nothing. [`raw`] has the C calls with errors, for memory without
//! an owner.

mod advice;
mod bytes;
mod device;
mod managed;
pub mod observe;
mod pinned;
mod pitched;
pub mod raw;
mod registered;
mod view;

pub use advice::{Advice, Home};
pub use bytes::{Bytes, Pitch};
pub use device::DeviceBuffer;
pub use managed::{ManagedBuffer, ManagedVisibility};
pub use observe::{Event as MemoryEvent, Kind as MemoryKind, Observer, Rows as MemoryRows};
pub use pinned::{HostFlags, PinnedBuffer};
pub use pitched::PitchedBuffer;
pub use registered::{RegisterFlags, Registered};
pub use view::{DeviceMemory, DeviceSlice, DeviceSliceMut};

pub(crate) use view::resolve;
