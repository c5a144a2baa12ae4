//! A program that calls the driver through raw bindings, and asks `cuwhy-validate` about a copy that is wrong.
//!
//! No layer, no owner, no framework: `cuda-sys` for the calls, `cuwhy-validate` for the reasons. Two
//! calls tell the registry what the program allocates and frees: with them a copy between live
//! allocations is passed without a question to the driver, and one of freed memory says by whom.

use std::io::{self, Write as _};
use std::ptr;

use cuda_sys::driver::{CUresult, Driver};
use cuwhy_validate::ask::Live;
use cuwhy_validate::facts::Owner;
use cuwhy_validate::registry::Freed;
use cuwhy_validate::{Call, Checker, Class, Kind, Policy, Registry, Site, Span};

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

    let registry = Registry::global();
    let mut owner = Owner::of(Class::Device);
    owner.range = Some(Span::sized(device, 40));
    owner.origin.call = Some("cuMemAlloc");
    owner.origin.site = Site::here();
    registry.allocated(owner);

    let ask = Live::new(driver);
    let checker = Checker::new(&ask)
        .with_policy(Policy::Strict)
        .with_registry(registry);
    let source = numbers.as_ptr().expose_provenance() as u64;
    let copy = |bytes: usize| {
        let call = Call::driver_copy(
            "cuMemcpyHtoD",
            device,
            source,
            bytes as u64,
            Kind::HostToDevice,
        );
        checker.run(&call, || {
            // SAFETY: the source has 400 bytes; CUDA checks the destination.
            unsafe { driver.cuMemcpyHtoD_v2(device, numbers.as_ptr().cast(), bytes) }.0
        })
    };
    for bytes in [400, 40] {
        match copy(bytes) {
            Ok(()) => writeln!(out, "{bytes} bytes: copied")?,
            Err(error) => writeln!(out, "{bytes} bytes: {error}")?,
        }
    }

    // Before the call: when it has returned, another thread may have the address already.
    registry.freed(device, &Freed::by("cuMemFree", Site::here()));
    // SAFETY: allocated above; what uses it afterwards is refused.
    ok("cuMemFree", unsafe { driver.cuMemFree_v2(device) })?;
    match copy(40) {
        Ok(()) => writeln!(out, "after it was freed: copied")?,
        Err(error) => writeln!(out, "after it was freed: {error}")?,
    }
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
