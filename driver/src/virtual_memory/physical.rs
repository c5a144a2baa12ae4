use core::ffi::c_int;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use cuda_sys::driver::CUmemGenericAllocationHandle;

use super::properties::{Export, properties};
use crate::context::Context;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::Bytes;
use crate::pointer::Address;

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
    /// Allocates; the size is a multiple of the [`granularity`](super::granularity).
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
    /// refused when the memory is mapped (801, measured: H100, driver 580).
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
