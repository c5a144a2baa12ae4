//! Predictions against single measurements: one H200, driver for CUDA 13.0.

mod common;

use common::world;
use cuwhy_validate::ask::Recorded;
use cuwhy_validate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Fill, Order, Place, Plane, Side, Volume,
};
use cuwhy_validate::facts::ArrayFacts;
use cuwhy_validate::{Api, Call, Kind, Prediction, Site, Stream, check};
use std::collections::HashMap;

use Prediction::{ContextDies, Crash, Status, Success};

type Operands = HashMap<&'static str, u64>;

fn call(function: &'static str, api: Api, action: Action) -> Call {
    Call {
        function,
        api,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    }
}

fn answer(world: &Recorded, call: &Call) -> Prediction {
    check(call, world, None).prediction
}

/// Compares all cases at once, so that one run shows everything that disagrees.
fn compare(world: &Recorded, cases: Vec<(&str, Call, Prediction)>) {
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(name, call, expected)| {
            let ours = answer(world, &call);
            (ours != expected).then(|| format!("{name}: {ours:?}, measured {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_order_of_checks() {
    let (world, at) = world();
    let five = Kind::from_raw(5);
    let copy = |dst: &str, src: &str, bytes| Call::memcpy(at[dst], at[src], bytes, five);
    let cases = vec![
        (
            "kind 5 valid",
            copy("device_4MiB", "pageable_heap", 4),
            Status(21),
        ),
        (
            "kind 5 dst null",
            copy("null", "pageable_heap", 4),
            Status(21),
        ),
        (
            "kind 5 dst noaccess",
            copy("vmm_mapped_noaccess", "pageable_heap", 4),
            Status(21),
        ),
        (
            "kind 5 count 0",
            copy("device_4MiB", "pageable_heap", 0),
            Success,
        ),
    ];
    compare(&world, cases);
}

#[test]
fn counts_that_wrap() {
    let (world, at) = world();
    let minus = |bytes: u64| bytes.wrapping_neg();
    let device = at["device_4MiB"] + 4092;
    let other = at["device_4MiB_interior_last4B"] - 100;
    let copy = |dst, src, bytes, kind| Call::memcpy(dst, src, bytes, kind);
    use Kind::{Default, DeviceToDevice, DeviceToHost, HostToDevice};
    let mut cases = Vec::new();
    for kind in [HostToDevice, DeviceToHost, DeviceToDevice, Default] {
        cases.push((
            "both device",
            copy(device, other, minus(4), kind),
            ContextDies(700),
        ));
        let pinned = at["pinned"] + 4092;
        cases.push(("pinned", copy(device, pinned, minus(4), kind), Crash));
        let base = at["device_4MiB"] + 4;
        cases.push(("ends at base", copy(base, other, minus(4), kind), Status(1)));
    }
    let heap = at["pageable_heap"];
    cases.push((
        "D2D pageable",
        copy(device, heap, minus(4), DeviceToDevice),
        Status(1),
    ));
    let big = copy(at["device_4MiB"], heap, 1 << 40, HostToDevice);
    cases.push(("2^40", big, Status(1)));
    cases.push((
        "2^63",
        copy(at["device_4MiB"], heap, 1 << 63, HostToDevice),
        Status(1),
    ));
    compare(&world, cases);
    let pageable = copy(device, heap, minus(4), HostToDevice);
    assert!(matches!(
        answer(&world, &pageable),
        Prediction::Fault { .. }
    ));
}

fn plane(at: &Operands, width: u64, height: u64, pitches: (u64, u64), kind: Kind) -> Call {
    let action = Action::Copy2D(Plane {
        dst: at["device_4MiB"],
        dst_pitch: pitches.0,
        src: at["device_4MiB_interior_last4B"] - (1 << 20),
        src_pitch: pitches.1,
        width,
        height,
        kind,
    });
    call("cudaMemcpy2D", Api::Runtime, action)
}

#[test]
fn rows_at_the_runtime() {
    let (world, at) = world();
    let d2d = Kind::DeviceToDevice;
    let five = Kind::from_raw(5);
    let mut null = plane(&at, 64, 2, (32, 32), d2d);
    if let Action::Copy2D(copy) = &mut null.action {
        copy.dst = 0;
    }
    let cases = vec![
        (
            "width > dpitch",
            plane(&at, 64, 2, (32, 128), d2d),
            Status(12),
        ),
        (
            "width > spitch",
            plane(&at, 64, 2, (128, 32), d2d),
            Status(12),
        ),
        (
            "width > pitch, one row",
            plane(&at, 64, 1, (32, 32), d2d),
            Status(1),
        ),
        (
            "width > pitch, no row",
            plane(&at, 64, 0, (32, 32), d2d),
            Success,
        ),
        ("pitch 0, one row", plane(&at, 64, 1, (0, 0), d2d), Success),
        (
            "pitch 0, two rows",
            plane(&at, 64, 2, (0, 0), d2d),
            Status(12),
        ),
        (
            "kind 5, width > pitch",
            plane(&at, 64, 2, (32, 32), five),
            Status(12),
        ),
        ("kind 5, width 0", plane(&at, 0, 2, (32, 32), five), Success),
        ("null and width > pitch", null, Status(12)),
        (
            "pitch x height wraps",
            plane(&at, 64, 5, (1 << 62, 64), d2d),
            Success,
        ),
    ];
    compare(&world, cases);
    let exact = |width| {
        let mut call = plane(&at, width, 8192, (512, 512), d2d);
        if let Action::Copy2D(copy) = &mut call.action {
            copy.src = copy.dst;
        }
        call
    };
    assert_eq!(answer(&world, &exact(512)), Success);
    let mut past = exact(512);
    if let Action::Copy2D(copy) = &mut past.action {
        copy.height += 1;
    }
    assert_eq!(answer(&world, &past), Status(1));
}

fn memory(side: Side, address: u64, pitch: u64, rows: u64) -> Place {
    Place::Memory {
        side,
        address,
        pitch,
        rows,
        x: 0,
        y: 0,
        z: 0,
    }
}

fn array(handle: u64, x: u64, y: u64) -> Place {
    Place::Array { handle, x, y, z: 0 }
}

fn volume(dst: Place, src: Place, extent: (u64, u64, u64), kind: Kind) -> Action {
    Action::Copy3D(Volume {
        dst,
        src,
        width: extent.0,
        height: extent.1,
        depth: extent.2,
        is_plane: extent.2 == 1,
        kind,
    })
}

/// A float array of 64 x 16.
const FLOATS: u64 = 0xaaaa_0000;

fn with_array(world: Recorded) -> Recorded {
    world.with_array(ArrayFacts {
        handle: FLOATS,
        width: 64,
        height: 16,
        depth: 0,
        element: 4,
    })
}

#[test]
fn arrays_at_the_runtime() {
    let (world, at) = world();
    let world = with_array(world);
    let into = |function, place, address, width, height, kind| {
        let source = memory(Side::ByKind, address, 256, 0);
        call(
            function,
            Api::Runtime,
            volume(place, source, (width, height, 1), kind),
        )
    };
    let to = |place, address: &str, width, height, kind| {
        into(
            "cudaMemcpy2DToArray",
            place,
            at[address],
            width,
            height,
            kind,
        )
    };
    let from = |address: &str, kind| {
        let target = memory(Side::ByKind, at[address], 256, 0);
        let action = volume(target, array(FLOATS, 0, 0), (256, 2, 1), kind);
        call("cudaMemcpy2DFromArray", Api::Runtime, action)
    };
    let start = array(FLOATS, 0, 0);
    let heap = "pageable_heap";
    use Kind::{Default, DeviceToDevice, DeviceToHost, HostToDevice, HostToHost};
    let cases = vec![
        ("to, H2H", to(start, heap, 256, 2, HostToHost), Status(21)),
        (
            "to, D2H",
            to(start, "device_4MiB", 256, 2, DeviceToHost),
            Status(21),
        ),
        ("to, H2D", to(start, heap, 256, 2, HostToDevice), Success),
        (
            "to, H2D from device",
            to(start, "device_4MiB", 256, 2, HostToDevice),
            Success,
        ),
        (
            "to, D2D pageable",
            to(start, heap, 256, 2, DeviceToDevice),
            Status(1),
        ),
        ("to, Default", to(start, heap, 256, 2, Default), Success),
        ("from, H2D", from("device_4MiB", HostToDevice), Status(21)),
        ("from, D2H", from(heap, DeviceToHost), Success),
        ("width 6", to(start, heap, 6, 2, HostToDevice), Success),
        (
            "offset 2",
            to(array(FLOATS, 2, 0), heap, 8, 2, HostToDevice),
            Success,
        ),
        (
            "past row",
            to(array(FLOATS, 4, 0), heap, 256, 2, HostToDevice),
            Status(1),
        ),
        (
            "past rows",
            to(array(FLOATS, 0, 15), heap, 256, 2, HostToDevice),
            Status(1),
        ),
        (
            "null array",
            to(array(0, 0, 0), heap, 256, 2, HostToDevice),
            Status(400),
        ),
        (
            "null array, width 0",
            to(array(0, 0, 0), heap, 0, 2, HostToDevice),
            Success,
        ),
        (
            "null source",
            to(start, "null", 256, 2, HostToDevice),
            Status(1),
        ),
        (
            "linear, kind 5",
            into(
                "cudaMemcpyToArray",
                start,
                at[heap],
                256,
                1,
                Kind::from_raw(5),
            ),
            Success,
        ),
        (
            "3D into array, H2H",
            into("cudaMemcpy3D", start, at[heap], 256, 2, HostToHost),
            Success,
        ),
        (
            "3D into array, D2H, pageable",
            into("cudaMemcpy3D", start, at[heap], 256, 2, DeviceToHost),
            Status(1),
        ),
        (
            "3D array to array, H2D",
            call(
                "cudaMemcpy3D",
                Api::Runtime,
                volume(start, start, (256, 2, 1), HostToDevice),
            ),
            Status(1),
        ),
        (
            "both",
            into(
                "cudaMemcpy3D",
                Place::Both {
                    handle: FLOATS,
                    address: at["device_4MiB"],
                },
                at[heap],
                256,
                2,
                HostToDevice,
            ),
            Status(1),
        ),
        (
            "neither",
            into(
                "cudaMemcpy3D",
                Place::Neither,
                at[heap],
                256,
                2,
                HostToDevice,
            ),
            Status(1),
        ),
    ];
    compare(&world, cases);
}

#[test]
fn rows_and_volumes_at_the_driver() {
    let (world, at) = world();
    let (one, two) = (at["device_4MiB"], at["device_4MiB_interior_last4B"] - 8192);
    let copy = |dst, src, extent| {
        call(
            "cuMemcpy3D",
            Api::Driver,
            volume(dst, src, extent, Kind::Default),
        )
    };
    let device = |address, pitch, rows| memory(Side::Device, address, pitch, rows);
    let host = memory(Side::Host, at["pageable_heap"], 64, 0);
    let wrong = memory(Side::Device, at["pageable_heap"], 64, 0);
    let flat = (64, 2, 1);
    let deep = (64, 2, 2);
    let cases = vec![
        (
            "valid",
            copy(device(one, 64, 0), device(two, 64, 0), flat),
            Success,
        ),
        (
            "width > pitch",
            copy(device(one, 32, 0), device(two, 64, 0), flat),
            Status(1),
        ),
        (
            "pitch 0",
            copy(device(one, 0, 0), device(two, 64, 0), flat),
            Success,
        ),
        (
            "rows 0",
            copy(device(one, 64, 0), device(two, 64, 0), deep),
            Success,
        ),
        (
            "rows < height",
            copy(device(one, 64, 1), device(two, 64, 0), deep),
            Status(1),
        ),
        (
            "host is device",
            copy(host, device(two, 64, 0), flat),
            Success,
        ),
        (
            "device type, pageable",
            copy(wrong, device(two, 64, 0), flat),
            Status(1),
        ),
        (
            "no type",
            copy(
                memory(Side::Invalid(0), one, 64, 0),
                device(two, 64, 0),
                flat,
            ),
            Status(1),
        ),
        (
            "host type, device pointer",
            copy(memory(Side::Host, one, 64, 0), device(two, 64, 0), flat),
            Success,
        ),
    ];
    compare(&world, cases);
}

#[test]
fn fills() {
    let (world, at) = world();
    let fill = |dst, element, width, height, pitch| {
        let fill = Fill {
            dst,
            pitch,
            value: 0,
            element,
            width,
            height,
        };
        call("cuMemsetD32", Api::Driver, Action::Fill(fill))
    };
    let line = |name: &str, width| fill(at[name], 1, width, 1, 0);
    let device = at["device_4MiB"];
    let cases = vec![
        ("device", line("device_4MiB", 4), Success),
        ("pinned", line("pinned", 4), Success),
        ("managed", line("managed", 4), Success),
        ("pageable", line("pageable_heap", 4), Status(1)),
        ("noaccess", line("vmm_mapped_noaccess", 4), Status(1)),
        ("reserved", line("vmm_reserved_unmapped", 4), Status(1)),
        ("null", line("null", 4), Status(1)),
        ("null 0", line("null", 0), Success),
        ("past end", line("device_40B", 41), Status(1)),
        ("D32 at +2", fill(device + 2, 4, 1, 1, 0), Status(1)),
        ("D16 at +2", fill(device + 2, 2, 1, 1, 0), Success),
        ("D2D16 pitch 65", fill(device, 2, 4, 2, 65), Status(1)),
        (
            "D2D16 pitch 65, one row",
            fill(device, 2, 4, 1, 65),
            Success,
        ),
        ("D2D32 pitch 66", fill(device, 4, 4, 2, 66), Status(1)),
        (
            "elements wrap",
            fill(device, 4, (1 << 62) + 1, 1, 0),
            Success,
        ),
        (
            "bytes wrap",
            fill(device + 8, 1, 4_u64.wrapping_neg(), 1, 0),
            ContextDies(700),
        ),
        ("width > pitch", fill(device, 1, 64, 2, 32), Status(1)),
    ];
    compare(&world, cases);
}

#[test]
fn batches() {
    let (world, at) = world();
    let (one, two) = (at["device_4MiB"], at["device_4MiB_interior_last4B"] - 8192);
    let entry = |dst, src, bytes| BatchEntry { dst, src, bytes };
    let good = entry(one, two, 64);
    let attribute = |source_access, from| BatchAttribute {
        source_access,
        from,
    };
    let on = |stream, entries: Vec<BatchEntry>, attributes: Vec<BatchAttribute>| {
        let batch = Action::Batch(Batch {
            entries,
            attributes,
        });
        call("cuMemcpyBatchAsync", Api::Driver, batch).on_stream("cuMemcpyBatchAsync", stream)
    };
    let batch = |second| {
        let later = entry(one + 4096, two + 4096, 64);
        on(
            Stream::Handle(0x5000),
            vec![good, second, later],
            vec![attribute(1, 0)],
        )
    };
    let with = |attributes| on(Stream::PerThread, vec![good, good, good], attributes);
    let other = entry(one + 1024, two + 1024, 64);
    let cases = vec![
        ("valid", batch(other), Success),
        ("null", batch(entry(0, two, 64)), Status(1)),
        ("size 0", batch(entry(one, two, 0)), Status(1)),
        (
            "past end",
            batch(entry(at["device_40B"], two, 41)),
            Status(1),
        ),
        (
            "noaccess",
            batch(entry(at["vmm_mapped_noaccess"], two, 4)),
            Status(1),
        ),
        (
            "pageable",
            batch(entry(one, at["pageable_heap"], 64)),
            Success,
        ),
        (
            "size -4",
            batch(entry(one + 8, two, 4_u64.wrapping_neg())),
            ContextDies(700),
        ),
        (
            "no entry",
            on(Stream::PerThread, vec![], vec![attribute(1, 0)]),
            Status(1),
        ),
        ("no attribute", with(vec![]), Status(1)),
        (
            "{0, 1}",
            with(vec![attribute(1, 0), attribute(1, 1)]),
            Success,
        ),
        ("{1}", with(vec![attribute(1, 1)]), Status(1)),
        (
            "{0, 0}",
            with(vec![attribute(1, 0), attribute(1, 0)]),
            Status(1),
        ),
        (
            "{0, 2, 1}",
            with(vec![attribute(1, 0), attribute(1, 2), attribute(1, 1)]),
            Status(1),
        ),
        (
            "{0, 3} of 3",
            with(vec![attribute(1, 0), attribute(1, 3)]),
            Status(1),
        ),
        ("order 0", with(vec![attribute(0, 0)]), Status(1)),
        ("order 2", with(vec![attribute(2, 0)]), Success),
        ("order 4", with(vec![attribute(4, 0)]), Status(1)),
        (
            "legacy stream",
            on(Stream::Legacy, vec![good], vec![attribute(1, 0)]),
            Status(1),
        ),
    ];
    compare(&world, cases);
    let unmapped = batch(entry(one, at["unmapped_low_0x1000"], 4));
    assert!(matches!(
        answer(&world, &unmapped),
        Prediction::Fault { .. }
    ));
}
