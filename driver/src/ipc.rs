//! Memory and events of other processes.
//!
//! A handle is 64 bytes that one process sends to another, by whatever way. Memory from pools and
//! virtual memory has no such handles; they have their own: [`Pool::export`](crate::pool::Pool::export) and
//! [`Physical::export`](crate::virtual_memory::Physical::export). [`dma_buf`] is for other devices.

use core::ffi::{c_char, c_int};
use core::fmt;
use core::panic::Location;
use core::ptr;
use std::os::fd::OwnedFd;

use cuda_sys::driver::{CUipcEventHandle, CUipcMem_flags, CUipcMemHandle, CUmemRangeHandleType};

use crate::context::Context;
use crate::error::{Result, check, report_drop};
use crate::event::Event;
use crate::memory::observe::{self, Event as MemoryEvent, Kind};
use crate::memory::{Bytes, DeviceMemory, DeviceSlice, DeviceSliceMut};
use crate::pointer::{Address, address_range};
use crate::virtual_memory::owned;

/// The name of a process's device memory in other processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemoryHandle(pub [u8; 64]);

/// The name of a process's event in other processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventHandle(pub [u8; 64]);

impl fmt::Debug for MemoryHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryHandle").finish_non_exhaustive()
    }
}

impl fmt::Debug for EventHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventHandle").finish_non_exhaustive()
    }
}

/// Bytes as C's characters.
fn to_c(bytes: [u8; 64]) -> [c_char; 64] {
    bytes.map(|byte| c_char::from_ne_bytes([byte]))
}

/// C's characters as bytes.
fn from_c(characters: [c_char; 64]) -> [u8; 64] {
    characters.map(|character| character.to_ne_bytes()[0])
}

impl MemoryHandle {
    /// The handle of the allocation that this memory begins.
    ///
    /// Driver API: `cuIpcGetMemHandle`. The memory stays this process's: the others must have closed it
    /// before it is freed.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for memory from pools and for virtual memory.
    #[doc(alias = "cuIpcGetMemHandle")]
    pub fn of(memory: &impl DeviceMemory) -> Result<Self> {
        let api = memory.context().api();
        let mut raw = CUipcMemHandle::default();
        let address = memory.address();
        let entered = memory.context().enter()?;
        // SAFETY: `raw` is a live out parameter; the address is looked up and nothing is read there.
        let status = unsafe { api.cuIpcGetMemHandle(&raw mut raw, address.0) };
        drop(entered);
        check!(api, cuIpcGetMemHandle, status, address)?;
        Ok(Self(from_c(raw.reserved)))
    }
}

/// Device memory of another process, open in this one.
///
/// Driver API: `cuIpcOpenMemHandle_v2`, and `cuIpcCloseMemHandle` on drop.
#[doc(alias = "cuIpcOpenMemHandle")]
pub struct OpenedMemory {
    context: Context,
    address: Address,
    size: Bytes,
    location: &'static Location<'static>,
}

impl OpenedMemory {
    /// Opens the memory that the handle names.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 201 in the process that made the handle, 208 where it is open already.
    ///
    /// # Safety
    ///
    /// The handle came from [`MemoryHandle::of`] in another process, which keeps the memory until this
    /// value is dropped.
    #[doc(alias = "cuIpcOpenMemHandle")]
    #[track_caller]
    pub unsafe fn open(context: &Context, handle: MemoryHandle) -> Result<Self> {
        let location = Location::caller();
        let api = context.api();
        let raw = CUipcMemHandle {
            reserved: to_c(handle.0),
        };
        let flags = CUipcMem_flags::CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS.0;
        let mut address = 0;
        let entered = context.enter()?;
        // SAFETY: `address` is a live out parameter; the caller answers for the handle.
        let status = unsafe { api.cuIpcOpenMemHandle_v2(&raw mut address, raw, flags) };
        check!(api, cuIpcOpenMemHandle_v2, status)?;
        let address = Address(address);
        let size = address_range(address).map_or(Bytes(0), |range| range.size);
        drop(entered);
        let opened = Self {
            context: context.clone(),
            address,
            size,
            location,
        };
        observe::began(|| opened.event());
        Ok(opened)
    }

    /// The memory as elements, to read from; what does not fill an element is left out.
    #[must_use]
    pub fn typed<T: bytemuck::AnyBitPattern>(&self) -> DeviceSlice<'_, T> {
        let len = self.size.0.checked_div(size_of::<T>()).unwrap_or(0);
        // SAFETY: the memory is open as long as `self` is borrowed.
        unsafe { DeviceSlice::from_raw_parts(&self.context, self.address, len) }
    }

    /// The memory as elements, to write to; what does not fill an element is left out.
    #[must_use]
    pub fn typed_mut<T: bytemuck::AnyBitPattern>(&mut self) -> DeviceSliceMut<'_, T> {
        let len = self.size.0.checked_div(size_of::<T>()).unwrap_or(0);
        // SAFETY: the memory is open as long as `self` is borrowed.
        unsafe { DeviceSliceMut::from_raw_parts(&self.context, self.address, len) }
    }

    fn event(&self) -> MemoryEvent {
        MemoryEvent {
            kind: Kind::Ipc,
            address: self.address,
            size: self.size,
            device: Some(self.context.device().ordinal()),
            context: Some(self.context.id_for_observers()),
            stream: None,
            rows: None,
            location: Some(self.location),
        }
    }
}

// SAFETY: the memory is open until the value is dropped, and nothing hands out references to it.
unsafe impl DeviceMemory for OpenedMemory {
    type Element = u8;

    fn context(&self) -> &Context {
        &self.context
    }

    fn address(&self) -> Address {
        self.address
    }

    fn len(&self) -> usize {
        self.size.0
    }
}

impl Drop for OpenedMemory {
    fn drop(&mut self) {
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            let result = observe::end(
                || self.event(),
                || {
                    // SAFETY: opened once, closed once; views borrow the value and are gone.
                    let status = unsafe { api.cuIpcCloseMemHandle(self.address.0) };
                    check!(api, cuIpcCloseMemHandle, status, address = self.address)
                },
            );
            drop(entered);
            result
        }));
    }
}

impl fmt::Debug for OpenedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedMemory")
            .field("address", &self.address)
            .field("size", &self.size)
            .finish()
    }
}

impl EventHandle {
    /// The handle of an event that was created for other processes.
    ///
    /// Driver API: `cuIpcGetEventHandle`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 400 for an event that was not.
    #[doc(alias = "cuIpcGetEventHandle")]
    pub fn of(event: &Event) -> Result<Self> {
        let api = event.context().api();
        let mut raw = CUipcEventHandle::default();
        let entered = event.context().enter()?;
        // SAFETY: `raw` is a live out parameter and the event is alive.
        let status = unsafe { api.cuIpcGetEventHandle(&raw mut raw, event.as_raw()) };
        drop(entered);
        check!(api, cuIpcGetEventHandle, status, event = event.as_raw())?;
        Ok(Self(from_c(raw.reserved)))
    }

    /// Opens the event that the handle names.
    ///
    /// Driver API: `cuIpcOpenEventHandle`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// The handle came from [`EventHandle::of`] in another process, which keeps the event until the result
    /// is dropped.
    #[doc(alias = "cuIpcOpenEventHandle")]
    pub unsafe fn open(self, context: &Context) -> Result<Event> {
        let api = context.api();
        let raw = CUipcEventHandle {
            reserved: to_c(self.0),
        };
        let mut event = ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: `event` is a live out parameter; the caller answers for the handle.
        let status = unsafe { api.cuIpcOpenEventHandle(&raw mut event, raw) };
        drop(entered);
        check!(api, cuIpcOpenEventHandle, status)?;
        // SAFETY: opened just now, for us alone.
        Ok(unsafe { Event::from_raw(context, event) })
    }
}

/// A file descriptor (dma-buf) by which other devices, a network card for example, reach this memory.
///
/// Driver API: `cuMemGetHandleForAddressRange` (11.7 and later).
///
/// # Errors
///
/// What CUDA answers: 1 where address or size are no multiple of the host's page (measured: H100, driver
/// 580), 801 where device or kernel cannot.
///
/// # Safety
///
/// The memory outlives every use of the descriptor and of its copies, in whatever process.
#[doc(alias = "cuMemGetHandleForAddressRange")]
pub unsafe fn dma_buf(memory: &impl DeviceMemory) -> Result<OwnedFd> {
    let api = memory.context().api();
    let (address, size) = (memory.address(), memory.size());
    let mut descriptor: c_int = -1;
    let place = (&raw mut descriptor).cast();
    let kind = CUmemRangeHandleType::CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD;
    let entered = memory.context().enter()?;
    // SAFETY: of this kind, the handle is a descriptor and written to a live number.
    let status = unsafe { api.cuMemGetHandleForAddressRange(place, address.0, size.0, kind, 0) };
    drop(entered);
    check!(api, cuMemGetHandleForAddressRange, status, address, size)?;
    owned(descriptor, "cuMemGetHandleForAddressRange")
}
