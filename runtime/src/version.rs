//! Versions, and what can be had with them: questions, never features of the build.

pub use cuda_sys::Version;
use cuda_sys::runtime::cudaDeviceAttr as Attribute;

use crate::api::api;
use crate::device::Device;
use crate::error::{Result, check};

/// The CUDA version of the loaded runtime library.
///
/// Runtime API: `cudaRuntimeGetVersion`. Initialises nothing.
///
/// # Errors
///
/// [`Error::MissingLibrary`](crate::error::Error::MissingLibrary) where there is no runtime library.
#[doc(alias = "cudaRuntimeGetVersion")]
pub fn version() -> Result<Version> {
    Ok(api()?.version())
}

/// The CUDA version that the driver is for; 0 where there is no driver.
///
/// Runtime API: `cudaDriverGetVersion`.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cudaDriverGetVersion")]
pub fn driver_version() -> Result<Version> {
    let api = api()?;
    let mut version = 0;
    // SAFETY: `version` is a live out parameter.
    let status = unsafe { api.cudaDriverGetVersion(&raw mut version) };
    check!(api, cudaDriverGetVersion, status)?;
    Ok(Version(u32::try_from(version).unwrap_or(0)))
}

/// Whether the device has stream-ordered memory ([`pool`](crate::pool)).
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_pools(device: &Device) -> Result<bool> {
    Ok(has("cudaMallocAsync")? && device.flag(Attribute::cudaDevAttrMemoryPoolsSupported)?)
}

/// Whether the device has memory that is reserved and mapped apart ([`virtual_memory`](crate::virtual_memory)).
///
/// Driver API: `cuDeviceGetAttribute`, because the runtime has no name for it.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cuDeviceGetAttribute")]
pub fn supports_virtual_memory(device: &Device) -> Result<bool> {
    use cuda_sys::driver::CUdevice_attribute as Attribute;
    let driver = cuda_sys::driver::Driver::get()?;
    if !driver.has("cuMemMap") {
        return Ok(false);
    }
    let mut value = 0;
    let attribute = Attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED;
    // SAFETY: `value` is a live out parameter.
    let status = unsafe { driver.cuDeviceGetAttribute(&raw mut value, attribute, device.as_raw()) };
    check!(
        driver,
        cuDeviceGetAttribute,
        status,
        attribute = attribute.0,
        device = device.as_raw()
    )?;
    Ok(value != 0)
}

/// Whether the device has managed memory.
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_managed_memory(device: &Device) -> Result<bool> {
    device.flag(Attribute::cudaDevAttrManagedMemory)
}

/// Whether the host may touch managed memory while the device is busy.
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_concurrent_managed_access(device: &Device) -> Result<bool> {
    device.flag(Attribute::cudaDevAttrConcurrentManagedAccess)
}

/// Whether the device reads and writes pageable host memory (HMM or ATS).
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_pageable_access(device: &Device) -> Result<bool> {
    device.flag(Attribute::cudaDevAttrPageableMemoryAccess)
}

/// Whether read-only host memory can be registered for the device.
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_read_only_registration(device: &Device) -> Result<bool> {
    device.flag(Attribute::cudaDevAttrHostRegisterReadOnlySupported)
}

/// Whether memory and events of the device can be shared with other processes ([`ipc`](crate::ipc)).
///
/// # Errors
///
/// As [`Device::attribute`].
pub fn supports_ipc(device: &Device) -> Result<bool> {
    if version()? < Version(12_000) || driver_version()? < Version(12_000) {
        // Before that version the attribute is unknown, and Linux always had it.
        return Ok(true);
    }
    device.flag(Attribute::cudaDevAttrIpcEventSupport)
}

/// Whether several copies can be given in one call ([`copy::Batch`](crate::copy::Batch)).
///
/// # Errors
///
/// [`Error::MissingLibrary`](crate::error::Error::MissingLibrary) where there is no runtime library.
pub fn supports_batch_copies() -> Result<bool> {
    has("cudaMemcpyBatchAsync")
}

/// Whether the driver keeps an error log whose sentences are attached to errors.
///
/// # Errors
///
/// [`Error::MissingLibrary`](crate::error::Error::MissingLibrary) where there is no driver.
pub fn supports_error_log() -> Result<bool> {
    Ok(cuda_sys::driver::Driver::get()?.has("cuLogsDumpToMemory"))
}

/// Whether the loaded library has the function.
fn has(name: &str) -> Result<bool> {
    Ok(api()?.find(name).is_ok())
}
