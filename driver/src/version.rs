//! Versions, and what can be had with them: questions, never features of the build.

pub use cuda_sys::Version;
use cuda_sys::driver::CUdevice_attribute as Attribute;

use crate::api::api;
use crate::device::Device;
use crate::error::Result;

/// The CUDA version that the loaded driver is for.
///
/// Driver API: `cuDriverGetVersion`. Initialises nothing.
///
/// # Errors
///
/// [`Error::MissingLibrary`](crate::error::Error::MissingLibrary) where there is no driver.
#[doc(alias = "cuDriverGetVersion")]
pub fn version() -> Result<Version> {
    Ok(api()?.version())
}

/// Whether the device has stream-ordered memory ([`pool`](crate::pool)).
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_pools(device: &Device) -> Result<bool> {
    Ok(has("cuMemAllocAsync")?
        && device.flag(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)?)
}

/// Whether the device has memory that is reserved and mapped apart ([`virtual_memory`](crate::virtual_memory)).
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_virtual_memory(device: &Device) -> Result<bool> {
    Ok(has("cuMemMap")?
        && device.flag(Attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED)?)
}

/// Whether the device has managed memory.
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_managed_memory(device: &Device) -> Result<bool> {
    device.flag(Attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY)
}

/// Whether the host may touch managed memory while the device is busy.
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_concurrent_managed_access(device: &Device) -> Result<bool> {
    device.flag(Attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS)
}

/// Whether the device reads and writes pageable host memory (HMM or ATS).
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_pageable_access(device: &Device) -> Result<bool> {
    device.flag(Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS)
}

/// Whether read-only host memory can be registered for the device.
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_read_only_registration(device: &Device) -> Result<bool> {
    device.flag(Attribute::CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED)
}

/// Whether memory and events of the device can be shared with other processes ([`ipc`](crate::ipc)).
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_ipc(device: &Device) -> Result<bool> {
    if version()? < Version(12_000) {
        // Before that version the attribute is unknown, and Linux always had it.
        return Ok(true);
    }
    device.flag(Attribute::CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED)
}

/// Whether several copies can be given in one call ([`copy::Batch`](crate::copy::Batch)).
///
/// # Errors
///
/// [`Error::MissingLibrary`](crate::error::Error::MissingLibrary) where there is no driver.
pub fn supports_batch_copies() -> Result<bool> {
    Ok(has("cuMemcpyBatchAsync_v2")? || has("cuMemcpyBatchAsync")?)
}

/// Whether the driver keeps an error log whose sentences are attached to errors.
///
/// # Errors
///
/// [`Error::MissingLibrary`](crate::error::Error::MissingLibrary) where there is no driver.
pub fn supports_error_log() -> Result<bool> {
    has("cuLogsDumpToMemory")
}

/// Whether the loaded library has the function.
fn has(name: &str) -> Result<bool> {
    Ok(api()?.has(name))
}
