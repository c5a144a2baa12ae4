//! Asking all sources side by side, and joining what they say.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::absent::{Absent, Reason};
use crate::derive;
use crate::device::{CudaFields, Device, NvmlFields};
use crate::library::{Library, Origin};
use crate::parts::{Cuda, CudaPart, Depth, Machine, Nvml, NvmlPart};
use crate::report::{Driver, Host, Link, Problem, Report, SCHEMA, Status, Tool};

/// Whom to ask. A source that is missing was not wanted.
#[derive(Clone, Copy)]
#[expect(
    missing_debug_implementations,
    reason = "it holds sources, which need not be printable"
)]
pub struct Sources<'a> {
    /// NVML.
    pub nvml: Option<&'a dyn Nvml>,
    /// CUDA.
    pub cuda: Option<&'a dyn Cuda>,
    /// The machine around.
    pub machine: &'a dyn Machine,
}

/// Asks everybody at the same time and joins the answers.
pub fn collect(sources: Sources<'_>, depth: Depth, tool: Tool) -> Report {
    let (nvml, cuda, host, libraries) = thread::scope(|scope| {
        let nvml = scope.spawn(|| sources.nvml.map(|source| source.ask(depth)));
        let cuda = scope.spawn(|| sources.cuda.map(|source| source.ask(depth)));
        let host = sources.machine.look();
        let libraries = sources.machine.libraries(depth);
        let died = |what: &str| Status::Crashed {
            message: format!("the thread that asked {what} panicked"),
        };
        (
            nvml.join().unwrap_or_else(|_| {
                Some(NvmlPart {
                    status: died("NVML"),
                    ..NvmlPart::default()
                })
            }),
            cuda.join().unwrap_or_else(|_| {
                Some(CudaPart {
                    status: died("CUDA"),
                    ..CudaPart::default()
                })
            }),
            host,
            libraries,
        )
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    join(
        nvml,
        cuda,
        host,
        libraries,
        Stamp {
            tool,
            unix_seconds: now.map_or(0, |since| since.as_secs()),
            depth,
        },
    )
}

/// Who joined the parts, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Who.
    pub tool: Tool,
    /// When.
    pub unix_seconds: u64,
    /// How much was asked for.
    pub depth: Depth,
}

/// Joins what each source said into one report. Devices are the same when their UUID is.
pub fn join(
    nvml: Option<NvmlPart>,
    cuda: Option<CudaPart>,
    mut host: Host,
    other_libraries: Vec<Library>,
    stamp: Stamp,
) -> Report {
    let nvml_reason = missing_because(nvml.as_ref().map(|part| &part.status));
    let cuda_reason = missing_because(cuda.as_ref().map(|part| &part.status));
    let nvml = nvml.unwrap_or_default();
    let cuda = cuda.unwrap_or_default();

    let mut problems = Vec::new();
    for (part, status) in [("nvml", &nvml.status), ("cuda", &cuda.status)] {
        if !matches!(status, Status::Answered | Status::NotAsked) {
            problems.push(Problem {
                part: part.into(),
                device: None,
                message: status.describe(),
            });
        }
    }
    problems.extend(nvml.problems.iter().chain(&cuda.problems).cloned());

    let devices = join_devices(&nvml, &cuda, &nvml_reason, &cuda_reason);
    problems.extend(failed_fields(&nvml, &cuda));
    let links = join_links(
        &devices,
        &nvml,
        &cuda,
        &nvml_reason,
        &cuda_reason,
        stamp.depth,
    );
    let mut libraries: Vec<Library> = Vec::new();
    libraries.extend(cuda.library.clone());
    libraries.extend(other_libraries);
    libraries.extend(nvml.library.clone());
    drop_repetitions(&mut libraries);

    let driver = driver(&nvml, &cuda, &nvml_reason, &cuda_reason, &host, &libraries);
    let notes = notes(&devices, &host, &driver);
    host.absent
        .explain_nulls(&host.clone(), &Reason::NotApplicable);
    // A simulated driver says so in the names of its devices.
    let simulated = devices
        .iter()
        .filter_map(|device| device.name.as_deref())
        .any(|name| name.contains("(simulated)"));
    if simulated {
        for library in libraries.iter_mut().filter(|library| library.chosen) {
            if matches!(library.name.as_str(), "libcuda" | "libnvidia-ml") {
                library.origin = Origin::Simulated;
            }
        }
    }
    Report {
        schema: SCHEMA,
        tool: stamp.tool,
        collected_unix_seconds: stamp.unix_seconds,
        simulated,
        host,
        driver,
        devices,
        links,
        libraries,
        problems,
        notes,
    }
}

/// One problem for each device of which a source could not tell everything that it should.
fn failed_fields(nvml: &NvmlPart, cuda: &CudaPart) -> Vec<Problem> {
    let by_nvml = nvml
        .devices
        .iter()
        .map(|device| ("nvml", Some(device.uuid.clone()), &device.absent));
    let by_cuda = cuda
        .devices
        .iter()
        .map(|device| ("cuda", device.uuid.clone(), &device.absent));
    by_nvml
        .chain(by_cuda)
        .filter_map(|(part, device, absent)| {
            let failed: Vec<String> = absent
                .0
                .iter()
                .filter(|(_, reason)| reason.is_failure())
                .map(|(key, reason)| format!("{key} {reason}"))
                .collect();
            (!failed.is_empty()).then(|| Problem {
                part: part.into(),
                device,
                message: failed.join(", "),
            })
        })
        .collect()
}

/// Why everything that a source would have told is missing.
fn missing_because(status: Option<&Status>) -> Reason {
    match status {
        None | Some(Status::NotAsked) => Reason::NotCollected,
        Some(Status::Answered) => Reason::NotListed,
        Some(Status::TimedOut { .. }) => Reason::TimedOut,
        Some(_) => Reason::LibraryMissing,
    }
}

fn join_devices(
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

fn join_links(
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

/// The same file found in two ways is one library: what was opened by name knows more than what was
/// found on the disk, and stands before it.
fn drop_repetitions(libraries: &mut Vec<Library>) {
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

fn driver(
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

fn notes(devices: &[Device], host: &Host, driver: &Driver) -> Vec<String> {
    let mut notes = Vec::new();
    if orders_differ(devices) {
        let order = match (
            host.environment.get("CUDA_VISIBLE_DEVICES"),
            host.environment.get("CUDA_DEVICE_ORDER"),
        ) {
            (Some(visible), _) => format!("CUDA_VISIBLE_DEVICES is {visible}"),
            (None, Some(order)) => format!("CUDA_DEVICE_ORDER is {order}"),
            (None, None) => "CUDA_DEVICE_ORDER is not set".into(),
        };
        notes.push(format!(
            "nvml and cuda count these devices in different orders ({order})"
        ));
    }
    if let Some(value) = host.environment.get("CUDA_VISIBLE_DEVICES") {
        let hidden = devices
            .iter()
            .filter(|device| device.nvml_index.is_some() && device.cuda_index.is_none())
            .count();
        // Where all are hidden, cuInit says that there is none.
        let none = matches!(&driver.cuda_status, Status::Refused { code: 100, .. });
        if hidden > 0 && (none || driver.cuda_status.answered()) {
            notes.push(format!(
                "CUDA_VISIBLE_DEVICES={value} hides devices from CUDA ({hidden} of {})",
                devices.len()
            ));
        }
    }
    if devices
        .iter()
        .any(|device| device.cuda.integrated == Some(true))
    {
        notes.push(
            "an integrated device shares the host's memory: what NVML does not tell of its memory, the host's numbers do"
                .into(),
        );
    }
    if devices
        .iter()
        .any(|device| device.nvml.mig_enabled == Some(true))
    {
        notes.push(
            "a GPU that is split by MIG cannot be used whole, and NVML tells no utilisation of its instances"
                .into(),
        );
    }
    notes
}

/// Says whether NVML and CUDA count the devices that both list in different orders.
pub fn orders_differ(devices: &[Device]) -> bool {
    let mut both: Vec<(u32, u32)> = devices
        .iter()
        .filter_map(|device| Some((device.nvml_index?, device.cuda_index?)))
        .collect();
    both.sort_unstable();
    !both.is_sorted_by_key(|(_, cuda)| *cuda)
}
