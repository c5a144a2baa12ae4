//! Calls as the fuzzer makes them up.

use arbitrary::Arbitrary;
use cuwhy_validate::call::{
    Action, Batch, Batch3D, Batch3DEntry, BatchAttribute, BatchEntry, Export, Fill, Linear, Order,
    Peer, PeerVolume, Place, Plane, Register, Side, SymbolCopy, Volume,
};
use cuwhy_validate::{Api, Call, Kind, Site, Stream};

/// Numbers that go wrong: small ones, edges, absurd ones, and addresses in few places, so that
/// they meet.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Number {
    Small(u8),
    Edge(u8),
    Negative(u16),
    Near { page: u8, offset: u16 },
    Any(u64),
}

impl Number {
    pub(crate) fn get(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Edge(bits) => 1 << (bits % 64),
            Self::Negative(number) => u64::from(number).wrapping_neg(),
            Self::Near { page, offset } => {
                0x7f00_0000_0000 + u64::from(page % 16) * 4096 + u64::from(offset % 4096)
            }
            Self::Any(number) => number,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Somewhere {
    Memory {
        side: u8,
        address: Number,
        pitch: Number,
        rows: Number,
        at: (Number, Number, Number),
    },
    Array {
        handle: Number,
        at: (Number, Number, Number),
    },
    Both(Number, Number),
    Neither,
}

impl Somewhere {
    fn place(&self) -> Place {
        match *self {
            Self::Memory {
                side,
                address,
                pitch,
                rows,
                at: (x, y, z),
            } => Place::Memory {
                side: match side % 5 {
                    0 => Side::ByKind,
                    1 => Side::Host,
                    2 => Side::Device,
                    3 => Side::Unified,
                    _ => Side::Invalid(7),
                },
                address: address.get(),
                pitch: pitch.get(),
                rows: rows.get(),
                x: x.get(),
                y: y.get(),
                z: z.get(),
            },
            Self::Array {
                handle,
                at: (x, y, z),
            } => Place::Array {
                handle: handle.get(),
                x: x.get(),
                y: y.get(),
                z: z.get(),
            },
            Self::Both(handle, address) => Place::Both {
                handle: handle.get(),
                address: address.get(),
            },
            Self::Neither => Place::Neither,
        }
    }
}

/// An entry of a batch of boxes.
#[derive(Arbitrary, Debug)]
struct Boxed {
    dst: Somewhere,
    src: Somewhere,
    extent: (Number, Number, Number),
    order: u8,
    flags: u8,
    hints: [u8; 2],
}

impl Boxed {
    fn entry(&self) -> Batch3DEntry {
        Batch3DEntry {
            copy: Volume {
                dst: self.dst.place(),
                src: self.src.place(),
                width: self.extent.0.get(),
                height: self.extent.1.get(),
                depth: self.extent.2.get(),
                is_plane: false,
                kind: Kind::Default,
            },
            source_access: (self.order % 5).into(),
            flags: (self.flags % 3).into(),
            hints: self.hints.map(|hint| (hint % 7).into()),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum What {
    Line(Number, Number, Number, i8),
    Plane {
        dst: (Number, Number),
        src: (Number, Number),
        extent: (Number, Number),
        kind: i8,
    },
    Volume {
        dst: Somewhere,
        src: Somewhere,
        extent: (Number, Number, Number),
        is_plane: bool,
        kind: i8,
    },
    Peer((Number, i8), (Number, i8), Number),
    PeerVolume((Somewhere, i8), (Somewhere, i8), (Number, Number, Number)),
    Symbol {
        symbol: Number,
        offset: Number,
        other: Number,
        bytes: Number,
        to_symbol: bool,
        kind: i8,
    },
    Batch(Vec<(Number, Number, Number)>, Vec<(u8, u8)>),
    Boxes(Vec<Boxed>, u8),
    Fill {
        dst: Number,
        pitch: Number,
        element: u8,
        extent: (Number, Number),
    },
    Register(Number, Number, u8),
    Unregister(Number),
    Export(Number),
}

fn kind(raw: i8) -> Kind {
    Kind::from_raw(i32::from(raw % 8))
}

impl What {
    fn action(&self) -> Action {
        match self {
            Self::Line(dst, src, bytes, raw) => Action::Copy(Linear {
                dst: dst.get(),
                src: src.get(),
                bytes: bytes.get(),
                kind: kind(*raw),
            }),
            Self::Plane {
                dst,
                src,
                extent,
                kind: raw,
            } => Action::Copy2D(Plane {
                dst: dst.0.get(),
                dst_pitch: dst.1.get(),
                src: src.0.get(),
                src_pitch: src.1.get(),
                width: extent.0.get(),
                height: extent.1.get(),
                kind: kind(*raw),
            }),
            Self::Volume {
                dst,
                src,
                extent,
                is_plane,
                kind: raw,
            } => Action::Copy3D(Volume {
                dst: dst.place(),
                src: src.place(),
                width: extent.0.get(),
                height: extent.1.get(),
                depth: extent.2.get(),
                is_plane: *is_plane,
                kind: kind(*raw),
            }),
            Self::Peer(dst, src, bytes) => Action::Peer(Peer {
                dst: dst.0.get(),
                dst_device: (dst.1 % 4).into(),
                src: src.0.get(),
                src_device: (src.1 % 4).into(),
                bytes: bytes.get(),
            }),
            Self::PeerVolume(dst, src, extent) => Action::Peer3D(PeerVolume {
                copy: Volume {
                    dst: dst.0.place(),
                    src: src.0.place(),
                    width: extent.0.get(),
                    height: extent.1.get(),
                    depth: extent.2.get(),
                    is_plane: false,
                    kind: Kind::Default,
                },
                dst_device: (dst.1 % 4).into(),
                src_device: (src.1 % 4).into(),
            }),
            Self::Symbol {
                symbol,
                offset,
                other,
                bytes,
                to_symbol,
                kind: raw,
            } => Action::Symbol(SymbolCopy {
                name: symbol.get(),
                symbol: symbol.get(),
                offset: offset.get(),
                other: other.get(),
                bytes: bytes.get(),
                to_symbol: *to_symbol,
                kind: kind(*raw),
            }),
            Self::Batch(entries, attributes) => Action::Batch(Batch {
                entries: entries
                    .iter()
                    .take(8)
                    .map(|(dst, src, bytes)| BatchEntry {
                        dst: dst.get(),
                        src: src.get(),
                        bytes: bytes.get(),
                    })
                    .collect(),
                attributes: attributes
                    .iter()
                    .take(8)
                    .map(|&(source_access, from)| BatchAttribute {
                        source_access: (source_access % 5).into(),
                        from: (from % 10).into(),
                    })
                    .collect(),
            }),
            Self::Boxes(entries, flags) => Action::Batch3D(Batch3D {
                entries: entries.iter().take(8).map(Boxed::entry).collect(),
                flags: (flags / 200).into(),
            }),
            Self::Fill {
                dst,
                pitch,
                element,
                extent,
            } => Action::Fill(Fill {
                dst: dst.get(),
                pitch: pitch.get(),
                value: 0,
                element: 1 << (element % 3),
                width: extent.0.get(),
                height: extent.1.get(),
            }),
            Self::Register(address, bytes, flags) => Action::Register(Register {
                address: address.get(),
                bytes: bytes.get(),
                flags: (*flags).into(),
            }),
            Self::Unregister(address) => Action::Unregister {
                address: address.get(),
            },
            Self::Export(address) => Action::Export(Export {
                address: address.get(),
            }),
        }
    }
}

/// Names that the prediction asks for, and one that it does not.
const FUNCTIONS: [&str; 8] = [
    "cuMemcpy3DBatchAsync",
    "cudaMemcpy3DBatchAsync",
    "cudaMemcpy",
    "cudaMemcpy3D",
    "cudaMemcpy2DToArray",
    "cudaMemcpyToArray",
    "cudaMemcpy2DFromArray",
    "cuMemcpy2DUnaligned",
];

#[derive(Arbitrary, Debug)]
pub(crate) struct Made {
    what: What,
    function: u8,
    runtime: bool,
    stream: u8,
    queued: bool,
}

impl Made {
    pub(crate) fn call(&self) -> Call {
        let stream = match self.stream % 3 {
            0 => Stream::Legacy,
            1 => Stream::PerThread,
            _ => Stream::Handle(0x5000),
        };
        Call {
            function: FUNCTIONS[usize::from(self.function) % FUNCTIONS.len()],
            api: if self.runtime {
                Api::Runtime
            } else {
                Api::Driver
            },
            action: self.what.action(),
            order: if self.queued {
                Order::Async(stream)
            } else {
                Order::Synchronous(stream)
            },
            site: Site::Unknown,
        }
    }
}
