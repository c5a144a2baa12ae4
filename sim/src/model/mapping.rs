//! Pages taken from the operating system, given back when the last owner goes.

use super::code::{Code, Outcome};

pub(crate) const PAGE: usize = 4096;

/// What the pages are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Addresses only: any access faults. Device addresses are of this kind.
    Reserved,
    /// The bytes behind device addresses: readable and writable by the simulator alone, not copied into children.
    Shadow,
    /// Memory that the program itself reads and writes: pinned and managed memory.
    Shared,
}

/// A range of pages.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: usize,
    length: usize,
}

impl Mapping {
    /// Maps `length` bytes, rounded up to pages, aligned to `alignment` (a power of two).
    pub(crate) fn new(purpose: Use, length: usize, alignment: usize) -> Outcome<Self> {
        let length = round_up(length, PAGE).ok_or(Code::OUT_OF_MEMORY)?;
        let slack = if alignment > PAGE { alignment } else { 0 };
        let total = length.checked_add(slack).ok_or(Code::OUT_OF_MEMORY)?;
        let (protection, flags) = match purpose {
            Use::Reserved => (libc::PROT_NONE, libc::MAP_NORESERVE),
            Use::Shadow => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_NORESERVE),
            Use::Shared => (libc::PROT_READ | libc::PROT_WRITE, 0),
        };
        let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice.
        let raw = unsafe { libc::mmap(core::ptr::null_mut(), total, protection, flags, -1, 0) };
        if raw == libc::MAP_FAILED {
            return Err(Code::OUT_OF_MEMORY);
        }
        let found = raw.addr();
        let start = round_up(found, alignment.max(PAGE)).ok_or(Code::OUT_OF_MEMORY)?;
        unmap(found, start - found);
        unmap(start + length, found + total - (start + length));
        let mapping = Self { start, length };
        if purpose == Use::Shadow {
            mapping.advise(libc::MADV_DONTFORK);
        }
        Ok(mapping)
    }

    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    fn advise(&self, advice: libc::c_int) {
        // SAFETY: the range is ours; advice never moves it.
        let _refused_is_harmless = unsafe {
            libc::madvise(
                core::ptr::without_provenance_mut(self.start),
                self.length,
                advice,
            )
        };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unmap(self.start, self.length);
    }
}

fn unmap(start: usize, length: usize) {
    if length > 0 {
        // SAFETY: called only for pages of a mapping that is ours and that nobody uses any more.
        let _cannot_fail_for_whole_pages =
            unsafe { libc::munmap(core::ptr::without_provenance_mut(start), length) };
    }
}

/// The next multiple of `unit` (a power of two), or nothing where it would overflow.
pub(crate) fn round_up(value: usize, unit: usize) -> Option<usize> {
    value.checked_add(unit - 1).map(|sum| sum & !(unit - 1))
}

/// What this process may do with one page of its own memory, as the kernel knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Unmapped,
    None,
    ReadOnly,
    ReadWrite,
}

/// The weakest access to any byte of `start..start + length`, read from `/proc/self/maps`.
pub(crate) fn access_of(start: usize, length: usize) -> Access {
    let Some(end) = start.checked_add(length) else {
        return Access::Unmapped;
    };
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
        return Access::ReadWrite;
    };
    let mut reached = start;
    let mut weakest = Access::ReadWrite;
    for line in maps.lines() {
        let Some((from, to, rights)) = parse_line(line) else {
            continue;
        };
        if to <= reached {
            continue;
        }
        if from > reached {
            return Access::Unmapped;
        }
        weakest = match (
            rights.starts_with('r'),
            rights.as_bytes().get(1) == Some(&b'w'),
        ) {
            (false, _) => Access::None,
            (true, false) if weakest != Access::None => Access::ReadOnly,
            _ => weakest,
        };
        reached = to;
        if reached >= end {
            return weakest;
        }
    }
    Access::Unmapped
}

fn parse_line(line: &str) -> Option<(usize, usize, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    Some((
        usize::from_str_radix(from, 16).ok()?,
        usize::from_str_radix(to, 16).ok()?,
        words.next()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_pages_are_aligned_and_inaccessible() {
        let pages = Mapping::new(Use::Reserved, 1, 1 << 21).unwrap();
        assert_eq!(pages.start() % (1 << 21), 0);
        assert_eq!(pages.length(), PAGE);
        assert_eq!(access_of(pages.start(), pages.length()), Access::None);
    }

    #[test]
    fn access_sees_what_is_not_there() {
        assert_eq!(access_of(0x1000, 1), Access::Unmapped);
        assert_eq!(access_of(usize::MAX - 8, 64), Access::Unmapped);
        let here = 5u8;
        assert_eq!(access_of((&raw const here).addr(), 1), Access::ReadWrite);
    }
}
