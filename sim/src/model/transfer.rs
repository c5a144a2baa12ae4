//! Moving bytes: a box of rows and slices from one side to another.

use std::sync::Arc;

use super::bytes::{self, Fault, Foreign};
use super::code::{Code, Outcome};
use super::mapping::{Mapping, PAGE, Use};
use super::object::Ordinal;
use super::operand::{Operand, Piece};

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes in a row.
    pub(crate) width: usize,
    /// Rows in a slice.
    pub(crate) height: usize,
    pub(crate) depth: usize,
}

impl Shape {
    /// One row.
    pub(crate) const fn line(width: usize) -> Self {
        Self {
            width,
            height: 1,
            depth: 1,
        }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0 || self.depth == 0
    }

    /// Bytes from the first to the last, counted as the driver counts: it may wrap.
    pub(crate) const fn extent(self, pitch: usize, slice: usize) -> usize {
        if self.is_empty() {
            return 0;
        }
        let rows = pitch.wrapping_mul(self.height - 1);
        let slices = slice.wrapping_mul(self.depth - 1);
        rows.wrapping_add(slices).wrapping_add(self.width)
    }
}

/// One side, laid out.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) pieces: Vec<Piece>,
    /// First byte, counted from the first piece.
    pub(crate) offset: usize,
    /// From row to row.
    pub(crate) pitch: usize,
    /// From slice to slice.
    pub(crate) slice: usize,
    pub(crate) pageable: bool,
    /// Memory of the host, pageable or not.
    pub(crate) host: bool,
    /// Lives on a device, where the program cannot look.
    pub(crate) remote: bool,
    /// The device, where it matters.
    pub(crate) device: Option<Ordinal>,
    /// Is an array.
    pub(crate) array: bool,
}

impl Side {
    /// `skipped` bytes lie between the address that was looked up and the first byte.
    pub(crate) fn of(operand: Operand, skipped: usize, pitch: usize, slice: usize) -> Self {
        Self {
            pageable: operand.is_pageable(),
            host: operand.host,
            remote: operand.device.is_some(),
            device: operand.device,
            array: false,
            offset: operand.start.wrapping_add(skipped),
            pieces: operand.pieces,
            pitch,
            slice,
        }
    }

    /// Where a row begins, counted from the first piece.
    pub(super) const fn start(&self, y: usize, z: usize, mask: usize) -> usize {
        self.offset
            .wrapping_add(z.wrapping_mul(self.slice))
            .wrapping_add(y.wrapping_mul(self.pitch))
            & mask
    }

    /// Address of a byte, how many follow it in one piece, and whether they may fault.
    pub(super) fn at(&self, mut offset: usize) -> Option<(usize, usize, bool)> {
        for piece in &self.pieces {
            if piece.keep.is_none() {
                return Some((piece.address.wrapping_add(offset), usize::MAX, true));
            }
            if offset < piece.length {
                return Some((piece.address + offset, piece.length - offset, false));
            }
            offset -= piece.length;
        }
        None
    }

    /// How many bytes follow one in memory of ours.
    fn left(&self, offset: usize) -> usize {
        let all: usize = self.pieces.iter().map(|piece| piece.length).sum();
        all.saturating_sub(offset)
    }

    /// Managed memory that the caller calls host memory is moved as such; a copy that goes `astray` finds whatever lies
    /// there.
    pub(crate) fn take_at_its_word(&mut self, astray: bool) {
        if !self.is_managed() {
            return;
        }
        self.host = true;
        if let Some(first) = self.pieces.first().filter(|_| astray) {
            self.pieces = vec![Piece::foreign(first.address)];
            self.pageable = true;
        }
    }

    const fn is_managed(&self) -> bool {
        !self.host && !self.remote
    }
}

/// A copy that was checked and may be carried out.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) dst: Side,
    pub(crate) src: Side,
    pub(crate) shape: Shape,
}

/// What carries a copy out on hardware; it decides how one dies that leaves its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    /// A kernel of the driver's: between devices, and with managed memory.
    Kernel,
    /// A copy engine, between host and device.
    Link,
    /// Two devices, by a copy engine of either or by way of the host.
    Devices,
    /// The calling thread, from host to host.
    Processor,
}

/// A row so long runs through all addresses.
pub(crate) const ENDLESS: usize = 1 << 46;
/// Bits of an address that a copy engine looks at.
const ENGINE_ADDRESS: usize = (1 << 49) - 1;

/// Whose thread carries a copy out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    /// The caller's: a bad address is a signal.
    Caller,
    /// A worker's: a bad address is an answer.
    Worker,
}

/// A device reads so much at once before the host writes the first byte.
const CHUNK: usize = 1 << 20;
/// So far the host reads ahead of a device that writes.
const AHEAD: usize = 2 << 20;

/// Touches every page of two ranges that are moved along together, in the order in which the driver's routine does.
fn walk(dst: Option<usize>, src: Option<usize>, count: usize) {
    const LAST: usize = 63;
    if count == 0 {
        return;
    }
    let to_next =
        |address: Option<usize>| address.map_or(usize::MAX, |address| PAGE - address % PAGE);
    // A buffer is aligned.
    let head = dst.map_or(0, |address| address.wrapping_neg() % bytes::UNIT);
    if let Some(from) = src {
        let (first, last) = if head == 0 {
            (bytes::UNIT, LAST)
        } else {
            (0, head - 1)
        };
        for place in [first, 0, last] {
            bytes::touch(from.wrapping_add(place.min(count - 1)));
        }
    }
    if let Some(to) = dst.filter(|_| head == 0) {
        bytes::touch_for_writing(to.wrapping_add(bytes::UNIT));
    }
    let (mut dst, mut src, mut done) = (dst, src, 0_usize);
    while done < count {
        if let Some(from) = src {
            bytes::touch(from);
            if done > 0 && dst.is_some() {
                bytes::touch(from.wrapping_add(LAST));
            }
        }
        dst.into_iter().for_each(bytes::touch_for_writing);
        let step = to_next(dst).min(to_next(src));
        done = done.saturating_add(step);
        dst = dst.map(|address| address.wrapping_add(step));
        src = src.map(|address| address.wrapping_add(step));
    }
}

impl Transfer {
    /// Carries the copy out.
    pub(crate) fn run(&self, thread: Thread) -> Result<(), Fault> {
        let Shape {
            width,
            height,
            depth,
        } = self.shape;
        if self.is_endless() {
            if thread == Thread::Caller {
                self.run_wild();
            }
            return Err(Fault);
        }
        // What the host touches goes row by row.
        let one = self.is_one_run() && !self.dst.pageable && !self.src.pageable;
        if height == 1 && depth == 1 || one {
            let dst = self.dst.start(0, 0, self.mask(&self.dst));
            let src = self.src.start(0, 0, self.mask(&self.src));
            return self.row(0, (dst, src), width * height * depth, thread);
        }
        let (to, from) = (self.mask(&self.dst), self.mask(&self.src));
        let rows = || (0..depth).flat_map(|z| (0..height).map(move |y| (y, z)));
        // A device reads everything before the host writes the first byte.
        let first = self.engine() != Engine::Processor && self.dst.pageable;
        if first && rows().any(|(y, z)| !self.reads(self.src.start(y, z, from))) {
            return Err(Fault);
        }
        for (index, (y, z)) in rows().enumerate() {
            let (dst, src) = (self.dst.start(y, z, to), self.src.start(y, z, from));
            let moved = self.row(index, (dst, src), width, thread);
            if moved.is_err() && self.engine() == Engine::Processor && thread == Thread::Caller {
                // The processor itself went where nothing is.
                bytes::touch(1 << 63);
            }
            moved?;
        }
        Ok(())
    }

    fn reads(&self, offset: usize) -> bool {
        self.src
            .at(offset)
            .is_some_and(|(_, _, foreign)| foreign || self.src.left(offset) >= self.shape.width)
    }

    /// Whether the copy passed the check by wrapping around: it runs through all addresses until something dies.
    pub(crate) const fn is_endless(&self) -> bool {
        self.shape.width >= ENDLESS
    }

    const fn is_between_devices(&self) -> bool {
        match (self.dst.device, self.src.device) {
            (Some(to), Some(from)) => to != from,
            _ => false,
        }
    }

    const fn engine(&self) -> Engine {
        if self.dst.is_managed() || self.src.is_managed() {
            Engine::Kernel
        } else {
            match (self.dst.host, self.src.host) {
                (true, true) => Engine::Processor,
                (false, false) if self.is_between_devices() => Engine::Devices,
                (false, false) => Engine::Kernel,
                _ => Engine::Link,
            }
        }
    }

    /// What is left in a context whose copy failed. An address that is none to a device: documented, not measured.
    pub(crate) const fn failure(&self) -> Code {
        if self.dst.pieces.is_empty() || self.src.pieces.is_empty() {
            return Code::ILLEGAL_ADDRESS;
        }
        match self.engine() {
            Engine::Link | Engine::Devices => Code::LAUNCH_FAILED,
            Engine::Kernel | Engine::Processor => Code::ILLEGAL_ADDRESS,
        }
    }

    /// The bits of a place that count: a kernel takes a distance of 2^63 or more for a negative one, and an offset
    /// as it is.
    const fn mask(&self, side: &Side) -> usize {
        match self.engine() {
            Engine::Link | Engine::Devices if !side.pageable => ENGINE_ADDRESS,
            Engine::Kernel
                if !side.pageable && side.pitch < 1 << 63 && side.offset < ENGINE_ADDRESS =>
            {
                ENGINE_ADDRESS
            }
            Engine::Link | Engine::Devices | Engine::Kernel | Engine::Processor => usize::MAX,
        }
    }

    /// An endless copy, as far as this thread has a part in it. Nothing is moved: where hardware dies is where a page
    /// of either side cannot be touched.
    fn run_wild(&self) {
        let engine = self.engine();
        let (dst, src) = (self.dst.at(self.dst.offset), self.src.at(self.src.offset));
        let (Some((dst, ..)), Some((src, ..))) = (dst, src) else {
            return;
        };
        match engine {
            Engine::Processor => walk(Some(dst), Some(src), usize::MAX),
            Engine::Link | Engine::Kernel if self.src.pageable => {
                let left = self.dst.left(self.dst.offset);
                walk(None, Some(src), left.saturating_add(AHEAD));
            }
            Engine::Link | Engine::Kernel if self.dst.pageable => {
                let left = self.src.left(self.src.offset);
                if left >= CHUNK {
                    walk(Some(dst), None, left);
                }
            }
            // The driver's own command buffer is overrun, and what lies behind it nobody can tell.
            Engine::Link => bytes::touch(1 << 63),
            Engine::Kernel | Engine::Devices => {}
        }
    }

    fn is_one_run(&self) -> bool {
        let Shape {
            width,
            height,
            depth,
        } = self.shape;
        [&self.dst, &self.src]
            .iter()
            .all(|side| side.pitch == width && (depth == 1 || side.slice == width * height))
    }

    /// How many bytes of a row come before the first block: those up to an aligned place in host memory, or in a
    /// staging buffer, which is aligned and has one row after the other. A single small row goes wherever there is
    /// room between commands: any number of bytes.
    fn head(&self, index: usize, to: usize, count: usize) -> Option<usize> {
        const SMALL: usize = 64 << 10;
        let line = self.shape.height == 1 && self.shape.depth == 1;
        let packed = index.wrapping_mul(self.shape.width).wrapping_neg() % bytes::UNIT;
        if self.dst.host {
            Some(to.wrapping_neg() % bytes::UNIT)
        } else if self.src.pageable && self.dst.remote && !self.dst.array {
            (!line || count > SMALL).then_some(packed)
        } else {
            Some(packed)
        }
    }

    fn row(
        &self,
        index: usize,
        (dst, src): (usize, usize),
        count: usize,
        thread: Thread,
    ) -> Result<(), Fault> {
        let mut done = 0;
        while done < count {
            let (from, there, src_foreign) = self.src.at(src.wrapping_add(done)).ok_or(Fault)?;
            let Some((to, room, dst_foreign)) = self.dst.at(dst.wrapping_add(done)) else {
                // What the host gives is read before anybody finds out that there is no place for it.
                if src_foreign && thread == Thread::Caller {
                    walk(None, Some(from), count - done);
                }
                return Err(Fault);
            };
            let step = room.min(there).min(count - done);
            let foreign = match (dst_foreign, src_foreign) {
                (false, false) => Foreign::Neither,
                (true, false) => Foreign::Destination,
                (false, true) => Foreign::Source,
                (true, true) => Foreign::Both,
            };
            let head = self.head(index, to, step);
            match (thread, head) {
                // SAFETY: pieces that are ours are kept mapped by `keep`; the others may fault, as a signal.
                (Thread::Caller, Some(head)) => unsafe {
                    bytes::move_blocks(to, from, step, head);
                },
                // SAFETY: as above.
                (Thread::Caller, None) => unsafe { bytes::move_bytes(to, from, step) },
                // SAFETY: as above; foreign sides are left to the kernel.
                (Thread::Worker, _) => unsafe { bytes::try_move(to, from, step, foreign) }?,
            }
            done += step;
        }
        Ok(())
    }

    /// Reads the source now, on this thread, so that the rest can be done later and elsewhere.
    pub(crate) fn stage(self) -> Outcome<Self> {
        let Shape {
            width,
            height,
            depth,
        } = self.shape;
        let bytes = Arc::new(Mapping::new(
            Use::Shadow,
            (width * height * depth).max(1),
            PAGE,
        )?);
        let piece = Piece::inside(bytes, 0, width * height * depth);
        let (remote, array) = (self.dst.remote, self.dst.array);
        let side = |piece: Piece| Side {
            pieces: vec![piece],
            offset: 0,
            pitch: width,
            slice: width * height,
            pageable: false,
            // The buffer is page-locked memory.
            host: true,
            remote: false,
            device: None,
            array: false,
        };
        let inward = Self {
            dst: Side {
                host: false,
                remote,
                array,
                ..side(piece.clone())
            },
            src: self.src,
            shape: self.shape,
        };
        let _a_fault_here_is_a_signal = inward.run(Thread::Caller);
        Ok(Self {
            dst: self.dst,
            src: side(piece),
            shape: self.shape,
        })
    }
}
