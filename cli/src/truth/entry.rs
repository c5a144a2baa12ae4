//! The functions that are tried.

use cuwhy_validate::{Api, Kind};

/// What a function's arguments look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Two addresses and a count.
    Line,
    /// Two addresses with pitches, width, height, kind: `cudaMemcpy2D`.
    Rows,
    /// The driver's structure of two dimensions.
    Struct2D,
    /// The driver's structure of three dimensions.
    Struct3D,
    /// The runtime's structure of three dimensions.
    Parms3D,
    /// The driver's copies of one line between memory and a one-dimensional view of an array.
    ArrayLine {
        /// The destination is an array.
        to: bool,
        /// The source is one.
        from: bool,
    },
    /// The runtime's copies of rows with arrays.
    ArrayRows {
        /// The destination is an array.
        to: bool,
        /// The source is one.
        from: bool,
    },
    /// A variable by its name, and an address.
    Symbol {
        /// The destination is the variable.
        to: bool,
    },
    /// Two addresses and two devices.
    Peer,
    /// Slices, with two devices.
    Peer3D,
    /// Many copies.
    Batch,
    /// Many copies of boxes.
    Boxes,
    /// A fill of one line.
    Fill(u64),
    /// A fill of rows.
    FillRows(u64),
    /// Registration.
    Register,
    /// Its end.
    Unregister,
}

/// A function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its name in the header.
    pub(super) name: &'static str,
    pub(super) api: Api,
    pub(super) shape: Shape,
    /// What its name says of the direction, where it does.
    pub(super) kind: Option<Kind>,
    /// Whether it takes a stream.
    pub(super) stream: bool,
    /// How often it is drawn.
    pub(super) weight: u64,
}

const fn driver(name: &'static str, shape: Shape, weight: u64) -> Entry {
    Entry {
        name,
        api: Api::Driver,
        shape,
        kind: None,
        stream: false,
        weight,
    }
}

const fn runtime(name: &'static str, shape: Shape, weight: u64) -> Entry {
    Entry {
        api: Api::Runtime,
        ..driver(name, shape, weight)
    }
}

impl Shape {
    /// Whether it is a batch of either form, which no default stream but the thread's own accepts.
    pub(super) const fn is_batch(self) -> bool {
        matches!(self, Self::Batch | Self::Boxes)
    }
}

impl Entry {
    /// Whether it is one of these functions, or of all where none is named, and what is loaded has it.
    pub(super) fn is_wanted(&self, only: &[String], has_runtime: bool, has_batch: bool) -> bool {
        let named = only.is_empty() || only.iter().any(|one| one == self.name);
        let there = self.api == Api::Driver || has_runtime && (!self.shape.is_batch() || has_batch);
        named && there
    }

    const fn of(self, kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            ..self
        }
    }

    const fn streamed(self) -> Self {
        Self {
            stream: true,
            ..self
        }
    }
}

use Shape::{
    ArrayLine, ArrayRows, Batch, Boxes, Fill, FillRows, Line, Parms3D, Peer, Peer3D, Register,
    Rows, Struct2D, Struct3D, Symbol, Unregister,
};

const INTO: Shape = ArrayLine {
    to: true,
    from: false,
};
const OUT: Shape = ArrayLine {
    to: false,
    from: true,
};
const BETWEEN: Shape = ArrayLine {
    to: true,
    from: true,
};

/// The names of the functions that are tried.
pub fn functions() -> impl Iterator<Item = &'static str> {
    let names = |entry: &Entry| entry.name;
    let pairs = PAIRS.iter().map(names);
    let twice = |name: &&str| ENTRIES.iter().all(|entry| entry.name != *name);
    ENTRIES.iter().map(names).chain(pairs.filter(twice))
}

/// Every function that is tried.
pub(super) const ENTRIES: &[Entry] = &[
    driver("cuMemcpy", Line, 4).of(Kind::Default),
    driver("cuMemcpyHtoD", Line, 4).of(Kind::HostToDevice),
    driver("cuMemcpyDtoH", Line, 4).of(Kind::DeviceToHost),
    driver("cuMemcpyDtoD", Line, 4).of(Kind::DeviceToDevice),
    driver("cuMemcpyAsync", Line, 4)
        .of(Kind::Default)
        .streamed(),
    driver("cuMemcpyHtoDAsync", Line, 4)
        .of(Kind::HostToDevice)
        .streamed(),
    driver("cuMemcpyDtoHAsync", Line, 4)
        .of(Kind::DeviceToHost)
        .streamed(),
    driver("cuMemcpyDtoDAsync", Line, 4)
        .of(Kind::DeviceToDevice)
        .streamed(),
    driver("cuMemcpy2D", Struct2D, 4),
    driver("cuMemcpy2DUnaligned", Struct2D, 4),
    driver("cuMemcpy2DAsync", Struct2D, 4).streamed(),
    driver("cuMemcpy3D", Struct3D, 4),
    driver("cuMemcpy3DAsync", Struct3D, 4).streamed(),
    driver("cuMemcpyHtoA", INTO, 1).of(Kind::HostToDevice),
    driver("cuMemcpyDtoA", INTO, 1).of(Kind::DeviceToDevice),
    driver("cuMemcpyAtoH", OUT, 1).of(Kind::DeviceToHost),
    driver("cuMemcpyAtoD", OUT, 1).of(Kind::DeviceToDevice),
    driver("cuMemcpyAtoA", BETWEEN, 1).of(Kind::DeviceToDevice),
    driver("cuMemcpyPeer", Peer, 2),
    driver("cuMemcpyPeerAsync", Peer, 2).streamed(),
    driver("cuMemcpyBatchAsync", Batch, 2).streamed(),
    driver("cuMemcpyBatchAsync_v2", Batch, 2).streamed(),
    driver("cuMemcpy3DBatchAsync", Boxes, 2).streamed(),
    driver("cuMemcpy3DBatchAsync_v2", Boxes, 2).streamed(),
    driver("cuMemsetD8", Fill(1), 2),
    driver("cuMemsetD16", Fill(2), 2),
    driver("cuMemsetD32", Fill(4), 2),
    driver("cuMemsetD8Async", Fill(1), 2).streamed(),
    driver("cuMemsetD16Async", Fill(2), 2).streamed(),
    driver("cuMemsetD32Async", Fill(4), 2).streamed(),
    driver("cuMemsetD2D8", FillRows(1), 2),
    driver("cuMemsetD2D16", FillRows(2), 2),
    driver("cuMemsetD2D32", FillRows(4), 2),
    driver("cuMemsetD2D32Async", FillRows(4), 1).streamed(),
    driver("cuMemHostRegister", Register, 2),
    driver("cuMemHostUnregister", Unregister, 2),
    runtime("cudaMemcpy", Line, 12),
    runtime("cudaMemcpyAsync", Line, 12).streamed(),
    runtime("cudaMemcpy2D", Rows, 6),
    runtime("cudaMemcpy2DAsync", Rows, 6).streamed(),
    runtime("cudaMemcpy3D", Parms3D, 4),
    runtime("cudaMemcpy3DAsync", Parms3D, 4).streamed(),
    runtime(
        "cudaMemcpy2DToArray",
        ArrayRows {
            to: true,
            from: false,
        },
        2,
    ),
    runtime(
        "cudaMemcpy2DToArrayAsync",
        ArrayRows {
            to: true,
            from: false,
        },
        2,
    )
    .streamed(),
    runtime(
        "cudaMemcpy2DFromArray",
        ArrayRows {
            to: false,
            from: true,
        },
        2,
    ),
    runtime(
        "cudaMemcpy2DArrayToArray",
        ArrayRows {
            to: true,
            from: true,
        },
        2,
    ),
    runtime("cudaMemcpyToSymbol", Symbol { to: true }, 2),
    runtime("cudaMemcpyToSymbolAsync", Symbol { to: true }, 2).streamed(),
    runtime("cudaMemcpyFromSymbol", Symbol { to: false }, 2),
    runtime("cudaMemcpyFromSymbolAsync", Symbol { to: false }, 2).streamed(),
    runtime("cudaMemcpyPeer", Peer, 2),
    runtime("cudaMemcpyPeerAsync", Peer, 2).streamed(),
    runtime("cudaMemcpyBatchAsync", Batch, 3).streamed(),
    runtime("cudaMemcpy3DBatchAsync", Boxes, 3).streamed(),
    runtime("cudaMemset", Fill(1), 3),
    runtime("cudaMemsetAsync", Fill(1), 3).streamed(),
    runtime("cudaMemset2D", FillRows(1), 3),
    runtime("cudaMemset2DAsync", FillRows(1), 3).streamed(),
    runtime("cudaHostRegister", Register, 2),
    runtime("cudaHostUnregister", Unregister, 2),
];

/// What is tried beside these, or more often, where there are two devices.
pub(super) const PAIRS: &[Entry] = &[
    driver("cuMemcpyPeer", Peer, 3),
    driver("cuMemcpyPeerAsync", Peer, 3).streamed(),
    driver("cuMemcpy3DPeer", Peer3D, 4),
    driver("cuMemcpy3DPeerAsync", Peer3D, 4).streamed(),
    runtime("cudaMemcpyPeer", Peer, 3),
    runtime("cudaMemcpyPeerAsync", Peer, 3).streamed(),
    runtime("cudaMemcpy3DPeer", Peer3D, 4),
    runtime("cudaMemcpy3DPeerAsync", Peer3D, 4).streamed(),
];
