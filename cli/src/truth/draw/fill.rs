//! Fills.

use cuwhy_validate::call::{Action, Fill};

use super::{ABSURD, Drawer, Intent, Sides};
use crate::truth::world::Side;

impl Drawer<'_> {
    pub(super) fn fill(&mut self, intent: Intent, element: u64, rows: bool) -> (Action, Sides) {
        let how = intent.name();
        let mut dst = match intent {
            Intent::Absurd => self.any(),
            _ => {
                let element = if intent == Intent::Valid { element } else { 1 };
                let mut pick = self.good(true, Some(Side::Device), true);
                for _ in 0..40 {
                    if pick.room() >= element && pick.start.is_multiple_of(element) {
                        break;
                    }
                    pick = self.good(true, Some(Side::Device), true);
                    pick.start -= pick.start % element.min(pick.object.base.max(1) & 3).max(1);
                }
                pick
            }
        };
        if intent == Intent::Valid && !dst.start.is_multiple_of(element) {
            dst.start = dst.object.base;
        }
        let room = dst.room();
        let mut sides = Sides { dst, src: dst, how };
        let mut fill = Fill {
            dst: 0,
            pitch: 0,
            value: u32::from_le_bytes([0x5a, 1, 2, 3]),
            element,
            width: (self.amount(room) / element)
                .max(1)
                .min((room / element).max(1)),
            height: 1,
        };
        if rows {
            fill.height = self.height(room / element);
            let pitch = room / fill.height.max(1);
            let pitch = (pitch - pitch % element).clamp(element, 32 << 10);
            fill.pitch = pitch;
            fill.width = self.random.between(1, (pitch / element).max(1));
        }
        if intent == Intent::Near {
            self.nearly_filled(&mut fill, &mut sides, rows);
        } else if intent == Intent::Absurd && self.random.chance(50) {
            let value = self.random.pick(&ABSURD);
            match self.random.below(3) {
                0 => fill.width = value,
                1 if rows => fill.height = value,
                _ => fill.pitch = value,
            }
        }
        fill.dst = sides.dst.start;
        sides.src = sides.dst;
        (Action::Fill(fill), sides)
    }

    pub(super) fn nearly_filled(&mut self, fill: &mut Fill, sides: &mut Sides, rows: bool) {
        match self.random.below(10) {
            0 => {
                sides.how = "dst+1";
                fill.width = sides.dst.room() / fill.element + 1;
            }
            1 => {
                sides.how = "width in bytes";
                fill.width = fill.width.saturating_mul(4);
            }
            2 => {
                sides.how = "misaligned";
                sides.dst.start += self.random.between(1, 3);
            }
            3 | 4 => {
                sides.how = "bad dst";
                sides.dst = self.bad();
            }
            5 => {
                sides.how = "host";
                sides.dst = self.pick(|one| one.side == Side::Host);
            }
            6 => {
                sides.how = "not writable";
                sides.dst = self.pick(|one| !one.writable && one.side != Side::Bad);
            }
            7 if rows => {
                sides.how = "pitch < width";
                fill.pitch = (fill.width * fill.element).saturating_sub(fill.element.max(1));
            }
            8 if rows => {
                sides.how = "pitch odd";
                fill.pitch += self.random.between(1, 3);
            }
            9 if rows => {
                sides.how = "row past";
                fill.height += self.random.between(1, 2);
            }
            7 => {
                sides.how = "count 0";
                fill.width = 0;
            }
            _ => {
                sides.how = "exact";
                fill.width = (sides.dst.room() / fill.element).max(1);
                fill.height = 1;
            }
        }
    }
}
