//! The questions of a program that made its arrays itself.

use cuwhy_validate::ask::{Ask, Host, Live, Pointer};
use cuwhy_validate::facts::{Access, ArrayFacts, Capture, Environment};
use cuwhy_validate::{Call, Span, Stream};

use super::world::Array;

/// Asks the driver and the kernel; of arrays it knows what they were made as.
///
/// A driver follows an array's handle, so nothing can be asked of one that is not readable memory, and
/// the simulator's handles are not.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) live: &'a Live<'a>,
    pub(super) arrays: &'a [Array],
}

impl Ask for Known<'_> {
    fn pointer(&self, address: u64) -> Pointer {
        self.live.pointer(address)
    }

    fn mapped_range(&self, address: u64) -> Option<Span> {
        self.live.mapped_range(address)
    }

    fn access(&self, address: u64, device: i32) -> Access {
        self.live.access(address, device)
    }

    unsafe fn pool_access(&self, pool: u64, device: i32) -> Access {
        // SAFETY: the caller answers for the pool.
        unsafe { self.live.pool_access(pool, device) }
    }

    fn vouches_for_array(&self, handle: u64) -> bool {
        self.arrays.iter().any(|one| one.handle == handle)
    }

    unsafe fn array(&self, handle: u64) -> Option<ArrayFacts> {
        // SAFETY: the caller answers for the array.
        let asked = unsafe { self.live.array(handle) };
        asked.or_else(|| {
            let array = self.arrays.iter().find(|one| one.handle == handle)?;
            Some(ArrayFacts {
                handle,
                width: array.row / array.element,
                height: array.height,
                depth: array.depth,
                element: array.element,
            })
        })
    }

    fn host(&self, address: u64) -> Host {
        self.live.host(address)
    }

    fn peek(&self, address: u64) -> Option<u64> {
        self.live.peek(address)
    }

    unsafe fn capture(&self, stream: Stream) -> Capture {
        // SAFETY: the caller answers for the stream.
        unsafe { self.live.capture(stream) }
    }

    unsafe fn within(&self, stream: Stream, act: &mut dyn FnMut()) -> bool {
        // SAFETY: the caller answers for the stream.
        unsafe { self.live.within(stream, act) }
    }

    unsafe fn stream_device(&self, stream: Stream) -> Option<i32> {
        // SAFETY: the caller answers for the stream.
        unsafe { self.live.stream_device(stream) }
    }

    fn device_name(&self, device: i32) -> Option<String> {
        self.live.device_name(device)
    }

    fn environment(&self, call: &Call) -> Environment {
        self.live.environment(call)
    }
}
