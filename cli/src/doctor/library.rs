//! Checks of library files.

use cuwhy_device_state::{Library, Origin, Report, Status};

use super::check::Outcome;
use crate::inspect::tables::first_line;

fn chosen<'a>(report: &'a Report, name: &str) -> Option<&'a Library> {
    report
        .libraries
        .iter()
        .find(|library| library.chosen && library.name == name)
}

fn path(library: &Library) -> String {
    library
        .loaded_from
        .clone()
        .unwrap_or_else(|| "unknown".into())
}

fn tried(library: Option<&Library>) -> Vec<(String, String)> {
    library
        .map(|library| {
            library
                .tried
                .iter()
                .map(|attempt| {
                    (
                        "tried".to_owned(),
                        format!("{}: {}", attempt.candidate, attempt.result),
                    )
                })
                .collect()
        })
        .unwrap_or_default()
}

/// The first line of a library's message, without the next step that a check has of its own.
fn cause(message: &str) -> String {
    let line = first_line(message);
    line.split_once("; next: ")
        .map_or(line.clone(), |(cause, _)| cause.to_owned())
}

/// Whether this variable names a file, so that nothing else is looked for.
fn named(report: &Report, variable: &str) -> bool {
    let value = report.host.environment.get(variable);
    value.is_some_and(|value| !value.is_empty())
}

/// Driver files on this machine that are not stubs.
fn real_drivers(report: &Report) -> Vec<&Library> {
    report
        .libraries
        .iter()
        .filter(|library| {
            library.name == "libcuda"
                && !library.chosen
                && matches!(
                    library.origin,
                    Origin::Driver | Origin::Wsl | Origin::Compat
                )
        })
        .collect()
}

/// `library.driver.found`.
pub(super) fn driver_found(report: &Report) -> Outcome {
    let library = chosen(report, "libcuda");
    match &report.driver.cuda_status {
        Status::NotAsked => Outcome::skip("CUDA was not asked (--no-cuda)"),
        Status::NotLoaded { message } => {
            let mut outcome = Outcome::fail(cause(message)).saw_all(tried(library));
            for real in real_drivers(report) {
                outcome = outcome.saw("on disk", path(real));
            }
            if named(report, "CUWHY_LIBCUDA") {
                return outcome
                    .next("correct CUWHY_LIBCUDA, or unset it to have the library looked for");
            }
            outcome.next(match real_drivers(report).first() {
                Some(_) => "the file is there and cannot be opened by name: add its folder to the loader's cache (ldconfig) or to LD_LIBRARY_PATH",
                None => "install the NVIDIA driver, or start the container with the GPU passed through",
            })
        }
        _ => match library {
            Some(library) => Outcome::pass(path(library)).saw_all(tried(Some(library))),
            None => Outcome::pass("answered"),
        },
    }
}

/// `library.driver.stub`.
pub(super) fn driver_stub(report: &Report) -> Outcome {
    let library = chosen(report, "libcuda");
    let by_status = matches!(report.driver.cuda_status, Status::Stub { .. })
        || matches!(&report.driver.cuda_status, Status::Refused { code: 34, .. });
    let by_place = library.is_some_and(|library| library.origin == Origin::Stub);
    // Our loader goes on to the next candidate; programs get the first one, which stays mapped.
    let passed_over = report.libraries.iter().find(|library| {
        let real = library.real_path.as_ref().or(library.loaded_from.as_ref());
        library.name == "libcuda"
            && library.origin == Origin::Stub
            && real.is_some_and(|real| report.driver.libcuda_mapped.contains(real))
    });
    let (mut outcome, stub) = match (by_status || by_place, passed_over) {
        (true, _) => (
            Outcome::fail("the library that was loaded is a build-time stub"),
            library.map(path).unwrap_or_default(),
        ),
        (false, Some(stub)) => (
            Outcome::fail(
                "a build-time stub comes first in the search path: programs get it in place of the driver",
            ),
            path(stub),
        ),
        (false, None) => return Outcome::pass("not a stub"),
    };
    let entry = search_path_entry(report, &stub);
    outcome = outcome.saw(
        "loaded",
        match entry {
            Some(place) => format!("{stub}   (LD_LIBRARY_PATH, entry {place})"),
            None => stub.clone(),
        },
    );
    let loaded = library.filter(|_| !by_status && !by_place);
    for real in loaded.into_iter().chain(real_drivers(report)) {
        outcome = outcome.saw("real", real.real_path.clone().unwrap_or_else(|| path(real)));
    }
    outcome.next(if entry.is_some() {
        "remove the stubs folder from LD_LIBRARY_PATH"
    } else {
        "remove the stub from where the loader finds it; stubs are for linking only"
    })
}

/// The place of a file's folder in `LD_LIBRARY_PATH`, counted from 1.
fn search_path_entry(report: &Report, file: &str) -> Option<usize> {
    let folder = file.rsplit_once('/')?.0;
    let list = report.host.environment.get("LD_LIBRARY_PATH")?;
    list.split([':', ';'])
        .position(|entry| entry.trim_end_matches('/') == folder)
        .map(|place| place + 1)
}

/// `library.driver.compat`.
pub(super) fn driver_compat(report: &Report) -> Outcome {
    let Some(library) = chosen(report, "libcuda") else {
        return Outcome::skip("the library is not known");
    };
    let describe = |outcome: Outcome| {
        outcome
            .saw("loaded", path(library))
            .saw("status", report.driver.cuda_status.describe())
            .saw(
                "kernel module",
                report
                    .host
                    .module_version
                    .clone()
                    .unwrap_or_else(|| "not seen".into()),
            )
    };
    match (&report.driver.cuda_status, library.origin) {
        (Status::Refused { code: 803, .. }, _) => describe(Outcome::fail(
            "libcuda and the kernel module do not belong together",
        ))
        .next("use the libcuda of the installed driver: remove the compat folder from LD_LIBRARY_PATH, or reboot after a driver update"),
        (Status::Refused { code: 804, .. }, _) => describe(Outcome::fail(
            "forward compatibility is not offered for this device",
        ))
        .next("remove the compat folder from LD_LIBRARY_PATH and use the driver's own libcuda, or update the driver"),
        (status, Origin::Compat) if status.answered() => {
            Outcome::pass(format!("a forward-compatibility package is in use: {}", path(library)))
        }
        (_, Origin::Compat) => describe(Outcome::fail("the forward-compatibility package does not start"))
            .next("remove the compat folder from LD_LIBRARY_PATH"),
        _ => Outcome::pass("no compatibility package"),
    }
}

/// `library.driver.twice`.
pub(super) fn driver_twice(report: &Report) -> Outcome {
    let mapped = &report.driver.libcuda_mapped;
    match mapped.len() {
        0 => Outcome::skip("what is mapped is not known"),
        1 => Outcome::pass("one file mapped"),
        _ => {
            let mut outcome = Outcome::fail("two files of libcuda are mapped at once");
            for file in mapped {
                outcome = outcome.saw("mapped", file);
            }
            outcome.next("have one libcuda on the search path: programs that use both APIs would talk to two drivers")
        }
    }
}

/// `library.nvml.found`.
pub(super) fn nvml_found(report: &Report) -> Outcome {
    let library = chosen(report, "libnvidia-ml");
    match &report.driver.nvml_status {
        Status::NotAsked => Outcome::skip("NVML was not asked (--no-nvml)"),
        Status::Answered => Outcome::pass(library.map_or_else(|| "answered".into(), path)),
        Status::NotLoaded { message } if named(report, "CUWHY_LIBNVML") => {
            Outcome::fail(cause(message))
                .saw_all(tried(library))
                .next("correct CUWHY_LIBNVML, or unset it to have the library looked for")
        }
        Status::NotLoaded { message } => Outcome::fail(cause(message))
            .saw_all(tried(library))
            .next("CUDA may work without it, monitoring does not: install the driver's utilities, or give the container the capability utility"),
        Status::Refused { name, .. } if name == "NVML_ERROR_LIB_RM_VERSION_MISMATCH" => {
            Outcome::pass(format!("{}; see library.agree", library.map_or_else(|| "found".into(), path)))
        }
        status => Outcome::fail(format!("NVML does not start: {}", status.describe()))
            .saw_all(tried(library))
            .next(if matches!(status, Status::Refused { code: 9, .. }) {
                "load the NVIDIA kernel module, or pass the GPU into the container"
            } else {
                "see whether nvidia-smi works; the kernel's log (dmesg) has the driver's own words"
            }),
    }
}

/// `library.agree`.
pub(super) fn agree(report: &Report) -> Outcome {
    let module = report.host.module_version.clone();
    let nvml = report
        .driver
        .nvml_version
        .clone()
        .and_then(|version| driver_part(&version));
    let libcuda = chosen(report, "libcuda");
    let cuda = libcuda
        .filter(|library| library.version_source.as_deref() == Some("file name"))
        .filter(|library| !matches!(library.origin, Origin::Compat | Origin::Simulated))
        .and_then(|library| library.version.clone());
    let mut outcome_evidence = Vec::new();
    let mut versions = Vec::new();
    for (name, version) in [
        ("kernel module", &module),
        ("NVML", &nvml),
        ("libcuda", &cuda),
    ] {
        if let Some(version) = version {
            outcome_evidence.push((name.to_owned(), version.clone()));
            if !versions.contains(version) {
                versions.push(version.clone());
            }
        }
    }
    let refused = matches!(&report.driver.nvml_status, Status::Refused { name, .. } if name == "NVML_ERROR_LIB_RM_VERSION_MISMATCH");
    if refused || versions.len() > 1 {
        return Outcome::fail("the kernel module and the libraries are of different versions")
            .saw_all(outcome_evidence)
            .saw("NVML says", report.driver.nvml_status.describe())
            .next("the driver was updated while its old module stayed loaded: reboot, or unload and load the module");
    }
    match (outcome_evidence.len(), versions.pop()) {
        (2.., Some(version)) => Outcome::pass(version).saw_all(outcome_evidence),
        _ => Outcome::skip("fewer than two versions are known"),
    }
}

/// NVML writes `13.580.95.05`: the CUDA major and the driver's version; older ones only the latter.
fn driver_part(version: &str) -> Option<String> {
    let (first, rest) = version.split_once('.')?;
    let first: u32 = first.parse().ok()?;
    if first < 100 {
        Some(rest.to_owned())
    } else {
        Some(version.to_owned())
    }
}

/// `library.runtime.found`.
pub(super) fn runtime_found(report: &Report) -> Outcome {
    match chosen(report, "libcudart") {
        Some(library) if library.loaded_from.is_some() => Outcome::pass(format!(
            "{} {}",
            library.version.clone().unwrap_or_default(),
            path(library)
        )),
        _ => {
            let found: Vec<&Library> = report
                .libraries
                .iter()
                .filter(|library| library.name == "libcudart")
                .filter(|library| library.loaded_from.is_some())
                .collect();
            match found.first() {
                Some(first) => Outcome::pass(format!(
                    "{} on disk, none by name: {}",
                    found.len(),
                    path(first)
                )),
                None => Outcome::skip("not found; a program may contain it"),
            }
        }
    }
}

/// The oldest driver branch for each major of the runtime.
const BRANCHES: [(u32, u32); 3] = [(11, 450), (12, 525), (13, 580)];

/// `library.runtime.fits`.
pub(super) fn runtime_fits(report: &Report) -> Outcome {
    let number = |version: &str| -> Option<(u32, u32)> {
        let mut parts = version.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let runtimes: Vec<(&Library, (u32, u32))> = report
        .libraries
        .iter()
        .filter(|library| library.name == "libcudart")
        .filter_map(|library| Some((library, number(library.version.as_deref()?)?)))
        .collect();
    let Some(driver) = report.driver.cuda.as_deref().and_then(number) else {
        return Outcome::skip("the driver's CUDA version is not known");
    };
    if runtimes.is_empty() {
        return Outcome::skip("no runtime with a known version");
    }
    let branch: Option<u32> = report
        .driver
        .version
        .as_deref()
        .and_then(|version| version.split('.').next()?.parse().ok());
    let driver_text = format!("{}.{}", driver.0, driver.1);
    let mut unfit: Vec<&(&Library, (u32, u32))> = runtimes
        .iter()
        .filter(|(_, version)| version.0 > driver.0)
        .collect();
    unfit.sort_by_key(|(library, _)| !library.chosen);
    if let Some((library, version)) = unfit.first() {
        let oldest = BRANCHES
            .iter()
            .find(|(major, _)| *major == version.0)
            .map(|(_, branch)| format!("{branch}"));
        let words = format!(
            "runtime {}.{} is newer than the driver, which is for CUDA {driver_text}",
            version.0, version.1
        );
        let outcome = if library.chosen {
            Outcome::fail(words)
        } else {
            Outcome::warn(words)
        };
        let outcome = outcome.saw("runtime", path(library)).saw(
            "driver",
            match branch {
                Some(branch) => format!("branch {branch}, CUDA {driver_text}"),
                None => format!("CUDA {driver_text}"),
            },
        );
        return outcome.next(match oldest {
            Some(oldest) => format!(
                "programs with this runtime get error 35: use runtime {}, or a driver of branch {oldest} or later",
                driver.0
            ),
            None => format!("programs with this runtime get error 35: use runtime {}", driver.0),
        });
    }
    let (_, version) = runtimes
        .iter()
        .find(|(library, _)| library.chosen)
        .unwrap_or(&runtimes[0]);
    if version.0 == driver.0 && version.1 > driver.1 {
        return Outcome::pass(format!(
            "runtime {}.{} on a driver for {driver_text}: same major, newer functions answer 36 or 801",
            version.0, version.1
        ));
    }
    Outcome::pass(format!(
        "runtime {}.{}, driver for {driver_text}",
        version.0, version.1
    ))
}

/// `library.symbols`.
pub(super) fn symbols(report: &Report) -> Outcome {
    let Some(library) = chosen(report, "libcuda") else {
        return Outcome::skip("the library is not known");
    };
    let (Some(wanted), Some(found), Some(absent)) = (
        library.functions_wanted,
        library.functions_found,
        &library.functions_absent,
    ) else {
        return Outcome::skip("its functions were not counted");
    };
    let number = |text: &str| -> Option<(u32, u32)> {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let driver = report.driver.cuda.as_deref().and_then(number);
    let older: Vec<String> = absent
        .iter()
        .filter(|function| {
            let since = function.since.as_deref().and_then(number);
            since.is_some() && driver.is_some() && since <= driver
        })
        .map(|function| {
            format!(
                "{} ({})",
                function.name,
                function.since.as_deref().unwrap_or("?")
            )
        })
        .collect();
    let counted = format!("{found} of {wanted}");
    if older.is_empty() {
        return Outcome::pass(if absent.is_empty() {
            counted
        } else {
            format!("{counted}; the rest is newer than this driver")
        });
    }
    Outcome::warn(format!(
        "{counted}; absent although this driver is new enough"
    ))
    .saw("absent", older.join(", "))
    .next("calls of these answer 302; a sandbox or another libcuda may hide them")
}
