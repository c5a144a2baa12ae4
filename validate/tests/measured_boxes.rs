//! Batches of boxes, against what an H100 answered (driver 580 for CUDA 13.0, 2026-11-26): `cuMemcpy3DBatchAsync`,
//! its second form, and `cudaMemcpy3DBatchAsync` of 12.9 and 13.0, which answered alike.

mod common;

use common::world;
use cuwhy_validate::ask::{Mapped, Recorded};
use cuwhy_validate::call::{Action, Batch3D, Batch3DEntry, Order, Place, Side, Volume};
use cuwhy_validate::facts::{ArrayFacts, Capture, Current, Environment, Permissions};
use cuwhy_validate::{Api, Call, Kind, Prediction, Role, Site, Span, Stream, check};
use std::collections::HashMap;

use Prediction::{CannotTell, ContextDies, Crash, Status, Success};

const REFUSED: Prediction = Status(1);
const FLOATS: u64 = 0x5000_0000;
const BYTES: u64 = 0x5100_0000;
const CREATED: Stream = Stream::Handle(0x5200_0000);
/// Two pages that may be touched, and nothing behind them.
const HEAP: u64 = 0x7e00_0000_0000;

struct World {
    recorded: Recorded,
    at: HashMap<&'static str, u64>,
}

impl World {
    fn new() -> Self {
        let (recorded, at) = world();
        let array = |handle, element| ArrayFacts {
            handle,
            width: 64,
            height: 16,
            depth: 0,
            element,
        };
        let heap = Mapped {
            span: Span::sized(HEAP, 8192),
            permissions: Permissions::READ_WRITE,
            name: None,
        };
        let recorded = recorded
            .with_array(array(FLOATS, 4))
            .with_array(array(BYTES, 1))
            .with_host(heap);
        Self { recorded, at }
    }

    fn in_environment(&self, change: impl FnOnce(&mut Environment)) -> Recorded {
        let mut environment = Environment {
            current: Current::Device(0),
            pageable_access: Some(false),
            devices: Some(1),
            ..Environment::default()
        };
        change(&mut environment);
        self.recorded.clone().with_environment(environment)
    }
}

/// A side in memory: address, bytes from row to row, rows from slice to slice.
fn memory(address: u64, pitch: u64, rows: u64) -> Place {
    Place::Memory {
        side: Side::Unified,
        address,
        pitch,
        rows,
        x: 0,
        y: 0,
        z: 0,
    }
}

fn tight(address: u64) -> Place {
    memory(address, 0, 0)
}

fn array(handle: u64, x: u64, y: u64) -> Place {
    Place::Array { handle, x, y, z: 0 }
}

fn entry(dst: Place, src: Place, [width, height, depth]: [u64; 3]) -> Batch3DEntry {
    Batch3DEntry::new(Volume {
        dst,
        src,
        width,
        height,
        depth,
        is_plane: false,
        kind: Kind::Default,
    })
}

fn batch(api: Api, stream: Stream, entries: Vec<Batch3DEntry>) -> Call {
    Call {
        function: match api {
            Api::Driver => "cuMemcpy3DBatchAsync",
            Api::Runtime => "cudaMemcpy3DBatchAsync",
        },
        api,
        action: Action::Batch3D(Batch3D { entries, flags: 0 }),
        order: Order::Async(stream),
        site: Site::Unknown,
    }
}

/// What is predicted, and what was measured; of both interfaces.
fn compare(world: &Recorded, cases: Vec<(&str, Vec<Batch3DEntry>, Prediction)>) {
    let mut wrong = Vec::new();
    for (name, entries, expected) in cases {
        for api in [Api::Driver, Api::Runtime] {
            let call = batch(api, CREATED, entries.clone());
            let verdict = check(&call, world, None);
            if verdict.prediction != expected {
                let ours = verdict.prediction;
                wrong.push(format!("{name}: {ours:?}, measured {expected:?}"));
            }
            // What is refused or kills is explained; where CUDA accepts, nothing is called an error.
            let errors = verdict
                .findings
                .iter()
                .filter(|one| one.severity.word() == "error");
            let explained = errors.count() > 0;
            if explained != (expected != Success) && !matches!(expected, CannotTell(_)) {
                let said: Vec<&str> = verdict.findings.iter().map(|one| one.rule).collect();
                wrong.push(format!("{name}: said {said:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn how_far_a_box_may_go() {
    let World { recorded, at } = World::new();
    let big = tight(at["device_4MiB"]);
    let mut cases = Vec::new();
    // 40 bytes, or the last 40 of something larger.
    for start in [
        at["device_40B"],
        at["device_async_pool"] + 4056,
        at["vmm_mapped"] + 2_097_112,
        at["pinned"] + 4056,
        at["registered"] + 4056,
        at["managed"] + 4056,
    ] {
        for (name, extent, pitch, rows, answer) in [
            ("ten rows", [4, 10, 1], 0, 0, Success),
            ("a row too many", [4, 11, 1], 0, 0, REFUSED),
            ("the last row may be short", [4, 4, 1], 12, 0, Success),
            ("a byte too many", [5, 4, 1], 12, 0, REFUSED),
            ("two slices, the last one short", [4, 1, 2], 4, 9, Success),
            ("slices that lie too far apart", [4, 1, 2], 4, 10, REFUSED),
            ("rows side by side, slices apart", [4, 4, 2], 0, 6, Success),
            ("no more than a slice and a row", [4, 4, 2], 0, 7, REFUSED),
            ("slices side by side", [4, 5, 2], 4, 0, Success),
            ("a slice too many", [4, 5, 3], 4, 0, REFUSED),
        ] {
            let one = memory(start, pitch, rows);
            cases.push((name, vec![entry(one, big, extent)], answer));
            cases.push((name, vec![entry(big, one, extent)], answer));
        }
    }
    compare(&recorded, cases);
}

#[test]
fn what_an_entry_says_by_itself_is_refused_before_anything_is_begun() {
    let World { recorded, at } = World::new();
    let (one, two) = (at["device_4MiB"], at["device_4MiB"] + (1 << 20));
    let good = entry(tight(one), tight(two), [16, 4, 2]);
    let sides = |dst, src| entry(dst, src, [16, 4, 1]);
    let with = |change: fn(&mut Batch3DEntry)| {
        let mut entry = good;
        change(&mut entry);
        entry
    };
    let mut cases = Vec::new();
    for (name, bad) in [
        ("no width", with(|entry| entry.copy.width = 0)),
        ("no height", with(|entry| entry.copy.height = 0)),
        ("no depth", with(|entry| entry.copy.depth = 0)),
        ("no order", with(|entry| entry.source_access = 0)),
        ("no such order", with(|entry| entry.source_access = 4)),
        ("no such flag", with(|entry| entry.flags = 2)),
        ("a narrow row", sides(memory(one, 15, 0), tight(two))),
        (
            "a narrow row of one",
            entry(tight(one), memory(two, 15, 0), [16, 1, 1]),
        ),
        ("a low slice", sides(tight(one), memory(two, 16, 3))),
        (
            "a low slice of one",
            entry(tight(one), memory(two, 16, 3), [16, 4, 1]),
        ),
        (
            "arrays of other elements",
            sides(array(FLOATS, 0, 0), array(BYTES, 0, 0)),
        ),
    ] {
        cases.push((name, vec![bad], REFUSED));
        cases.push((name, vec![good, bad], REFUSED));
    }
    let mut invalid = good;
    if let Place::Memory { side, .. } = &mut invalid.copy.src {
        *side = Side::Invalid(3);
    }
    cases.push(("a type that is none", vec![invalid], REFUSED));
    cases.push(("flag 1", vec![with(|entry| entry.flags = 1)], Success));
    cases.push((
        "order 3",
        vec![with(|entry| entry.source_access = 3)],
        Success,
    ));
    cases.push((
        "an array of like elements",
        vec![sides(array(FLOATS, 0, 0), array(FLOATS, 0, 8))],
        Success,
    ));
    // A fault would come first, if anything were begun.
    let deadly = entry(tight(HEAP + 8192), tight(two), [16, 4, 2]);
    cases.push(("a fault before", vec![deadly, invalid], REFUSED));
    compare(&recorded, cases);
}

#[test]
fn arrays_count_elements_and_are_followed() {
    let World { recorded, at } = World::new();
    let memory_of = |address| tight(address);
    let device = memory_of(at["device_4MiB"]);
    let mut cases = Vec::new();
    for (name, place, extent, answer) in [
        ("all of it", array(FLOATS, 0, 0), [256, 16, 1], Success),
        (
            "an element too many",
            array(FLOATS, 0, 0),
            [260, 16, 1],
            REFUSED,
        ),
        ("a row too many", array(FLOATS, 0, 0), [256, 17, 1], REFUSED),
        ("two slices of one", array(FLOATS, 0, 0), [4, 1, 2], REFUSED),
        (
            "the last element",
            array(FLOATS, 252, 15),
            [4, 1, 1],
            Success,
        ),
        ("behind it", array(FLOATS, 256, 0), [4, 1, 1], REFUSED),
        ("null", array(0, 0, 0), [4, 1, 1], Crash),
    ] {
        cases.push((name, vec![entry(place, device, extent)], answer));
        cases.push((name, vec![entry(device, place, extent)], answer));
        let null = memory_of(0);
        let other = if answer == Crash { Crash } else { REFUSED };
        cases.push((name, vec![entry(place, null, extent)], other));
    }
    let good = entry(device, memory_of(at["device_4MiB"] + 4096), [16, 1, 1]);
    let null = entry(array(0, 0, 0), device, [4, 1, 1]);
    let refused = entry(memory_of(0), device, [4, 1, 1]);
    cases.push(("null last", vec![good, null], Crash));
    cases.push((
        "null behind one that is refused",
        vec![refused, null],
        REFUSED,
    ));
    compare(&recorded, cases);
}

#[test]
fn entries_are_taken_one_by_one_and_a_line_to_the_host_is_put_off() {
    let World { recorded, at } = World::new();
    let device = tight(at["device_4MiB"]);
    let other = tight(at["device_4MiB"] + (1 << 20));
    let good = entry(device, other, [16, 1, 1]);
    let apart = entry(tight(at["device_40B"]), other, [16, 1, 1]);
    let null = entry(device, tight(0), [16, 1, 1]);
    let fault = |role, page| Prediction::Fault { role, page };
    let read = entry(device, tight(HEAP + 8188), [8, 1, 1]);
    let written = entry(tight(HEAP + 8188), device, [8, 1, 1]);
    let rows = entry(tight(HEAP + 8176), device, [8, 3, 1]);
    let (source, destination) = (
        fault(Role::Source, HEAP + 8192),
        fault(Role::Destination, HEAP + 8192),
    );
    compare(
        &recorded,
        vec![
            ("right", vec![good, apart], Success),
            ("a fault", vec![good, read, good], source),
            ("a fault, then a refusal", vec![read, null], source),
            ("a refusal, then a fault", vec![null, read], REFUSED),
            ("a line to the host", vec![written, good], destination),
            (
                "a line to the host, then a refusal",
                vec![written, null],
                destination,
            ),
            ("rows to the host", vec![rows, null], destination),
        ],
    );
}

#[test]
fn a_hint_matters_for_managed_memory_alone_and_after_everything_else() {
    let World { recorded, at } = World::new();
    let device = tight(at["device_4MiB"]);
    let hinted = |dst, src, hints| Batch3DEntry {
        hints,
        ..entry(dst, src, [16, 1, 1])
    };
    let managed = tight(at["managed"]);
    let last = tight(at["managed"] + 4095);
    let mut cases = vec![
        ("past the end", vec![hinted(device, last, [0, 5])], REFUSED),
        ("null", vec![hinted(tight(0), managed, [0, 5])], REFUSED),
    ];
    for (hint, answer) in [(0, Success), (1, Success), (4, Success), (5, Status(401))] {
        cases.push(("source", vec![hinted(device, managed, [0, hint])], answer));
        cases.push((
            "destination",
            vec![hinted(managed, device, [hint, 0])],
            answer,
        ));
        // Of rows and slices nobody looks at it (the same on an H200).
        for extent in [[16, 4, 1], [16, 1, 2], [16, 2, 2]] {
            let several = Batch3DEntry {
                hints: [0, hint],
                ..entry(device, managed, extent)
            };
            cases.push(("rows and slices", vec![several], Success));
        }
        for name in ["pinned", "registered", "device_40B", "vmm_mapped"] {
            let one = tight(at[name]);
            cases.push((name, vec![hinted(device, one, [hint, hint])], Success));
        }
    }
    compare(&recorded, cases);
}

#[test]
fn what_surrounds_a_batch_comes_first() {
    let world = World::new();
    let at = &world.at;
    let device = tight(at["device_4MiB"]);
    let other = tight(at["device_4MiB"] + (1 << 20));
    let good = vec![entry(device, other, [16, 1, 1])];
    let null = vec![entry(device, tight(0), [16, 1, 1])];
    let empty = vec![entry(device, other, [0, 1, 1])];
    let arrays = vec![entry(array(0, 0, 0), array(FLOATS, 0, 0), [4, 1, 1])];
    let null_array = vec![entry(array(0, 0, 0), device, [4, 1, 1])];
    let predict = |world: &Recorded, stream, entries: &Vec<Batch3DEntry>, flags| {
        let mut call = batch(Api::Driver, stream, entries.clone());
        if let Action::Batch3D(batch) = &mut call.action {
            batch.flags = flags;
        }
        check(&call, world, None).prediction
    };
    let plain = world.in_environment(|_| ());
    let lists = [&good, &null, &empty, &null_array, &Vec::new()];
    for entries in lists {
        for flags in [0, 1] {
            let legacy = predict(&plain, Stream::Legacy, entries, flags);
            assert_eq!(legacy, REFUSED, "{entries:?}");
            let dead = world.in_environment(|around| around.stream_dead = Some(true));
            assert_eq!(
                predict(&dead, CREATED, entries, flags),
                Crash,
                "{entries:?}"
            );
            // A created stream's own context is not enough, and there is no thread's stream without one.
            let nowhere = world.in_environment(|around| around.current = Current::None);
            assert_eq!(predict(&nowhere, CREATED, entries, flags), REFUSED);
            assert_eq!(predict(&nowhere, Stream::Legacy, entries, flags), REFUSED);
            assert_eq!(
                predict(&nowhere, Stream::PerThread, entries, flags),
                Status(201)
            );
        }
        assert_eq!(predict(&plain, CREATED, entries, 1), REFUSED);
    }
    assert_eq!(predict(&plain, CREATED, &good, 0), Success);
    assert_eq!(predict(&plain, Stream::PerThread, &good, 0), Success);
    assert_eq!(predict(&plain, CREATED, &Vec::new(), 0), REFUSED);
    // What an entry says by itself comes before the capture, what it names comes after; of two arrays, before.
    let capturing = world.in_environment(|around| around.capture = Capture::ThisStream);
    for (entries, answer) in [
        (&good, Status(900)),
        (&null, Status(900)),
        (&null_array, Status(900)),
        (&empty, REFUSED),
        (&arrays, Crash),
    ] {
        assert_eq!(predict(&capturing, CREATED, entries, 0), answer);
    }
    let blocking = world.in_environment(|around| around.capture = Capture::BlocksLegacy);
    assert_eq!(predict(&blocking, CREATED, &good, 0), Success);
}

#[test]
fn distances_that_wrap_around() {
    let World { recorded, at } = World::new();
    let inside = at["device_4MiB"] + 65_536;
    let other = tight(at["device_4MiB"] + (1 << 20));
    let back = |bytes: u64| bytes.wrapping_neg();
    for (name, pitch, rows, extent, answer) in [
        ("rows that run backwards", back(64), 0, [16, 4, 1], Success),
        ("slices that do", back(64), 1, [16, 1, 3], Success),
        (
            "three rows, 2^63 - 1 apart",
            (1 << 63) - 1,
            0,
            [16, 3, 1],
            ContextDies(700),
        ),
        (
            "five rows, 2^62 apart",
            1 << 62,
            0,
            [16, 5, 1],
            ContextDies(700),
        ),
    ] {
        let one = memory(inside, pitch, rows);
        for one in [entry(other, one, extent), entry(one, other, extent)] {
            let call = batch(Api::Driver, CREATED, vec![one]);
            let verdict = check(&call, &recorded, None);
            assert_eq!(verdict.prediction, answer, "{name}");
            let silent = verdict.findings.is_empty();
            assert_eq!(silent, answer == Success, "{name}: {:?}", verdict.findings);
        }
    }
}
