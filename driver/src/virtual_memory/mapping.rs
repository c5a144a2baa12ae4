use core::fmt;
use core::panic::Location;
use std::sync::Arc;

use bytemuck::AnyBitPattern;
use cuda_sys::driver::CUmemAccessDesc;

use super::reservation::Reserved;
use crate::context::Context;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::observe::{self, Event as MemoryEvent, Kind};
use crate::memory::{Bytes, DeviceMemory, DeviceSlice, DeviceSliceMut};
use crate::pointer::{Access, Address};
use crate::pool::{access_flags, location};

/// Physical memory behind addresses.
///
/// To copies it is device memory of bytes; [`Mapping::typed`] makes elements of them.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::memory::Bytes;
/// use cuwhy_driver::pointer::Access;
/// use cuwhy_driver::virtual_memory::{Export, Physical, Reservation, granularity};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let page = granularity(&context)?.minimum;
/// let addresses = Reservation::new(&context, Bytes(page.0 * 2))?;
/// let memory = Physical::new(&context, page, Export::None)?;
/// let mut mapping = addresses.map(Bytes(0), &memory)?;
/// mapping.set_access(&context, Access::ReadWrite)?;
/// cuwhy_driver::copy::zero(&mut mapping)?;
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
pub struct Mapping {
    pub(super) reservation: Arc<Reserved>,
    pub(super) address: Address,
    pub(super) size: Bytes,
    pub(super) location: &'static Location<'static>,
}

impl Mapping {
    /// Sets what the context's device may do with the memory; until then nobody may do anything.
    ///
    /// Driver API: `cuMemSetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemSetAccess")]
    pub fn set_access(&mut self, other: &Context, access: Access) -> Result<()> {
        let api = other.api();
        let rule = CUmemAccessDesc {
            location: location(other),
            flags: access_flags(access),
        };
        let entered = self.reservation.context.enter()?;
        // SAFETY: the range is mapped, and the descriptor is alive.
        let status = unsafe { api.cuMemSetAccess(self.address.0, self.size.0, &raw const rule, 1) };
        drop(entered);
        check!(
            api,
            cuMemSetAccess,
            status,
            address = self.address,
            size = self.size,
            device = other.device().ordinal()
        )
    }

    /// What the context's device may do with the memory.
    ///
    /// Driver API: `cuMemGetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemGetAccess")]
    pub fn access(&self, other: &Context) -> Result<Access> {
        let api = other.api();
        let place = location(other);
        let mut flags = 0;
        let entered = self.reservation.context.enter()?;
        // SAFETY: a live out parameter and a live descriptor; the range is mapped.
        let status =
            unsafe { api.cuMemGetAccess(&raw mut flags, &raw const place, self.address.0) };
        drop(entered);
        check!(
            api,
            cuMemGetAccess,
            status,
            address = self.address,
            device = other.device().ordinal()
        )?;
        Ok(Access::new(flags))
    }

    /// The memory as elements, to read from; what does not fill an element is left out.
    ///
    /// # Errors
    ///
    /// [`Misuse::Unsupported`] for elements of no size.
    pub fn typed<T: AnyBitPattern>(&self) -> Result<DeviceSlice<'_, T>> {
        let len = elements::<T>(self.size)?;
        // SAFETY: the memory is mapped as long as `self` is borrowed, and pages are aligned for everything.
        Ok(unsafe { DeviceSlice::from_raw_parts(&self.reservation.context, self.address, len) })
    }

    /// The memory as elements, to write to; what does not fill an element is left out.
    ///
    /// # Errors
    ///
    /// [`Misuse::Unsupported`] for elements of no size.
    pub fn typed_mut<T: AnyBitPattern>(&mut self) -> Result<DeviceSliceMut<'_, T>> {
        let len = elements::<T>(self.size)?;
        // SAFETY: the memory is mapped as long as `self` is borrowed, and pages are aligned for everything.
        Ok(unsafe { DeviceSliceMut::from_raw_parts(&self.reservation.context, self.address, len) })
    }

    pub(super) fn event(&self) -> MemoryEvent {
        let context = &self.reservation.context;
        MemoryEvent {
            kind: Kind::Virtual,
            address: self.address,
            size: self.size,
            device: Some(context.device().ordinal()),
            context: Some(context.id_for_observers()),
            stream: None,
            rows: None,
            location: Some(self.location),
        }
    }
}

/// How many elements lie in that many bytes.
fn elements<T>(size: Bytes) -> Result<usize> {
    size.0
        .checked_div(size_of::<T>())
        .ok_or_else(|| misuse("cuMemMap", Misuse::Unsupported))
}

// SAFETY: the memory is mapped until the mapping is dropped, and nothing hands out references to it.
unsafe impl DeviceMemory for Mapping {
    type Element = u8;

    fn context(&self) -> &Context {
        &self.reservation.context
    }

    fn address(&self) -> Address {
        self.address
    }

    fn len(&self) -> usize {
        self.size.0
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let context = &self.reservation.context;
        let api = context.api();
        // Unlike freeing, unmapping waits for nobody.
        report_drop(context.synchronize());
        report_drop(context.enter().and_then(|entered| {
            let result = observe::end(
                || self.event(),
                || {
                    // SAFETY: mapped once, unmapped once; views borrow the mapping and are gone.
                    let status = unsafe { api.cuMemUnmap(self.address.0, self.size.0) };
                    check!(
                        api,
                        cuMemUnmap,
                        status,
                        address = self.address,
                        size = self.size
                    )
                },
            );
            drop(entered);
            result
        }));
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("address", &self.address)
            .field("size", &self.size)
            .finish()
    }
}
