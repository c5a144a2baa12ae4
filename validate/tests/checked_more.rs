//! Checked copies over both layers, where the check knows something by way of the layer: the rows of a
//! pitched allocation, a stream's captures, what a scope borrows. On the simulator with the runtime of
//! each major, and with `CUWHY_TEST_GPU=require` on the machine's device.

#[macro_use]
#[path = "common/houses.rs"]
mod houses;

use cuwhy_tests::here;
use houses::{HOUSES, House, child, has};

use cuwhy_validate::ask::{Ask, Host, Live, Pointer};
use cuwhy_validate::checker::{Audience, Event};
use cuwhy_validate::facts::{Access, ArrayFacts, Capture, Environment};
use cuwhy_validate::{Call, Severity, Span, Stream as Queue};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Rules that were heard of, with how bad each was, since it was asked last.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<(&'static str, Severity)>>>);

impl Heard {
    fn audience(&self) -> Audience {
        let list = Arc::clone(&self.0);
        Audience::new(move |event| {
            let mut list = list.lock().expect("nobody panics");
            match event {
                Event::Finding(finding) => list.push((finding.rule, finding.severity)),
                Event::Unexpected { .. } => list.push(("unexpected", Severity::Error)),
                _ => {}
            }
        })
    }

    fn take(&self) -> Vec<(&'static str, Severity)> {
        core::mem::take(&mut *self.0.lock().expect("nobody panics"))
    }
}

/// The machine, and how often it was asked whether a stream captures.
struct Counted {
    live: Live<'static>,
    captures: AtomicUsize,
}

impl Counted {
    fn new() -> &'static Self {
        let driver = cuda_sys::driver::Driver::get().expect("there is a driver");
        Box::leak(Box::new(Self {
            live: Live::new(driver),
            captures: AtomicUsize::new(0),
        }))
    }

    fn asked(&self) -> usize {
        self.captures.swap(0, Ordering::Relaxed)
    }
}

impl Ask for Counted {
    fn pointer(&self, address: u64) -> Pointer {
        self.live.pointer(address)
    }
    fn mapped_range(&self, address: u64) -> Option<Span> {
        self.live.mapped_range(address)
    }
    fn access(&self, address: u64, device: i32) -> Access {
        self.live.access(address, device)
    }
    unsafe fn pool_access(&self, pool: u64, device: i32) -> Access {
        // SAFETY: the caller answers for the pool.
        unsafe { self.live.pool_access(pool, device) }
    }
    unsafe fn array(&self, handle: u64) -> Option<ArrayFacts> {
        // SAFETY: the caller answers for the array.
        unsafe { self.live.array(handle) }
    }
    fn host(&self, address: u64) -> Host {
        self.live.host(address)
    }
    fn peek(&self, address: u64) -> Option<u64> {
        self.live.peek(address)
    }
    unsafe fn capture(&self, stream: Queue) -> Capture {
        self.captures.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller answers for the stream.
        unsafe { self.live.capture(stream) }
    }
    fn device_name(&self, device: i32) -> Option<String> {
        self.live.device_name(device)
    }
    fn environment(&self, call: &Call) -> Environment {
        self.live.environment(call)
    }
}

/// The bodies, for one layer: its crate, and how a place to work in is had there.
macro_rules! bodies {
    ($layer:ident, $krate:ident, $type:ty, $place:expr, $narrow:expr) => {
        mod $layer {
            use super::{Counted, Heard};
            use cuwhy_validate::ask::Ask as _;
            use cuwhy_validate::checked::$layer::{Batch, Error, observe, raw, scope, upload};
            use cuwhy_validate::checker::Reason;
            use cuwhy_validate::registry::Entry;
            use cuwhy_validate::{Call, Checker, Kind, Policy, Registry, Severity};
            use std::mem::ManuallyDrop;
            use $krate::array::{Array, Format, Shape};
            use $krate::copy::{Copy2d, Copy3d, Direction, Pattern, Side, SourceOrder};
            use $krate::device::Device;
            use $krate::memory::{
                self, Bytes, DeviceBuffer, DeviceMemory, HostFlags, PinnedBuffer, Pitch,
                PitchedBuffer,
            };
            use $krate::pointer::Address;
            use $krate::stream::{CaptureMode, Stream, StreamOptions};

            type Place = $type;

            fn place() -> Place {
                let device = Device::new(0).expect("there is a device");
                ($place)(device).expect("it has a context")
            }

            fn checker(ask: &'static Counted, heard: &Heard, policy: Policy) -> Checker<'static> {
                observe(Registry::global());
                Checker::new(ask)
                    .with_registry(Registry::global())
                    .with_policy(policy)
                    .telling(heard.audience())
            }

            /// Fails the test unless CUDA was asked and refused with this, for this reason.
            #[track_caller]
            fn refused(result: Result<(), Error>, status: u32, rule: &str) {
                let error = match result {
                    Err(Error::Checked(error)) => error,
                    other => panic!("{rule}: {other:?}"),
                };
                assert_eq!(error.reason(), Reason::Refused, "{error}");
                assert_eq!(error.status(), Some(status), "{error}");
                assert_eq!(error.findings()[0].rule, rule, "{error}");
            }

            pub(super) fn the_rows_of_an_allocation_are_known() {
                for policy in [Policy::Check, Policy::Strict] {
                    the_rows_are_known(policy);
                }
            }

            fn the_rows_are_known(policy: Policy) {
                let (place, heard) = (place(), Heard::default());
                let checker = checker(Counted::new(), &heard, policy);
                // Of what CUDA accepts strict alone speaks.
                let told = |rule, severity| match policy {
                    Policy::Strict => vec![(rule, severity)],
                    _ => Vec::new(),
                };
                let narrow = PitchedBuffer::<u8>::new(&place, 100, 4).expect("rows");
                let wide = PitchedBuffer::<u8>::new(&place, 400, 4).expect("rows");
                let current = place.enter().expect("it is there");
                let made = super::rows::$layer().expect("rows");
                let rows = [
                    (wide.address(), wide.pitch(), 400),
                    (narrow.address(), narrow.pitch(), 100),
                    (made.0, made.1, 400),
                ];
                for (address, pitch, row) in rows {
                    let Some(Entry::Live(owner)) = Registry::global().find(address.0) else {
                        panic!("the observer heard of it");
                    };
                    let known = (owner.pitch, owner.row);
                    assert_eq!(known, (Some(pitch.0 as u64), Some(row)));
                }
                let host = vec![7_u8; 4096];
                let up = |to, pitch, from, width, height| {
                    let copy = Copy2d {
                        destination: Side::device(to, pitch),
                        source: Side::host(host.as_ptr(), from),
                        width: Bytes(width),
                        height,
                    };
                    // SAFETY: the memory is alive; what is copied lies in both, or is refused.
                    unsafe { raw::copy_2d(&checker, &copy) }
                };
                let quarter = |pitch: Pitch| Pitch(pitch.0 / 4);
                for (address, pitch, row) in rows {
                    let rows_of = usize::try_from(row).expect("it is small");
                    up(address, pitch, Pitch(rows_of), rows_of, 4).expect("it is right");
                    assert_eq!(heard.take(), []);
                    // A quarter of the pitch: rows that do not fit are refused.
                    if rows_of > pitch.0 / 4 {
                        let result = up(address, quarter(pitch), Pitch(rows_of), rows_of, 4);
                        refused(result, $narrow, "pitch.in-elements");
                        heard.take();
                    }
                }
                // Rows that fit are accepted, and lie where nobody looks for them.
                let (to, pitch) = (narrow.address(), narrow.pitch());
                up(to, quarter(pitch), Pitch(100), 100, 4).expect("CUDA accepts it");
                assert_eq!(heard.take(), told("pitch.in-elements", Severity::Warning));
                let filled = |pitch, width, height| {
                    // SAFETY: the rows lie in the allocation.
                    unsafe { raw::fill_2d(&checker, to, pitch, Pattern::Bits8(0), width, height) }
                };
                filled(quarter(pitch), 100, 4).expect("CUDA accepts it");
                assert_eq!(heard.take(), told("pitch.in-elements", Severity::Warning));
                filled(pitch, 100, 4).expect("it is right");
                // Another use of the same memory may be meant: fewer rows, other rows, one layout on
                // both sides, more rows than there are.
                let quarter = quarter(pitch);
                filled(quarter, 100, 3).expect("it may be meant");
                filled(quarter, 64, 4).expect("it may be meant");
                filled(quarter, 100, 16).expect("it may be meant");
                up(to, quarter, Pitch(100), 100, 3).expect("it may be meant");
                up(to, quarter, quarter, 100, 4).expect("it may be meant");
                up(to, quarter, Pitch(100), 64, 4).expect("it may be meant");
                up(to, Pitch(100), Pitch(100), 100, 4).expect("it may be meant");
                up(to, quarter, Pitch(100), 100, 1).expect("one row has no pitch");
                assert_eq!(heard.take(), []);

                let (to, whole) = (wide.address(), wide.size().0);
                let line = |bytes| {
                    let (from, way) = (host.as_ptr(), Direction::HostToDevice);
                    // SAFETY: both have at least that many bytes.
                    unsafe { raw::copy(&checker, to, from, Bytes(bytes), way) }
                };
                line(1600).expect("CUDA accepts it");
                let linear = "pitch.linear-copy-of-pitched";
                assert_eq!(heard.take(), told(linear, Severity::Error));
                // Within a row, the whole with its padding, and numbers that only divide by the rows.
                for bytes in [1, 100, 400, 512, 1000, 1200, 1596, 1604, whole] {
                    line(bytes).expect("it may be meant");
                }
                assert_eq!(heard.take(), []);
                // SAFETY: it was allocated above, and nothing uses it any longer.
                unsafe { memory::raw::free(made.0) }.expect("it is there");
                drop(current);
            }

            pub(super) fn a_capture_that_the_stream_began_is_known() {
                let (place, heard, ask) = (place(), Heard::default(), Counted::new());
                let check = checker(ask, &heard, Policy::Check);
                let strict = checker(ask, &heard, Policy::Strict);
                let mut stream =
                    Stream::new(&place, StreamOptions::NON_BLOCKING).expect("a stream");
                assert!(stream.is_created_here() && stream.is_known_to_run());
                let buffer = DeviceBuffer::<u8>::new(&place, 40).expect("40 bytes");
                let pinned = PinnedBuffer::<u8>::from_slice(&place, &[7; 40], HostFlags::PLAIN);
                let pinned = pinned.expect("40 bytes");
                let pageable = vec![7_u8; 40];
                let (to, locked) = (buffer.address(), pinned.address());
                let batch = |checker: &Checker<'_>, stream: &Stream| {
                    let mut batch = Batch::new();
                    // SAFETY: both have 40 bytes and live until the stream is waited for.
                    unsafe { batch.push(to, locked, Bytes(40), SourceOrder::Stream) };
                    // SAFETY: as above.
                    unsafe { batch.submit(checker, stream) }
                };
                let queued = |checker: &Checker<'_>, from: *const u8, stream: &Stream| {
                    let (way, size) = (Direction::HostToDevice, Bytes(40));
                    // SAFETY: as above.
                    unsafe { raw::copy_async(checker, to, from, size, way, stream) }
                };
                let current = place.enter().expect("it is there");
                // A value that created its stream and began nothing: nobody has to be asked.
                queued(&check, pageable.as_ptr(), &stream).expect("it is right");
                queued(&check, pinned.as_ptr(), &stream).expect("it is right");
                assert_eq!(ask.asked(), 0);
                // SAFETY: the stream is alive for as long as this value, and captures in no scope.
                let lent = unsafe { Stream::borrow_raw(&place, stream.as_raw()) };
                assert!(!lent.is_created_here() && !lent.is_known_to_run());
                queued(&check, pageable.as_ptr(), &lent).expect("it is right");
                assert_eq!(ask.asked(), 0);
                queued(&strict, pinned.as_ptr(), &lent).expect("it is right");
                assert_eq!(ask.asked(), 1);
                let batches = super::has(stringify!($layer), "MemcpyBatchAsync");
                if batches {
                    for checker in [&check, &strict] {
                        batch(checker, &stream).expect("it is right");
                        batch(checker, &lent).expect("it is right");
                    }
                }
                stream.synchronize().expect("it is done");
                assert_eq!(heard.take(), []);
                ask.asked();

                stream
                    .begin_capture(CaptureMode::Relaxed)
                    .expect("it begins");
                assert!(stream.is_created_here() && !stream.is_known_to_run());
                queued(&check, pinned.as_ptr(), &stream).expect("it is collected");
                queued(&strict, pinned.as_ptr(), &stream).expect("it is collected");
                assert_eq!(heard.take(), []);
                if batches {
                    for checker in [&check, &strict] {
                        for stream in [&stream, &lent] {
                            refused(batch(checker, stream), 900, "stream.batch-in-capture");
                            let said = heard.take();
                            assert_eq!(said, [("stream.batch-in-capture", Severity::Error)]);
                        }
                    }
                }
                drop(stream.end_capture().expect("the capture is whole"));
                assert!(stream.is_known_to_run());
                queued(&check, pageable.as_ptr(), &stream).expect("it is right");
                if batches {
                    batch(&check, &stream).expect("it is right");
                    batch(&strict, &stream).expect("it is right");
                }
                stream.synchronize().expect("it is done");
                assert_eq!(heard.take(), []);
                drop(current);
            }

            pub(super) fn a_blocking_capture_is_named_when_it_is_lost() {
                for policy in [Policy::Check, Policy::Strict] {
                    let (place, heard) = (place(), Heard::default());
                    let checker = checker(Counted::new(), &heard, policy);
                    let mut stream =
                        Stream::new(&place, StreamOptions::BLOCKING).expect("a stream");
                    let mut buffer = DeviceBuffer::<u8>::new(&place, 40).expect("40 bytes");
                    let pinned = PinnedBuffer::<u8>::from_slice(&place, &[7; 40], HostFlags::PLAIN);
                    let pinned = pinned.expect("40 bytes");
                    let mode = CaptureMode::Relaxed;
                    stream.begin_capture(mode).expect("it begins");
                    refused(
                        upload(&checker, &mut buffer, &pinned),
                        906,
                        "stream.capturing",
                    );
                    stream.end_capture().expect_err("it was lost");
                    heard.take();
                    // The twin: the copy is collected.
                    stream.begin_capture(mode).expect("it begins");
                    let (to, from) = (buffer.address(), pinned.as_ptr());
                    let current = place.enter().expect("it is there");
                    let (way, size) = (Direction::HostToDevice, Bytes(40));
                    // SAFETY: both have 40 bytes, and live as long as the graph, which never runs.
                    unsafe { raw::copy_async(&checker, to, from, size, way, &stream) }
                        .expect("it is collected");
                    drop(current);
                    drop(stream.end_capture().expect("it is whole"));
                    upload(&checker, &mut buffer, &pinned).expect("it is right");
                    assert_eq!(heard.take(), []);
                }
            }

            pub(super) fn a_handle_that_is_used_again_is_alive() {
                let (place, heard) = (place(), Heard::default());
                let strict = checker(Counted::new(), &heard, Policy::Strict);
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING).expect("a stream");
                let handle = stream.as_raw().expose_provenance() as u64;
                // Somebody destroyed a stream of this handle; then the layer was given it.
                Registry::global().stream_created(handle);
                Registry::global().stream_destroyed(handle);
                let buffer = DeviceBuffer::<u8>::new(&place, 40).expect("40 bytes");
                let source = PinnedBuffer::<u8>::from_slice(&place, &[7; 40], HostFlags::PLAIN);
                let source = source.expect("40 bytes");
                scope(&strict, |scope| scope.upload(&stream, &buffer, &source))
                    .expect("it is right");
                assert_eq!(heard.take(), []);
                assert_eq!(buffer.to_vec().expect("it is there"), [7; 40]);
            }

            pub(super) fn where_devices_reach_pageable_memory_every_direction_is_right() {
                let (place, heard, ask) = (place(), Heard::default(), Counted::new());
                let strict = checker(ask, &heard, Policy::Strict);
                let current = place.enter().expect("it is there");
                let call = Call::memcpy(0, 0, 0, Kind::Default);
                if ask.environment(&call).pageable_access != Some(true) {
                    cuwhy_tests::skip("needs a device that reaches pageable memory by itself");
                    return;
                }
                let (mut to, from) = (vec![0_u8; 40], vec![7_u8; 40]);
                for direction in [
                    Direction::HostToDevice,
                    Direction::DeviceToHost,
                    Direction::DeviceToDevice,
                    Direction::Automatic,
                ] {
                    to.fill(0);
                    let (to_it, size) = (to.as_mut_ptr(), Bytes(40));
                    // SAFETY: both have 40 bytes.
                    unsafe { raw::copy(&strict, to_it, from.as_ptr(), size, direction) }
                        .expect("it is right");
                    place.synchronize().expect("it is done");
                    assert_eq!(to, from);
                }
                let to_it = to.as_mut_ptr();
                // SAFETY: it has 40 bytes.
                unsafe { raw::fill(&strict, to_it, Pattern::Bits8(9), 40) }.expect("it is right");
                place.synchronize().expect("it is done");
                assert_eq!(to, [9; 40]);
                assert_eq!(heard.take(), []);
                // What cannot be touched is not made there either.
                let way = Direction::HostToDevice;
                // SAFETY: it is not made.
                let result = unsafe { raw::copy(&strict, to_it, Address(0x1000), Bytes(4), way) };
                let Err(Error::Checked(error)) = result else {
                    panic!("{result:?}");
                };
                assert_eq!(error.reason(), Reason::NotExecuted, "{error}");
                drop(current);
            }

            pub(super) fn planes_in_one_call_and_with_attributes_are_checked() {
                let (place, heard) = (place(), Heard::default());
                let strict = checker(Counted::new(), &heard, Policy::Strict);
                let check = checker(Counted::new(), &heard, Policy::Check);
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING).expect("a stream");
                let device = DeviceBuffer::<u8>::new(&place, 256).expect("256 bytes");
                let other = DeviceBuffer::<u8>::new(&place, 256).expect("256 bytes");
                let numbers: Vec<u8> = (0..=255).collect();
                let source = PinnedBuffer::<u8>::from_slice(&place, &numbers, HostFlags::PLAIN);
                let source = source.expect("256 bytes");
                let array = Array::new(&place, Shape::plane(16, 4, Format::U32, 1));
                let array = array.expect("an array");
                let current = place.enter().expect("it is there");
                // Four planes of four rows of 16 bytes.
                let planes = |to: &DeviceBuffer<u8>, depth: usize| Copy3d {
                    destination: Side::device(to.address(), Pitch(16)).planes_of(4),
                    source: Side::host(source.as_ptr(), Pitch(16)).planes_of(4),
                    width: Bytes(16),
                    height: 4,
                    depth,
                };
                let into = |height: usize| Copy3d {
                    destination: array.side(),
                    source: Side::host(source.as_ptr(), Pitch(64)).planes_of(4),
                    width: Bytes(64),
                    height,
                    depth: 1,
                };
                let order = SourceOrder::Stream;
                let entry = |result: &Result<(), Error>| match result {
                    Err(Error::Checked(error)) => error.findings()[0].entry,
                    other => panic!("{other:?}"),
                };
                for checker in [&check, &strict] {
                    let many = |copies: &[Copy3d]| {
                        // SAFETY: everything lives until the stream is waited for; CUDA checks how far
                        // the device's memory goes.
                        unsafe { raw::copy_3d_batch_async(checker, copies, order, &stream) }
                    };
                    let right = [planes(&device, 4), planes(&other, 4), into(4)];
                    if !super::has(stringify!($layer), "Memcpy3DBatchAsync") {
                        let result = many(&right);
                        assert!(matches!(result, Err(Error::Layer(_))), "{result:?}");
                        continue;
                    }
                    many(&[]).expect("nothing is asked");
                    many(&right).expect("it is right");
                    stream.synchronize().expect("it is done");
                    assert_eq!(heard.take(), []);
                    assert_eq!(other.to_vec().expect("it is there"), numbers);
                    for (copies, rule) in [
                        (
                            [planes(&device, 4), planes(&other, 5)],
                            "pitch.last-row-past-end",
                        ),
                        ([planes(&device, 4), into(5)], "array.outside"),
                    ] {
                        let result = many(&copies);
                        assert_eq!(entry(&result), Some(1));
                        let says = match &result {
                            Err(Error::Checked(error)) => error.to_string(),
                            other => panic!("{other:?}"),
                        };
                        assert!(says.contains(rule), "{says}");
                        refused(result, 1, "batch.entry");
                    }
                    heard.take();
                }
                // An entry that would kill the process is not made, nor is any other; that of host memory
                // is known under strict alone.
                if super::has(stringify!($layer), "Memcpy3DBatchAsync") {
                    let host = Side::host(core::ptr::without_provenance::<u8>(0x1000), Pitch(16));
                    let deadly = Copy3d {
                        source: host.planes_of(4),
                        ..planes(&other, 4)
                    };
                    let many = |copies: &[Copy3d]| {
                        // SAFETY: it is not made.
                        unsafe { raw::copy_3d_batch_async(&strict, copies, order, &stream) }
                    };
                    let result = many(&[planes(&device, 4), deadly]);
                    let Err(Error::Checked(error)) = result else {
                        panic!("nothing is there: {result:?}");
                    };
                    assert_eq!(error.reason(), Reason::NotExecuted, "{error}");
                    assert_eq!(error.findings()[0].rule, "batch.entry", "{error}");
                    heard.take();
                }

                let to = device.address();
                for checker in [&check, &strict] {
                    let line = |bytes| {
                        let (from, size) = (source.as_ptr(), Bytes(bytes));
                        // SAFETY: as above.
                        unsafe {
                            raw::copy_with_order_async(checker, to, from, size, order, &stream)
                        }
                    };
                    let planes_of = |depth| {
                        let copy = planes(&device, depth);
                        // SAFETY: as above.
                        unsafe { raw::copy_3d_with_order_async(checker, &copy, order, &stream) }
                    };
                    if !super::has(stringify!($layer), "MemcpyWithAttributesAsync") {
                        let result = line(256);
                        assert!(matches!(result, Err(Error::Layer(_))), "{result:?}");
                        heard.take();
                        continue;
                    }
                    line(256).expect("it is right");
                    planes_of(4).expect("it is right");
                    stream.synchronize().expect("it is done");
                    assert_eq!(heard.take(), []);
                    refused(line(257), 1, "range.past-end");
                    refused(planes_of(5), 1, "pitch.last-row-past-end");
                    heard.take();
                }
                drop(current);
            }

            pub(super) fn another_devices_stream_is_right() {
                if Device::count().expect("it can be asked") < 2 {
                    cuwhy_tests::skip("needs two devices");
                    return;
                }
                let (near, heard) = (place(), Heard::default());
                let strict = checker(Counted::new(), &heard, Policy::Strict);
                let far = Device::new(1).expect("there are two");
                let far: Place = ($place)(far).expect("it has a context");
                let stream = Stream::new(&far, StreamOptions::NON_BLOCKING).expect("a stream");
                let one = DeviceBuffer::<u8>::from_slice(&near, &[7; 40]).expect("40 bytes");
                let two = DeviceBuffer::<u8>::new(&near, 40).expect("40 bytes");
                scope(&strict, |scope| scope.device_to_device(&stream, &two, &one))
                    .expect("it is right");
                let current = near.enter().expect("it is there");
                let way = Direction::DeviceToDevice;
                let (to, from) = (two.address(), one.address());
                // SAFETY: both have 40 bytes and live until the stream is waited for.
                unsafe { raw::copy_async(&strict, to, from, Bytes(40), way, &stream) }
                    .expect("it is right");
                drop(current);
                stream.synchronize().expect("it is done");
                assert_eq!(heard.take(), []);
                assert_eq!(two.to_vec().expect("it is there"), [7; 40]);
            }

            pub(super) fn what_a_scope_borrows_is_checked() {
                let (place, heard) = (place(), Heard::default());
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING).expect("a stream");
                let buffer = DeviceBuffer::<u32>::new(&place, 10).expect("40 bytes");
                let other = DeviceBuffer::<u32>::new(&place, 10).expect("40 bytes");
                let third = DeviceBuffer::<u32>::new(&place, 10).expect("40 bytes");
                let rows = PitchedBuffer::<u32>::new(&place, 5, 2).expect("rows");
                let pinned = |numbers: &[u32]| {
                    PinnedBuffer::<u32>::from_slice(&place, numbers, HostFlags::PLAIN)
                        .expect("page-locked")
                };
                let numbers = pinned(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
                // One that says it has more than was allocated: no safe code can make it.
                // SAFETY: it is never dropped; CUDA checks how far the allocation goes.
                let long = ManuallyDrop::new(unsafe {
                    DeviceBuffer::<u32>::from_raw_parts(&place, buffer.address(), 11)
                });
                let packed = Pitch::packed::<u32>(5).expect("20 bytes");
                for policy in [Policy::ExplainOnFailure, Policy::Check, Policy::Strict] {
                    let checker = checker(Counted::new(), &heard, policy);
                    let [mut one, mut two, mut three] = [(); 3].map(|()| pinned(&[0; 10]));
                    let done = scope(&checker, |scope| {
                        scope.upload(&stream, &buffer, &numbers)?;
                        scope.device_to_device(&stream, &other, &buffer)?;
                        scope.download(&stream, &mut one, &other)?;
                        scope.fill(&stream, &third, 9_u32)?;
                        scope.download(&stream, &mut two, &third)?;
                        scope.upload_2d(&stream, &rows, &numbers, packed)?;
                        scope.download_2d(&stream, &mut three, packed, &rows)?;
                        Ok(5)
                    });
                    assert_eq!(done.expect("all of it is right"), 5);
                    assert_eq!(
                        (&*one, &*two, &*three),
                        (&*numbers, &[9; 10][..], &*numbers)
                    );
                    if super::has(stringify!($layer), "MemcpyBatchAsync") {
                        let mut back = pinned(&[0; 10]);
                        let mut batch = Batch::new();
                        batch.device_to_device(&third, &buffer).expect("lengths");
                        batch.download(&mut back, &other).expect("lengths");
                        scope(&checker, |scope| scope.batch(&stream, batch)).expect("right");
                        assert_eq!(*back, *numbers);
                        let more = pinned(&[1; 11]);
                        let mut batch = Batch::new();
                        batch.upload(&third, &numbers).expect("lengths");
                        batch.upload(&*long, &more).expect("lengths");
                        let result = scope(&checker, |scope| scope.batch(&stream, batch));
                        refused(result, 1, "batch.entry");
                    }
                    let more = pinned(&[1; 11]);
                    let mut less = pinned(&[0; 11]);
                    assert_eq!(
                        heard.take().len(),
                        usize::from(super::has(stringify!($layer), "MemcpyBatchAsync"))
                    );
                    let past = "range.past-end";
                    let up = scope(&checker, |scope| scope.upload(&stream, &*long, &more));
                    refused(up, 1, past);
                    let down = scope(&checker, |scope| scope.download(&stream, &mut less, &*long));
                    refused(down, 1, past);
                    let fill = scope(&checker, |scope| scope.fill(&stream, &*long, 1_u32));
                    refused(fill, 1, past);
                    let short = scope(&checker, |scope| {
                        scope.upload(&stream, &buffer, &numbers[1..])
                    });
                    assert!(matches!(short, Err(Error::Layer(_))), "{short:?}");
                    heard.take();
                }
            }
        }
    };
}

bodies!(
    driver,
    cuwhy_driver,
    cuwhy_driver::context::Context,
    |device: Device| device.context(),
    1
);
bodies!(
    runtime,
    cuwhy_runtime,
    cuwhy_runtime::device::Device,
    Ok::<Device, cuwhy_runtime::error::Error>,
    12
);

/// Four rows of 400 bytes without an owner: the runtime asks for less.
mod rows {
    pub(super) fn driver()
    -> cuwhy_driver::error::Result<(cuwhy_driver::pointer::Address, cuwhy_driver::memory::Pitch)>
    {
        use cuwhy_driver::memory::{Bytes, raw};
        raw::allocate_pitched(Bytes(400), 4, Bytes(4))
    }

    pub(super) fn runtime() -> cuwhy_runtime::error::Result<(
        cuwhy_runtime::pointer::Address,
        cuwhy_runtime::memory::Pitch,
    )> {
        use cuwhy_runtime::memory::{Bytes, raw};
        raw::allocate_pitched(Bytes(400), 4)
    }
}

in_every_house! {
    the_rows_of_an_allocation_are_known: "",
    a_capture_that_the_stream_began_is_known: "",
    a_blocking_capture_is_named_when_it_is_lost: "",
    a_handle_that_is_used_again_is_alive: "",
    what_a_scope_borrows_is_checked: "",
    where_devices_reach_pageable_memory_every_direction_is_right: "hmm=on",
    another_devices_stream_is_right: "devices=2",
    planes_in_one_call_and_with_attributes_are_checked: "driver=13.2",
}
