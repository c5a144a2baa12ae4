//! A program that calls the driver through raw bindings, and asks `cuwhy-validate` about a copy that is wrong.
//!
//! No layer, no owner, no framework: `cuda-sys` for the calls, `cuwhy-validate` for the reasons.

use std::io::{self, Write as _};
use std::ptr;

use cuda_sys::driver::{CUresult, Driver};
use cuwhy_validate::ask::Live;
use cuwhy_validate::{Call, Checker, Kind, Policy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    let driver = match Driver::get() {
        Ok(driver) => driver,
        Err(error) => return Ok(writeln!(out, "skipped: {error}")?),
    };
    // SAFETY: `cuInit` may be called at any time.
    ok("cuInit", unsafe { driver.cuInit(0) })?;
    let mut context = ptr::null_mut();
    // SAFETY: `context` is a live handle.
    ok("cuDevicePrimaryCtxRetain", unsafe {
        driver.cuDevicePrimaryCtxRetain(&raw mut context, 0)
    })?;
    // SAFETY: the context was retained just now.
    ok("cuCtxSetCurrent", unsafe {
        driver.cuCtxSetCurrent(context)
    })?;

    let numbers = [1_i32; 100];
    let mut device = 0;
    // SAFETY: `device` is a live address.
    ok("cuMemAlloc", unsafe {
        driver.cuMemAlloc_v2(&raw mut device, 40)
    })?;

    let ask = Live::new(driver);
    let checker = Checker::new(&ask).with_policy(Policy::Strict);
    let source = numbers.as_ptr().expose_provenance() as u64;
    for bytes in [400, 40] {
        let call = Call::driver_copy(
            "cuMemcpyHtoD",
            device,
            source,
            bytes as u64,
            Kind::HostToDevice,
        );
        let copied = checker.run(&call, || {
            // SAFETY: the source has 400 bytes; CUDA checks the destination.
            unsafe { driver.cuMemcpyHtoD_v2(device, numbers.as_ptr().cast(), bytes) }.0
        });
        match copied {
            Ok(()) => writeln!(out, "{bytes} bytes: copied")?,
            Err(error) => writeln!(out, "{bytes} bytes: {error}")?,
        }
    }

    // SAFETY: allocated above, and nothing uses it any longer.
    ok("cuMemFree", unsafe { driver.cuMemFree_v2(device) })?;
    // SAFETY: retained above.
    ok("cuDevicePrimaryCtxRelease", unsafe {
        driver.cuDevicePrimaryCtxRelease_v2(0)
    })
}

/// A status as a result.
fn ok(call: &str, status: CUresult) -> Result<(), Box<dyn std::error::Error>> {
    if status == CUresult::CUDA_SUCCESS {
        return Ok(());
    }
    Err(format!(
        "{call} answers {} ({})",
        status.name().unwrap_or("an unknown code"),
        status.0
    )
    .into())
}
