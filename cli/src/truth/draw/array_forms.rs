//! The functions that are about arrays alone: one line, and the runtime's rows.

use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, Place, Side as Named, Volume};

use super::{Drawer, Intent, Sides, set};
use crate::truth::entry::Entry;
use crate::truth::world::{Array, Side};

impl Drawer<'_> {
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
