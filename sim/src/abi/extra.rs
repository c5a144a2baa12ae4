//! Exports that are not in `cuda.h`: profiler control, and the one private door for the NVML front.

use core::ffi::{c_int, c_uint};

use cuda_sys::driver::CUresult;

use crate::model::code::Code;
use crate::model::machine::{machine, start};
use crate::profile::uuid_text;

/// What the NVML front asks of a device, in a layout of our own. Grows only at its end.
///
/// ```c
/// struct cuwhy_sim_device {
///     char name[96];         // as cuDeviceGetName, with its end
///     char uuid[48];         // "GPU-…", with its end
///     unsigned pci_domain, pci_bus, pci_device;
///     int compute_major, compute_minor;
///     unsigned long long memory_total, memory_used;
/// };
/// // How many devices there are, counted before CUDA_VISIBLE_DEVICES; writes at most `room` of them.
/// // NVML may be used without CUDA, so this starts the machine but does not count as cuInit.
/// int cuwhySimDevices(struct cuwhy_sim_device *out, unsigned room, unsigned size_of_one);
/// // The CUDA version of the driver as cuDriverGetVersion has it.
/// ```
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct SimDevice {
    name: [u8; 96],
    uuid: [u8; 48],
    pci: [u32; 3],
    compute: [i32; 2],
    memory: [u64; 2],
}

fn text<const ROOM: usize>(text: &str) -> [u8; ROOM] {
    let mut room = [0; ROOM];
    for (place, byte) in room.iter_mut().take(ROOM - 1).zip(text.bytes()) {
        *place = byte;
    }
    room
}

/// All devices of this machine.
fn devices() -> Vec<SimDevice> {
    let machine = start();
    let seen = machine
        .config
        .devices
        .iter()
        .enumerate()
        .map(|(number, configured)| {
            let uuid = crate::profile::uuid(number);
            let used = machine
                .devices
                .iter()
                .find(|device| device.uuid == uuid)
                .map_or(0, |device| device.meter.used());
            let attribute = |number| configured.profile.attribute(number).unwrap_or(0);
            SimDevice {
                name: text(configured.profile.name),
                uuid: text(&format!("GPU-{}", uuid_text(&uuid))),
                pci: crate::model::machine::pci(number),
                compute: [
                    attribute(crate::profile::number::MAJOR),
                    attribute(crate::profile::number::MINOR),
                ],
                memory: [configured.memory as u64, used as u64],
            }
        });
    seen.collect()
}

/// See [`SimDevice`].
#[unsafe(no_mangle)]
unsafe extern "C" fn cuwhySimDevices(out: *mut SimDevice, room: c_uint, size: c_uint) -> c_int {
    let all = devices();
    if usize::try_from(size) == Ok(size_of::<SimDevice>()) && !out.is_null() {
        for (index, device) in all
            .iter()
            .enumerate()
            .take(usize::try_from(room).unwrap_or(0))
        {
            // SAFETY: the caller has room for `room` of them, by this function's contract.
            unsafe { out.wrapping_add(index).write_unaligned(*device) };
        }
    }
    c_int::try_from(all.len()).unwrap_or(c_int::MAX)
}

/// There is nothing to profile, so starting and stopping succeed.
fn profiler() -> CUresult {
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
