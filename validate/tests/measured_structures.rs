//! Offsets in structures and extents that wrap around, against what an H100 answered (driver 580 for CUDA
//! 13.0, 2026-11-26, in processes that were replaced when one died).

mod common;

use common::world;
use cuwhy_validate::ask::Recorded;
use cuwhy_validate::call::{Action, Fill, Order, Place, Side, Volume};
use cuwhy_validate::facts::ArrayFacts;
use cuwhy_validate::{Api, Call, Kind, Prediction, Site, Stream, check};

use Prediction::{ContextDies, Crash, Status, Success};

const TOP: u64 = 1 << 63;

/// A side of `CUDA_MEMCPY2D`: address, pitch, x, y.
fn side(side: Side, address: u64, pitch: u64, x: u64, y: u64) -> Place {
    Place::Memory {
        side,
        address,
        pitch,
        rows: 0,
        x,
        y,
        z: 0,
    }
}

fn call(api: Api, function: &'static str, action: Action) -> Call {
    Call {
        function,
        api,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    }
}

fn rows(dst: Place, src: Place, width: u64, height: u64) -> Call {
    let copy = Volume {
        dst,
        src,
        width,
        height,
        depth: 1,
        is_plane: true,
        kind: Kind::Default,
    };
    call(Api::Driver, "cuMemcpy2D", Action::Copy3D(copy))
}

fn compare(world: &Recorded, cases: Vec<(&str, Call, Prediction)>) {
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(name, call, expected)| {
            let ours = check(&call, world, None).prediction;
            (ours != expected).then(|| format!("{name}: {ours:?}, measured {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_structures_own_address_is_looked_up() {
    let (world, at) = world();
    let big = side(Side::Device, at["device_4MiB"], 64, 0, 0);
    let minus = |bytes: u64| bytes.wrapping_neg();
    let mut cases = Vec::new();
    // Plain memory of 40 bytes: offset and extent must lie inside, modulo 2^64; x within the pitch.
    let small = at["device_40B"];
    for named in [Side::Device, Side::Unified] {
        for (name, offset, pitch, x, y, answer) in [
            ("x + width at the end", 0, 48, 36, 0, Success),
            ("one byte past the end", 0, 48, 37, 0, Status(1)),
            ("begins at the end", 0, 48, 40, 0, Status(1)),
            ("x past the pitch", 0, 8, 5, 0, Status(1)),
            ("a row past the end", 0, 40, 0, 1, Status(1)),
            ("a row back, out of it", 0, minus(4), 0, 1, Status(1)),
            ("a row back, inside", 20, minus(4), 0, 1, Success),
            ("x = -4", 20, 8, minus(4), 0, Status(1)),
            ("x = -4 and no pitch", 20, 0, minus(4), 0, Status(1)),
        ] {
            let one = side(named, small + offset, pitch, x, y);
            cases.push((name, rows(one, big, 4, 1), answer));
            cases.push((name, rows(big, one, 4, 1), answer));
        }
    }
    // No pitch is x + width.
    let none = |x| side(Side::Device, small, 0, x, 0);
    cases.push(("no pitch, fits", rows(none(4), big, 16, 2), Success));
    cases.push(("no pitch, does not", rows(none(4), big, 17, 2), Status(1)));
    // Two rows of a byte that run backwards add up to nothing: 1 from the first byte on (H200); from the second on
    // nobody has compared it.
    let bytes = |offset| side(Side::Device, small + offset, minus(1), 0, 0);
    let end = "backwards to the very start";
    cases.push((end, rows(bytes(0), big, 1, 2), Status(1)));
    cases.push((end, rows(bytes(1), big, 1, 2), Success));
    // Mapped memory: as if there were no offsets; then it matters where they lead.
    let mapped = at["vmm_mapped"];
    let size = 2 << 20;
    for (name, offset, pitch, x, y, answer) in [
        ("mapped, x past the pitch", 0, 8, 5, 0, Success),
        ("mapped, inside", 0, size + 8, size - 4, 0, Success),
        (
            "mapped, past the end",
            0,
            size + 8,
            size - 3,
            0,
            ContextDies(700),
        ),
        ("mapped, before it", 0, 8, minus(4), 0, ContextDies(700)),
        ("mapped, back inside", 4096, minus(4), 0, 1, Success),
    ] {
        let one = side(Side::Device, mapped + offset, pitch, x, y);
        cases.push((name, rows(one, big, 4, 1), answer));
    }
    let pool = |x| side(Side::Device, at["device_async_pool"] + 4, 8, x, 0);
    cases.push(("pool, x past the pitch", rows(pool(5), big, 4, 1), Success));
    compare(&world, cases);
}

#[test]
fn a_memory_type_that_is_none_is_accepted_in_virtual_memory_alone() {
    let (world, at) = world();
    let big = side(Side::Device, at["device_4MiB"], 64, 0, 0);
    let mut cases = Vec::new();
    for raw in [0, 5, 99] {
        for (name, answer) in [
            ("vmm_mapped", Success),
            ("device_async_pool", Status(1)),
            ("device_40B", Status(1)),
            ("pinned", Status(1)),
        ] {
            let one = side(Side::Invalid(raw), at[name], 64, 0, 0);
            cases.push((name, rows(one, big, 8, 1), answer));
            cases.push((name, rows(big, one, 8, 1), answer));
        }
    }
    compare(&world, cases);
}

#[test]
fn who_does_the_work_decides_how_a_wrapped_copy_ends() {
    let (world, at) = world();
    let place = |name: &str| match name {
        "device_4MiB" => at[name] + (1 << 20),
        name => at[name] + 16,
    };
    let copy = |dst: &str, src: &str| {
        let minus_four = 4_u64.wrapping_neg();
        Call::driver_copy(
            "cuMemcpy",
            place(dst),
            place(src),
            minus_four,
            Kind::Default,
        )
    };
    let on_device = [
        "device_4MiB",
        "device_40B",
        "device_async_pool",
        "vmm_mapped",
    ];
    let mut cases = Vec::new();
    for dst in on_device {
        for src in on_device {
            cases.push((dst, copy(dst, src), ContextDies(700)));
        }
        for locked in ["pinned", "registered"] {
            cases.push((dst, copy(dst, locked), Crash));
            cases.push((dst, copy(locked, dst), Crash));
        }
        cases.push((dst, copy(dst, "managed"), ContextDies(700)));
        cases.push((dst, copy("managed", dst), ContextDies(700)));
    }
    cases.push((
        "managed and pinned",
        copy("managed", "pinned"),
        ContextDies(700),
    ));
    cases.push(("both pinned", copy("pinned", "registered"), Crash));
    // Managed memory that the call names as host memory is moved as such.
    let named = |kind| {
        let minus_four = 4_u64.wrapping_neg();
        let (dst, src) = (place("device_4MiB"), place("managed"));
        Call::driver_copy("cuMemcpyHtoD", dst, src, minus_four, kind)
    };
    let answer = check(&named(Kind::HostToDevice), &world, None).prediction;
    assert!(
        !matches!(answer, ContextDies(700)),
        "managed memory called host: {answer:?}, measured SIGSEGV"
    );
    cases.push((
        "managed, D2D",
        named(Kind::DeviceToDevice),
        ContextDies(700),
    ));
    compare(&world, cases);
}

#[test]
fn rows_at_2_to_63_end_as_the_engine_sees_them() {
    let (world, at) = world();
    let one = |name: &str, pitch| side(Side::Unified, at[name] + 16, pitch, 0, 0);
    let mut cases = Vec::new();
    for name in ["device_40B", "vmm_mapped", "device_async_pool"] {
        for (other, answer) in [
            ("device_4MiB", ContextDies(700)),
            ("pinned", Success),
            ("pageable_heap", Success),
            ("managed", ContextDies(700)),
        ] {
            cases.push((name, rows(one(name, TOP), one(other, 4), 4, 3), answer));
            cases.push((name, rows(one(other, 4), one(name, TOP), 4, 3), answer));
        }
    }
    compare(&world, cases);
}

#[test]
fn a_fill_passes_as_soon_as_its_end_wraps() {
    let (world, at) = world();
    let fill = |dst, element, pitch, width, height| {
        let fill = Fill {
            dst,
            pitch,
            value: 1,
            element,
            width,
            height,
        };
        call(Api::Driver, "cuMemsetD2D32", Action::Fill(fill))
    };
    let minus = |bytes: u64| bytes.wrapping_neg();
    let mut cases = Vec::new();
    for name in [
        "device_40B",
        "device_async_pool",
        "vmm_mapped",
        "pinned",
        "registered",
        "managed",
    ] {
        for width in [minus(1), minus(1 << 31)] {
            cases.push((name, fill(at[name], 1, 0, width, 1), ContextDies(700)));
            cases.push((name, fill(at[name], 4, 0, width, 1), ContextDies(700)));
        }
        cases.push((name, fill(at[name], 1, 0, TOP, 1), Status(1)));
        // As many elements as are 0 bytes modulo 2^64.
        cases.push((name, fill(at[name], 4, 0, 1 << 62, 1), Success));
    }
    let small = at["device_40B"] + 20;
    cases.push(("rows back", fill(small, 4, minus(4), 1, 2), Success));
    cases.push(("rows back", fill(small, 4, minus(4), 1, 5), Success));
    cases.push((
        "rows far back",
        fill(small, 4, minus(1 << 31), 1, 2),
        ContextDies(700),
    ));
    cases.push(("2^63, two rows", fill(small, 4, TOP, 1, 2), Status(1)));
    cases.push((
        "2^63, three rows",
        fill(small, 4, TOP, 1, 3),
        ContextDies(700),
    ));
    for name in [
        "pageable_heap",
        "vmm_reserved_unmapped",
        "device_freed_1MiB",
        "null",
    ] {
        cases.push((name, fill(at[name], 4, 0, 1 << 62, 1), Status(1)));
    }
    compare(&world, cases);
}

#[test]
fn what_the_runtime_checks_of_a_volume_and_in_which_order() {
    let (world, at) = world();
    let array = 0x5000_0000;
    let world = world.with_array(ArrayFacts {
        handle: array,
        width: 64,
        height: 16,
        depth: 0,
        element: 4,
    });
    let memory = |address, pitch, rows| Place::Memory {
        side: Side::ByKind,
        address,
        pitch,
        rows,
        x: 0,
        y: 0,
        z: 0,
    };
    let array = Place::Array {
        handle: array,
        x: 0,
        y: 0,
        z: 0,
    };
    let copy = |dst, src, [width, height, depth]: [u64; 3], kind| {
        let volume = Volume {
            dst,
            src,
            width,
            height,
            depth,
            is_plane: false,
            kind: Kind::from_raw(kind),
        };
        call(Api::Runtime, "cudaMemcpy3D", Action::Copy3D(volume))
    };
    let big = at["device_4MiB"];
    let (good, narrow, low) = (memory(big, 64, 4), memory(big, 15, 4), memory(big, 16, 3));
    let (null, null_narrow) = (memory(0, 64, 4), memory(0, 15, 4));
    let solid = [16, 4, 2];
    let cases = vec![
        ("kind before null", copy(null, null, solid, 5), Status(21)),
        (
            "narrow source before null",
            copy(null, narrow, solid, 3),
            Status(12),
        ),
        (
            "null before its own pitch",
            copy(null_narrow, good, solid, 3),
            Status(1),
        ),
        (
            "null source before a pitch",
            copy(narrow, null, solid, 3),
            Status(1),
        ),
        ("narrow", copy(narrow, good, solid, 3), Status(12)),
        ("one row", copy(narrow, good, [16, 1, 1], 3), Status(1)),
        ("low", copy(low, good, solid, 3), Status(12)),
        ("low, one slice", copy(low, good, [16, 4, 1], 3), Status(1)),
        (
            "no rows said",
            copy(memory(big, 16, 0), good, [16, 1, 1], 3),
            Success,
        ),
        // 16 elements of 4 bytes: compared as 16, then as 64.
        (
            "into an array",
            copy(array, memory(big, 63, 4), [64, 4, 1], 1),
            Status(1),
        ),
        (
            "no pitch",
            copy(array, memory(big, 0, 4), [16, 4, 1], 1),
            Status(12),
        ),
        (
            "out of it, called host",
            copy(memory(big, 0, 4), array, [16, 4, 1], 1),
            Status(1),
        ),
        (
            "out of it",
            copy(memory(big, 0, 4), array, [16, 4, 1], 3),
            Status(12),
        ),
    ];
    compare(&world, cases);
}
