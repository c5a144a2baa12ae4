//! Joining what is known of the driver and of the libraries.

use crate::absent::{Absent, Reason};
use crate::library::Library;
use crate::parts::{CudaPart, NvmlPart};
use crate::report::{Driver, Host};

/// The same file found in two ways is one library: what was opened by name knows more than what was
/// found on the disk, and stands before it.
pub(super) fn drop_repetitions(libraries: &mut Vec<Library>) {
    libraries.sort_by_key(|library| !library.chosen);
    let mut kept: Vec<Library> = Vec::new();
    for library in libraries.drain(..) {
        let twin = kept.iter_mut().find(|known| {
            known.name == library.name
                && known.real_path.is_some()
                && known.real_path == library.real_path
        });
        match twin {
            Some(known) => complete(known, library),
            None => kept.push(library),
        }
    }
    *libraries = kept;
}

/// Takes from the second what the first does not know.
fn complete(known: &mut Library, other: Library) {
    if known.version.is_none() {
        known.version = other.version;
        known.version_source = other.version_source;
    }
    if known.functions_found.is_none() {
        known.functions_wanted = other.functions_wanted;
        known.functions_found = other.functions_found;
        known.functions_absent = other.functions_absent;
    }
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(&*known) else {
        return;
    };
    known
        .absent
        .0
        .retain(|key, _| fields.get(key).is_some_and(serde_json::Value::is_null));
}

/// The driver as all sources together describe it.
pub(super) fn driver(
    nvml: &NvmlPart,
    cuda: &CudaPart,
    nvml_reason: &Reason,
    cuda_reason: &Reason,
    host: &Host,
    libraries: &[Library],
) -> Driver {
    let mut absent = Absent::default();
    let cuda_number = cuda.cuda_number.or(nvml.cuda_number);
    let runtime = libraries
        .iter()
        .filter(|library| library.name == "libcudart")
        .filter_map(|library| library.version.as_deref().or(number_of(library)))
        .filter_map(major_minor)
        .max();
    let driver = Driver {
        version: nvml
            .driver_version
            .clone()
            .or_else(|| host.module_version.clone()),
        nvml_version: nvml.nvml_version.clone(),
        cuda: cuda_number.map(version_text),
        cuda_number,
        runtime: runtime.map(|(major, minor)| match minor {
            Some(minor) => format!("{major}.{minor}"),
            None => major.to_string(),
        }),
        nvml_devices: nvml.count,
        cuda_devices: cuda.count,
        libcuda_mapped: cuda.mapped.clone(),
        nvml_status: nvml.status.clone(),
        cuda_status: cuda.status.clone(),
        absent: Absent::default(),
    };
    absent.0.extend(nvml.absent.0.clone());
    absent.0.extend(cuda.absent.0.clone());
    if driver.runtime.is_none() {
        absent.set("runtime", Reason::LibraryMissing);
    }
    for key in ["cuda", "cuda_number", "cuda_devices"] {
        absent
            .0
            .entry(key.into())
            .or_insert_with(|| cuda_reason.clone());
    }
    absent.explain_nulls(&driver, nvml_reason);
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(&driver) {
        absent
            .0
            .retain(|key, _| fields.get(key).is_some_and(serde_json::Value::is_null));
    }
    Driver { absent, ..driver }
}

/// Writes CUDA's number as people do: 13000 is 13.0.
pub fn version_text(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

fn major_minor(version: &str) -> Option<(u32, Option<u32>)> {
    let mut parts = version.split('.');
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().and_then(|part| part.parse().ok())))
}

/// The number in a library's own name: the major version, if nothing else is known.
fn number_of(library: &Library) -> Option<&str> {
    let name = library.soname.as_deref()?;
    let (_, number) = name.split_once(".so.")?;
    number.split('.').next()
}
