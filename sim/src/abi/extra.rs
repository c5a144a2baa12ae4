//! Exports that are not in `cuda.h`: profiler control, and the one private door for the NVML front.

use core::ffi::{c_int, c_uint};

use cuda_sys::driver::CUresult;

use crate::model::code::Code;
use crate::model::fork;
use crate::model::machine::{machine, start};

/// What the NVML front asks of a device, in a layout of our own. Grows only at its end.
///
/// ```c
/// struct cuwhy_sim_device {
///     unsigned char uuid[16];
///     unsigned int domain, bus, device;
///     unsigned int profile_index;         // 0 = h200, 1 = gtx980
///     unsigned long long total, used;     // bytes of device memory
///     char name[96];                      // as cuDeviceGetName, with its end
/// };
/// // 0 = written, 1 = no device with that number. Numbers ignore CUDA_VISIBLE_DEVICES, as NVML does. NVML may be
/// // used without CUDA: this starts the machine, but does not count as cuInit.
/// int cuwhySimDevice(unsigned int index, struct cuwhy_sim_device *out);
/// ```
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct SimDevice {
    uuid: [u8; 16],
    pci: [u32; 3],
    profile: u32,
    total: u64,
    used: u64,
    name: [u8; 96],
}

fn device(number: usize) -> Option<SimDevice> {
    let machine = start();
    let configured = machine.config.devices.get(number)?;
    let uuid = crate::profile::uuid(number);
    let used = machine
        .devices
        .iter()
        .find(|device| device.uuid == uuid)
        .map_or(0, |device| device.meter.used());
    let mut name = [0; 96];
    for (place, byte) in name
        .iter_mut()
        .take(95)
        .zip(configured.profile.name.bytes())
    {
        *place = byte;
    }
    Some(SimDevice {
        uuid,
        pci: crate::model::machine::pci(number),
        profile: configured.profile.index,
        total: configured.memory as u64,
        used: used as u64,
        name,
    })
}

/// See [`SimDevice`].
#[unsafe(no_mangle)]
unsafe extern "C" fn cuwhySimDevice(index: c_uint, out: *mut SimDevice) -> c_int {
    match usize::try_from(index).ok().and_then(device) {
        Some(device) if !out.is_null() => {
            // SAFETY: not null, so the caller promises room for one.
            unsafe { out.write_unaligned(device) };
            0
        }
        _ => 1,
    }
}

/// There is nothing to profile, so starting and stopping succeed.
fn profiler() -> CUresult {
    if fork::is_child() {
        return CUresult::CUDA_ERROR_NOT_INITIALIZED;
    }
    match machine().and_then(|machine| machine.current()) {
        Ok(_) => CUresult::CUDA_SUCCESS,
        Err(Code(code)) => cuda_sys::driver::cudaError_enum(code),
    }
}

#[unsafe(no_mangle)]
extern "C" fn cuProfilerStart() -> CUresult {
    profiler()
}

#[unsafe(no_mangle)]
extern "C" fn cuProfilerStop() -> CUresult {
    profiler()
}
