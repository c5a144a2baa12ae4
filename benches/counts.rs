//! Runs one path that must stay short, many times, for a tool that counts instructions.
//!
//! `cargo xtask counts` runs it under valgrind's callgrind, which counts what [`counted`] executes.
//! Nothing here needs a GPU: tables are bound to functions of this program, and facts were recorded.
//!
//! Without an argument it lists the paths.

use core::ffi::{CStr, c_int, c_void};
use core::hint::black_box;
use core::ptr;
use std::io::{self, Write as _};
use std::process::ExitCode;

use cuda_sys::driver::{CUresult, Table, pfn};
use cuwhy_benches::recorded::{self, Case};
use cuwhy_validate::Stream;
use cuwhy_validate::ask::Recorded;
use cuwhy_validate::checker::Checker;
use cuwhy_validate::facts::{Depth, collect};
use cuwhy_validate::registry::Registry;

/// How often a path runs. The counts of one run are divided by it.
const TIMES: u32 = 1_000;

/// A path: its name, and what makes the closure that runs it once.
type Path = (&'static str, fn() -> Box<dyn FnMut()>);

const PATHS: &[Path] = &[
    ("call through the table", table),
    ("registry look-up of 10,000", look_up),
    ("check of a copy that the registry knows", check_known),
    ("check of a copy into a stream, all known", check_enqueue),
    ("check of a copy that the driver is asked of", check_asking),
    ("judging a passing copy", judge),
];

fn main() -> ExitCode {
    let mut out = io::stdout();
    match std::env::args().nth(1) {
        None => {
            for (name, _) in PATHS {
                drop(writeln!(out, "{TIMES} {name}"));
            }
            ExitCode::SUCCESS
        }
        Some(name) => match PATHS.iter().find(|(path, _)| *path == name) {
            Some((_, make)) => {
                let mut run = make();
                // What the first run sets up is not counted.
                run();
                counted(&mut run);
                ExitCode::SUCCESS
            }
            None => ExitCode::FAILURE,
        },
    }
}

/// What is counted: the tool knows it by this name.
#[unsafe(no_mangle)]
#[inline(never)]
fn cuwhy_counted(run: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        run();
    }
}
use cuwhy_counted as counted;

unsafe extern "C" fn driver_version(version: *mut c_int) -> CUresult {
    // SAFETY: the caller gives a live `c_int`.
    unsafe { version.write(13_000) };
    CUresult::CUDA_SUCCESS
}

fn table() -> Box<dyn FnMut()> {
    let function: pfn::cuDriverGetVersion = driver_version;
    let mut resolve = |name: &CStr| -> *const c_void {
        if name == c"cuDriverGetVersion" {
            function as *const c_void
        } else {
            ptr::null()
        }
    };
    // SAFETY: the one address is a function with the signature of its name.
    let table = unsafe { Table::bind(&mut resolve) };
    let mut version = 0;
    Box::new(move || {
        // SAFETY: `version` is a live `c_int`.
        let status = unsafe { black_box(&table).cuDriverGetVersion(&raw mut version) };
        let _ = black_box(status);
    })
}

fn look_up() -> Box<dyn FnMut()> {
    let (registry, starts) = recorded::registry(10_000);
    let mut starts = starts.into_iter().cycle();
    Box::new(move || {
        let start = starts.next().unwrap_or_default();
        black_box(registry.lookup(black_box(start + 5)));
    })
}

/// A checked copy as `check` is by default, but for the copy itself.
fn checked(registry: Option<&'static Registry>, into: Option<u64>) -> Box<dyn FnMut()> {
    let Case { mut call, ask, .. } = recorded::passing();
    if let Some(stream) = into {
        call = call.on_stream("cudaMemcpyAsync", Stream::Handle(stream));
    }
    let ask: &'static Recorded = Box::leak(Box::new(ask));
    let mut checker = Checker::new(ask);
    if let Some(registry) = registry {
        checker = checker.with_registry(registry);
    }
    Box::new(move || {
        let passes = checker.run(black_box(&call), || black_box(0)).is_ok();
        assert!(passes, "the copy is right");
    })
}

fn check_known() -> Box<dyn FnMut()> {
    let registry = Registry::default();
    recorded::tell(&registry);
    checked(Some(Box::leak(Box::new(registry))), None)
}

fn check_enqueue() -> Box<dyn FnMut()> {
    const STREAM: u64 = 0x5555_5571_2340;
    let registry = Registry::default();
    recorded::tell(&registry);
    registry.stream_created(STREAM);
    checked(Some(Box::leak(Box::new(registry))), Some(STREAM))
}

fn check_asking() -> Box<dyn FnMut()> {
    checked(None, None)
}

fn judge() -> Box<dyn FnMut()> {
    let case = recorded::passing();
    let facts = collect(&case.call, &case.ask, None, Depth::Full);
    Box::new(move || {
        black_box(cuwhy_validate::judge(
            black_box(&case.call),
            black_box(&facts),
        ));
    })
}
