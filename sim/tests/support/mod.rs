//! What the tests share: the library under test, and calls of it.
//!
//! The library is this package's own shared object, or with `CUWHY_TEST_GPU=require` the machine's driver: the same
//! questions are asked of both.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "every test takes what it needs"
)]

use std::path::PathBuf;
use std::sync::OnceLock;

use cuda_sys::driver::{CUcontext, CUdeviceptr, CUresult, Driver};

/// Calls a function of the driver and answers its status as a number.
macro_rules! cu {
    ($driver:ident.$name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: places are live; addresses are given away on purpose, and what becomes of them is the test.
        unsafe { $driver.$name($($argument),*) }.0
    };
}
pub(crate) use cu;

/// Whether the hardware is asked, and not the simulator.
pub(crate) fn on_hardware() -> bool {
    cuwhy_tests::wanted() == cuwhy_tests::Wanted::Require
}

/// This package's shared library.
pub(crate) fn library() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| cuwhy_tests::shared_library("cuwhy-sim", "libcuwhy_sim.so"))
        .clone()
}

/// The library under test, not initialised.
pub(crate) fn driver() -> &'static Driver {
    if on_hardware() {
        Driver::get().unwrap()
    } else {
        Driver::open(&library()).unwrap()
    }
}

/// The library under test with a current context on the first device.
pub(crate) fn ready() -> (&'static Driver, CUcontext) {
    let driver = driver();
    assert_eq!(cu!(driver.cuInit(0)), 0);
    let mut context = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuDevicePrimaryCtxRetain(&raw mut context, 0)), 0);
    assert_eq!(cu!(driver.cuCtxSetCurrent(context)), 0);
    (driver, context)
}

/// Device memory that must be there.
pub(crate) fn device_memory(driver: &Driver, size: usize) -> CUdeviceptr {
    let mut address = 0;
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, size)), 0);
    address
}

/// The number of a status.
pub(crate) const fn number(status: CUresult) -> u32 {
    status.0
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exit(i32),
    Signal(i32),
}

/// Runs `work` in a child; its answer is the exit code.
pub(crate) fn in_child(work: impl FnOnce() -> i32) -> End {
    // A child does not look for it: another thread may have been looking at the time of the fork.
    library();
    // SAFETY: the child runs `work` on the one thread that it has and leaves without unwinding.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: our own child and a live place.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFSIGNALED(status) {
        End::Signal(libc::WTERMSIG(status))
    } else {
        End::Exit(libc::WEXITSTATUS(status))
    }
}
