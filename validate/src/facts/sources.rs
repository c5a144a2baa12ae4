//! Facts about an operand from their sources, in this order: the registry, one plural query, the memory map.

use super::history::{bury, merge, unconfirmed};
use super::{Access, Class, Depth, Environment, OperandFacts, Owner, Segment};
use crate::ask::{Ask, Host, Pointer};
use crate::registry::{Entry, Registry};
use crate::{Call, Operand, Role, Span};
use smallvec::SmallVec;

/// The greatest number of parts that an operand is cut into.
const MOST_SEGMENTS: usize = 16;
/// The greatest number of places at which a long range is probed for memory that CUDA knows.
const MOST_PROBES: u64 = 32;
/// The greatest number of rows that are looked up one by one.
pub(crate) const MOST_ROWS: usize = 4096;
const PAGE: u64 = 4096;
/// Device memory is mapped in pieces of this size.
const BLOCK: u64 = 2 << 20;

/// Where facts about operands come from.
pub(super) struct Sources<'a> {
    pub(super) ask: &'a dyn Ask,
    pub(super) registry: Option<&'a Registry>,
    pub(super) call: &'a Call,
}

impl Sources<'_> {
    /// Adds what is known of an operand. It is put together where it stays: it is half a KiB.
    pub(super) fn add(
        &self,
        operand: Operand,
        environment: &Environment,
        depth: Depth,
        to: &mut SmallVec<[OperandFacts; 2]>,
    ) {
        to.push(OperandFacts::new(operand));
        if let Some(facts) = to.last_mut() {
            self.look_at(facts, environment, depth);
        }
    }

    fn look_at(&self, facts: &mut OperandFacts, environment: &Environment, depth: Depth) {
        let operand = facts.operand;
        let mut whole = operand.span();
        let mut at = whole.start;
        loop {
            let rest = Span::new(at, whole.end.max(at));
            let mut owner = self.owner(at, rest, environment, depth);
            self.seen_by_named(&mut owner, at, operand.role, environment);
            let host = owner.class.is_taken_for_pageable();
            if host && depth == Depth::Full && operand.is_strewn() {
                // The first row; the others lie anywhere.
                whole = Span::sized(whole.start, operand.shape.width);
            }
            let rest = Span::new(at, whole.end.max(at));
            let end = self.end_of(&owner, at, rest, depth);
            let part = Span::new(at - whole.start, end - whole.start);
            facts.segments.push(Segment { part, owner });
            let done = end >= whole.end || facts.segments.len() == MOST_SEGMENTS;
            if done || depth == Depth::Quick && !self.continues(facts) {
                break;
            }
            // Between rows that lie far apart there may be anything: no byte of it is touched.
            let host = facts
                .segments
                .last()
                .is_some_and(|last| last.owner.class.is_taken_for_pageable());
            let left = Span::new(end - whole.start, whole.end - whole.start);
            if host && operand.is_strewn() {
                at = end;
                continue;
            }
            at = match operand.shape.first_touched(left) {
                _ if !host => end,
                Some(next) => whole.start.saturating_add(next),
                None => break,
            };
        }
        // Plain memory of a device is mapped around what is found; what is mapped handle by handle is not.
        let by_handles = facts.class() == Class::Virtual;
        let strewn = depth == Depth::Full && operand.is_strewn();
        if strewn && (facts.class().is_taken_for_pageable() || by_handles) {
            self.strewn(facts, environment);
        }
        self.shared(facts, environment);
        if operand.base != operand.address {
            let base = Operand {
                address: operand.base,
                ..operand
            };
            let mut found = Box::new(OperandFacts::new(base));
            self.look_at(&mut found, environment, depth);
            facts.looked_up = Some(found);
        }
        if depth == Depth::Full {
            self.surroundings(facts);
        }
    }

    /// What lies at rows that do not ascend from the first one, up to the first that the host cannot touch.
    fn strewn(&self, facts: &mut OperandFacts, environment: &Environment) {
        let Operand {
            address,
            shape,
            role,
            ..
        } = facts.operand;
        let host = facts.class().is_taken_for_pageable();
        for offset in shape.row_starts().take(MOST_ROWS) {
            let mut at = address.wrapping_add(offset);
            let end = at.saturating_add(shape.width);
            let mut closed = false;
            while at < end {
                let known = facts.owner_at(at);
                let known = known.map(|(part, owner)| (part.end, may_touch(owner, role)));
                let (next, touchable) = match known {
                    Some(known) => known,
                    None if facts.apart.len() == MOST_SEGMENTS => return,
                    None => {
                        let owner = self.owner(at, Span::new(at, end), environment, Depth::Full);
                        let range = owner.range.filter(|range| range.contains(at));
                        let part = range.unwrap_or(Span::new(at, end));
                        let touchable = may_touch(&owner, role);
                        facts.apart.push(Segment { part, owner });
                        (part.end, touchable)
                    }
                };
                closed |= touchable != Some(true);
                at = next;
            }
            if closed && host {
                return;
            }
        }
    }

    /// Virtual memory goes on in the next handle, even for a quick look.
    fn continues(&self, facts: &OperandFacts) -> bool {
        let last = facts.segments.last().map(|segment| segment.owner.class);
        last == Some(Class::Virtual)
    }

    /// Whose memory an address is.
    fn owner(&self, at: u64, rest: Span, environment: &Environment, depth: Depth) -> Owner {
        if at == 0 {
            return Owner::of(Class::Null);
        }
        let entry = self.registry.and_then(|registry| registry.find(at));
        if let Some(Entry::Dead(owner)) = &entry
            && owner.end.as_ref().is_some_and(|end| end.pending)
        {
            // Freed in stream order: asking the driver about it is undefined.
            return owner.clone();
        }
        let mut owner = match self.ask.pointer(at) {
            Pointer::CannotTell => {
                return match entry {
                    Some(Entry::Live(owner)) => unconfirmed(owner, rest),
                    _ => Owner::of(Class::Unknown),
                };
            }
            Pointer::Known(attributes) => match super::classify(&attributes) {
                Some(owner) => self.known(owner, at, environment, attributes.mapping.is_some()),
                None if depth == Depth::Quick => Owner::of(Class::Foreign),
                None => self.host(at, rest),
            },
        };
        match entry {
            Some(Entry::Live(seen)) => merge(&mut owner, seen),
            Some(Entry::Dead(dead)) if owner.is_nowhere() => bury(&mut owner, dead),
            Some(Entry::Dead(_)) | None => {}
        }
        owner
    }

    /// Adds to CUDA memory what the pointer's attributes leave open.
    fn known(&self, mut owner: Owner, at: u64, environment: &Environment, exact: bool) -> Owner {
        if !matches!(owner.class, Class::Virtual | Class::NoAccess) {
            return owner;
        }
        // Older drivers describe the reservation; this says what of it is mapped. It needs a
        // current context, and access.
        if !exact {
            let mapped = self.ask.mapped_range(at);
            if mapped.is_some() || owner.class == Class::Virtual {
                owner.range = mapped;
            }
        }
        if environment.current == super::Current::None {
            // Without a context the driver says of no memory that somebody may use it.
            owner.reachable = None;
            owner.access = Access::Unknown;
            owner.class = Class::Virtual;
        }
        if owner.access == Access::Unknown
            && let Some(device) = environment.device()
        {
            owner.access = self.ask.access(at, device);
            if owner.access == Access::None {
                owner.class = Class::NoAccess;
            }
        }
        owner
    }

    /// The device that a copy between devices names for a side.
    fn named(&self, role: Role) -> Option<i32> {
        let [to, from] = self.call.action.named_devices()?;
        Some(if role == Role::Destination { to } else { from })
    }

    /// A copy between devices goes by the access of the device that it names, not by the current one's.
    fn seen_by_named(&self, owner: &mut Owner, at: u64, role: Role, environment: &Environment) {
        let Some(named) = self.named(role) else {
            return;
        };
        let mapped = matches!(owner.class, Class::Virtual | Class::NoAccess);
        if !mapped || environment.current == super::Current::Device(named) {
            return;
        }
        match self.ask.access(at, named) {
            Access::Unknown => {}
            access => {
                owner.access = access;
                owner.class = match access {
                    Access::None => Class::NoAccess,
                    _ => Class::Virtual,
                };
            }
        }
    }

    /// What the memory map says of an address that CUDA does not know.
    fn host(&self, at: u64, rest: Span) -> Owner {
        match self.ask.host(at) {
            Host::CannotTell => Owner::of(Class::Foreign),
            Host::Mapped(mapping) => {
                let mut owner = Owner::of(Class::Pageable);
                owner.range = Some(mapping.span);
                owner.permissions = Some(mapping.permissions);
                owner.mapping = mapping.name;
                owner
            }
            Host::Unmapped { next } => {
                let mut owner = Owner::of(Class::Unmapped);
                let end = next.unwrap_or(rest.end).max(at.saturating_add(1));
                owner.range = Some(Span::new(at, end));
                owner
            }
        }
    }

    /// Where the part that begins at `at` ends.
    fn end_of(&self, owner: &Owner, at: u64, rest: Span, depth: Depth) -> u64 {
        let range = owner.range.filter(|range| range.contains(at));
        let end = range.map_or(rest.end, |range| range.end.min(rest.end));
        let part = Span::new(at, end);
        if depth == Depth::Quick || !owner.class.is_taken_for_pageable() {
            return end;
        }
        self.first_known(part).unwrap_or(end)
    }

    /// Where, in a range that begins outside CUDA's memory, CUDA's memory begins: asked of the
    /// registry, and of the driver at a bounded number of places.
    fn first_known(&self, part: Span) -> Option<u64> {
        let last = part.end.checked_sub(1)?;
        let next = self
            .registry
            .and_then(|registry| registry.next_after(part.start))
            .and_then(|owner| owner.range)
            .map(|range| range.start)
            .filter(|start| *start > part.start && *start < part.end);
        let step = (part.bytes() / MOST_PROBES)
            .next_multiple_of(PAGE)
            .max(PAGE);
        let mut probe = (part.start / PAGE + 1).saturating_mul(PAGE);
        let mut found = None;
        while probe <= last && found.is_none() {
            found = self.known_start(probe, part);
            let Some(next) = probe.checked_add(step) else {
                break;
            };
            probe = next;
        }
        // Device memory comes in blocks: the next one is where the steps are too long to find it.
        let block = (part.start / BLOCK + 1).saturating_mul(BLOCK);
        let near = (step > BLOCK && block <= last)
            .then(|| self.known_start(block, part))
            .flatten();
        let found = near.or(found).or_else(|| self.known_start(last, part));
        match (found, next) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        }
    }

    /// The start of the CUDA memory at an address, where it lies inside of `part`.
    fn known_start(&self, at: u64, part: Span) -> Option<u64> {
        if at <= part.start {
            return None;
        }
        let pending = self.registry.and_then(|registry| registry.find(at));
        if matches!(pending, Some(Entry::Dead(_))) {
            return None;
        }
        let Pointer::Known(attributes) = self.ask.pointer(at) else {
            return None;
        };
        // What is reserved and not mapped is no memory of CUDA's either.
        let owner =
            super::classify(&attributes).filter(|owner| !owner.class.is_taken_for_pageable())?;
        let start = match self.ask.mapped_range(at) {
            Some(mapped) if owner.class == Class::Virtual && attributes.mapping.is_none() => {
                mapped.start
            }
            _ => owner.range?.start,
        };
        Some(start.clamp(part.start + 1, at))
    }

    /// Neighbours, and the words that stand where a device pointer may have been meant.
    fn surroundings(&self, facts: &mut OperandFacts) {
        let address = facts.operand.address;
        let class = facts.class();
        if let Some(registry) = self.registry
            && !class.is_cuda()
        {
            facts.next = registry.next_after(address).map(Box::new);
            facts.previous = registry.last_before(address).map(Box::new);
        }
        if class == Class::Pageable && address.is_multiple_of(8) {
            self.peek(facts);
        }
    }

    /// What the device that does the work may do with memory of another device's pool or mapping.
    fn shared(&self, facts: &mut OperandFacts, environment: &Environment) {
        let current = environment.device();
        let worker = self.named(facts.operand.role).or(current);
        let Some((head, worker)) = facts.head().zip(worker) else {
            return;
        };
        let own = head.device == Some(worker);
        facts.access = match (head.class, head.pool) {
            (Class::Pool, Some(_)) if own => Access::ReadWrite,
            (Class::Pool, Some(_)) if current == Some(worker) => match head.reachable {
                Some(true) => Access::ReadWrite,
                Some(false) => Access::None,
                None => Access::Unknown,
            },
            (Class::Pool, Some(pool)) => {
                // SAFETY: memory of this pool is alive, and CUDA keeps a pool as long as that.
                unsafe { self.ask.pool_access(pool, worker) }
            }
            (Class::Virtual | Class::NoAccess, _) if current != Some(worker) || !own => {
                self.ask.access(facts.operand.address, worker)
            }
            _ => head.access,
        };
    }

    fn peek(&self, facts: &mut OperandFacts) {
        let address = facts.operand.address;
        let Some(first) = self.ask.peek(address) else {
            return;
        };
        let second = self.ask.peek(address.wrapping_add(8)).unwrap_or(0);
        facts.peek = Some([first, second]);
        if first < PAGE || self.is_dead(first) {
            return;
        }
        if let Pointer::Known(attributes) = self.ask.pointer(first) {
            facts.pointee = super::classify(&attributes).map(Box::new);
        }
    }

    fn is_dead(&self, address: u64) -> bool {
        let entry = self.registry.and_then(|registry| registry.find(address));
        matches!(entry, Some(Entry::Dead(_)))
    }
}

/// Whether host code can do with memory what a side of a copy does.
pub(crate) fn may_touch(owner: &Owner, role: Role) -> Option<bool> {
    match role {
        Role::Destination => owner.host_writable(),
        Role::Source | Role::Subject => owner.host_readable(),
    }
}
