use cuda_sys::driver::{
    CUmemAccess_flags, CUmemAllocationGranularity_flags, CUmemAllocationHandleType,
    CUmemAllocationProp, CUmemAllocationType, CUmemLocation, CUmemLocation_st__bindgen_ty_1,
    CUmemLocationType,
};

use crate::api::driver;
use crate::device::Device;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Access;

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

/// The memory of a device, as C says it.
pub(super) fn location(device: &Device) -> CUmemLocation {
    CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 {
            id: device.as_raw(),
        },
    }
}

/// What a device may do, as C says it.
pub(super) fn access_flags(access: Access) -> CUmemAccess_flags {
    match access {
        Access::None => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE,
        Access::Read => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ,
        _ => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
    }
}

/// Physical memory of a device, as C says it.
pub(super) fn properties(device: &Device, export: Export) -> CUmemAllocationProp {
    CUmemAllocationProp {
        type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        requestedHandleTypes: export.raw(),
        location: location(device),
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
pub fn granularity(device: &Device) -> Result<Granularity> {
    let entered = device.enter()?;
    let api = driver()?;
    drop(entered);
    let properties = properties(device, Export::None);
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
