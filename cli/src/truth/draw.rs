//! Draws one call over the memory of a world: right, almost right, or absurd.

mod array;
mod array_forms;
mod boxed;
mod boxes_batch;
mod fill;
mod flip;
mod line;
mod pair;
mod pick;
mod register;
mod rows;
mod symbol;
mod tame;

use cuwhy_validate::call::Place;
use cuwhy_validate::{Api, Call, Order, Site, Stream};

use super::entry::{ENTRIES, Entry, PAIRS, Shape};
use super::random::Random;
use super::world::{Base, Object, World};

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
    /// The device whose context is current.
    pub(super) current: u8,
    pub(super) dst: String,
    pub(super) src: String,
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
    /// The functions to choose from; all where none is named.
    pub(super) only: &'a [String],
    pub(super) device: i32,
    /// What is being drawn: the device that will be current, the one that will do the work, the intent, the shape of
    /// the arguments.
    pub(super) current: u8,
    pub(super) worker: u8,
    pub(super) intent: Intent,
    pub(super) shape: Shape,
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
            self.intent = intent;
            self.shape = entry.shape;
            if self.base.second.is_some() {
                // A variable's name means another one on each device.
                let by_name = matches!(entry.shape, Shape::Symbol { .. });
                self.current = u8::from(self.random.chance(50) && !by_name);
            }
            if let Some(drawn) = self.call(entry, intent) {
                return drawn;
            }
        }
    }

    fn entry(&mut self) -> &'static Entry {
        let pairs = if self.base.second.is_some() {
            PAIRS
        } else {
            &[]
        };
        let entries = || ENTRIES.iter().chain(pairs);
        loop {
            let all: u64 = entries().map(|entry| entry.weight).sum();
            let mut at = self.random.below(all);
            for entry in entries() {
                if at < entry.weight {
                    if !entry.is_wanted(self.only, self.has_runtime, self.has_batch) {
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
        // Of two devices that of the stream may be the one that works.
        let before = self
            .base
            .second
            .is_some()
            .then(|| self.stream(entry, intent));
        self.worker = self.working(before.map_or(0, |(stream, _)| stream));
        let (action, sides) = match entry.shape {
            Shape::Line => self.line(entry, intent),
            Shape::Rows => self.rows(intent),
            Shape::Struct2D => self.structure(intent, false, true),
            Shape::Struct3D => self.structure(intent, true, true),
            Shape::Parms3D => self.parms(intent, &mut element),
            Shape::ArrayLine { to, from } => self.array_line(entry, intent, to, from),
            Shape::ArrayRows { to, from } => self.array_rows(intent, to, from),
            Shape::Symbol { to } => self.symbol(intent, to),
            Shape::Peer => self.peer(entry, intent),
            Shape::Peer3D => self.peer_volume(entry, intent, &mut element)?,
            Shape::Batch => self.batch(intent),
            Shape::Boxes => self.boxes(intent, &mut element),
            Shape::Fill(element) => self.fill(intent, element, false),
            Shape::FillRows(element) => self.fill(intent, element, true),
            Shape::Register => self.register(intent),
            Shape::Unregister => self.unregister(intent),
        };
        let (stream, stream_name) = before.unwrap_or_else(|| self.stream(entry, intent));
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
            current: self.current,
            dst: sides.dst.object.label(),
            src: sides.src.object.label(),
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
            let created = !matches!(drawn.stream, 0..=2);
            // A right call is not made wrong by a blocking capture: it captures itself, or waits
            // for nobody.
            let stream = if created && self.random.chance(70) {
                drawn.stream
            } else if odd {
                let idle = self.idle_streams();
                self.random.pick(&idle)
            } else {
                self.base.nonblocking
            };
            drawn.capturing = Some(Capturing { stream, mode });
        } else if drawn.entry.api == Api::Driver {
            // In a created stream the stream's own context counts, and a right call stays right, but for batches.
            let created = !matches!(drawn.stream, 0..=2);
            let right = created && !drawn.entry.shape.is_batch();
            drawn.contextless = (odd || right) && self.random.chance(5);
            // What the stream's device may do with the other's memory nobody can ask then.
            drawn.contextless &= !(created && self.base.second.is_some());
        }
    }

    fn stream(&mut self, entry: &Entry, intent: Intent) -> (u64, &'static str) {
        if !entry.stream {
            return (0, "-");
        }
        let created = self.created_streams();
        if intent == Intent::Absurd && self.random.below(150) == 0 {
            return (self.base.doomed_stream(), "dead");
        }
        let batch = entry.shape.is_batch();
        let default = if batch { 15 } else { 40 };
        if self.random.chance(default) && (!batch || intent != Intent::Valid) {
            return self.random.pick(&[(0, "0"), (0, "0"), (1, "legacy")]);
        }
        self.random.pick(&created)
    }
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
