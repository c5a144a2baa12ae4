//! Streams, events, capture, graphs and contexts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use core::ffi::c_void;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use cuda_sys::driver::*;
use support::{cu, device_memory};

/// Holds a stream until it is told to go on.
struct Gate {
    open: Sender<()>,
}

extern "C" fn wait(data: *mut c_void) {
    // SAFETY: `Gate::new` gave this pointer away for this one call.
    let hold = unsafe { Box::from_raw(data.cast::<Mutex<Receiver<()>>>()) };
    let _open_or_gone = hold.lock().unwrap().recv_timeout(Duration::from_secs(20));
}

impl Gate {
    fn new(driver: &Driver, stream: CUstream) -> Self {
        let (open, hold) = channel();
        let data = Box::into_raw(Box::new(Mutex::new(hold))).cast();
        assert_eq!(cu!(driver.cuLaunchHostFunc(stream, Some(wait), data)), 0);
        Self { open }
    }
}

fn stream(driver: &Driver, flags: u32) -> CUstream {
    let mut stream = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, flags)), 0);
    stream
}

/// A context of this test alone: what waits for a whole context must not wait for other tests.
fn alone() -> (&'static Driver, CUcontext) {
    let driver = support::driver();
    assert_eq!(cu!(driver.cuInit(0)), 0);
    let mut context = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuCtxCreate_v2(&raw mut context, 0, 0)), 0);
    (driver, context)
}

#[test]
fn work_waits_in_its_stream_and_others_go_on() {
    let (driver, context) = alone();
    let (first, second) = (stream(driver, 1), stream(driver, 1));
    let device = device_memory(driver, 8);
    let gate = Gate::new(driver, first);
    assert_eq!(cu!(driver.cuMemsetD8Async(device, 1, 8, first)), 0);
    assert_eq!(cu!(driver.cuStreamQuery(first)), 600);
    assert_eq!(cu!(driver.cuMemsetD8Async(device, 2, 8, second)), 0);
    assert_eq!(cu!(driver.cuStreamSynchronize(second)), 0);
    gate.open.send(()).unwrap();
    assert_eq!(cu!(driver.cuStreamSynchronize(first)), 0);
    assert_eq!(cu!(driver.cuStreamQuery(first)), 0);
    let mut back = [0u8; 8];
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2(back.as_mut_ptr().cast(), device, 8)),
        0
    );
    assert_eq!(back, [1; 8]);
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}

#[test]
fn the_legacy_stream_waits_for_blocking_streams() {
    let (driver, context) = alone();
    let blocking = stream(driver, 0);
    let device = device_memory(driver, 8);
    let gate = Gate::new(driver, blocking);
    assert_eq!(cu!(driver.cuMemsetD8Async(device, 1, 8, blocking)), 0);
    assert_eq!(
        cu!(driver.cuMemsetD8Async(device, 2, 8, core::ptr::null_mut())),
        0
    );
    assert_eq!(cu!(driver.cuStreamQuery(core::ptr::null_mut())), 600);
    gate.open.send(()).unwrap();
    let mut back = [0u8; 8];
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2(back.as_mut_ptr().cast(), device, 8)),
        0
    );
    assert_eq!(back, [2; 8]);
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}

#[test]
fn events_mark_and_order_work() {
    let (driver, context) = alone();
    let (first, second) = (stream(driver, 1), stream(driver, 1));
    let (mut start, mut end) = (core::ptr::null_mut(), core::ptr::null_mut());
    for event in [&raw mut start, &raw mut end] {
        assert_eq!(cu!(driver.cuEventCreate(event, 0)), 0);
    }
    assert_eq!(cu!(driver.cuEventQuery(start)), 0);
    let mut time = 0.0;
    assert_eq!(
        cu!(driver.cuEventElapsedTime(&raw mut time, start, end)),
        400
    );
    assert_eq!(cu!(driver.cuEventRecord(start, first)), 0);
    let gate = Gate::new(driver, first);
    assert_eq!(cu!(driver.cuEventRecord(end, first)), 0);
    assert_eq!(cu!(driver.cuStreamWaitEvent(second, end, 0)), 0);
    assert_eq!(cu!(driver.cuEventQuery(end)), 600);
    assert_eq!(cu!(driver.cuStreamQuery(second)), 600);
    // The time counts from when the stream came to the event, which may be later than here.
    assert_eq!(cu!(driver.cuEventSynchronize(start)), 0);
    std::thread::sleep(Duration::from_millis(20));
    gate.open.send(()).unwrap();
    assert_eq!(cu!(driver.cuStreamSynchronize(second)), 0);
    assert_eq!(cu!(driver.cuEventElapsedTime(&raw mut time, start, end)), 0);
    assert!(time >= 19.0, "{time}");
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}

#[test]
fn a_captured_copy_happens_at_launch_and_at_every_launch() {
    let (driver, context) = alone();
    let stream = stream(driver, 1);
    let device = device_memory(driver, 8);
    let mut pinned: *mut c_void = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, 8)), 0);
    let host = pinned.cast::<u64>();
    let mode = CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    assert_eq!(cu!(driver.cuStreamBeginCapture_v2(stream, mode)), 0);
    assert_eq!(cu!(driver.cuMemsetD8Async(device, 1, 8, stream)), 0);
    assert_eq!(
        cu!(driver.cuMemcpyDtoHAsync_v2(pinned, device, 8, stream)),
        0
    );
    let (mut graph, mut exec) = (core::ptr::null_mut(), core::ptr::null_mut());
    assert_eq!(cu!(driver.cuStreamEndCapture(stream, &raw mut graph)), 0);
    let mut count = 0;
    assert_eq!(
        cu!(driver.cuGraphGetNodes(graph, core::ptr::null_mut(), &raw mut count)),
        0
    );
    assert_eq!(count, 2);
    assert_eq!(
        cu!(driver.cuGraphInstantiateWithFlags(&raw mut exec, graph, 0)),
        0
    );
    for _ in 0..2 {
        // SAFETY: pinned memory of 8 bytes that no stream is using now.
        unsafe { host.write_volatile(0) };
        assert_eq!(cu!(driver.cuGraphLaunch(exec, stream)), 0);
        assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
        // SAFETY: as above.
        assert_eq!(unsafe { host.read_volatile() }, 0x0101_0101_0101_0101);
    }
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}

#[test]
fn a_synchronous_copy_breaks_a_capture() {
    let (driver, context) = alone();
    let stream = stream(driver, 0);
    let device = device_memory(driver, 8);
    let here = [0u8; 8];
    let mode = CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    assert_eq!(cu!(driver.cuStreamBeginCapture_v2(stream, mode)), 0);
    assert_eq!(
        cu!(driver.cuMemcpyHtoD_v2(device, here.as_ptr().cast(), 8)),
        906
    );
    let mut graph = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuStreamEndCapture(stream, &raw mut graph)), 901);
    assert!(graph.is_null());
    assert_eq!(
        cu!(driver.cuMemcpyHtoD_v2(device, here.as_ptr().cast(), 8)),
        0
    );
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}

#[test]
fn a_batch_is_refused_in_a_capture_and_on_the_legacy_stream() {
    let (driver, context) = alone();
    let stream = stream(driver, 1);
    let (mut dst, mut src, mut size, mut start) =
        (device_memory(driver, 8), device_memory(driver, 8), 8, 0);
    let mut attribute = CUmemcpyAttributes {
        srcAccessOrder: CUmemcpySrcAccessOrder_enum(1),
        ..CUmemcpyAttributes::default()
    };
    let mut batch = |stream| {
        let (attribute, start) = (&raw mut attribute, &raw mut start);
        cu!(driver.cuMemcpyBatchAsync_v2(
            &raw mut dst,
            &raw mut src,
            &raw mut size,
            1,
            attribute,
            start,
            1,
            stream
        ))
    };
    assert_eq!(batch(stream), 0);
    assert_eq!(batch(core::ptr::null_mut()), 1);
    let relaxed = CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_RELAXED;
    assert_eq!(cu!(driver.cuStreamBeginCapture_v2(stream, relaxed)), 0);
    assert_eq!(batch(stream), 900);
    let mut graph = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuStreamEndCapture(stream, &raw mut graph)), 0);
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}

#[test]
fn a_graph_allocates_for_itself() {
    let (driver, context) = alone();
    let stream = stream(driver, 1);
    let mut pinned: *mut c_void = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, 8)), 0);
    let host = pinned.cast::<u64>();
    let relaxed = CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_RELAXED;
    assert_eq!(cu!(driver.cuStreamBeginCapture_v2(stream, relaxed)), 0);
    let mut memory = 0;
    assert_eq!(cu!(driver.cuMemAllocAsync(&raw mut memory, 8, stream)), 0);
    assert_eq!(cu!(driver.cuMemsetD8Async(memory, 7, 8, stream)), 0);
    assert_eq!(
        cu!(driver.cuMemcpyDtoHAsync_v2(pinned, memory, 8, stream)),
        0
    );
    assert_eq!(cu!(driver.cuMemFreeAsync(memory, stream)), 0);
    let (mut graph, mut exec) = (core::ptr::null_mut(), core::ptr::null_mut());
    assert_eq!(cu!(driver.cuStreamEndCapture(stream, &raw mut graph)), 0);
    assert_eq!(
        cu!(driver.cuGraphInstantiateWithFlags(&raw mut exec, graph, 0)),
        0
    );
    for _ in 0..2 {
        // SAFETY: pinned memory of 8 bytes that no stream is using now.
        unsafe { host.write_volatile(0) };
        assert_eq!(cu!(driver.cuGraphLaunch(exec, stream)), 0);
        assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
        // SAFETY: as above.
        assert_eq!(unsafe { host.read_volatile() }, 0x0707_0707_0707_0707);
        assert_eq!(cu!(driver.cuMemsetD8_v2(memory, 0, 8)), 1);
    }
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}
