//! Any call over any recorded world: facts, prediction, rules and text must not panic.
#![no_main]

use arbitrary::Arbitrary;
use cuwhy_validate::ask::{Attributes, Mapped, Recorded};
use cuwhy_validate::call::{
    Action, Fill, Linear, Order, Peer, Place, Plane, Register, Side, Volume,
};
use cuwhy_validate::facts::{Access, Current, Environment, Permissions};
use cuwhy_validate::finding::Style;
use cuwhy_validate::{Api, Call, Kind, Site, Span, Stream, check};
use libfuzzer_sys::fuzz_target;

/// Addresses in few places, so that they meet.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum At {
    Near { page: u8, offset: u8 },
    Anywhere(u64),
}

impl At {
    fn address(self) -> u64 {
        match self {
            Self::Near { page, offset } => {
                0x7f00_0000_0000 + u64::from(page) * 4096 + u64::from(offset)
            }
            Self::Anywhere(address) => address,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Known {
    start: At,
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
enum What {
    Line {
        dst: At,
        src: At,
        bytes: u64,
        kind: i8,
    },
    Plane {
        dst: At,
        src: At,
        pitches: (u64, u64),
        extent: (u64, u64),
        kind: i8,
    },
    Volume {
        dst: At,
        src: At,
        pitches: (u64, u64),
        extent: (u64, u64, u64),
        rows: (u64, u64),
    },
    Peer {
        dst: At,
        src: At,
        devices: (i8, i8),
        bytes: u64,
    },
    Fill {
        dst: At,
        pitch: u64,
        element: u8,
        extent: (u64, u64),
    },
    Register {
        at: At,
        bytes: u64,
        flags: u8,
    },
    Unregister {
        at: At,
    },
}

#[derive(Arbitrary, Debug)]
struct Scene {
    known: Vec<Known>,
    host: Vec<(At, u32, bool, bool)>,
    what: What,
    runtime: bool,
    width: u8,
}

fn action(what: What) -> Action {
    let place = |address: At, pitch, rows| Place::Memory {
        side: Side::ByKind,
        address: address.address(),
        pitch,
        rows,
        x: pitch % 7,
        y: rows % 3,
        z: 0,
    };
    match what {
        What::Line {
            dst,
            src,
            bytes,
            kind,
        } => Action::Copy(Linear {
            dst: dst.address(),
            src: src.address(),
            bytes,
            kind: Kind::from_raw(kind.into()),
        }),
        What::Plane {
            dst,
            src,
            pitches,
            extent,
            kind,
        } => Action::Copy2D(Plane {
            dst: dst.address(),
            dst_pitch: pitches.0,
            src: src.address(),
            src_pitch: pitches.1,
            width: extent.0,
            height: extent.1,
            kind: Kind::from_raw(kind.into()),
        }),
        What::Volume {
            dst,
            src,
            pitches,
            extent,
            rows,
        } => Action::Copy3D(Volume {
            dst: place(dst, pitches.0, rows.0),
            src: place(src, pitches.1, rows.1),
            width: extent.0,
            height: extent.1,
            depth: extent.2,
            is_plane: extent.2 == 1,
            kind: Kind::Default,
        }),
        What::Peer {
            dst,
            src,
            devices,
            bytes,
        } => Action::Peer(Peer {
            dst: dst.address(),
            dst_device: devices.0.into(),
            src: src.address(),
            src_device: devices.1.into(),
            bytes,
        }),
        What::Fill {
            dst,
            pitch,
            element,
            extent,
        } => Action::Fill(Fill {
            dst: dst.address(),
            pitch,
            value: 0,
            element: 1 << (element % 3),
            width: extent.0,
            height: extent.1,
        }),
        What::Register { at, bytes, flags } => Action::Register(Register {
            address: at.address(),
            bytes,
            flags: flags.into(),
        }),
        What::Unregister { at } => Action::Unregister {
            address: at.address(),
        },
    }
}

fuzz_target!(|scene: Scene| {
    let mut world = Recorded::default().with_environment(Environment {
        current: Current::Device(0),
        devices: Some(2),
        ..Environment::default()
    });
    for known in &scene.known {
        let span = Span::sized(known.start.address(), u64::from(known.bytes));
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
            span: Span::sized(start.address(), u64::from(bytes)),
            permissions: Permissions {
                read,
                write,
                execute: false,
            },
            name: None,
        });
    }
    let call = Call {
        function: "cudaMemcpy",
        api: if scene.runtime {
            Api::Runtime
        } else {
            Api::Driver
        },
        action: action(scene.what),
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    };
    for finding in check(&call, &world, None).findings {
        let style = Style {
            width: scene.width.into(),
            ..Style::default()
        };
        assert!(finding.text(&style).ends_with('\n'));
        assert!(finding.json().starts_with('{'));
    }
});
