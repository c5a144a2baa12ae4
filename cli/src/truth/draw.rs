//! Draws one call over the memory of a world: right, almost right, or absurd.

use cuwhy_validate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Fill, Linear, Peer, Place, Plane, Register,
    Side as Named, Volume,
};
use cuwhy_validate::{Api, Call, Kind, Operand, Order, Role, Site, Stream};

use super::entry::{ENTRIES, Entry, Shape};
use super::random::Random;
use super::world::{Array, Base, Object, PAGE, Side, World};

/// What a case was drawn to be. What CUDA thinks of it is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Valid,
    Near,
    Absurd,
}

impl Intent {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Near => "near",
            Self::Absurd => "absurd",
        }
    }
}

/// A capture that is under way during the call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capturing {
    pub(super) stream: u64,
    pub(super) mode: u32,
}

/// A case.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) entry: &'static Entry,
    pub(super) call: Call,
    pub(super) stream: u64,
    pub(super) stream_name: &'static str,
    pub(super) capturing: Option<Capturing>,
    pub(super) contextless: bool,
    pub(super) dst: &'static str,
    pub(super) src: &'static str,
    pub(super) intent: Intent,
    pub(super) how: &'static str,
    pub(super) element: u64,
    /// Whether a fault may be mended: both sides end inside of their fences.
    pub(super) mend: bool,
}

/// A place in an object.
#[derive(Debug, Clone, Copy)]
struct Pick {
    object: Object,
    start: u64,
}

impl Pick {
    fn room(&self) -> u64 {
        self.object
            .base
            .saturating_add(self.object.bytes)
            .saturating_sub(self.start)
    }

    fn offset(&self) -> u64 {
        self.start.wrapping_sub(self.object.base)
    }
}

/// Both sides of a call, and what is to be said of how they were made wrong.
#[derive(Debug, Clone, Copy)]
struct Sides {
    dst: Pick,
    src: Pick,
    how: &'static str,
}

pub(super) struct Drawer<'a> {
    pub(super) base: &'a mut Base,
    pub(super) world: &'a World,
    pub(super) random: Random,
    pub(super) has_runtime: bool,
    pub(super) has_batch: bool,
    pub(super) device: i32,
}

const INVALID_KINDS: [i32; 4] = [5, -1, 9, 100];
const ABSURD: [u64; 12] = [
    1,
    4,
    4096,
    1 << 20,
    1 << 31,
    (1 << 32) + 4,
    1 << 40,
    1 << 47,
    1 << 63,
    u64::MAX,
    u64::MAX - 3,
    0xffff_ffff_8000_0000,
];

impl Drawer<'_> {
    /// Draws the case.
    pub(super) fn draw(&mut self) -> Drawn {
        loop {
            let entry = self.entry();
            let intent = match self.random.below(100) {
                0..53 => Intent::Valid,
                53..90 => Intent::Near,
                _ => Intent::Absurd,
            };
            if let Some(drawn) = self.call(entry, intent) {
                return drawn;
            }
        }
    }

    fn entry(&mut self) -> &'static Entry {
        loop {
            let all: u64 = ENTRIES.iter().map(|entry| entry.weight).sum();
            let mut at = self.random.below(all);
            for entry in ENTRIES {
                if at < entry.weight {
                    let runtime = entry.api == Api::Runtime;
                    let batch = entry.shape == Shape::Batch;
                    if runtime && (!self.has_runtime || batch && !self.has_batch) {
                        break;
                    }
                    return entry;
                }
                at -= entry.weight;
            }
        }
    }

    fn call(&mut self, entry: &'static Entry, intent: Intent) -> Option<Drawn> {
        let mut element = 1;
        let (action, sides) = match entry.shape {
            Shape::Line => self.line(entry, intent),
            Shape::Rows => self.rows(intent),
            Shape::Struct2D => self.structure(intent, false, true),
            Shape::Struct3D => self.structure(intent, true, true),
            Shape::Parms3D => self.parms(intent, &mut element),
            Shape::ArrayLine { to, from } => self.array_line(entry, intent, to, from),
            Shape::ArrayRows { to, from } => self.array_rows(intent, to, from),
            Shape::Peer => self.peer(entry, intent),
            Shape::Batch => self.batch(intent),
            Shape::Fill(element) => self.fill(intent, element, false),
            Shape::FillRows(element) => self.fill(intent, element, true),
            Shape::Register => self.register(intent),
            Shape::Unregister => self.unregister(intent),
        };
        let (stream, stream_name) = self.stream(entry, intent);
        let how = sides.how;
        let call = Call {
            function: entry.name.trim_end_matches("_v2"),
            api: entry.api,
            action,
            order: if entry.stream {
                Order::Async(Stream::from_raw(stream, Stream::Legacy))
            } else {
                Order::Synchronous(Stream::Legacy)
            },
            site: Site::Unknown,
        };
        let moves = !matches!(entry.shape, Shape::Register | Shape::Unregister);
        let mut drawn = Drawn {
            entry,
            call,
            stream,
            stream_name,
            capturing: None,
            contextless: false,
            dst: sides.dst.object.class,
            src: sides.src.object.class,
            intent,
            how,
            element,
            mend: false,
        };
        if stream_name != "dead" && moves {
            self.surroundings(&mut drawn);
        }
        drawn.mend = self.tame(&drawn.call, &sides)?;
        Some(drawn)
    }

    /// What is around the call: captures, and whether a context is current.
    fn surroundings(&mut self, drawn: &mut Drawn) {
        let odd = drawn.intent != Intent::Valid;
        if self.random.chance(if odd { 12 } else { 6 }) {
            let mode = u32::try_from(self.random.below(3)).unwrap_or(0);
            let created =
                drawn.stream == self.base.blocking || drawn.stream == self.base.nonblocking;
            // A right call is not made wrong by a blocking capture: it captures itself, or waits
            // for nobody.
            let stream = if created && self.random.chance(70) {
                drawn.stream
            } else if odd {
                self.random.pick(&[self.base.other, self.base.nonblocking])
            } else {
                self.base.nonblocking
            };
            drawn.capturing = Some(Capturing { stream, mode });
        } else if odd && drawn.entry.api == Api::Driver && self.random.chance(5) {
            // In a created stream the stream's own context counts, and some of the driver's own
            // refusals crash there.
            let created = !matches!(drawn.stream, 0..=2);
            drawn.contextless = !created;
        }
    }

    fn stream(&mut self, entry: &Entry, intent: Intent) -> (u64, &'static str) {
        if !entry.stream {
            return (0, "-");
        }
        let created = [
            (self.base.blocking, "blocking"),
            (self.base.nonblocking, "non-blocking"),
            (2, "per-thread"),
        ];
        if intent == Intent::Absurd && self.random.below(150) == 0 {
            return (self.base.doomed_stream(), "dead");
        }
        let default = if entry.shape == Shape::Batch { 15 } else { 40 };
        if self.random.chance(default) && (entry.shape != Shape::Batch || intent != Intent::Valid) {
            return self.random.pick(&[(0, "0"), (0, "0"), (1, "legacy")]);
        }
        self.random.pick(&created)
    }

    /// Whether the call can be made without harm to this process's other memory; if so, whether a
    /// fault may be mended.
    fn tame(&self, call: &Call, sides: &Sides) -> Option<bool> {
        let mut mend = true;
        let mut check = |call: &Call, sides: Option<&Sides>| {
            for operand in call.operands() {
                let writes = operand.role == Role::Destination;
                let end = operand.end();
                let known = sides.map(|sides| {
                    if writes {
                        sides.dst.object
                    } else {
                        sides.src.object
                    }
                });
                let object = known.or_else(|| self.holder(operand.address))?;
                let demanded = operand.demand == cuwhy_validate::call::Demand::Cuda;
                if is_beyond_telling(call, &operand, &object) {
                    return None;
                }
                // Rows of host memory that are spread over the whole address space.
                if object.fence.is_some() && !operand.shape.is_line() && end.is_none() {
                    return None;
                }
                // Accepted, and never done in anybody's life.
                if operand.shape.payload() > 1 << 33
                    && (operand.shape.rows > 1 || operand.shape.slices > 1)
                    && operand.shape.extent().is_none()
                {
                    return None;
                }
                match object.fence {
                    Some(fence) => {
                        let inside = operand.address >= fence.start
                            && end.is_some_and(|end| end <= fence.end);
                        mend &= inside;
                        let dies = fence.guarded
                            && operand.shape.is_line()
                            && operand.address >= fence.start
                            && end.is_none_or(|end| end.saturating_sub(fence.end) >= 1 << 40);
                        if writes && !inside && !dies && !demanded {
                            return None;
                        }
                    }
                    None if writes && !demanded && object.side == Side::Both => {
                        let range = object.base..object.base.saturating_add(object.bytes);
                        if !range.contains(&operand.address) {
                            return None;
                        }
                    }
                    None if writes && !demanded && object.class == "pinned_freed" => return None,
                    None => {}
                }
            }
            Some(())
        };
        if let Action::Batch(batch) = &call.action {
            for entry in &batch.entries {
                check(&call.entry(entry), None)?;
            }
        } else {
            check(call, Some(sides))?;
        }
        Some(mend)
    }

    /// The object that an address lies in, or near.
    fn holder(&self, address: u64) -> Option<Object> {
        let near = |object: &&Object| {
            let (start, end) = object.fence.map_or(
                (
                    object.base.saturating_sub(16),
                    object.base.saturating_add(object.bytes),
                ),
                |fence| (fence.start, fence.end),
            );
            address == object.base || (start..=end).contains(&address)
        };
        let exact = |object: &&Object| {
            (object.base..object.base.saturating_add(object.bytes)).contains(&address)
        };
        let objects = &self.world.objects;
        objects
            .iter()
            .find(exact)
            .or_else(|| objects.iter().find(near))
            .copied()
    }

    // What is drawn from.

    fn pick(&mut self, suits: impl Fn(&Object) -> bool) -> Pick {
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
    fn good(&mut self, demanded: bool, natural: Option<Side>, writes: bool) -> Pick {
        let natural = natural.filter(|_| self.random.chance(70));
        self.pick(|one| {
            one.side != Side::Bad
                && (!writes || one.writable)
                && (!demanded || one.side != Side::Host)
                && natural.is_none_or(|side| one.side == side)
        })
    }

    fn bad(&mut self) -> Pick {
        // Garbage kills the process when it is touched: rarely.
        let garbage = self.random.chance(5);
        self.pick(|one| one.side == Side::Bad && (one.class == "garbage") == garbage)
    }

    /// Freed page-locked memory may still be registered by the driver itself.
    fn bad_and_never_pinned(&mut self) -> Pick {
        self.pick(|one| one.side == Side::Bad && one.class != "pinned_freed")
    }

    fn any(&mut self) -> Pick {
        if self.random.chance(25) {
            return self.bad();
        }
        self.pick(|one| one.side != Side::Bad)
    }

    fn sides(&mut self, kind: Kind, intent: Intent) -> Sides {
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

    fn amount(&mut self, room: u64) -> u64 {
        let room = room.max(1);
        match self.random.below(10) {
            0..3 => room.min(256 << 10),
            3 => 1,
            4..6 => room.min(4),
            6 => self.random.between(1, room.min(100)),
            _ => self.random.between(1, room.min(64 << 10)),
        }
    }

    fn kind(&mut self, intent: Intent) -> Kind {
        if intent == Intent::Absurd && self.random.chance(15) {
            return Kind::Invalid(self.random.pick(&INVALID_KINDS));
        }
        let raw = self.random.pick(&[0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4]);
        Kind::from_raw(raw)
    }

    // The forms.

    fn line(&mut self, entry: &Entry, intent: Intent) -> (Action, Sides) {
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

    fn nearly(&mut self, copy: &mut Linear, sides: &mut Sides, fixed: bool) {
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
    fn wrapped(&mut self, copy: &mut Linear, sides: &mut Sides) {
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

    /// Rows that fit: rows to skip, pitch, bytes to skip, width; for `height` rows.
    fn grid(&mut self, room: u64, height: u64, skips: bool) -> (u64, u64, u64, u64) {
        let y = if skips && self.random.chance(40) {
            self.random.below(3)
        } else {
            0
        };
        let pitch = (room / (height + y).max(1)).clamp(1, 32 << 10);
        let pitch = if self.random.chance(50) {
            self.random.between(1, pitch)
        } else {
            pitch
        };
        let x = if skips && self.random.chance(40) {
            self.random.below(pitch.min(64))
        } else {
            0
        };
        (y, pitch, x, pitch - x)
    }

    fn height(&mut self, room: u64) -> u64 {
        let most = room.clamp(1, 8);
        self.random.between(1, most)
    }

    fn rows(&mut self, intent: Intent) -> (Action, Sides) {
        let kind = self.kind(intent);
        let mut sides = self.sides(kind, intent);
        let height = self.height(sides.dst.room().min(sides.src.room()));
        let (_, dst_pitch, _, one) = self.grid(sides.dst.room(), height, false);
        let (_, src_pitch, _, two) = self.grid(sides.src.room(), height, false);
        let mut copy = Plane {
            dst: 0,
            dst_pitch,
            src: 0,
            src_pitch,
            width: self.random.between(1, one.min(two)),
            height,
            kind,
        };
        match intent {
            Intent::Valid => {
                if self.random.below(40) == 0 {
                    *self
                        .random
                        .pick_mut(&mut [&mut copy.width, &mut copy.height]) = 0;
                }
            }
            Intent::Near => self.nearly_rows(&mut copy, &mut sides),
            Intent::Absurd => {
                let value = self.random.pick(&ABSURD);
                match self.random.below(5) {
                    0 => copy.width = value,
                    1 => copy.height = value,
                    2 => copy.dst_pitch = value,
                    3 => copy.src_pitch = value,
                    _ => {}
                }
            }
        }
        copy.dst = sides.dst.start;
        copy.src = sides.src.start;
        (Action::Copy2D(copy), sides)
    }

    fn nearly_rows(&mut self, copy: &mut Plane, sides: &mut Sides) {
        match self.random.below(17) {
            0 => {
                sides.how = "dpitch < width";
                copy.dst_pitch = copy.width.saturating_sub(self.random.pick(&[1, 4]));
            }
            1 => {
                sides.how = "spitch < width";
                copy.src_pitch = copy.width.saturating_sub(self.random.pick(&[1, 4]));
            }
            2 => {
                sides.how = "dpitch in elements";
                copy.dst_pitch /= 4;
            }
            3 => {
                sides.how = "spitch in elements";
                copy.src_pitch /= 4;
            }
            4 => {
                sides.how = "pitch 0";
                *self
                    .random
                    .pick_mut(&mut [&mut copy.dst_pitch, &mut copy.src_pitch]) = 0;
            }
            5 | 6 => {
                sides.how = "row past";
                copy.height += self.random.between(1, 3);
            }
            7 | 8 => {
                let to = self.random.chance(50);
                let side = if to { sides.dst } else { sides.src };
                sides.how = if to {
                    "last row past dst"
                } else {
                    "last row past src"
                };
                let pitch = if to { copy.dst_pitch } else { copy.src_pitch };
                let last = side.room().saturating_sub(pitch * (copy.height - 1));
                copy.width = last + 1;
                copy.dst_pitch = copy.dst_pitch.max(copy.width);
                copy.src_pitch = copy.src_pitch.max(copy.width);
                if to {
                    copy.dst_pitch = pitch.max(copy.width);
                }
            }
            9 | 10 => {
                sides.how = "swapped";
                core::mem::swap(&mut sides.dst, &mut sides.src);
                core::mem::swap(&mut copy.dst_pitch, &mut copy.src_pitch);
            }
            11 => {
                sides.how = "other kind";
                copy.kind = Kind::from_raw(self.random.pick(&[0, 1, 2, 3, 4]));
            }
            12 => {
                sides.how = "kind invalid";
                copy.kind = Kind::Invalid(self.random.pick(&INVALID_KINDS));
            }
            13 => {
                sides.how = "bad dst";
                sides.dst = self.bad();
            }
            14 => {
                sides.how = "bad src";
                sides.src = self.bad();
            }
            15 => {
                sides.how = "large pitch, one row";
                copy.height = 1;
                *self
                    .random
                    .pick_mut(&mut [&mut copy.dst_pitch, &mut copy.src_pitch]) =
                    self.random.pick(&[1 << 31, (1 << 31) - 1, 1 << 40]);
            }
            _ => {
                sides.how = "before dst";
                sides.dst.start = sides.dst.object.base.wrapping_sub(4);
            }
        }
    }

    /// The side of the driver's structures that fits an object.
    fn named(&mut self, object: &Object) -> Named {
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

    fn structure(&mut self, intent: Intent, deep: bool, driver: bool) -> (Action, Sides) {
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

    fn nearly_boxed(&mut self, copy: &mut Volume, sides: &mut Sides, driver: bool) {
        let to = self.random.chance(50);
        let value = self.random.pick(&[1_u64, 4]);
        let width = copy.width;
        let place = if to { &mut copy.dst } else { &mut copy.src };
        match self.random.below(13) {
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

    fn array(&mut self) -> Array {
        let arrays = self.base.arrays.clone();
        self.random.pick(&arrays)
    }

    /// What stands for an array among the sides.
    fn as_pick(array: &Array) -> Pick {
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
    fn region(&mut self, array: &Array, deep: bool) -> (Place, u64, u64, u64) {
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

    fn structure_with_array(&mut self, intent: Intent, deep: bool) -> (Action, Sides) {
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

    fn array_sides(&self, array: &Array, other: Pick, into: bool, intent: Intent) -> Sides {
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
    fn room_for(&mut self, bytes: u64, writes: bool, intent: Intent) -> Pick {
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

    fn nearly_array(&mut self, copy: &mut Volume, sides: &mut Sides, array: &Array, into: bool) {
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

    fn array_line(
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

    fn array_rows(&mut self, intent: Intent, to: bool, from: bool) -> (Action, Sides) {
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

    fn parms(&mut self, intent: Intent, element: &mut u64) -> (Action, Sides) {
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

    fn peer(&mut self, entry: &Entry, intent: Intent) -> (Action, Sides) {
        let mut sides = self.sides(Kind::DeviceToDevice, intent);
        let mut copy = Linear {
            dst: 0,
            src: 0,
            bytes: self.amount(sides.dst.room().min(sides.src.room())),
            kind: Kind::DeviceToDevice,
        };
        let (mut to, mut from) = (self.device, self.device);
        match intent {
            Intent::Valid => {}
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

    fn batch(&mut self, intent: Intent) -> (Action, Sides) {
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

    fn fill(&mut self, intent: Intent, element: u64, rows: bool) -> (Action, Sides) {
        let how = intent.name();
        let mut dst = match intent {
            Intent::Absurd => self.any(),
            _ => {
                let element = if intent == Intent::Valid { element } else { 1 };
                let mut pick = self.good(true, Some(Side::Device), true);
                for _ in 0..40 {
                    if pick.room() >= element && pick.start.is_multiple_of(element) {
                        break;
                    }
                    pick = self.good(true, Some(Side::Device), true);
                    pick.start -= pick.start % element.min(pick.object.base.max(1) & 3).max(1);
                }
                pick
            }
        };
        if intent == Intent::Valid && !dst.start.is_multiple_of(element) {
            dst.start = dst.object.base;
        }
        let room = dst.room();
        let mut sides = Sides { dst, src: dst, how };
        let mut fill = Fill {
            dst: 0,
            pitch: 0,
            value: u32::from_le_bytes([0x5a, 1, 2, 3]),
            element,
            width: (self.amount(room) / element)
                .max(1)
                .min((room / element).max(1)),
            height: 1,
        };
        if rows {
            fill.height = self.height(room / element);
            let pitch = room / fill.height.max(1);
            let pitch = (pitch - pitch % element).clamp(element, 32 << 10);
            fill.pitch = pitch;
            fill.width = self.random.between(1, (pitch / element).max(1));
        }
        if intent == Intent::Near {
            self.nearly_filled(&mut fill, &mut sides, rows);
        } else if intent == Intent::Absurd && self.random.chance(50) {
            let value = self.random.pick(&ABSURD);
            match self.random.below(3) {
                0 => fill.width = value,
                1 if rows => fill.height = value,
                _ => fill.pitch = value,
            }
        }
        fill.dst = sides.dst.start;
        sides.src = sides.dst;
        (Action::Fill(fill), sides)
    }

    fn nearly_filled(&mut self, fill: &mut Fill, sides: &mut Sides, rows: bool) {
        match self.random.below(10) {
            0 => {
                sides.how = "dst+1";
                fill.width = sides.dst.room() / fill.element + 1;
            }
            1 => {
                sides.how = "width in bytes";
                fill.width = fill.width.saturating_mul(4);
            }
            2 => {
                sides.how = "misaligned";
                sides.dst.start += self.random.between(1, 3);
            }
            3 | 4 => {
                sides.how = "bad dst";
                sides.dst = self.bad();
            }
            5 => {
                sides.how = "host";
                sides.dst = self.pick(|one| one.side == Side::Host);
            }
            6 => {
                sides.how = "not writable";
                sides.dst = self.pick(|one| !one.writable && one.side != Side::Bad);
            }
            7 if rows => {
                sides.how = "pitch < width";
                fill.pitch = (fill.width * fill.element).saturating_sub(fill.element.max(1));
            }
            8 if rows => {
                sides.how = "pitch odd";
                fill.pitch += self.random.between(1, 3);
            }
            9 if rows => {
                sides.how = "row past";
                fill.height += self.random.between(1, 2);
            }
            7 => {
                sides.how = "count 0";
                fill.width = 0;
            }
            _ => {
                sides.how = "exact";
                fill.width = (sides.dst.room() / fill.element).max(1);
                fill.height = 1;
            }
        }
    }

    fn register(&mut self, intent: Intent) -> (Action, Sides) {
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

    fn unregister(&mut self, intent: Intent) -> (Action, Sides) {
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

/// What nobody can tell before the call, because it depends on what nobody can ask.
fn is_beyond_telling(call: &Call, operand: &Operand, object: &Object) -> bool {
    const ENDLESS: u64 = 1 << 46;
    const SMALL: u64 = 64 << 10;
    let shape = &operand.shape;
    // The C library's heap grows and shrinks while the driver works.
    if shape.width >= ENDLESS && object.class == "heap" {
        return true;
    }
    // One row at an offset of 2^63: a method of the hardware cuts addresses off at one place or another.
    if shape.is_line() && operand.address.wrapping_sub(operand.base) == 1 << 63 {
        return true;
    }
    // What goes to a device within the driver's commands goes to any place, aligned or not, and this decides
    // which of two closed pages is touched first.
    let known = object.side != Side::Bad
        && (object.base..object.base.saturating_add(object.bytes)).contains(&operand.address);
    let last = operand.address % PAGE > PAGE - 16;
    if operand.role == Role::Source && !known && last && (64..=SMALL).contains(&shape.width) {
        return !matches!(call.action, Action::Fill(_));
    }
    // Rows that run backwards, out of the memory that is mapped together with theirs.
    let back = shape
        .pitch
        .wrapping_neg()
        .saturating_mul(shape.rows.saturating_sub(1))
        .saturating_add(
            shape
                .slice_pitch
                .wrapping_neg()
                .saturating_mul(shape.slices.saturating_sub(1)),
        );
    if object.fence.is_none() && shape.rows > 1 && back > 0 && back < 1 << 30 {
        let together = match object.side {
            Side::Device if object.class.starts_with("pool") => 32 << 20,
            Side::Device if !object.class.starts_with("virtual") => 2 << 20,
            _ => 1,
        };
        let first = object.base - object.base % together;
        return operand.address.wrapping_sub(first) < back;
    }
    false
}

/// Changes address, pitch, x and y of a place in memory.
fn set(place: &mut Place, change: impl FnOnce(&mut u64, &mut u64, &mut u64, &mut u64)) {
    if let Place::Memory {
        address,
        pitch,
        x,
        y,
        ..
    } = place
    {
        change(address, pitch, x, y);
    }
}
