//! Batches of boxes.

use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, Batch3D, Batch3DEntry, Place, Side as Named, Volume};

use super::{ABSURD, Drawer, Intent, Sides, set};
use crate::truth::world::{Array, Side};

impl Drawer<'_> {
    /// A batch of which one entry is what was intended. `element` becomes that of its arrays: lengths of an
    /// entry count elements, and one batch has arrays of one kind.
    pub(super) fn boxes(&mut self, intent: Intent, element: &mut u64) -> (Action, Sides) {
        let kind = self.array();
        *element = kind.element;
        let count = self.random.between(1, 4);
        let wrong = self.random.below(count);
        let mut batch = Batch3D::default();
        let mut all = None;
        for index in 0..count {
            let intent = if index == wrong {
                intent
            } else {
                Intent::Valid
            };
            self.intent = intent;
            let (entry, sides) = self.entry_of_boxes(intent, *element);
            batch.entries.push(entry);
            if index == wrong {
                all = Some(sides);
            }
        }
        let mut sides = all.unwrap_or_else(|| self.sides(Kind::Default, Intent::Valid));
        if intent == Intent::Absurd && self.random.chance(5) {
            sides.how = "call flags";
            batch.flags = self.random.pick(&[1, 2, 1 << 63]);
        }
        (Action::Batch3D(batch), sides)
    }

    fn entry_of_boxes(&mut self, intent: Intent, element: u64) -> (Batch3DEntry, Sides) {
        let (copy, mut sides, arrays) = match self.random.below(100) {
            0..70 => self.box_of_memory(intent),
            70..92 => self.box_of_array(intent, element),
            _ => self.box_between_arrays(intent, element),
        };
        let mut entry = Batch3DEntry {
            source_access: self.random.pick(&[1, 1, 2, 3]),
            flags: self.random.pick(&[0, 0, 0, 1]),
            ..Batch3DEntry::new(copy)
        };
        // Hints are looked at where memory is managed, and are of no consequence on a machine with one device.
        if self.random.chance(20) {
            entry.hints = [self.random.pick(&[0, 1, 2]), self.random.pick(&[0, 1, 2])];
        }
        let odd = match intent {
            Intent::Valid => false,
            Intent::Near => self.random.chance(25),
            Intent::Absurd => self.random.chance(40),
        };
        if odd {
            self.oddly(&mut entry, &mut sides, arrays);
        }
        (entry, sides)
    }

    /// What an entry says besides its sides.
    fn oddly(&mut self, entry: &mut Batch3DEntry, sides: &mut Sides, arrays: bool) {
        match self.random.below(6) {
            0 => {
                sides.how = "order";
                entry.source_access = self.random.pick(&[0, 4, 9]);
            }
            1 => {
                sides.how = "entry flags";
                entry.flags = self.random.pick(&[2, 3, 1 << 31]);
            }
            2 => {
                sides.how = "hint";
                let hint = self.random.pick(&[5, 6, u32::MAX]);
                entry.hints[usize::from(self.random.chance(50))] = hint;
            }
            3 if !arrays => {
                sides.how = "type";
                let raw = self.random.pick(&[0_u32, 3, 99]);
                let place = if self.random.chance(50) {
                    &mut entry.copy.dst
                } else {
                    &mut entry.copy.src
                };
                if let Place::Memory { side, .. } = place {
                    *side = Named::Invalid(raw);
                }
            }
            _ => {
                sides.how = "nothing to copy";
                let copy = &mut entry.copy;
                *self
                    .random
                    .pick_mut(&mut [&mut copy.width, &mut copy.height, &mut copy.depth]) = 0;
            }
        }
    }

    fn box_of_memory(&mut self, intent: Intent) -> (Volume, Sides, bool) {
        let mut sides = self.sides(Kind::Default, intent);
        let room = sides.dst.room().min(sides.src.room());
        let depth = self.random.between(1, room.clamp(1, 3));
        let height = self.height(room / depth);
        let mut widths = [0; 2];
        let mut places = [Place::Neither; 2];
        for (index, side) in [sides.dst, sides.src].into_iter().enumerate() {
            let mut rows = height + self.random.pick(&[0, 0, 1, 2]);
            if side.room() < rows * depth {
                rows = height;
            }
            let (_, pitch, _, width) = self.grid(side.room() / (rows * depth).max(1), 1, false);
            widths[index] = width;
            let tight = self.random.chance(30);
            let layers = rows > height || self.random.chance(60);
            places[index] = memory(
                side.start,
                if tight { 0 } else { pitch },
                if layers { rows } else { 0 },
            );
        }
        let mut copy = Volume {
            dst: places[0],
            src: places[1],
            width: self.random.between(1, widths[0].min(widths[1]).max(1)),
            height,
            depth,
            is_plane: false,
            kind: Kind::Default,
        };
        match intent {
            Intent::Valid => {}
            Intent::Near => self.nearly_box(&mut copy, &mut sides),
            Intent::Absurd => {
                let value = self.random.pick(&ABSURD);
                match self.random.below(6) {
                    0 => copy.width = value,
                    1 => copy.height = value,
                    2 => copy.depth = value,
                    3 => set(&mut copy.dst, |_, pitch, _, _| *pitch = value),
                    4 => set(&mut copy.src, |_, pitch, _, _| *pitch = value),
                    _ => {}
                }
            }
        }
        set(&mut copy.dst, |address, _, _, _| *address = sides.dst.start);
        set(&mut copy.src, |address, _, _, _| *address = sides.src.start);
        (copy, sides, false)
    }

    fn nearly_box(&mut self, copy: &mut Volume, sides: &mut Sides) {
        let to = self.random.chance(50);
        let value = self.random.pick(&[1_u64, 4]);
        let (width, height) = (copy.width, copy.height);
        let place = if to { &mut copy.dst } else { &mut copy.src };
        let side = if to { &mut sides.dst } else { &mut sides.src };
        match self.random.below(14) {
            0 => {
                sides.how = "row length < width";
                set(place, |_, pitch, _, _| *pitch = width.saturating_sub(value));
            }
            1 => {
                sides.how = "row length in elements";
                set(place, |_, pitch, _, _| *pitch /= 4);
            }
            2 => {
                sides.how = "layer height < height";
                if let Place::Memory { rows, .. } = place {
                    *rows = height.saturating_sub(1).max(1);
                }
            }
            3 => {
                sides.how = "row past";
                copy.height += value;
                if let Place::Memory { rows, .. } = place {
                    *rows = 0;
                }
            }
            4 => {
                sides.how = "slice past";
                copy.depth += value;
            }
            5 | 6 => {
                sides.how = "last byte past";
                let extent = Self::extent(place, width, height, copy.depth);
                let end = side.object.base.wrapping_add(side.object.bytes);
                side.start = end.wrapping_sub(extent).wrapping_add(value);
            }
            7 => {
                sides.how = "last row past";
                let half = side.room() / 2;
                set(place, |_, pitch, _, _| *pitch = (*pitch).max(half));
                copy.width = width + value;
            }
            8 => {
                sides.how = "swapped";
                core::mem::swap(&mut sides.dst, &mut sides.src);
            }
            9 => {
                sides.how = "bad dst";
                sides.dst = self.bad();
            }
            10 => {
                sides.how = "bad src";
                sides.src = self.bad();
            }
            11 => {
                sides.how = "dst not writable";
                sides.dst = self.pick(|one| !one.writable && one.side != Side::Bad);
            }
            12 => {
                sides.how = "before";
                side.start = side.object.base.wrapping_sub(value);
            }
            _ => {
                sides.how = "at the end";
                let extent = Self::extent(place, width, height, copy.depth);
                let end = side.object.base.wrapping_add(side.object.bytes);
                if extent <= side.object.bytes {
                    side.start = end.wrapping_sub(extent);
                }
            }
        }
    }

    /// Bytes from the first to the last of a box in memory.
    fn extent(place: &Place, width: u64, height: u64, depth: u64) -> u64 {
        let Place::Memory { pitch, rows, .. } = *place else {
            return 0;
        };
        let pitch = if pitch == 0 { width } else { pitch };
        let rows = if rows == 0 { height } else { rows };
        let before = (depth - 1) * rows + height - 1;
        before.saturating_mul(pitch).saturating_add(width)
    }

    fn array_of(&mut self, element: u64) -> Array {
        let arrays = self.base.arrays.iter();
        let like: Vec<Array> = arrays
            .filter(|one| one.element == element)
            .copied()
            .collect();
        self.random.pick(&like)
    }

    fn box_of_array(&mut self, intent: Intent, element: u64) -> (Volume, Sides, bool) {
        let array = self.array_of(element);
        let (place, width, height, depth) = self.region(&array, true);
        let into = self.random.chance(50);
        // Rows and slices may lie further apart.
        let pitch = width + element * self.random.pick(&[0, 0, 1, 5]);
        let rows = height + self.random.pick(&[0, 0, 1]);
        let other = self.room_for(pitch * rows * depth, !into, intent);
        let other_place = memory(
            other.start,
            if pitch == width && self.random.chance(60) {
                0
            } else {
                pitch
            },
            if rows == height && self.random.chance(60) {
                0
            } else {
                rows
            },
        );
        let (dst, src) = if into {
            (place, other_place)
        } else {
            (other_place, place)
        };
        let mut copy = Volume {
            dst,
            src,
            width,
            height,
            depth,
            is_plane: false,
            kind: Kind::Default,
        };
        let mut sides = self.array_sides(&array, other, into, intent);
        if intent == Intent::Absurd && self.random.chance(10) {
            sides.how = "array null";
            let place = if into { &mut copy.dst } else { &mut copy.src };
            if let Place::Array { handle, .. } = place {
                *handle = 0;
            }
        } else if intent != Intent::Valid {
            self.nearly_array(&mut copy, &mut sides, &array, into);
            in_elements(&mut copy, element);
        }
        (copy, sides, true)
    }

    fn box_between_arrays(&mut self, intent: Intent, element: u64) -> (Volume, Sides, bool) {
        let to = self.array_of(element);
        // An array of other elements: then the offsets are 0, and the width is one of the destination's.
        let differ = intent != Intent::Valid && self.random.chance(50);
        let from = if differ {
            self.array()
        } else {
            self.array_of(element)
        };
        let differ = from.element != element;
        let (dst, width, height, depth) = self.region(&to, true);
        let (src, across, up, deep) = self.region(&from, true);
        let mut copy = Volume {
            dst,
            src,
            width: width.min(across),
            height: height.min(up),
            depth: depth.min(deep),
            is_plane: false,
            kind: Kind::Default,
        };
        let mut how = intent.name();
        if differ {
            how = "elements differ";
            for place in [&mut copy.dst, &mut copy.src] {
                if let Place::Array { x, .. } = place {
                    *x = 0;
                }
            }
            copy.width = element;
        } else if intent != Intent::Valid {
            how = "array past";
            match self.random.below(3) {
                0 => copy.width = to.row.max(from.row) + element,
                1 => copy.height = to.height.max(from.height) + 1,
                _ => copy.depth = to.depth.max(from.depth) + 1,
            }
        }
        let sides = Sides {
            dst: Self::as_pick(&to),
            src: Self::as_pick(&from),
            how,
        };
        (copy, sides, true)
    }
}

/// A side in memory: CUDA tells by the address what it is.
const fn memory(address: u64, pitch: u64, rows: u64) -> Place {
    Place::Memory {
        side: Named::Unified,
        address,
        pitch,
        rows,
        x: 0,
        y: 0,
        z: 0,
    }
}

/// Offsets and widths are elements here.
fn in_elements(copy: &mut Volume, element: u64) {
    copy.width = (copy.width - copy.width % element).max(element);
    for place in [&mut copy.dst, &mut copy.src] {
        if let Place::Array { x, .. } = place {
            *x -= *x % element;
        }
    }
}
