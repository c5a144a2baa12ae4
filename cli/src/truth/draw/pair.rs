//! What a second device adds: whose context is current, whose memory and streams, which devices are named.

use cuwhy_validate::call::{Action, PeerVolume, Place};
use cuwhy_validate::{Api, Call, Kind, Role};

use super::{Drawer, Intent, Pick, Sides};
use crate::truth::entry::{Entry, Shape};
use crate::truth::world::{Object, Side};

impl Drawer<'_> {
    /// Whether the device that does the work may use an object; not always asked of a wrong call.
    pub(super) fn usable(&mut self) -> impl Fn(&Object) -> bool + use<> {
        let one_device = self.base.second.is_none();
        let lax = !one_device && self.intent != Intent::Valid && self.random.chance(15);
        let shape = self.shape;
        let bit = 1 << self.worker;
        move |one| {
            lax || match shape {
                Shape::Peer | Shape::Peer3D => true,
                Shape::Fill(_) | Shape::FillRows(_) => one.fillers & bit != 0,
                _ => one.users & bit != 0,
            }
        }
    }

    /// The device that does the work: of fills and batches the stream's, of everything else the current one.
    pub(super) fn working(&self, stream: u64) -> u8 {
        let by_stream = matches!(
            self.shape,
            Shape::Fill(_) | Shape::FillRows(_) | Shape::Batch | Shape::Boxes
        );
        match &self.base.second {
            Some(second) if by_stream && stream > 2 => {
                u8::from([second.blocking, second.nonblocking].contains(&stream))
            }
            _ => self.current,
        }
    }

    /// Streams that a call may be put into.
    pub(super) fn created_streams(&self) -> Vec<(u64, &'static str)> {
        let mut streams = vec![
            (self.base.blocking, "blocking"),
            (self.base.nonblocking, "non-blocking"),
            (2, "per-thread"),
        ];
        if let Some(second) = &self.base.second {
            streams.push((second.blocking, "blocking_1"));
            streams.push((second.nonblocking, "non-blocking_1"));
        }
        streams
    }

    /// Streams that may capture while the call works in another one.
    pub(super) fn idle_streams(&self) -> Vec<u64> {
        let mut streams = vec![self.base.other, self.base.nonblocking];
        if let Some(second) = &self.base.second {
            streams.extend([second.other, second.nonblocking]);
        }
        streams
    }

    /// The devices that a right copy between devices names.
    pub(super) fn named_devices(&mut self, sides: &Sides) -> [i32; 2] {
        [sides.dst, sides.src].map(|pick| self.named_device(&pick))
    }

    fn named_device(&mut self, pick: &Pick) -> i32 {
        if self.base.second.is_none() {
            return self.device;
        }
        let object = &pick.object;
        let may = |device: u8| object.users & 1 << device != 0;
        let (own, other) = (object.device, 1 - object.device);
        let free = object.side != Side::Device || self.random.chance(15);
        if !may(own) || free && may(other) && self.random.chance(50) {
            other.into()
        } else {
            own.into()
        }
    }

    /// Whether an almost right call is to name other devices than it should.
    pub(super) fn names_others(&mut self) -> bool {
        self.base.second.is_some() && self.random.chance(25)
    }

    pub(super) fn other_devices(&mut self) -> [i32; 2] {
        self.random.pick(&[[0, 0], [0, 1], [1, 0], [1, 1]])
    }

    /// A copy of slices between devices, as one within a device is drawn.
    pub(super) fn peer_volume(
        &mut self,
        entry: &Entry,
        intent: Intent,
        element: &mut u64,
    ) -> Option<(Action, Sides)> {
        let (action, mut sides) = match entry.api {
            Api::Driver => self.structure(intent, true, true),
            Api::Runtime => self.parms(intent, element),
        };
        let Action::Copy3D(mut copy) = action else {
            return None;
        };
        copy.kind = Kind::Default;
        let [mut dst_device, mut src_device] = self.named_devices(&sides);
        match intent {
            Intent::Near if self.names_others() => {
                sides.how = "other devices";
                [dst_device, src_device] = self.other_devices();
            }
            Intent::Absurd if entry.api == Api::Runtime && self.random.chance(30) => {
                sides.how = "no such device";
                let wrong = self.random.pick(&[99, -1, 64]);
                *self
                    .random
                    .pick_mut(&mut [&mut dst_device, &mut src_device]) = wrong;
            }
            _ => {}
        }
        let peer = PeerVolume {
            copy,
            dst_device,
            src_device,
        };
        Some((Action::Peer3D(peer), sides))
    }

    /// Whether bytes go astray between the memories of two devices: a count or rows that wrap around, or offsets
    /// that nobody looks at. How that ends depends on whether a device reaches the other's memory, of which not all
    /// can be asked.
    pub(super) fn is_apart(&self, call: &Call, sides: &Sides) -> bool {
        if self.base.second.is_none() {
            return false;
        }
        let entries = call.entries();
        if !entries.is_empty() {
            return entries.iter().any(|entry| {
                let sides = self.sides_of(entry, sides.how);
                sides.is_some_and(|sides| self.is_apart(entry, &sides))
            });
        }
        let (dst, src) = (&sides.dst.object, &sides.src.object);
        // Something else may lie by now where memory was freed.
        let on_device = |one: &Object| one.side == Side::Device || one.class.ends_with("_freed");
        let on_devices = on_device(dst) && on_device(src);
        if !on_devices
            || matches!(call.action, Action::Fill(_))
            || self.is_one_devices(call, dst, src)
        {
            return false;
        }
        call.operands().iter().any(|operand| {
            let object = if operand.role == Role::Destination {
                dst
            } else {
                src
            };
            let moved = operand.base != operand.address;
            let leads_out = operand.address < object.base
                || operand
                    .end()
                    .is_none_or(|end| end > object.base + object.bytes);
            operand.end().is_none() || moved && leads_out
        })
    }

    /// Whether one device does all the work, on memory of its own: plain memory's own device works; with memory that
    /// is mapped handle by handle the one that is named, or else the current one where there is no other side.
    fn is_one_devices(&self, call: &Call, dst: &Object, src: &Object) -> bool {
        let named = call.action.named_devices();
        let mut workers = Vec::new();
        for (index, one) in [dst, src].into_iter().enumerate() {
            let by_handles = one.class.starts_with("virtual") || one.class.starts_with("pool");
            match named {
                _ if !by_handles => workers.push(i32::from(one.device)),
                Some(named) => workers.push(named[index]),
                None => {}
            }
        }
        let worker = workers.first().copied().unwrap_or(self.current.into());
        workers.iter().all(|other| *other == worker)
            && [dst, src].iter().all(|one| {
                let own = i32::from(one.device) == worker && one.users & 1 << one.device != 0;
                own && one.side == Side::Device
            })
    }

    /// What the sides of an entry of a batch are, as far as the world knows them.
    fn sides_of(&self, entry: &Call, how: &'static str) -> Option<Sides> {
        let in_memory = |address| {
            let object = self.holder(address)?;
            let start = address;
            Some(Pick { object, start })
        };
        let place = |place: &Place| match *place {
            Place::Memory { address, .. } => in_memory(address),
            Place::Array { handle, .. } => {
                let mut arrays = self.base.arrays.iter();
                arrays.find(|one| one.handle == handle).map(Self::as_pick)
            }
            _ => None,
        };
        let (dst, src) = match &entry.action {
            Action::Copy(copy) => (in_memory(copy.dst)?, in_memory(copy.src)?),
            Action::Copy3D(copy) => (place(&copy.dst)?, place(&copy.src)?),
            _ => return None,
        };
        Some(Sides { dst, src, how })
    }
}
