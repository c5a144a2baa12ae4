//! Memory in use, and by whom.

use core::ffi::{c_uint, c_ulonglong};

use crate::answer::{Answer, Code, Handle, code, device, get, put};
use crate::device::put_list;
use crate::recorded;

/// `nvmlMemory_t`: what is reserved counts as used.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Memory {
    total: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

/// `nvmlMemory_v2_t`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct MemoryV2 {
    version: c_uint,
    total: c_ulonglong,
    reserved: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

/// The size of the struct with the number of its version in the top byte.
const VERSION_2: c_uint = 0x0200_0028;

/// NVML's total is CUDA's with what the driver keeps for itself.
fn memory(handle: Handle) -> Result<MemoryV2, Code> {
    let (_, device) = device(handle)?;
    let reserved = recorded::of(&device).reserved;
    Ok(MemoryV2 {
        version: VERSION_2,
        total: device.memory_total + reserved,
        reserved,
        free: device.memory_total.saturating_sub(device.memory_used),
        used: device.memory_used,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMemoryInfo(device: Handle, place: *mut Memory) -> c_uint {
    let found = memory(device).map(|memory| Memory {
        total: memory.total,
        free: memory.free,
        used: memory.used + memory.reserved,
    });
    // SAFETY: the caller's place.
    code(found.and_then(|memory| unsafe { put(place, memory) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(device: Handle, place: *mut MemoryV2) -> c_uint {
    let answer = memory(device).and_then(|memory| {
        // SAFETY: the caller's place, which begins with the version.
        if unsafe { get(place.cast::<c_uint>()) }? != VERSION_2 {
            return Err(Code::ARGUMENT_VERSION_MISMATCH);
        }
        // SAFETY: the caller's place, of this version.
        unsafe { put(place, memory) }
    });
    code(answer)
}

/// `nvmlBAR1Memory_t`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetBAR1MemoryInfo(handle: Handle, place: *mut Memory) -> c_uint {
    let found = device(handle).and_then(|(_, device)| {
        let (total, free) = recorded::of(&device).bar1.ok_or(Code::NOT_SUPPORTED)?;
        Ok(Memory {
            total,
            free,
            used: total - free,
        })
    });
    // SAFETY: the caller's place.
    code(found.and_then(|memory| unsafe { put(place, memory) }))
}

/// `nvmlProcessInfo_t`, of the second and third version of its functions.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Process {
    id: c_uint,
    used: c_ulonglong,
    instance: c_uint,
    compute_instance: c_uint,
}

/// The first version of it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct ProcessV1 {
    id: c_uint,
    used: c_ulonglong,
}

/// Who uses a device: this process, if it has memory there. A simulated device is nobody else's.
fn processes(handle: Handle) -> Result<Vec<Process>, Code> {
    const NO_INSTANCE: c_uint = c_uint::MAX;
    let (_, device) = device(handle)?;
    let own = Process {
        id: std::process::id(),
        used: device.memory_used,
        instance: NO_INSTANCE,
        compute_instance: NO_INSTANCE,
    };
    Ok(if device.memory_used > 0 {
        vec![own]
    } else {
        Vec::new()
    })
}

unsafe fn compute(device: Handle, count: *mut c_uint, list: *mut Process) -> Answer {
    let found = processes(device)?;
    // SAFETY: the caller's places.
    unsafe { put_list(count, list, &found) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: Handle,
    count: *mut c_uint,
    list: *mut Process,
) -> c_uint {
    // SAFETY: the caller's places.
    code(unsafe { compute(device, count, list) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v2(
    device: Handle,
    count: *mut c_uint,
    list: *mut Process,
) -> c_uint {
    // SAFETY: the caller's places.
    code(unsafe { compute(device, count, list) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses(
    device: Handle,
    count: *mut c_uint,
    list: *mut ProcessV1,
) -> c_uint {
    let answer = processes(device).and_then(|found| {
        let found: Vec<ProcessV1> = found
            .iter()
            .map(|process| ProcessV1 {
                id: process.id,
                used: process.used,
            })
            .collect();
        // SAFETY: the caller's places.
        unsafe { put_list(count, list, &found) }
    });
    code(answer)
}

/// Nobody draws here.
unsafe fn nobody(handle: Handle, count: *mut c_uint) -> Answer {
    device(handle)?;
    // SAFETY: the caller's place.
    unsafe { put(count, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetGraphicsRunningProcesses_v3(
    device: Handle,
    count: *mut c_uint,
    _list: *mut Process,
) -> c_uint {
    // SAFETY: the caller's place.
    code(unsafe { nobody(device, count) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetGraphicsRunningProcesses_v2(
    device: Handle,
    count: *mut c_uint,
    _list: *mut Process,
) -> c_uint {
    // SAFETY: the caller's place.
    code(unsafe { nobody(device, count) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetGraphicsRunningProcesses(
    device: Handle,
    count: *mut c_uint,
    _list: *mut ProcessV1,
) -> c_uint {
    // SAFETY: the caller's place.
    code(unsafe { nobody(device, count) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMPSComputeRunningProcesses_v3(
    device: Handle,
    count: *mut c_uint,
    _list: *mut Process,
) -> c_uint {
    // SAFETY: the caller's place.
    code(unsafe { nobody(device, count) })
}
