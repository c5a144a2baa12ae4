//! Fills that were checked, and how they are carried out.

use std::sync::Arc;

use super::bytes::{self, Fault};
use super::mapping::{Mapping, PAGE, Use};
use super::operand::Piece;
use super::transfer::{ENDLESS, Shape, Side, Thread, Transfer};

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
        let whole = if self.dst.pitch == width {
            width.saturating_mul(height).saturating_mul(depth)
        } else {
            width
        };
        if whole >= ENDLESS {
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
                    let start = self.dst.start(y, z, usize::MAX);
                    let at = start.wrapping_add(done);
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
            device: None,
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
        }
        .run(Thread::Worker)
    }
}
