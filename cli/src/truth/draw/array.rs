//! Parts of arrays, and structures with one of them.

use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, Place, Volume};

use super::{Drawer, Intent, Pick, Sides, set};
use crate::truth::world::{Array, Object, Side, object};

impl Drawer<'_> {
    pub(super) fn array(&mut self) -> Array {
        let arrays = self.base.arrays.clone();
        self.random.pick(&arrays)
    }

    /// What stands for an array among the sides.
    pub(super) fn as_pick(array: &Array) -> Pick {
        Pick {
            object: Object {
                device: array.device,
                ..object(array.class, array.handle, array.row, Side::Device)
            },
            start: array.handle,
        }
    }

    /// A part of an array: its place, width in bytes, rows, slices.
    pub(super) fn region(&mut self, array: &Array, deep: bool) -> (Place, u64, u64, u64) {
        let elements = array.row / array.element;
        let x = if self.random.chance(30) {
            self.random.below(elements)
        } else {
            0
        };
        let y = if self.random.chance(30) {
            self.random.below(array.height)
        } else {
            0
        };
        let z = if deep && self.random.chance(30) {
            self.random.below(array.depth)
        } else {
            0
        };
        let width = self.random.between(1, elements - x) * array.element;
        let height = self.random.between(1, array.height - y);
        let depth = if deep {
            self.random.between(1, array.depth - z)
        } else {
            1
        };
        let place = Place::Array {
            handle: array.handle,
            x: x * array.element,
            y,
            z,
        };
        (place, width, height, depth)
    }

    pub(super) fn structure_with_array(&mut self, intent: Intent, deep: bool) -> (Action, Sides) {
        let array = self.array();
        let (place, width, height, depth) = self.region(&array, deep);
        let into = self.random.chance(50);
        let need = width * height * depth;
        let other = self.room_for(need, !into, intent);
        let memory = Place::Memory {
            side: self.named(&other.object),
            address: other.start,
            pitch: if self.random.chance(50) { 0 } else { width },
            rows: if deep && self.random.chance(50) {
                height
            } else {
                0
            },
            x: 0,
            y: 0,
            z: 0,
        };
        let (dst, src) = if into {
            (place, memory)
        } else {
            (memory, place)
        };
        let mut copy = Volume {
            dst,
            src,
            width,
            height,
            depth,
            is_plane: !deep,
            kind: Kind::Default,
        };
        let mut sides = self.array_sides(&array, other, into, intent);
        if intent != Intent::Valid {
            self.nearly_array(&mut copy, &mut sides, &array, into);
        }
        (Action::Copy3D(copy), sides)
    }

    pub(super) fn array_sides(
        &self,
        array: &Array,
        other: Pick,
        into: bool,
        intent: Intent,
    ) -> Sides {
        let how = intent.name();
        let array = Self::as_pick(array);
        if into {
            Sides {
                dst: array,
                src: other,
                how,
            }
        } else {
            Sides {
                dst: other,
                src: array,
                how,
            }
        }
    }

    /// An object with so much room, from its start on.
    pub(super) fn room_for(&mut self, bytes: u64, writes: bool, intent: Intent) -> Pick {
        if intent == Intent::Absurd && self.random.chance(50) {
            return self.any();
        }
        let usable = self.usable();
        let mut pick = self.pick(|one| {
            one.side != Side::Bad && (!writes || one.writable) && one.bytes >= bytes && usable(one)
        });
        pick.start = pick.object.base.wrapping_add(pick.object.bytes) - bytes;
        if self.random.chance(60) {
            pick.start = pick.object.base;
        }
        pick
    }

    pub(super) fn nearly_array(
        &mut self,
        copy: &mut Volume,
        sides: &mut Sides,
        array: &Array,
        into: bool,
    ) {
        let element = array.element;
        let (width, height, depth) = (copy.width, copy.height, copy.depth);
        let place = if into { &mut copy.dst } else { &mut copy.src };
        let Place::Array { x, y, z, .. } = place else {
            return;
        };
        match self.random.below(8) {
            0 => {
                sides.how = "array x past";
                *x = (array.row + element).saturating_sub(width);
            }
            1 => {
                sides.how = "array y past";
                *y = (array.height + 1).saturating_sub(height);
            }
            2 if !copy.is_plane => {
                sides.how = "array z past";
                *z = (array.depth + 1).saturating_sub(depth);
            }
            3 => {
                sides.how = "array width past";
                copy.width = array.row + element;
            }
            4 if copy.kind == Kind::Default => {
                sides.how = "array misaligned";
                *x = (*x + 1).min(array.row - 1);
                copy.width = copy.width.min(array.row - *x);
            }
            5 => {
                sides.how = "memory bad";
                let bad = self.bad();
                let memory = if into { &mut copy.src } else { &mut copy.dst };
                set(memory, |address, _, _, _| *address = bad.start);
                if into {
                    sides.src = bad;
                } else {
                    sides.dst = bad;
                }
            }
            6 => {
                sides.how = "memory past";
                let other = if into { sides.src } else { sides.dst };
                let past = (other.object.base)
                    .wrapping_add(other.object.bytes)
                    .wrapping_sub(1);
                let memory = if into { &mut copy.src } else { &mut copy.dst };
                set(memory, |address, _, _, _| *address = past);
                let moved = Pick {
                    start: past,
                    ..other
                };
                if into {
                    sides.src = moved;
                } else {
                    sides.dst = moved;
                }
            }
            _ => {
                sides.how = "array height past";
                copy.height = array.height + 1;
            }
        }
    }
}
