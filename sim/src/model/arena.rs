//! Device addresses: numbers in the process's address space that nothing but the simulator may follow.

use super::code::{Code, Outcome};
use super::extent::Extents;
use super::mapping::{Mapping, Use};

/// Large enough that a second one is rare, small enough for a process with a limit on addresses.
const CHUNK: usize = 1 << 36;
/// The driver hands out device addresses in blocks of this size.
pub(crate) const BLOCK: usize = 2 << 20;

/// All device addresses of the process, reserved from the operating system and never given back: an address that
/// was freed keeps faulting until it is handed out again.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    chunks: Vec<Mapping>,
    free: Extents,
}

impl Arena {
    /// Takes `length` bytes of addresses (a multiple of the page size).
    pub(crate) fn take(&mut self, length: usize, alignment: usize) -> Outcome<usize> {
        if let Some(start) = self.free.take(length, alignment) {
            return Ok(start);
        }
        let wanted = length.checked_add(alignment).ok_or(Code::OUT_OF_MEMORY)?;
        let mut size = CHUNK.max(wanted);
        let chunk = loop {
            match Mapping::new(Use::Reserved, size, BLOCK) {
                Ok(chunk) => break chunk,
                Err(_) if size > wanted => size = (size / 8).max(wanted),
                Err(code) => return Err(code),
            }
        };
        self.free.give(chunk.start(), chunk.length());
        self.chunks.push(chunk);
        self.free.take(length, alignment).ok_or(Code::OUT_OF_MEMORY)
    }

    /// Takes exactly these addresses where they are ours and free.
    pub(crate) fn take_at(&mut self, start: usize, length: usize) -> bool {
        self.free.take_at(start, length)
    }

    pub(crate) fn give(&mut self, start: usize, length: usize) {
        self.free.give(start, length);
    }
}
