//! No question of ours creates a context, changes the last error or ends a capture: on the simulator with the
//! runtime of each major, and with `CUWHY_TEST_GPU=require` on the machine's device with the runtime that
//! `CUWHY_LIBCUDART` names.

use core::ffi::{c_int, c_uint, c_void};
use core::ptr;

use cuda_sys::driver::{
    CUcontext, CUdeviceptr, CUgraph, CUresult, CUstream, CUstreamCaptureMode_enum,
    CUstreamCaptureStatus, CUstreamCaptureStatus_enum, Driver,
};
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuwhy_tests::{here, on_cuda};
use cuwhy_validate::ask::{Ask, ByRuntime, Live, Pointer};
use cuwhy_validate::facts::{Depth, collect};
use cuwhy_validate::{Call, Kind, Registry, Stream};

/// One call that has to succeed.
macro_rules! made {
    ($library:ident . $function:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: each pointer given in this file is that of a live variable of the type that the
        // function writes, each address and handle one that an earlier call of it made.
        let status = unsafe { $library.$function($($argument),*) };
        assert_eq!(status.0, 0, stringify!($function));
    }};
}

fn libraries() -> (&'static Driver, &'static Runtime) {
    (
        Driver::get().expect("there is a driver"),
        Runtime::get().expect("there is a runtime"),
    )
}

/// Addresses that nobody gave us: nothing, garbage, and memory of this process.
fn foreign() -> Vec<u64> {
    static CONSTANT: u64 = 1;
    let heap: &'static mut [u8; 4096] = Box::leak(Box::new([0; 4096]));
    vec![
        0,
        0x1000,
        0xdead_0000_0000_0000,
        u64::MAX,
        (&raw const CONSTANT).expose_provenance() as u64,
        heap.as_ptr().expose_provenance() as u64,
    ]
}

/// Asks everything that can be asked of these addresses and streams, each alone and as facts about calls.
fn ask(ask: &dyn Ask, addresses: &[u64], streams: &[Stream]) {
    let registry = Registry::default();
    for &stream in streams {
        if let Stream::Handle(handle) = stream {
            registry.stream_created(handle);
        }
        // SAFETY: whoever asks here has these streams.
        let _ = unsafe { ask.capture(stream) };
        // SAFETY: as above.
        let _ = unsafe { ask.stream_device(stream) };
        // SAFETY: as above.
        let _ = unsafe { ask.within(stream, &mut || _ = ask.pointer(addresses[0])) };
    }
    drop(ask.device_name(0));
    for &address in addresses {
        if let Pointer::Known(found) = ask.pointer(address)
            && let Some(pool) = found.pool.filter(|&pool| pool != 0)
        {
            // SAFETY: memory of this pool is alive. Of this question a capture would die, asked without care.
            let _ = unsafe { ask.pool_access(pool, 0) };
        }
        let _ = ask.mapped_range(address);
        let _ = ask.access(address, 0);
        drop(ask.host(address));
        let _ = ask.peek(address);
        for &other in [0, address, addresses[addresses.len() - 1]].iter() {
            for kind in [Kind::Default, Kind::HostToDevice, Kind::DeviceToDevice] {
                let call = Call::memcpy(address, other, 64, kind);
                drop(collect(&call, ask, Some(&registry), Depth::Full));
                for &stream in streams {
                    let call = call.clone().on_stream("cudaMemcpyAsync", stream);
                    drop(collect(&call, ask, Some(&registry), Depth::Full));
                }
            }
        }
    }
}

fn peek_at_last_error(runtime: &Runtime) -> cudaError_t {
    // SAFETY: it has no precondition.
    unsafe { runtime.cudaPeekAtLastError() }
}

fn no_context_is_created() {
    let (driver, runtime) = libraries();
    let by_driver = Live::new(driver);
    let by_runtime = ByRuntime::new(runtime, Live::new(driver));
    let addresses = foreign();
    // Before anything was initialised, and afterwards.
    for initialised in [false, true] {
        if initialised {
            made!(driver.cuInit(0));
        }
        ask(&by_driver, &addresses, &[Stream::Legacy, Stream::PerThread]);
        if !initialised {
            continue;
        }
        ask(
            &by_runtime,
            &addresses,
            &[Stream::Legacy, Stream::PerThread],
        );
        let mut context: CUcontext = ptr::null_mut();
        made!(driver.cuCtxGetCurrent(&raw mut context));
        assert!(context.is_null(), "a context is current");
        let (mut flags, mut active): (c_uint, c_int) = (0, 7);
        made!(driver.cuDevicePrimaryCtxGetState(0, &raw mut flags, &raw mut active));
        assert_eq!(active, 0, "the primary context was made");
    }
    assert_eq!(peek_at_last_error(runtime), cudaError_t::cudaSuccess);
}

/// A little memory of the classes that are asked about in different ways.
fn memory(driver: &Driver) -> Vec<u64> {
    let mut addresses = foreign();
    let (mut device, mut managed, mut pool): (CUdeviceptr, CUdeviceptr, CUdeviceptr) = (0, 0, 0);
    made!(driver.cuMemAlloc_v2(&raw mut device, 4096));
    made!(driver.cuMemAllocManaged(&raw mut managed, 4096, 1));
    made!(driver.cuMemAllocAsync(&raw mut pool, 4096, ptr::null_mut()));
    let mut pinned: *mut c_void = ptr::null_mut();
    made!(driver.cuMemHostAlloc(&raw mut pinned, 4096, 0));
    let mut freed: CUdeviceptr = 0;
    made!(driver.cuMemAlloc_v2(&raw mut freed, 8 << 20));
    made!(driver.cuMemFree_v2(freed));
    let mut reserved: CUdeviceptr = 0;
    made!(driver.cuMemAddressReserve(&raw mut reserved, 2 << 20, 0, 0, 0));
    made!(driver.cuCtxSynchronize());
    let pinned = pinned.expose_provenance() as u64;
    addresses.extend([device, managed, pool, pinned, freed, reserved]);
    addresses
}

fn last_errors_stay() {
    let (driver, runtime) = libraries();
    made!(runtime.cudaFree(ptr::null_mut()));
    let mut unused = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut unused, 1));
    let addresses = memory(driver);
    let mut stream: CUstream = ptr::null_mut();
    made!(driver.cuStreamCreate(&raw mut stream, 0));
    let handle = Stream::Handle(stream.expose_provenance() as u64);
    let streams = [Stream::Legacy, Stream::PerThread, handle];
    let by_driver = Live::new(driver);
    let by_runtime = ByRuntime::new(runtime, Live::new(driver));
    let both: [&dyn Ask; 2] = [&by_driver, &by_runtime];
    for one in both {
        ask(one, &addresses, &streams);
        assert_eq!(peek_at_last_error(runtime), cudaError_t::cudaSuccess);
        // An error of the program's own, which it has not looked at yet.
        // SAFETY: a null destination is refused before anything is touched.
        let refused = unsafe {
            runtime.cudaMemcpy(
                ptr::null_mut(),
                unused.cast_const(),
                1,
                cuda_sys::runtime::cudaMemcpyKind(3),
            )
        };
        assert_eq!(refused, cudaError_t::cudaErrorInvalidValue);
        ask(one, &addresses, &streams);
        assert_eq!(
            peek_at_last_error(runtime),
            refused,
            "the program's error is gone"
        );
        // SAFETY: it has no precondition.
        assert_eq!(unsafe { runtime.cudaGetLastError() }, refused);
        assert_eq!(peek_at_last_error(runtime), cudaError_t::cudaSuccess);
    }
}

fn captures_go_on() {
    let (driver, runtime) = libraries();
    made!(runtime.cudaFree(ptr::null_mut()));
    let mut unused = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut unused, 1));
    let addresses = memory(driver);
    let by_driver = Live::new(driver);
    let by_runtime = ByRuntime::new(runtime, Live::new(driver));
    let both: [&dyn Ask; 2] = [&by_driver, &by_runtime];
    // A blocking stream, and one that is not; every mode.
    for (flags, mode) in (0..2).flat_map(|flags| (0..3).map(move |mode| (flags, mode))) {
        for one in both {
            let mut stream: CUstream = ptr::null_mut();
            made!(driver.cuStreamCreate(&raw mut stream, flags));
            made!(driver.cuStreamBeginCapture_v2(stream, CUstreamCaptureMode_enum(mode)));
            let handle = Stream::Handle(stream.expose_provenance() as u64);
            ask(
                one,
                &addresses,
                &[Stream::Legacy, Stream::PerThread, handle],
            );
            let mut status: CUstreamCaptureStatus = CUstreamCaptureStatus_enum(9);
            made!(driver.cuStreamIsCapturing(stream, &raw mut status));
            assert_eq!(
                status.0, 1,
                "the capture does not go on: flags {flags}, mode {mode}"
            );
            let mut graph: CUgraph = ptr::null_mut();
            made!(driver.cuStreamEndCapture(stream, &raw mut graph));
            made!(driver.cuGraphDestroy(graph));
            assert_eq!(peek_at_last_error(runtime), cudaError_t::cudaSuccess);
        }
    }
    // SAFETY: it has no precondition.
    let status = unsafe { driver.cuCtxSynchronize() };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

#[test]
fn no_question_creates_a_context() {
    on_cuda(here!(), no_context_is_created);
}

#[test]
fn no_question_changes_the_last_error() {
    on_cuda(here!(), last_errors_stay);
}

#[test]
fn no_question_ends_a_capture() {
    on_cuda(here!(), captures_go_on);
}
