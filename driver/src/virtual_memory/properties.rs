use cuda_sys::driver::{
    CUmemAllocationGranularity_flags, CUmemAllocationHandleType, CUmemAllocationProp,
    CUmemAllocationType,
};

use crate::context::Context;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pool::location;

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
    /// As a file descriptor: [`Physical::export`](super::Physical::export).
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
pub(super) fn properties(context: &Context, export: Export) -> CUmemAllocationProp {
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
