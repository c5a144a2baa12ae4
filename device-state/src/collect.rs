//! Asking all sources side by side, and joining what they say.

mod devices;
mod driver;

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::absent::Reason;
use crate::device::Device;
use crate::library::{Library, Origin};
use crate::parts::{Cuda, CudaPart, Depth, Machine, Nvml, NvmlPart};
use crate::report::{Driver, Host, Problem, Report, SCHEMA, Status, Tool};

use devices::{join_devices, join_links};
pub use driver::version_text;
use driver::{driver, drop_repetitions};

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
