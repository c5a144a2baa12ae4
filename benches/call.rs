//! What does it cost to call CUDA through a table?
//!
//! `cuDriverGetVersion`, which does next to nothing, is called through our table, through a bare
//! function pointer, through a `libloading` symbol that is looked up for each call and through
//! cudarc's loader. Binding at link time is the target `call_link`.
//!
//! Where there is no driver, a stand-in is called whose function stores a number and returns.

use core::ffi::c_int;
use core::hint::black_box;
use std::path::Path;
use std::time::Duration;

use cuda_sys::driver::{Driver, pfn};
use cuwhy_benches::Suite;
use libloading::os::unix::Library;

/// `cuDriverGetVersion`, as cudarc and libloading want it.
type GetVersion = unsafe extern "C" fn(*mut c_int) -> u32;

fn main() {
    let mut suite = Suite::begin("call", Duration::from_secs(20), 4);
    let driver = match Driver::get() {
        Ok(driver) => driver,
        Err(_) => {
            suite.skip(
                "the real driver",
                "there is none; a stand-in is called instead",
            );
            // It has libcuda's name, so that cudarc finds it where it looks for the driver.
            Driver::open(Path::new(env!("CUWHY_STAND_IN"))).expect("build.rs made the stand-in")
        }
    };
    // SAFETY: the library is open already and stays open; its initialisers have run.
    let library = unsafe { Library::new(driver.file().path()) }.expect("an open library");
    // SAFETY: this is the C signature of the function of this name.
    let symbol = unsafe { library.get::<pfn::cuDriverGetVersion>(c"cuDriverGetVersion") };
    let pointer: pfn::cuDriverGetVersion = *symbol.expect("every libcuda has it");

    let mut version = 0;
    let mut group = suite.group("call");
    group.point("function pointer", "cuDriverGetVersion", |bencher| {
        bencher.iter(|| {
            // SAFETY: `version` is a live `c_int`.
            unsafe { black_box(pointer)(&raw mut version) }
        });
    });
    group.point("table", "cuDriverGetVersion", |bencher| {
        bencher.iter(|| {
            // SAFETY: `version` is a live `c_int`.
            unsafe { black_box(driver).cuDriverGetVersion(&raw mut version) }
        });
    });
    group.point(
        "libloading symbol per call",
        "cuDriverGetVersion",
        |bencher| {
            bencher.iter(|| {
                // SAFETY: this is the C signature of the function of this name.
                let symbol = unsafe { library.get::<GetVersion>(c"cuDriverGetVersion") };
                let function = symbol.expect("it was there before");
                // SAFETY: `version` is a live `c_int`.
                unsafe { function(&raw mut version) }
            });
        },
    );
    group.point("cudarc", "cuDriverGetVersion", |bencher| {
        bencher.iter(|| {
            // SAFETY: `version` is a live `c_int`.
            unsafe { cudarc::driver::sys::cuDriverGetVersion(&raw mut version) }
        });
    });
    group.end();
    black_box(version);
    suite.finish();
}
