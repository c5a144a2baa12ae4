//! Whatever the facts and the arguments: no panic, no overflow, and one verdict.

use cuwhy_validate::call::{
    Action, Batch, Batch3D, Batch3DEntry, BatchAttribute, BatchEntry, Export, Fill, Linear, Order,
    Peer, PeerVolume, Place, Plane, Register, Side, SymbolCopy, Volume,
};
use cuwhy_validate::facts::{
    Access, ArrayFacts, Capture, Current, End, Environment, Owner, Permissions, Segment,
};
use cuwhy_validate::finding::Style;
use cuwhy_validate::{
    Api, Call, Class, Facts, Kind, OperandFacts, Prediction, Severity, Site, Span, Stream, judge,
};
use proptest::prelude::*;

/// Numbers that go wrong: small ones, edges, absurd ones, and addresses.
fn number() -> BoxedStrategy<u64> {
    prop_oneof![
        0..16_u64,
        Just(4096_u64),
        any::<u64>(),
        (0..64_u32).prop_map(|bits| 1_u64 << bits),
        (1..4096_u64).prop_map(u64::wrapping_neg),
        address(),
    ]
    .boxed()
}

fn address() -> BoxedStrategy<u64> {
    prop_oneof![
        Just(0_u64),
        (0..4096_u64).prop_map(|offset| 0x7f00_0000_0000 + offset),
        (0..16_u64).prop_map(|page| 0x7f00_0000_0000 + page * 4096),
        any::<u64>(),
    ]
    .boxed()
}

fn kind() -> BoxedStrategy<Kind> {
    (-1..7_i32).prop_map(Kind::from_raw).boxed()
}

fn place() -> BoxedStrategy<Place> {
    let side = prop_oneof![
        Just(Side::ByKind),
        Just(Side::Host),
        Just(Side::Device),
        Just(Side::Unified),
        Just(Side::Invalid(7)),
    ];
    let numbers = (number(), number(), number(), number(), number());
    prop_oneof![
        4 => (side, address(), numbers).prop_map(|(side, address, (pitch, rows, x, y, z))| {
            Place::Memory { side, address, pitch, rows, x, y, z }
        }),
        2 => (address(), number(), number(), number())
            .prop_map(|(handle, x, y, z)| Place::Array { handle, x, y, z }),
        1 => (address(), address())
            .prop_map(|(handle, address)| Place::Both { handle, address }),
        1 => Just(Place::Neither),
    ]
    .boxed()
}

fn batch() -> BoxedStrategy<Batch> {
    let entry = (address(), address(), number()).prop_map(|(dst, src, bytes)| BatchEntry {
        dst,
        src,
        bytes,
    });
    let attribute = (0..5_u32, 0..5_u64).prop_map(|(source_access, from)| BatchAttribute {
        source_access,
        from,
    });
    (
        prop::collection::vec(entry, 0..4),
        prop::collection::vec(attribute, 0..3),
    )
        .prop_map(|(entries, attributes)| Batch {
            entries,
            attributes,
        })
        .boxed()
}

fn volume() -> BoxedStrategy<Volume> {
    (
        place(),
        place(),
        number(),
        number(),
        number(),
        any::<bool>(),
        kind(),
    )
        .prop_map(|(dst, src, width, height, depth, is_plane, kind)| Volume {
            dst,
            src,
            width,
            height,
            depth,
            is_plane,
            kind,
        })
        .boxed()
}

fn boxes() -> BoxedStrategy<Batch3D> {
    let hints = [0..7_u32, 0..7_u32];
    let entry =
        (volume(), 0..5_u32, 0..3_u32, hints).prop_map(|(copy, source_access, flags, hints)| {
            Batch3DEntry {
                copy,
                source_access,
                flags,
                hints,
            }
        });
    let flags = prop_oneof![9 => Just(0), 1 => number()];
    (prop::collection::vec(entry, 0..4), flags)
        .prop_map(|(entries, flags)| Batch3D { entries, flags })
        .boxed()
}

fn action() -> BoxedStrategy<Action> {
    prop_oneof![
        3 => (address(), address(), number(), kind()).prop_map(|(dst, src, bytes, kind)| {
            Action::Copy(Linear { dst, src, bytes, kind })
        }),
        2 => (address(), number(), address(), number(), number(), number(), kind()).prop_map(
            |(dst, dst_pitch, src, src_pitch, width, height, kind)| {
                Action::Copy2D(Plane { dst, dst_pitch, src, src_pitch, width, height, kind })
            }
        ),
        2 => volume().prop_map(Action::Copy3D),
        1 => (volume(), -2..4_i32, -2..4_i32).prop_map(|(copy, dst_device, src_device)| {
            Action::Peer3D(PeerVolume { copy, dst_device, src_device })
        }),
        1 => boxes().prop_map(Action::Batch3D),
        1 => (address(), -2..4_i32, address(), -2..4_i32, number()).prop_map(
            |(dst, dst_device, src, src_device, bytes)| {
                Action::Peer(Peer { dst, dst_device, src, src_device, bytes })
            }
        ),
        1 => (address(), number(), address(), number(), any::<bool>(), kind()).prop_map(
            |(symbol, offset, other, bytes, to_symbol, kind)| {
                Action::Symbol(SymbolCopy { name: symbol, symbol, offset, other, bytes, to_symbol, kind })
            }
        ),
        1 => batch().prop_map(Action::Batch),
        2 => (address(), number(), prop_oneof![Just(1_u64), Just(2), Just(4)], number(), number())
            .prop_map(|(dst, pitch, element, width, height)| {
                Action::Fill(Fill { dst, pitch, value: 0, element, width, height })
            }),
        1 => (address(), number(), 0..32_u32).prop_map(|(address, bytes, flags)| {
            Action::Register(Register { address, bytes, flags })
        }),
        1 => address().prop_map(|address| Action::Unregister { address }),
        1 => address().prop_map(|address| Action::Export(Export { address })),
    ]
    .boxed()
}

const CLASSES: [Class; 15] = [
    Class::Null,
    Class::Device,
    Class::Symbol,
    Class::Pool,
    Class::Virtual,
    Class::NoAccess,
    Class::Reserved,
    Class::Managed,
    Class::Pinned,
    Class::Registered,
    Class::Pageable,
    Class::Unmapped,
    Class::Freed,
    Class::Foreign,
    Class::Unknown,
];

fn owner() -> BoxedStrategy<Owner> {
    let access = prop_oneof![
        Just(Access::Unknown),
        Just(Access::None),
        Just(Access::Read),
        Just(Access::ReadWrite),
    ];
    let permissions = (any::<bool>(), any::<bool>()).prop_map(|(read, write)| Permissions {
        read,
        write,
        execute: false,
    });
    (
        prop::sample::select(&CLASSES[..]),
        prop::option::of((address(), number())),
        prop::option::of(-1..3_i32),
        access,
        prop::option::of(any::<bool>()),
        prop::option::of(permissions),
        (prop::option::of(number()), prop::option::of(number())),
        (any::<bool>(), any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |(class, range, device, access, reachable, permissions, (pitch, row), flags)| {
                let mut owner = Owner::of(class);
                owner.range = range.map(|(start, bytes)| Span::sized(start, bytes));
                owner.device = device;
                owner.access = access;
                owner.reachable = reachable;
                owner.permissions = permissions;
                owner.pitch = pitch;
                owner.row = row;
                owner.pool = flags.0.then_some(7);
                owner.exportable = Some(flags.1);
                owner.end = (class == Class::Freed).then_some(End {
                    call: "cudaFree",
                    site: Site::Unknown,
                    class: Class::Device,
                    pending: flags.1,
                    context_gone: flags.2,
                });
                owner
            },
        )
        .boxed()
}

fn environment() -> BoxedStrategy<Environment> {
    let current = prop_oneof![
        Just(Current::Unknown),
        Just(Current::None),
        (0..2_i32).prop_map(Current::Device),
    ];
    let capture = prop_oneof![
        Just(Capture::Unknown),
        Just(Capture::None),
        Just(Capture::ThisStream),
        Just(Capture::BlocksLegacy),
    ];
    (
        current,
        capture,
        prop::option::of(any::<bool>()),
        prop::option::of(0..3_i32),
        prop::option::of(number()),
        prop::option::weighted(0.1, Just((700, "the first failure".to_owned()))),
        prop::option::weighted(0.1, Just(1_u32)),
        prop::option::weighted(0.1, any::<bool>()),
    )
        .prop_map(
            |(current, capture, pageable, devices, pitch, poison, forked, dead)| Environment {
                current,
                capture,
                pageable_access: pageable,
                devices,
                max_pitch: pitch,
                poison,
                forked_from: forked,
                stream_dead: dead,
                ..Environment::default()
            },
        )
        .boxed()
}

type Parts = Vec<(u64, Owner)>;

/// Cuts an operand's range at these places.
fn operand(call: &Call, index: usize, parts: &Parts, words: [u64; 2]) -> OperandFacts {
    let mut facts = OperandFacts::new(call.operands()[index]);
    let whole = facts.operand.shape.extent().unwrap_or(u64::MAX);
    let mut cuts: Vec<u64> = parts.iter().map(|(cut, _)| cut % whole.max(1)).collect();
    cuts.push(0);
    cuts.sort_unstable();
    cuts.dedup();
    let ends = cuts.iter().skip(1).copied().chain([whole]);
    for ((start, end), (_, owner)) in cuts.iter().copied().zip(ends).zip(parts) {
        let part = Span::new(start, end);
        facts.segments.push(Segment {
            part,
            owner: owner.clone(),
        });
        // The same below the first byte, for rows that run backwards.
        let below = facts.operand.address;
        facts.apart.push(Segment {
            part: Span::new(below.saturating_sub(end), below.saturating_sub(start)),
            owner: owner.clone(),
        });
    }
    facts.peek = Some(words);
    facts.pointee = parts.last().map(|(_, owner)| Box::new(owner.clone()));
    facts.next = parts.first().map(|(_, owner)| Box::new(owner.clone()));
    facts
}

fn facts_of(call: &Call, parts: &[Parts; 2], environment: &Environment) -> Facts {
    let mut facts = Facts {
        environment: environment.clone(),
        ..Facts::default()
    };
    for index in 0..call.operands().len() {
        let one = operand(call, index, &parts[index % 2], [0x7f00_0000_0000, 0]);
        facts.operands.push(one);
    }
    for one in call.entries() {
        let part = facts_of(&one, parts, environment);
        facts.entries.push((one, part));
    }
    facts
}

/// Names that the prediction asks for, and two that it does not.
const FUNCTIONS: [&str; 7] = [
    "cuMemcpy3DBatchAsync",
    "cudaMemcpy",
    "cudaMemcpy3D",
    "cudaMemcpy2DToArray",
    "cudaMemcpyToArray",
    "cudaMemcpy2DFromArray",
    "cuMemcpy2DUnaligned",
];

fn calls() -> BoxedStrategy<Call> {
    let stream = prop_oneof![
        Just(Stream::Legacy),
        Just(Stream::PerThread),
        Just(Stream::Handle(0x5000)),
    ];
    let function = prop::sample::select(&FUNCTIONS[..]);
    (action(), function, stream, any::<bool>(), any::<bool>())
        .prop_map(|(action, function, stream, wait, runtime)| Call {
            function,
            api: if runtime { Api::Runtime } else { Api::Driver },
            action,
            order: if wait {
                Order::Synchronous(stream)
            } else {
                Order::Async(stream)
            },
            site: Site::Unknown,
        })
        .boxed()
}

fn parts() -> BoxedStrategy<Parts> {
    prop::collection::vec((number(), owner()), 1..5).boxed()
}

fn array() -> BoxedStrategy<ArrayFacts> {
    (address(), number(), number(), number(), number())
        .prop_map(|(handle, width, height, depth, element)| ArrayFacts {
            handle,
            width,
            height,
            depth,
            element,
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_facts_and_no_arguments_make_a_panic(
        call in calls(),
        parts in [parts(), parts()],
        environment in environment(),
        arrays in [prop::option::of(array()), prop::option::of(array())],
        width in 0..200_usize,
    ) {
        let mut facts = facts_of(&call, &parts, &environment);
        facts.arrays = arrays;
        for (_, part) in &mut facts.entries {
            part.arrays = arrays;
        }
        let verdict = judge(&call, &facts);
        for finding in &verdict.findings {
            let style = Style { width, ..Style::default() };
            prop_assert!(finding.text(&style).ends_with('\n'));
            prop_assert!(finding.json().len() > 2);
            prop_assert!(!finding.says.is_empty() && !finding.why.is_empty() && !finding.fix.is_empty());
        }
    }

    #[test]
    fn the_verdict_does_not_depend_on_the_order_of_segments(
        call in calls(),
        parts in [parts(), parts()],
        environment in environment(),
        turn in 0..8_usize,
    ) {
        let facts = facts_of(&call, &parts, &environment);
        let mut turned = facts.clone();
        for operand in &mut turned.operands {
            let middle = turn % operand.segments.len().max(1);
            operand.segments.rotate_left(middle);
            if turn > 4 {
                operand.segments.reverse();
                operand.apart.reverse();
            }
        }
        prop_assert_eq!(judge(&call, &facts), judge(&call, &turned));
    }

    #[test]
    fn a_batch_of_boxes_succeeds_where_each_of_its_entries_would_alone(
        batch in boxes(),
        parts in [parts(), parts()],
        environment in environment(),
        runtime in any::<bool>(),
    ) {
        let predicted = |batch: Batch3D| {
            let call = Call {
                function: "cuMemcpy3DBatchAsync",
                api: if runtime { Api::Runtime } else { Api::Driver },
                action: Action::Batch3D(batch),
                order: Order::Async(Stream::Handle(0x5000)),
                site: Site::Unknown,
            };
            judge(&call, &facts_of(&call, &parts, &environment)).prediction
        };
        let mut alone = batch.entries.iter().map(|&entry| predicted(Batch3D {
            entries: vec![entry],
            flags: batch.flags,
        }));
        let succeeds = !batch.entries.is_empty() && alone.all(|one| one == Prediction::Success);
        let stopped = environment.forked_from.is_some() || environment.poison.is_some();
        let together = predicted(batch.clone());
        prop_assert!(!stopped || together != Prediction::Success);
        prop_assert_eq!(together == Prediction::Success, succeeds);
    }

    #[test]
    fn nothing_is_wrong_with_an_empty_call_of_the_runtime(
        mut call in calls(),
        parts in [parts(), parts()],
    ) {
        call.api = Api::Runtime;
        call.action = Action::Copy(Linear { dst: 0, src: 1, bytes: 0, kind: Kind::Invalid(9) });
        let environment = Environment::default();
        let verdict = judge(&call, &facts_of(&call, &parts, &environment));
        prop_assert_eq!(verdict.prediction, Prediction::Success);
        prop_assert!(verdict.findings.iter().all(|one| one.severity != Severity::Error));
    }
}
