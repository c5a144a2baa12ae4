//! What a device is and can.

use core::ffi::{CStr, c_char, c_int};
use core::fmt;

use cuda_sys::runtime::{DeviceProperties, cudaDeviceAttr};

use crate::api::{Api, api};
use crate::error::{Misuse, Result, check, misuse};
use crate::memory::Bytes;

/// A device, by its ordinal among those that this process may use.
///
/// Having one creates no context: the first call that works on it does.
#[derive(Clone, Copy)]
pub struct Device {
    api: &'static Api,
    ordinal: u32,
    raw: c_int,
}

impl Device {
    /// Counts the devices that this process may use.
    ///
    /// Runtime API: `cudaGetDeviceCount`.
    ///
    /// # Errors
    ///
    /// Where CUDA cannot be initialised.
    #[doc(alias = "cudaGetDeviceCount")]
    pub fn count() -> Result<u32> {
        let api = api()?;
        let mut count = 0;
        // SAFETY: `count` is a live out parameter.
        let status = unsafe { api.cudaGetDeviceCount(&raw mut count) };
        check!(api, cudaGetDeviceCount, status)?;
        Ok(u32::try_from(count).unwrap_or(0))
    }

    /// All devices that this process may use, in CUDA's order.
    ///
    /// # Errors
    ///
    /// Where CUDA cannot be initialised.
    pub fn all() -> Result<Vec<Self>> {
        (0..Self::count()?).map(Self::new).collect()
    }

    /// The device with this ordinal.
    ///
    /// Runtime API: `cudaGetDeviceCount`, and for an ordinal that is none `cudaDeviceGetAttribute`, whose
    /// answer is the error.
    ///
    /// # Errors
    ///
    /// Where CUDA cannot be initialised, and 101 where there is no such device.
    #[doc(alias = "cudaGetDeviceCount")]
    pub fn new(ordinal: u32) -> Result<Self> {
        let count = Self::count()?;
        let api = api()?;
        let raw = c_int::try_from(ordinal).map_err(|_| {
            misuse(
                "cudaSetDevice",
                Misuse::DoesNotFit {
                    name: "ordinal",
                    value: ordinal.into(),
                },
            )
        })?;
        let device = Self { api, ordinal, raw };
        if ordinal >= count {
            device.attribute(cudaDeviceAttr::cudaDevAttrComputeCapabilityMajor)?;
        }
        Ok(device)
    }

    /// The device at this PCI address, for example `0000:1b:00.0`.
    ///
    /// Runtime API: `cudaDeviceGetByPCIBusId`.
    ///
    /// # Errors
    ///
    /// Where there is no such device.
    #[doc(alias = "cudaDeviceGetByPCIBusId")]
    pub fn at_pci_address(address: &str) -> Result<Self> {
        let api = api()?;
        let text = c_text("cudaDeviceGetByPCIBusId", address)?;
        let mut raw = 0;
        // SAFETY: `raw` is a live out parameter and `text` a C string.
        let status = unsafe { api.cudaDeviceGetByPCIBusId(&raw mut raw, text.as_ptr()) };
        check!(api, cudaDeviceGetByPCIBusId, status, address)?;
        Ok(Self::from_ordinal(api, raw))
    }

    /// Wraps an ordinal that CUDA returned.
    pub(super) fn from_ordinal(api: &'static Api, raw: c_int) -> Self {
        Self {
            api,
            ordinal: u32::try_from(raw).unwrap_or(0),
            raw,
        }
    }

    /// The ordinal as C counts.
    #[must_use]
    pub fn as_raw(&self) -> c_int {
        self.raw
    }

    /// The ordinal among those that this process may use.
    #[must_use]
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// The library that this device came from.
    pub(crate) fn api(&self) -> &'static Api {
        self.api
    }

    /// The name, for example `NVIDIA H200`.
    ///
    /// Runtime API: `cudaGetDeviceProperties`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGetDeviceProperties")]
    pub fn name(&self) -> Result<String> {
        Ok(match self.properties()? {
            DeviceProperties::V11(found) => rust_text(&found.name),
            DeviceProperties::V12(found) => rust_text(&found.name),
            DeviceProperties::V13(found) => rust_text(&found.name),
            _ => String::new(),
        })
    }

    /// The 16 bytes that name this device everywhere, in NVML as in CUDA.
    ///
    /// Runtime API: `cudaGetDeviceProperties`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGetDeviceProperties")]
    pub fn uuid(&self) -> Result<Uuid> {
        let bytes = match self.properties()? {
            DeviceProperties::V11(found) => found.uuid.bytes,
            DeviceProperties::V12(found) => found.uuid.bytes,
            DeviceProperties::V13(found) => found.uuid.bytes,
            _ => [0; 16],
        };
        Ok(Uuid(bytes.map(|byte| byte.to_ne_bytes()[0])))
    }

    /// The device's memory.
    ///
    /// Runtime API: `cudaGetDeviceProperties`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGetDeviceProperties")]
    pub fn total_memory(&self) -> Result<Bytes> {
        Ok(Bytes(match self.properties()? {
            DeviceProperties::V11(found) => found.totalGlobalMem,
            DeviceProperties::V12(found) => found.totalGlobalMem,
            DeviceProperties::V13(found) => found.totalGlobalMem,
            _ => 0,
        }))
    }

    /// All properties, in the layout of the loaded library's major.
    ///
    /// Runtime API: `cudaGetDeviceProperties`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGetDeviceProperties")]
    pub fn properties(&self) -> Result<DeviceProperties> {
        let (status, properties) = self.api.device_properties(self.raw);
        check!(self.api, cudaGetDeviceProperties, status, device = self.raw)?;
        Ok(properties)
    }

    /// One attribute, by its C name.
    ///
    /// Runtime API: `cudaDeviceGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers; 1 for an attribute that the runtime does not know.
    #[doc(alias = "cudaDeviceGetAttribute")]
    pub fn attribute(&self, attribute: cudaDeviceAttr) -> Result<i32> {
        let mut value = 0;
        // SAFETY: `value` is a live out parameter.
        let status = unsafe {
            self.api
                .cudaDeviceGetAttribute(&raw mut value, attribute, self.raw)
        };
        check!(
            self.api,
            cudaDeviceGetAttribute,
            status,
            attribute = attribute.0,
            device = self.raw
        )?;
        Ok(value)
    }

    /// An attribute that is a yes or a no.
    pub(crate) fn flag(&self, attribute: cudaDeviceAttr) -> Result<bool> {
        Ok(self.attribute(attribute)? != 0)
    }

    /// Major and minor number of what the device can compute.
    ///
    /// # Errors
    ///
    /// As [`Device::attribute`].
    pub fn compute_capability(&self) -> Result<(i32, i32)> {
        Ok((
            self.attribute(cudaDeviceAttr::cudaDevAttrComputeCapabilityMajor)?,
            self.attribute(cudaDeviceAttr::cudaDevAttrComputeCapabilityMinor)?,
        ))
    }

    /// Where the device sits, for example `0000:1b:00.0`.
    ///
    /// Runtime API: `cudaDeviceGetPCIBusId`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaDeviceGetPCIBusId")]
    pub fn pci_address(&self) -> Result<String> {
        let mut text: [c_char; 32] = [0; 32];
        // SAFETY: `text` has room for the 32 bytes announced.
        let status = unsafe {
            self.api
                .cudaDeviceGetPCIBusId(text.as_mut_ptr(), 32, self.raw)
        };
        check!(self.api, cudaDeviceGetPCIBusId, status, device = self.raw)?;
        Ok(rust_text(&text))
    }

    /// Whether this device can read and write `peer`'s memory directly.
    ///
    /// Runtime API: `cudaDeviceCanAccessPeer`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaDeviceCanAccessPeer")]
    pub fn can_access_peer(&self, peer: &Self) -> Result<bool> {
        let mut can = 0;
        // SAFETY: `can` is a live out parameter.
        let status = unsafe {
            self.api
                .cudaDeviceCanAccessPeer(&raw mut can, self.raw, peer.raw)
        };
        check!(
            self.api,
            cudaDeviceCanAccessPeer,
            status,
            device = self.raw,
            peer = peer.raw
        )?;
        Ok(can != 0)
    }

    /// Whether the primary context exists; asking does not create it.
    ///
    /// Driver API: `cuDevicePrimaryCtxGetState`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDevicePrimaryCtxGetState")]
    pub fn is_primary_active(&self) -> Result<bool> {
        let driver = cuda_sys::driver::Driver::get()?;
        let (mut flags, mut active) = (0, 0);
        // SAFETY: both are live out parameters.
        let status =
            unsafe { driver.cuDevicePrimaryCtxGetState(self.raw, &raw mut flags, &raw mut active) };
        check!(
            driver,
            cuDevicePrimaryCtxGetState,
            status,
            device = self.raw
        )?;
        Ok(active != 0)
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Device").field(&self.ordinal).finish()
    }
}

/// The 16 bytes that name a device in every library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GPU-")?;
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A C text of fixed room as Rust's.
fn rust_text(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|byte| byte.to_ne_bytes()[0]).collect();
    CStr::from_bytes_until_nul(&bytes).map_or_else(
        |_| String::from_utf8_lossy(&bytes).into_owned(),
        |text| text.to_string_lossy().into_owned(),
    )
}

/// A Rust text as C's.
pub(crate) fn c_text(call: &'static str, text: &str) -> Result<std::ffi::CString> {
    std::ffi::CString::new(text).map_err(|zero| {
        misuse(
            call,
            Misuse::ZeroByte {
                position: zero.nul_position(),
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_prints_as_other_tools_print_it() {
        let mut bytes = [0; 16];
        bytes[0] = 0xab;
        bytes[15] = 0x01;
        assert_eq!(
            Uuid(bytes).to_string(),
            "GPU-ab000000-0000-0000-0000-000000000001"
        );
    }

    #[test]
    fn a_text_with_a_zero_byte_is_refused() {
        let error = c_text("cudaLibraryGetKernel", "a\0b").unwrap_err();
        assert!(error.to_string().contains("zero byte at 1"), "{error}");
    }
}
