//! What does it cost to open CUDA's libraries and to bind what a copy needs?
//!
//! A library that is open stays open, and the second `dlopen` of a process is a look-up. So each
//! load is made by a child of this program that does nothing else: it takes the time around its
//! load and prints it. The time that the child takes to start is not in it; the file is in the
//! kernel's page cache, as it is for every program but the first.
//!
//! | way | what is timed |
//! | --- | --- |
//! | bare dlopen | `dlopen` of the file |
//! | dlopen and symbols | the same, and `dlsym` of the functions that a copy needs |
//! | ours | the file is named: open, ask for the version; functions are looked up at their first call |
//! | ours and symbols | the same, and the look-up of the functions that a copy needs |
//! | ours, looked for | the same without a name |
//! | cudarc | its loader, then the functions that a copy needs |

use core::ffi::{CStr, c_int};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use cuda_sys::driver::Driver;
use cuda_sys::runtime::Runtime;
use cuwhy_benches::{Bound, Suite, in_turns};

/// The first argument of a child.
const CHILD: &str = "--load-once";

/// The ways to load, as they are called in the report.
const WAYS: [&str; 6] = [
    "bare dlopen",
    "dlopen and symbols",
    "ours",
    "ours and symbols",
    "ours, looked for",
    "cudarc",
];

/// What a program needs that copies to a device and back.
const DRIVER: [&CStr; 8] = [
    c"cuInit",
    c"cuDeviceGet",
    c"cuDevicePrimaryCtxRetain",
    c"cuCtxSetCurrent",
    c"cuMemAlloc_v2",
    c"cuMemcpyHtoD_v2",
    c"cuMemcpyDtoH_v2",
    c"cuMemFree_v2",
];

/// The same through the runtime.
const RUNTIME: [&CStr; 4] = [c"cudaSetDevice", c"cudaMalloc", c"cudaMemcpy", c"cudaFree"];

fn main() {
    let arguments: Vec<OsString> = env::args_os().collect();
    if let [_, first, library, way, file] = &arguments[..]
        && first == CHILD
    {
        let (library, way) = (library.to_string_lossy(), way.to_string_lossy());
        process::exit(child(&library, &way, Path::new(file)));
    }

    let libraries = [
        (
            "libcuda",
            Driver::get().map(|driver| driver.file().real_path()),
            1.05,
            // A bound that is near, of times that differ by a tenth from load to load: many loads.
            Duration::from_secs(20),
        ),
        (
            "libcudart",
            Runtime::get().map(|runtime| runtime.file().real_path()),
            1.3,
            Duration::from_secs(8),
        ),
    ];
    let mut suite = Suite::begin(
        "load",
        Duration::from_secs(104),
        libraries.len() * WAYS.len(),
    );
    for (library, file, limit, time) in libraries {
        match file {
            Ok(file) => measure(&mut suite, library, &file, limit, time),
            Err(error) => {
                suite.skip(library, error);
                suite.pass(WAYS.len());
            }
        }
    }
    suite.finish();
}

/// Measures every way to load one library, and for `each` bound of it that it is held.
fn measure(suite: &mut Suite, library: &str, file: &Path, limit: f64, each: Duration) {
    let folder = match aliases(library, file) {
        Ok(folder) => folder,
        Err(error) => return suite.skip(library, error),
    };
    let load = |way: &str| once(library, way, file, &folder);
    let mut group = suite.group("load");
    for way in WAYS {
        if let Err(error) = load(way) {
            group.skip(&format!("{library}: {way}"), error, 1);
            continue;
        }
        group.point(way, library, |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| load(way).unwrap_or_default()).sum());
        });
    }
    group.end();
    if suite.takes_bounds() && load("ours and symbols").is_ok() {
        let time = |way| load(way).unwrap_or_default().as_secs_f64() * 1e9;
        for (way, what, how) in [
            ("ours", "opening", "functions looked up at their first call"),
            (
                "ours and symbols",
                "opening, with the first look-up of all that a copy needs,",
                "and looked up",
            ),
        ] {
            let both = in_turns(each, || time("bare dlopen"), || time(way));
            suite.bound(Bound {
                what: format!("{what} {library} against a bare dlopen of the same file"),
                detail: format!(
                    "{:.2} ms bare, {:.2} ms opened by us, {how}, a process each",
                    both.base.median / 1e6,
                    both.other.median / 1e6
                ),
                unit: "x".to_owned(),
                limit,
                measured: both.ratio.median,
                low: both.ratio.low,
                high: both.ratio.high,
            });
        }
    }
    drop(fs::remove_dir_all(folder));
}

/// A folder in which the file has the name under which cudarc looks for it first.
fn aliases(library: &str, file: &Path) -> Result<PathBuf, std::io::Error> {
    let folder = env::temp_dir().join(format!("cuwhy-load-{}-{library}", process::id()));
    fs::create_dir_all(&folder)?;
    symlink(file, folder.join(format!("{library}.so")))?;
    Ok(folder)
}

/// Loads once, in a child.
fn once(library: &str, way: &str, file: &Path, folder: &Path) -> Result<Duration, String> {
    let mut path = folder.as_os_str().to_owned();
    if let Some(more) = env::var_os("LD_LIBRARY_PATH").filter(|more| !more.is_empty()) {
        path.push(":");
        path.push(more);
    }
    let mut command = Command::new(env::current_exe().map_err(|error| error.to_string())?);
    command
        .args([CHILD, library, way])
        .arg(file)
        .env("LD_LIBRARY_PATH", path);
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let nanoseconds = text.lines().next_back().and_then(|line| line.parse().ok());
    match nanoseconds {
        Some(nanoseconds) if output.status.success() => Ok(Duration::from_nanos(nanoseconds)),
        _ => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// What a child does; the answer is its exit status.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is how a child answers"
)]
fn child(library: &str, way: &str, file: &Path) -> i32 {
    let runtime = library == "libcudart";
    if runtime && way == "ours, looked for" {
        // Which runtime fits is asked of the driver; opening that is the other library's point.
        drop(Driver::get());
    }
    let start = Instant::now();
    let done = match way {
        "bare dlopen" => dlopen(file, &[]),
        "dlopen and symbols" if runtime => dlopen(file, &RUNTIME),
        "dlopen and symbols" => dlopen(file, &DRIVER),
        "ours" if runtime => Runtime::open(file)
            .map(drop)
            .map_err(|error| error.to_string()),
        "ours" => Driver::open(file)
            .map(drop)
            .map_err(|error| error.to_string()),
        "ours and symbols" => ours(file, runtime),
        _ if way == "cudarc" => cudarc(runtime),
        _ if runtime => Runtime::get().map(drop).map_err(|error| error.to_string()),
        _ => Driver::get().map(drop).map_err(|error| error.to_string()),
    };
    let elapsed = start.elapsed();
    match done {
        Ok(()) => {
            println!("{}", elapsed.as_nanos());
            0
        }
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}

/// Ours, and the functions as each is looked up before its first call.
fn ours(file: &Path, runtime: bool) -> Result<(), String> {
    let names = if runtime { &RUNTIME[..] } else { &DRIVER[..] };
    let names = names.iter().filter_map(|name| name.to_str().ok());
    if runtime {
        let library = Runtime::open(file).map_err(|error| error.to_string())?;
        for name in names {
            library.find(name).map_err(|error| error.to_string())?;
        }
    } else {
        let library = Driver::open(file).map_err(|error| error.to_string())?;
        for name in names {
            library.find(name).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// The system's loader and nothing else.
fn dlopen(file: &Path, symbols: &[&CStr]) -> Result<(), String> {
    let name = CString::new(file.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: running the library's initialisers is what is measured.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err("dlopen fails".to_owned());
    }
    for symbol in symbols {
        // SAFETY: the handle is open and the name is a C string.
        let address = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
        if address.is_null() {
            return Err(format!("there is no {symbol:?}"));
        }
    }
    Ok(())
}

/// cudarc's loader, then the symbols as it looks each up before its first call.
fn cudarc(runtime: bool) -> Result<(), String> {
    let (library, symbols) = if runtime {
        // SAFETY: it opens the library, which is what is measured.
        (unsafe { cudarc::runtime::sys::culib() }, &RUNTIME[..])
    } else {
        // SAFETY: as above.
        (unsafe { cudarc::driver::sys::culib() }, &DRIVER[..])
    };
    for symbol in symbols {
        // SAFETY: the function is not called, so its signature does not matter.
        let found = unsafe { library.get::<unsafe extern "C" fn() -> c_int>(*symbol) };
        found.map(drop).map_err(|error| error.to_string())?;
    }
    Ok(())
}
