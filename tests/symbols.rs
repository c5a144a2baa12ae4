//! The functions of the runtime against the real libraries of every pinned release. No GPU is needed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cuda_sys::driver::Driver;
use cuda_sys::runtime::{Major, Runtime, Table, cudaError_t, v11, v12, v13};
use cuda_sys::{FoundBy, Symbol, Version};
use cuwhy_tests::{Child, Toolkit, here, skip, toolkits};
use object::{Object as _, ObjectSymbol as _};

/// What the file exports, read from the file itself.
fn exported(library: &Path) -> BTreeSet<String> {
    let bytes = fs::read(library).expect("the library can be read");
    let file = object::File::parse(&*bytes).expect("the library is an ELF file");
    let symbols = file
        .dynamic_symbols()
        .filter(|symbol| !symbol.is_undefined());
    symbols
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
        .collect()
}

fn own(version: Version) -> &'static [Symbol] {
    match version.major() {
        11 => v11::Table::SYMBOLS,
        12 => v12::Table::SYMBOLS,
        _ => v13::Table::SYMBOLS,
    }
}

/// The functions that a library of this version is to have.
fn of_version(version: Version) -> impl Iterator<Item = &'static Symbol> {
    let all = Table::SYMBOLS.iter().chain(own(version));
    all.filter(move |symbol| {
        symbol.since <= version && symbol.until.is_none_or(|until| version <= until)
    })
}

/// Runs `body` for every toolkit that is there, each in a process of its own.
fn with_each(test: &str, body: impl Fn(&Toolkit)) {
    for toolkit in toolkits() {
        let child = Child::new(test, &toolkit.version.to_string());
        let outcome = child.run(|| body(&toolkit));
        outcome.must_succeed();
    }
}

fn is_newest_of_its_major(version: Version) -> bool {
    Major::ALL.iter().any(|major| major.newest() == version)
}

#[test]
fn every_function_that_a_version_is_to_have_is_exported_by_its_library() {
    for Toolkit {
        version, runtime, ..
    } in toolkits()
    {
        let exported = exported(&runtime);
        let missing: Vec<&str> = of_version(version)
            .map(|symbol| symbol.name)
            .filter(|name| !exported.contains(*name))
            .collect();
        assert!(missing.is_empty(), "libcudart {version} lacks {missing:?}");
    }
}

/// Families that other headers declare: `cuda_gl_interop.h`, `cudaEGL.h`, `cuda_vdpau_interop.h`,
/// `cuda_profiler_api.h`; and what is in no header at all.
const OF_OTHER_HEADERS: [&str; 6] = ["GL", "EGL", "Egl", "VDPAU", "Profiler", "cudaSubgrid"];

/// Exports that the public header of their version renames or does not declare: a library keeps them
/// for programs that were built against an older header, with the structs of that header.
const KEPT_FOR_OLD_PROGRAMS: [&str; 9] = [
    "cudaGetDeviceProperties",
    "cudaSignalExternalSemaphoresAsync",
    "cudaSignalExternalSemaphoresAsync_ptsz",
    "cudaStreamGetCaptureInfo",
    "cudaStreamGetCaptureInfo_ptsz",
    "cudaStreamUpdateCaptureDependencies",
    "cudaStreamUpdateCaptureDependencies_ptsz",
    "cudaWaitExternalSemaphoresAsync",
    "cudaWaitExternalSemaphoresAsync_ptsz",
];

/// Functions of 11.7 whose argument became another type in 11.8, under the same name.
const RETYPED_IN_11_8: [&str; 6] = [
    "cudaGraphKernelNodeGetAttribute",
    "cudaGraphKernelNodeSetAttribute",
    "cudaStreamGetAttribute",
    "cudaStreamGetAttribute_ptsz",
    "cudaStreamSetAttribute",
    "cudaStreamSetAttribute_ptsz",
];

/// Functions of 11.7 that take a `cudaTextureDesc` of 72 bytes, where ours has the 68 of 11.8: absent.
const TOO_LARGE_IN_11_7: [&str; 2] = ["cudaCreateTextureObject", "cudaGetTextureObjectTextureDesc"];

/// Whether we leave out a function that the library of this version has.
fn left_out(version: Version, name: &str) -> bool {
    version == Version::new(11, 7) && TOO_LARGE_IN_11_7.contains(&name)
}

#[test]
fn no_public_function_is_unknown() {
    for Toolkit {
        version, runtime, ..
    } in toolkits()
    {
        let known: BTreeSet<&str> = of_version(version).map(|symbol| symbol.name).collect();
        let declared_elsewhere = |name: &str| {
            !name.starts_with("cuda")
                || OF_OTHER_HEADERS.iter().any(|family| name.contains(family))
                || KEPT_FOR_OLD_PROGRAMS.contains(&name)
                || version == Version::new(11, 7) && RETYPED_IN_11_8.contains(&name)
        };
        let unknown: Vec<String> = exported(&runtime)
            .into_iter()
            .filter(|name| !known.contains(&**name) && !declared_elsewhere(name))
            .collect();
        assert_eq!(unknown, [""; 0], "libcudart {version}");
    }
}

#[test]
fn an_opened_library_tells_its_major_and_its_version() {
    with_each(here!(), |toolkit| {
        let runtime = Runtime::open(&toolkit.runtime).unwrap();
        assert_eq!(runtime.major().version().major(), toolkit.version.major());
        assert_eq!(runtime.file().found_by(), &FoundBy::Caller);
        assert_eq!(
            runtime.file().real_path(),
            toolkit.runtime.canonicalize().unwrap()
        );
        // CUDA 11 tells its version only to those who have a driver.
        let told = runtime.version();
        if told != runtime.major().version() {
            assert_eq!(told, toolkit.version);
        } else {
            assert!(toolkit.version.major() == 11 || toolkit.version.minor() == 0);
        }
        let tables = [
            runtime.v11().is_some(),
            runtime.v12().is_some(),
            runtime.v13().is_some(),
        ];
        assert_eq!(tables, Major::ALL.map(|major| major == runtime.major()));
    });
}

#[test]
fn the_newest_of_each_major_lacks_nothing() {
    with_each(here!(), |toolkit| {
        if is_newest_of_its_major(toolkit.version) {
            let runtime = Runtime::open(&toolkit.runtime).unwrap();
            let absent: Vec<&str> = runtime.absent().map(|symbol| symbol.name).collect();
            assert_eq!(absent, [""; 0]);
        }
    });
}

#[test]
fn an_older_one_lacks_exactly_what_came_later() {
    with_each(here!(), |toolkit| {
        let runtime = Runtime::open(&toolkit.runtime).unwrap();
        let mut absent: Vec<&str> = runtime.absent().map(|symbol| symbol.name).collect();
        let newest = runtime.major().newest();
        let mut later: Vec<&str> = Table::SYMBOLS
            .iter()
            .chain(own(newest))
            .filter(|symbol| {
                toolkit.version < symbol.since && symbol.since <= newest
                    || left_out(toolkit.version, symbol.name)
            })
            .map(|symbol| symbol.name)
            .filter(|name| !KEPT_FOR_OLD_PROGRAMS.contains(name))
            .filter(|name| {
                toolkit.version != Version::new(11, 7) || !RETYPED_IN_11_8.contains(name)
            })
            .collect();
        absent.sort_unstable();
        later.sort_unstable();
        assert_eq!(absent, later);
    });
}

#[test]
fn a_missing_function_says_which_version_has_it() {
    with_each(here!(), |toolkit| {
        let runtime = Runtime::open(&toolkit.runtime).unwrap();
        for symbol in runtime.absent() {
            let text = runtime.find(symbol.name).unwrap_err().to_string();
            let needs = format!("{} needs a runtime for CUDA {}", symbol.name, symbol.since);
            assert!(text.starts_with(&needs), "{text}");
            assert!(text.contains("; this one is for "), "{text}");
        }
    });
}

#[test]
fn thirty_five_with_driver_version_zero_is_no_driver() {
    if let Ok(driver) = Driver::get() {
        skip(&format!("there is a driver for CUDA {}", driver.version()));
        return;
    }
    with_each(here!(), |toolkit| {
        let runtime = Runtime::open(&toolkit.runtime).unwrap();
        let mut count = 0;
        // SAFETY: `count` is a live `c_int`.
        let status = unsafe { runtime.cudaGetDeviceCount(&raw mut count) };
        assert_eq!(status, cudaError_t::cudaErrorInsufficientDriver);
        assert!(runtime.no_driver(status));
        assert!(!runtime.no_driver(cudaError_t::cudaSuccess));
        assert!(!runtime.no_driver(cudaError_t::cudaErrorInvalidValue));
    });
}

/// A library that exports an old function under a name that a later major uses for another one
/// must not be called with the later one's arguments.
#[test]
fn a_name_that_came_with_a_later_major_is_not_bound_in_an_earlier_one() {
    with_each(here!(), |toolkit| {
        let runtime = Runtime::open(&toolkit.runtime).unwrap();
        let major = toolkit.version.major();
        for symbol in Table::SYMBOLS {
            let of_later = symbol.since.major() > major;
            let of_earlier = symbol.until.is_some_and(|until| until.major() < major);
            if of_later || of_earlier {
                assert!(!runtime.has(symbol.name), "{}", symbol.name);
            }
        }
    });
}

/// Libraries of three majors in one process do not take each other's functions.
#[test]
fn several_majors_live_in_one_process() {
    let opened: Vec<(Version, &Runtime)> = toolkits()
        .into_iter()
        .map(|toolkit| (toolkit.version, Runtime::open(&toolkit.runtime).unwrap()))
        .collect();
    for (version, runtime) in opened {
        assert_eq!(runtime.major().version().major(), version.major());
        for symbol in of_version(version) {
            assert_eq!(
                runtime.find(symbol.name).is_err(),
                left_out(version, symbol.name),
                "{} {version}",
                symbol.name
            );
            assert_eq!(
                runtime.has(symbol.name),
                runtime.find(symbol.name).is_ok(),
                "{} {version}",
                symbol.name
            );
        }
    }
}
