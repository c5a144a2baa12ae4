//! Copies described by structures.

use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, Place, Side as Named, Volume};

use super::{ABSURD, Drawer, Intent, Sides, set};
use crate::truth::world::{Object, Side};

impl Drawer<'_> {
    /// The side of the driver's structures that fits an object.
    pub(super) fn named(&mut self, object: &Object) -> Named {
        match object.side {
            Side::Host => self
                .random
                .pick(&[Named::Host, Named::Host, Named::Unified]),
            Side::Device => self
                .random
                .pick(&[Named::Device, Named::Device, Named::Unified]),
            Side::Both => self
                .random
                .pick(&[Named::Host, Named::Device, Named::Unified]),
            Side::Bad => self
                .random
                .pick(&[Named::Host, Named::Device, Named::Unified]),
        }
    }

    pub(super) fn structure(
        &mut self,
        intent: Intent,
        deep: bool,
        driver: bool,
    ) -> (Action, Sides) {
        if driver && self.random.chance(20) {
            return self.structure_with_array(intent, deep);
        }
        let kind = if driver {
            Kind::Default
        } else {
            self.kind(intent)
        };
        let mut sides = self.sides(kind, intent);
        let room = sides.dst.room().min(sides.src.room());
        let depth = if deep {
            self.random.between(1, room.clamp(1, 3))
        } else {
            1
        };
        let height = self.height(room / depth);
        let mut widths = [0; 2];
        let mut places = [Place::Neither; 2];
        for (index, side) in [sides.dst, sides.src].into_iter().enumerate() {
            // Slices of as many rows as fit: room for `depth` slices of `rows` rows.
            let rows = height
                + if deep && self.random.chance(40) {
                    self.random.below(3)
                } else {
                    0
                };
            let (y, pitch, x, width) = self.grid(side.room() / (rows * depth).max(1), 1, driver);
            // The skipped rows must fit below the end as well.
            let y = if side.room() >= pitch * (rows * depth + y) && (!deep || height + y <= rows) {
                y
            } else {
                0
            };
            widths[index] = width;
            places[index] = Place::Memory {
                side: if driver {
                    self.named(&side.object)
                } else {
                    Named::ByKind
                },
                address: side.start,
                pitch,
                rows: if deep { rows } else { 0 },
                x,
                y,
                z: 0,
            };
        }
        let mut copy = Volume {
            dst: places[0],
            src: places[1],
            width: self.random.between(1, widths[0].min(widths[1]).max(1)),
            height,
            depth,
            is_plane: !deep,
            kind,
        };
        match intent {
            Intent::Valid => {
                if self.random.below(40) == 0 {
                    copy.width = 0;
                } else if self.random.chance(12) {
                    self.flip_box(&mut copy, &mut sides);
                }
            }
            Intent::Near => self.nearly_boxed(&mut copy, &mut sides, driver),
            Intent::Absurd => {
                let value = self.random.pick(&ABSURD);
                match self.random.below(5) {
                    0 => copy.width = value,
                    1 => copy.height = value,
                    2 if deep => copy.depth = value,
                    3 => set(&mut copy.dst, |_, pitch, _, _| *pitch = value),
                    4 => set(&mut copy.src, |_, _, x, _| *x = value),
                    _ => {}
                }
            }
        }
        set(&mut copy.dst, |address, _, _, _| *address = sides.dst.start);
        set(&mut copy.src, |address, _, _, _| *address = sides.src.start);
        (Action::Copy3D(copy), sides)
    }

    pub(super) fn nearly_boxed(&mut self, copy: &mut Volume, sides: &mut Sides, driver: bool) {
        let to = self.random.chance(50);
        let value = self.random.pick(&[1_u64, 4]);
        let width = copy.width;
        let which = self.random.below(16);
        if which == 12 {
            self.flip_box(copy, sides);
            sides.how = "flipped, row past";
            copy.height += value;
            return;
        }
        if which == 13 && !copy.is_plane {
            Self::flip_slices(copy, sides);
            return;
        }
        let place = if to { &mut copy.dst } else { &mut copy.src };
        match which {
            0 => {
                sides.how = "pitch < width";
                set(place, |_, pitch, _, _| *pitch = width.saturating_sub(value));
            }
            1 => {
                sides.how = "pitch in elements";
                set(place, |_, pitch, _, _| *pitch /= 4);
            }
            2 => {
                sides.how = "pitch 0";
                set(place, |_, pitch, _, _| *pitch = 0);
            }
            3 => {
                sides.how = "x past pitch";
                set(place, |_, pitch, x, _| {
                    *x = pitch.saturating_sub(width) + value
                });
            }
            4 => {
                sides.how = "y past";
                set(place, |_, _, _, y| *y += 2 + value);
            }
            5 => {
                sides.how = "row past";
                copy.height += value;
            }
            6 if !copy.is_plane => {
                sides.how = "slice past";
                copy.depth += value;
            }
            7 | 6 => {
                sides.how = "swapped";
                core::mem::swap(&mut sides.dst, &mut sides.src);
            }
            8 if driver => {
                sides.how = "type invalid";
                let raw = u32::try_from(self.random.pick(&[0_u64, 5, 99])).unwrap_or(0);
                if let Place::Memory { side, .. } = place {
                    *side = Named::Invalid(raw);
                }
            }
            8 => {
                sides.how = "kind";
                copy.kind = Kind::from_raw(self.random.pick(&[0, 1, 2, 3, 4, 9]));
            }
            9 => {
                sides.how = "bad dst";
                sides.dst = self.bad();
            }
            10 => {
                sides.how = "bad src";
                sides.src = self.bad();
            }
            11 if driver => {
                sides.how = "type wrong";
                let wrong = self.random.pick(&[Named::Host, Named::Device]);
                if let Place::Memory { side, .. } = place {
                    *side = wrong;
                }
            }
            13 | 14 => {
                sides.how = "negative pitch";
                set(place, |_, pitch, _, _| *pitch = pitch.wrapping_neg());
            }
            _ => {
                sides.how = "last row past";
                let side = if to { sides.dst } else { sides.src };
                set(place, |_, pitch, _, _| {
                    *pitch = (*pitch).max(side.room() / 2)
                });
                copy.width = width + value;
            }
        }
    }

    pub(super) fn parms(&mut self, intent: Intent, element: &mut u64) -> (Action, Sides) {
        if self.random.chance(75) {
            return self.structure(intent, true, false);
        }
        let array = self.array();
        *element = array.element;
        let (place, width, height, depth) = self.region(&array, true);
        let into = self.random.chance(50);
        let other = self.room_for(width * height * depth, !into, intent);
        let memory = Place::Memory {
            side: Named::ByKind,
            address: other.start,
            pitch: width,
            rows: height,
            x: 0,
            y: 0,
            z: 0,
        };
        let (dst, src) = if into {
            (place, memory)
        } else {
            (memory, place)
        };
        let mut kind = self.kind(intent);
        if intent == Intent::Valid {
            let natural = if into {
                Kind::HostToDevice
            } else {
                Kind::DeviceToHost
            };
            kind = self.random.pick(&[natural, natural, Kind::Default]);
        }
        let mut copy = Volume {
            dst,
            src,
            width,
            height,
            depth,
            is_plane: false,
            kind,
        };
        let mut sides = self.array_sides(&array, other, into, intent);
        if intent == Intent::Near && self.random.chance(70) {
            self.nearly_array(&mut copy, &mut sides, &array, into);
            // Here offsets and widths are elements.
            copy.width -= copy.width % array.element;
            for place in [&mut copy.dst, &mut copy.src] {
                if let Place::Array { x, .. } = place {
                    *x -= *x % array.element;
                }
            }
        }
        (Action::Copy3D(copy), sides)
    }
}
