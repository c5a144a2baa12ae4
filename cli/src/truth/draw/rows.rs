//! Copies of rows.

use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, Plane};

use super::{ABSURD, Drawer, INVALID_KINDS, Intent, Sides};

impl Drawer<'_> {
    /// Rows that fit: rows to skip, pitch, bytes to skip, width; for `height` rows.
    pub(super) fn grid(&mut self, room: u64, height: u64, skips: bool) -> (u64, u64, u64, u64) {
        let y = if skips && self.random.chance(40) {
            self.random.below(3)
        } else {
            0
        };
        let pitch = (room / (height + y).max(1)).clamp(1, 32 << 10);
        let pitch = if self.random.chance(50) {
            self.random.between(1, pitch)
        } else {
            pitch
        };
        let x = if skips && self.random.chance(40) {
            self.random.below(pitch.min(64))
        } else {
            0
        };
        (y, pitch, x, pitch - x)
    }

    pub(super) fn height(&mut self, room: u64) -> u64 {
        let most = room.clamp(1, 8);
        self.random.between(1, most)
    }

    pub(super) fn rows(&mut self, intent: Intent) -> (Action, Sides) {
        let kind = self.kind(intent);
        let mut sides = self.sides(kind, intent);
        let height = self.height(sides.dst.room().min(sides.src.room()));
        let (_, dst_pitch, _, one) = self.grid(sides.dst.room(), height, false);
        let (_, src_pitch, _, two) = self.grid(sides.src.room(), height, false);
        let mut copy = Plane {
            dst: 0,
            dst_pitch,
            src: 0,
            src_pitch,
            width: self.random.between(1, one.min(two)),
            height,
            kind,
        };
        match intent {
            Intent::Valid => {
                if self.random.below(40) == 0 {
                    *self
                        .random
                        .pick_mut(&mut [&mut copy.width, &mut copy.height]) = 0;
                } else if self.random.chance(12) {
                    self.flip_rows(&mut copy, &mut sides);
                }
            }
            Intent::Near => self.nearly_rows(&mut copy, &mut sides),
            Intent::Absurd => {
                let value = self.random.pick(&ABSURD);
                match self.random.below(5) {
                    0 => copy.width = value,
                    1 => copy.height = value,
                    2 => copy.dst_pitch = value,
                    3 => copy.src_pitch = value,
                    _ => {}
                }
            }
        }
        copy.dst = sides.dst.start;
        copy.src = sides.src.start;
        (Action::Copy2D(copy), sides)
    }

    pub(super) fn nearly_rows(&mut self, copy: &mut Plane, sides: &mut Sides) {
        match self.random.below(20) {
            0 => {
                sides.how = "dpitch < width";
                copy.dst_pitch = copy.width.saturating_sub(self.random.pick(&[1, 4]));
            }
            1 => {
                sides.how = "spitch < width";
                copy.src_pitch = copy.width.saturating_sub(self.random.pick(&[1, 4]));
            }
            2 => {
                sides.how = "dpitch in elements";
                copy.dst_pitch /= 4;
            }
            3 => {
                sides.how = "spitch in elements";
                copy.src_pitch /= 4;
            }
            4 => {
                sides.how = "pitch 0";
                *self
                    .random
                    .pick_mut(&mut [&mut copy.dst_pitch, &mut copy.src_pitch]) = 0;
            }
            5 | 6 => {
                sides.how = "row past";
                copy.height += self.random.between(1, 3);
            }
            7 | 8 => {
                let to = self.random.chance(50);
                let side = if to { sides.dst } else { sides.src };
                sides.how = if to {
                    "last row past dst"
                } else {
                    "last row past src"
                };
                let pitch = if to { copy.dst_pitch } else { copy.src_pitch };
                let last = side.room().saturating_sub(pitch * (copy.height - 1));
                copy.width = last + 1;
                copy.dst_pitch = copy.dst_pitch.max(copy.width);
                copy.src_pitch = copy.src_pitch.max(copy.width);
                if to {
                    copy.dst_pitch = pitch.max(copy.width);
                }
            }
            9 | 10 => {
                sides.how = "swapped";
                core::mem::swap(&mut sides.dst, &mut sides.src);
                core::mem::swap(&mut copy.dst_pitch, &mut copy.src_pitch);
            }
            11 => {
                sides.how = "other kind";
                copy.kind = Kind::from_raw(self.random.pick(&[0, 1, 2, 3, 4]));
            }
            12 => {
                sides.how = "kind invalid";
                copy.kind = Kind::Invalid(self.random.pick(&INVALID_KINDS));
            }
            13 => {
                sides.how = "bad dst";
                sides.dst = self.bad();
            }
            14 => {
                sides.how = "bad src";
                sides.src = self.bad();
            }
            15 => {
                sides.how = "large pitch, one row";
                copy.height = 1;
                *self
                    .random
                    .pick_mut(&mut [&mut copy.dst_pitch, &mut copy.src_pitch]) =
                    self.random.pick(&[1 << 31, (1 << 31) - 1, 1 << 40]);
            }
            16 => {
                self.flip_rows(copy, sides);
                sides.how = "flipped, row past";
                copy.height += self.random.between(1, 3);
            }
            17 => {
                sides.how = "negative pitch";
                let pitch = if self.random.chance(50) {
                    &mut copy.dst_pitch
                } else {
                    &mut copy.src_pitch
                };
                *pitch = pitch.wrapping_neg();
            }
            18 => {
                self.flip_rows(copy, sides);
                sides.how = "flipped, width past";
                copy.width += self.random.pick(&[1, 64, 4096]);
            }
            _ => {
                sides.how = "before dst";
                sides.dst.start = sides.dst.object.base.wrapping_sub(4);
            }
        }
    }
}
