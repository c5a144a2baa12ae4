//! Checked copies over both layers: what is right is made and arrives, what is refused is made and
//! explained, what is deadly is not made. On the simulator with the runtime of each major, and with
//! `CUWHY_TEST_GPU=require` on the machine's device with the runtime that `CUWHY_LIBCUDART` names.

#[macro_use]
#[path = "common/houses.rs"]
mod houses;

use cuwhy_tests::here;
use houses::{HOUSES, House, child, has};

/// The bodies, for one layer: its crate, and how a place to work in is had there.
macro_rules! bodies {
    ($layer:ident, $krate:ident, $type:ty, $place:expr, $strange:expr) => {
        mod $layer {
            use cuda_sys::driver::Driver;
            use cuwhy_validate::ask::{ByRuntime, Live};
            use cuwhy_validate::checked::$layer::{
                Batch, Error, device_to_device, download, download_2d, fill, observe, raw, upload,
                upload_2d, zero, zero_2d,
            };
            use cuwhy_validate::checker::{Audience, Event, Reason};
            use cuwhy_validate::registry::Entry;
            use cuwhy_validate::{Checker, Class, Policy, Registry};
            use std::sync::{Arc, Mutex};
            use $krate::array::{Array, Format, Shape};
            use $krate::copy::{Copy2d, Copy3d, Direction, Pattern, Position, Side, SourceOrder};
            use $krate::device::Device;
            use $krate::memory::{
                Bytes, DeviceBuffer, DeviceMemory, HostFlags, PinnedBuffer, Pitch, PitchedBuffer,
            };
            use $krate::pointer::Address;
            use $krate::stream::{Stream, StreamOptions};

            type Place = $type;

            /// The number by which the layer's interface calls a pitch that is too small.
            const NARROW: u32 = $strange;

            fn place() -> Place {
                let device = Device::new(0).expect("there is a device");
                ($place)(device).expect("it has a context")
            }

            fn live() -> &'static Live<'static> {
                let driver = Driver::get().expect("there is a driver");
                Box::leak(Box::new(Live::new(driver)))
            }

            fn checker() -> Checker<'static> {
                observe(Registry::global());
                Checker::new(live())
                    .with_registry(Registry::global())
                    .with_policy(Policy::Strict)
            }

            fn stream(place: &Place) -> Stream {
                Stream::new(place, StreamOptions::NON_BLOCKING).expect("a stream")
            }

            /// Fails the test unless the copy was made and refused with this, for this reason.
            #[track_caller]
            fn refused(result: Result<(), Error>, status: u32, rule: &str, function: &str) {
                let error = match result {
                    Err(Error::Checked(error)) => error,
                    other => panic!("{rule}: {other:?}"),
                };
                assert_eq!(error.reason(), Reason::Refused, "{error}");
                assert_eq!(error.status(), Some(status), "{error}");
                let finding = &error.findings()[0];
                assert_eq!(finding.rule, rule, "{finding:?}");
                assert_eq!(finding.call.function, function, "{finding:?}");
                let at = finding.at.as_deref().unwrap_or_default();
                assert!(at.contains("tests/checked.rs"), "{at}");
            }

            pub(super) fn slices_are_checked_and_allocations_are_heard_of() {
                let (place, checker) = (place(), checker());
                let mut buffer = DeviceBuffer::<u32>::new(&place, 10).expect("40 bytes");
                let address = buffer.address();
                let Some(Entry::Live(owner)) = Registry::global().find(address.0) else {
                    panic!("the observer heard of it");
                };
                let bytes = owner.range.map(|range| range.bytes());
                assert_eq!((owner.class, bytes), (Class::Device, Some(40)));

                let numbers: Vec<u32> = (0..10).collect();
                let mut back = vec![0_u32; 10];
                upload(&checker, &mut buffer, &numbers).expect("it is right");
                download(&checker, &mut back, &buffer).expect("it is right");
                assert_eq!(back, numbers);
                let mut other = DeviceBuffer::<u32>::new(&place, 10).expect("40 bytes");
                device_to_device(&checker, &mut other, &buffer).expect("it is right");
                assert_eq!(other.to_vec().expect("it is there"), numbers);
                fill(&checker, &mut other, 7).expect("it is right");
                assert_eq!(other.to_vec().expect("it is there"), [7; 10]);
                zero(&checker, &mut other).expect("it is right");
                assert_eq!(other.to_vec().expect("it is there"), [0; 10]);
                let short = upload(&checker, &mut other, &numbers[1..]);
                assert!(matches!(short, Err(Error::Layer(_))), "{short:?}");

                let mut pitched = PitchedBuffer::<u32>::new(&place, 7, 5).expect("rows");
                let numbers: Vec<u32> = (0..35).collect();
                let mut back = vec![0_u32; 35];
                let packed = Pitch::packed::<u32>(7).expect("28 bytes");
                upload_2d(&checker, &mut pitched, &numbers, packed).expect("it is right");
                download_2d(&checker, &mut back, packed, &pitched).expect("it is right");
                assert_eq!(back, numbers);
                zero_2d(&checker, &mut pitched).expect("it is right");
                download_2d(&checker, &mut back, packed, &pitched).expect("it is right");
                assert_eq!(back, [0; 35]);

                drop(buffer);
                let after = Registry::global().find(address.0);
                assert!(matches!(after, Some(Entry::Dead(_)) | None), "{after:?}");
                let current = place.enter().expect("it is there");
                let source = numbers.as_ptr();
                let way = Direction::HostToDevice;
                // SAFETY: CUDA looks the destination up, and refuses.
                let copied = unsafe { raw::copy(&checker, address, source, Bytes(40), way) };
                drop(current);
                let finding = match &copied {
                    Err(Error::Checked(error)) => error.findings()[0].clone(),
                    other => panic!("{other:?}"),
                };
                let (made, freed) = super::names::$layer::MEMORY;
                assert!(
                    finding
                        .says
                        .starts_with(&format!("the destination was freed by {freed}")),
                    "{}",
                    finding.says
                );
                let was = &finding.operands[0].segments[0].text;
                assert!(was.starts_with(&format!("freed: was {made} 40 B")), "{was}");
                refused(copied, 1, "pointer.freed", super::names::$layer(way, false));
            }

            pub(super) fn lines_and_fills_are_refused_with_a_reason() {
                let (place, checker) = (place(), checker());
                let stream = stream(&place);
                let buffer = DeviceBuffer::<u8>::from_slice(&place, &[7; 40]).expect("40 bytes");
                let other = DeviceBuffer::<u8>::new(&place, 400).expect("400 bytes");
                let pinned = PinnedBuffer::<u8>::from_slice(&place, &[7; 400], HostFlags::PLAIN);
                let pinned = pinned.expect("400 bytes");
                let (device, host) = (buffer.address(), pinned.address());
                let current = place.enter().expect("it is there");
                // Forty bytes are right, one more is not; in each direction, at once and in a stream.
                for (direction, to, from) in [
                    (Direction::HostToDevice, device, host),
                    (Direction::DeviceToHost, host, device),
                    (Direction::DeviceToDevice, other.address(), device),
                    (Direction::Automatic, host, device),
                ] {
                    let past = "range.past-end";
                    let now = |bytes| {
                        // SAFETY: both ranges are alive; CUDA checks how far they go.
                        unsafe { raw::copy(&checker, to, from, Bytes(bytes), direction) }
                    };
                    now(40).expect("it is right");
                    refused(now(41), 1, past, super::names::$layer(direction, false));
                    let later = |bytes| {
                        let size = Bytes(bytes);
                        // SAFETY: as above; everything lives until the stream is waited for.
                        unsafe { raw::copy_async(&checker, to, from, size, direction, &stream) }
                    };
                    later(40).expect("it is right");
                    refused(later(41), 1, past, super::names::$layer(direction, true));
                }
                let mut target = [0_u8; 40];
                let (to, from) = (target.as_mut_ptr(), pinned.as_ptr());
                // SAFETY: both are host memory of 40 bytes and more.
                unsafe { raw::copy(&checker, to, from, Bytes(40), Direction::HostToHost) }
                    .expect("it is right");
                stream.synchronize().expect("it is done");
                assert_eq!((target, &pinned[..40]), ([7; 40], &[7; 40][..]));

                for (pattern, count, functions) in super::names::FILLS {
                    let pattern = match pattern {
                        1 => Pattern::Bits8(1),
                        2 => Pattern::Bits16(0x101),
                        _ => Pattern::Bits32(0x101_0101),
                    };
                    let functions = functions[super::names::fills(stringify!($layer))];
                    let now = |count| {
                        // SAFETY: the memory is alive; CUDA checks how far it goes.
                        unsafe { raw::fill(&checker, device, pattern, count) }
                    };
                    now(*count).expect("it is right");
                    refused(now(count + 1), 1, "range.past-end", functions[0]);
                    let later = |count| {
                        // SAFETY: as above, until the stream is waited for.
                        unsafe { raw::fill_async(&checker, device, pattern, count, &stream) }
                    };
                    later(*count).expect("it is right");
                    refused(later(count + 1), 1, "range.past-end", functions[1]);
                    // Rows of 8 bytes, 16 apart: three end at byte 40.
                    let width = 8 / pattern.size().0;
                    let last = "pitch.last-row-past-end";
                    let now = |rows| {
                        // SAFETY: as above.
                        unsafe { raw::fill_2d(&checker, device, Pitch(16), pattern, width, rows) }
                    };
                    now(3).expect("it is right");
                    refused(now(4), 1, last, functions[2]);
                    let later = |rows| {
                        let pitch = Pitch(16);
                        // SAFETY: as above, until the stream is waited for.
                        unsafe {
                            raw::fill_2d_async(
                                &checker, device, pitch, pattern, width, rows, &stream,
                            )
                        }
                    };
                    later(3).expect("it is right");
                    refused(later(4), 1, last, functions[3]);
                }
                stream.synchronize().expect("it is done");
                drop(current);
                let bytes = buffer.to_vec().expect("it is there");
                assert_eq!(bytes, [1; 40]);
            }

            pub(super) fn rows_planes_and_arrays_are_checked() {
                let (place, checker) = (place(), checker());
                let stream = stream(&place);
                let numbers: Vec<u8> = (0..=255).collect();
                let device = DeviceBuffer::<u8>::new(&place, 256).expect("256 bytes");
                let mut array =
                    Array::new(&place, Shape::plane(16, 4, Format::U32, 1)).expect("an array");
                let mut volume =
                    Array::new(&place, Shape::volume(4, 4, 4, Format::U32, 1)).expect("an array");
                let current = place.enter().expect("it is there");
                let rows = |height: usize, pitch: usize| Copy2d {
                    destination: Side::device(device.address(), Pitch(64)),
                    source: Side::host(numbers.as_ptr(), Pitch(pitch)),
                    width: Bytes(64),
                    height,
                };
                let two = |copy: &Copy2d| {
                    // SAFETY: the memory is alive; CUDA checks how far the device's goes.
                    unsafe { raw::copy_2d(&checker, copy) }
                };
                let two_later = |copy: &Copy2d| {
                    // SAFETY: as above, until the stream is waited for.
                    unsafe { raw::copy_2d_async(&checker, copy, &stream) }
                };
                let [plane, plane_later] = super::names::$layer::PLANES;
                let last = "pitch.last-row-past-end";
                two(&rows(4, 64)).expect("it is right");
                two_later(&rows(4, 64)).expect("it is right");
                let much = Copy2d {
                    source: Side::host(numbers.as_ptr(), Pitch(64)),
                    ..rows(5, 64)
                };
                let back = |copy: Copy2d| Copy2d {
                    destination: copy.source,
                    source: copy.destination,
                    ..copy
                };
                refused(two(&much), 1, last, plane);
                refused(two_later(&much), 1, last, plane_later);
                refused(
                    two(&rows(4, 60)),
                    NARROW,
                    "pitch.width-exceeds-pitch",
                    plane,
                );
                let mut result = vec![0_u8; 256];
                let home = Copy2d {
                    source: Side::host(result.as_mut_ptr(), Pitch(64)),
                    ..rows(4, 64)
                };
                two(&back(home)).expect("it is right");
                assert_eq!(result, numbers);

                let into = |y: usize| Copy2d {
                    destination: array.side().at(Position {
                        y,
                        ..Position::default()
                    }),
                    ..rows(4, 64)
                };
                let [to_array, to_array_later] = super::names::$layer::TO_ARRAY;
                two(&into(0)).expect("it is right");
                two_later(&into(0)).expect("it is right");
                refused(two(&into(1)), 1, "array.outside", to_array);
                refused(two_later(&into(1)), 1, "array.outside", to_array_later);
                let out = Copy2d {
                    destination: Side::host(result.as_mut_ptr(), Pitch(64)),
                    ..back(into(0))
                };
                result.fill(0);
                stream.synchronize().expect("it is done");
                two(&out).expect("it is right");
                assert_eq!(result, numbers);
                let from_array = super::names::$layer::FROM_ARRAY;
                refused(
                    two(&Copy2d { height: 5, ..out }),
                    1,
                    "array.outside",
                    from_array,
                );

                // Four planes of four rows of 16 bytes.
                let planes = |depth: usize| Copy3d {
                    destination: Side::device(device.address(), Pitch(16)).planes_of(4),
                    source: Side::host(numbers.as_ptr(), Pitch(16)).planes_of(4),
                    width: Bytes(16),
                    height: 4,
                    depth,
                };
                let three = |copy: &Copy3d| {
                    // SAFETY: the memory is alive; CUDA checks how far the device's goes.
                    unsafe { raw::copy_3d(&checker, copy) }
                };
                let three_later = |copy: &Copy3d| {
                    // SAFETY: as above, until the stream is waited for.
                    unsafe { raw::copy_3d_async(&checker, copy, &stream) }
                };
                let [space, space_later] = super::names::$layer::VOLUMES;
                three(&planes(4)).expect("it is right");
                three_later(&planes(4)).expect("it is right");
                refused(three(&planes(5)), 1, last, space);
                refused(three_later(&planes(5)), 1, last, space_later);
                let into = |depth: usize| Copy3d {
                    destination: volume.side(),
                    ..planes(depth)
                };
                three(&into(4)).expect("it is right");
                refused(three(&into(5)), 1, "array.outside", space);
                stream.synchronize().expect("it is done");
                drop(current);
                let mut back = vec![0_u32; 64];
                volume.download(&mut back).expect("it is there");
                assert_eq!(back[0], u32::from_le_bytes([0, 1, 2, 3]));
                assert_eq!(back[63], u32::from_le_bytes([252, 253, 254, 255]));
                volume.upload(&back).expect("it is alive");
                array.upload(&back).expect("it is alive");
            }

            pub(super) fn peers_and_batches_are_checked() {
                let (place, checker) = (place(), checker());
                let stream = stream(&place);
                let one = DeviceBuffer::<u8>::from_slice(&place, &[7; 40]).expect("40 bytes");
                let mut two = DeviceBuffer::<u8>::new(&place, 400).expect("400 bytes");
                let (to, from) = (two.address(), one.address());
                let current = place.enter().expect("it is there");
                let [peer, peer_later] = super::names::$layer::PEERS;
                let past = "range.past-end";
                let now = |bytes| {
                    // SAFETY: both are alive; CUDA checks how far they go.
                    unsafe { raw::peer(&checker, to, &place, from, &place, Bytes(bytes)) }
                };
                now(40).expect("it is right");
                refused(now(41), 1, past, peer);
                let later = |bytes| {
                    let size = Bytes(bytes);
                    // SAFETY: as above, until the stream is waited for.
                    unsafe { raw::peer_async(&checker, to, &place, from, &place, size, &stream) }
                };
                later(40).expect("it is right");
                refused(later(41), 1, past, peer_later);
                let rows = |height: usize| Copy3d {
                    destination: Side::device(to, Pitch(10)).planes_of(40),
                    source: Side::device(from, Pitch(10)).planes_of(40),
                    width: Bytes(10),
                    height,
                    depth: 1,
                };
                let [planes, planes_later] = super::names::$layer::PEER_VOLUMES;
                let last = "pitch.last-row-past-end";
                let now = |height| {
                    // SAFETY: as above.
                    unsafe { raw::copy_3d_peer(&checker, &rows(height), &place, &place) }
                };
                now(4).expect("it is right");
                refused(now(5), 1, last, planes);
                let later = |height| {
                    let rows = rows(height);
                    // SAFETY: as above.
                    unsafe { raw::copy_3d_peer_async(&checker, &rows, &place, &place, &stream) }
                };
                later(4).expect("it is right");
                refused(later(5), 1, last, planes_later);
                stream.synchronize().expect("it is done");
                drop(current);

                if super::has(stringify!($layer), "MemcpyBatchAsync") {
                    let source = [9_u8; 40];
                    let mut result = [0_u8; 40];
                    let mut batch = Batch::new();
                    batch.upload(&one, &source).expect("lengths are the same");
                    // SAFETY: the driver checks both, and neither is read or written by others.
                    unsafe {
                        batch.push(
                            to,
                            to.checked_add(Bytes(100)).unwrap_or(to),
                            Bytes(0),
                            SourceOrder::Any,
                        )
                    };
                    assert_eq!(batch.len(), 1);
                    // SAFETY: everything lives until the stream is waited for.
                    unsafe { batch.submit(&checker, &stream) }.expect("it is right");
                    stream.synchronize().expect("it is done");
                    let third = DeviceBuffer::<u8>::new(&place, 40).expect("40 bytes");
                    let mut batch = Batch::new();
                    batch
                        .download(&mut result, &one)
                        .expect("lengths are the same");
                    batch
                        .device_to_device(&third, &one)
                        .expect("lengths are the same");
                    // SAFETY: as above.
                    unsafe { batch.submit(&checker, &stream) }.expect("it is right");
                    stream.synchronize().expect("it is done");
                    assert_eq!(result, [9; 40]);
                    let mut batch = Batch::new();
                    batch.upload(&one, &source).expect("lengths are the same");
                    // SAFETY: CUDA checks how far the source goes.
                    unsafe { batch.push(to, from, Bytes(41), SourceOrder::Any) };
                    // SAFETY: as above.
                    let result = unsafe { batch.submit(&checker, &stream) };
                    let entry = match &result {
                        Err(Error::Checked(error)) => error.findings()[0].entry,
                        _ => None,
                    };
                    assert_eq!(entry, Some(1));
                    refused(result, 1, "batch.entry", super::names::$layer::BATCH);
                }
                zero(&checker, &mut two).expect("it is right");
            }

            pub(super) fn two_devices_are_checked() {
                if Device::count().expect("it can be asked") < 2 {
                    cuwhy_tests::skip("needs two devices");
                    return;
                }
                let (near, checker) = (place(), checker());
                let far = Device::new(1).expect("there are two");
                let far: Place = ($place)(far).expect("it has a context");
                let here = DeviceBuffer::<u8>::from_slice(&near, &[7; 40]).expect("40 bytes");
                let mut there = DeviceBuffer::<u8>::new(&far, 40).expect("40 bytes");
                device_to_device(&checker, &mut there, &here).expect("it is right");
                // Copies between devices come back before they are done.
                near.synchronize().expect("it is done");
                far.synchronize().expect("it is done");
                assert_eq!(there.to_vec().expect("it is there"), [7; 40]);
                zero(&checker, &mut there).expect("the device of the memory does it");
                far.synchronize().expect("it is done");
                let (to, from) = (there.address(), here.address());
                let current = near.enter().expect("it is there");
                let [peer, _] = super::names::$layer::PEERS;
                let copied = |bytes| {
                    // SAFETY: both are alive; CUDA checks how far they go.
                    unsafe { raw::peer(&checker, to, &far, from, &near, Bytes(bytes)) }
                };
                copied(40).expect("it is right");
                refused(copied(41), 1, "range.past-end", peer);
                // A copy is staged where no peer access is; a fill is not.
                let way = Direction::DeviceToDevice;
                // SAFETY: as above.
                unsafe { raw::copy(&checker, to, from, Bytes(40), way) }.expect("it is right");
                // SAFETY: as above.
                let filled = unsafe { raw::fill(&checker, to, Pattern::Bits8(1), 40) };
                let functions = super::names::FILLS[0].2[super::names::fills(stringify!($layer))];
                refused(filled, 1, "peer.memset-other-device", functions[0]);
                drop(current);
                near.synchronize().expect("it is done");
                assert_eq!(there.to_vec().expect("it is there"), [7; 40]);
            }

            pub(super) fn what_is_deadly_is_not_made() {
                let (place, checker) = (place(), checker());
                let one = DeviceBuffer::<u8>::from_slice(&place, &[7; 4096]).expect("4 KiB");
                let two = DeviceBuffer::<u8>::new(&place, 4096).expect("4 KiB");
                let current = place.enter().expect("it is there");
                let not_made = |result: Result<(), Error>, rule: &str| {
                    let Err(Error::Checked(error)) = result else {
                        panic!("{rule}: {result:?}");
                    };
                    assert_eq!(error.reason(), Reason::NotExecuted, "{error}");
                    assert_eq!(error.status(), None);
                    assert_eq!(error.findings()[0].rule, rule);
                    assert!(error.to_string().contains("was not made"), "{error}");
                };
                // Four bytes at an address where nothing is: the process would die.
                let nowhere = Address(0x1000);
                let (to, size) = (one.address(), Bytes(4));
                // SAFETY: it is not made.
                let up = unsafe { raw::copy(&checker, to, nowhere, size, Direction::HostToDevice) };
                not_made(up, "pointer.unknown");
                // A wrapped size between two allocations: the context would die.
                let inside = |buffer: &DeviceBuffer<u8>| Address(buffer.address().0 + 8);
                let size = Bytes(4_usize.wrapping_neg());
                let (to, from) = (inside(&two), inside(&one));
                let way = Direction::DeviceToDevice;
                for policy in [Policy::Check, Policy::Strict] {
                    let checker = Checker::new(live())
                        .with_registry(Registry::global())
                        .with_policy(policy);
                    // SAFETY: it is not made.
                    let across = unsafe { raw::copy(&checker, to, from, size, way) };
                    not_made(across, "range.size-overflow");
                }
                drop(current);
                assert_eq!(one.to_vec().expect("the context lives"), [7; 4096]);
            }

            pub(super) fn a_failure_that_was_not_predicted_asks_for_a_report() {
                let (place, told) = (place(), Arc::new(Mutex::new(0)));
                let count = Arc::clone(&told);
                let audience = Audience::new(move |event| {
                    if matches!(event, Event::Unexpected { .. }) {
                        *count.lock().expect("nobody panics") += 1;
                    }
                });
                let checker = checker().telling(audience);
                let mut buffer = DeviceBuffer::<u8>::new(&place, 40).expect("40 bytes");
                let Err(Error::Checked(error)) = upload(&checker, &mut buffer, &[1; 40]) else {
                    panic!("the simulator was told to fail");
                };
                assert_eq!(error.reason(), Reason::Unexpected);
                assert!(error.to_string().contains("please report"), "{error}");
                assert_eq!(*told.lock().expect("nobody panics"), 1);
            }

            pub(super) fn the_runtime_can_classify() {
                let place = place();
                let runtime = cuda_sys::runtime::Runtime::get().expect("there is a runtime");
                let ask = ByRuntime::new(runtime, Live::new(Driver::get().expect("a driver")));
                let checker = Checker::new(&ask).with_policy(Policy::Strict);
                let buffer = DeviceBuffer::<u8>::from_slice(&place, &[7; 40]).expect("40 bytes");
                let mut host = [0_u8; 400];
                let current = place.enter().expect("it is there");
                let (to, from) = (host.as_mut_ptr(), buffer.address());
                let down = |bytes, direction| {
                    // SAFETY: the array has 400 bytes; CUDA checks the device's 40.
                    unsafe { raw::copy(&checker, to, from, Bytes(bytes), direction) }
                };
                down(40, Direction::DeviceToHost).expect("it is right");
                // It knows no ranges: nothing is predicted, so nothing is called a mistake of ours.
                let Err(Error::Checked(error)) = down(400, Direction::DeviceToHost) else {
                    panic!("it is too long");
                };
                assert_eq!((error.reason(), error.status()), (Reason::Refused, Some(1)));
                // It knows classes: what is host memory is.
                let Err(Error::Checked(error)) = down(40, Direction::HostToDevice) else {
                    panic!("the destination is on the host");
                };
                assert_eq!(error.findings()[0].rule, "kind.swapped", "{error}");
                drop(current);
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

/// What each layer calls what it does.
mod names {
    pub(super) fn driver(direction: cuwhy_driver::copy::Direction, queued: bool) -> &'static str {
        use cuwhy_driver::copy::Direction;
        match (direction, queued) {
            (Direction::HostToDevice, false) => "cuMemcpyHtoD",
            (Direction::HostToDevice, true) => "cuMemcpyHtoDAsync",
            (Direction::DeviceToHost, false) => "cuMemcpyDtoH",
            (Direction::DeviceToHost, true) => "cuMemcpyDtoHAsync",
            (Direction::DeviceToDevice, false) => "cuMemcpyDtoD",
            (Direction::DeviceToDevice, true) => "cuMemcpyDtoDAsync",
            (_, false) => "cuMemcpy",
            (_, true) => "cuMemcpyAsync",
        }
    }

    pub(super) fn runtime(_: cuwhy_runtime::copy::Direction, queued: bool) -> &'static str {
        if queued {
            "cudaMemcpyAsync"
        } else {
            "cudaMemcpy"
        }
    }

    pub(super) fn fills(layer: &str) -> usize {
        usize::from(layer == "runtime")
    }

    /// Bytes of an element, elements in 40 bytes, and for each layer the four functions.
    pub(super) const FILLS: &[(usize, usize, [[&str; 4]; 2])] = &[
        (
            1,
            40,
            [
                [
                    "cuMemsetD8",
                    "cuMemsetD8Async",
                    "cuMemsetD2D8",
                    "cuMemsetD2D8Async",
                ],
                [
                    "cudaMemset",
                    "cudaMemsetAsync",
                    "cudaMemset2D",
                    "cudaMemset2DAsync",
                ],
            ],
        ),
        (
            2,
            20,
            [[
                "cuMemsetD16",
                "cuMemsetD16Async",
                "cuMemsetD2D16",
                "cuMemsetD2D16Async",
            ]; 2],
        ),
        (
            4,
            10,
            [[
                "cuMemsetD32",
                "cuMemsetD32Async",
                "cuMemsetD2D32",
                "cuMemsetD2D32Async",
            ]; 2],
        ),
    ];

    pub(super) mod driver {
        pub(crate) const MEMORY: (&str, &str) = ("cuMemAlloc", "cuMemFree");
        pub(crate) const PLANES: [&str; 2] = ["cuMemcpy2DUnaligned", "cuMemcpy2DAsync"];
        pub(crate) const TO_ARRAY: [&str; 2] = PLANES;
        pub(crate) const FROM_ARRAY: &str = PLANES[0];
        pub(crate) const VOLUMES: [&str; 2] = ["cuMemcpy3D", "cuMemcpy3DAsync"];
        pub(crate) const PEERS: [&str; 2] = ["cuMemcpyPeer", "cuMemcpyPeerAsync"];
        pub(crate) const PEER_VOLUMES: [&str; 2] = ["cuMemcpy3DPeer", "cuMemcpy3DPeerAsync"];
        pub(crate) const BATCH: &str = "cuMemcpyBatchAsync";
    }

    pub(super) mod runtime {
        pub(crate) const MEMORY: (&str, &str) = ("cudaMalloc", "cudaFree");
        pub(crate) const PLANES: [&str; 2] = ["cudaMemcpy2D", "cudaMemcpy2DAsync"];
        pub(crate) const TO_ARRAY: [&str; 2] = ["cudaMemcpy2DToArray", "cudaMemcpy2DToArrayAsync"];
        pub(crate) const FROM_ARRAY: &str = "cudaMemcpy2DFromArray";
        pub(crate) const VOLUMES: [&str; 2] = ["cudaMemcpy3D", "cudaMemcpy3DAsync"];
        pub(crate) const PEERS: [&str; 2] = ["cudaMemcpyPeer", "cudaMemcpyPeerAsync"];
        pub(crate) const PEER_VOLUMES: [&str; 2] = ["cudaMemcpy3DPeer", "cudaMemcpy3DPeerAsync"];
        pub(crate) const BATCH: &str = "cudaMemcpyBatchAsync";
    }
}

in_every_house! {
    slices_are_checked_and_allocations_are_heard_of: "",
    lines_and_fills_are_refused_with_a_reason: "",
    rows_planes_and_arrays_are_checked: "",
    peers_and_batches_are_checked: "",
    two_devices_are_checked: "devices=2",
    what_is_deadly_is_not_made: "",
    a_failure_that_was_not_predicted_asks_for_a_report: "fail=cuMemcpyHtoD_v2:*:1",
    the_runtime_can_classify: "",
}
