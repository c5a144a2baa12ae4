//! Prediction and rules are written apart; here they are held against each other: every refusal
//! and every death has an error that explains it, and every error but the ones that CUDA accepts
//! silently has an effect.

mod common;

use common::world;
use cuwhy_validate::ask::Recorded;
use cuwhy_validate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Export, Fill, Linear, Order, Place, Plane, Register,
    Side, SymbolCopy, Volume,
};
use cuwhy_validate::facts::ArrayFacts;
use cuwhy_validate::{Api, Call, Kind, Prediction, Severity, Site, Stream, check};
use proptest::prelude::*;

/// Errors that CUDA accepts: the data is wrong, or nobody notices.
const ACCEPTED: [&str; 5] = [
    "range.overlap",
    "range.size-overflow",
    "batch.dependent-entries",
    "pitch.in-elements",
    "pitch.linear-copy-of-pitched",
];

const ARRAY: u64 = 0xaaaa_0000;

fn the_world() -> (Recorded, Vec<u64>) {
    let (world, operands) = world();
    let array = ArrayFacts {
        handle: ARRAY,
        width: 64,
        height: 16,
        depth: 0,
        element: 4,
    };
    let mut places: Vec<u64> = operands.into_values().collect();
    places.sort_unstable();
    (world.with_array(array), places)
}

/// An operand of the table, at its start or a little off.
fn pointer() -> BoxedStrategy<u64> {
    let (_, places) = the_world();
    let offset = prop_oneof![6 => Just(0_u64), 1 => Just(36), 1 => Just(4092), 1 => Just(1)];
    (prop::sample::select(places), offset)
        .prop_map(|(place, offset)| if place == 0 { 0 } else { place + offset })
        .boxed()
}

fn bytes() -> BoxedStrategy<u64> {
    prop_oneof![
        4 => Just(4_u64),
        1 => Just(0),
        1 => Just(40),
        1 => Just(41),
        1 => Just(4096),
        1 => Just(4097),
        1 => Just(2 << 20),
        1 => Just((2 << 20) + 1),
        1 => Just(1 << 47),
        1 => (1..5000_u64).prop_map(u64::wrapping_neg),
    ]
    .boxed()
}

fn kind() -> BoxedStrategy<Kind> {
    (-1..6_i32).prop_map(Kind::from_raw).boxed()
}

fn pitch() -> BoxedStrategy<u64> {
    prop_oneof![
        Just(0_u64),
        Just(4),
        Just(64),
        Just(512),
        Just(4096),
        Just(1 << 62)
    ]
    .boxed()
}

fn place() -> BoxedStrategy<Place> {
    let side = prop_oneof![Just(Side::ByKind), Just(Side::Device), Just(Side::Host)];
    prop_oneof![
        (side, pointer(), pitch(), 0..5_u64, 0..3_u64).prop_map(
            |(side, address, pitch, rows, x)| {
                Place::Memory {
                    side,
                    address,
                    pitch,
                    rows,
                    x,
                    y: 0,
                    z: 0,
                }
            }
        ),
        (0..70_u64, 0..20_u64).prop_map(|(x, y)| Place::Array {
            handle: ARRAY,
            x: x * 4,
            y,
            z: 0
        }),
    ]
    .boxed()
}

fn action() -> BoxedStrategy<Action> {
    let entry = (pointer(), pointer(), bytes()).prop_map(|(dst, src, bytes)| BatchEntry {
        dst,
        src,
        bytes,
    });
    prop_oneof![
        6 => (pointer(), pointer(), bytes(), kind())
            .prop_map(|(dst, src, bytes, kind)| Action::Copy(Linear { dst, src, bytes, kind })),
        3 => (pointer(), pitch(), pointer(), pitch(), bytes(), 0..6_u64, kind()).prop_map(
            |(dst, dst_pitch, src, src_pitch, width, height, kind)| {
                Action::Copy2D(Plane { dst, dst_pitch, src, src_pitch, width, height, kind })
            }
        ),
        3 => (place(), place(), bytes(), 0..5_u64, 0..3_u64, kind()).prop_map(
            |(dst, src, width, height, depth, kind)| {
                let is_plane = depth == 1;
                Action::Copy3D(Volume { dst, src, width, height, depth, is_plane, kind })
            }
        ),
        1 => (0..300_u64, pointer(), bytes(), any::<bool>(), kind()).prop_map(
            |(offset, other, bytes, to_symbol, kind)| {
                let (_, operands) = world();
                let symbol = operands["device_symbol"];
                Action::Symbol(SymbolCopy { name: symbol, symbol, offset, other, bytes, to_symbol, kind })
            }
        ),
        2 => prop::collection::vec(entry, 1..4).prop_map(|entries| {
            let attributes = vec![BatchAttribute { source_access: 1, from: 0 }];
            Action::Batch(Batch { entries, attributes })
        }),
        2 => (pointer(), pitch(), prop_oneof![Just(1_u64), Just(2), Just(4)], bytes(), 0..4_u64)
            .prop_map(|(dst, pitch, element, width, height)| {
                Action::Fill(Fill { dst, pitch, value: 0, element, width, height })
            }),
        1 => (pointer(), prop_oneof![Just(64_u64), Just(8192)], prop_oneof![Just(0_u32), Just(8)])
            .prop_map(|(address, bytes, flags)| Action::Register(Register { address, bytes, flags })),
        1 => pointer().prop_map(|address| Action::Export(Export { address })),
        1 => pointer().prop_map(|address| Action::Unregister { address }),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]
    #[test]
    fn every_answer_has_a_reason_and_every_error_an_effect(action in action(), runtime in any::<bool>()) {
        let (world, _) = the_world();
        let mut action = action;
        if let (Action::Copy3D(copy), false) = (&mut action, runtime) {
            // The driver's structures have no kind.
            copy.kind = Kind::Default;
        }
        let call = Call {
            function: "cudaMemcpy3D",
            api: if runtime { Api::Runtime } else { Api::Driver },
            action,
            order: Order::Async(Stream::PerThread),
            site: Site::Unknown,
        };
        let verdict = check(&call, &world, None);
        let errors: Vec<&str> = verdict
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.rule)
            .collect();
        let said: Vec<&str> = verdict.findings.iter().map(|finding| &*finding.says).collect();
        match verdict.prediction {
            Prediction::Success => prop_assert!(
                errors.iter().all(|rule| ACCEPTED.contains(rule)),
                "success, but {errors:?} {said:?}"
            ),
            Prediction::CannotTell(_) => {}
            answer => prop_assert!(!errors.is_empty(), "{answer:?} without a reason"),
        }
    }
}
