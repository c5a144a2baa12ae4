//! Bad input to every public function of the two safe layers, from one table.
//!
//! The table is compared with the sources: a function that can fail and has no row, or whose parameters ask
//! for a case that its row lacks, fails the test. Each right call is also run with every C function that its
//! documentation names failing, with an old driver, and with its context destroyed under it.

#![expect(
    clippy::duplicate_mod,
    reason = "the rows are one text, read once for each house"
)]

#[path = "../layers_houses.rs"]
#[expect(
    unused_macros,
    unused_imports,
    reason = "the table has its own way to run in every house"
)]
mod houses;

mod driver;
mod runtime;
mod sources;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cuwhy_tests::{Wanted, here, shared_object, wanted};
use houses::{HOUSES, House, child};
use sources::functions;

/// What is bad about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    Null,
    Dangling,
    Zero,
    Beyond,
    Ordinal,
    Other,
}

/// What is wanted of a bad call. None may panic, and none may crash but where CUDA itself does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Refused,
    RefusedOnSim,
    Done,
    Either,
    Crash,
}

/// What a call came to.
#[derive(Debug)]
enum Came {
    Done,
    Failed {
        call: Option<String>,
        status: Option<u32>,
        missing: bool,
        says: String,
    },
    Panicked,
}

/// The runs, for one layer.
macro_rules! runs {
    ($layer:ident) => {
        pub(super) mod $layer {
            use super::*;
            use crate::$layer::rows::{Entry, all};
            use crate::$layer::{Place, destroy, house, place};

            pub(crate) fn names() -> Vec<(&'static str, BTreeSet<Case>)> {
                let cases = |entry: &Entry| entry.bad.iter().map(|(case, ..)| *case).collect();
                all()
                    .iter()
                    .map(|entry| (entry.name, cases(entry)))
                    .collect()
            }

            fn came(call: impl FnOnce() -> house::Result<()>) -> Came {
                match catch_unwind(AssertUnwindSafe(call)) {
                    Ok(Ok(())) => Came::Done,
                    Ok(Err(error)) => Came::Failed {
                        call: error.call().map(str::to_owned),
                        status: error.status().map(|status| status.0),
                        missing: error.is_missing(),
                        says: error.to_string(),
                    },
                    Err(_) => Came::Panicked,
                }
            }

            /// Every right call, by its name.
            pub(crate) fn right() -> Vec<(&'static str, Came)> {
                let place = place();
                let run = |entry: Entry| {
                    let came = came(|| (entry.right)(place.as_ref().map_err(again)?, &|| {}));
                    (entry.name, came)
                };
                all().into_iter().map(run).collect()
            }

            /// The place could not be had: the error that says so, made again.
            fn again(_: &house::Error) -> house::Error {
                match place() {
                    Err(error) => error,
                    Ok(_) => house::device::Device::new(u32::MAX).expect_err("no device"),
                }
            }

            /// Some right calls.
            pub(crate) fn some(names: &[String]) -> Vec<(&'static str, Came, u64)> {
                let run = |entry: Entry| {
                    let before = house::error::drop_failures();
                    let came = came(|| (entry.right)(&place()?, &|| {}));
                    (entry.name, came, house::error::drop_failures() - before)
                };
                let wanted = |entry: &Entry| names.iter().any(|name| name == entry.name);
                all().into_iter().filter(wanted).map(run).collect()
            }

            /// Every right call whose place is destroyed in the middle of it.
            pub(crate) fn destroyed() -> Vec<(&'static str, Came)> {
                let run = |entry: Entry| {
                    if DIES.contains(&entry.name) {
                        return (entry.name, Came::Done);
                    }
                    std::eprintln!("{}", entry.name);
                    let came = came(|| {
                        let place: Place = place()?;
                        (entry.right)(&place, &|| destroy(&place))
                    });
                    (entry.name, came)
                };
                all().into_iter().map(run).collect()
            }

            /// What bad calls did that was not wanted of them.
            pub(crate) fn bad() -> Vec<String> {
                let place = place().expect("a place");
                let hardware = wanted() == Wanted::Require;
                let mut wrong = Vec::new();
                for entry in all() {
                    for (index, (case, wants, call)) in entry.bad.into_iter().enumerate() {
                        if wants == Wants::Crash || hardware && wants == Wants::RefusedOnSim {
                            continue;
                        }
                        std::eprintln!("{} {index} {case:?}", entry.name);
                        let came = came(|| call(&place));
                        let good = match (&came, wants) {
                            (Came::Done, wants) => matches!(wants, Wants::Done | Wants::Either),
                            (Came::Failed { says, call, .. }, wants) => {
                                let named = call.as_ref().is_none_or(|call| says.contains(call));
                                named && wants != Wants::Done
                            }
                            (Came::Panicked, _) => false,
                        };
                        if !good {
                            wrong.push(format!(
                                "{} {index} {case:?} {wants:?}: {came:?}",
                                entry.name
                            ));
                        }
                    }
                }
                if house::error::drop_failures() > 0 {
                    wrong.push(format!("{} drops failed", house::error::drop_failures()));
                }
                // Nothing of all this may have spoilt the place.
                if let Came::Failed { says, .. } = came(|| place.synchronize()) {
                    wrong.push(says);
                }
                wrong
            }
        }
    };
}

mod run {
    use super::*;
    runs!(driver);
    runs!(runtime);
}

#[test]
fn every_function_that_can_fail_has_its_row_and_its_cases() {
    for (layer, rows) in [
        ("driver", run::driver::names()),
        ("runtime", run::runtime::names()),
    ] {
        let Some(functions) = functions(layer) else {
            return;
        };
        let mut wrong = Vec::new();
        let known: BTreeSet<&str> = rows.iter().map(|(name, _)| *name).collect();
        assert_eq!(known.len(), rows.len(), "{layer}: a row stands twice");
        let fallible: Vec<_> = functions.iter().filter(|function| function.fails).collect();
        assert!(fallible.len() > 150, "functions are found");
        for function in &fallible {
            let Some((_, cases)) = rows.iter().find(|(name, _)| *name == function.name) else {
                wrong.push(format!("{} has no row", function.name));
                continue;
            };
            for case in function.asks().difference(cases) {
                wrong.push(format!("{} lacks {case:?}", function.name));
            }
        }
        for name in known {
            if !fallible.iter().any(|function| function.name == name) {
                wrong.push(format!("{name} is no function"));
            }
        }
        assert!(wrong.is_empty(), "{layer}: {wrong:#?}");
    }
}

#[test]
fn every_function_that_calls_c_is_found_by_a_c_name() {
    for layer in ["driver", "runtime"] {
        let Some(functions) = functions(layer) else {
            return;
        };
        let lost: Vec<_> = functions
            .iter()
            .filter(|function| !function.calls.is_empty() && !function.has_alias())
            .map(|function| format!("{}: {:?}", function.name, function.calls))
            .collect();
        assert!(lost.is_empty(), "{layer}: {lost:#?}");
    }
}

/// What the simulator has none of: it answers "not supported" (801) there.
const NOT_SIMULATED: [&str; 9] = [
    "ipc dma_buf",
    "module Function::attribute",
    "module Function::launch",
    "pool Pool::export",
    "pool Pool::import",
    "pool PooledBuffer::export",
    "pool PooledBuffer::import",
    "virtual_memory Physical::export",
    "virtual_memory Physical::import",
];

/// What only the simulated driver has.
const NOT_IN_THE_FRONT: [&str; 2] = [
    "copy raw::copy_3d_with_order_async",
    "copy raw::copy_with_order_async",
];

#[test]
fn right_calls_are_done() {
    for house in HOUSES {
        let Some(child) = child(here!(), house, "right", "devices=2")
            .or_else(|| child(here!(), house, "right", ""))
        else {
            continue;
        };
        let hardware = wanted() == Wanted::Require;
        child
            .run(|| {
                let came = match house {
                    House::Driver => run::driver::right(),
                    House::Runtime(_) => run::runtime::right(),
                };
                let mut wrong = Vec::new();
                for (name, came) in came {
                    let front = house != House::Driver && NOT_IN_THE_FRONT.contains(&name);
                    let simulated = hardware || !(front || NOT_SIMULATED.contains(&name));
                    let good = match &came {
                        Came::Done => simulated || house == House::Runtime(11),
                        Came::Failed { missing: true, .. } => {
                            // Older runtimes, and a machine's driver, lack the newest functions.
                            hardware || matches!(house, House::Runtime(11 | 12))
                        }
                        // The simulated runtime of CUDA 12 knows no handle of a kernel.
                        Came::Failed { status, .. } => {
                            !simulated && matches!(status, Some(801 | 400))
                        }
                        Came::Panicked => false,
                    };
                    if !good {
                        wrong.push(format!("{name}: {came:?}"));
                    }
                }
                assert!(wrong.is_empty(), "{wrong:#?}");
            })
            .must_succeed();
    }
}

#[test]
fn bad_calls_are_refused() {
    for house in HOUSES {
        let Some(child) = child(here!(), house, "bad", "") else {
            continue;
        };
        child
            .run(|| {
                let wrong = match house {
                    House::Driver => run::driver::bad(),
                    House::Runtime(_) => run::runtime::bad(),
                };
                assert!(wrong.is_empty(), "{wrong:#?}");
            })
            .must_succeed();
    }
}

/// What dies on the simulator as it may on hardware when its place is destroyed under it: CUDA follows the
/// handle, or takes memory that is gone for the host's.
const DIES: [&str; 4] = [
    "array Array::download",
    "array Array::upload",
    "copy raw::copy_3d_peer",
    "copy raw::copy_3d_peer_async",
];

/// What a place's end under it does not concern: questions of devices, arithmetic, and what has its own
/// place.
const OF_NO_PLACE: [&str; 70] = [
    "copy Batch::device_to_device",
    "copy Batch::download",
    "copy Batch::upload",
    "copy HostPart::new",
    "device Device::all",
    "device Device::at_pci_address",
    "device Device::attribute",
    "device Device::can_access_peer",
    "device Device::compute_capability",
    "device Device::context",
    "device Device::count",
    "device Device::create",
    "device Device::current",
    "device Device::enter",
    "device Device::is_primary_active",
    "device Device::leave",
    "device Device::name",
    "device Device::new",
    "device Device::pci_address",
    "device Device::primary",
    "device Device::reset",
    "device Device::select",
    "device Device::total_memory",
    "device Device::uuid",
    "graph Graph::add_empty",
    "graph Graph::instantiate",
    "graph Graph::kind",
    "graph Graph::new",
    "graph Graph::nodes",
    "ipc EventHandle::of",
    "ipc EventHandle::open",
    "ipc OpenedMemory::open",
    "memory Bytes::of",
    "memory DeviceMemory::slice",
    "memory DeviceMemory::slice_mut",
    "memory DeviceSliceMut::split_at",
    "memory ManagedBuffer::as_mut_slice",
    "memory ManagedBuffer::as_slice",
    "memory ManagedBuffer::from_raw_parts",
    "memory Pitch::packed",
    "pointer attributes",
    "pool Pool::access",
    "pool Pool::current_of",
    "pool Pool::default_of",
    "pool Pool::make_current",
    "pool Pool::new",
    "pool Pool::release_threshold",
    "pool Pool::set_access",
    "pool Pool::set_release_threshold",
    "pool Pool::trim_to",
    "pool Pool::usage",
    "stream exchange_capture_mode",
    "version supports_batch_copies",
    "version supports_concurrent_managed_access",
    "version supports_error_log",
    "version supports_ipc",
    "version supports_managed_memory",
    "version supports_pageable_access",
    "version supports_pools",
    "version supports_read_only_registration",
    "version supports_virtual_memory",
    "version version",
    "virtual_memory Mapping::access",
    "virtual_memory Mapping::set_access",
    "virtual_memory Mapping::typed",
    "virtual_memory Mapping::typed_mut",
    "virtual_memory Physical::new",
    "virtual_memory Reservation::map",
    "virtual_memory Reservation::new",
    "virtual_memory granularity",
];

#[test]
fn a_place_that_is_destroyed_is_an_error() {
    // Not compared with a real GPU: what its driver does with such handles is undefined (measured: H200,
    // driver 580, once 0 and once a crash).
    for house in [House::Driver, House::Runtime(13)] {
        let Some(child) = child(here!(), house, "destroyed", "devices=2") else {
            continue;
        };
        child
            .run(|| {
                let came = match house {
                    House::Driver => run::driver::destroyed(),
                    House::Runtime(_) => run::runtime::destroyed(),
                };
                let is = |wanted: fn(&Came) -> bool| {
                    let names = came.iter().filter(|(_, came)| wanted(came));
                    names.map(|(name, _)| *name).collect::<BTreeSet<_>>()
                };
                let panicked = is(|came| matches!(came, Came::Panicked));
                assert!(panicked.is_empty(), "{panicked:#?}");
                if house == House::Driver {
                    let done = is(|came| matches!(came, Came::Done));
                    let known = OF_NO_PLACE.into_iter().chain(DIES).collect();
                    assert_eq!(done, known);
                }
            })
            .must_succeed();
    }
}

/// Right calls of functions whose documentation names a C function that the call does not come to, and why.
const NOT_REACHED: [(&str, &str, &str); 18] = [
    ("copy Scope::batch", "cuMemcpyBatchAsync", "older"),
    (
        "copy raw::copy_3d_batch_async",
        "cuMemcpy3DBatchAsync",
        "older",
    ),
    (
        "device Device::current",
        "cuDevicePrimaryCtxRetain",
        "nothing is current",
    ),
    ("device Device::uuid", "cuDeviceGetUuid", "older"),
    (
        "ipc EventHandle::open",
        "cuIpcOpenEventHandle",
        "refused in one process, whatever the answer",
    ),
    (
        "ipc OpenedMemory::open",
        "cuIpcCloseMemHandle",
        "refused in one process",
    ),
    (
        "ipc OpenedMemory::open",
        "cuIpcOpenMemHandle_v2",
        "refused in one process, whatever the answer",
    ),
    ("memory ManagedBuffer::advise", "cuMemAdvise", "older"),
    (
        "memory ManagedBuffer::prefetch",
        "cuMemPrefetchAsync",
        "older",
    ),
    (
        "pool Pool::import",
        "cuMemPoolImportFromShareableHandle",
        "not simulated",
    ),
    (
        "pool PooledBuffer::export",
        "cuMemPoolExportPointer",
        "not simulated",
    ),
    (
        "pool PooledBuffer::from_pool",
        "cuMemAllocAsync",
        "for the current pool",
    ),
    (
        "pool PooledBuffer::import",
        "cuMemFreeAsync",
        "not simulated",
    ),
    (
        "pool PooledBuffer::import",
        "cuMemPoolImportPointer",
        "not simulated",
    ),
    (
        "pool PooledBuffer::new",
        "cuMemAllocFromPoolAsync",
        "for another pool",
    ),
    (
        "pool raw::allocate",
        "cuMemAllocFromPoolAsync",
        "for another pool",
    ),
    (
        "version version",
        "cuDriverGetVersion",
        "asked once, when the library is loaded",
    ),
    (
        "virtual_memory Physical::import",
        "cuMemImportFromShareableHandle",
        "not simulated",
    ),
];

/// How a child is told which rows name the C function that fails for it.
const ROWS: &str = "CUWHY_TEST_ROWS";

#[test]
fn whatever_c_function_fails_it_is_an_error_that_names_it() {
    // A child knows its part already, and needs not read the sources.
    let told = std::env::var(ROWS).ok();
    let named = told.map_or_else(rows_by_call, |told| {
        let (call, names) = told.split_once('|').unwrap_or_default();
        Some(vec![(
            call.to_owned(),
            names.split(';').map(str::to_owned).collect(),
        )])
    });
    let Some(named) = named else { return };
    let mut silent = BTreeSet::new();
    for (call, names) in &named {
        let options = format!("devices=2,fail={call}:*:2");
        for house in [House::Driver, House::Runtime(13)] {
            let Some(child) = child(here!(), house, call, &options) else {
                return;
            };
            let child = child.env(ROWS, format!("{call}|{}", names.join(";")));
            let outcome = child.run(|| {
                // Which calls of the driver a runtime makes is its own affair: there it only must not panic.
                let came = match house {
                    House::Driver => run::driver::some(names),
                    House::Runtime(_) => run::runtime::some(names),
                };
                for (name, came, dropped) in came {
                    let failed = match &came {
                        Came::Done => dropped > 0,
                        Came::Failed {
                            call: of,
                            status,
                            says,
                            ..
                        } => of.as_ref() == Some(call) && *status == Some(2) && says.contains(call),
                        Came::Panicked => panic!("{name} panicked"),
                    };
                    if !failed && house == House::Driver {
                        std::println!("SILENT {name}|{call}|{came:?}");
                    }
                }
            });
            outcome.must_succeed();
            silent.extend(silences(&outcome.output));
        }
    }
    let known = NOT_REACHED.map(|(name, call, _)| (name.to_owned(), call.to_owned()));
    assert_eq!(silent, BTreeSet::from(known));
}

/// What a child said of calls that did not fail: the row and the C function.
fn silences(output: &str) -> impl Iterator<Item = (String, String)> {
    let lines = output.lines().filter_map(|line| line.split_once("SILENT "));
    lines.filter_map(|(_, rest)| {
        let mut parts = rest.splitn(3, '|').map(str::to_owned);
        Some((parts.next()?, parts.next()?))
    })
}

/// The C functions that documentation names, each with the rows of whoever names it.
fn rows_by_call() -> Option<Vec<(String, Vec<String>)>> {
    let mut named = std::collections::BTreeMap::<String, Vec<String>>::new();
    for function in functions("driver")?
        .into_iter()
        .filter(|function| function.fails)
    {
        for call in function.says {
            named.entry(call).or_default().push(function.name.clone());
        }
    }
    Some(named.into_iter().collect())
}

/// A library with the functions of the simulated driver that a driver for 11.0 has, and no others: each of
/// them jumps to the simulator's.
fn old_driver(table: &str, simulator: &Path) -> String {
    let old = |line: &str| {
        let (name, rest) = line.trim().strip_prefix("fn ")?.split_once('(')?;
        let since = rest.rsplit_once(" = ")?.1;
        let since: u32 = since.split([',', ';']).next()?.parse().ok()?;
        (since <= 11_000).then(|| name.to_owned())
    };
    let names: BTreeSet<String> = table.lines().filter_map(old).collect();
    let mut text = String::from("#include <dlfcn.h>\n");
    for name in &names {
        text += &format!(
            "static void *to_{name}; __attribute__((naked)) void {name}(void) \
             {{ __asm__(\"jmp *%0\" :: \"m\"(to_{name})); }}\n"
        );
    }
    text += "__attribute__((constructor)) static void find(void) {\n";
    text += &format!("void *all = dlopen({simulator:?}, RTLD_NOW | RTLD_LOCAL);\n");
    for name in &names {
        text += &format!("to_{name} = dlsym(all, \"{name}\");\n");
    }
    text + "}\n"
}

#[test]
fn an_old_driver_lacks_functions_and_says_so() {
    // Not compared with such a driver: its functions are those that the headers call no newer.
    if cfg!(not(target_arch = "x86_64")) || wanted() == Wanted::Require {
        return;
    }
    let Some(compiler) = cuwhy_tests::compiler() else {
        return;
    };
    let cuwhy_tests::House::Workspace(root) = cuwhy_tests::house() else {
        return;
    };
    let table = std::fs::read_to_string(root.join("cuda-sys/src/generated/driver/table.rs"));
    let simulator = cuwhy_tests::shared_library("cuwhy-sim", "libcuwhy_sim.so");
    let text = old_driver(&table.expect("the bindings"), simulator.as_ref());
    let folder = tempfile::tempdir().expect("a folder");
    let name = "libcuda.so.1";
    let library = shared_object(&compiler, folder.path(), name, name, None, &text);
    let child =
        child(here!(), House::Driver, "11.0", "devices=2,driver=11.0").expect("the simulator");
    child
        .env("CUWHY_LIBCUDA", library)
        .run(|| {
            let Some(functions) = functions("driver") else {
                return;
            };
            let driver = cuda_sys::driver::Driver::get().expect("a driver");
            let lacks = |call: &String| !driver.has(call);
            let mut wrong = Vec::new();
            let mut missing = 0;
            for (name, came) in run::driver::right() {
                let function = functions.iter().find(|function| function.name == name);
                let calls = function.map_or(&[][..], |function| &function.says[..]);
                let needs = !calls.is_empty() && calls.iter().all(lacks);
                let lacked = matches!(came, Came::Failed { missing: true, .. });
                missing += usize::from(lacked);
                let good = match &came {
                    Came::Panicked => false,
                    Came::Done => !needs,
                    // What it is made of may be missing.
                    Came::Failed { missing: true, .. } => true,
                    Came::Failed { status, .. } => *status == Some(801) && !needs,
                };
                if !good {
                    wrong.push(format!("{name}: {came:?}"));
                }
            }
            assert!(wrong.is_empty(), "{wrong:#?}");
            assert!(missing > 20, "{missing}");
        })
        .must_succeed();
}
