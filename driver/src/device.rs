//! Devices: how many, which, and what they can do.

use core::ffi::{CStr, c_char, c_int};
use core::fmt;

use cuda_sys::driver::{CUdevice, CUdevice_attribute, CUuuid};

use crate::api::{Api, api};
use crate::context::Context;
use crate::error::{Misuse, Result, check, misuse};
use crate::memory::Bytes;

/// A device, by its ordinal among those that this process may use.
///
/// Asking for one initialises CUDA (`cuInit`) and creates no context.
#[derive(Clone, Copy)]
pub struct Device {
    api: &'static Api,
    raw: CUdevice,
    ordinal: u32,
}

impl Device {
    /// Counts the devices that this process may use.
    ///
    /// Driver API: `cuInit`, `cuDeviceGetCount`.
    ///
    /// # Errors
    ///
    /// Where CUDA cannot be initialised.
    #[doc(alias = "cuDeviceGetCount")]
    pub fn count() -> Result<u32> {
        let api = initialised()?;
        let mut count = 0;
        // SAFETY: `count` is a live out parameter.
        let status = unsafe { api.cuDeviceGetCount(&raw mut count) };
        check!(api, cuDeviceGetCount, status)?;
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
    /// Driver API: `cuInit`, `cuDeviceGet`.
    ///
    /// # Errors
    ///
    /// Where CUDA cannot be initialised, and 101 where there is no such device.
    #[doc(alias = "cuDeviceGet")]
    pub fn new(ordinal: u32) -> Result<Self> {
        let api = initialised()?;
        let number = c_int::try_from(ordinal).map_err(|_| {
            misuse(
                "cuDeviceGet",
                Misuse::DoesNotFit {
                    name: "ordinal",
                    value: ordinal.into(),
                },
            )
        })?;
        let mut raw = 0;
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cuDeviceGet(&raw mut raw, number) };
        check!(api, cuDeviceGet, status, ordinal)?;
        Ok(Self { api, raw, ordinal })
    }

    /// The device at this PCI address, for example `0000:1b:00.0`.
    ///
    /// Driver API: `cuDeviceGetByPCIBusId`.
    ///
    /// # Errors
    ///
    /// Where there is no such device.
    #[doc(alias = "cuDeviceGetByPCIBusId")]
    pub fn at_pci_address(address: &str) -> Result<Self> {
        let api = initialised()?;
        let text = c_text("cuDeviceGetByPCIBusId", address)?;
        let mut raw = 0;
        // SAFETY: `raw` is a live out parameter and `text` a C string.
        let status = unsafe { api.cuDeviceGetByPCIBusId(&raw mut raw, text.as_ptr()) };
        check!(api, cuDeviceGetByPCIBusId, status, address)?;
        Ok(Self::from_raw_device(api, raw))
    }

    /// Wraps what the driver calls a device: on every driver until now, its ordinal.
    pub(crate) fn from_raw_device(api: &'static Api, raw: CUdevice) -> Self {
        Self {
            api,
            raw,
            ordinal: u32::try_from(raw).unwrap_or(0),
        }
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUdevice {
        self.raw
    }

    /// The ordinal among those that this process may use.
    #[must_use]
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// Retains the device's primary context, which the runtime API and other libraries share.
    ///
    /// # Errors
    ///
    /// As [`Context::primary`].
    pub fn context(&self) -> Result<Context> {
        Context::primary(self)
    }

    /// The library that this device came from.
    pub(crate) fn api(&self) -> &'static Api {
        self.api
    }

    /// The name, for example `NVIDIA H200`.
    ///
    /// Driver API: `cuDeviceGetName`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDeviceGetName")]
    pub fn name(&self) -> Result<String> {
        let mut text: [c_char; 256] = [0; 256];
        // SAFETY: `text` has room for the 256 bytes announced.
        let status = unsafe { self.api.cuDeviceGetName(text.as_mut_ptr(), 256, self.raw) };
        check!(self.api, cuDeviceGetName, status, device = self.raw)?;
        Ok(rust_text(&text))
    }

    /// The 16 bytes that name this device everywhere, in NVML as in CUDA.
    ///
    /// Driver API: `cuDeviceGetUuid_v2`, or `cuDeviceGetUuid` on older drivers.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDeviceGetUuid")]
    pub fn uuid(&self) -> Result<Uuid> {
        let mut raw = CUuuid { bytes: [0; 16] };
        if self.api.has("cuDeviceGetUuid_v2") {
            // SAFETY: `raw` is a live out parameter.
            let status = unsafe { self.api.cuDeviceGetUuid_v2(&raw mut raw, self.raw) };
            check!(self.api, cuDeviceGetUuid_v2, status, device = self.raw)?;
        } else {
            // SAFETY: `raw` is a live out parameter.
            let status = unsafe { self.api.cuDeviceGetUuid(&raw mut raw, self.raw) };
            check!(self.api, cuDeviceGetUuid, status, device = self.raw)?;
        }
        Ok(Uuid(raw.bytes.map(|byte| byte.to_ne_bytes()[0])))
    }

    /// The device's memory.
    ///
    /// Driver API: `cuDeviceTotalMem_v2`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDeviceTotalMem")]
    pub fn total_memory(&self) -> Result<Bytes> {
        let mut bytes = 0;
        // SAFETY: `bytes` is a live out parameter.
        let status = unsafe { self.api.cuDeviceTotalMem_v2(&raw mut bytes, self.raw) };
        check!(self.api, cuDeviceTotalMem_v2, status, device = self.raw)?;
        Ok(Bytes(bytes))
    }

    /// One attribute, by its C name.
    ///
    /// Driver API: `cuDeviceGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers; 1 for an attribute that the driver does not know.
    #[doc(alias = "cuDeviceGetAttribute")]
    pub fn attribute(&self, attribute: CUdevice_attribute) -> Result<i32> {
        let mut value = 0;
        // SAFETY: `value` is a live out parameter.
        let status = unsafe {
            self.api
                .cuDeviceGetAttribute(&raw mut value, attribute, self.raw)
        };
        check!(
            self.api,
            cuDeviceGetAttribute,
            status,
            attribute = attribute.0,
            device = self.raw
        )?;
        Ok(value)
    }

    /// An attribute that is a yes or a no.
    pub(crate) fn flag(&self, attribute: CUdevice_attribute) -> Result<bool> {
        Ok(self.attribute(attribute)? != 0)
    }

    /// Major and minor number of what the device can compute.
    ///
    /// # Errors
    ///
    /// As [`Device::attribute`].
    pub fn compute_capability(&self) -> Result<(i32, i32)> {
        Ok((
            self.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            self.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ))
    }

    /// Where the device sits, for example `0000:1b:00.0`.
    ///
    /// Driver API: `cuDeviceGetPCIBusId`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDeviceGetPCIBusId")]
    pub fn pci_address(&self) -> Result<String> {
        let mut text: [c_char; 32] = [0; 32];
        // SAFETY: `text` has room for the 32 bytes announced.
        let status = unsafe {
            self.api
                .cuDeviceGetPCIBusId(text.as_mut_ptr(), 32, self.raw)
        };
        check!(self.api, cuDeviceGetPCIBusId, status, device = self.raw)?;
        Ok(rust_text(&text))
    }

    /// Whether this device can read and write `peer`'s memory directly.
    ///
    /// Driver API: `cuDeviceCanAccessPeer`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDeviceCanAccessPeer")]
    pub fn can_access_peer(&self, peer: &Self) -> Result<bool> {
        let mut can = 0;
        // SAFETY: `can` is a live out parameter.
        let status = unsafe {
            self.api
                .cuDeviceCanAccessPeer(&raw mut can, self.raw, peer.raw)
        };
        check!(
            self.api,
            cuDeviceCanAccessPeer,
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
        let mut flags = 0;
        let mut active = 0;
        // SAFETY: `flags` and `active` are live out parameters.
        let status = unsafe {
            self.api
                .cuDevicePrimaryCtxGetState(self.raw, &raw mut flags, &raw mut active)
        };
        check!(
            self.api,
            cuDevicePrimaryCtxGetState,
            status,
            device = self.raw
        )?;
        Ok(active != 0)
    }

    /// Destroys everything in the primary context, whoever made it.
    ///
    /// Driver API: `cuDevicePrimaryCtxReset_v2`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// Nothing in this process, other libraries included, may use anything of the primary context
    /// afterwards; host memory that an asynchronous copy still reads or writes must live on.
    #[doc(alias = "cuDevicePrimaryCtxReset")]
    pub unsafe fn reset(&self) -> Result<()> {
        // SAFETY: the caller answers for everybody else in the process.
        let status = unsafe { self.api.cuDevicePrimaryCtxReset_v2(self.raw) };
        check!(
            self.api,
            cuDevicePrimaryCtxReset_v2,
            status,
            device = self.raw
        )
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

/// The library, loaded and initialised.
pub(crate) fn initialised() -> Result<&'static Api> {
    let api = api()?;
    // SAFETY: the flags must be zero; calling again is allowed and cheap.
    let status = unsafe { api.cuInit(0) };
    check!(api, cuInit, status)?;
    Ok(api)
}

/// A C text of fixed room as Rust's.
pub(crate) fn rust_text(text: &[c_char]) -> String {
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
        let error = c_text("cuModuleGetFunction", "a\0b").unwrap_err();
        assert!(error.to_string().contains("zero byte at 1"), "{error}");
    }
}
