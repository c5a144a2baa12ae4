//! Rows of pageable memory that run backwards, and calls without a current context in a created stream, against
//! what an H100 did (driver 580 for CUDA 13.0, 2026-11-26): 4,000 copies of rows whose faults were mended and noted,
//! 800 whose first touch was, 665 calls without a context in processes that were replaced when they died.

use cuwhy_validate::ask::{Attributes, Mapped, Recorded};
use cuwhy_validate::call::{Action, Fill, Linear, Order, Peer, Place, Plane, Side, Volume};
use cuwhy_validate::facts::{Access, Capture, Current, Environment, Permissions};
use cuwhy_validate::{
    Api, Call, Kind, Prediction, Registry, Role, Site, Span, Stream, Verdict, check,
};

use Prediction::{CannotTell, Crash, Fault, Status, Success};

const PAGE: u64 = 4096;
/// Eight pages that may be read and written, with nothing before and behind.
const HOST: u64 = 0x7000_0000_0000;
/// Two more, far away.
const FAR: u64 = 0x7100_0000_0000;
const DEVICE: u64 = 0x7f00_0000_0000;
const MANAGED: u64 = 0x7f10_0000_0000;

fn device(start: u64, bytes: u64, managed: bool) -> Attributes {
    Attributes {
        memory_type: 2,
        ordinal: 0,
        managed: Some(managed),
        context: Some(1),
        device_pointer: Some(start),
        range: Some(Span::sized(start, bytes)),
        mapped: Some(true),
        access: Access::ReadWrite,
        ..Attributes::default()
    }
}

fn mapping(start: u64, pages: u64) -> Mapped {
    Mapped {
        span: Span::sized(start, pages * PAGE),
        permissions: Permissions::READ_WRITE,
        name: None,
    }
}

fn world() -> Recorded {
    let size = 1 << 20;
    Recorded::default()
        .with_environment(Environment {
            current: Current::Device(0),
            pageable_access: Some(false),
            ..Environment::default()
        })
        .with_host(mapping(HOST, 8))
        .with_host(mapping(FAR, 2))
        .with(Span::sized(DEVICE, size), device(DEVICE, size, false))
        .with(Span::sized(MANAGED, size), device(MANAGED, size, true))
}

fn minus(bytes: u64) -> u64 {
    bytes.wrapping_neg()
}

fn call(function: &'static str, api: Api, action: Action) -> Call {
    Call {
        function,
        api,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    }
}

fn rows(dst: (u64, u64), src: (u64, u64), width: u64, height: u64) -> Call {
    let copy = Plane {
        dst: dst.0,
        dst_pitch: dst.1,
        src: src.0,
        src_pitch: src.1,
        width,
        height,
        kind: Kind::Default,
    };
    call("cudaMemcpy2D", Api::Runtime, Action::Copy2D(copy))
}

fn at(role: Role, page: u64) -> Prediction {
    Fault { role, page }
}

fn speaks(verdict: &Verdict, rule: &str) -> bool {
    verdict.findings.iter().any(|one| one.rule == rule)
}

#[test]
fn rows_are_followed_backwards_and_the_first_that_leaves_is_the_fault() {
    let src = |page: u64| at(Role::Source, page);
    let dst = |page: u64| at(Role::Destination, page);
    let last = HOST + 8 * PAGE - 512;
    for (what, one, answer) in [
        (
            "all fit",
            rows((DEVICE, 512), (last, minus(512)), 512, 64),
            Success,
        ),
        (
            "one too many",
            rows((DEVICE, 512), (last, minus(512)), 512, 65),
            src(HOST - PAGE),
        ),
        (
            "the same to the host",
            rows((last, minus(512)), (DEVICE, 512), 512, 65),
            dst(HOST - PAGE),
        ),
        (
            "the first row leaves at its end",
            rows((DEVICE, 513), (last, minus(512)), 513, 2),
            src(HOST + 8 * PAGE),
        ),
        (
            "into another mapping",
            rows((DEVICE, 8), (FAR, minus(FAR - HOST)), 8, 2),
            Success,
        ),
        (
            "and out of it",
            rows((DEVICE, 8), (FAR, minus(FAR - HOST)), 8, 3),
            src(HOST - (FAR - HOST)),
        ),
        (
            "to no address",
            rows((DEVICE, 8), (HOST, 1 << 63), 8, 2),
            src(HOST | 1 << 63),
        ),
        (
            "and back from there",
            rows((HOST, 8), (HOST + PAGE, 1 << 63), 8, 2),
            src((HOST + PAGE) | 1 << 63),
        ),
        (
            "whichever side leaves first",
            rows((HOST + PAGE, minus(PAGE)), (FAR, minus(8)), 8, 4),
            src(FAR - PAGE),
        ),
    ] {
        let verdict = check(&one, &world(), None);
        assert_eq!(verdict.prediction, answer, "{what}");
        let deadly = matches!(answer, Fault { .. });
        assert_eq!(
            speaks(&verdict, "range.host-too-short"),
            deadly,
            "{what}: {:?}",
            verdict.findings
        );
    }
}

/// The end counts modulo 2^64, and one at the very start of the memory is refused (H200, same driver).
#[test]
fn rows_that_add_up_to_nothing_need_something_before_them() {
    let said = |start| {
        let one = rows((start, minus(1)), (HOST, 2), 1, 2);
        check(&one, &world(), None).prediction
    };
    assert_eq!(said(DEVICE), Status(1));
    assert_eq!(said(DEVICE + 1), Success);
}

#[test]
fn rows_that_run_backwards_are_named_so_where_a_devices_limit_is_known() {
    let recorded = world().with_environment(Environment {
        current: Current::Device(0),
        pageable_access: Some(false),
        max_pitch: Some((1 << 31) - 1),
        ..Environment::default()
    });
    let last = HOST + 8 * PAGE - 512;
    let one = rows((DEVICE, 512), (last, minus(512)), 512, 8);
    let verdict = check(&one, &recorded, None);
    let says: Vec<&str> = verdict.findings.iter().map(|one| &*one.says).collect();
    assert_eq!(verdict.findings.len(), 1, "{says:?}");
    assert_eq!(verdict.findings[0].rule, "pitch.exceeds-maximum");
    assert!(
        says[0].contains("run backwards, 512 bytes each"),
        "{says:?}"
    );
    let forwards = rows((DEVICE, 512), (HOST, 512), 512, 8);
    assert_eq!(check(&forwards, &recorded, None).findings, []);
}

#[test]
fn rows_that_run_backwards_are_no_mistake_where_another_side_is() {
    let last = HOST + 8 * PAGE - 512;
    // The destination ends after four rows; the source is right.
    let short = rows((DEVICE + (1 << 20) - 2048, 512), (last, minus(512)), 512, 8);
    let verdict = check(&short, &world(), None);
    assert!(!speaks(&verdict, "range.size-overflow"), "{verdict:?}");
    assert!(speaks(&verdict, "pitch.last-row-past-end"), "{verdict:?}");
    // On a device, with rows that stay where they are.
    let flipped = rows(
        (DEVICE + 4096, minus(512)),
        (HOST + 8 * PAGE - 1024, 512),
        512,
        8,
    );
    let verdict = check(&flipped, &world(), None);
    assert!(!speaks(&verdict, "range.size-overflow"), "{verdict:?}");
    // And with rows that leave it: the device's memory ends before the last one.
    let leaves = rows((DEVICE + 1024, minus(512)), (HOST, 512), 512, 8);
    let verdict = check(&leaves, &world(), None);
    assert!(!verdict.findings.is_empty(), "{verdict:?}");
}

#[test]
fn slices_run_backwards_where_their_rows_come_round() {
    let place = |address, pitch, rows| Place::Memory {
        side: Side::Host,
        address,
        pitch,
        rows,
        x: 0,
        y: 0,
        z: 0,
    };
    let copy = |from: u64, depth: u64| Volume {
        dst: Place::Memory {
            side: Side::Device,
            address: DEVICE,
            pitch: 512,
            rows: 2,
            x: 0,
            y: 0,
            z: 0,
        },
        // Rows of 512 bytes, slices a page backwards.
        src: place(from, 512, (minus(PAGE)) / 512),
        width: 100,
        height: 2,
        depth,
        is_plane: false,
        kind: Kind::Default,
    };
    let volume = |from, depth| call("cuMemcpy3D", Api::Driver, Action::Copy3D(copy(from, depth)));
    let said = |one: &Call| check(one, &world(), None).prediction;
    assert_eq!(said(&volume(HOST + 7 * PAGE, 8)), Success);
    assert_eq!(
        said(&volume(HOST + 7 * PAGE, 9)),
        at(Role::Source, HOST - PAGE)
    );
}

/// Rows go to a device one behind the other in an aligned buffer; the place there decides what is touched first.
#[test]
fn the_first_touch_of_a_row_depends_on_where_it_comes_to_lie() {
    // Row 2 begins 3 bytes before a page that is as closed as its own.
    let first = HOST - PAGE - 3 + 2 * (PAGE + 700);
    let row = |width: u64, dst: u64| {
        let one = rows((dst, 8192), (first, minus(PAGE + 700)), width, 3);
        check(&one, &world(), None).prediction
    };
    for dst in [DEVICE, DEVICE + 13, MANAGED, MANAGED + 5] {
        assert_eq!(row(104, dst), at(Role::Source, HOST - PAGE), "2 x 104");
        assert_eq!(row(103, dst), at(Role::Source, HOST - 2 * PAGE), "2 x 103");
    }
    // To the host the destination's own address counts.
    let host = |dst| {
        let one = rows((dst, 512), (first, minus(PAGE + 700)), 103, 3);
        check(&one, &world(), None).prediction
    };
    assert_eq!(host(FAR), at(Role::Source, HOST - PAGE));
    assert_eq!(host(FAR + 1), at(Role::Source, HOST - 2 * PAGE));
}

/// Virtual memory: two handles with access, one that may only be read, one without access; and a created stream.
const FREE: u64 = 0x7e00_0000_0000;
const GRAIN: u64 = 2 << 20;
const STREAM: u64 = 0x5000;

fn without_context(stream_device: Option<i32>) -> (Recorded, Registry) {
    let reservation = Span::sized(FREE, 6 * GRAIN);
    let mut world = world().with_environment(Environment {
        current: Current::None,
        pageable_access: Some(false),
        devices: Some(1),
        capture: Capture::None,
        stream_device,
        ..Environment::default()
    });
    for (index, access) in [
        (0, Access::ReadWrite),
        (1, Access::ReadWrite),
        (3, Access::Read),
        (5, Access::None),
    ] {
        let start = FREE + index * GRAIN;
        let span = Span::sized(start, GRAIN);
        let attributes = Attributes {
            memory_type: 2,
            ordinal: 0,
            context: Some(0),
            // What the driver says while no context is current.
            device_pointer: Some(0),
            access: Access::None,
            range: Some(reservation),
            mapped: Some(true),
            mapping: Some(span),
            ..Attributes::default()
        };
        world = world
            .with(span, attributes)
            .with_mapped_range(span)
            .with_access(start, 0, access);
    }
    let registry = Registry::default();
    registry.stream_created(STREAM);
    (world, registry)
}

fn line(dst: u64, src: u64, bytes: u64) -> Action {
    Action::Copy(Linear {
        dst,
        src,
        bytes,
        kind: Kind::DeviceToDevice,
    })
}

#[test]
fn without_a_context_the_driver_dies_of_one_refusal_and_of_no_other() {
    let (world, registry) = without_context(Some(0));
    let (one, read, none) = (FREE, FREE + 3 * GRAIN, FREE + 5 * GRAIN);
    let peer = |dst, src| {
        Action::Peer(Peer {
            dst,
            dst_device: 0,
            src,
            src_device: 0,
            bytes: 16,
        })
    };
    let fill = |dst| {
        Action::Fill(Fill {
            dst,
            pitch: 0,
            value: 0,
            element: 1,
            width: 16,
            height: 1,
        })
    };
    for (what, action, answer) in [
        ("plain", line(DEVICE, DEVICE + 64, 16), Success),
        ("virtual", line(one, DEVICE, 16), Success),
        (
            "past the end",
            line(DEVICE + (1 << 20) - 15, one, 16),
            Status(1),
        ),
        ("no access", line(none, DEVICE, 16), Crash),
        ("no access, source", line(DEVICE, none, 16), Crash),
        ("read only", line(read, DEVICE, 16), Crash),
        ("read only, source", line(DEVICE, read, 16), Success),
        ("no access and null", line(none, 0, 16), Status(1)),
        ("no access and the heap", line(none, HOST, 16), Status(1)),
        (
            "no access, past its end",
            line(none + GRAIN - 8, one, 16),
            Status(1),
        ),
        (
            "into the next handle",
            line(one + GRAIN - 8, DEVICE, 16),
            Status(1),
        ),
        ("out of it", line(DEVICE, one + GRAIN - 8, 16), Status(1)),
        ("peers, next handle", peer(one + GRAIN - 8, DEVICE), Success),
        ("peers, read only", peer(read, DEVICE), Status(1)),
        ("fill, next handle", fill(one + GRAIN - 8), Success),
        ("fill, read only", fill(read), Status(1)),
        ("fill, no access", fill(none), Status(1)),
    ] {
        let call = call("cuMemcpyDtoDAsync", Api::Driver, action);
        let call = call.on_stream("cuMemcpyDtoDAsync", Stream::Handle(STREAM));
        let verdict = check(&call, &world, Some(&registry));
        assert_eq!(verdict.prediction, answer, "{what}");
        let said = verdict.findings.is_empty();
        assert_eq!(said, answer == Success, "{what}: {:?}", verdict.findings);
    }
}

#[test]
fn whose_stream_is_not_known_nobody_can_tell_of_virtual_memory() {
    let (world, registry) = without_context(None);
    let of_stream = |stream| {
        call("", Api::Driver, line(FREE, DEVICE, 16)).on_stream("cuMemcpyDtoDAsync", stream)
    };
    let said = |call: &Call| check(call, &world, Some(&registry)).prediction;
    let unknown = said(&of_stream(Stream::Handle(STREAM)));
    assert!(matches!(unknown, CannotTell(_)), "{unknown:?}");
    // A default stream needs a context before anything else.
    assert_eq!(said(&of_stream(Stream::Legacy)), Status(201));
    assert_eq!(said(&of_stream(Stream::PerThread)), Status(201));
}
