//! Virtual memory: addresses, physical memory and mappings as separate owned things.
//!
//! A [`Reservation`] is a range of addresses with nothing behind it; a [`Physical`] is memory without an
//! address; a [`Mapping`] puts the one behind the other, and nobody may touch it until
//! [`Mapping::set_access`] says who.

use core::ffi::c_int;
use core::fmt;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::ptr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use bytemuck::AnyBitPattern;
use cuda_sys::driver::{
    CUmemAccessDesc, CUmemAllocationGranularity_flags, CUmemAllocationHandleType,
    CUmemAllocationProp, CUmemAllocationType, CUmemGenericAllocationHandle,
};

use crate::context::Context;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::observe::{self, Event as MemoryEvent, Kind};
use crate::memory::{Bytes, DeviceMemory, DeviceSlice, DeviceSliceMut};
use crate::pointer::{Access, Address};
use crate::pool::{access_flags, location};

/// What sizes and addresses must be multiples of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granularity {
    /// The least that works.
    pub minimum: Bytes,
    /// The least that is quick.
    pub recommended: Bytes,
}

/// How physical memory can be shared with other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Export {
    /// Not at all.
    #[default]
    None,
    /// As a file descriptor: [`Physical::export`].
    FileDescriptor,
    /// As a handle of the fabric, for other machines too; exporting it is left to the raw call, because no
    /// fabric was there to compare with.
    Fabric,
}

impl Export {
    pub(crate) fn raw(self) -> CUmemAllocationHandleType {
        match self {
            Self::None => CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_NONE,
            Self::FileDescriptor => {
                CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR
            }
            Self::Fabric => CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_FABRIC,
        }
    }
}

/// Physical memory of a device, as C says it.
fn properties(context: &Context, export: Export) -> CUmemAllocationProp {
    CUmemAllocationProp {
        type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        requestedHandleTypes: export.raw(),
        location: location(context),
        ..CUmemAllocationProp::default()
    }
}

/// What sizes and addresses of the device's memory must be multiples of.
///
/// Driver API: `cuMemGetAllocationGranularity`.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cuMemGetAllocationGranularity")]
pub fn granularity(context: &Context) -> Result<Granularity> {
    let api = context.api();
    let properties = properties(context, Export::None);
    let ask = |option: CUmemAllocationGranularity_flags| -> Result<Bytes> {
        let mut bytes = 0;
        // SAFETY: a live out parameter and a live descriptor.
        let status = unsafe {
            api.cuMemGetAllocationGranularity(&raw mut bytes, &raw const properties, option)
        };
        check!(
            api,
            cuMemGetAllocationGranularity,
            status,
            option = option.0
        )?;
        Ok(Bytes(bytes))
    };
    Ok(Granularity {
        minimum: ask(CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_MINIMUM)?,
        recommended: ask(CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_RECOMMENDED)?,
    })
}

/// A range of addresses with nothing behind it.
///
/// Driver API: `cuMemAddressReserve`, and `cuMemAddressFree` on drop, which the mappings in it put off.
#[doc(alias = "cuMemAddressReserve")]
#[derive(Clone)]
pub struct Reservation {
    shared: Arc<Reserved>,
}

struct Reserved {
    context: Context,
    address: Address,
    size: Bytes,
}

impl Reservation {
    /// Reserves addresses; the size is a multiple of the [`granularity`].
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a size that is no such multiple.
    #[doc(alias = "cuMemAddressReserve")]
    pub fn new(context: &Context, size: Bytes) -> Result<Self> {
        let api = context.api();
        let mut address = 0;
        let entered = context.enter()?;
        // SAFETY: `address` is a live out parameter; no alignment and no address are asked for.
        let status = unsafe { api.cuMemAddressReserve(&raw mut address, size.0, 0, 0, 0) };
        drop(entered);
        check!(api, cuMemAddressReserve, status, size)?;
        let shared = Reserved {
            context: context.clone(),
            address: Address(address),
            size,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The first address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.shared.address
    }

    /// The size.
    #[must_use]
    pub fn size(&self) -> Bytes {
        self.shared.size
    }

    /// Where it was made.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.shared.context
    }

    /// Puts physical memory behind the addresses from `offset` on.
    ///
    /// Driver API: `cuMemMap`, and `cuMemUnmap` when the mapping is dropped. The mapping keeps the
    /// reservation; the physical memory lives on behind it when its owner is dropped.
    ///
    /// # Errors
    ///
    /// [`Misuse::OutOfRange`] where it does not lie inside, and what CUDA answers: 1 for addresses that
    /// have something behind them.
    #[doc(alias = "cuMemMap")]
    #[track_caller]
    pub fn map(&self, offset: Bytes, physical: &Physical) -> Result<Mapping> {
        let location = Location::caller();
        let size = physical.size;
        let end = offset.0.saturating_add(size.0);
        if end > self.shared.size.0 {
            let misused = Misuse::OutOfRange {
                start: offset.0,
                end,
                len: self.shared.size.0,
            };
            return Err(misuse("cuMemMap", misused));
        }
        let context = &self.shared.context;
        let api = context.api();
        let address = Address(self.shared.address.0.wrapping_add(offset.0 as u64));
        let entered = context.enter()?;
        // SAFETY: the range lies in the reservation, and the handle is alive.
        let status = unsafe { api.cuMemMap(address.0, size.0, 0, physical.raw, 0) };
        drop(entered);
        check!(
            api,
            cuMemMap,
            status,
            address,
            size,
            handle = Address(physical.raw)
        )?;
        let mapping = Mapping {
            reservation: Arc::clone(&self.shared),
            address,
            size,
            location,
        };
        observe::began(|| mapping.event());
        Ok(mapping)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            // SAFETY: reserved once, freed once; every mapping in it held it and is gone.
            let status = unsafe { api.cuMemAddressFree(self.address.0, self.size.0) };
            drop(entered);
            check!(
                api,
                cuMemAddressFree,
                status,
                address = self.address,
                size = self.size
            )
        }));
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("address", &self.shared.address)
            .field("size", &self.shared.size)
            .finish()
    }
}

/// Memory of a device without an address.
///
/// Driver API: `cuMemCreate`, and `cuMemRelease` on drop.
#[doc(alias = "cuMemCreate")]
pub struct Physical {
    context: Context,
    raw: CUmemGenericAllocationHandle,
    size: Bytes,
}

impl Physical {
    /// Allocates; the size is a multiple of the [`granularity`].
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a size that is no such multiple, 2 where there is not enough.
    #[doc(alias = "cuMemCreate")]
    pub fn new(context: &Context, size: Bytes, export: Export) -> Result<Self> {
        let api = context.api();
        let properties = properties(context, export);
        let mut raw = 0;
        let entered = context.enter()?;
        // SAFETY: a live out parameter and a live descriptor.
        let status = unsafe { api.cuMemCreate(&raw mut raw, size.0, &raw const properties, 0) };
        drop(entered);
        check!(
            api,
            cuMemCreate,
            status,
            size,
            device = context.device().ordinal()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            size,
        })
    }

    /// A file descriptor by which another process can have the same memory; close it when it was sent.
    ///
    /// Driver API: `cuMemExportToShareableHandle`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for memory that was not created for [`Export::FileDescriptor`].
    #[doc(alias = "cuMemExportToShareableHandle")]
    pub fn export(&self) -> Result<OwnedFd> {
        let api = self.context.api();
        let mut descriptor: c_int = -1;
        let (place, kind) = ((&raw mut descriptor).cast(), Export::FileDescriptor.raw());
        let entered = self.context.enter()?;
        // SAFETY: of this kind, the handle is a descriptor and written to a live number.
        let status = unsafe { api.cuMemExportToShareableHandle(place, self.raw, kind, 0) };
        drop(entered);
        check!(
            api,
            cuMemExportToShareableHandle,
            status,
            handle = Address(self.raw)
        )?;
        owned(descriptor, "cuMemExportToShareableHandle")
    }

    /// The memory that a file descriptor from [`Physical::export`] stands for, mostly of another process.
    /// The descriptor may be closed afterwards.
    ///
    /// Driver API: `cuMemImportFromShareableHandle`. The size is not part of the handle; a wrong one is
    /// refused when the memory is mapped.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a descriptor of something else.
    #[doc(alias = "cuMemImportFromShareableHandle")]
    pub fn import(context: &Context, descriptor: BorrowedFd<'_>, size: Bytes) -> Result<Self> {
        let api = context.api();
        let mut raw = 0;
        let number = descriptor.as_raw_fd();
        let handle = ptr::without_provenance_mut(usize::try_from(number).unwrap_or(usize::MAX));
        let kind = Export::FileDescriptor.raw();
        let entered = context.enter()?;
        // SAFETY: a live out parameter and a descriptor that is open for the call.
        let status = unsafe { api.cuMemImportFromShareableHandle(&raw mut raw, handle, kind) };
        drop(entered);
        check!(
            api,
            cuMemImportFromShareableHandle,
            status,
            descriptor = number,
            size
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            size,
        })
    }

    /// Owns a handle that something else made.
    ///
    /// # Safety
    ///
    /// `raw` is a live handle of that size and nobody else releases it.
    #[must_use]
    pub unsafe fn from_raw(
        context: &Context,
        raw: CUmemGenericAllocationHandle,
        size: Bytes,
    ) -> Self {
        Self {
            context: context.clone(),
            raw,
            size,
        }
    }

    /// Gives the handle away: the caller releases it.
    #[must_use = "nobody else releases the handle"]
    pub fn into_raw(self) -> CUmemGenericAllocationHandle {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut this.context) };
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUmemGenericAllocationHandle {
        self.raw
    }

    /// The size.
    #[must_use]
    pub fn size(&self) -> Bytes {
        self.size
    }
}

impl Drop for Physical {
    fn drop(&mut self) {
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            // SAFETY: created once, released once; mappings keep the memory without the handle.
            let status = unsafe { api.cuMemRelease(self.raw) };
            drop(entered);
            check!(api, cuMemRelease, status, handle = Address(self.raw))
        }));
    }
}

impl fmt::Debug for Physical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Physical")
            .field("raw", &self.raw)
            .field("size", &self.size)
            .finish()
    }
}

/// A descriptor that CUDA gave away.
pub(crate) fn owned(descriptor: c_int, call: &'static str) -> Result<OwnedFd> {
    if descriptor < 0 {
        return Err(misuse(call, Misuse::Unsupported));
    }
    // SAFETY: CUDA opened it just now, for the caller alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

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
    reservation: Arc<Reserved>,
    address: Address,
    size: Bytes,
    location: &'static Location<'static>,
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

    fn event(&self) -> MemoryEvent {
        let context = &self.reservation.context;
        MemoryEvent {
            kind: Kind::Virtual,
            address: self.address,
            size: self.size,
            device: Some(context.device().ordinal()),
            context: Some(context.id_for_observers()),
            stream: None,
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
