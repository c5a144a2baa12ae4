//! What a call asks for.

use super::{Batch3D, Kind};

/// A copy of one line of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Destination.
    pub dst: u64,
    /// Source.
    pub src: u64,
    /// Bytes.
    pub bytes: u64,
    /// Direction.
    pub kind: Kind,
}

/// A copy of rows between two pitched places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    /// Destination.
    pub dst: u64,
    /// Bytes from row to row of the destination.
    pub dst_pitch: u64,
    /// Source.
    pub src: u64,
    /// Bytes from row to row of the source.
    pub src_pitch: u64,
    /// Bytes of a row.
    pub width: u64,
    /// Rows.
    pub height: u64,
    /// Direction.
    pub kind: Kind,
}

/// What a copy structure says that a side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The kind argument says it, or nobody.
    ByKind,
    /// `CU_MEMORYTYPE_HOST`.
    Host,
    /// `CU_MEMORYTYPE_DEVICE`.
    Device,
    /// `CU_MEMORYTYPE_UNIFIED`.
    Unified,
    /// A number that is no memory type.
    Invalid(u32),
}

/// One side of a copy of rows, slices or array elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Memory with an address.
    Memory {
        /// What the structure calls it.
        side: Side,
        /// The address that the structure holds, before any offset.
        address: u64,
        /// Bytes from row to row.
        pitch: u64,
        /// Rows from slice to slice; 0 means as many as are copied.
        rows: u64,
        /// Offset in a row, bytes.
        x: u64,
        /// Offset in rows.
        y: u64,
        /// Offset in slices.
        z: u64,
    },
    /// An array.
    Array {
        /// Its handle.
        handle: u64,
        /// Offset in a row, bytes.
        x: u64,
        /// Offset in rows.
        y: u64,
        /// Offset in slices.
        z: u64,
    },
    /// Both an array and a pointer are set.
    Both {
        /// The array.
        handle: u64,
        /// The pointer.
        address: u64,
    },
    /// Neither is.
    Neither,
}

/// A copy of slices of rows, or with an array on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Destination.
    pub dst: Place,
    /// Source.
    pub src: Place,
    /// Bytes of a row.
    pub width: u64,
    /// Rows of a slice.
    pub height: u64,
    /// Slices.
    pub depth: u64,
    /// Whether the function knows no slices: the 2D forms of the driver and of arrays.
    pub is_plane: bool,
    /// Direction; `Default` for the driver, whose sides say it.
    pub kind: Kind,
}

/// A copy between two devices that the caller names; to the driver, by a context of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Destination.
    pub dst: u64,
    /// The device that the caller says owns it.
    pub dst_device: i32,
    /// Source.
    pub src: u64,
    /// The device that the caller says owns it.
    pub src_device: i32,
    /// Bytes.
    pub bytes: u64,
}

/// A copy of slices between two devices that the caller names, or with arrays of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerVolume {
    /// The copy; it has no kind.
    pub copy: Volume,
    /// The device that the caller says owns the destination.
    pub dst_device: i32,
    /// The device that the caller says owns the source.
    pub src_device: i32,
}

/// A fill: `cudaMemset`, `cuMemsetD32`, and their 2D forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Destination.
    pub dst: u64,
    /// Bytes from row to row; unused with one row.
    pub pitch: u64,
    /// The value of an element.
    pub value: u32,
    /// Bytes of an element: 1, 2 or 4.
    pub element: u64,
    /// Elements of a row.
    pub width: u64,
    /// Rows.
    pub height: u64,
}

impl Fill {
    /// Bytes of a row, as CUDA computes them: modulo 2^64.
    #[must_use]
    pub const fn row_bytes(&self) -> u64 {
        self.width.wrapping_mul(self.element)
    }
}

/// A copy from or to a `__device__` variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymbolCopy {
    /// What the call names it by: the address that the program itself uses as the variable's.
    pub name: u64,
    /// Its device address, as `cudaGetSymbolAddress` gives it; 0 where the runtime knows none by this name.
    pub symbol: u64,
    /// Bytes from the start of the variable.
    pub offset: u64,
    /// The other side.
    pub other: u64,
    /// Bytes.
    pub bytes: u64,
    /// Whether the variable is the destination.
    pub to_symbol: bool,
    /// Direction.
    pub kind: Kind,
}

/// One copy of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchEntry {
    /// Destination.
    pub dst: u64,
    /// Source.
    pub src: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One element of a batch's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchAttribute {
    /// `srcAccessOrder`: 1 stream, 2 during the call, 3 any.
    pub source_access: u32,
    /// The first entry that it holds for (`attrsIdxs`).
    pub from: u64,
}

/// Many copies in one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The copies.
    pub entries: Vec<BatchEntry>,
    /// The attributes and where each begins to hold.
    pub attributes: Vec<BatchAttribute>,
}

/// `cudaHostRegister`, `cuMemHostRegister`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// The first byte.
    pub address: u64,
    /// Bytes.
    pub bytes: u64,
    /// `cudaHostRegister*` bits; 8 is read-only.
    pub flags: u32,
}

/// `cudaIpcGetMemHandle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    /// The memory to export.
    pub address: u64,
}

/// What a call asks for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// A copy of one line.
    Copy(Linear),
    /// A copy of rows.
    Copy2D(Plane),
    /// A copy of slices, or with arrays.
    Copy3D(Volume),
    /// A copy between named devices.
    Peer(Peer),
    /// A copy of slices between named devices.
    Peer3D(PeerVolume),
    /// A copy from or to a variable.
    Symbol(SymbolCopy),
    /// Many copies.
    Batch(Batch),
    /// Many copies of slices, or with arrays; the sides of each are told apart by address.
    Batch3D(Batch3D),
    /// A fill.
    Fill(Fill),
    /// Page-locking of host memory.
    Register(Register),
    /// The end of it.
    Unregister {
        /// The address given.
        address: u64,
    },
    /// A handle for another process.
    Export(Export),
}

impl Action {
    /// Whether the call moves or fills no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Copy(copy) => copy.bytes == 0,
            Self::Copy2D(copy) => copy.width == 0 || copy.height == 0,
            Self::Copy3D(copy) => copy.width == 0 || copy.height == 0 || copy.depth == 0,
            Self::Peer(copy) => copy.bytes == 0,
            Self::Peer3D(PeerVolume { copy, .. }) => {
                copy.width == 0 || copy.height == 0 || copy.depth == 0
            }
            Self::Symbol(copy) => copy.bytes == 0,
            Self::Batch(batch) => batch.entries.is_empty(),
            Self::Batch3D(batch) => batch.entries.is_empty(),
            Self::Fill(fill) => fill.width == 0 || fill.height == 0,
            Self::Register(_) | Self::Unregister { .. } | Self::Export(_) => false,
        }
    }

    /// The kind that the caller stated, where the call has one.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Copy(copy) => Some(copy.kind),
            Self::Copy2D(copy) => Some(copy.kind),
            Self::Copy3D(copy) => Some(copy.kind),
            Self::Symbol(copy) => Some(copy.kind),
            Self::Peer(_)
            | Self::Peer3D(_)
            | Self::Batch(_)
            | Self::Batch3D(_)
            | Self::Fill(_)
            | Self::Register(_)
            | Self::Unregister { .. }
            | Self::Export(_) => None,
        }
    }

    /// The slices or rows of a copy that a structure describes.
    #[must_use]
    pub const fn volume(&self) -> Option<&Volume> {
        match self {
            Self::Copy3D(copy) => Some(copy),
            Self::Peer3D(peer) => Some(&peer.copy),
            _ => None,
        }
    }

    /// The devices that a copy between devices names, destination first.
    #[must_use]
    pub const fn named_devices(&self) -> Option<[i32; 2]> {
        match self {
            Self::Peer(copy) => Some([copy.dst_device, copy.src_device]),
            Self::Peer3D(copy) => Some([copy.dst_device, copy.src_device]),
            _ => None,
        }
    }
}
