//! One pass over everything that NVML knows.

use nvml_wrapper::error::NvmlError;

use super::reason::{from_error, status_name};
use super::{fields, links};
use crate::absent::Reason;
use crate::device::Kind;
use crate::loaded;
use crate::machine::Surroundings;
use crate::parts::{Depth, Nvml, NvmlDevice, NvmlPart};
use crate::report::{Problem, Status};

/// The real NVML of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct NvmlLibrary;

impl Nvml for NvmlLibrary {
    fn ask(&self, depth: Depth) -> NvmlPart {
        let surroundings = Surroundings::here();
        let file = match cuda_sys::nvml::locate() {
            Ok(file) => file,
            Err(error) => {
                return NvmlPart {
                    status: crate::cuda::not_loaded(&error),
                    library: Some(loaded::missing(NAME, WANTED_BY, &error, &surroundings)),
                    ..NvmlPart::default()
                };
            }
        };
        let opened = nvml_wrapper::Nvml::builder()
            .lib_path(file.path().as_os_str())
            .init();
        let mut part = match opened {
            Ok(nvml) => everything(&nvml, depth),
            Err(error) => NvmlPart {
                status: refused(error),
                ..NvmlPart::default()
            },
        };
        let mut library = loaded::opened(NAME, WANTED_BY, &file, &surroundings);
        if depth == Depth::Everything {
            loaded::count_exports(&mut library);
        }
        part.library = Some(library);
        part
    }
}

const NAME: &str = "libnvidia-ml";
const WANTED_BY: &str = "monitoring";

/// Says why NVML could not be started.
fn refused(error: NvmlError) -> Status {
    match error {
        NvmlError::LibloadingError(_) => Status::NotLoaded {
            message: crate::chain(&error),
        },
        NvmlError::FailedToLoadSymbol(message) => Status::NotLoaded {
            message: format!("this is not NVML: {message}"),
        },
        other => {
            let code: u32 = other.into();
            Status::Refused {
                code: i32::try_from(code).unwrap_or(i32::MAX),
                name: status_name(code),
                call: "nvmlInit_v2".into(),
            }
        }
    }
}

fn everything(nvml: &nvml_wrapper::Nvml, depth: Depth) -> NvmlPart {
    let mut part = NvmlPart {
        status: Status::Answered,
        ..NvmlPart::default()
    };
    part.driver_version = part
        .absent
        .keep("version", nvml.sys_driver_version().map_err(from_error));
    part.nvml_version = part
        .absent
        .keep("nvml_version", nvml.sys_nvml_version().map_err(from_error));
    part.cuda_number = part.absent.keep(
        "cuda_number",
        nvml.sys_cuda_driver_version().map_err(from_error),
    );
    part.count = part
        .absent
        .keep("nvml_devices", nvml.device_count().map_err(from_error));

    let mut opened = Vec::new();
    for index in 0..part.count.unwrap_or(0) {
        match nvml.device_by_index(index) {
            Ok(device) => opened.push((index, device)),
            Err(error) => part.problems.push(Problem {
                part: "nvml".into(),
                device: None,
                message: format!("device {index} cannot be opened: {}", from_error(error)),
            }),
        }
    }
    let mut uuids = Vec::new();
    for (index, device) in &opened {
        match describe(nvml, device, Some(*index), None, depth) {
            Ok(described) => {
                uuids.push(described.uuid.clone());
                let parent = described.uuid.clone();
                let split = described.fields.mig_enabled == Some(true);
                let room = described.fields.mig_instances_maximum.unwrap_or(0);
                part.devices.push(described);
                for place in 0..if split { room } else { 0 } {
                    // Most places are empty, which NVML calls "not found".
                    let Ok(instance) = device.mig_device_by_index(place) else {
                        continue;
                    };
                    match describe(nvml, &instance, None, Some(&parent), depth) {
                        Ok(described) => part.devices.push(described),
                        Err(reason) => part.problems.push(Problem {
                            part: "nvml".into(),
                            device: Some(parent.clone()),
                            message: format!("MIG instance {place} does not answer: {reason}"),
                        }),
                    }
                }
            }
            Err(reason) => {
                uuids.push(String::new());
                part.problems.push(Problem {
                    part: "nvml".into(),
                    device: None,
                    message: format!("device {index} does not tell its UUID: {reason}"),
                });
            }
        }
    }
    if depth == Depth::Everything {
        let devices: Vec<_> = uuids
            .iter()
            .zip(&opened)
            .filter(|(uuid, _)| !uuid.is_empty())
            .map(|(uuid, (index, device))| {
                let described = part.devices.iter().find(|known| known.uuid == *uuid);
                links::End {
                    index: *index,
                    uuid: uuid.clone(),
                    pci: described.and_then(|known| known.pci.clone()),
                    nvlinks: described.and_then(|known| known.fields.nvlinks.clone()),
                    device,
                }
            })
            .collect();
        part.links = links::between(&devices);
    }
    part
}

/// Describes one device. Without a UUID it could not be joined, so that alone is required.
fn describe(
    nvml: &nvml_wrapper::Nvml,
    device: &nvml_wrapper::Device<'_>,
    index: Option<u32>,
    parent: Option<&str>,
    depth: Depth,
) -> Result<NvmlDevice, Reason> {
    let mut described = NvmlDevice {
        uuid: device.uuid().map_err(from_error)?,
        index,
        kind: if parent.is_some() {
            Kind::Mig
        } else {
            Kind::Gpu
        },
        parent_uuid: parent.map(str::to_owned),
        ..NvmlDevice::default()
    };
    let absent = &mut described.absent;
    if parent.is_none() {
        absent.set("parent_uuid", Reason::NotApplicable);
    } else {
        absent.set("nvml_index", Reason::NotApplicable);
    }
    described.name = absent.keep("name", device.name().map_err(from_error));
    described.pci = absent.keep(
        "pci",
        device
            .pci_info()
            .map(|info| crate::pci::normal(&info.bus_id))
            .map_err(from_error),
    );
    described.fields = fields::ask(nvml, device, described.kind, depth, absent);
    Ok(described)
}
