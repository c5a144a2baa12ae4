//! Predictions against single measurements, continued: symbols, registrations, peers, captures.

mod common;

use common::world;
use cuwhy_validate::ask::{Attributes, Recorded};
use cuwhy_validate::call::{Action, Export, Fill, Order, Peer, Register, SymbolCopy};
use cuwhy_validate::facts::{Access, Capture, Current, Environment};
use cuwhy_validate::{Api, Call, Kind, Prediction, Site, Span, Stream, check};

use Prediction::{Status, Success};

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
fn symbols() {
    let (world, at) = world();
    let symbol = at["device_symbol"];
    let copy = |to_symbol, offset, bytes, kind, other: &str| {
        let action = Action::Symbol(SymbolCopy {
            name: symbol,
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
