//! Copies of one line, between devices, and in batches.

use cuwhy_validate::call::{Action, Batch, BatchAttribute, BatchEntry, Linear, Peer};
use cuwhy_validate::{Api, Kind};

use super::{ABSURD, Drawer, INVALID_KINDS, Intent, Pick, Sides};
use crate::truth::entry::Entry;
use crate::truth::random::Random;
use crate::truth::world::Side;

impl Drawer<'_> {
    pub(super) fn line(&mut self, entry: &Entry, intent: Intent) -> (Action, Sides) {
        let kind = entry.kind.unwrap_or_else(|| self.kind(intent));
        let mut sides = self.sides(kind, intent);
        let mut copy = Linear {
            dst: 0,
            src: 0,
            bytes: self.amount(sides.dst.room().min(sides.src.room())),
            kind,
        };
        match intent {
            Intent::Valid => {
                if self.random.below(40) == 0 {
                    copy.bytes = 0;
                }
            }
            Intent::Near => self.nearly(&mut copy, &mut sides, entry.kind.is_some()),
            Intent::Absurd => {
                if self.random.chance(40) {
                    copy.bytes = self.random.pick(&ABSURD);
                }
            }
        }
        copy.dst = sides.dst.start;
        copy.src = sides.src.start;
        (Action::Copy(copy), sides)
    }

    pub(super) fn nearly(&mut self, copy: &mut Linear, sides: &mut Sides, fixed: bool) {
        let (to, from) = (sides.dst.room(), sides.src.room());
        match self.random.below(20) {
            0 | 1 => {
                sides.how = "dst+1";
                copy.bytes = to + 1;
            }
            2 | 3 => {
                sides.how = "src+1";
                copy.bytes = from + 1;
            }
            4 => {
                sides.how = "element past";
                copy.bytes = to.min(from) + self.random.pick(&[4, 8]);
            }
            5 => {
                sides.how = "exact-1";
                copy.bytes = to.min(from).saturating_sub(1);
            }
            6 => {
                sides.how = "times size";
                copy.bytes = copy.bytes.saturating_mul(self.random.pick(&[4, 8]));
            }
            7 => {
                sides.how = "before dst";
                sides.dst.start = sides
                    .dst
                    .object
                    .base
                    .wrapping_sub(self.random.pick(&[1, 4, 8]));
            }
            8 => {
                sides.how = "before src";
                sides.src.start = sides
                    .src
                    .object
                    .base
                    .wrapping_sub(self.random.pick(&[1, 4, 8]));
            }
            9 => {
                sides.how = "at dst end";
                sides.dst.start = sides.dst.object.base.wrapping_add(sides.dst.object.bytes);
            }
            10 => {
                sides.how = "at src end";
                sides.src.start = sides.src.object.base.wrapping_add(sides.src.object.bytes);
            }
            11 | 12 => {
                sides.how = "swapped";
                core::mem::swap(&mut sides.dst, &mut sides.src);
            }
            13 if !fixed => {
                sides.how = "other kind";
                copy.kind = Kind::from_raw(self.random.pick(&[0, 1, 2, 3, 4]));
            }
            14 if !fixed => {
                sides.how = "kind invalid";
                copy.kind = Kind::Invalid(self.random.pick(&INVALID_KINDS));
            }
            15 | 13 => {
                sides.how = "bad dst";
                sides.dst = self.bad();
            }
            16 | 14 => {
                sides.how = "bad src";
                sides.src = self.bad();
            }
            17 => {
                sides.how = "dst not writable";
                let one = self.pick(|one| !one.writable && one.side != Side::Bad);
                sides.dst = one;
                copy.bytes = copy.bytes.min(one.room());
            }
            18 if self.random.below(4) == 0 => self.wrapped(copy, sides),
            18 => {
                sides.how = "seam";
                let one = self.pick(|one| {
                    matches!(
                        one.class,
                        "registered" | "beside_registered" | "virtual_pair" | "virtual"
                    )
                });
                let back = self.random.between(1, one.object.bytes.min(64));
                // Over the end of one object into its neighbour, or over the seam of two handles.
                let end = one.object.base.wrapping_add(one.object.bytes);
                let start = if one.object.class == "virtual_pair" {
                    one.object.base + (2 << 20)
                } else {
                    end
                } - back;
                let side = Pick {
                    object: one.object,
                    start,
                };
                if self.random.chance(50) {
                    sides.src = side;
                } else {
                    sides.dst = side;
                }
                copy.bytes = back + self.random.between(1, 64);
            }
            _ => {
                sides.how = "negative";
                copy.bytes = 0_u64.wrapping_sub(self.random.pick(&[1, 4, 4096, 1 << 31]));
            }
        }
    }

    /// A count that is a small negative number: offset and count wrap back into both objects.
    pub(super) fn wrapped(&mut self, copy: &mut Linear, sides: &mut Sides) {
        sides.how = "wraps back";
        for side in [&mut sides.dst, &mut sides.src] {
            let offset = (side.object.bytes / 2) & !3;
            if side.offset() < 8 && offset >= 8 {
                side.start = side.object.base + offset;
            }
        }
        let least = sides.dst.offset().min(sides.src.offset()).max(4);
        copy.bytes = 0_u64.wrapping_sub(self.random.between(1, least));
    }

    pub(super) fn peer(&mut self, entry: &Entry, intent: Intent) -> (Action, Sides) {
        let mut sides = self.sides(Kind::DeviceToDevice, intent);
        let mut copy = Linear {
            dst: 0,
            src: 0,
            bytes: self.amount(sides.dst.room().min(sides.src.room())),
            kind: Kind::DeviceToDevice,
        };
        let [mut to, mut from] = self.named_devices(&sides);
        match intent {
            Intent::Valid => {}
            Intent::Near if self.names_others() => {
                sides.how = "other devices";
                [to, from] = self.other_devices();
            }
            Intent::Near => self.nearly(&mut copy, &mut sides, true),
            Intent::Absurd if entry.api == Api::Runtime && self.random.chance(50) => {
                sides.how = "no such device";
                let wrong = self.random.pick(&[99, -1, 64]);
                *self.random.pick_mut(&mut [&mut to, &mut from]) = wrong;
            }
            Intent::Absurd => copy.bytes = self.random.pick(&ABSURD),
        }
        let peer = Peer {
            dst: sides.dst.start,
            dst_device: to,
            src: sides.src.start,
            src_device: from,
            bytes: copy.bytes,
        };
        (Action::Peer(peer), sides)
    }

    pub(super) fn batch(&mut self, intent: Intent) -> (Action, Sides) {
        let count = self.random.between(1, 4);
        let mut batch = Batch::default();
        let wrong = self.random.below(count);
        let mut all = None;
        for index in 0..count {
            let intent = if index == wrong {
                intent
            } else {
                Intent::Valid
            };
            self.intent = intent;
            let mut sides = self.sides(Kind::Default, intent);
            let mut copy = Linear {
                dst: 0,
                src: 0,
                bytes: self.amount(sides.dst.room().min(sides.src.room())),
                kind: Kind::Default,
            };
            match intent {
                Intent::Valid => {}
                Intent::Near if self.random.chance(85) => self.nearly(&mut copy, &mut sides, true),
                Intent::Near => {
                    sides.how = "size 0";
                    copy.bytes = 0;
                }
                Intent::Absurd => copy.bytes = self.random.pick(&ABSURD),
            }
            batch.entries.push(BatchEntry {
                dst: sides.dst.start,
                src: sides.src.start,
                bytes: copy.bytes,
            });
            if index == wrong {
                all = Some(sides);
            }
        }
        let mut sides = all.unwrap_or_else(|| self.sides(Kind::Default, Intent::Valid));
        let order = |random: &mut Random| random.pick(&[1_u32, 1, 2, 3]);
        batch.attributes.push(BatchAttribute {
            source_access: order(&mut self.random),
            from: 0,
        });
        if count > 1 && self.random.chance(30) {
            let from = self.random.between(1, count - 1);
            batch.attributes.push(BatchAttribute {
                source_access: order(&mut self.random),
                from,
            });
        }
        if intent == Intent::Absurd && self.random.chance(50) {
            match self.random.below(4) {
                0 => {
                    sides.how = "no attributes";
                    batch.attributes.clear();
                }
                1 => {
                    sides.how = "not from 0";
                    batch.attributes[0].from = 1;
                }
                2 => {
                    sides.how = "beyond";
                    let (from, source_access) = (count + self.random.below(2), 1);
                    batch.attributes.push(BatchAttribute {
                        source_access,
                        from,
                    });
                }
                _ => {
                    sides.how = "order";
                    batch.attributes[0].source_access = self.random.pick(&[0, 4, 9]);
                }
            }
        }
        (Action::Batch(batch), sides)
    }
}
