//! Pages taken from the operating system, given back when the last owner goes.

use super::code::{Code, Outcome};
use super::store::{Lent, Slot};

pub(crate) const PAGE: usize = 4096;

/// What the pages are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Addresses only: any access faults. Device addresses are of this kind.
    Reserved,
    /// The bytes behind device addresses: readable and writable by the simulator alone, not copied into children.
    Shadow,
    /// Memory that the program itself reads and writes: pinned memory.
    Shared,
    /// The same for managed memory, which children of the program do not have.
    Managed,
}

/// A range of pages.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: usize,
    length: usize,
    /// Where other processes find the bytes.
    slot: Option<Slot>,
}

impl Mapping {
    /// Bytes behind device addresses that other processes can be given, where the system can do that.
    pub(crate) fn shareable(length: usize) -> Outcome<Self> {
        let whole = round_up(length, PAGE).ok_or(Code::OUT_OF_MEMORY)?;
        let Some((slot, start)) = Slot::mapped(whole) else {
            return Self::new(Use::Shadow, length, PAGE);
        };
        let mapping = Self {
            start,
            length: whole,
            slot: Some(slot),
        };
        mapping.advise(libc::MADV_DONTFORK);
        Ok(mapping)
    }

    /// Bytes that another process has lent.
    pub(crate) fn lent(lent: &Lent) -> Option<Self> {
        let mapping = Self {
            start: lent.map()?,
            length: lent.length,
            slot: None,
        };
        mapping.advise(libc::MADV_DONTFORK);
        Some(mapping)
    }

    /// Where another process finds these bytes, if it can.
    pub(crate) fn lend(&self) -> Option<Lent> {
        self.slot.as_ref()?.lend()
    }

    /// Maps `length` bytes, rounded up to pages, aligned to `alignment` (a power of two).
    pub(crate) fn new(purpose: Use, length: usize, alignment: usize) -> Outcome<Self> {
        let length = round_up(length, PAGE).ok_or(Code::OUT_OF_MEMORY)?;
        let slack = if alignment > PAGE { alignment } else { 0 };
        let total = length.checked_add(slack).ok_or(Code::OUT_OF_MEMORY)?;
        let (protection, flags) = match purpose {
            Use::Reserved => (libc::PROT_NONE, libc::MAP_NORESERVE),
            Use::Shadow => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_NORESERVE),
            Use::Shared | Use::Managed => (libc::PROT_READ | libc::PROT_WRITE, 0),
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
        let mapping = Self {
            start,
            length,
            slot: None,
        };
        if matches!(purpose, Use::Shadow | Use::Managed) {
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

    /// Gives the memory back and keeps the addresses, which fault from now on and are never used again.
    pub(crate) fn bury(mut self) {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        let start = core::ptr::without_provenance_mut(self.start);
        // SAFETY: replaces pages that are ours and that nobody uses any more.
        let kept = unsafe { libc::mmap(start, self.length, libc::PROT_NONE, flags, -1, 0) };
        if kept != libc::MAP_FAILED {
            drop(self.slot.take());
            core::mem::forget(self);
        }
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

/// What may be done with `start..start + length`, which must lie in one mapping, read from `/proc/self/maps`. Two
/// mappings side by side count as none, and so does a file that writes go back to: the driver pins neither.
pub(crate) fn access_of(start: usize, length: usize) -> Access {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else {
        return Access::ReadWrite;
    };
    let holder = maps
        .lines()
        .filter_map(parse_line)
        .find(|(from, to, ..)| (*from..*to).contains(&start));
    let Some((_, to, rights, path)) = holder else {
        return Access::Unmapped;
    };
    if start.checked_add(length).is_none_or(|end| end > to) {
        return Access::Unmapped;
    }
    let is_file =
        path.starts_with('/') && !path.starts_with("/dev/") && !path.starts_with("/memfd:");
    match rights.as_bytes() {
        [_, b'w', _, b's'] if is_file => Access::None,
        [_, b'w', ..] => Access::ReadWrite,
        [b'r', ..] => Access::ReadOnly,
        _ => Access::None,
    }
}

/// First and last address, rights, and the file's name, empty where there is none.
fn parse_line(line: &str) -> Option<(usize, usize, &str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    let path = words.nth(3).unwrap_or_default();
    Some((
        usize::from_str_radix(from, 16).ok()?,
        usize::from_str_radix(to, 16).ok()?,
        rights,
        path,
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
