//! The only part of this crate that calls CUDA or the kernel.
//!
//! [`Ask`] is what facts are collected through. [`Live`] asks the
//! driver and the kernel, [`ByRuntime`] the runtime; [`Recorded`] answers from a list, for tests and replays.

mod attributes;
mod hostmap;
mod live;
mod peek;
mod recorded;
mod runtime;

pub use hostmap::{HostMap, MapSource, Mapped, ParsedMap};
pub use live::Live;
pub use recorded::Recorded;
pub use runtime::ByRuntime;

use crate::facts::{Access, ArrayFacts, Capture, Environment};
use crate::{Call, Span, Stream};

/// What one plural query says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// `CU_POINTER_ATTRIBUTE_MEMORY_TYPE`: 0 nothing, 1 host, 2 device.
    pub memory_type: u32,
    /// `IS_MANAGED`.
    pub managed: Option<bool>,
    /// `DEVICE_ORDINAL`; -2 for nothing.
    pub ordinal: i32,
    /// `DEVICE_POINTER`; 0 where the device cannot use it.
    pub device_pointer: Option<u64>,
    /// `RANGE_START_ADDR` and `RANGE_SIZE`.
    pub range: Option<Span>,
    /// `MAPPING_BASE_ADDR` and `MAPPING_SIZE`.
    pub mapping: Option<Span>,
    /// `MAPPED`.
    pub mapped: Option<bool>,
    /// `CONTEXT`.
    pub context: Option<u64>,
    /// `MEMPOOL_HANDLE`.
    pub pool: Option<u64>,
    /// `BUFFER_ID`.
    pub buffer_id: Option<u64>,
    /// `ACCESS_FLAGS`.
    pub access: Access,
    /// `IS_LEGACY_CUDA_IPC_CAPABLE`.
    pub exportable: Option<bool>,
}

/// The answer to "what is at this address?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pointer {
    /// The question could not be put, or the answer was an error.
    #[default]
    CannotTell,
    /// CUDA knows nothing there, or a reservation.
    Known(Attributes),
}

/// What the process's memory map says of an address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Host {
    /// The map could not be read.
    #[default]
    CannotTell,
    /// The address lies in this mapping.
    Mapped(Mapped),
    /// It lies in none; the next one begins here.
    Unmapped {
        /// Where the next mapping begins, if there is one.
        next: Option<u64>,
    },
}

/// Questions that facts are made of. An implementation reports what is known and never guesses;
/// what it does not implement is unknown.
pub trait Ask {
    /// What CUDA knows of an address: one plural query.
    fn pointer(&self, address: u64) -> Pointer;

    /// The mapped range that an address of virtual memory lies in.
    fn mapped_range(&self, address: u64) -> Option<Span> {
        let _ = address;
        None
    }

    /// What a device may do with an address of virtual memory.
    fn access(&self, address: u64, device: i32) -> Access {
        let _ = (address, device);
        Access::Unknown
    }

    /// What a pool allows a device.
    ///
    /// # Safety
    ///
    /// `pool` is the handle of a pool that is alive: a driver follows it.
    unsafe fn pool_access(&self, pool: u64, device: i32) -> Access {
        let _ = (pool, device);
        Access::Unknown
    }

    /// Whether whoever asks answers for this being the handle of an array that is alive, although
    /// the registry does not know it.
    fn vouches_for_array(&self, handle: u64) -> bool {
        let _ = handle;
        false
    }

    /// What an array is.
    ///
    /// # Safety
    ///
    /// `handle` is that of an array that is alive: a driver follows it.
    unsafe fn array(&self, handle: u64) -> Option<ArrayFacts> {
        let _ = handle;
        None
    }

    /// What the process's memory map says of an address.
    fn host(&self, address: u64) -> Host {
        let _ = address;
        Host::CannotTell
    }

    /// Reads a word of this process's memory in a way that cannot fault.
    fn peek(&self, address: u64) -> Option<u64> {
        let _ = address;
        None
    }

    /// Whether a capture concerns work in this stream.
    ///
    /// # Safety
    ///
    /// It is a default stream or one that is alive: a driver follows the handle.
    unsafe fn capture(&self, stream: Stream) -> Capture {
        let _ = stream;
        Capture::Unknown
    }

    /// Acts with the stream's own context current, and makes the caller's current again. Answers whether it did:
    /// not where nobody can tell which context that is.
    ///
    /// # Safety
    ///
    /// The stream is alive: a driver follows the handle.
    unsafe fn within(&self, stream: Stream, act: &mut dyn FnMut()) -> bool {
        let _ = (stream, act);
        false
    }

    /// The device that a stream belongs to.
    ///
    /// # Safety
    ///
    /// As of [`capture`](Self::capture).
    unsafe fn stream_device(&self, stream: Stream) -> Option<i32> {
        let _ = stream;
        None
    }

    /// The name of a device.
    fn device_name(&self, device: i32) -> Option<String> {
        let _ = device;
        None
    }

    /// What surrounds the call.
    fn environment(&self, call: &Call) -> Environment {
        let _ = call;
        Environment::default()
    }
}
