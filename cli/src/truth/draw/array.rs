//! Copies from and to arrays.

use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, Place, Side as Named, Volume};

use super::{Drawer, Intent, Pick, Sides, set};
use crate::truth::entry::Entry;
use crate::truth::world::{Array, Object, Side};

impl Drawer<'_> {
    pub(super) fn array(&mut self) -> Array {
        let arrays = self.base.arrays.clone();
        self.random.pick(&arrays)
    }

    /// What stands for an array among the sides.
    pub(super) fn as_pick(array: &Array) -> Pick {
        Pick {
            object: Object {
                class: array.class,
                base: array.handle,
                bytes: array.row,
                side: Side::Device,
                writable: true,
                fence: None,
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
        let mut pick = self
            .pick(|one| one.side != Side::Bad && (!writes || one.writable) && one.bytes >= bytes);
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

    pub(super) fn array_line(
        &mut self,
        entry: &Entry,
        intent: Intent,
        to: bool,
        from: bool,
    ) -> (Action, Sides) {
        let array = self.array();
        let x = if self.random.chance(40) {
            self.random.below(array.row)
        } else {
            0
        };
        let mut width = self.random.between(1, array.row - x);
        let place = |x| Place::Array {
            handle: array.handle,
            x,
            y: 0,
            z: 0,
        };
        let host = matches!(entry.name, "cuMemcpyHtoA" | "cuMemcpyAtoH");
        let demanded = !host;
        let mut how = intent.name();
        if intent != Intent::Valid && self.random.chance(45) {
            how = "array past";
            width = array.row - x + self.random.pick(&[1, 4]);
        }
        if to && from {
            let other = self.array();
            let y = self.random.below(other.row);
            let width = if intent == Intent::Valid {
                width.min(other.row - y)
            } else {
                width
            };
            let copy = Volume {
                dst: place(x),
                src: Place::Array {
                    handle: other.handle,
                    x: y,
                    y: 0,
                    z: 0,
                },
                width,
                height: 1,
                depth: 1,
                is_plane: true,
                kind: Kind::Default,
            };
            let sides = Sides {
                dst: Self::as_pick(&array),
                src: Self::as_pick(&other),
                how,
            };
            return (Action::Copy3D(copy), sides);
        }
        let mut other = self.good(
            demanded,
            Some(if host { Side::Host } else { Side::Device }),
            from,
        );
        match intent {
            Intent::Valid => width = width.min(other.room()),
            Intent::Near => {
                width = if how == "near" {
                    width.min(other.room())
                } else {
                    width
                };
                if how == "near" && self.random.chance(60) {
                    how = "memory bad";
                    other = self.bad();
                }
            }
            Intent::Absurd => other = self.any(),
        }
        let memory = Place::Memory {
            side: if host { Named::Host } else { Named::Device },
            address: other.start,
            pitch: 0,
            rows: 0,
            x: 0,
            y: 0,
            z: 0,
        };
        let (dst, src) = if to {
            (place(x), memory)
        } else {
            (memory, place(x))
        };
        let copy = Volume {
            dst,
            src,
            width,
            height: 1,
            depth: 1,
            is_plane: true,
            kind: Kind::Default,
        };
        let mut sides = self.array_sides(&array, other, to, intent);
        sides.how = how;
        (Action::Copy3D(copy), sides)
    }

    pub(super) fn array_rows(&mut self, intent: Intent, to: bool, from: bool) -> (Action, Sides) {
        let array = self.array();
        let (place, width, height, _) = self.region(&array, false);
        let mut kind = self.kind(intent);
        if intent == Intent::Valid {
            kind = if to && from {
                self.random.pick(&[Kind::DeviceToDevice, Kind::Default])
            } else if to {
                self.random
                    .pick(&[Kind::HostToDevice, Kind::HostToDevice, Kind::Default])
            } else {
                self.random
                    .pick(&[Kind::DeviceToHost, Kind::DeviceToHost, Kind::Default])
            };
        } else if !matches!(kind, Kind::Invalid(_)) && self.random.chance(50) {
            kind = if to {
                Kind::HostToDevice
            } else {
                Kind::DeviceToHost
            };
        }
        if to && from {
            let same: Vec<Array> = self
                .base
                .arrays
                .iter()
                .filter(|one| one.element == array.element)
                .copied()
                .collect();
            let other = self.random.pick(&same);
            let (source, w, h, _) = self.region(&other, false);
            let (mut width, height) = (width.min(w), height.min(h));
            let mut how = intent.name();
            if intent != Intent::Valid && self.random.chance(60) {
                how = "array width past";
                width = array.row + array.element;
            }
            let copy = Volume {
                dst: place,
                src: source,
                width,
                height,
                depth: 1,
                is_plane: true,
                kind,
            };
            let sides = Sides {
                dst: Self::as_pick(&array),
                src: Self::as_pick(&other),
                how,
            };
            return (Action::Copy3D(copy), sides);
        }
        let other = self.room_for(width * height, from, intent);
        let pitch = if height == 1 || self.random.chance(60) {
            width
        } else {
            other.room() / height
        };
        let memory = Place::Memory {
            side: Named::ByKind,
            address: other.start,
            pitch: pitch.max(width),
            rows: 0,
            x: 0,
            y: 0,
            z: 0,
        };
        let (dst, src) = if to { (place, memory) } else { (memory, place) };
        let mut copy = Volume {
            dst,
            src,
            width,
            height,
            depth: 1,
            is_plane: true,
            kind,
        };
        let mut sides = self.array_sides(&array, other, to, intent);
        if intent != Intent::Valid {
            if self.random.chance(15) {
                sides.how = "pitch < width";
                let memory = if to { &mut copy.src } else { &mut copy.dst };
                set(memory, |_, pitch, _, _| *pitch = width.saturating_sub(1));
            } else {
                self.nearly_array(&mut copy, &mut sides, &array, to);
            }
        }
        (Action::Copy3D(copy), sides)
    }
}
