use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::Location;

use bytemuck::{AnyBitPattern, NoUninit, Zeroable};

use super::observe::{self, Event, Kind};
use super::{Bytes, DeviceMemory, raw};
use crate::context::Context;
use crate::copy;
use crate::error::{Result, report_drop};
use crate::pointer::Address;
use crate::stream::Stream;

/// Device memory for elements of one type.
///
/// Driver API: `cuMemAlloc_v2`, and `cuMemFree_v2` on drop. A buffer of no elements owns nothing.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::memory::{DeviceBuffer, DeviceMemory};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let mut buffer = DeviceBuffer::<u32>::zeroed(&context, 8)?;
/// cuwhy_driver::copy::upload(&mut buffer.slice_mut(2..4)?, &[7, 9])?;
/// assert_eq!(buffer.to_vec()?, [0, 0, 7, 9, 0, 0, 0, 0]);
/// buffer.free()?; // Or dropped: then a failure goes to the hook.
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
#[doc(alias = "cuMemAlloc")]
pub struct DeviceBuffer<T> {
    context: Context,
    address: Address,
    len: usize,
    location: &'static Location<'static>,
    marker: PhantomData<T>,
}

impl<T: Copy> DeviceBuffer<T> {
    /// Allocates; the contents are whatever was there.
    ///
    /// # Errors
    ///
    /// What CUDA answers, most often out of memory.
    #[doc(alias = "cuMemAlloc")]
    #[track_caller]
    pub fn new(context: &Context, len: usize) -> Result<Self> {
        let location = Location::caller();
        let size = Bytes::of::<T>(len)?;
        let mut address = Address::NULL;
        if size.0 > 0 {
            let entered = context.enter()?;
            address = raw::allocate_unobserved(size)?;
            drop(entered);
        }
        let buffer = Self {
            context: context.clone(),
            address,
            len,
            location,
            marker: PhantomData,
        };
        if size.0 > 0 {
            observe::began(|| buffer.event());
        }
        Ok(buffer)
    }

    /// Allocates and fills with zero bytes; every stream may use them when this returns.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[track_caller]
    pub fn zeroed(context: &Context, len: usize) -> Result<Self>
    where
        T: Zeroable,
    {
        let mut buffer = Self::new(context, len)?;
        copy::zero(&mut buffer)?;
        if buffer.size().0 > 0 {
            settle(context)?;
        }
        Ok(buffer)
    }

    /// Allocates and uploads; every stream may use the elements when this returns.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[track_caller]
    pub fn from_slice(context: &Context, elements: &[T]) -> Result<Self>
    where
        T: NoUninit,
    {
        let mut buffer = Self::new(context, elements.len())?;
        buffer.upload(elements)?;
        if buffer.size().0 > 0 {
            settle(context)?;
        }
        Ok(buffer)
    }

    /// Copies from the host; the lengths must agree.
    ///
    /// # Errors
    ///
    /// As [`copy::upload`].
    pub fn upload(&mut self, elements: &[T]) -> Result<()>
    where
        T: NoUninit,
    {
        copy::upload(self, elements)
    }

    /// Copies to the host; the lengths must agree.
    ///
    /// # Errors
    ///
    /// As [`copy::download`].
    pub fn download(&self, elements: &mut [T]) -> Result<()>
    where
        T: AnyBitPattern,
    {
        copy::download(elements, self)
    }

    /// Copies everything to the host.
    ///
    /// # Errors
    ///
    /// As [`copy::download`].
    pub fn to_vec(&self) -> Result<Vec<T>>
    where
        T: AnyBitPattern,
    {
        copy::to_vec(self)
    }
}

/// Waits until fills and copies of the legacy stream have reached the device.
///
/// CUDA returns from a fill, and from the upload of pageable memory, before they have; streams that do not
/// wait for the legacy stream would see what was there before.
fn settle(context: &Context) -> Result<()> {
    Stream::legacy(context).synchronize()
}

impl<T> DeviceBuffer<T> {
    /// Owns memory that something else allocated.
    ///
    /// # Safety
    ///
    /// `address` was returned by an allocation in `context` of at least `len` elements that
    /// `cuMemFree` frees, nobody else frees it, and no Rust reference points there; or `len` times
    /// the size of `T` is zero.
    #[track_caller]
    #[must_use]
    pub unsafe fn from_raw_parts(context: &Context, address: Address, len: usize) -> Self {
        let location = Location::caller();
        Self {
            context: context.clone(),
            address,
            len,
            location,
            marker: PhantomData,
        }
    }

    /// Gives the memory away: the caller frees it.
    #[must_use = "nobody else frees the memory"]
    pub fn into_raw(self) -> Address {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut this.context) };
        this.address
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

    fn release(&mut self) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = self.context.enter()?;
        let result = observe::end(
            || self.event(),
            // SAFETY: allocated once, freed once; views borrow the buffer and are gone.
            || unsafe { raw::free_unobserved(self.address) },
        );
        drop(entered);
        result
    }

    fn event(&self) -> Event {
        Event {
            kind: Kind::Device,
            address: self.address,
            size: self.size(),
            device: Some(self.context.device().ordinal()),
            context: Some(self.context.id_for_observers()),
            stream: None,
            rows: None,
            location: Some(self.location),
        }
    }
}

// SAFETY: the memory is allocated until the buffer is dropped, and nothing hands out references to it.
unsafe impl<T> DeviceMemory for DeviceBuffer<T> {
    type Element = T;

    fn context(&self) -> &Context {
        &self.context
    }

    fn address(&self) -> Address {
        self.address
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl<T> Drop for DeviceBuffer<T> {
    fn drop(&mut self) {
        report_drop(self.release());
    }
}

impl<T> fmt::Debug for DeviceBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuffer")
            .field("address", &self.address)
            .field("len", &self.len)
            .field("context", &self.context)
            .finish()
    }
}
