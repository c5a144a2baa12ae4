//! What a device has several of: NVLink connections, and programs that use it.

use nvml_wrapper::Device;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;

use super::calls::remote_kind;
use super::reason::from_error;
use crate::absent::{Absent, Reason};
use crate::device::{NvLink, Process};

/// The most NVLink connections that NVML numbers.
const NVLINKS_MAXIMUM: u32 = 18;

/// NVML numbers the versions of NVLink.
fn version(number: u32) -> String {
    match number {
        1 => "1.0".into(),
        2 => "2.0".into(),
        3 => "2.2".into(),
        4 => "3.0".into(),
        5 => "3.1".into(),
        6 => "4.0".into(),
        7 => "5.0".into(),
        other => format!("other_{other}"),
    }
}

pub(super) fn nvlinks(device: &Device<'_>) -> Result<Vec<NvLink>, Reason> {
    let mut links = Vec::new();
    for number in 0..NVLINKS_MAXIMUM {
        let link = device.link_wrapper_for(number);
        let active = match link.is_active().map_err(from_error) {
            Ok(active) => active,
            // No device has a gap: the first number that does not exist ends the list.
            Err(reason) if number == 0 => return Err(reason),
            Err(_) => break,
        };
        let mut absent = Absent::default();
        let (version, remote_pci, remote_kind) = if active {
            (
                absent.keep("version", link.version().map(version).map_err(from_error)),
                absent.keep(
                    "remote_pci",
                    link.remote_pci_info().map_err(from_error).and_then(|info| {
                        match crate::pci::normal(&info.bus_id) {
                            // Behind a switch the other end has no address to tell.
                            nowhere if nowhere.starts_with("ffffffff:") => Err(Reason::Unsupported),
                            address => Ok(address),
                        }
                    }),
                ),
                absent.keep("remote_kind", remote_kind(device, number)),
            )
        } else {
            for key in ["version", "remote_pci", "remote_kind"] {
                absent.set(key, Reason::NotApplicable);
            }
            (None, None, None)
        };
        links.push(NvLink {
            link: number,
            active,
            version,
            remote_pci,
            remote_kind,
            absent,
        });
    }
    Ok(links)
}

pub(super) fn processes(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
) -> Result<Vec<Process>, Reason> {
    let mut found: Vec<Process> = Vec::new();
    let mut add = |list: Vec<ProcessInfo>, kind: &str| {
        for info in list {
            if found
                .iter()
                .any(|process| process.pid == info.pid && process.kind == kind)
            {
                continue;
            }
            let mut absent = Absent::default();
            let name = absent.keep(
                "name",
                nvml.sys_process_name(info.pid, 256).map_err(from_error),
            );
            let memory_used_bytes = absent.keep(
                "memory_used_bytes",
                match info.used_gpu_memory {
                    UsedGpuMemory::Used(bytes) => Ok(bytes),
                    UsedGpuMemory::Unavailable => Err(Reason::Unsupported),
                },
            );
            found.push(Process {
                pid: info.pid,
                name,
                kind: kind.to_owned(),
                memory_used_bytes,
                absent,
            });
        }
    };
    let compute = device.running_compute_processes().map_err(from_error);
    let graphics = device.running_graphics_processes().map_err(from_error);
    let mps = device.mps_running_compute_processes().map_err(from_error);
    let failed = compute.as_ref().err().cloned();
    for (list, kind) in [(compute, "compute"), (graphics, "graphics"), (mps, "mps")] {
        add(list.unwrap_or_default(), kind);
    }
    match failed {
        Some(reason) if found.is_empty() => Err(reason),
        _ => Ok(found),
    }
}
