//! Objects, and places in them.

use cuwhy_validate::Kind;

use super::{Drawer, INVALID_KINDS, Intent, Pick, Sides};
use crate::truth::entry::Shape;
use crate::truth::world::{Object, Side};

impl Drawer<'_> {
    pub(super) fn pick(&mut self, suits: impl Fn(&Object) -> bool) -> Pick {
        let suitable: Vec<Object> = self
            .world
            .objects
            .iter()
            .filter(|one| suits(one))
            .copied()
            .collect();
        let object = if suitable.is_empty() {
            self.world.objects[0]
        } else {
            self.random.pick(&suitable)
        };
        let last = object.bytes.saturating_sub(1);
        let offset = match self.random.below(100) {
            0..50 => 0,
            50..70 => self.random.below(last.saturating_add(1)) & !3,
            70..85 => self.random.below(last.saturating_add(1)),
            85..95 => last & !3,
            _ => last,
        };
        Pick {
            object,
            start: object.base.wrapping_add(offset.min(last)),
        }
    }

    /// A side that CUDA accepts.
    pub(super) fn good(&mut self, demanded: bool, natural: Option<Side>, writes: bool) -> Pick {
        let natural = natural.filter(|_| self.random.chance(70));
        let usable = self.usable();
        self.pick(|one| {
            one.side != Side::Bad
                && usable(one)
                && (!writes || one.writable)
                && (!demanded || one.side != Side::Host)
                && natural.is_none_or(|side| one.side == side)
        })
    }

    pub(super) fn bad(&mut self) -> Pick {
        // Garbage kills the process when it is touched: rarely.
        let garbage = self.random.chance(5);
        self.pick(|one| one.side == Side::Bad && (one.class == "garbage") == garbage)
    }

    /// Freed page-locked memory may still be registered by the driver itself.
    pub(super) fn bad_and_never_pinned(&mut self) -> Pick {
        self.pick(|one| one.side == Side::Bad && one.class != "pinned_freed")
    }

    pub(super) fn any(&mut self) -> Pick {
        if self.random.chance(25) {
            return self.bad();
        }
        self.pick(|one| one.side != Side::Bad)
    }

    pub(super) fn sides(&mut self, kind: Kind, intent: Intent) -> Sides {
        let how = intent.name();
        if intent == Intent::Absurd {
            let (dst, src) = (self.any(), self.any());
            return Sides { dst, src, how };
        }
        let (host, device) = (Some(Side::Host), Some(Side::Device));
        let (to, from, to_cuda, from_cuda) = match kind {
            Kind::HostToHost => (host, host, false, false),
            Kind::HostToDevice => (device, host, true, false),
            Kind::DeviceToHost => (host, device, false, true),
            Kind::DeviceToDevice => (device, device, true, true),
            Kind::Default | Kind::Invalid(_) => (None, None, false, false),
        };
        let dst = self.good(to_cuda, to, true);
        let src = self.good(from_cuda, from, false);
        Sides { dst, src, how }
    }

    pub(super) fn amount(&mut self, room: u64) -> u64 {
        let room = room.max(1);
        match self.random.below(10) {
            0..3 => room.min(256 << 10),
            3 => 1,
            4..6 => room.min(4),
            6 => self.random.between(1, room.min(100)),
            _ => self.random.between(1, room.min(64 << 10)),
        }
    }

    pub(super) fn kind(&mut self, intent: Intent) -> Kind {
        if self.shape == Shape::Peer3D {
            // It has none; this is how its sides are chosen.
            let (device, any) = (Kind::DeviceToDevice, Kind::Default);
            return self.random.pick(&[device, device, any]);
        }
        if intent == Intent::Absurd && self.random.chance(15) {
            return Kind::Invalid(self.random.pick(&INVALID_KINDS));
        }
        let raw = self.random.pick(&[0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4]);
        Kind::from_raw(raw)
    }
}
