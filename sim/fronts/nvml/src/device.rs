//! What a device says of itself.

use core::ffi::{c_char, c_int, c_uint, c_ulonglong};

use crate::answer::{Answer, Code, Handle, code, device, get, put, put_text, until_end};
use crate::driver::SimDevice;
use crate::recorded::{self, Recorded};

/// A device with its index and what is recorded of its kind.
fn of(handle: Handle) -> Result<(usize, SimDevice, &'static Recorded), Code> {
    let (index, found) = device(handle)?;
    Ok((index, found, recorded::of(&found)))
}

/// Functions that answer one number.
macro_rules! numbers {
    ($($name:ident($kind:ty) = |$index:ident, $device:ident, $recorded:ident| $value:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(device: Handle, place: *mut $kind) -> c_uint {
                let found = of(device).and_then(|($index, $device, $recorded)| {
                    let value: Option<$kind> = $value;
                    value.ok_or(Code::NOT_SUPPORTED)
                });
                // SAFETY: the caller's place.
                code(found.and_then(|value| unsafe { put(place, value) }))
            }
        )*
    };
}

/// Functions that answer a number of an index or kind: a number that names none is a wrong argument, and of what is
/// not recorded there is nothing.
macro_rules! indexed {
    ($($name:ident($kind:ty, $count:literal) = |$which:ident, $recorded:ident| $value:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(device: Handle, which: c_uint, place: *mut $kind) -> c_uint {
                let found = of(device).and_then(|(_, _, $recorded)| {
                    let $which = usize::try_from(which).map_err(|_| Code::INVALID_ARGUMENT)?;
                    if !(0..$count).contains(&$which) {
                        return Err(Code::INVALID_ARGUMENT);
                    }
                    let value: Option<$kind> = $value;
                    value.ok_or(Code::NOT_SUPPORTED)
                });
                // SAFETY: the caller's place.
                code(found.and_then(|value| unsafe { put(place, value) }))
            }
        )*
    };
}

/// Functions that answer a text.
macro_rules! texts {
    ($($name:ident = |$index:ident, $device:ident, $recorded:ident| $value:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(device: Handle, place: *mut c_char, length: c_uint) -> c_uint {
                let found = of(device).and_then(|($index, $device, $recorded)| {
                    let value: Option<Vec<u8>> = $value;
                    value.ok_or(Code::NOT_SUPPORTED)
                });
                // SAFETY: the caller's place.
                code(found.and_then(|text| unsafe { put_text(place, length, &text) }))
            }
        )*
    };
}

fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    text.map(|text| text.as_bytes().to_vec())
}

fn number(index: usize) -> Option<c_uint> {
    c_uint::try_from(index).ok()
}

/// A number where anything is recorded of the device at all.
fn known<N>(recorded: &Recorded, value: N) -> Option<N> {
    recorded.brand.map(|_| value)
}

texts! {
    nvmlDeviceGetName = |_index, device, _recorded| Some(until_end(&device.name).to_vec());
    nvmlDeviceGetUUID = |_index, device, _recorded| Some(device.uuid_text().into_bytes());
    nvmlDeviceGetSerial = |index, _device, recorded| known(recorded, format!("simulated-{index}").into_bytes());
    nvmlDeviceGetBoardPartNumber = |_index, _device, recorded| bytes(recorded.part_number);
    nvmlDeviceGetVbiosVersion = |_index, _device, recorded| bytes(recorded.vbios);
    nvmlDeviceGetInforomImageVersion = |_index, _device, recorded| bytes(recorded.inforom_image);
}

numbers! {
    nvmlDeviceGetIndex(c_uint) = |index, _device, _recorded| number(index);
    nvmlDeviceGetMinorNumber(c_uint) = |index, _device, _recorded| number(index);
    nvmlDeviceGetBrand(c_uint) = |_index, _device, recorded| recorded.brand;
    nvmlDeviceGetArchitecture(c_uint) = |_index, _device, recorded| recorded.architecture;
    nvmlDeviceGetNumGpuCores(c_uint) = |_index, _device, recorded| recorded.cores;
    nvmlDeviceGetMemoryBusWidth(c_uint) = |_index, _device, recorded| recorded.memory_bus;
    nvmlDeviceGetBoardId(c_uint) = |_index, device, _recorded| Some(device.pci[1]);
    nvmlDeviceGetMultiGpuBoard(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetIrqNum(c_uint) = |_index, _device, recorded| recorded.irq;
    nvmlDeviceGetBusType(c_uint) = |_index, _device, recorded| known(recorded, 2);
    nvmlDeviceGetPersistenceMode(c_uint) = |_index, _device, recorded| known(recorded, 1);
    nvmlDeviceGetComputeMode(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetDisplayMode(c_uint) = |_index, _device, recorded| known(recorded, 1);
    nvmlDeviceGetDisplayActive(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetDefaultEccMode(c_uint) = |_index, _device, recorded| recorded.ecc.then_some(1);
    nvmlDeviceGetPowerManagementMode(c_uint) = |_index, _device, recorded| recorded.power.map(|_| 1);
    nvmlDeviceGetPowerUsage(c_uint) = |_index, _device, recorded| recorded.power.map(|(now, ..)| now);
    nvmlDeviceGetPowerManagementLimit(c_uint) = |_index, _device, recorded| recorded.power.map(|(.., limit)| limit);
    nvmlDeviceGetPowerManagementDefaultLimit(c_uint) =
        |_index, _device, recorded| recorded.power.map(|(.., limit)| limit);
    nvmlDeviceGetEnforcedPowerLimit(c_uint) = |_index, _device, recorded| recorded.power.map(|(.., limit)| limit);
    nvmlDeviceGetPowerSource(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetTotalEnergyConsumption(c_ulonglong) = |_index, _device, recorded| recorded.energy;
    nvmlDeviceGetPerformanceState(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetPowerState(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetCurrentClocksEventReasons(c_ulonglong) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetCurrentClocksThrottleReasons(c_ulonglong) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetSupportedClocksEventReasons(c_ulonglong) = |_index, _device, recorded| recorded.clock_reasons;
    nvmlDeviceGetSupportedClocksThrottleReasons(c_ulonglong) = |_index, _device, recorded| recorded.clock_reasons;
    nvmlDeviceGetAdaptiveClockInfoStatus(c_uint) = |_index, _device, recorded| known(recorded, 1);
    nvmlDeviceGetMaxPcieLinkGeneration(c_uint) = |_index, _device, recorded| recorded.pcie.map(|(gen_, _)| gen_);
    nvmlDeviceGetGpuMaxPcieLinkGeneration(c_uint) = |_index, _device, recorded| recorded.pcie.map(|(gen_, _)| gen_);
    nvmlDeviceGetCurrPcieLinkGeneration(c_uint) = |_index, _device, recorded| recorded.pcie.map(|(gen_, _)| gen_);
    nvmlDeviceGetPcieLinkMaxSpeed(c_uint) = |_index, _device, recorded| recorded.pcie.map(|(gen_, _)| gen_);
    nvmlDeviceGetMaxPcieLinkWidth(c_uint) = |_index, _device, recorded| recorded.pcie.map(|(_, width)| width);
    nvmlDeviceGetCurrPcieLinkWidth(c_uint) = |_index, _device, recorded| recorded.pcie.map(|(_, width)| width);
    nvmlDeviceGetPcieSpeed(c_uint) = |_index, _device, recorded| recorded.pcie_speed;
    nvmlDeviceGetPcieReplayCounter(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetNumFans(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetMaxMigDeviceCount(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceIsMigDeviceHandle(c_uint) = |_index, _device, _recorded| Some(0);
    nvmlDeviceGetVirtualizationMode(c_uint) = |_index, _device, recorded| known(recorded, 1);
    nvmlDeviceGetModuleId(c_uint) = |_index, _device, recorded| known(recorded, 2);
    nvmlDeviceGetInforomConfigurationChecksum(c_uint) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetGpcClkVfOffset(c_int) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetMemClkVfOffset(c_int) = |_index, _device, recorded| known(recorded, 0);
    nvmlDeviceGetAccountingBufferSize(c_uint) = |_index, _device, recorded| known(recorded, 4000);
    nvmlDeviceGetSupportedEventTypes(c_ulonglong) = |_index, _device, recorded| known(recorded, 65_439);
    nvmlDeviceGetRowRemapperHistogram([c_uint; 5]) =
        |_index, _device, recorded| known(recorded, [3072, 0, 0, 0, 0]);
    nvmlDeviceGetAccountingMode(c_uint) = |_index, _device, recorded| known(recorded, 0);
}

indexed! {
    nvmlDeviceGetFanSpeed_v2(c_uint, 0) = |_which, _recorded| None;
    nvmlDeviceGetTargetFanSpeed(c_uint, 0) = |_which, _recorded| None;
    nvmlDeviceGetFanControlPolicy_v2(c_uint, 0) = |_which, _recorded| None;
    nvmlDeviceGetClockInfo(c_uint, 9) = |which, recorded| recorded.clocks.get(which).copied();
    nvmlDeviceGetMaxClockInfo(c_uint, 4) = |which, recorded| recorded.clocks.get(which).copied();
    nvmlDeviceGetApplicationsClock(c_uint, 4) =
        |which, recorded| recorded.clocks.iter().take(recorded.application_clocks).nth(which).copied();
    nvmlDeviceGetDefaultApplicationsClock(c_uint, 4) =
        |which, recorded| recorded.clocks.iter().take(recorded.application_clocks).nth(which).copied();
    nvmlDeviceGetMaxCustomerBoostClock(c_uint, 4) =
        |which, recorded| recorded.clocks.iter().take(recorded.boost_clocks).nth(which).copied();
    nvmlDeviceGetTemperature(c_uint, 1) = |which, recorded| recorded.temperature.filter(|_| which == 0);
    nvmlDeviceGetTemperatureThreshold(c_uint, 8) = |which, recorded| recorded.thresholds.get(which).copied();
    nvmlDeviceGetEncoderCapacity(c_uint, 3) = |which, recorded| recorded.encoder_capacity.filter(|_| which < 2);
    nvmlDeviceGetNvLinkState(c_uint, 18) = |which, recorded| (which < recorded.links).then_some(1);
    nvmlDeviceGetNvLinkVersion(c_uint, 18) =
        |which, recorded| (which < recorded.links).then_some(recorded.link_version);
}

/// Two numbers at once.
unsafe fn pair<N>(first: *mut N, second: *mut N, values: Option<(N, N)>) -> Answer {
    let (one, two) = values.ok_or(Code::NOT_SUPPORTED)?;
    // SAFETY: the caller's place.
    unsafe { put(first, one) }?;
    // SAFETY: the caller's place.
    unsafe { put(second, two) }
}

/// Functions that answer two numbers.
macro_rules! pairs {
    ($($name:ident($kind:ty) = |$device:ident, $recorded:ident| $value:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(device: Handle, first: *mut $kind, second: *mut $kind) -> c_uint {
                // SAFETY: the caller's places.
                code(of(device).and_then(|(_, $device, $recorded)| unsafe { pair(first, second, $value) }))
            }
        )*
    };
}

pairs! {
    nvmlDeviceGetCudaComputeCapability(c_int) = |_device, recorded| recorded.compute;
    nvmlDeviceGetEccMode(c_uint) = |_device, recorded| recorded.ecc.then_some((1, 1));
    nvmlDeviceGetMigMode(c_uint) = |_device, recorded| recorded.mig.then_some((0, 0));
    nvmlDeviceGetPowerManagementLimitConstraints(c_uint) =
        |_device, recorded| recorded.power.map(|(_, least, most, _)| (least, most));
    nvmlDeviceGetEncoderUtilization(c_uint) = |_device, recorded| known(recorded, (0, 100_000));
    nvmlDeviceGetDecoderUtilization(c_uint) = |_device, recorded| known(recorded, (0, 100_000));
    nvmlDeviceGetJpgUtilization(c_uint) = |_device, recorded| known(recorded, (0, 100_000));
    nvmlDeviceGetOfaUtilization(c_uint) = |_device, recorded| known(recorded, (0, 100_000));
}

/// Percent of time in which the device and its memory were busy: nothing runs here.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Utilization {
    device: c_uint,
    memory: c_uint,
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    device: Handle,
    place: *mut Utilization,
) -> c_uint {
    // SAFETY: the caller's place.
    code(of(device).and_then(|_| unsafe {
        put(
            place,
            Utilization {
                device: 0,
                memory: 0,
            },
        )
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetTotalEccErrors(
    device: Handle,
    kind: c_uint,
    counter: c_uint,
    place: *mut c_ulonglong,
) -> c_uint {
    let found = of(device).and_then(|(_, _, recorded)| match (recorded.ecc, kind, counter) {
        (false, ..) => Err(Code::NOT_SUPPORTED),
        (true, 0 | 1, 0 | 1) => Ok(0),
        _ => Err(Code::INVALID_ARGUMENT),
    });
    // SAFETY: the caller's place.
    code(found.and_then(|count| unsafe { put(place, count) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMemoryErrorCounter(
    device: Handle,
    _kind: c_uint,
    _counter: c_uint,
    location: c_uint,
    place: *mut c_ulonglong,
) -> c_uint {
    /// The one place whose errors the device counts.
    const DEVICE_MEMORY: c_uint = 2;
    let found = of(device).and_then(|(_, _, recorded)| {
        let counted = recorded.ecc && location == DEVICE_MEMORY;
        counted.then_some(0).ok_or(Code::NOT_SUPPORTED)
    });
    // SAFETY: the caller's place.
    code(found.and_then(|count| unsafe { put(place, count) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetRemappedRows(
    device: Handle,
    correctable: *mut c_uint,
    uncorrectable: *mut c_uint,
    pending: *mut c_uint,
    failed: *mut c_uint,
) -> c_uint {
    let answer = of(device).and_then(|(_, _, recorded)| {
        recorded.brand.ok_or(Code::NOT_SUPPORTED)?;
        for place in [correctable, uncorrectable, pending, failed] {
            // SAFETY: the caller's places.
            unsafe { put(place, 0) }?;
        }
        Ok(())
    });
    code(answer)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetInforomVersion(
    device: Handle,
    object: c_uint,
    place: *mut c_char,
    length: c_uint,
) -> c_uint {
    let found = of(device).and_then(|(_, _, recorded)| {
        let object = usize::try_from(object).map_err(|_| Code::INVALID_ARGUMENT)?;
        recorded.inforom.get(object).ok_or(Code::NOT_SUPPORTED)
    });
    // SAFETY: the caller's place.
    code(found.and_then(|text| unsafe { put_text(place, length, text.as_bytes()) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetGspFirmwareVersion(device: Handle, place: *mut c_char) -> c_uint {
    /// `NVML_GSP_FIRMWARE_VERSION_BUF_SIZE`.
    const ROOM: c_uint = 64;
    let found =
        of(device).and_then(|(_, _, recorded)| recorded.gsp_firmware.ok_or(Code::NOT_SUPPORTED));
    // SAFETY: the caller's place.
    code(found.and_then(|text| unsafe { put_text(place, ROOM, text.as_bytes()) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetSupportedMemoryClocks(
    device: Handle,
    count: *mut c_uint,
    clocks: *mut c_uint,
) -> c_uint {
    let answer = of(device).and_then(|(_, _, recorded)| {
        if recorded.memory_clocks.is_empty() {
            return Err(Code::NOT_SUPPORTED);
        }
        // SAFETY: the caller's places.
        unsafe { put_list(count, clocks, recorded.memory_clocks) }
    });
    code(answer)
}

/// Writes a list where there is room for it, and its length in any case.
///
/// # Safety
///
/// `count` is null or holds the room that `list` has.
pub(crate) unsafe fn put_list<T: Copy>(count: *mut c_uint, list: *mut T, values: &[T]) -> Answer {
    // SAFETY: the caller's place.
    let room = unsafe { get(count) }?;
    let needed = c_uint::try_from(values.len()).unwrap_or(c_uint::MAX);
    // SAFETY: the caller's place.
    unsafe { put(count, needed) }?;
    if room < needed {
        return Err(Code::INSUFFICIENT_SIZE);
    }
    for (index, value) in values.iter().enumerate() {
        // SAFETY: the caller has room for so many.
        unsafe { put(list.wrapping_add(index), *value) }?;
    }
    Ok(())
}

/// The clock of a kind: now, as set, as set by default. The video clock has no setting.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetClock(
    device: Handle,
    kind: c_uint,
    id: c_uint,
    place: *mut c_uint,
) -> c_uint {
    let found = of(device).and_then(|(_, _, recorded)| {
        let kind = usize::try_from(kind).map_err(|_| Code::INVALID_ARGUMENT)?;
        let settable = match id {
            0 => recorded.clocks.len(),
            3 => recorded.boost_clocks,
            _ => recorded.application_clocks,
        };
        recorded
            .clocks
            .iter()
            .take(settable)
            .nth(kind)
            .copied()
            .ok_or(Code::NOT_SUPPORTED)
    });
    // SAFETY: the caller's place.
    code(found.and_then(|clock| unsafe { put(place, clock) }))
}

/// `nvmlPciInfo_t`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Pci {
    legacy_id: [u8; 16],
    domain: c_uint,
    bus: c_uint,
    device: c_uint,
    device_id: c_uint,
    subsystem_id: c_uint,
    id: [u8; 32],
}

/// What of it `nvmlDeviceGetPciInfo` and `_v2` write.
const PCI_V1: usize = 32;
const PCI_V2: usize = 36;

fn padded<const ROOM: usize>(text: &str) -> [u8; ROOM] {
    let mut room = [0; ROOM];
    for (place, byte) in room.iter_mut().take(ROOM - 1).zip(text.bytes()) {
        *place = byte;
    }
    room
}

fn pci(handle: Handle, place: *mut Pci, size: usize) -> Answer {
    let (_, device, recorded) = of(handle)?;
    let [domain, bus, slot] = device.pci;
    let (device_id, subsystem_id) = recorded.pci_device.unwrap_or_default();
    let found = Pci {
        legacy_id: padded(&format!("{domain:04X}:{bus:02X}:{slot:02X}.0")),
        domain,
        bus,
        device: slot,
        device_id,
        subsystem_id,
        id: padded(&format!("{domain:08X}:{bus:02X}:{slot:02X}.0")),
    };
    if place.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    // SAFETY: the caller's place, which is as long as the struct of this version.
    unsafe {
        core::ptr::copy_nonoverlapping((&raw const found).cast::<u8>(), place.cast::<u8>(), size)
    };
    Ok(())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPciInfo(device: Handle, place: *mut Pci) -> c_uint {
    code(pci(device, place, PCI_V1))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPciInfo_v2(device: Handle, place: *mut Pci) -> c_uint {
    code(pci(device, place, PCI_V2))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPciInfo_v3(device: Handle, place: *mut Pci) -> c_uint {
    code(pci(device, place, size_of::<Pci>()))
}

/// No device is parted.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMigDeviceHandleByIndex(
    device: Handle,
    _index: c_uint,
    _place: *mut Handle,
) -> c_uint {
    code(of(device).and(Err(Code::NOT_FOUND)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetGpuInstanceId(device: Handle, _place: *mut c_uint) -> c_uint {
    code(of(device).and(Err(Code::INVALID_ARGUMENT)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetComputeInstanceId(device: Handle, _place: *mut c_uint) -> c_uint {
    code(of(device).and(Err(Code::INVALID_ARGUMENT)))
}

/// `nvmlFieldValue_t`: the caller says which field, the answer says how it went.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Field {
    field: c_uint,
    scope: c_uint,
    timestamp: i64,
    latency: i64,
    kind: c_uint,
    code: Code,
    value: u64,
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetFieldValues(
    device: Handle,
    count: c_int,
    values: *mut Field,
) -> c_uint {
    let answer = of(device).and_then(|_| {
        for index in 0..usize::try_from(count).map_err(|_| Code::INVALID_ARGUMENT)? {
            let place = values.wrapping_add(index);
            // SAFETY: the caller's array of so many.
            let asked = unsafe { get(place) }?;
            let answered = Field {
                code: Code::NOT_SUPPORTED,
                ..asked
            };
            // SAFETY: as above.
            unsafe { put(place, answered) }?;
        }
        Ok(())
    });
    code(answer)
}

/// How far two devices are apart: recorded of one with itself alone, which is no pair.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetTopologyCommonAncestor(
    first: Handle,
    second: Handle,
    _place: *mut c_uint,
) -> c_uint {
    code(of(first).and(of(second)).and(Err(Code::NOT_SUPPORTED)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetP2PStatus(
    first: Handle,
    second: Handle,
    capability: c_uint,
    place: *mut c_uint,
) -> c_uint {
    /// `NVML_P2P_CAPS_INDEX_PCI`, which is not supported (5); every other capability is fine (0).
    const PCI: c_uint = 4;
    let status: c_uint = if capability == PCI { 5 } else { 0 };
    let same = of(first).and_then(|(one, _, recorded)| {
        let (other, ..) = of(second)?;
        known(recorded, one == other)
            .filter(|same| *same)
            .ok_or(Code::NOT_SUPPORTED)
    });
    // SAFETY: the caller's place.
    code(same.and_then(|_| unsafe { put(place, status) }))
}
