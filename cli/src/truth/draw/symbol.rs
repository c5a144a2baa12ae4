//! Copies of variables by name.

use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, SymbolCopy};

use super::{ABSURD, Drawer, INVALID_KINDS, Intent, Pick, Sides};
use crate::truth::world::Side;

impl Drawer<'_> {
    pub(super) fn symbol(&mut self, intent: Intent, to: bool) -> (Action, Sides) {
        let all = self.base.variables.clone();
        let variable = self.random.pick(&all);
        let room = variable.object.bytes;
        let (natural, host) = if to {
            (Kind::HostToDevice, Side::Host)
        } else {
            (Kind::DeviceToHost, Side::Host)
        };
        let kind = match self.random.below(10) {
            0 | 1 => Kind::Default,
            2 => Kind::DeviceToDevice,
            _ => natural,
        };
        let cuda = kind == Kind::DeviceToDevice;
        let other = if intent == Intent::Absurd {
            self.any()
        } else {
            self.good(cuda, (!cuda).then_some(host), !to)
        };
        let bytes = self.amount(room.min(other.room()));
        let offset = if self.random.chance(50) {
            0
        } else {
            self.random.below(room - bytes.min(room) + 1)
        };
        let mut copy = SymbolCopy {
            name: variable.name,
            symbol: variable.object.base,
            offset,
            other: 0,
            bytes,
            to_symbol: to,
            kind,
        };
        let mine = Pick {
            object: variable.object,
            start: variable.object.base,
        };
        let mut sides = if to {
            Sides {
                dst: mine,
                src: other,
                how: intent.name(),
            }
        } else {
            Sides {
                dst: other,
                src: mine,
                how: intent.name(),
            }
        };
        match intent {
            Intent::Valid => {
                if self.random.below(40) == 0 {
                    copy.bytes = 0;
                }
            }
            Intent::Near => self.nearly_symbol(&mut copy, &mut sides, room),
            Intent::Absurd => self.absurd_symbol(&mut copy, &mut sides),
        }
        let other = if to { sides.src } else { sides.dst };
        copy.other = other.start;
        (Action::Symbol(copy), sides)
    }

    fn nearly_symbol(&mut self, copy: &mut SymbolCopy, sides: &mut Sides, room: u64) {
        match self.random.below(14) {
            0 | 1 => {
                sides.how = "count past";
                copy.bytes = room - copy.offset + 1;
            }
            2 => {
                sides.how = "offset past";
                copy.offset = room - copy.bytes.min(room) + self.random.pick(&[1, 4]);
            }
            3 => {
                sides.how = "offset at the end";
                copy.offset = room;
                copy.bytes = self.random.pick(&[1, 4]);
            }
            4 => {
                sides.how = "offset before";
                copy.offset = 0_u64.wrapping_sub(self.random.pick(&[1, 4, 256]));
                copy.bytes = self.random.pick(&[1, 4, copy.bytes]);
            }
            5 => {
                sides.how = "offset in elements";
                copy.offset = copy.offset.saturating_mul(4);
            }
            6 => {
                sides.how = "count wraps";
                copy.offset = self.random.between(1, room);
                copy.bytes = 0_u64.wrapping_sub(self.random.between(1, copy.offset));
            }
            7 => {
                sides.how = "other kind";
                copy.kind = Kind::from_raw(self.random.pick(&[0, 1, 2, 3, 4]));
            }
            8 => {
                sides.how = "kind invalid";
                copy.kind = Kind::Invalid(self.random.pick(&INVALID_KINDS));
            }
            9 => {
                sides.how = "bad side";
                let bad = self.bad();
                *other(sides, copy) = bad;
            }
            10 => {
                sides.how = "other side past";
                copy.bytes = other(sides, copy).room() + 1;
            }
            11 if !copy.to_symbol => {
                sides.how = "dst not writable";
                sides.dst = self.pick(|one| !one.writable && one.side != Side::Bad);
                copy.bytes = copy.bytes.min(sides.dst.room());
            }
            11 => {
                sides.how = "exact";
                copy.offset = room - copy.bytes.min(room);
            }
            12 => {
                sides.how = "symbol null";
                let null = self.pick(|one| one.class == "null");
                self.nameless(copy, sides, null, 0);
            }
            _ => {
                sides.how = "no symbol";
                // A pointer where the variable was meant, the variable's own address on the device, or what lies
                // inside of the one that the program uses.
                let named = self.pick(|one| one.side != Side::Bad);
                let name = match self.random.below(10) {
                    0..3 => copy.name + 1,
                    // A word is read, and may be read in part.
                    3 | 4 => (named.object.base + named.object.bytes)
                        .wrapping_sub(self.random.between(1, 8)),
                    _ => named.object.base,
                };
                self.nameless(copy, sides, named, name);
            }
        }
    }

    fn absurd_symbol(&mut self, copy: &mut SymbolCopy, sides: &mut Sides) {
        match self.random.below(5) {
            0 => copy.bytes = self.random.pick(&ABSURD),
            1 => copy.offset = self.random.pick(&ABSURD),
            2 => copy.kind = Kind::Invalid(self.random.pick(&INVALID_KINDS)),
            3 => {
                sides.how = "no symbol";
                let named = self.bad_and_never_pinned();
                self.nameless(copy, sides, named, named.object.base);
            }
            _ => {}
        }
    }

    /// The name becomes one that no variable has; nothing else is looked at then.
    fn nameless(&self, copy: &mut SymbolCopy, sides: &mut Sides, named: Pick, name: u64) {
        let known = self.base.variables.iter().any(|one| one.name == name);
        if known {
            return;
        }
        copy.name = name;
        copy.symbol = 0;
        (sides.dst, sides.src) = (named, named);
    }
}

/// The side that is not the variable.
fn other<'a>(sides: &'a mut Sides, copy: &SymbolCopy) -> &'a mut Pick {
    if copy.to_symbol {
        &mut sides.src
    } else {
        &mut sides.dst
    }
}
