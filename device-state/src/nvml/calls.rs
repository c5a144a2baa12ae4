//! Calls that the wrapper does not offer, made through its table of functions.

use nvml_wrapper::Device;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper_sys::bindings as sys;

use super::reason::{from_error, from_status};
use crate::absent::Reason;

pub(super) fn memory_first_form(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
) -> Result<sys::nvmlMemory_t, Reason> {
    let Ok(call) = nvml.lib().nvmlDeviceGetMemoryInfo.as_ref() else {
        return Err(Reason::SymbolMissing);
    };
    let mut info = sys::nvmlMemory_t {
        total: 0,
        free: 0,
        used: 0,
    };
    // SAFETY: the handle is used only while `device`, and with it the library, is alive.
    let handle = unsafe { device.handle() };
    // SAFETY: the handle is NVML's own and `info` is the struct that this form of the call writes.
    from_status(unsafe { call(handle, &raw mut info) })?;
    Ok(info)
}

/// The names of the bits in which NVML tells what holds the clocks down.
const CLOCKS_EVENT_REASONS: [(u64, &str); 9] = [
    (1, "gpu_idle"),
    (2, "applications_clocks_setting"),
    (4, "sw_power_cap"),
    (8, "hw_slowdown"),
    (16, "sync_boost"),
    (32, "sw_thermal_slowdown"),
    (64, "hw_thermal_slowdown"),
    (128, "hw_power_brake_slowdown"),
    (256, "display_clock_setting"),
];

pub(super) fn clocks_event_reasons(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
) -> Result<Vec<String>, Reason> {
    let library = nvml.lib();
    let call = library
        .nvmlDeviceGetCurrentClocksEventReasons
        .as_ref()
        .or(library.nvmlDeviceGetCurrentClocksThrottleReasons.as_ref())
        .map_err(|_| Reason::SymbolMissing)?;
    let mut bits = 0;
    // SAFETY: the handle is used only while `device`, and with it the library, is alive.
    let handle = unsafe { device.handle() };
    // SAFETY: the handle is NVML's own, and both names of this call write one 64-bit number.
    from_status(unsafe { call(handle, &raw mut bits) })?;
    let known = CLOCKS_EVENT_REASONS
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| (*name).to_owned());
    let rest = bits & !0x1ff;
    Ok(known
        .chain((rest != 0).then(|| format!("other_{rest:#x}")))
        .collect())
}

#[derive(Default)]
pub(super) struct RemappedRows {
    pub(super) corrected: u32,
    pub(super) uncorrected: u32,
    pub(super) pending: u32,
    pub(super) failed: u32,
}

pub(super) fn remapped_rows(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
) -> Result<RemappedRows, Reason> {
    let Ok(call) = nvml.lib().nvmlDeviceGetRemappedRows.as_ref() else {
        return Err(Reason::SymbolMissing);
    };
    let mut rows = RemappedRows::default();
    // SAFETY: the handle is used only while `device`, and with it the library, is alive.
    let handle = unsafe { device.handle() };
    // SAFETY: the handle is NVML's own, and the four pointers are to live numbers of this size.
    from_status(unsafe {
        call(
            handle,
            &raw mut rows.corrected,
            &raw mut rows.uncorrected,
            &raw mut rows.pending,
            &raw mut rows.failed,
        )
    })?;
    Ok(rows)
}

pub(super) type InstanceCall =
    unsafe extern "C" fn(sys::nvmlDevice_t, *mut core::ffi::c_uint) -> sys::nvmlReturn_t;

pub(super) fn addressing_mode(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
) -> Result<String, Reason> {
    let Ok(call) = nvml.lib().nvmlDeviceGetAddressingMode.as_ref() else {
        return Err(Reason::SymbolMissing);
    };
    let size = u32::try_from(size_of::<sys::nvmlDeviceAddressingMode_t>()).unwrap_or(0);
    let mut mode = sys::nvmlDeviceAddressingMode_t {
        // NVML asks for the size of the struct and its version, 1, in one number.
        version: size | (1 << 24),
        value: 0,
    };
    // SAFETY: the handle is used only while `device`, and with it the library, is alive.
    let handle = unsafe { device.handle() };
    // SAFETY: the handle is NVML's own, and the struct says its own size.
    from_status(unsafe { call(handle, &raw mut mode) })?;
    Ok(match mode.value {
        0 => "none".into(),
        1 => "hmm".into(),
        2 => "ats".into(),
        other => format!("other_{other}"),
    })
}

/// What an NVLink connection ends at.
///
/// The wrapper's own call has NVML write into a copy that nobody reads: it says "unknown" of every link.
pub(super) fn remote_kind(device: &Device<'_>, link: u32) -> Result<String, Reason> {
    let Ok(call) = device
        .nvml()
        .lib()
        .nvmlDeviceGetNvLinkRemoteDeviceType
        .as_ref()
    else {
        return Err(Reason::SymbolMissing);
    };
    let mut kind = sys::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_UNKNOWN;
    // SAFETY: the handle is used only while `device`, and with it the library, is alive.
    let handle = unsafe { device.handle() };
    // SAFETY: the handle is NVML's own, and the call writes one number.
    from_status(unsafe { call(handle, link, &raw mut kind) })?;
    Ok(match kind {
        sys::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_GPU => "gpu",
        sys::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_SWITCH => "switch",
        sys::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_IBMNPU => "other",
        _ => "unknown",
    }
    .to_owned())
}

/// Reads a value that has a field number. Numbers come from the wrapper, which translates those
/// whose meaning changed between drivers.
pub(super) fn number(device: &Device<'_>, field: u32) -> Result<i64, Reason> {
    let mut answers = device
        .field_values_for(&[FieldId(field)])
        .map_err(from_error)?;
    let sample = answers
        .pop()
        .ok_or(Reason::Unsupported)?
        .map_err(from_error)?;
    match sample.value.map_err(from_error)? {
        SampleValue::U32(value) => Ok(i64::from(value)),
        SampleValue::I64(value) => Ok(value),
        SampleValue::U64(value) => i64::try_from(value).map_err(|_| Reason::Unsupported),
        _ => Err(Reason::Unsupported),
    }
}
