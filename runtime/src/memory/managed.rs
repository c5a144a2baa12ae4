use core::fmt;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::ptr::NonNull;
use core::slice;

use bytemuck::Zeroable;
use cuda_sys::runtime;

use super::advice::{self, Advice, Home};
use super::observe::{self, Event, Kind};
use super::pinned::misaligned;
use super::{Bytes, raw};
use crate::device::Device;
use crate::error::{Result, check, report_drop};
use crate::pointer::Address;
use crate::stream::Stream;
use crate::version::supports_concurrent_managed_access;

/// Who may use managed memory at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManagedVisibility {
    /// Every stream of every device.
    #[default]
    Global,
    /// The host, until it is attached to a stream.
    Host,
}

impl ManagedVisibility {
    /// The bits of C.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Global => runtime::cudaMemAttachGlobal,
            Self::Host => runtime::cudaMemAttachHost,
        }
    }
}

/// Managed memory, which host and device see at the same address.
///
/// Runtime API: `cudaMallocManaged`, and `cudaFree` on drop.
///
/// The host's slices are had from [`ManagedBuffer::as_slice`] and [`ManagedBuffer::as_mut_slice`],
/// which make it the host's first where the two may not use managed memory at once
/// (`concurrentManagedAccess` = 0): the memory is attached to the host, so that other work of the device
/// does not make the host's access end the process, and the device is waited for. Before a kernel uses
/// such memory again, [`ManagedBuffer::attach`] gives it back. Copies take those slices, as they take any
/// host memory. Kernels that use the memory are the caller's affair: launching one is unsafe.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::memory::{ManagedBuffer, ManagedVisibility};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let mut buffer = ManagedBuffer::<u64>::zeroed(&device, 4, ManagedVisibility::Global)?;
/// buffer.as_mut_slice()?[0] = 5;
/// assert_eq!(buffer.as_slice()?, [5, 0, 0, 0]);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
#[doc(alias = "cudaMallocManaged")]
pub struct ManagedBuffer<T> {
    device: Device,
    elements: NonNull<T>,
    len: usize,
    concurrent: bool,
    location: &'static Location<'static>,
}

// SAFETY: it owns its elements, as a `Vec` does; managed memory may be used and freed by every thread.
unsafe impl<T: Send> Send for ManagedBuffer<T> {}
// SAFETY: sharing it shares the elements and nothing else.
unsafe impl<T: Sync> Sync for ManagedBuffer<T> {}

impl<T: Copy> ManagedBuffer<T> {
    /// Allocates and fills with zero bytes, on the host.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no managed memory.
    #[doc(alias = "cudaMallocManaged")]
    #[track_caller]
    pub fn zeroed(device: &Device, len: usize, visibility: ManagedVisibility) -> Result<Self>
    where
        T: Zeroable,
    {
        let location = Location::caller();
        let size = Bytes::of::<T>(len)?;
        let concurrent = supports_concurrent_managed_access(device)?;
        let mut elements = NonNull::dangling();
        if size.0 > 0 {
            let entered = device.enter()?;
            let address = raw::allocate_managed_unobserved(size, visibility)?;
            drop(entered);
            elements = NonNull::new(address.as_mut_ptr().cast()).unwrap_or(elements);
        }
        let buffer = Self {
            device: *device,
            elements,
            len,
            concurrent,
            location,
        };
        if size.0 > 0 {
            observe::began(|| buffer.event());
            if !elements.is_aligned() {
                return Err(misaligned("cudaMallocManaged", elements));
            }
            buffer.wait()?;
            // SAFETY: `len` elements were allocated just now, nobody else knows them, and the device
            // keeps off where it must.
            unsafe { elements.write_bytes(0, len) };
        }
        Ok(buffer)
    }
}

impl<T> ManagedBuffer<T> {
    /// Owns managed memory that something else allocated.
    ///
    /// # Errors
    ///
    /// What CUDA answers when asked whether host and device may use it at once.
    ///
    /// # Safety
    ///
    /// `address` was returned by a managed allocation in `device` of at least `len` elements, is
    /// aligned for them, all of them are initialised, and nobody else frees or uses it; or `len` times the size of `T` is zero.
    #[track_caller]
    pub unsafe fn from_raw_parts(device: &Device, address: Address, len: usize) -> Result<Self> {
        let location = Location::caller();
        let concurrent = supports_concurrent_managed_access(device)?;
        let elements = NonNull::new(address.as_mut_ptr().cast()).unwrap_or(NonNull::dangling());
        Ok(Self {
            device: *device,
            elements,
            len,
            concurrent,
            location,
        })
    }

    /// Gives the memory away: the caller frees it.
    #[must_use = "nobody else frees the memory"]
    pub fn into_raw(self) -> Address {
        let this = ManuallyDrop::new(self);
        this.address()
    }

    /// Where it was allocated.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The first byte, the same for host and device.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from(self.elements.as_ptr())
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The size.
    #[must_use]
    pub fn size(&self) -> Bytes {
        Bytes(self.len.wrapping_mul(size_of::<T>()))
    }

    /// The elements, after making them the host's where they must be.
    ///
    /// # Errors
    ///
    /// What CUDA answers when waited for.
    pub fn as_slice(&self) -> Result<&[T]> {
        self.wait()?;
        // SAFETY: `len` initialised elements, owned by `self`; the device keeps off where it must.
        Ok(unsafe { slice::from_raw_parts(self.elements.as_ptr(), self.len) })
    }

    /// The elements to write to, after making them the host's where they must be.
    ///
    /// # Errors
    ///
    /// What CUDA answers when waited for.
    pub fn as_mut_slice(&mut self) -> Result<&mut [T]> {
        self.wait()?;
        // SAFETY: `len` initialised elements, owned by `self`, which is borrowed mutably; the device
        // keeps off where it must.
        Ok(unsafe { slice::from_raw_parts_mut(self.elements.as_ptr(), self.len) })
    }

    /// Says from a point of the stream on who uses the memory; of matter where host and device may not use
    /// managed memory at once.
    ///
    /// Runtime API: `cudaStreamAttachMemAsync`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaStreamAttachMemAsync")]
    pub fn attach(&mut self, stream: &Stream, visibility: ManagedVisibility) -> Result<()> {
        self.attach_to(stream, visibility)
    }

    fn attach_to(&self, stream: &Stream, visibility: ManagedVisibility) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let api = self.device.api();
        let (address, handle, flags) = (self.address(), stream.as_raw(), visibility.bits());
        let entered = stream.device().enter()?;
        // SAFETY: the memory is managed and alive; no length means all of it. The device may use it again
        // only where `self` is borrowed mutably, so that there is no slice of it.
        let status =
            unsafe { api.cudaStreamAttachMemAsync(handle, address.as_mut_ptr(), 0, flags) };
        drop(entered);
        check!(
            api,
            cudaStreamAttachMemAsync,
            status,
            address,
            flags,
            stream = handle
        )
    }

    /// Moves the memory to a device, or to the host, when the stream comes to it; it stays usable everywhere.
    ///
    /// Runtime API: `cudaMemPrefetchAsync`, with the signature of the loaded major.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where host and device may not use managed memory at once.
    #[doc(alias = "cudaMemPrefetchAsync")]
    pub fn prefetch(&self, to: Home<'_>, stream: &Stream) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = stream.device().enter()?;
        let result = advice::prefetch(self.address(), self.size(), to, stream);
        drop(entered);
        result
    }

    /// Tells CUDA how the memory will be used; it moves nothing, and changes nothing that can be seen.
    ///
    /// Runtime API: `cudaMemAdvise`, with the signature of the loaded major.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where host and device may not use managed memory at once.
    #[doc(alias = "cudaMemAdvise")]
    pub fn advise(&self, advice: Advice<'_>) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = self.device.enter()?;
        let result = advice::advise(self.address(), self.size(), advice);
        drop(entered);
        result
    }

    /// Frees now, and says what a drop could only report to the hook.
    ///
    /// # Errors
    ///
    /// What CUDA answers; the memory is then lost.
    pub fn free(self) -> Result<()> {
        let mut this = ManuallyDrop::new(self);
        this.release()
    }

    /// Makes the memory the host's, where the host may not touch managed memory while the device is busy.
    fn wait(&self) -> Result<()> {
        if self.concurrent || self.size().0 == 0 {
            return Ok(());
        }
        self.attach_to(&Stream::legacy(&self.device), ManagedVisibility::Host)?;
        self.device.synchronize()
    }

    fn release(&mut self) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = self.device.enter()?;
        let result = observe::end(
            || self.event(),
            // SAFETY: allocated once, freed once; slices borrow the buffer and are gone.
            || unsafe { raw::free_unobserved(self.address()) },
        );
        drop(entered);
        result
    }

    fn event(&self) -> Event {
        Event {
            kind: Kind::Managed,
            address: self.address(),
            size: self.size(),
            device: Some(self.device.ordinal()),
            context: None,
            stream: None,
            rows: None,
            location: Some(self.location),
        }
    }
}

impl<T> Drop for ManagedBuffer<T> {
    fn drop(&mut self) {
        report_drop(self.release());
    }
}

impl<T> fmt::Debug for ManagedBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedBuffer")
            .field("address", &self.address())
            .field("len", &self.len)
            .field("device", &self.device)
            .finish()
    }
}
