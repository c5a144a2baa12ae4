//! Batches of boxes: `cuMemcpy3DBatchAsync`, `cudaMemcpy3DBatchAsync`.

use super::{Action, Api, Call, Place, Volume};

/// Many copies of boxes in one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch3D {
    /// The copies.
    pub entries: Vec<Batch3DEntry>,
    /// `flags` of the call; none is defined.
    pub flags: u64,
}

/// One copy of a batch of boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch3DEntry {
    /// What is copied. Lengths are bytes and not elements, as everywhere in this crate; what a side in memory
    /// skips by `x`, `y` and `z` is part of the address that CUDA is given.
    pub copy: Volume,
    /// `srcAccessOrder`: 1 stream, 2 during the call, 3 any.
    pub source_access: u32,
    /// `flags` of the entry: 1 prefers to overlap with kernels.
    pub flags: u32,
    /// The kinds of place that `locHint` names, destination first; 0 names none.
    pub hints: [u32; 2],
}

impl Batch3DEntry {
    /// A copy in the stream's order, without flags and hints.
    #[must_use]
    pub const fn new(copy: Volume) -> Self {
        Self {
            copy,
            source_access: 1,
            flags: 0,
            hints: [0; 2],
        }
    }

    /// The copy with offsets in memory as part of the address: what CUDA sees.
    #[must_use]
    pub const fn as_given(&self) -> Volume {
        Volume {
            dst: from_first_byte(self.copy.dst),
            src: from_first_byte(self.copy.src),
            ..self.copy
        }
    }
}

const fn from_first_byte(place: Place) -> Place {
    let Place::Memory {
        side,
        address,
        pitch,
        rows,
        x,
        y,
        z,
    } = place
    else {
        return place;
    };
    let skipped = z.wrapping_mul(rows).wrapping_add(y).wrapping_mul(pitch);
    Place::Memory {
        side,
        address: address.wrapping_add(skipped).wrapping_add(x),
        pitch,
        rows,
        x: 0,
        y: 0,
        z: 0,
    }
}

impl Call {
    /// One entry of a 3D batch as a copy of its own, which the driver checks whoever was called.
    #[must_use]
    pub fn entry_3d(&self, entry: &Batch3DEntry) -> Self {
        Self {
            api: Api::Driver,
            action: Action::Copy3D(entry.as_given()),
            ..self.clone()
        }
    }
}
