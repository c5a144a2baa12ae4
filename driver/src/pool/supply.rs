use core::ffi::c_int;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use cuda_sys::driver::{
    CUmemAccess_flags, CUmemAllocationType, CUmemLocation, CUmemLocation_st__bindgen_ty_1,
    CUmemLocationType, CUmemPoolProps, CUmemoryPool,
};

use crate::context::Context;
use crate::error::{Result, check, report_drop};
use crate::memory::Bytes;
use crate::pointer::Access;
use crate::virtual_memory::{Export, owned};

/// A pool that stream-ordered memory is taken from, owned or borrowed.
pub struct Pool {
    pub(super) context: Context,
    pub(super) raw: CUmemoryPool,
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

/// The memory of a device, as C says it.
pub(crate) fn location(context: &Context) -> CUmemLocation {
    CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 {
            id: context.device().as_raw(),
        },
    }
}

/// What a device may do, as C says it.
pub(crate) fn access_flags(access: Access) -> CUmemAccess_flags {
    match access {
        Access::None => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE,
        Access::Read => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ,
        _ => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
    }
}

impl Pool {
    /// Creates a pool of the device's memory.
    ///
    /// Driver API: `cuMemPoolCreate`, and `cuMemPoolDestroy` on drop, which waits for nothing: memory that
    /// was taken from it lives on until it is freed.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cuMemPoolCreate")]
    pub fn new(context: &Context, options: PoolOptions) -> Result<Self> {
        let api = context.api();
        let properties = CUmemPoolProps {
            allocType: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
            handleTypes: options.export.raw(),
            location: location(context),
            maxSize: options.max_size.0,
            ..CUmemPoolProps::default()
        };
        let mut raw = ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: `raw` is a live out parameter and `properties` a live descriptor.
        let status = unsafe { api.cuMemPoolCreate(&raw mut raw, &raw const properties) };
        drop(entered);
        check!(
            api,
            cuMemPoolCreate,
            status,
            device = context.device().ordinal()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: true,
        })
    }

    /// The pool that the device came with.
    ///
    /// Driver API: `cuDeviceGetDefaultMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cuDeviceGetDefaultMemPool")]
    pub fn default_of(context: &Context) -> Result<Self> {
        let api = context.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status =
            unsafe { api.cuDeviceGetDefaultMemPool(&raw mut raw, context.device().as_raw()) };
        check!(
            api,
            cuDeviceGetDefaultMemPool,
            status,
            device = context.device().ordinal()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: false,
        })
    }

    /// The pool that [`PooledBuffer::new`](super::PooledBuffer::new) takes memory from, borrowed from whoever made it current.
    ///
    /// Driver API: `cuDeviceGetMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// The pool outlives the result: nobody destroys it before.
    #[doc(alias = "cuDeviceGetMemPool")]
    pub unsafe fn current_of(context: &Context) -> Result<Self> {
        let api = context.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cuDeviceGetMemPool(&raw mut raw, context.device().as_raw()) };
        check!(
            api,
            cuDeviceGetMemPool,
            status,
            device = context.device().ordinal()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: false,
        })
    }

    /// Owns a pool that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live pool of the context's device and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(context: &Context, raw: CUmemoryPool) -> Self {
        Self {
            context: context.clone(),
            raw,
            owned: true,
        }
    }

    /// Gives the pool away: the caller destroys it.
    #[must_use = "nobody else destroys the pool"]
    pub fn into_raw(self) -> CUmemoryPool {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.context) };
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUmemoryPool {
        self.raw
    }

    /// Where the pool lives.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// A file descriptor by which another process can import the pool, to be given its memory; close it when
    /// it was sent.
    ///
    /// Driver API: `cuMemPoolExportToShareableHandle`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a pool that was not created for [`Export::FileDescriptor`].
    #[doc(alias = "cuMemPoolExportToShareableHandle")]
    pub fn export(&self) -> Result<OwnedFd> {
        let api = self.context.api();
        let mut descriptor: c_int = -1;
        let (place, kind) = ((&raw mut descriptor).cast(), Export::FileDescriptor.raw());
        let entered = self.context.enter()?;
        // SAFETY: of this kind, the handle is a descriptor and written to a live number.
        let status = unsafe { api.cuMemPoolExportToShareableHandle(place, self.raw, kind, 0) };
        drop(entered);
        check!(
            api,
            cuMemPoolExportToShareableHandle,
            status,
            pool = self.raw
        )?;
        owned(descriptor, "cuMemPoolExportToShareableHandle")
    }

    /// The pool that a file descriptor from [`Pool::export`] stands for, of another process. Nothing is
    /// allocated from it here: [`PooledBuffer::import`](super::PooledBuffer::import) opens what the other process allocated.
    ///
    /// Driver API: `cuMemPoolImportFromShareableHandle`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolImportFromShareableHandle")]
    pub fn import(context: &Context, descriptor: BorrowedFd<'_>) -> Result<Self> {
        let api = context.api();
        let mut raw = ptr::null_mut();
        let number = descriptor.as_raw_fd();
        let handle = ptr::without_provenance_mut(usize::try_from(number).unwrap_or(usize::MAX));
        let kind = Export::FileDescriptor.raw();
        let entered = context.enter()?;
        // SAFETY: a live out parameter and a descriptor that is open for the call.
        let status =
            unsafe { api.cuMemPoolImportFromShareableHandle(&raw mut raw, handle, kind, 0) };
        drop(entered);
        check!(
            api,
            cuMemPoolImportFromShareableHandle,
            status,
            descriptor = number
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: true,
        })
    }

    /// Makes this the pool that [`PooledBuffer::new`](super::PooledBuffer::new) takes memory from, for the whole process.
    ///
    /// Driver API: `cuDeviceSetMemPool`. Destroying it later makes the default one current again.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDeviceSetMemPool")]
    pub fn make_current(&self) -> Result<()> {
        let api = self.context.api();
        // SAFETY: the pool is alive.
        let status = unsafe { api.cuDeviceSetMemPool(self.context.device().as_raw(), self.raw) };
        check!(api, cuDeviceSetMemPool, status, pool = self.raw)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cuMemPoolDestroy(self.raw) };
            drop(entered);
            check!(api, cuMemPoolDestroy, status, pool = self.raw)
        }));
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("raw", &self.raw)
            .field("context", &self.context)
            .finish()
    }
}
