//! Calls that look wrong and are right: nothing may be said of them. A false alarm costs a user.

mod common;

use common::world;
use cuwhy_validate::ask::{Attributes, Recorded};
use cuwhy_validate::call::{Action, Batch, BatchAttribute, BatchEntry, Fill, Order};
use cuwhy_validate::facts::{Access, Current, Environment};
use cuwhy_validate::{Api, Call, Kind, Prediction, Severity, Site, Span, Stream, check};

/// What is said of a call, notes left out.
fn said(world: &Recorded, call: &Call) -> Vec<&'static str> {
    let findings = check(call, world, None).findings;
    let loud = findings
        .into_iter()
        .filter(|one| one.severity != Severity::Note);
    loud.map(|one| one.rule).collect()
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
    }
}

#[test]
fn a_copy_may_be_put_into_another_devices_stream() {
    let world = two_devices();
    let copy = Call::memcpy(FIRST, FIRST + 2048, 64, Kind::DeviceToDevice);
    silent(
        &world,
        &copy.on_stream("cudaMemcpyAsync", Stream::Handle(0x5000)),
    );
}

#[test]
fn pageable_memory_is_fine_where_devices_reach_it() {
    let (world, at) = world();
    let world = world.with_environment(Environment {
        current: Current::Device(0),
        pageable_access: Some(true),
        ..Environment::default()
    });
    let (heap, device) = (at["pageable_heap"], at["device_4MiB"]);
    let kinds = [Kind::HostToDevice, Kind::DeviceToHost, Kind::DeviceToDevice];
    for kind in kinds {
        silent(
            &world,
            &Call::memcpy(heap, at["pageable_guarded_1page"], 64, kind),
        );
        silent(&world, &Call::memcpy(heap, device, 64, Kind::DeviceToHost));
    }
    let fill = |dst| Call {
        function: "cudaMemset",
        api: Api::Runtime,
        action: Action::Fill(Fill {
            dst,
            pitch: 0,
            value: 0,
            element: 1,
            width: 64,
            height: 1,
        }),
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    };
    silent(&world, &fill(heap));
    // What cannot be touched cannot be touched there either.
    let unmapped = Call::memcpy(at["unmapped_low_0x1000"], device, 4, Kind::Default);
    assert_eq!(said(&world, &unmapped), ["pointer.unknown"]);
    let fixed = Call::memcpy(at["pageable_readonly"], device, 4, Kind::DeviceToHost);
    assert_eq!(said(&world, &fixed), ["range.host-not-writable"]);
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
                }
            }
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
    let batch = Batch {
        entries: (0..60).map(entry).collect(),
        attributes: vec![BatchAttribute {
            source_access: 1,
            from: 0,
        }],
    };
    let call = Call {
        function: "cudaMemcpyBatchAsync",
        api: Api::Runtime,
        action: Action::Batch(batch),
        order: Order::Async(Stream::PerThread),
        site: Site::Unknown,
    };
    silent(&world, &call);
    assert_eq!(check(&call, &world, None).prediction, Prediction::Success);
}

#[test]
fn a_count_of_zero_is_right_whatever_the_pointers_are() {
    let (world, at) = world();
    for dst in at.values() {
        for src in at.values() {
            for kind in [Kind::HostToDevice, Kind::Default, Kind::from_raw(9)] {
                silent(&world, &Call::memcpy(*dst, *src, 0, kind));
            }
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
