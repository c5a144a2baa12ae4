//! Copies of variables by the runtime's own functions, against what an H100 answered (driver 580 for CUDA 13.0,
//! libcudart 11.8.89, 12.9.79 and 13.0.96, 2026-11-26, each call in a process that was replaced when it died).

mod common;

use common::world;
use cuwhy_validate::ask::Recorded;
use cuwhy_validate::call::{Action, Order, SymbolCopy};
use cuwhy_validate::facts::{Current, Environment};
use cuwhy_validate::{Api, Call, Kind, Prediction, Role, Site, Stream, Verdict, check};

use Prediction::{Fault, Status, Success};

/// A copy with everything right but what a test changes.
fn copy(at: &std::collections::HashMap<&'static str, u64>) -> SymbolCopy {
    SymbolCopy {
        name: at["host_shadow_of_symbol"],
        symbol: at["device_symbol"],
        offset: 0,
        other: at["pageable_heap"],
        bytes: 8,
        to_symbol: true,
        kind: Kind::HostToDevice,
    }
}

fn now(copy: SymbolCopy) -> Call {
    let function = if copy.to_symbol {
        "cudaMemcpyToSymbol"
    } else {
        "cudaMemcpyFromSymbol"
    };
    Call {
        function,
        api: Api::Runtime,
        action: Action::Symbol(copy),
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    }
}

fn in_order(copy: SymbolCopy) -> Call {
    now(copy).on_stream("cudaMemcpyToSymbolAsync", Stream::PerThread)
}

fn with_runtime(world: Recorded, major: u32) -> Recorded {
    world.with_environment(Environment {
        current: Current::Device(0),
        pageable_access: Some(false),
        runtime_major: Some(major),
        ..Environment::default()
    })
}

fn rules(verdict: &Verdict) -> Vec<&'static str> {
    verdict.findings.iter().map(|one| one.rule).collect()
}

#[test]
fn a_range_is_checked_before_the_kind_where_it_is_checked_at_all() {
    let (world, at) = world();
    let good = copy(&at);
    let minus = |bytes: u64| bytes.wrapping_neg();
    for (what, offset, bytes, kind, synchronous, queued) in [
        ("whole", 0, 256, Kind::HostToDevice, Success, Success),
        ("nothing", 999, 0, Kind::DeviceToHost, Success, Success),
        (
            "a byte past",
            0,
            257,
            Kind::HostToDevice,
            Status(1),
            Status(1),
        ),
        (
            "past and wrong",
            250,
            8,
            Kind::HostToHost,
            Status(1),
            Status(21),
        ),
        ("wrong", 0, 8, Kind::HostToHost, Status(21), Status(21)),
        ("no kind", 0, 8, Kind::Invalid(9), Status(21), Status(21)),
        (
            "before it",
            minus(4),
            8,
            Kind::HostToDevice,
            Status(1),
            Status(1),
        ),
        ("default", 248, 8, Kind::Default, Success, Success),
    ] {
        let one = SymbolCopy {
            offset,
            bytes,
            kind,
            ..good
        };
        let said = |call: &Call| check(call, &world, None).prediction;
        assert_eq!(said(&now(one)), synchronous, "{what}");
        assert_eq!(said(&in_order(one)), queued, "{what}, in a stream");
    }
}

#[test]
fn a_stream_copies_what_lies_beside_a_variable_and_the_rule_says_so() {
    let (world, at) = world();
    // What follows the variable in its module, as the device had it: another one.
    let (start, next) = (at["device_symbol"], at["device_symbol"] + 256);
    let beside = cuwhy_validate::ask::Attributes {
        memory_type: 2,
        ordinal: 0,
        context: Some(1),
        device_pointer: Some(next),
        range: Some(cuwhy_validate::Span::sized(next, 4)),
        mapped: Some(true),
        access: cuwhy_validate::facts::Access::ReadWrite,
        ..Default::default()
    };
    let world = world.with(cuwhy_validate::Span::sized(next, 4), beside);
    let past = SymbolCopy {
        symbol: start,
        offset: 256,
        bytes: 4,
        ..copy(&at)
    };
    let verdict = check(&in_order(past), &world, None);
    assert_eq!(verdict.prediction, Success);
    assert_eq!(rules(&verdict)[0], "symbol.past-end");
    assert_eq!(verdict.findings[0].first_bad.map(|bad| bad.offset), Some(0));
    let verdict = check(&now(past), &world, None);
    assert_eq!(verdict.prediction, Status(1));
    assert_eq!(rules(&verdict), ["symbol.past-end"]);
    let before = SymbolCopy {
        offset: 8_u64.wrapping_neg(),
        ..past
    };
    let verdict = check(&in_order(before), &world, None);
    let says = &verdict.findings[0].says;
    assert!(
        says.contains("begins 8 bytes before the variable"),
        "{says}"
    );
    let inside = SymbolCopy {
        offset: 252,
        ..past
    };
    let verdict = check(&now(inside), &world, None);
    assert_eq!((verdict.prediction, rules(&verdict)), (Success, vec![]));
}

#[test]
fn a_name_of_nothing_is_read_before_13() {
    let (world, at) = world();
    let page = at["pageable_guarded_1page"];
    let at = &at;
    let cases = [
        ("null", 0, None),
        ("the heap", at["pageable_heap"], None),
        (
            "inside of the one it has",
            at["host_shadow_of_symbol"] + 1,
            None,
        ),
        ("a whole word at a page's end", page + 4096 - 8, None),
        ("a part of one", page + 4096 - 7, Some(page + 4096)),
        ("nowhere", 0x1000, Some(0x1000)),
        (
            "no address",
            0xdead_0000_0000_0000,
            Some(0xdead_0000_0000_0000),
        ),
        (
            "on the device",
            at["device_symbol"],
            Some(at["device_symbol"]),
        ),
    ];
    for (what, name, page) in cases {
        let one = SymbolCopy {
            name,
            symbol: 0,
            kind: Kind::Invalid(9),
            ..copy(at)
        };
        for major in [11, 12, 13] {
            let world = with_runtime(world.clone(), major);
            for call in [now(one), in_order(one)] {
                let verdict = check(&call, &world, None);
                let page = page.filter(|_| major < 13).map(|page| page & !4095);
                let role = Role::Subject;
                let expected = page.map_or(Status(13), |page| Fault { role, page });
                assert_eq!(verdict.prediction, expected, "{what}, {major}");
                assert_eq!(rules(&verdict), ["symbol.unknown"], "{what}, {major}");
            }
            // Nothing to be moved is nothing to be looked up.
            let nothing = now(SymbolCopy { bytes: 0, ..one });
            let verdict = check(&nothing, &world, None);
            assert_eq!((verdict.prediction, rules(&verdict)), (Success, vec![]));
        }
    }
}
