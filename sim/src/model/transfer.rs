//! Moving bytes: a box of rows and slices from one side to another.

use std::sync::Arc;

use super::bytes::{self, Fault, Foreign};
use super::code::Outcome;
use super::mapping::{Mapping, PAGE, Use};
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
    /// Is an array.
    pub(crate) array: bool,
}

impl Side {
    pub(crate) fn of(operand: Operand, pitch: usize, slice: usize) -> Self {
        Self {
            pageable: operand.is_pageable(),
            host: operand.host,
            remote: operand.device.is_some(),
            array: false,
            pieces: operand.pieces,
            offset: 0,
            pitch,
            slice,
        }
    }

    /// Where a row begins. An address has 47 bits: a pitch that wraps around them was seen to do no harm.
    const fn start(&self, y: usize, z: usize) -> usize {
        const ADDRESS: usize = (1 << 47) - 1;
        z.wrapping_mul(self.slice)
            .wrapping_add(y.wrapping_mul(self.pitch))
            & ADDRESS
    }

    /// Address of a byte, how many follow it in one piece, and whether they may fault.
    fn at(&self, mut offset: usize) -> Option<(usize, usize, bool)> {
        for piece in &self.pieces {
            if offset < piece.length {
                return Some((
                    piece.address.wrapping_add(offset),
                    piece.length - offset,
                    piece.keep.is_none(),
                ));
            }
            offset -= piece.length;
        }
        None
    }
}

/// A copy that was checked and may be carried out.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) dst: Side,
    pub(crate) src: Side,
    pub(crate) shape: Shape,
    /// The check was passed by wrapping around: carrying it out kills the context.
    pub(crate) poisonous: bool,
}

/// Whose thread carries a copy out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thread {
    /// The caller's: a bad address is a signal.
    Caller,
    /// A worker's: a bad address is an answer.
    Worker,
}

impl Transfer {
    /// Carries the copy out.
    pub(crate) fn run(&self, thread: Thread) -> Result<(), Fault> {
        let Shape {
            width,
            height,
            depth,
        } = self.shape;
        if self.poisonous {
            if thread == Thread::Caller && (self.dst.host || self.src.host) {
                self.run_wild();
            }
            return Err(Fault);
        }
        if height == 1 && depth == 1 || self.is_one_run() {
            return self.row(0, 0, width * height * depth, thread);
        }
        for z in 0..depth {
            for y in 0..height {
                self.row(self.dst.start(y, z), self.src.start(y, z), width, thread)?;
            }
        }
        Ok(())
    }

    /// With a side on the host it is this thread that copies, and it goes on until it meets a hole in memory.
    fn run_wild(&self) {
        if let (Some((dst, ..)), Some((src, ..))) =
            (self.dst.at(self.dst.offset), self.src.at(self.src.offset))
        {
            // SAFETY: none for the program's memory: hardware overwrites it in the same way, and then faults.
            unsafe { bytes::move_bytes(dst, src, self.shape.width) };
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

    /// How many bytes of a row come before the first block: those up to an aligned place in host memory, none up to
    /// one in a staging buffer. A single small row goes wherever there is room between commands: any number of bytes.
    fn head(&self, to: usize, count: usize) -> Option<usize> {
        const SMALL: usize = 64 << 10;
        let line = self.shape.height == 1 && self.shape.depth == 1;
        if self.dst.host {
            Some(to.wrapping_neg() % bytes::UNIT)
        } else if self.src.pageable && self.dst.remote && !self.dst.array {
            (!line || count > SMALL).then_some(0)
        } else {
            Some(0)
        }
    }

    fn row(&self, dst: usize, src: usize, count: usize, thread: Thread) -> Result<(), Fault> {
        let mut done = 0;
        while done < count {
            let (to, room, dst_foreign) = self
                .dst
                .at(self.dst.offset.wrapping_add(dst) + done)
                .ok_or(Fault)?;
            let (from, there, src_foreign) = self
                .src
                .at(self.src.offset.wrapping_add(src) + done)
                .ok_or(Fault)?;
            let step = room.min(there).min(count - done);
            let foreign = match (dst_foreign, src_foreign) {
                (false, false) => Foreign::Neither,
                (true, false) => Foreign::Destination,
                (false, true) => Foreign::Source,
                (true, true) => Foreign::Both,
            };
            let head = self.head(to, step);
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
        let array = self.dst.array;
        let side = |piece: Piece| Side {
            pieces: vec![piece],
            offset: 0,
            pitch: width,
            slice: width * height,
            pageable: false,
            host: false,
            remote: true,
            array,
        };
        let inward = Self {
            dst: side(piece.clone()),
            src: self.src,
            shape: self.shape,
            poisonous: false,
        };
        let _a_fault_here_is_a_signal = inward.run(Thread::Caller);
        Ok(Self {
            dst: self.dst,
            src: side(piece),
            shape: self.shape,
            poisonous: self.poisonous,
        })
    }
}

/// A pattern to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    Byte(u8),
    Word(u16),
    Double(u32),
}

impl Pattern {
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Byte(_) => 1,
            Self::Word(_) => 2,
            Self::Double(_) => 4,
        }
    }
}

/// A memset that was checked.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(crate) dst: Side,
    pub(crate) pattern: Pattern,
    /// In bytes.
    pub(crate) shape: Shape,
    /// As for a copy.
    pub(crate) poisonous: bool,
    /// Registered memory: the device holds its pages and stores into them even where the program has let them go.
    pub(crate) registered: bool,
}

impl Filling {
    /// Carries it out: a row of the pattern is made first, then copied like any other memory.
    pub(crate) fn run(&self, thread: Thread) -> Result<(), Fault> {
        let Shape {
            width,
            height,
            depth,
        } = self.shape;
        if self.poisonous {
            return Err(Fault);
        }
        if self.registered {
            let _pages_that_are_gone_are_the_devices_alone = self.by_copies();
            return Ok(());
        }
        if self.dst.pieces.iter().any(|piece| piece.keep.is_none()) && thread == Thread::Worker {
            return self.by_copies();
        }
        for z in 0..depth {
            for y in 0..height {
                let mut done = 0;
                while done < width {
                    let at = self.dst.offset.wrapping_add(self.dst.start(y, z)) + done;
                    let (to, room, _) = self.dst.at(at).ok_or(Fault)?;
                    let step = room.min(width - done);
                    self.store(to, step);
                    done += step;
                }
            }
        }
        Ok(())
    }

    fn store(&self, to: usize, count: usize) {
        match self.pattern {
            // SAFETY: the piece is kept mapped, or faults as a signal in the caller's thread.
            Pattern::Byte(value) => unsafe { bytes::fill_bytes(to, value, count) },
            // SAFETY: as above.
            Pattern::Word(value) => unsafe { bytes::fill_words(to, value, count / 2) },
            // SAFETY: as above.
            Pattern::Double(value) => unsafe { bytes::fill_doubles(to, value, count / 4) },
        }
    }

    fn by_copies(&self) -> Result<(), Fault> {
        let width = self.shape.width;
        let bytes = Arc::new(Mapping::new(Use::Shadow, width.max(1), PAGE).map_err(|_full| Fault)?);
        self.store(bytes.start(), width);
        let src = Side {
            pieces: vec![Piece::inside(bytes, 0, width)],
            offset: 0,
            pitch: 0,
            slice: 0,
            pageable: false,
            host: false,
            remote: true,
            array: false,
        };
        let dst = Side {
            pieces: self.dst.pieces.clone(),
            ..self.dst
        };
        Transfer {
            dst,
            src,
            shape: self.shape,
            poisonous: false,
        }
        .run(Thread::Worker)
    }
}
