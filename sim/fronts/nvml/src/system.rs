//! The library itself, the driver, and finding devices.

use core::ffi::{CStr, c_char, c_int, c_uint};

use crate::answer::{
    Answer, Code, Handle, all, begin, code, end, handle, put, put_text, ready, until_end,
};
use crate::driver;

/// The driver that the constants were recorded from.
const DRIVER: &[u8] = b"580.159.04";
const NVML: &[u8] = b"13.580.159.04";

const TEXTS: [&CStr; 31] = [
    c"Success",
    c"Uninitialized",
    c"Invalid Argument",
    c"Not Supported",
    c"Insufficient Permissions",
    c"Already Initialized",
    c"Not Found",
    c"Insufficient Size",
    c"Insufficient External Power",
    c"Driver Not Loaded",
    c"Timeout",
    c"Interrupt Request Issue",
    c"NVML Shared Library Not Found",
    c"Function Not Found",
    c"Corrupted infoROM",
    c"GPU is lost",
    c"GPU requires reset",
    c"GPU access blocked by the operating system",
    c"Driver/library version mismatch",
    c"In use by another client",
    c"Insufficient Memory",
    c"No data",
    c"vGPU ECC not supported",
    c"Insufficient Resources",
    c"Invalid Frequency",
    c"Argument version mismatch",
    c"Requested functionality has been deprecated",
    c"System is not in ready state",
    c"No supported GPUs were found",
    c"Resource not in correct state to perform requested operation",
    c"Reset type is not supported for given device",
];

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlInit() -> c_uint {
    code(begin())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlInit_v2() -> c_uint {
    code(begin())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> c_uint {
    code(begin())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlShutdown() -> c_uint {
    code(end())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlErrorString(result: c_uint) -> *const c_char {
    let known = usize::try_from(result)
        .ok()
        .and_then(|index| TEXTS.get(index));
    known.map_or(c"Unknown Error".as_ptr(), |text| text.as_ptr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetDriverVersion(version: *mut c_char, length: c_uint) -> c_uint {
    // SAFETY: the caller's place.
    code(ready().and_then(|()| unsafe { put_text(version, length, DRIVER) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetNVMLVersion(version: *mut c_char, length: c_uint) -> c_uint {
    // SAFETY: the caller's place.
    code(unsafe { put_text(version, length, NVML) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetCudaDriverVersion(version: *mut c_int) -> c_uint {
    // SAFETY: the caller's place.
    code(unsafe { put(version, driver::cuda_version()) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> c_uint {
    // SAFETY: the caller's place.
    code(unsafe { put(version, driver::cuda_version()) })
}

/// The name of a process: what `/proc` has as its command.
fn process_name(process: c_uint) -> Result<Vec<u8>, Code> {
    ready()?;
    let text = std::fs::read(format!("/proc/{process}/cmdline")).map_err(|_| Code::NOT_FOUND)?;
    Ok(until_end(&text).to_vec())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetProcessName(
    process: c_uint,
    name: *mut c_char,
    length: c_uint,
) -> c_uint {
    // SAFETY: the caller's place.
    code(process_name(process).and_then(|text| unsafe { put_text(name, length, &text) }))
}

fn count(place: *mut c_uint) -> Answer {
    let count = all()?.len();
    // SAFETY: the caller's place.
    unsafe { put(place, c_uint::try_from(count).unwrap_or_default()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCount(place: *mut c_uint) -> c_uint {
    code(count(place))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCount_v2(place: *mut c_uint) -> c_uint {
    code(count(place))
}

fn by_index(index: c_uint, place: *mut Handle) -> Answer {
    let count = all()?.len();
    let index = usize::try_from(index).map_err(|_| Code::INVALID_ARGUMENT)?;
    if index >= count {
        return Err(Code::INVALID_ARGUMENT);
    }
    // SAFETY: the caller's place.
    unsafe { put(place, handle(index)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByIndex(index: c_uint, place: *mut Handle) -> c_uint {
    code(by_index(index, place))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, place: *mut Handle) -> c_uint {
    code(by_index(index, place))
}

/// The caller's text, if there is one.
fn text<'text>(place: *const c_char) -> Result<&'text [u8], Code> {
    if place.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    // SAFETY: the caller's C string, which lives through this call.
    Ok(unsafe { CStr::from_ptr(place) }.to_bytes())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, place: *mut Handle) -> c_uint {
    let found = text(uuid).and_then(|wanted| {
        let same = |device: &driver::SimDevice| device.uuid_text().as_bytes() == wanted;
        all()?.iter().position(same).ok_or(Code::NOT_FOUND)
    });
    // SAFETY: the caller's place.
    code(found.and_then(|index| unsafe { put(place, handle(index)) }))
}

/// Domain, bus and device of `[[domain:]bus:device[.function]]`, in hexadecimal.
fn bus_id(text: &[u8]) -> Option<[u32; 3]> {
    let text = core::str::from_utf8(text).ok()?;
    let text = text.split_once('.').map_or(text, |(text, _)| text);
    let parts: Result<Vec<u32>, _> = text
        .split(':')
        .map(|part| u32::from_str_radix(part, 16))
        .collect();
    match *parts.ok()? {
        [domain, bus, device] => Some([domain, bus, device]),
        [bus, device] => Some([0, bus, device]),
        _ => None,
    }
}

fn by_bus_id(given: *const c_char, place: *mut Handle) -> Answer {
    let devices = all()?;
    let wanted = bus_id(text(given)?).ok_or(Code::INVALID_ARGUMENT)?;
    let found = devices
        .iter()
        .position(|device| device.pci == wanted)
        .ok_or(Code::NOT_FOUND)?;
    // SAFETY: the caller's place.
    unsafe { put(place, handle(found)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByPciBusId(
    given: *const c_char,
    place: *mut Handle,
) -> c_uint {
    code(by_bus_id(given, place))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByPciBusId_v2(
    given: *const c_char,
    place: *mut Handle,
) -> c_uint {
    code(by_bus_id(given, place))
}

#[cfg(test)]
mod tests {
    use super::bus_id;

    #[test]
    fn bus_ids_come_in_several_lengths() {
        for text in ["00000000:0A:00.0", "0000:0a:00.0", "0a:00.0", "0A:00"] {
            assert_eq!(bus_id(text.as_bytes()), Some([0, 10, 0]), "{text}");
        }
        assert_eq!(bus_id(b"garbage"), None);
    }
}
