//! Rows that run backwards: a negative pitch, from the last row on.

use cuwhy_validate::Operand;
use cuwhy_validate::call::{Place, Plane, Volume};

use super::{Drawer, Pick, Sides, set};
use crate::truth::world::{Object, Side};

/// More rows than these nobody follows one by one.
const MOST_ROWS: usize = 4096;

/// Whether rows that do not ascend can be touched without harm, and what becomes of them can be told: all of them lie
/// inside the fence (then a fault may be mended), or one lies where no address is, and the process dies there.
pub(super) fn is_tame(operand: &Operand, object: &Object) -> Option<bool> {
    const NOWHERE: core::ops::Range<u64> = 1 << 47..0xffff_8000_0000_0000;
    let fence = object.fence?;
    // What is mapped for devices around registered memory nobody can ask.
    let locked = object.side == Side::Both;
    let (first, last) = if locked {
        (object.base, object.base + object.bytes)
    } else {
        (fence.start, fence.end)
    };
    for (row, offset) in operand.shape.row_starts().enumerate() {
        let start = operand.address.wrapping_add(offset);
        let end = start.checked_add(operand.shape.width);
        let inside = start >= first && end.is_some_and(|end| end <= last);
        if NOWHERE.contains(&start) && !locked {
            return Some(false);
        }
        if !inside || row >= MOST_ROWS {
            return None;
        }
    }
    Some(true)
}

/// The rows of a side, from the last one backwards.
fn flip(side: &mut Pick, pitch: &mut u64, height: u64) {
    let back = pitch.wrapping_mul(height.saturating_sub(1));
    side.start = side.start.wrapping_add(back);
    *pitch = pitch.wrapping_neg();
}

impl Drawer<'_> {
    /// Which sides: destination, source.
    fn which(&mut self) -> (bool, bool) {
        self.random
            .pick(&[(true, false), (false, true), (true, true)])
    }

    pub(super) fn flip_rows(&mut self, copy: &mut Plane, sides: &mut Sides) {
        sides.how = "flipped";
        let (to, from) = self.which();
        if to {
            flip(&mut sides.dst, &mut copy.dst_pitch, copy.height);
        }
        if from {
            flip(&mut sides.src, &mut copy.src_pitch, copy.height);
        }
    }

    pub(super) fn flip_box(&mut self, copy: &mut Volume, sides: &mut Sides) {
        sides.how = "flipped";
        let (to, from) = self.which();
        let (height, depth) = (copy.height, copy.depth);
        let one = |place: &mut Place, side: &mut Pick| {
            let Place::Memory { pitch, rows, y, .. } = place else {
                return;
            };
            *y = 0;
            let of_slice = if *rows == 0 { height } else { *rows };
            let slices = pitch
                .wrapping_mul(of_slice)
                .wrapping_mul(depth.saturating_sub(1));
            side.start = side.start.wrapping_add(slices);
            flip(side, pitch, height);
        };
        if to {
            one(&mut copy.dst, &mut sides.dst);
        }
        if from {
            one(&mut copy.src, &mut sides.src);
        }
    }

    /// Slices that run backwards while their rows do not: as many rows to a slice as bring the distance around 2^64.
    /// Of pageable memory alone.
    pub(super) fn flip_slices(copy: &mut Volume, sides: &mut Sides) {
        sides.how = "slices backwards";
        let (height, depth) = (copy.height, copy.depth);
        for (place, side) in [
            (&mut copy.dst, &mut sides.dst),
            (&mut copy.src, &mut sides.src),
        ] {
            let Place::Memory { pitch, rows, .. } = place else {
                continue;
            };
            if side.object.side != Side::Host || *pitch == 0 {
                continue;
            }
            let of_slice = if *rows == 0 { height } else { *rows };
            let distance = pitch.wrapping_mul(of_slice);
            *rows = distance.wrapping_neg() / *pitch;
            side.start = side
                .start
                .wrapping_add(distance.wrapping_mul(depth.saturating_sub(1)));
            set(place, |_, _, _, y| *y = 0);
        }
    }
}
