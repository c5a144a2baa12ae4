//! Tests that need CUDA and do not care whose: the simulator's, and the machine's own.

use crate::child::Child;
use crate::gpu::{Wanted, device, device_or_why, wanted};
use crate::place::shared_library;

/// The majors of the runtime that the simulator has.
const MAJORS: [u32; 3] = [11, 12, 13];

/// The part of a test that runs with the machine's own CUDA.
const MACHINE: &str = "the machine's device";

/// Whether this is the part of an [`on_cuda`] test that runs with the machine's own CUDA.
#[must_use]
pub fn is_on_machine(test: &str) -> bool {
    Child::part_of(test).is_some_and(|part| part == MACHINE)
}

/// Lets a child find the simulator: its driver, and its runtime of this major where one is given.
#[must_use]
pub fn simulated(child: Child, runtime: Option<u32>) -> Child {
    let driver = shared_library("cuwhy-sim", "libcuwhy_sim.so");
    let child = child
        .env("CUWHY_SIM", "quiet=on")
        .env("CUWHY_LIBCUDA", driver)
        .without("CUDA_VISIBLE_DEVICES");
    match runtime {
        Some(major) => {
            let package = format!("cuwhy-sim-cudart{major}");
            let file = format!("libcuwhy_sim_cudart{major}.so");
            child.env("CUWHY_LIBCUDART", shared_library(&package, &file))
        }
        None => child,
    }
}

/// Runs `body` in a process of its own with each CUDA that the setting chooses, and fails where it fails.
///
/// `require`: the machine's device, with the runtime that `CUWHY_LIBCUDART` names or that is found.
/// `off`: the simulator with the runtime of each major. `auto`: both, where the machine has a device.
///
/// ```no_run
/// # use cuwhy_tests::{here, on_cuda};
/// # fn test() {
/// on_cuda(here!(), || {
///     cuda_sys::driver::Driver::get().expect("there is a driver");
/// });
/// # }
/// ```
///
/// # Panics
///
/// When `body` does not come to its end, or a device is required and there is none.
pub fn on_cuda(test: &str, body: impl Fn()) {
    on_cuda_with(test, "", body);
}

/// The same, where the simulator gets options.
///
/// # Panics
///
/// As [`on_cuda`].
pub fn on_cuda_with(test: &str, options: &str, body: impl Fn()) {
    let simulated_part = |major| format!("simulated, CUDA {major}");
    if let Some(part) = Child::part_of(test) {
        // A child does its own part and nothing before it: it must find CUDA untouched.
        Child::new(test, &part).run(body).must_succeed();
        return;
    }
    if wanted() != Wanted::Require {
        for major in MAJORS {
            simulated(Child::new(test, &simulated_part(major)), Some(major))
                .env("CUWHY_SIM", format!("quiet=on,{options}"))
                .run(&body)
                .must_succeed();
        }
    }
    let there = match wanted() {
        Wanted::Require => device().is_some(),
        Wanted::Auto => device_or_why().is_ok(),
        Wanted::Off => false,
    };
    if there {
        Child::new(test, MACHINE).run(&body).must_succeed();
    }
}
