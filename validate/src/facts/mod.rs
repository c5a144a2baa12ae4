//! What is known of a call's operands before a rule looks at them.
//!
//! Facts are plain data. They are collected once per call by [`collect`] and never changed; what
//! no source knew is absent, and rules answer "cannot tell" where they need it.

mod class;
mod classify;
mod collect;
mod environment;
mod history;
mod owner;
mod sources;

pub use class::{Access, Class, Permissions};
pub use classify::classify;
#[cfg(any(feature = "driver", feature = "runtime"))]
pub(crate) use collect::StreamState;
pub use collect::{Depth, collect};
pub(crate) use collect::{Vouched, collect_knowing};
pub use environment::{Capture, CaptureMode, Current, Environment};
pub use owner::{End, Origin, Owner, Segment};
pub(crate) use sources::{MOST_ROWS, may_touch};

use crate::{Call, Operand, Role, Span};
use smallvec::SmallVec;
use std::borrow::Cow;

/// What is known of one operand.
#[derive(Debug, Clone, PartialEq)]
pub struct OperandFacts {
    /// The operand.
    pub operand: Operand,
    /// Its parts by owner, in order, as far as they were looked up. Between host parts there are gaps
    /// where no row lies.
    pub segments: SmallVec<[Segment; 1]>,
    /// Where rows of pageable or of virtual memory do not ascend: what lies at those that `segments` do not cover,
    /// in the order of the copy and by address; of pageable memory up to the first row that the host cannot touch.
    pub apart: Vec<Segment>,
    /// The next allocation after an address that belongs to nothing, where the registry knows one.
    pub next: Option<Box<Owner>>,
    /// An allocation that ends where or just before this operand begins.
    pub previous: Option<Box<Owner>>,
    /// The two first words that stand at the operand's start, where they were read.
    pub peek: Option<[u64; 2]>,
    /// The allocation that the first of them points to.
    pub pointee: Option<Box<Owner>>,
    /// What the device that does the work - the named one for a peer copy, else the current one -
    /// may do with memory of a pool or of a mapping, where it is not the owner's device.
    pub access: Access,
    /// The same of the address that CUDA looks up, where that is not the first byte's.
    pub looked_up: Option<Box<Self>>,
}

impl OperandFacts {
    /// Facts about an operand that say nothing yet.
    #[must_use]
    pub fn new(operand: Operand) -> Self {
        Self {
            operand,
            segments: SmallVec::new(),
            apart: Vec::new(),
            next: None,
            previous: None,
            peek: None,
            pointee: None,
            access: Access::Unknown,
            looked_up: None,
        }
    }

    /// What CUDA finds where it looks: these facts, or those of a structure's own address.
    #[must_use]
    pub fn found(&self) -> &Self {
        self.looked_up.as_deref().unwrap_or(self)
    }

    /// The owner of the first byte: the one that CUDA looks up.
    #[must_use]
    pub fn head(&self) -> Option<&Owner> {
        self.segments.first().map(|segment| &segment.owner)
    }

    /// Whose memory an address is and from where to where, where it lies in one of the parts that were looked up.
    #[must_use]
    pub fn owner_at(&self, address: u64) -> Option<(Span, &Owner)> {
        let start = self.operand.address;
        let offset = address.wrapping_sub(start);
        let near = self.segments.iter().find(|one| one.part.contains(offset));
        if let Some(one) = near {
            let end = start.saturating_add(one.part.end);
            return Some((
                Span::new(start.saturating_add(one.part.start), end),
                &one.owner,
            ));
        }
        let apart = self.apart.iter().find(|one| one.part.contains(address))?;
        Some((apart.part, &apart.owner))
    }

    /// The class of the first byte.
    #[must_use]
    pub fn class(&self) -> Class {
        self.head().map_or(Class::Unknown, |owner| owner.class)
    }

    /// Offset of the operand's first byte in its owner, and the bytes that are left from there.
    #[must_use]
    pub fn room(&self) -> Option<(u64, u64)> {
        let range = self.usable()?;
        let address = self.operand.address;
        range
            .contains(address)
            .then(|| (address - range.start, range.end - address))
    }

    /// The range that CUDA lets a copy use from the first byte on: the owner's, and for virtual
    /// memory everything that is mapped side by side.
    #[must_use]
    pub fn usable(&self) -> Option<Span> {
        let head = self.head()?;
        let mut range = head.range?;
        let writes = self.operand.role == Role::Destination;
        if head.class == Class::Virtual {
            for segment in self.segments.iter().skip(1) {
                let owner = &segment.owner;
                match owner.range {
                    // What may only be read ends what can be written.
                    _ if writes && owner.access == Access::Read => break,
                    Some(next) if owner.class == Class::Virtual && next.start == range.end => {
                        range.end = next.end;
                    }
                    _ => break,
                }
            }
        }
        Some(range)
    }
}

/// What is known of a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Operands in the order of [`crate::Call::operands`].
    pub operands: SmallVec<[OperandFacts; 2]>,
    /// The arrays of the call, destination first.
    pub arrays: [Option<ArrayFacts>; 2],
    /// For a batch: each entry as a copy of its own.
    pub entries: Vec<(Call, Facts)>,
    /// The thread, the devices and the stream.
    pub environment: Environment,
}

impl Facts {
    /// Whether the parts of every operand come in order of address, as everything expects.
    fn is_in_order(&self) -> bool {
        let in_order = |facts: &OperandFacts| facts.segments.is_sorted_by_key(|one| one.part.start);
        let sorted = |facts: &OperandFacts| in_order(facts) && in_order(facts.found());
        self.operands.iter().all(sorted) && self.entries.iter().all(|(_, part)| part.is_in_order())
    }

    /// The same facts with the parts of every operand in order of address.
    #[must_use]
    pub fn in_order(&self) -> Cow<'_, Self> {
        if self.is_in_order() {
            return Cow::Borrowed(self);
        }
        let mut facts = self.clone();
        for operand in &mut facts.operands {
            operand.segments.sort_by_key(|one| one.part.start);
            if let Some(found) = &mut operand.looked_up {
                found.segments.sort_by_key(|one| one.part.start);
            }
        }
        for (_, part) in &mut facts.entries {
            *part = part.in_order().into_owned();
        }
        Cow::Owned(facts)
    }

    /// The facts about one side.
    #[must_use]
    pub fn operand(&self, role: Role) -> Option<&OperandFacts> {
        self.operands
            .iter()
            .find(|facts| facts.operand.role == role)
    }
}

/// What is known of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrayFacts {
    /// Its handle.
    pub handle: u64,
    /// Elements of a row.
    pub width: u64,
    /// Rows; 0 for one dimension.
    pub height: u64,
    /// Slices; 0 for one or two dimensions.
    pub depth: u64,
    /// Bytes of an element.
    pub element: u64,
}

impl ArrayFacts {
    /// Bytes, rows and slices, none of them 0.
    #[must_use]
    pub fn extents(&self) -> (u64, u64, u64) {
        (
            self.width.saturating_mul(self.element),
            self.height.max(1),
            self.depth.max(1),
        )
    }
}
