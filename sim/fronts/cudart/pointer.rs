//! `cudaPointerGetAttributes`.

use core::ffi::{c_int, c_uint, c_void};
use core::ptr;

use cuda_sys::driver::{CUdeviceptr, CUpointer_attribute};
use cuda_sys::runtime::cudaMemoryType;

use super::entry::{Answer, Call, driver, put};
use super::memory::{address, pointer};
use super::own;

/// Says what a pointer is, from one plural query of the driver.
pub(crate) unsafe fn cudaPointerGetAttributes(
    call: &Call,
    attributes: *mut own::cudaPointerAttributes,
    asked: *const c_void,
) -> Answer {
    let mut kind: c_uint = 0;
    let mut on_device: CUdeviceptr = 0;
    let mut on_host: *mut c_void = ptr::null_mut();
    let mut managed: c_uint = 0;
    let mut ordinal: c_int = -2;
    let mut names = [
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER,
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED,
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
    ];
    let mut places: [*mut c_void; 5] = [
        (&raw mut kind).cast(),
        (&raw mut on_device).cast(),
        (&raw mut on_host).cast(),
        (&raw mut managed).cast(),
        (&raw mut ordinal).cast(),
    ];
    driver!(call.cuPointerGetAttributes(
        5,
        names.as_mut_ptr(),
        places.as_mut_ptr(),
        address(asked)
    ))?;
    let type_ = match (kind, managed & 0xff) {
        (0, _) => cudaMemoryType::cudaMemoryTypeUnregistered,
        (_, 1) => cudaMemoryType::cudaMemoryTypeManaged,
        (1, _) => cudaMemoryType::cudaMemoryTypeHost,
        _ => cudaMemoryType::cudaMemoryTypeDevice,
    };
    #[cfg(not(major = "13"))]
    let found = own::cudaPointerAttributes {
        type_,
        device: ordinal,
        devicePointer: pointer(on_device),
        hostPointer: on_host,
    };
    #[cfg(major = "13")]
    let found = own::cudaPointerAttributes {
        type_,
        device: ordinal,
        devicePointer: pointer(on_device),
        hostPointer: on_host,
        ..own::cudaPointerAttributes::default()
    };
    // SAFETY: the caller's place, for the struct of this major.
    unsafe { put(attributes, found) }
}
