use crate::api::api;
use crate::error::{Result, check};
use crate::pointer::Address;

/// The kind of memory at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemoryType {
    /// Not CUDA's: pageable host memory, freed memory, or nothing.
    Unregistered,
    /// Host memory, pinned or registered.
    Host,
    /// Device memory.
    Device,
    /// Managed memory.
    Managed,
    /// A number that this crate has never heard of.
    Other(u32),
}

/// What the device of the current device may do with the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// A number that this crate has never heard of.
    Other(u64),
}

/// What the runtime says of an address; the driver says more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// The kind of memory.
    pub memory_type: MemoryType,
    /// Where the device sees it.
    pub device_pointer: Option<Address>,
    /// Where the host sees it.
    pub host_pointer: Option<Address>,
    /// Whether it is managed.
    pub is_managed: bool,
    /// The device that it was allocated or registered for; `None` where CUDA does not know it.
    pub device: Option<i32>,
}

/// Asks what the runtime knows of an address.
///
/// Runtime API: `cudaPointerGetAttributes`, with the struct of the loaded library's major. An address
/// that CUDA does not know is no error: it comes back as [`MemoryType::Unregistered`].
///
/// # Errors
///
/// What CUDA answers.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::memory::{DeviceBuffer, DeviceMemory};
/// use cuwhy_runtime::pointer::{MemoryType, attributes};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let buffer = DeviceBuffer::<u8>::new(&device, 10)?;
/// assert_eq!(attributes(buffer.address())?.memory_type, MemoryType::Device);
/// assert_eq!(attributes(&raw const device)?.memory_type, MemoryType::Unregistered);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
#[doc(alias = "cudaPointerGetAttributes")]
pub fn attributes(address: impl Into<Address>) -> Result<Attributes> {
    let address = address.into();
    let api = api()?;
    let (status, found) = api.pointer_attributes(address.as_ptr());
    check!(api, cudaPointerGetAttributes, status, address)?;
    let memory_type = MemoryType::new(found.memory_type.0);
    let some =
        |pointer: *mut core::ffi::c_void| Some(Address::from(pointer)).filter(|a| !a.is_null());
    Ok(Attributes {
        memory_type,
        device_pointer: some(found.device_pointer),
        host_pointer: some(found.host_pointer),
        is_managed: memory_type == MemoryType::Managed,
        device: Some(found.device).filter(|device| *device >= 0),
    })
}

impl MemoryType {
    fn new(number: u32) -> Self {
        match number {
            0 => Self::Unregistered,
            1 => Self::Host,
            2 => Self::Device,
            3 => Self::Managed,
            other => Self::Other(other),
        }
    }
}

impl Access {
    pub(crate) fn new(number: u64) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Read,
            3 => Self::ReadWrite,
            other => Self::Other(other),
        }
    }
}
