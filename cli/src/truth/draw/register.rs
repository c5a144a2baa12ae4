//! Registration and its end.

use cuwhy_validate::call::{Action, Register};

use super::{Drawer, Intent, Sides};
use crate::truth::world::{PAGE, Side};

impl Drawer<'_> {
    pub(super) fn register(&mut self, intent: Intent) -> (Action, Sides) {
        let mut one = self.pick(|one| one.class == "guarded");
        let mut bytes = self.random.between(1, one.room().max(1));
        let mut flags = u32::try_from(self.random.pick(&[0_u64, 0, 1, 2, 3])).unwrap_or(0);
        let mut how = intent.name();
        if intent != Intent::Valid {
            match self.random.below(9) {
                0 => {
                    how = "leaves mapping";
                    bytes = one.room() + 1;
                }
                1 => {
                    how = "readonly without flag";
                    one = self.pick(|one| one.class == "readonly");
                    bytes = one.room().max(1);
                }
                2 => {
                    how = "readonly with flag";
                    one = self.pick(|one| one.class == "readonly");
                    bytes = one.room().max(1);
                    flags = 8;
                }
                3 => {
                    how = "again";
                    one = self.pick(|one| one.class.starts_with("registered"));
                    bytes = one.room().max(1);
                }
                4 => {
                    how = "overlaps";
                    one = self.pick(|one| one.class == "beside_registered");
                    bytes = one.room() + self.random.between(0, PAGE);
                }
                5 => {
                    how = "cuda memory";
                    one = self.pick(|one| {
                        matches!(one.side, Side::Device)
                            || matches!(one.class, "pinned" | "managed")
                    });
                    bytes = one.room().clamp(1, 4096);
                }
                6 => {
                    how = "bad";
                    one = self.bad_and_never_pinned();
                    bytes = 64;
                }
                7 => {
                    how = "size 0";
                    bytes = 0;
                }
                _ => {
                    how = "null";
                    one.start = 0;
                }
            }
        }
        let sides = Sides {
            dst: one,
            src: one,
            how,
        };
        let register = Register {
            address: one.start,
            bytes,
            flags,
        };
        (Action::Register(register), sides)
    }

    pub(super) fn unregister(&mut self, intent: Intent) -> (Action, Sides) {
        let mut one = self.pick(|one| one.class.starts_with("registered"));
        one.start = one.object.base;
        let mut how = intent.name();
        if intent != Intent::Valid {
            match self.random.below(5) {
                0 => {
                    how = "inner";
                    one.start += self
                        .random
                        .between(1, one.object.bytes.saturating_sub(1).max(1));
                }
                1 => {
                    how = "never";
                    one = self.pick(|one| matches!(one.class, "guarded" | "heap" | "readonly"));
                }
                2 => {
                    how = "cuda memory";
                    one = self.pick(|one| {
                        matches!(one.side, Side::Device)
                            || matches!(one.class, "pinned" | "managed")
                    });
                }
                3 => {
                    how = "bad";
                    one = self.bad_and_never_pinned();
                }
                _ => {
                    how = "page start";
                    one = self.pick(|one| one.class == "registered_part");
                    one.start = one.object.base & !(PAGE - 1);
                }
            }
        }
        let sides = Sides {
            dst: one,
            src: one,
            how,
        };
        (Action::Unregister { address: one.start }, sides)
    }
}
