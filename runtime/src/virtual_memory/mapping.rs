use core::fmt;
use core::panic::Location;
use std::sync::Arc;

use bytemuck::AnyBitPattern;
use cuda_sys::driver::CUmemAccessDesc;

use super::properties::{access_flags, location};
use super::reservation::Reserved;
use crate::api::driver;
use crate::device::Device;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::observe::{self, Event as MemoryEvent, Kind};
use crate::memory::{Bytes, DeviceMemory, DeviceSlice, DeviceSliceMut};
use crate::pointer::{Access, Address};

/// Physical memory behind addresses.
///
/// To copies it is device memory of bytes; [`Mapping::typed`] makes elements of them.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::memory::Bytes;
/// use cuwhy_runtime::pointer::Access;
/// use cuwhy_runtime::virtual_memory::{Export, Physical, Reservation, granularity};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let page = granularity(&device)?.minimum;
/// let addresses = Reservation::new(&device, Bytes(page.0 * 2))?;
/// let memory = Physical::new(&device, page, Export::None)?;
/// let mut mapping = addresses.map(Bytes(0), &memory)?;
/// mapping.set_access(&device, Access::ReadWrite)?;
/// cuwhy_runtime::copy::zero(&mut mapping)?;
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
pub struct Mapping {
    pub(super) reservation: Arc<Reserved>,
    pub(super) address: Address,
    pub(super) size: Bytes,
    pub(super) location: &'static Location<'static>,
}

impl Mapping {
    /// Sets what the device may do with the memory; until then nobody may do anything.
    ///
    /// Driver API: `cuMemSetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemSetAccess")]
    pub fn set_access(&mut self, other: &Device, access: Access) -> Result<()> {
        let rule = CUmemAccessDesc {
            location: location(other),
            flags: access_flags(access),
        };
        let entered = self.reservation.device.enter()?;
        let api = driver()?;
        // SAFETY: the range is mapped, and the descriptor is alive.
        let status = unsafe { api.cuMemSetAccess(self.address.0, self.size.0, &raw const rule, 1) };
        drop(entered);
        check!(
            api,
            cuMemSetAccess,
            status,
            address = self.address,
            size = self.size,
            device = other.ordinal()
        )
    }

    /// What the device may do with the memory.
    ///
    /// Driver API: `cuMemGetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemGetAccess")]
    pub fn access(&self, other: &Device) -> Result<Access> {
        let place = location(other);
        let mut flags = 0;
        let entered = self.reservation.device.enter()?;
        let api = driver()?;
        // SAFETY: a live out parameter and a live descriptor; the range is mapped.
        let status =
            unsafe { api.cuMemGetAccess(&raw mut flags, &raw const place, self.address.0) };
        drop(entered);
        check!(
            api,
            cuMemGetAccess,
            status,
            address = self.address,
            device = other.ordinal()
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
        Ok(unsafe { DeviceSlice::from_raw_parts(&self.reservation.device, self.address, len) })
    }

    /// The memory as elements, to write to; what does not fill an element is left out.
    ///
    /// # Errors
    ///
    /// [`Misuse::Unsupported`] for elements of no size.
    pub fn typed_mut<T: AnyBitPattern>(&mut self) -> Result<DeviceSliceMut<'_, T>> {
        let len = elements::<T>(self.size)?;
        // SAFETY: the memory is mapped as long as `self` is borrowed, and pages are aligned for everything.
        Ok(unsafe { DeviceSliceMut::from_raw_parts(&self.reservation.device, self.address, len) })
    }

    pub(super) fn event(&self) -> MemoryEvent {
        let device = &self.reservation.device;
        MemoryEvent {
            kind: Kind::Virtual,
            address: self.address,
            size: self.size,
            device: Some(device.ordinal()),
            context: None,
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

    fn device(&self) -> &Device {
        &self.reservation.device
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
        let device = &self.reservation.device;
        // Unlike freeing, unmapping waits for nobody.
        report_drop(device.synchronize());
        report_drop(device.enter().and_then(|entered| {
            let api = driver()?;
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
