use core::ffi::c_int;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use cuda_sys::runtime::{
    cudaError, cudaMemAllocationHandleType, cudaMemAllocationType, cudaMemLocationType,
    cudaMemPool_t, v11, v12, v13,
};

use crate::device::Device;
use crate::error::{Result, check, report_drop};
use crate::memory::Bytes;
use crate::virtual_memory::{Export, owned};

/// A pool that stream-ordered memory is taken from, owned or borrowed.
pub struct Pool {
    pub(super) device: Device,
    pub(super) raw: cudaMemPool_t,
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

/// The kind of handle that is a file descriptor.
const FILE_DESCRIPTOR: cudaMemAllocationHandleType =
    cudaMemAllocationHandleType::cudaMemHandleTypePosixFileDescriptor;

/// The runtime's word for a kind of handle; both APIs count alike.
fn handle_types(export: Export) -> cudaMemAllocationHandleType {
    cudaMemAllocationHandleType(export.raw().0)
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

pub(super) use location;

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
