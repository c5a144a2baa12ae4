use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::panic::Location;
use core::ptr::NonNull;
use core::slice;

use bytemuck::Zeroable;
use cuda_sys::driver;

use super::observe::{self, Event, Kind};
use super::{Bytes, raw};
use crate::context::Context;
use crate::error::{Error, Misuse, Result, misuse, report_drop};
use crate::pointer::Address;

/// How pinned host memory is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HostFlags {
    /// Every context sees it as pinned, and not the allocating one alone.
    pub portable: bool,
    /// The device sees it at an address of its own (always so where addresses are unified).
    pub mapped: bool,
    /// Quick for the host to write and very slow for it to read.
    pub write_combined: bool,
}

impl HostFlags {
    /// Pinned and nothing else.
    pub const PLAIN: Self = Self {
        portable: false,
        mapped: false,
        write_combined: false,
    };

    /// Every context sees it as pinned.
    #[must_use]
    pub const fn portable(self) -> Self {
        Self {
            portable: true,
            ..self
        }
    }

    /// The device sees it.
    #[must_use]
    pub const fn mapped(self) -> Self {
        Self {
            mapped: true,
            ..self
        }
    }

    /// Quick for the host to write and very slow for it to read.
    #[must_use]
    pub const fn write_combined(self) -> Self {
        Self {
            write_combined: true,
            ..self
        }
    }

    /// The bits of C.
    #[must_use]
    pub const fn bits(self) -> u32 {
        let mut bits = 0;
        if self.portable {
            bits |= driver::CU_MEMHOSTALLOC_PORTABLE;
        }
        if self.mapped {
            bits |= driver::CU_MEMHOSTALLOC_DEVICEMAP;
        }
        if self.write_combined {
            bits |= driver::CU_MEMHOSTALLOC_WRITECOMBINED;
        }
        bits
    }
}

/// Pinned host memory: an ordinary slice to Rust, quick for copies, asynchronous ones above all.
///
/// Driver API: `cuMemHostAlloc`, and `cuMemFreeHost` on drop.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::memory::{HostFlags, PinnedBuffer};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let mut buffer = PinnedBuffer::<f32>::zeroed(&context, 100, HostFlags::PLAIN.portable())?;
/// buffer[3] = 1.5;
/// assert_eq!(buffer.iter().sum::<f32>(), 1.5);
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
#[doc(alias = "cuMemHostAlloc")]
pub struct PinnedBuffer<T> {
    context: Context,
    elements: NonNull<T>,
    len: usize,
    location: &'static Location<'static>,
}

// SAFETY: it owns its elements, as a `Vec` does; pinned memory may be used and freed by every thread.
unsafe impl<T: Send> Send for PinnedBuffer<T> {}
// SAFETY: sharing it shares the elements and nothing else.
unsafe impl<T: Sync> Sync for PinnedBuffer<T> {}

impl<T: Copy> PinnedBuffer<T> {
    /// Allocates and fills with zero bytes.
    ///
    /// # Errors
    ///
    /// [`Misuse::Misaligned`] where the elements want more alignment than CUDA gives, and what CUDA answers.
    #[doc(alias = "cuMemHostAlloc")]
    #[track_caller]
    pub fn zeroed(context: &Context, len: usize, flags: HostFlags) -> Result<Self>
    where
        T: Zeroable,
    {
        let buffer = Self::allocate(context, len, flags)?;
        // SAFETY: `len` elements were allocated just now, and nobody else knows them.
        unsafe { buffer.elements.write_bytes(0, len) };
        Ok(buffer)
    }

    /// Allocates and copies the elements into it.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[track_caller]
    pub fn from_slice(context: &Context, elements: &[T], flags: HostFlags) -> Result<Self> {
        let buffer = Self::allocate(context, elements.len(), flags)?;
        let from = NonNull::from(elements).cast::<T>();
        // SAFETY: both have that many elements, and the new memory overlaps nothing.
        unsafe {
            buffer
                .elements
                .copy_from_nonoverlapping(from, elements.len())
        };
        Ok(buffer)
    }

    /// Allocates and leaves whatever was there: the caller fills it before the buffer is used.
    #[track_caller]
    fn allocate(context: &Context, len: usize, flags: HostFlags) -> Result<Self> {
        let location = Location::caller();
        let size = Bytes::of::<T>(len)?;
        let mut elements = NonNull::dangling();
        if size.0 > 0 {
            let entered = context.enter()?;
            let pointer = raw::allocate_host_unobserved(size, flags)?;
            drop(entered);
            elements = NonNull::new(pointer.cast()).unwrap_or(elements);
        }
        let buffer = Self {
            context: context.clone(),
            elements,
            len,
            location,
        };
        if size.0 > 0 {
            observe::began(|| buffer.event());
        }
        if !buffer.elements.is_aligned() {
            return Err(misaligned("cuMemHostAlloc", buffer.elements));
        }
        Ok(buffer)
    }
}

/// The error for memory that CUDA aligned for less than its elements need: it promises no number, and
/// 512 is what it gives.
pub(super) fn misaligned<T>(call: &'static str, elements: NonNull<T>) -> Error {
    let misused = Misuse::Misaligned {
        address: elements.addr().get() as u64,
        alignment: align_of::<T>(),
    };
    misuse(call, misused)
}

impl<T> PinnedBuffer<T> {
    /// Owns pinned memory that something else allocated.
    ///
    /// # Safety
    ///
    /// `elements` was returned by a pinned allocation of at least `len` elements, is aligned for them, all of
    /// them are initialised, and nobody else frees or uses it; or `len` times the size of `T` is zero.
    #[track_caller]
    #[must_use]
    pub unsafe fn from_raw_parts(context: &Context, elements: NonNull<T>, len: usize) -> Self {
        let location = Location::caller();
        Self {
            context: context.clone(),
            elements,
            len,
            location,
        }
    }

    /// Gives the memory away: the caller frees it.
    #[must_use = "nobody else frees the memory"]
    pub fn into_raw(self) -> NonNull<T> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut this.context) };
        this.elements
    }

    /// Frees now, and says what a drop could only report to the hook.
    ///
    /// # Errors
    ///
    /// What CUDA answers; the memory is then lost.
    pub fn free(self) -> Result<()> {
        let mut this = ManuallyDrop::new(self);
        let result = this.release();
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut this.context) };
        result
    }

    /// Where it was allocated.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The address of the first byte.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from(self.elements.as_ptr())
    }

    /// The size.
    #[must_use]
    pub fn size(&self) -> Bytes {
        Bytes(self.len.wrapping_mul(size_of::<T>()))
    }

    /// The address at which the device sees this memory.
    ///
    /// Driver API: `cuMemHostGetDevicePointer_v2`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemHostGetDevicePointer")]
    pub fn device_address(&self) -> Result<Address> {
        let entered = self.context.enter()?;
        let address = raw::device_address_of_host(self.elements.as_ptr().cast_const().cast());
        drop(entered);
        address
    }

    /// The flags as CUDA keeps them.
    ///
    /// Driver API: `cuMemHostGetFlags`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemHostGetFlags")]
    pub fn flags(&self) -> Result<u32> {
        let entered = self.context.enter()?;
        let flags = raw::host_flags(self.elements.as_ptr().cast_const().cast());
        drop(entered);
        flags
    }

    fn release(&mut self) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = self.context.enter()?;
        let result = observe::end(
            || self.event(),
            // SAFETY: allocated once, freed once; safe copies in flight own or borrow the buffer.
            || unsafe { raw::free_host_unobserved(self.elements.as_ptr().cast()) },
        );
        drop(entered);
        result
    }

    fn event(&self) -> Event {
        Event {
            kind: Kind::Pinned,
            address: self.address(),
            size: self.size(),
            device: Some(self.context.device().ordinal()),
            context: Some(self.context.id_for_observers()),
            stream: None,
            rows: None,
            location: Some(self.location),
        }
    }
}

impl<T> Deref for PinnedBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` initialised elements, owned by `self`.
        unsafe { slice::from_raw_parts(self.elements.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for PinnedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: `len` initialised elements, owned by `self`, which is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.elements.as_ptr(), self.len) }
    }
}

impl<T> Drop for PinnedBuffer<T> {
    fn drop(&mut self) {
        report_drop(self.release());
    }
}

impl<T> fmt::Debug for PinnedBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedBuffer")
            .field("address", &self.address())
            .field("len", &self.len)
            .field("context", &self.context)
            .finish()
    }
}
