//! Calls that look wrong and are right: nothing may be said of them. A false alarm costs a user.

mod common;

use common::world;
use cuwhy_validate::ask::{Attributes, Recorded};
use cuwhy_validate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Fill, Order, Peer, Place, Plane, Side, Volume,
};
use cuwhy_validate::facts::{Access, Current, Environment, Owner};
use cuwhy_validate::{
    Api, Call, Class, Kind, Prediction, Registry, Severity, Site, Span, Stream, check,
};

/// What is said of a call, notes left out.
fn said(world: &Recorded, call: &Call) -> Vec<&'static str> {
    let findings = check(call, world, None).findings;
    let loud = findings
        .into_iter()
        .filter(|one| one.severity != Severity::Note);
    loud.map(|one| one.rule).collect()
}

/// A call with another function and another action.
fn call(api: Api, function: &'static str, action: Action) -> Call {
    Call {
        function,
        api,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    }
}

/// Rows of 64 bytes, packed.
fn plane(dst: u64, src: u64, (width, height): (u64, u64), kind: Kind) -> Call {
    let action = Action::Copy2D(Plane {
        dst,
        dst_pitch: 64,
        src,
        src_pitch: 64,
        width,
        height,
        kind,
    });
    call(Api::Runtime, "cudaMemcpy2D", action)
}

fn peer((dst, dst_device): (u64, i32), (src, src_device): (u64, i32), bytes: u64) -> Call {
    let action = Action::Peer(Peer {
        dst,
        dst_device,
        src,
        src_device,
        bytes,
    });
    call(Api::Runtime, "cudaMemcpyPeer", action)
}

fn fill(dst: u64, element: u64, (width, height): (u64, u64)) -> Call {
    let action = Action::Fill(Fill {
        dst,
        pitch: 64,
        value: 0,
        element,
        width,
        height,
    });
    call(Api::Runtime, "cudaMemset", action)
}

fn silent(world: &Recorded, call: &Call) {
    assert_eq!(said(world, call), Vec::<&str>::new(), "{}", call.text());
}

/// A device allocation of each of two devices, of which 0 is current and neither reaches the other.
fn two_devices() -> Recorded {
    let environment = Environment {
        current: Current::Device(0),
        devices: Some(2),
        pageable_access: Some(false),
        ..Environment::default()
    };
    let mut world = Recorded::default().with_environment(environment);
    for device in 0..2_u64 {
        let span = Span::sized(0x7f00_0000_0000 + device * 0x1000_0000, 4096);
        let attributes = Attributes {
            memory_type: 2,
            managed: Some(false),
            ordinal: i32::try_from(device).unwrap_or(0),
            device_pointer: Some(if device == 0 { span.start } else { 0 }),
            range: Some(span),
            context: Some(5 + device),
            pool: Some(0),
            access: Access::ReadWrite,
            exportable: Some(true),
            ..Attributes::default()
        };
        world = world.with(span, attributes);
    }
    world
}

const FIRST: u64 = 0x7f00_0000_0000;
const SECOND: u64 = 0x7f00_1000_0000;

#[test]
fn copies_between_gpus_without_peer_access_are_staged() {
    let world = two_devices();
    for kind in [Kind::DeviceToDevice, Kind::Default] {
        silent(&world, &Call::memcpy(FIRST, SECOND, 64, kind));
        silent(&world, &Call::memcpy(SECOND, FIRST, 64, kind));
        silent(&world, &plane(FIRST, SECOND, (32, 4), kind));
        silent(&world, &plane(SECOND, FIRST, (32, 4), kind));
        let queued = Call::memcpy(FIRST, SECOND, 64, kind);
        silent(
            &world,
            &queued.on_stream("cudaMemcpyAsync", Stream::PerThread),
        );
    }
    silent(&world, &peer((FIRST, 0), (SECOND, 1), 64));
    silent(&world, &peer((SECOND, 1), (FIRST, 0), 64));
    let kind = Kind::DeviceToDevice;
    silent(
        &world,
        &Call::driver_copy("cuMemcpyDtoD", SECOND, FIRST, 64, kind),
    );
}

#[test]
fn a_copy_may_be_put_into_another_devices_stream() {
    let world = two_devices();
    // Device 0 is current; the stream, which the registry knows, may be of either.
    let registry = Registry::default();
    let stream = Stream::Handle(0x5000);
    registry.stream_created(0x5000);
    for (to, from) in [
        (FIRST, FIRST + 2048),
        (SECOND, SECOND + 2048),
        (SECOND, FIRST),
    ] {
        let copy = Call::memcpy(to, from, 64, Kind::DeviceToDevice);
        let call = copy.on_stream("cudaMemcpyAsync", stream);
        silent(&world, &call);
        let verdict = check(&call, &world, Some(&registry));
        assert_eq!(verdict.findings, []);
        assert_eq!(verdict.prediction, Prediction::Success);
    }
}

#[test]
fn pageable_memory_is_fine_where_devices_reach_it() {
    let (reached, at) = world();
    let reaching = reached.with_environment(Environment {
        current: Current::Device(0),
        pageable_access: Some(true),
        ..Environment::default()
    });
    let (heap, device) = (at["pageable_heap"], at["device_4MiB"]);
    let kinds = [Kind::HostToDevice, Kind::DeviceToHost, Kind::DeviceToDevice];
    for kind in kinds {
        silent(
            &reaching,
            &Call::memcpy(heap, at["pageable_guarded_1page"], 64, kind),
        );
        silent(
            &reaching,
            &Call::memcpy(heap, device, 64, Kind::DeviceToHost),
        );
    }
    // Both operands on the host whatever the direction says of them; rows, fills and batches too.
    let guarded = at["pageable_guarded_1page"];
    for kind in [
        kinds[0],
        kinds[1],
        kinds[2],
        Kind::HostToHost,
        Kind::Default,
    ] {
        silent(&reaching, &plane(heap, guarded, (32, 4), kind));
        let queued = Call::memcpy(heap, guarded, 64, kind);
        silent(
            &reaching,
            &queued.on_stream("cudaMemcpyAsync", Stream::PerThread),
        );
    }
    for (function, kind) in [
        ("cuMemcpyHtoD", Kind::HostToDevice),
        ("cuMemcpyDtoH", Kind::DeviceToHost),
        ("cuMemcpyDtoD", Kind::DeviceToDevice),
    ] {
        silent(
            &reaching,
            &Call::driver_copy(function, heap, guarded, 64, kind),
        );
    }
    silent(
        &reaching,
        &Call::memcpy(device, heap, 64, Kind::DeviceToDevice),
    );
    silent(
        &reaching,
        &Call::memcpy(heap, device, 64, Kind::DeviceToDevice),
    );
    for (element, extent) in [(1, (64, 1)), (2, (32, 1)), (4, (16, 1)), (1, (32, 4))] {
        silent(&reaching, &fill(heap, element, extent));
    }
    // On a system without, every one of these that CUDA looks up is an error.
    let (plain, _) = world();
    assert_eq!(said(&plain, &fill(heap, 1, (64, 1))), ["memset.host"]);
    let up = Call::memcpy(heap, guarded, 64, Kind::HostToDevice);
    assert_eq!(said(&plain, &up), ["kind.contradicts"]);
    // What cannot be touched cannot be touched there either.
    let unmapped = Call::memcpy(at["unmapped_low_0x1000"], device, 4, Kind::Default);
    assert_eq!(said(&reaching, &unmapped), ["pointer.unknown"]);
    let fixed = Call::memcpy(at["pageable_readonly"], device, 4, Kind::DeviceToHost);
    assert_eq!(said(&reaching, &fixed), ["range.host-not-writable"]);
}

#[test]
fn page_locked_and_managed_memory_is_on_both_sides() {
    let (world, at) = world();
    let kinds = [
        Kind::HostToHost,
        Kind::HostToDevice,
        Kind::DeviceToHost,
        Kind::DeviceToDevice,
        Kind::Default,
    ];
    for kind in kinds {
        for one in ["pinned", "pinned_mapped", "registered", "managed"] {
            for two in ["pinned", "pinned_mapped", "registered", "managed"] {
                if one != two {
                    silent(&world, &Call::memcpy(at[one], at[two], 4096, kind));
                    silent(&world, &plane(at[one], at[two], (32, 4), kind));
                }
            }
        }
    }
    // With device memory or pageable memory on the other side, either word is right for this one.
    let (device, heap) = (at["device_4MiB"], at["pageable_heap"]);
    for one in ["pinned", "pinned_mapped", "registered", "managed"] {
        for kind in [Kind::HostToDevice, Kind::DeviceToDevice, Kind::Default] {
            silent(&world, &Call::memcpy(device, at[one], 4096, kind));
        }
        for kind in [Kind::DeviceToHost, Kind::DeviceToDevice, Kind::Default] {
            silent(&world, &Call::memcpy(at[one], device, 4096, kind));
        }
        for kind in [Kind::DeviceToHost, Kind::HostToHost, Kind::Default] {
            silent(&world, &Call::memcpy(heap, at[one], 64, kind));
        }
        for kind in [Kind::HostToDevice, Kind::HostToHost, Kind::Default] {
            silent(&world, &Call::memcpy(at[one], heap, 64, kind));
        }
    }
}

#[test]
fn one_attribute_holds_for_a_batch_of_any_length() {
    let (world, at) = world();
    let entry = |index: u64| BatchEntry {
        dst: at["device_4MiB"] + index * 64,
        src: at["managed"] + index * 64,
        bytes: 64,
    };
    for (length, source_access) in [(1, 1), (2, 2), (60, 1), (60, 3)] {
        let batch = Batch {
            entries: (0..length).map(entry).collect(),
            attributes: vec![BatchAttribute {
                source_access,
                from: 0,
            }],
        };
        let call = call(Api::Runtime, "cudaMemcpyBatchAsync", Action::Batch(batch));
        let call = call.on_stream("cudaMemcpyBatchAsync", Stream::PerThread);
        silent(&world, &call);
        assert_eq!(check(&call, &world, None).prediction, Prediction::Success);
    }
}

#[test]
fn a_count_of_zero_is_right_whatever_the_pointers_are() {
    let (world, at) = world();
    for dst in at.values() {
        for src in at.values() {
            for kind in [Kind::HostToDevice, Kind::Default, Kind::from_raw(9)] {
                silent(&world, &Call::memcpy(*dst, *src, 0, kind));
                let queued = Call::memcpy(*dst, *src, 0, kind);
                let queued = queued.on_stream("cudaMemcpyAsync", Stream::PerThread);
                silent(&world, &queued);
                for extent in [(0, 4), (64, 0), (0, 0)] {
                    silent(&world, &plane(*dst, *src, extent, kind));
                }
            }
            silent(&world, &peer((*dst, 0), (*src, 0), 0));
            let place = |address| Place::Memory {
                side: Side::Unified,
                address,
                pitch: 64,
                rows: 4,
                x: 0,
                y: 0,
                z: 0,
            };
            for (width, height, depth) in [(0, 4, 4), (64, 0, 4), (64, 4, 0)] {
                let volume = Action::Copy3D(Volume {
                    dst: place(*dst),
                    src: place(*src),
                    width,
                    height,
                    depth,
                    is_plane: false,
                    kind: Kind::Default,
                });
                silent(&world, &call(Api::Driver, "cuMemcpy3D", volume));
            }
        }
        for extent in [(0, 1), (0, 4), (64, 0)] {
            silent(&world, &fill(*dst, 1, extent));
        }
    }
}

#[test]
fn a_table_of_device_pointers_may_be_copied() {
    let (world, at) = world();
    let (table, device) = (at["pageable_heap"], at["device_4MiB"]);
    let world = world
        .with_word(table, device)
        .with_word(table + 8, device + 4096);
    silent(
        &world,
        &Call::memcpy(device, table, 4096, Kind::HostToDevice),
    );
    silent(
        &world,
        &Call::memcpy(table, device, 4096, Kind::DeviceToHost),
    );
}

#[test]
fn the_often_repeated_mistake_that_is_none() {
    let (world, at) = world();
    // A single variable on the stack is pageable host memory like any other.
    let copy = Call::memcpy(at["device_40B"], at["pageable_heap"], 4, Kind::HostToDevice);
    silent(&world, &copy);
}

#[test]
fn a_pitch_alone_accuses_nobody_of_what_cuda_accepts() {
    let (world, at) = world();
    let (device, heap) = (at["device_4MiB"], at["pageable_heap"]);
    let made = |row| {
        let registry = Registry::default();
        let mut owner = Owner::of(Class::Device);
        owner.range = Some(Span::sized(device, 4 << 20));
        owner.pitch = Some(1 << 20);
        owner.row = row;
        registry.allocated(owner);
        registry
    };
    // Four rows of 64 bytes, 1 MiB apart, and a quarter of that.
    let quarter = call(
        Api::Runtime,
        "cudaMemcpy2D",
        Action::Copy2D(Plane {
            dst: device,
            dst_pitch: 1 << 18,
            src: heap,
            src_pitch: 64,
            width: 64,
            height: 4,
            kind: Kind::HostToDevice,
        }),
    );
    let line = Call::memcpy(device, heap, 256, Kind::HostToDevice);
    let said = |call: &Call, row| -> Vec<(&str, Severity)> {
        let verdict = check(call, &world, Some(&made(row)));
        assert_eq!(verdict.prediction, Prediction::Success, "{}", call.text());
        let findings = verdict.findings.iter();
        findings.map(|one| (one.rule, one.severity)).collect()
    };
    // Who knows the rows as well is told.
    let known = [("pitch.in-elements", Severity::Warning)];
    assert_eq!(said(&quarter, Some(64)), known);
    let known = [("pitch.linear-copy-of-pitched", Severity::Error)];
    assert_eq!(said(&line, Some(64)), known);
    // Rows of another width, and rows of which nobody knows the width.
    for row in [None, Some(63), Some(128), Some(1 << 20)] {
        assert_eq!(said(&quarter, row), []);
        assert_eq!(said(&line, row), []);
    }
}
