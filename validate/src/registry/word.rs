//! What a slot of the tree holds: one word that is read at once, so that it cannot be torn.
//!
//! An allocation within one block of 2 MiB fits into the word itself: a look-up needs no other
//! memory. The word is relative to the block, and a slot never changes the block that it belongs
//! to, so that a word which was read means the same for ever, even when it has been replaced.

use crate::facts::{Access, Owner};
use crate::{Class, Span};
use std::fmt;

/// No record touches the slot.
pub(super) const EMPTY: u64 = 0;

/// Bits of an address within a block.
pub(super) const BLOCK_BITS: u32 = 21;
const BLOCK: u64 = 1 << BLOCK_BITS;

/// Set where a slot of the tree holds no word, but leads to others.
pub(super) const CROWD: u64 = 1;
const SMALL: u64 = 2;
// A large one: its number + 1 above two bits that are not set.
const NUMBER_AT: u32 = 2;

// A small one: first byte (21 bits), last byte (21), what it is (20), kind (2).
const META_AT: u32 = 2;
const LAST_AT: u32 = META_AT + META_BITS;
const FIRST_AT: u32 = LAST_AT + BLOCK_BITS;

// What it is: class (4 bits), flags (4), device (12).
const META_BITS: u32 = 20;
const META: u64 = (1 << META_BITS) - 1;
const CLASS: u64 = 0xf;
const LIVE: u64 = 1 << 4;
const PENDING: u64 = 1 << 5;
const READ_ONLY: u64 = 1 << 6;
const HAS_DEVICE: u64 = 1 << 7;
const DEVICE_AT: u32 = 8;
const DEVICES: u64 = 1 << (META_BITS - DEVICE_AT);

/// What a look-up without a lock tells. It is as it is stored: a check that asks for little does not
/// pay for the rest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The whole range.
    pub range: Span,
    pub(super) meta: u64,
}

impl Hit {
    /// What it is, or was.
    #[inline]
    #[must_use]
    pub const fn class(self) -> Class {
        class(self.meta & CLASS)
    }

    /// The device that it lives on.
    #[inline]
    #[must_use]
    pub const fn device(self) -> Option<i32> {
        let device = (self.meta >> DEVICE_AT & (DEVICES - 1)) as u32;
        if self.meta & HAS_DEVICE == 0 {
            None
        } else {
            Some(device.cast_signed())
        }
    }

    /// Whether it is alive.
    #[inline]
    #[must_use]
    pub const fn is_live(self) -> bool {
        self.meta & LIVE != 0
    }

    /// Whether it was freed in stream order and no synchronisation has been seen since.
    #[inline]
    #[must_use]
    pub const fn is_pending(self) -> bool {
        self.meta & PENDING != 0
    }

    /// Whether the current device may only read it.
    #[inline]
    #[must_use]
    pub const fn is_read_only(self) -> bool {
        self.meta & READ_ONLY != 0
    }

    /// What a reader sees of an owner whose range is known.
    pub(super) fn of(owner: &Owner) -> Option<Self> {
        let end = owner.end.as_ref();
        let flag = |set, bit| if set { bit } else { 0 };
        let device = owner.device.and_then(|device| u64::try_from(device).ok());
        // No machine has so many devices; of one that does not fit, the device is not known.
        let device = device.filter(|device| *device < DEVICES);
        let meta = code(end.map_or(owner.class, |end| end.class))
            | flag(end.is_none(), LIVE)
            | flag(end.is_some_and(|end| end.pending), PENDING)
            | flag(owner.access == Access::Read, READ_ONLY)
            | device.map_or(0, |device| HAS_DEVICE | device << DEVICE_AT);
        Some(Self {
            range: owner.range?,
            meta,
        })
    }
}

impl fmt::Debug for Hit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Hit")
            .field("range", &self.range)
            .field("class", &self.class())
            .field("device", &self.device())
            .field("live", &self.is_live())
            .field("pending", &self.is_pending())
            .field("read_only", &self.is_read_only())
            .finish()
    }
}

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing.
    Empty,
    /// The record itself, which may or may not hold the address that was asked for.
    Small(Hit),
    /// The number of a record.
    Large(u32),
    /// It is no word: there are several.
    Crowd,
}

/// Reads a word that was found in a slot of the block in which `address` lies.
#[inline(always)]
pub(super) fn read(word: u64, address: u64) -> Word {
    if word & SMALL != 0 {
        let base = address & !(BLOCK - 1);
        let first = word >> FIRST_AT;
        let last = word >> LAST_AT & (BLOCK - 1);
        let range = Span {
            start: base + first,
            end: base + last + 1,
        };
        let meta = word >> META_AT & META;
        return Word::Small(Hit { range, meta });
    }
    if word & CROWD != 0 {
        return Word::Crowd;
    }
    match word >> NUMBER_AT {
        0 => Word::Empty,
        number => Word::Large(((number - 1) & 0xffff_ffff) as u32),
    }
}

/// The word of a record that lies within one block.
pub(super) fn small(hit: &Hit) -> Option<u64> {
    let Span { start, end } = hit.range;
    let last = end.checked_sub(1).filter(|last| *last >= start)?;
    let word = (start & (BLOCK - 1)) << FIRST_AT
        | (last & (BLOCK - 1)) << LAST_AT
        | hit.meta << META_AT
        | SMALL;
    (start >> BLOCK_BITS == last >> BLOCK_BITS).then_some(word)
}

/// The word that names a record by its number.
pub(super) const fn large(number: u32) -> u64 {
    (number as u64 + 1) << NUMBER_AT
}

const fn code(class: Class) -> u64 {
    class as u64
}

/// The codes are those of the enumeration, so that this is no table that a look-up would have to load.
#[inline]
const fn class(code: u64) -> Class {
    match code {
        0 => Class::Null,
        1 => Class::Device,
        2 => Class::Symbol,
        3 => Class::Pool,
        4 => Class::Virtual,
        5 => Class::NoAccess,
        6 => Class::Reserved,
        7 => Class::Managed,
        8 => Class::Pinned,
        9 => Class::Registered,
        10 => Class::Pageable,
        11 => Class::Unmapped,
        12 => Class::Freed,
        13 => Class::Foreign,
        _ => Class::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;
    use crate::facts::End;

    const CLASSES: [Class; 15] = [
        Class::Null,
        Class::Device,
        Class::Symbol,
        Class::Pool,
        Class::Virtual,
        Class::NoAccess,
        Class::Reserved,
        Class::Managed,
        Class::Pinned,
        Class::Registered,
        Class::Pageable,
        Class::Unmapped,
        Class::Freed,
        Class::Foreign,
        Class::Unknown,
    ];

    fn hit(class: Class, flags: u32, device: Option<i32>, range: Span) -> Hit {
        let mut owner = Owner::of(class);
        owner.range = Some(range);
        owner.device = device;
        if flags & 1 == 0 {
            owner.class = Class::Freed;
            owner.end = Some(End {
                call: "cudaFreeAsync",
                site: Site::Unknown,
                class,
                pending: flags & 2 != 0,
                context_gone: false,
            });
        }
        if flags & 4 != 0 {
            owner.access = Access::Read;
        }
        Hit::of(&owner).expect("it has a range")
    }

    #[test]
    fn what_is_written_is_read() {
        const BASE: u64 = 0x7f12_3460_0000;
        for class in CLASSES {
            for flags in 0..8 {
                for device in [None, Some(0), Some(7), Some(4095)] {
                    for range in [
                        Span::new(BASE, BASE + 1),
                        Span::new(BASE + 13, BASE + 4000),
                        Span::new(BASE + BLOCK - 1, BASE + BLOCK),
                        Span::new(BASE, BASE + BLOCK),
                    ] {
                        let hit = hit(class, flags, device, range);
                        assert_eq!(hit.class(), class);
                        assert_eq!(hit.device(), device);
                        assert_eq!(hit.is_live(), flags & 1 != 0);
                        assert_eq!(hit.is_pending(), flags & 3 == 2);
                        assert_eq!(hit.is_read_only(), flags & 4 != 0);
                        let word = small(&hit).expect("it is within a block");
                        for address in [range.start, range.end - 1, BASE] {
                            assert_eq!(read(word, address), Word::Small(hit));
                        }
                    }
                }
            }
        }
        for number in [0, 1, u32::MAX] {
            assert_eq!(read(large(number), BASE), Word::Large(number));
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written_wrong() {
        let across = Span::new(BLOCK - 1, BLOCK + 1);
        assert_eq!(small(&hit(Class::Device, 1, Some(0), across)), None);
        let empty = Span::new(BLOCK, BLOCK);
        assert_eq!(small(&hit(Class::Device, 1, Some(0), empty)), None);
        let range = Span::new(5, 6);
        for device in [-1, 4096] {
            let word = small(&hit(Class::Device, 1, Some(device), range)).expect("a small one");
            let known = hit(Class::Device, 1, None, range);
            assert_eq!(read(word, 5), Word::Small(known));
        }
    }
}
