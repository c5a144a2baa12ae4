//! Predictions against single measurements: one H200, driver for CUDA 13.0; two of them for peers.

mod common;

use common::world;
use cuwhy_validate::ask::{Attributes, Recorded};
use cuwhy_validate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Export, Fill, Order, Peer, Place, Plane, Register,
    Side, SymbolCopy, Volume,
};
use cuwhy_validate::facts::{Access, ArrayFacts, Capture, Current, Environment};
use cuwhy_validate::{Api, Call, Kind, Prediction, Site, Span, Stream, check};
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

#[test]
fn symbols() {
    let (world, at) = world();
    let symbol = at["device_symbol"];
    let copy = |to_symbol, offset, bytes, kind, other: &str| {
        let action = Action::Symbol(SymbolCopy {
            symbol,
            offset,
            other: at[other],
            bytes,
            to_symbol,
            kind,
        });
        call("cudaMemcpyToSymbol", Api::Runtime, action)
    };
    use Kind::{DeviceToDevice, DeviceToHost, HostToDevice, HostToHost};
    let heap = "pageable_heap";
    let cases = vec![
        ("exact", copy(true, 0, 256, HostToDevice, heap), Success),
        ("257", copy(true, 0, 257, HostToDevice, heap), Status(1)),
        ("252 + 5", copy(true, 252, 5, HostToDevice, heap), Status(1)),
        ("9999 + 0", copy(true, 9999, 0, HostToDevice, heap), Success),
        ("H2H", copy(true, 0, 4, HostToHost, heap), Status(21)),
        ("D2H", copy(true, 0, 4, DeviceToHost, heap), Status(21)),
        (
            "D2D from host",
            copy(true, 0, 4, DeviceToDevice, heap),
            Status(1),
        ),
        (
            "H2D from device",
            copy(true, 0, 4, HostToDevice, "device_4MiB"),
            Success,
        ),
        (
            "from, H2D",
            copy(false, 0, 4, HostToDevice, heap),
            Status(21),
        ),
        ("from, D2H", copy(false, 0, 4, DeviceToHost, heap), Success),
        (
            "from, wraps",
            copy(false, 4_u64.wrapping_neg(), 8, DeviceToHost, heap),
            Status(1),
        ),
        (
            "to, 8 - 4",
            copy(true, 8, 4_u64.wrapping_neg(), HostToDevice, heap),
            Status(1),
        ),
    ];
    compare(&world, cases);
}

#[test]
fn registrations_and_exports() {
    let (world, at) = world();
    let register = |name: &str, bytes, flags| {
        let register = Register {
            address: at[name],
            bytes,
            flags,
        };
        call("cudaHostRegister", Api::Runtime, Action::Register(register))
    };
    let export = |name: &str| {
        let export = Export { address: at[name] };
        call("cudaIpcGetMemHandle", Api::Runtime, Action::Export(export))
    };
    let unregister = |address| {
        let action = Action::Unregister { address };
        call("cudaHostUnregister", Api::Runtime, action)
    };
    let cases = vec![
        ("heap", register("pageable_heap", 64, 0), Success),
        (
            "leaves mapping",
            register("pageable_guarded_1page", 8192, 0),
            Status(1),
        ),
        ("read-only", register("pageable_readonly", 64, 0), Status(1)),
        (
            "read-only, flag",
            register("pageable_readonly", 64, 8),
            Success,
        ),
        ("size 0", register("pageable_heap", 0, 0), Status(1)),
        ("null", register("null", 64, 0), Status(1)),
        ("device", register("device_4MiB", 64, 0), Status(1)),
        ("managed", register("managed", 64, 0), Status(1)),
        (
            "unmapped",
            register("unmapped_low_0x1000", 64, 0),
            Status(1),
        ),
        (
            "never registered",
            unregister(at["pageable_heap"]),
            Status(713),
        ),
        ("inner", unregister(at["registered"] + 64), Status(1)),
        (
            "unregister device",
            unregister(at["device_4MiB"]),
            Status(1),
        ),
        ("unregister null", unregister(0), Status(1)),
        ("export", export("device_4MiB"), Success),
        (
            "export interior",
            export("device_4MiB_interior_last4B"),
            Success,
        ),
        ("export pool", export("device_async_pool"), Status(1)),
        ("export symbol", export("device_symbol"), Status(1)),
        ("export pinned", export("pinned"), Status(1)),
        ("export heap", export("pageable_heap"), Status(1)),
    ];
    compare(&world, cases);
}

/// Memory of device 1 as device `current` sees it.
fn two_devices(current: i32, peers: bool) -> Recorded {
    let of = |start: u64, device: i32, pool: u64, context: u64, access: u64, seen: bool| {
        let attributes = Attributes {
            memory_type: 2,
            managed: Some(false),
            ordinal: device,
            device_pointer: Some(if seen { start } else { 0 }),
            range: Some(Span::sized(start, 4096)),
            mapping: None,
            mapped: Some(true),
            context: Some(context),
            pool: Some(pool),
            buffer_id: Some(start),
            access: Access::from_flags(access),
            exportable: Some(true),
        };
        (Span::sized(start, 4096), attributes)
    };
    let here = |device: i32| device == current;
    let parts = [
        of(MALLOC_0, 0, 0, 5, 3, here(0) || peers),
        of(MALLOC_1, 1, 0, 6, 3, here(1) || peers),
        of(POOL_1, 1, 7, 0, 3, here(1)),
        of(VIRTUAL_1, 1, 0, 0, if here(1) { 3 } else { 0 }, here(1)),
    ];
    let environment = Environment {
        current: Current::Device(current),
        pageable_access: Some(false),
        devices: Some(2),
        ..Environment::default()
    };
    let mut world = Recorded::default()
        .with_environment(environment)
        .with_pool_access(7, 0, Access::None)
        .with_access(VIRTUAL_1, 0, Access::None)
        .with_access(VIRTUAL_1, 1, Access::ReadWrite);
    if here(1) {
        world = world.with_mapped_range(Span::sized(VIRTUAL_1, 4096));
    }
    for (span, attributes) in parts {
        world = world.with(span, attributes);
    }
    world
}

const MALLOC_0: u64 = 0x7f00_0000_0000;
const MALLOC_1: u64 = 0x7f10_0000_0000;
const POOL_1: u64 = 0x7f20_0000_0000;
const VIRTUAL_1: u64 = 0x7f30_0000_0000;

#[test]
fn two_gpus() {
    let plain = |dst, src| Call::memcpy(dst, src, 4, Kind::DeviceToDevice);
    let peer = |dst, dst_device, src, src_device| {
        let action = Action::Peer(Peer {
            dst,
            dst_device,
            src,
            src_device,
            bytes: 4,
        });
        call("cudaMemcpyPeer", Api::Runtime, action)
    };
    let fill = |dst| {
        let fill = Fill {
            dst,
            pitch: 0,
            value: 0,
            element: 1,
            width: 4,
            height: 1,
        };
        call("cudaMemset", Api::Runtime, Action::Fill(fill))
    };
    let cases = vec![
        ("malloc", plain(MALLOC_0, MALLOC_1), Success),
        ("malloc to own", plain(MALLOC_1, MALLOC_1 + 64), Success),
        ("pool", plain(MALLOC_0, POOL_1), Status(1)),
        ("pool as dst", plain(POOL_1, MALLOC_0), Status(1)),
        ("pool to own device", plain(MALLOC_1, POOL_1), Status(1)),
        ("virtual", plain(MALLOC_0, VIRTUAL_1), Status(1)),
        ("peer malloc", peer(MALLOC_0, 0, MALLOC_1, 1), Success),
        (
            "peer malloc swapped",
            peer(MALLOC_0, 1, MALLOC_1, 0),
            Success,
        ),
        ("peer pool", peer(MALLOC_0, 0, POOL_1, 1), Success),
        ("peer pool swapped", peer(MALLOC_0, 1, POOL_1, 0), Status(1)),
        (
            "peer virtual swapped",
            peer(MALLOC_0, 1, VIRTUAL_1, 0),
            Status(1),
        ),
        (
            "no such device",
            peer(MALLOC_0, 0, MALLOC_1, 99),
            Status(101),
        ),
        ("memset malloc", fill(MALLOC_1), Status(1)),
        ("memset pool", fill(POOL_1), Status(1)),
        ("memset virtual", fill(VIRTUAL_1), Status(1)),
        ("memset own", fill(MALLOC_0), Success),
    ];
    compare(&two_devices(0, false), cases);
    let cases = vec![
        ("memset with peer access", fill(MALLOC_1), Success),
        ("pool with peer access", plain(MALLOC_0, POOL_1), Status(1)),
        (
            "virtual with peer access",
            plain(MALLOC_0, VIRTUAL_1),
            Status(1),
        ),
    ];
    compare(&two_devices(0, true), cases);
    let cases = vec![
        ("pool, its device current", plain(MALLOC_0, POOL_1), Success),
        (
            "virtual, its device current",
            plain(MALLOC_0, VIRTUAL_1),
            Success,
        ),
        ("peer virtual", peer(MALLOC_0, 0, VIRTUAL_1, 1), Success),
    ];
    compare(&two_devices(1, false), cases);
}

#[test]
fn captures_contexts_and_forks() {
    let (world, at) = world();
    let around = |change: &dyn Fn(&mut Environment)| {
        let mut environment = Environment {
            current: Current::Device(0),
            pageable_access: Some(false),
            ..Environment::default()
        };
        change(&mut environment);
        world.clone().with_environment(environment)
    };
    let (device, heap) = (at["device_4MiB"], at["pageable_heap"]);
    let runtime = |bytes| Call::memcpy(device, heap, bytes, Kind::HostToDevice);
    let driver = |bytes| Call::driver_copy("cuMemcpyHtoD", device, heap, bytes, Kind::HostToDevice);
    let created = Stream::Handle(0x5000);
    let own = driver(4).on_stream("cuMemcpyHtoDAsync", created);

    let blocked = around(&|all| all.capture = Capture::BlocksLegacy);
    let cases = vec![
        ("runtime", runtime(4), Status(906)),
        ("runtime, 0 bytes", runtime(0), Success),
        ("driver", driver(4), Status(906)),
        ("driver, 0 bytes", driver(0), Status(906)),
        ("another stream", own.clone(), Success),
    ];
    compare(&blocked, cases);

    let captured = around(&|all| all.capture = Capture::ThisStream);
    let low = at["unmapped_low_0x1000"];
    let unmapped = Call::driver_copy("cuMemcpyHtoD", device, low, 4, Kind::HostToDevice)
        .on_stream("cuMemcpyHtoDAsync", created);
    let past = Call::driver_copy(
        "cuMemcpyDtoD",
        at["device_40B"],
        device,
        41,
        Kind::DeviceToDevice,
    )
    .on_stream("cuMemcpyDtoDAsync", created);
    let cases = vec![
        ("unmapped, captured", unmapped, Success),
        ("past end, captured", past, Status(1)),
        ("captured", own.clone(), Success),
    ];
    compare(&captured, cases);

    let alone = around(&|all| all.current = Current::None);
    let cases = vec![
        ("no context", driver(4), Status(201)),
        ("no context, 0 bytes", driver(0), Status(201)),
        ("no context, created stream", own, Success),
    ];
    compare(&alone, cases);

    let child = around(&|all| all.forked_from = Some(1));
    let cases = vec![
        ("forked, runtime", runtime(4), Status(3)),
        ("forked, 0 bytes", runtime(0), Status(3)),
        (
            "forked, kind 9",
            Call::memcpy(device, heap, 4, Kind::from_raw(9)),
            Status(3),
        ),
        ("forked, driver", driver(4), Status(3)),
    ];
    compare(&child, cases);
}
