//! Joining what NVML and CUDA say of the same device, and of the ways between two.

use crate::absent::Reason;
use crate::derive;
use crate::device::{CudaFields, Device, NvmlFields};
use crate::parts::{CudaPart, Depth, NvmlPart};
use crate::report::Link;

/// One device for each that a source knows, with what the others say of it.
pub(super) fn join_devices(
    nvml: &NvmlPart,
    cuda: &CudaPart,
    nvml_reason: &Reason,
    cuda_reason: &Reason,
) -> Vec<Device> {
    let mut left: Vec<_> = cuda.devices.iter().collect();
    let mut devices = Vec::new();
    for known in &nvml.devices {
        let found = left
            .iter()
            .position(|other| same(other.uuid.as_deref().unwrap_or(""), &known.uuid));
        let other = found.map(|place| left.remove(place));
        let mut absent = known.absent.clone();
        absent.explain_nulls(&known.fields, &Reason::NotCollected);
        let fields = match other {
            Some(other) => {
                absent.0.extend(other.absent.0.clone());
                derive::from_attributes(&other.fields, &mut absent)
            }
            None => CudaFields::default(),
        };
        let why = match known.fields.mig_enabled {
            // A GPU that is split cannot be used whole.
            Some(true) if *cuda_reason == Reason::NotListed => &Reason::NotApplicable,
            _ => cuda_reason,
        };
        absent.explain_nulls(&fields, why);
        let mut device = Device {
            uuid: known.uuid.clone(),
            pci: known
                .pci
                .clone()
                .or_else(|| other.and_then(|other| other.pci.clone())),
            name: known
                .name
                .clone()
                .or_else(|| other.and_then(|other| other.name.clone())),
            kind: known.kind,
            parent_uuid: known.parent_uuid.clone(),
            nvml_index: known.index,
            cuda_index: other.map(|other| other.ordinal),
            nvml: known.fields.clone(),
            cuda: fields,
            absent,
        };
        if device.cuda_index.is_none() {
            device.absent.set("cuda_index", why.clone());
        }
        forget_answered(&mut device);
        devices.push(device);
    }
    for other in left {
        let mut absent = other.absent.clone();
        let fields = NvmlFields::default();
        absent.explain_nulls(&fields, nvml_reason);
        let described = derive::from_attributes(&other.fields, &mut absent);
        absent.explain_nulls(&described, &Reason::NotCollected);
        absent.set("nvml_index", nvml_reason.clone());
        absent.set("parent_uuid", Reason::NotApplicable);
        let split = other
            .name
            .as_deref()
            .is_some_and(|name| name.contains(" MIG "));
        let uuid = match &other.uuid {
            Some(uuid) if uuid.contains("GPU-") || uuid.contains("MIG-") => uuid.clone(),
            Some(uuid) if split => format!("MIG-{uuid}"),
            Some(uuid) => format!("GPU-{uuid}"),
            None => format!("cuda:{}", other.ordinal),
        };
        let mut device = Device {
            kind: if uuid.starts_with("MIG-") {
                crate::device::Kind::Mig
            } else {
                crate::device::Kind::Gpu
            },
            uuid,
            pci: other.pci.clone(),
            name: other.name.clone(),
            parent_uuid: None,
            nvml_index: None,
            cuda_index: Some(other.ordinal),
            nvml: fields,
            cuda: described,
            absent,
        };
        forget_answered(&mut device);
        devices.push(device);
    }
    devices
}

/// Says whether two identities mean the same device. CUDA writes no `GPU-` or `MIG-` before them.
fn same(one: &str, other: &str) -> bool {
    let bare = |uuid: &str| {
        uuid.trim_start_matches("GPU-")
            .trim_start_matches("MIG-")
            .to_ascii_lowercase()
    };
    !one.is_empty() && bare(one) == bare(other)
}

/// Keeps `absent` to what is really missing, and complete.
fn forget_answered(device: &mut Device) {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(&*device) else {
        return;
    };
    device
        .absent
        .0
        .retain(|key, _| fields.get(key).is_none_or(serde_json::Value::is_null));
    for (key, value) in &fields {
        if value.is_null() {
            device
                .absent
                .0
                .entry(key.clone())
                .or_insert(Reason::NotCollected);
        }
    }
}

/// The ways between two devices of which a source knows.
pub(super) fn join_links(
    devices: &[Device],
    nvml: &NvmlPart,
    cuda: &CudaPart,
    nvml_reason: &Reason,
    cuda_reason: &Reason,
    depth: Depth,
) -> Vec<Link> {
    let mut links = Vec::new();
    if depth == Depth::Overview {
        return links;
    }
    for from in devices {
        for to in devices {
            if from.uuid == to.uuid {
                continue;
            }
            let of_pair = |link: &&Link| same(&link.from, &from.uuid) && same(&link.to, &to.uuid);
            let by_nvml = nvml.links.iter().find(of_pair);
            let by_cuda = cuda.links.iter().find(of_pair);
            if by_nvml.is_none() && by_cuda.is_none() {
                continue;
            }
            let mut link = by_nvml
                .cloned()
                .unwrap_or_else(|| Link::new(&from.uuid, &to.uuid));
            let mut absent = link.absent.clone();
            if let Some(by_cuda) = by_cuda {
                link.cuda_access = by_cuda.cuda_access;
                link.cuda_performance_rank = by_cuda.cuda_performance_rank;
                link.cuda_atomics = by_cuda.cuda_atomics;
                link.cuda_arrays = by_cuda.cuda_arrays;
                absent.0.extend(by_cuda.absent.0.clone());
            }
            for key in [
                "cuda_access",
                "cuda_performance_rank",
                "cuda_atomics",
                "cuda_arrays",
            ] {
                if by_cuda.is_none() {
                    absent.set(key, cuda_reason.clone());
                }
            }
            absent.explain_nulls(&link, nvml_reason);
            link.absent = absent;
            links.push(link);
        }
    }
    links
}
