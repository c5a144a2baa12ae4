use core::ffi::c_int;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use cuda_sys::runtime::{
    cudaError, cudaMemAccessFlags, cudaMemAllocationHandleType, cudaMemAllocationType,
    cudaMemLocationType, cudaMemPool_t, cudaMemPoolAttr, v11, v12, v13,
};

use crate::device::Device;
use crate::error::{Result, check, report_drop};
use crate::memory::Bytes;
use crate::pointer::Access;
use crate::virtual_memory::{Export, owned};

/// A pool that stream-ordered memory is taken from, owned or borrowed.
pub struct Pool {
    device: Device,
    raw: cudaMemPool_t,
    owned: bool,
}

// SAFETY: a pool may be used from every thread.
unsafe impl Send for Pool {}
// SAFETY: as above; the driver serialises what must be.
unsafe impl Sync for Pool {}

/// How a pool is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolOptions {
    /// The most that it may hold; zero for a default of the driver's (12.2 and later).
    pub max_size: Bytes,
    /// How other processes can have it.
    pub export: Export,
}

impl PoolOptions {
    /// The same with a bound.
    #[must_use]
    pub const fn max_size(self, max_size: Bytes) -> Self {
        Self { max_size, ..self }
    }

    /// The same, for other processes too.
    #[must_use]
    pub const fn export(self, export: Export) -> Self {
        Self { export, ..self }
    }
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUsage {
    /// What it holds of the device's memory.
    pub reserved: Bytes,
    /// The most that it ever held.
    pub reserved_high: Bytes,
    /// What of it is allocated.
    pub used: Bytes,
    /// The most that ever was.
    pub used_high: Bytes,
}

/// The kind of handle that is a file descriptor.
const FILE_DESCRIPTOR: cudaMemAllocationHandleType =
    cudaMemAllocationHandleType::cudaMemHandleTypePosixFileDescriptor;

/// The runtime's word for a kind of handle; both APIs count alike.
fn handle_types(export: Export) -> cudaMemAllocationHandleType {
    cudaMemAllocationHandleType(export.raw().0)
}

/// What a device may do, as C says it.
fn access_flags(access: Access) -> cudaMemAccessFlags {
    match access {
        Access::None => cudaMemAccessFlags::cudaMemAccessFlagsProtNone,
        Access::Read => cudaMemAccessFlags::cudaMemAccessFlagsProtRead,
        _ => cudaMemAccessFlags::cudaMemAccessFlagsProtReadWrite,
    }
}

/// The memory of a device in the layout of a major: 13 has a union where the others have a number.
macro_rules! location {
    (v13, $device:expr) => {
        v13::cudaMemLocation {
            type_: cudaMemLocationType::cudaMemLocationTypeDevice,
            __bindgen_anon_1: cuda_sys::runtime::cudaMemLocation__bindgen_ty_1 {
                id: $device.as_raw(),
            },
        }
    };
    ($major:ident, $device:expr) => {
        $major::cudaMemLocation {
            type_: cudaMemLocationType::cudaMemLocationTypeDevice,
            id: $device.as_raw(),
        }
    };
}

impl Pool {
    /// Creates a pool of the device's memory.
    ///
    /// Runtime API: `cudaMemPoolCreate`, and `cudaMemPoolDestroy` on drop, which waits for nothing: memory that
    /// was taken from it lives on until it is freed.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cudaMemPoolCreate")]
    pub fn new(device: &Device, options: PoolOptions) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        let entered = device.enter()?;
        let status = if let Some(table) = api.v13() {
            let properties = v13::cudaMemPoolProps {
                allocType: cudaMemAllocationType::cudaMemAllocationTypePinned,
                handleTypes: handle_types(options.export),
                location: location!(v13, device),
                maxSize: options.max_size.0,
                ..v13::cudaMemPoolProps::default()
            };
            // SAFETY: `raw` is a live out parameter and `properties` a live descriptor of this major.
            unsafe { table.cudaMemPoolCreate(&raw mut raw, &raw const properties) }
        } else if let Some(table) = api.v12() {
            let properties = v12::cudaMemPoolProps {
                allocType: cudaMemAllocationType::cudaMemAllocationTypePinned,
                handleTypes: handle_types(options.export),
                location: location!(v12, device),
                maxSize: options.max_size.0,
                ..v12::cudaMemPoolProps::default()
            };
            // SAFETY: `raw` is a live out parameter and `properties` a live descriptor of this major.
            unsafe { table.cudaMemPoolCreate(&raw mut raw, &raw const properties) }
        } else if let Some(table) = api.v11() {
            let properties = v11::cudaMemPoolProps {
                allocType: cudaMemAllocationType::cudaMemAllocationTypePinned,
                handleTypes: handle_types(options.export),
                location: location!(v11, device),
                ..v11::cudaMemPoolProps::default()
            };
            // SAFETY: `raw` is a live out parameter and `properties` a live descriptor of this major.
            unsafe { table.cudaMemPoolCreate(&raw mut raw, &raw const properties) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(api, cudaMemPoolCreate, status, device = device.ordinal())?;
        Ok(Self {
            device: *device,
            raw,
            owned: true,
        })
    }

    /// The pool that the device came with.
    ///
    /// Runtime API: `cudaDeviceGetDefaultMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cudaDeviceGetDefaultMemPool")]
    pub fn default_of(device: &Device) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cudaDeviceGetDefaultMemPool(&raw mut raw, device.as_raw()) };
        check!(
            api,
            cudaDeviceGetDefaultMemPool,
            status,
            device = device.ordinal()
        )?;
        Ok(Self {
            device: *device,
            raw,
            owned: false,
        })
    }

    /// The pool that [`PooledBuffer::new`](super::PooledBuffer::new) takes memory from, borrowed from whoever made it current.
    ///
    /// Runtime API: `cudaDeviceGetMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// The pool outlives the result: nobody destroys it before.
    #[doc(alias = "cudaDeviceGetMemPool")]
    pub unsafe fn current_of(device: &Device) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cudaDeviceGetMemPool(&raw mut raw, device.as_raw()) };
        check!(api, cudaDeviceGetMemPool, status, device = device.ordinal())?;
        Ok(Self {
            device: *device,
            raw,
            owned: false,
        })
    }

    /// Owns a pool that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live pool of the device's device and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: cudaMemPool_t) -> Self {
        Self {
            device: *device,
            raw,
            owned: true,
        }
    }

    /// Gives the pool away: the caller destroys it.
    #[must_use = "nobody else destroys the pool"]
    pub fn into_raw(self) -> cudaMemPool_t {
        let this = ManuallyDrop::new(self);
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> cudaMemPool_t {
        self.raw
    }

    /// Where the pool lives.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A file descriptor by which another process can import the pool, to be given its memory; close it when
    /// it was sent.
    ///
    /// Runtime API: `cudaMemPoolExportToShareableHandle`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a pool that was not created for [`Export::FileDescriptor`].
    #[doc(alias = "cudaMemPoolExportToShareableHandle")]
    pub fn export(&self) -> Result<OwnedFd> {
        let api = self.device.api();
        let mut descriptor: c_int = -1;
        let (place, kind) = ((&raw mut descriptor).cast(), FILE_DESCRIPTOR);
        let entered = self.device.enter()?;
        // SAFETY: of this kind, the handle is a descriptor and written to a live number.
        let status = unsafe { api.cudaMemPoolExportToShareableHandle(place, self.raw, kind, 0) };
        drop(entered);
        check!(
            api,
            cudaMemPoolExportToShareableHandle,
            status,
            pool = self.raw
        )?;
        owned(descriptor, "cudaMemPoolExportToShareableHandle")
    }

    /// The pool that a file descriptor from [`Pool::export`] stands for, of another process. Nothing is
    /// allocated from it here: [`PooledBuffer::import`](super::PooledBuffer::import) opens what the other process allocated.
    ///
    /// Runtime API: `cudaMemPoolImportFromShareableHandle`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolImportFromShareableHandle")]
    pub fn import(device: &Device, descriptor: BorrowedFd<'_>) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        let number = descriptor.as_raw_fd();
        let handle = ptr::without_provenance_mut(usize::try_from(number).unwrap_or(usize::MAX));
        let kind = FILE_DESCRIPTOR;
        let entered = device.enter()?;
        // SAFETY: a live out parameter and a descriptor that is open for the call.
        let status =
            unsafe { api.cudaMemPoolImportFromShareableHandle(&raw mut raw, handle, kind, 0) };
        drop(entered);
        check!(
            api,
            cudaMemPoolImportFromShareableHandle,
            status,
            descriptor = number
        )?;
        Ok(Self {
            device: *device,
            raw,
            owned: true,
        })
    }

    /// Makes this the pool that [`PooledBuffer::new`](super::PooledBuffer::new) takes memory from, for the whole process.
    ///
    /// Runtime API: `cudaDeviceSetMemPool`. Destroying it later makes the default one current again.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaDeviceSetMemPool")]
    pub fn make_current(&self) -> Result<()> {
        let api = self.device.api();
        // SAFETY: the pool is alive.
        let status = unsafe { api.cudaDeviceSetMemPool(self.device.as_raw(), self.raw) };
        check!(api, cudaDeviceSetMemPool, status, pool = self.raw)
    }

    /// Gives unused memory back to the device, down to this much.
    ///
    /// Runtime API: `cudaMemPoolTrimTo`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolTrimTo")]
    pub fn trim_to(&self, keep: Bytes) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: the pool is alive.
        let status = unsafe { api.cudaMemPoolTrimTo(self.raw, keep.0) };
        drop(entered);
        check!(api, cudaMemPoolTrimTo, status, pool = self.raw, keep)
    }

    /// What the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Runtime API: `cudaMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAttribute")]
    pub fn release_threshold(&self) -> Result<Bytes> {
        self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReleaseThreshold)
    }

    /// Sets what the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Runtime API: `cudaMemPoolSetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolSetAttribute")]
    pub fn set_release_threshold(&self, keep: Bytes) -> Result<()> {
        let api = self.device.api();
        let attribute = cudaMemPoolAttr::cudaMemPoolAttrReleaseThreshold;
        let mut value = keep.0 as u64;
        let entered = self.device.enter()?;
        // SAFETY: this attribute is read as the eight bytes of `value`.
        let status =
            unsafe { api.cudaMemPoolSetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cudaMemPoolSetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0,
            keep
        )
    }

    /// How full the pool is.
    ///
    /// Runtime API: `cudaMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAttribute")]
    pub fn usage(&self) -> Result<PoolUsage> {
        Ok(PoolUsage {
            reserved: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReservedMemCurrent)?,
            reserved_high: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReservedMemHigh)?,
            used: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrUsedMemCurrent)?,
            used_high: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrUsedMemHigh)?,
        })
    }

    /// An attribute that is a number of bytes.
    fn attribute(&self, attribute: cudaMemPoolAttr) -> Result<Bytes> {
        let api = self.device.api();
        let mut value = 0_u64;
        let entered = self.device.enter()?;
        // SAFETY: the attributes asked for here are written as the eight bytes of `value`.
        let status =
            unsafe { api.cudaMemPoolGetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cudaMemPoolGetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0
        )?;
        Ok(Bytes(usize::try_from(value).unwrap_or(usize::MAX)))
    }

    /// Sets what another device may do with the pool's memory.
    ///
    /// Runtime API: `cudaMemPoolSetAccess`. Plain copies between devices need it; `peer` copies do not.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where the devices cannot reach each other.
    #[doc(alias = "cudaMemPoolSetAccess")]
    pub fn set_access(&self, other: &Device, access: Access) -> Result<()> {
        let api = self.device.api();
        let flags = access_flags(access);
        let entered = self.device.enter()?;
        let status = if let Some(table) = api.v13() {
            let rule = v13::cudaMemAccessDesc {
                location: location!(v13, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else if let Some(table) = api.v12() {
            let rule = v12::cudaMemAccessDesc {
                location: location!(v12, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else if let Some(table) = api.v11() {
            let rule = v11::cudaMemAccessDesc {
                location: location!(v11, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(
            api,
            cudaMemPoolSetAccess,
            status,
            pool = self.raw,
            device = other.ordinal()
        )
    }

    /// What another device may do with the pool's memory.
    ///
    /// Runtime API: `cudaMemPoolGetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAccess")]
    pub fn access(&self, other: &Device) -> Result<Access> {
        let api = self.device.api();
        let mut flags = cudaMemAccessFlags::cudaMemAccessFlagsProtNone;
        let found = &raw mut flags;
        let entered = self.device.enter()?;
        let status = if let Some(table) = api.v13() {
            let mut place = location!(v13, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else if let Some(table) = api.v12() {
            let mut place = location!(v12, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else if let Some(table) = api.v11() {
            let mut place = location!(v11, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(
            api,
            cudaMemPoolGetAccess,
            status,
            pool = self.raw,
            device = other.ordinal()
        )?;
        Ok(Access::new(flags.0.into()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        let api = self.device.api();
        report_drop(self.device.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cudaMemPoolDestroy(self.raw) };
            drop(entered);
            check!(api, cudaMemPoolDestroy, status, pool = self.raw)
        }));
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("raw", &self.raw)
            .field("device", &self.device)
            .finish()
    }
}
