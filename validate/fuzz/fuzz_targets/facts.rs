//! Any call with any facts: no panic, no overflow, a finding with all its texts, and a verdict that
//! does not depend on the order of an operand's parts.
#![no_main]

mod calls;

use arbitrary::Arbitrary;
use calls::{Made, Number};
use cuwhy_validate::facts::{
    Access, ArrayFacts, Capture, Current, End, Environment, Owner, Permissions, Segment,
};
use cuwhy_validate::finding::Style;
use cuwhy_validate::{Call, Class, Facts, OperandFacts, Site, Span, judge};
use libfuzzer_sys::fuzz_target;

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

#[derive(Arbitrary, Debug)]
struct Owned {
    class: u8,
    range: Option<(Number, Number)>,
    device: Option<i8>,
    access: u8,
    reachable: Option<bool>,
    permissions: Option<(bool, bool)>,
    pitch: Option<Number>,
    row: Option<Number>,
    device_pointer: Option<Number>,
    flags: u8,
}

impl Owned {
    fn owner(&self) -> Owner {
        let class = CLASSES[usize::from(self.class) % CLASSES.len()];
        let flag = |bit: u8| self.flags & 1 << bit != 0;
        let mut owner = Owner::of(class);
        owner.range = self
            .range
            .map(|(start, bytes)| Span::sized(start.get(), bytes.get()));
        owner.device = self.device.map(|device| i32::from(device % 4));
        owner.access = match self.access % 4 {
            0 => Access::Unknown,
            1 => Access::None,
            2 => Access::Read,
            _ => Access::ReadWrite,
        };
        owner.reachable = self.reachable;
        owner.permissions = self.permissions.map(|(read, write)| Permissions {
            read,
            write,
            execute: false,
        });
        owner.pitch = self.pitch.map(Number::get);
        owner.row = self.row.map(Number::get);
        owner.device_pointer = self.device_pointer.map(Number::get);
        owner.pool = flag(0).then_some(7);
        owner.exportable = flag(1).then_some(flag(2));
        owner.seen = flag(3);
        owner.end = (class == Class::Freed || flag(4)).then_some(End {
            call: "cudaFree",
            site: Site::Unknown,
            class: Class::Device,
            pending: flag(5),
            context_gone: flag(6),
        });
        owner
    }
}

#[derive(Arbitrary, Debug)]
struct Around {
    current: u8,
    capture: u8,
    pageable: Option<bool>,
    devices: Option<u8>,
    pitch: Option<Number>,
    poisoned: bool,
    forked: bool,
    dead: Option<bool>,
}

impl Around {
    fn environment(&self) -> Environment {
        Environment {
            current: match self.current % 4 {
                0 => Current::Unknown,
                1 => Current::None,
                device => Current::Device(i32::from(device) - 2),
            },
            capture: match self.capture % 4 {
                0 => Capture::Unknown,
                1 => Capture::None,
                2 => Capture::ThisStream,
                _ => Capture::BlocksLegacy,
            },
            pageable_access: self.pageable,
            devices: self.devices.map(|count| i32::from(count % 4)),
            max_pitch: self.pitch.map(Number::get),
            poison: self.poisoned.then(|| (700, "the first failure".into())),
            forked_from: self.forked.then_some(1),
            stream_dead: self.dead,
            ..Environment::default()
        }
    }
}

type Parts = Vec<(Number, Owned)>;

#[derive(Arbitrary, Debug)]
struct Scene {
    made: Made,
    parts: [Parts; 2],
    arrays: [Option<(Number, Number, Number, Number)>; 2],
    around: Around,
    words: Option<[u64; 2]>,
    neighbours: bool,
    turn: u8,
    width: u8,
}

/// Cuts an operand's range at these places.
fn operand(call: &Call, index: usize, scene: &Scene) -> OperandFacts {
    let mut facts = OperandFacts::new(call.operands()[index]);
    let whole = facts.operand.shape.extent().unwrap_or(u64::MAX);
    let parts = &scene.parts[index % 2];
    let mut cuts: Vec<u64> = parts
        .iter()
        .map(|(cut, _)| cut.get() % whole.max(1))
        .collect();
    cuts.push(0);
    cuts.sort_unstable();
    cuts.dedup();
    let ends = cuts.iter().skip(1).copied().chain([whole]);
    for ((start, end), (_, owned)) in cuts.iter().copied().zip(ends).zip(parts) {
        facts.segments.push(Segment {
            part: Span::new(start, end),
            owner: owned.owner(),
        });
        // The same below the first byte, for rows that run backwards.
        let below = facts.operand.address;
        facts.apart.push(Segment {
            part: Span::new(below.saturating_sub(end), below.saturating_sub(start)),
            owner: owned.owner(),
        });
    }
    facts.peek = scene.words;
    facts.pointee = parts.last().map(|(_, owned)| Box::new(owned.owner()));
    if scene.neighbours {
        facts.next = parts.first().map(|(_, owned)| Box::new(owned.owner()));
        facts.previous = parts.last().map(|(_, owned)| Box::new(owned.owner()));
    }
    facts
}

fn facts_of(call: &Call, scene: &Scene) -> Facts {
    let mut facts = Facts {
        environment: scene.around.environment(),
        ..Facts::default()
    };
    facts.arrays = scene.arrays.map(|array| {
        array.map(|(width, height, depth, element)| ArrayFacts {
            handle: 8,
            width: width.get(),
            height: height.get(),
            depth: depth.get(),
            element: element.get(),
        })
    });
    for index in 0..call.operands().len() {
        facts.operands.push(operand(call, index, scene));
    }
    for one in call.entries() {
        let part = facts_of(&one, scene);
        facts.entries.push((one, part));
    }
    facts
}

fuzz_target!(|scene: Scene| {
    let call = scene.made.call();
    let facts = facts_of(&call, &scene);
    let verdict = judge(&call, &facts);
    let mut turned = facts.clone();
    for operand in &mut turned.operands {
        let middle = usize::from(scene.turn) % operand.segments.len().max(1);
        operand.segments.rotate_left(middle);
        if scene.turn > 127 {
            operand.segments.reverse();
        }
    }
    assert_eq!(verdict, judge(&call, &turned), "the order of parts matters");
    assert!(call.text().ends_with(')'));
    let style = Style {
        width: scene.width.into(),
        ..Style::default()
    };
    for finding in &verdict.findings {
        assert!(finding.text(&style).ends_with('\n'));
        assert!(finding.json().starts_with('{'));
        let texts = [&finding.says, &finding.why, &finding.fix];
        assert!(texts.iter().all(|text| !text.is_empty()), "{finding:?}");
    }
});
