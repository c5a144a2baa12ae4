use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::panic::Location;
use core::ptr::NonNull;
use core::slice;
use std::marker::PhantomData;

use cuda_sys::runtime;

use super::observe::{self, Event, Kind};
use super::{Bytes, raw};
use crate::device::Device;
use crate::error::{Result, report_drop};
use crate::pointer::Address;

/// How host memory is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RegisterFlags {
    /// Every device sees it as pinned, and not the registering one alone.
    pub portable: bool,
    /// The device sees it at an address of its own (always so where addresses are unified).
    pub mapped: bool,
    /// The memory belongs to a device's input and output, not to the host.
    pub io_memory: bool,
    /// The device only reads it.
    pub read_only: bool,
}

impl RegisterFlags {
    /// Pinned and nothing else.
    pub const PLAIN: Self = Self {
        portable: false,
        mapped: false,
        io_memory: false,
        read_only: false,
    };

    /// Every device sees it as pinned.
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

    /// The device only reads it.
    #[must_use]
    pub const fn read_only(self) -> Self {
        Self {
            read_only: true,
            ..self
        }
    }

    /// The bits of C.
    #[must_use]
    pub const fn bits(self) -> u32 {
        let mut bits = 0;
        if self.portable {
            bits |= runtime::cudaHostRegisterPortable;
        }
        if self.mapped {
            bits |= runtime::cudaHostRegisterMapped;
        }
        if self.io_memory {
            bits |= runtime::cudaHostRegisterIoMemory;
        }
        if self.read_only {
            bits |= runtime::cudaHostRegisterReadOnly;
        }
        bits
    }
}

/// Host memory of somebody else's that is pinned as long as this lives.
///
/// Runtime API: `cudaHostRegister`, and `cudaHostUnregister` on drop. It borrows the slice, and
/// lends it out as a slice again. Whoever forgets the value (`mem::forget`) leaves the pages
/// registered behind the owner's back: no undefined behaviour in Rust, and a stale registration in
/// CUDA.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::memory::{RegisterFlags, Registered};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let mut numbers = vec![1_u32; 10_000];
/// let registered = Registered::new(&device, &mut numbers, RegisterFlags::PLAIN)?;
/// // Copies of `registered` are as quick as those of pinned memory.
/// registered.unregister()?;
/// assert_eq!(numbers[0], 1);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
#[doc(alias = "cudaHostRegister")]
pub struct Registered<'a, T> {
    device: Device,
    elements: NonNull<T>,
    len: usize,
    writable: bool,
    location: &'static Location<'static>,
    marker: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a borrow of the elements, mutable or shared, and a registration, which every thread may end.
unsafe impl<T: Send + Sync> Send for Registered<'_, T> {}
// SAFETY: sharing it shares the elements and nothing else.
unsafe impl<T: Sync> Sync for Registered<'_, T> {}

impl<'a, T: Copy> Registered<'a, T> {
    /// Pins the slice.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 712 where a part of it is registered already.
    #[doc(alias = "cudaHostRegister")]
    #[track_caller]
    pub fn new(device: &Device, elements: &'a mut [T], flags: RegisterFlags) -> Result<Self> {
        let len = elements.len();
        Self::register(device, NonNull::from(elements).cast(), len, true, flags)
    }

    /// Pins a slice that stays readable elsewhere; only [`Deref`] is had of it.
    ///
    /// The memory is registered read-only where `flags` say so, which not every device can
    /// ([`supports_read_only_registration`](crate::version::supports_read_only_registration)).
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[track_caller]
    pub fn shared(
        device: &Device,
        elements: &'a [T],
        flags: RegisterFlags,
    ) -> Result<Registered<'a, T>> {
        let len = elements.len();
        Self::register(device, NonNull::from(elements).cast(), len, false, flags)
    }

    #[track_caller]
    fn register(
        device: &Device,
        elements: NonNull<T>,
        len: usize,
        writable: bool,
        flags: RegisterFlags,
    ) -> Result<Self> {
        let location = Location::caller();
        let size = Bytes(len.wrapping_mul(size_of::<T>()));
        if size.0 > 0 {
            let entered = device.enter()?;
            // SAFETY: the borrow keeps the memory allocated until the value unregisters it.
            unsafe { raw::register_unobserved(elements.as_ptr().cast(), size, flags) }?;
            drop(entered);
        }
        let registered = Self {
            device: *device,
            elements,
            len,
            writable,
            location,
            marker: PhantomData,
        };
        if size.0 > 0 {
            observe::began(|| registered.event());
        }
        Ok(registered)
    }
}

impl<T> Registered<'_, T> {
    /// Where it was registered.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
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
    /// Runtime API: `cudaHostGetDevicePointer`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaHostGetDevicePointer")]
    pub fn device_address(&self) -> Result<Address> {
        let entered = self.device.enter()?;
        let address = raw::device_address_of_host(self.elements.as_ptr().cast_const().cast());
        drop(entered);
        address
    }

    /// The elements to write to, where the slice was borrowed mutably.
    pub fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        if !self.writable {
            return None;
        }
        // SAFETY: the slice was borrowed mutably for as long as `self` lives.
        Some(unsafe { slice::from_raw_parts_mut(self.elements.as_ptr(), self.len) })
    }

    /// Unregisters now, and says what a drop could only report to the hook.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    pub fn unregister(self) -> Result<()> {
        let mut this = ManuallyDrop::new(self);
        this.release()
    }

    fn release(&mut self) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = self.device.enter()?;
        let result = observe::end(
            || self.event(),
            // SAFETY: registered once, unregistered once; safe copies in flight borrow `self`.
            || unsafe { raw::unregister_unobserved(self.elements.as_ptr().cast()) },
        );
        drop(entered);
        result
    }

    fn event(&self) -> Event {
        Event {
            kind: Kind::Registered,
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

impl<T> Deref for Registered<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the slice is borrowed for as long as `self` lives.
        unsafe { slice::from_raw_parts(self.elements.as_ptr(), self.len) }
    }
}

impl<T> Drop for Registered<'_, T> {
    fn drop(&mut self) {
        report_drop(self.release());
    }
}

impl<T> fmt::Debug for Registered<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("address", &self.address())
            .field("len", &self.len)
            .field("writable", &self.writable)
            .finish()
    }
}
