//! What the driver's one plural query and the runtime's `cudaPointerGetAttributes` say of the same
//! pointer, for every class of memory: on the simulator with the runtime of each major, and with
//! `CUWHY_TEST_GPU=require` on the machine's device with the runtime that `CUWHY_LIBCUDART` names.

#[path = "both_answers/samples.rs"]
mod samples;

use core::ptr;

use cuda_sys::driver::{CUresult, Driver};
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuwhy_tests::{here, on_cuda};
use cuwhy_validate::ask::{Ask, Attributes, ByRuntime, Live, Pointer};
use cuwhy_validate::facts::classify;
use samples::{Sample, samples};

/// One call that has to succeed.
macro_rules! made {
    ($library:ident . $function:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: each pointer given in this file is that of a live variable of the type that the
        // function writes, each address and handle one that an earlier call of it made.
        let status = unsafe { $library.$function($($argument),*) };
        assert_eq!(status.0, 0, stringify!($function));
    }};
}

fn compare() {
    let driver = Driver::get().expect("there is a driver");
    let runtime = Runtime::get().expect("there is a runtime");
    made!(driver.cuInit(0));
    made!(runtime.cudaSetDevice(0));
    let mut unused = ptr::null_mut();
    // Makes the context, which CUDA 11 does not do before memory is asked for.
    made!(runtime.cudaFree(unused));
    made!(runtime.cudaMalloc(&raw mut unused, 1));
    let by_driver = Live::new(driver);
    let by_runtime = ByRuntime::new(runtime, Live::new(driver));
    for Sample {
        what,
        address,
        class,
    } in samples(driver, runtime)
    {
        let (one, other) = (by_driver.pointer(address), by_runtime.pointer(address));
        if let Pointer::Known(attributes) = &one {
            let found = classify(attributes).map(|owner| owner.class);
            assert_eq!(found, class, "{what}");
        }
        // The runtime of some majors refuses null; then it says nothing, and so no other thing.
        if address == 0 && other == Pointer::CannotTell {
            continue;
        }
        assert_eq!(common(what, one), common(what, other), "{what}");
    }
    // SAFETY: it has no precondition.
    let left = unsafe { runtime.cudaPeekAtLastError() };
    assert_eq!(
        left,
        cudaError_t::cudaSuccess,
        "a query left an error behind"
    );
    // SAFETY: it has no precondition.
    let status = unsafe { driver.cuCtxSynchronize() };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

/// What both interfaces can tell.
fn common(what: &str, answer: Pointer) -> (u32, bool, i32, u64) {
    let Pointer::Known(Attributes {
        memory_type,
        managed,
        ordinal,
        device_pointer,
        ..
    }) = answer
    else {
        panic!("{what}: cannot tell");
    };
    (
        memory_type,
        managed == Some(true),
        ordinal,
        device_pointer.unwrap_or(0),
    )
}

#[test]
fn both_interfaces_say_the_same_of_every_class_of_pointer() {
    on_cuda(here!(), compare);
}
