//! Calls whose struct grew between majors, with the loaded major's own buffer.

use core::ffi::{c_int, c_void};

use super::major::OfMajor;
use super::{Runtime, cudaError_t, cudaMemoryType, v11, v12, v13};

/// What `cudaPointerGetAttributes` tells in every major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointerAttributes {
    /// The kind of memory: `type` in C.
    pub memory_type: cudaMemoryType,
    /// The device that the memory belongs to; -2 (`cudaInvalidDeviceId`) when CUDA does not know it.
    pub device: c_int,
    /// The address under which a device may use it; null when none may.
    pub device_pointer: *mut c_void,
    /// The address under which the host may use it; null when it may not.
    pub host_pointer: *mut c_void,
}

/// The properties of a device in the layout of the loaded major.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DeviceProperties {
    /// 728 bytes.
    V11(Box<v11::cudaDeviceProp>),
    /// 1032 bytes.
    V12(Box<v12::cudaDeviceProp>),
    /// 1008 bytes.
    V13(Box<v13::cudaDeviceProp>),
}

macro_rules! attributes {
    ($table:expr, $major:ident, $pointer:expr) => {{
        let mut found = $major::cudaPointerAttributes::default();
        // SAFETY: `found` has the layout that the loaded major writes; the pointer is only
        // looked up and never followed.
        let status = unsafe { $table.cudaPointerGetAttributes(&raw mut found, $pointer) };
        let answer = PointerAttributes {
            memory_type: found.type_,
            device: found.device,
            device_pointer: found.devicePointer,
            host_pointer: found.hostPointer,
        };
        (status, answer)
    }};
}

impl Runtime {
    /// Asks what kind of memory `pointer` is. The pointer is looked up, never followed.
    ///
    /// Runtime API: `cudaPointerGetAttributes`, with the struct of the loaded
    /// major (24 bytes in CUDA 11 and 12, 88 in 13). The attributes mean
    /// something when the status is `cudaSuccess`.
    #[doc(alias = "cudaPointerGetAttributes")]
    #[expect(
        clippy::not_unsafe_ptr_arg_deref,
        reason = "the pointer is looked up, never followed"
    )]
    pub fn pointer_attributes(&self, pointer: *const c_void) -> (cudaError_t, PointerAttributes) {
        match &self.own {
            OfMajor::V11(table) => attributes!(table, v11, pointer),
            OfMajor::V12(table) => attributes!(table, v12, pointer),
            OfMajor::V13(table) => attributes!(table, v13, pointer),
        }
    }

    /// Asks for the properties of the device with this ordinal.
    ///
    /// Runtime API: `cudaGetDeviceProperties` (CUDA 12: `cudaGetDeviceProperties_v2`).
    /// The properties mean something when the status is `cudaSuccess`.
    #[doc(alias = "cudaGetDeviceProperties")]
    pub fn device_properties(&self, ordinal: c_int) -> (cudaError_t, DeviceProperties) {
        match &self.own {
            OfMajor::V11(table) => {
                let mut found = Box::<v11::cudaDeviceProp>::default();
                // SAFETY: the box has the layout that the loaded major writes.
                let status = unsafe { table.cudaGetDeviceProperties(&raw mut *found, ordinal) };
                (status, DeviceProperties::V11(found))
            }
            OfMajor::V12(table) => {
                let mut found = Box::<v12::cudaDeviceProp>::default();
                // SAFETY: the box has the layout that `_v2` writes.
                let status = unsafe { table.cudaGetDeviceProperties_v2(&raw mut *found, ordinal) };
                (status, DeviceProperties::V12(found))
            }
            OfMajor::V13(table) => {
                let mut found = Box::<v13::cudaDeviceProp>::default();
                // SAFETY: the box has the layout that the loaded major writes.
                let status = unsafe { table.cudaGetDeviceProperties(&raw mut *found, ordinal) };
                (status, DeviceProperties::V13(found))
            }
        }
    }
}
