//! Pointers classified by the runtime alone.

use super::{Ask, Attributes, Host, Pointer};
use crate::facts::{Access, Capture, Environment};
use crate::{Call, Span, Stream};
use cuda_sys::runtime::{Runtime, cudaError_t};

/// Asks `cudaPointerGetAttributes` what a pointer is, and another source everything else.
///
/// The runtime knows neither ranges nor pools nor reservations: what depends on them is "cannot
/// tell".
#[derive(Debug)]
pub struct ByRuntime<'a, A> {
    runtime: &'a Runtime,
    rest: A,
}

impl<'a, A: Ask> ByRuntime<'a, A> {
    /// Asks this runtime; `rest` answers about host memory and the environment.
    pub const fn new(runtime: &'a Runtime, rest: A) -> Self {
        Self { runtime, rest }
    }
}

impl<A: Ask> Ask for ByRuntime<'_, A> {
    fn pointer(&self, address: u64) -> Pointer {
        let Ok(address) = usize::try_from(address) else {
            return Pointer::CannotTell;
        };
        let pointer = core::ptr::with_exposed_provenance(address);
        let (status, found) = self.runtime.pointer_attributes(pointer);
        if status != cudaError_t::cudaSuccess {
            return Pointer::CannotTell;
        }
        let kind = found.memory_type.0;
        Pointer::Known(Attributes {
            // cudaMemoryTypeManaged is 3; the driver calls that device memory that is managed.
            memory_type: if kind == 3 { 2 } else { kind },
            managed: Some(kind == 3),
            ordinal: found.device,
            device_pointer: Some(found.device_pointer.expose_provenance() as u64),
            access: Access::Unknown,
            ..Attributes::default()
        })
    }

    fn mapped_range(&self, _address: u64) -> Option<Span> {
        None
    }

    fn host(&self, address: u64) -> Host {
        self.rest.host(address)
    }

    fn peek(&self, address: u64) -> Option<u64> {
        self.rest.peek(address)
    }

    fn device_name(&self, device: i32) -> Option<String> {
        self.rest.device_name(device)
    }

    unsafe fn capture(&self, stream: Stream) -> Capture {
        // SAFETY: the caller answers for the stream.
        unsafe { self.rest.capture(stream) }
    }

    unsafe fn within(&self, stream: Stream, act: &mut dyn FnMut()) -> bool {
        // SAFETY: the caller answers for the stream.
        unsafe { self.rest.within(stream, act) }
    }

    unsafe fn stream_device(&self, stream: Stream) -> Option<i32> {
        // SAFETY: the caller answers for the stream.
        unsafe { self.rest.stream_device(stream) }
    }

    fn environment(&self, call: &Call) -> Environment {
        Environment {
            runtime_major: Some(self.runtime.major().version().major()),
            ..self.rest.environment(call)
        }
    }
}
