//! Any call over any recorded world: what is collected, predicted, found and written must not panic.
#![no_main]

mod calls;

use arbitrary::Arbitrary;
use calls::{Made, Number};
use cuwhy_validate::ask::{Attributes, Mapped, Recorded};
use cuwhy_validate::facts::{Access, Current, Environment, Permissions};
use cuwhy_validate::finding::Style;
use cuwhy_validate::{Span, check};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Known {
    start: Number,
    bytes: u32,
    memory_type: u8,
    context: bool,
    pool: bool,
    seen: bool,
    mapped: bool,
    managed: bool,
    access: u8,
    ordinal: i8,
}

#[derive(Arbitrary, Debug)]
struct Scene {
    known: Vec<Known>,
    host: Vec<(Number, u32, bool, bool)>,
    made: Made,
    width: u8,
}

fuzz_target!(|scene: Scene| {
    let mut world = Recorded::default().with_environment(Environment {
        current: Current::Device(0),
        devices: Some(2),
        ..Environment::default()
    });
    for known in &scene.known {
        let span = Span::sized(known.start.get(), u64::from(known.bytes));
        let attributes = Attributes {
            memory_type: u32::from(known.memory_type % 5),
            managed: Some(known.managed),
            ordinal: i32::from(known.ordinal),
            device_pointer: Some(if known.seen { span.start } else { 0 }),
            range: Some(span),
            mapping: None,
            mapped: Some(known.mapped),
            context: Some(u64::from(known.context)),
            pool: Some(u64::from(known.pool)),
            buffer_id: None,
            access: Access::from_flags(u64::from(known.access % 4)),
            exportable: None,
        };
        world = world.with(span, attributes).with_mapped_range(span);
    }
    for &(start, bytes, read, write) in &scene.host {
        world = world.with_host(Mapped {
            span: Span::sized(start.get(), u64::from(bytes)),
            permissions: Permissions {
                read,
                write,
                execute: false,
            },
            name: None,
        });
    }
    let call = scene.made.call();
    for finding in check(&call, &world, None).findings {
        let style = Style {
            width: scene.width.into(),
            ..Style::default()
        };
        assert!(finding.text(&style).ends_with('\n'));
        assert!(finding.json().starts_with('{'));
    }
});
