//! CUDA's driver, asked without creating a context.
//!
//! Only `cuInit`, `cuDriverGetVersion` and calls about devices are made.

use core::ffi::{CStr, c_char, c_int};
use std::collections::BTreeMap;
use std::fs;

use cuda_sys::LoadError;
use cuda_sys::driver::{
    CUdevice, CUdevice_P2PAttribute, CUdevice_attribute, CUdevice_attribute_enum, CUresult, CUuuid,
    Driver,
};
use cuda_sys::runtime::Runtime;

use crate::absent::{Absent, Reason};
use crate::device::CudaFields;
use crate::loaded;
use crate::machine::Surroundings;
use crate::parts::{Cuda, CudaDevice, CudaPart, Depth};
use crate::report::{Link, Problem, Status};

/// The real CUDA driver of this process.
///
/// `cuInit` may hang or crash where a driver is broken. Programs that cannot afford that ask from a
/// process of their own.
#[derive(Debug, Clone, Copy, Default)]
pub struct CudaDriver;

impl Cuda for CudaDriver {
    fn ask(&self, depth: Depth) -> CudaPart {
        match Driver::get() {
            Ok(driver) => everything(driver, depth),
            Err(error) => CudaPart {
                status: not_loaded(&error),
                library: Some(loaded::missing(
                    "libcuda",
                    "every CUDA program",
                    &error,
                    &Surroundings::here(),
                )),
                ..CudaPart::default()
            },
        }
    }
}

pub(crate) fn not_loaded(error: &LoadError) -> Status {
    match error {
        LoadError::Stub { path, .. } => Status::Stub {
            message: path.display().to_string(),
        },
        error => Status::NotLoaded {
            message: error.to_string(),
        },
    }
}

/// Turns a status into a reason.
fn check(status: CUresult) -> Result<(), Reason> {
    match status {
        CUresult::CUDA_SUCCESS => Ok(()),
        // A driver that does not know an attribute calls its number an invalid value.
        CUresult::CUDA_ERROR_NOT_SUPPORTED | CUresult::CUDA_ERROR_INVALID_VALUE => {
            Err(Reason::Unsupported)
        }
        CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND => Err(Reason::SymbolMissing),
        CUresult::CUDA_ERROR_NOT_PERMITTED => Err(Reason::Denied),
        other => Err(Reason::Failed(status_name(other))),
    }
}

fn status_name(status: CUresult) -> String {
    status
        .name()
        .map_or_else(|| format!("CUDA_{}", status.0), str::to_owned)
}

fn everything(driver: &'static Driver, depth: Depth) -> CudaPart {
    let mut part = CudaPart {
        cuda_number: i32::try_from(driver.version().0).ok(),
        library: Some(loaded::driver(driver, depth, &Surroundings::here())),
        ..CudaPart::default()
    };
    // SAFETY: `cuInit` may be called at any time and takes no pointer.
    let status = unsafe { driver.cuInit(0) };
    if depth == Depth::Everything {
        let_runtime_open_its_driver();
    }
    part.mapped = mapped_files("libcuda.so");
    if status != CUresult::CUDA_SUCCESS {
        let file = part
            .library
            .as_ref()
            .and_then(|library| library.real_path.clone());
        part.status = if status == CUresult::CUDA_ERROR_STUB_LIBRARY {
            Status::Stub {
                message: file.unwrap_or_default(),
            }
        } else {
            Status::Refused {
                code: i32::try_from(status.0).unwrap_or(i32::MAX),
                name: status_name(status),
                call: "cuInit".into(),
            }
        };
        return part;
    }
    part.status = Status::Answered;
    let mut count = 0;
    // SAFETY: `count` is a live `c_int` and the driver writes nothing past it.
    let status = unsafe { driver.cuDeviceGetCount(&raw mut count) };
    part.count = part.absent.keep(
        "cuda_devices",
        check(status).map(|()| u32::try_from(count).unwrap_or(0)),
    );
    let mut handles = Vec::new();
    for ordinal in 0..count {
        let mut device: CUdevice = 0;
        // SAFETY: `device` is a live `CUdevice` and the driver writes nothing past it.
        let status = unsafe { driver.cuDeviceGet(&raw mut device, ordinal) };
        match check(status) {
            Ok(()) => {
                let described =
                    describe(driver, device, u32::try_from(ordinal).unwrap_or(0), depth);
                handles.push((device, described.uuid.clone()));
                part.devices.push(described);
            }
            Err(reason) => part.problems.push(Problem {
                part: "cuda".into(),
                device: None,
                message: format!("device {ordinal} cannot be opened: {reason}"),
            }),
        }
    }
    if depth == Depth::Everything {
        part.links = links(driver, &handles);
    }
    part
}

fn describe(driver: &Driver, device: CUdevice, ordinal: u32, depth: Depth) -> CudaDevice {
    let mut absent = Absent::default();
    let name = absent.keep("name", name(driver, device));
    let uuid = uuid(driver, device).ok();
    let pci = absent.keep("pci", pci(driver, device));
    let mut bytes = 0;
    // SAFETY: `bytes` is a live `usize` and the driver writes nothing past it.
    let status = unsafe { driver.cuDeviceTotalMem_v2(&raw mut bytes, device) };
    let total = absent.keep(
        "cuda_memory_total_bytes",
        check(status).map(|()| u64::try_from(bytes).unwrap_or(u64::MAX)),
    );
    let fields = CudaFields {
        cuda_memory_total_bytes: total,
        attributes: Some(attributes(driver, device, depth, &mut absent)),
        ..CudaFields::default()
    };
    CudaDevice {
        ordinal,
        uuid,
        pci,
        name,
        fields,
        absent,
    }
}

/// The attributes that the overview shows.
const OVERVIEW: [CUdevice_attribute; 3] = [
    CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
    CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
    CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED,
];

/// The C name of an attribute. Where there are two, the one that is not deprecated.
fn attribute_name(attribute: CUdevice_attribute) -> Option<&'static str> {
    match attribute {
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED => {
            Some("CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED")
        }
        attribute => attribute.name(),
    }
}

fn attributes(
    driver: &Driver,
    device: CUdevice,
    depth: Depth,
    absent: &mut Absent,
) -> BTreeMap<String, i32> {
    let mut known = BTreeMap::new();
    for number in 1..CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX.0 {
        let attribute = CUdevice_attribute_enum(number);
        let Some(name) = attribute_name(attribute) else {
            continue;
        };
        if depth == Depth::Overview && !OVERVIEW.contains(&attribute) {
            absent.set(name, Reason::NotCollected);
            continue;
        }
        let mut value: c_int = 0;
        // SAFETY: `value` is a live `c_int` and the driver writes nothing past it.
        let status = unsafe { driver.cuDeviceGetAttribute(&raw mut value, attribute, device) };
        match check(status) {
            Ok(()) => {
                known.insert(name.to_owned(), value);
            }
            Err(reason) => absent.set(name, reason),
        }
    }
    known
}

fn name(driver: &Driver, device: CUdevice) -> Result<String, Reason> {
    let mut text: [c_char; 256] = [0; 256];
    // SAFETY: `text` holds 256 characters, which the driver is told, and it ends what it writes with 0.
    check(unsafe { driver.cuDeviceGetName(text.as_mut_ptr(), 256, device) })?;
    Ok(string(&text))
}

fn pci(driver: &Driver, device: CUdevice) -> Result<String, Reason> {
    let mut text: [c_char; 32] = [0; 32];
    // SAFETY: `text` holds 32 characters, which the driver is told, and it ends what it writes with 0.
    check(unsafe { driver.cuDeviceGetPCIBusId(text.as_mut_ptr(), 32, device) })?;
    Ok(crate::pci::normal(&string(&text)))
}

/// Reads the text before the first 0; without one, all of it.
fn string(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text
        .iter()
        .map(|character| character.cast_unsigned())
        .collect();
    CStr::from_bytes_until_nul(&bytes).map_or_else(
        |_| String::from_utf8_lossy(&bytes).into_owned(),
        |text| text.to_string_lossy().into_owned(),
    )
}

/// Reads the identity without its prefix: CUDA does not tell a GPU from an instance of one.
fn uuid(driver: &Driver, device: CUdevice) -> Result<String, Reason> {
    let mut uuid = CUuuid { bytes: [0; 16] };
    // SAFETY: `uuid` is a live `CUuuid` and the driver writes nothing past it.
    let mut answer = check(unsafe { driver.cuDeviceGetUuid_v2(&raw mut uuid, device) });
    if answer == Err(Reason::SymbolMissing) {
        // SAFETY: as above; drivers before CUDA 11.4 have only this form.
        answer = check(unsafe { driver.cuDeviceGetUuid(&raw mut uuid, device) });
    }
    answer?;
    let mut text = String::new();
    for (place, byte) in uuid.bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", byte.cast_unsigned()));
    }
    Ok(text)
}

fn links(driver: &Driver, devices: &[(CUdevice, Option<String>)]) -> Vec<Link> {
    let mut links = Vec::new();
    for (from, from_uuid) in devices {
        for (to, to_uuid) in devices {
            let (Some(from_uuid), Some(to_uuid)) = (from_uuid, to_uuid) else {
                continue;
            };
            if from == to {
                continue;
            }
            let mut link = Link::new(from_uuid, to_uuid);
            let mut access: c_int = 0;
            // SAFETY: `access` is a live `c_int` and the driver writes nothing past it.
            let status = unsafe { driver.cuDeviceCanAccessPeer(&raw mut access, *from, *to) };
            link.cuda_access = link
                .absent
                .keep("cuda_access", check(status).map(|()| access != 0));
            let ask = |attribute: CUdevice_P2PAttribute| {
                let mut value: c_int = 0;
                // SAFETY: `value` is a live `c_int` and the driver writes nothing past it.
                let status = unsafe {
                    driver.cuDeviceGetP2PAttribute(&raw mut value, attribute, *from, *to)
                };
                check(status).map(|()| value)
            };
            link.cuda_performance_rank = link.absent.keep(
                "cuda_performance_rank",
                ask(CUdevice_P2PAttribute::CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK),
            );
            link.cuda_atomics = link.absent.keep(
                "cuda_atomics",
                ask(CUdevice_P2PAttribute::CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED)
                    .map(|value| value != 0),
            );
            link.cuda_arrays = link.absent.keep(
                "cuda_arrays",
                ask(CUdevice_P2PAttribute::CU_DEVICE_P2P_ATTRIBUTE_CUDA_ARRAY_ACCESS_SUPPORTED)
                    .map(|value| value != 0),
            );
            links.push(link);
        }
    }
    links
}

/// Has libcudart, if there is one, open the libcuda of its choice: it may be another file than ours.
fn let_runtime_open_its_driver() {
    if let Ok(runtime) = Runtime::get() {
        let mut version: c_int = 0;
        // SAFETY: `version` is a live `c_int` and the library writes nothing past it.
        let status = unsafe { runtime.cudaDriverGetVersion(&raw mut version) };
        // Whether it succeeds does not matter, only what it has mapped afterwards.
        let _ = status;
    }
}

/// The files of this name that this process has mapped, each once.
fn mapped_files(name: &str) -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut files: Vec<String> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|start| line[start..].to_owned()))
        .filter(|path| {
            path.rsplit('/')
                .next()
                .is_some_and(|file| file.starts_with(name))
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::CAPABILITIES;

    #[test]
    fn every_attribute_that_we_speak_of_has_a_number() {
        let names: Vec<&str> = (1..CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX.0)
            .filter_map(|number| attribute_name(CUdevice_attribute_enum(number)))
            .collect();
        for meaning in &CAPABILITIES {
            assert!(names.contains(&meaning.attribute), "{}", meaning.attribute);
        }
    }
}
