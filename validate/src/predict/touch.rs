//! Where the host dies: the first byte of a copy that it cannot touch, and the page of that fault.
//!
//! Measured (H100 and H200, driver 580, half a million copies, every fault mended and noted): row after row is
//! moved by the driver's own routine. It begins with the bytes up to a multiple of 16 of the destination,
//! goes on in blocks of 64 bytes, then of 16, and ends with what is left. A block is read before it is
//! written, and its second 16 bytes are touched first. A row of less than 64 bytes has no such blocks.

use super::astray::is_hosts;
use super::{Missing, Prediction};
use crate::call::Action;
use crate::facts::{Class, Facts, Owner};
use crate::{Call, OperandFacts, Role};

pub(super) const PAGE: u64 = 4096;
/// What the destination is aligned to before blocks are moved.
const UNIT: u64 = 16;
/// Bytes of a block.
const BLOCK: u64 = 64;
/// A single row up to so long goes to a device within the driver's commands, at whatever place is free there.
const INLINE: u64 = 64 << 10;

/// What is known of how far the host can touch an operand.
enum Reach {
    /// All of it.
    Whole,
    /// Not this byte: its offset from the operand's start.
    Until(u64),
    /// Nobody knows from this offset on.
    Unknown(u64, Missing),
}

/// A byte by its row and its place in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    row: u64,
    column: u64,
}

/// Whether the host can touch all of these; if not, where it dies.
pub(super) fn host(call: &Call, facts: &Facts, touched: &[&OperandFacts]) -> Prediction {
    let (mut first, mut unknown): (Option<Stop<'_>>, Option<(Place, Missing)>) = (None, None);
    for &operand in touched {
        match reach(operand) {
            Reach::Whole => {}
            Reach::Until(offset) => {
                let stop = Stop::new(operand, offset);
                if first.as_ref().is_none_or(|before| stop.is_sooner(before)) {
                    first = Some(stop);
                }
            }
            Reach::Unknown(offset, missing) => {
                let place = place(operand, offset);
                if unknown.is_none_or(|(before, _)| place < before) {
                    unknown = Some((place, missing));
                }
            }
        }
    }
    match (first, unknown) {
        (Some(stop), Some((place, missing))) if place <= stop.place => {
            Prediction::CannotTell(missing)
        }
        (Some(stop), _) => Prediction::Fault {
            role: stop.facts.operand.role,
            page: stop.page(call, facts),
        },
        (None, Some((_, missing))) => Prediction::CannotTell(missing),
        (None, None) => Prediction::Success,
    }
}

/// The offset of the first byte of an operand that host code cannot touch as the call would.
pub(crate) fn first_untouchable(facts: &OperandFacts) -> Result<Option<u64>, Missing> {
    match reach(facts) {
        Reach::Whole => Ok(None),
        Reach::Until(offset) => Ok(Some(offset)),
        Reach::Unknown(_, missing) => Err(missing),
    }
}

/// Bytes up to the first that the host cannot touch.
pub(super) fn distance(facts: &OperandFacts) -> Option<u64> {
    match reach(facts) {
        Reach::Until(offset) => Some(offset),
        Reach::Whole | Reach::Unknown(..) => None,
    }
}

fn reach(facts: &OperandFacts) -> Reach {
    let role = facts.operand.role;
    if facts.head().is_some_and(Owner::is_nowhere) {
        return Reach::Until(0);
    }
    let shape = &facts.operand.shape;
    let mut seen = 0;
    for segment in &facts.segments {
        // A part that was not looked up matters where a byte of it is touched.
        let gap = crate::Span::new(seen, segment.part.start.max(seen));
        if let Some(offset) = shape.first_touched(gap) {
            return Reach::Unknown(offset, Missing::HostMemory(role));
        }
        seen = segment.part.end;
        let Some(offset) = shape.first_touched(segment.part) else {
            continue;
        };
        match may_touch(&segment.owner, role) {
            Some(true) => {}
            Some(false) => return Reach::Until(offset),
            None => return Reach::Unknown(offset, Missing::HostMemory(role)),
        }
    }
    let whole = shape.extent();
    let reaches = facts
        .operand
        .address
        .checked_add(whole.unwrap_or(u64::MAX))
        .is_some();
    if whole.is_some_and(|whole| whole <= seen) && reaches {
        Reach::Whole
    } else {
        Reach::Unknown(seen, Missing::HostMemory(role))
    }
}

fn may_touch(owner: &Owner, role: Role) -> Option<bool> {
    match role {
        Role::Destination => owner.host_writable(),
        Role::Source | Role::Subject => owner.host_readable(),
    }
}

/// The row and the column of an offset, which counts from the operand's start.
fn place(facts: &OperandFacts, offset: u64) -> Place {
    let shape = &facts.operand.shape;
    if shape.is_line() {
        return Place {
            row: 0,
            column: offset,
        };
    }
    let step = |offset: u64, pitch: u64, count: u64| {
        let whole = offset.checked_div(pitch).unwrap_or(0).min(count.max(1) - 1);
        (whole, offset - whole * pitch)
    };
    let (slice, rest) = step(offset, shape.slice_pitch, shape.slices);
    let (row, column) = step(rest, shape.pitch, shape.rows);
    Place {
        row: slice.saturating_mul(shape.rows).saturating_add(row),
        column,
    }
}

/// A byte at which the host dies.
struct Stop<'a> {
    facts: &'a OperandFacts,
    offset: u64,
    place: Place,
}

impl<'a> Stop<'a> {
    fn new(facts: &'a OperandFacts, offset: u64) -> Self {
        Self {
            facts,
            offset,
            place: place(facts, offset),
        }
    }

    /// Whether this one is met before one of the other side.
    fn is_sooner(&self, other: &Self) -> bool {
        if self.place.row != other.place.row {
            return self.place.row < other.place.row;
        }
        match self.facts.operand.role {
            Role::Destination => other.place.column >= self.unit_end(),
            Role::Source | Role::Subject => self.place.column < other.unit_end(),
        }
    }

    /// The address of the row's first byte.
    fn row_start(&self) -> u64 {
        let start = self.offset.wrapping_sub(self.place.column);
        self.facts.operand.address.wrapping_add(start)
    }

    /// Where, in the row, the bytes end that are read together before this one is written.
    fn unit_end(&self) -> u64 {
        let (width, column) = (self.facts.operand.shape.width, self.place.column);
        unit_end(self.row_start(), width, column)
    }

    /// The page of the fault.
    fn page(&self, call: &Call, facts: &Facts) -> u64 {
        let row = self.row_start();
        let page = |offset: u64| row.wrapping_add(offset) & !(PAGE - 1);
        let long = self.facts.operand.shape.width >= BLOCK;
        if self.place.column != 0 || !long || !self.starts_with_a_block(call, facts) {
            return page(self.place.column);
        }
        let at = self.offset.saturating_add(UNIT);
        let second = self
            .facts
            .segments
            .iter()
            .find(|segment| segment.part.contains(at));
        let role = self.facts.operand.role;
        let closed = match second {
            Some(segment) => may_touch(&segment.owner, role) == Some(false),
            // Past the end of all addresses nothing is mapped.
            None => row.checked_add(UNIT).is_none(),
        };
        page(if closed { UNIT } else { 0 })
    }

    /// Whether nothing has to be moved before the destination is aligned.
    fn starts_with_a_block(&self, call: &Call, facts: &Facts) -> bool {
        if self.facts.operand.role == Role::Destination {
            return self.row_start().is_multiple_of(UNIT);
        }
        let Some(dst) = facts.operand(Role::Destination) else {
            // Into an array: by way of a buffer.
            return true;
        };
        match dst.class() {
            Class::Managed if !is_hosts(call, dst) => true,
            Class::Device | Class::Symbol | Class::Pool | Class::Virtual => {
                let shape = &self.facts.operand.shape;
                let rows =
                    matches!(call.action, Action::Copy2D(_)) || call.action.volume().is_some();
                rows && !shape.is_line() || shape.width > INLINE
            }
            _ => {
                let shape = &dst.operand.shape;
                let rows = shape.rows.max(1);
                let start = (self.place.row / rows)
                    .wrapping_mul(shape.slice_pitch)
                    .wrapping_add((self.place.row % rows).wrapping_mul(shape.pitch));
                let start = if shape.is_line() { 0 } else { start };
                dst.operand.address.wrapping_add(start).is_multiple_of(UNIT)
            }
        }
    }
}

/// Where the bytes end that are read together with the one at `column` of a row, which is written to `dst`.
fn unit_end(dst: u64, width: u64, column: u64) -> u64 {
    let head = (dst.wrapping_neg() % UNIT).min(width);
    if column < head {
        return head;
    }
    let rest = width - head;
    let blocks = rest - rest % BLOCK;
    let at = column - head;
    if at < blocks {
        return head + at - at % BLOCK + BLOCK;
    }
    let units = rest - rest % UNIT;
    if at < units {
        return head + blocks + (at - blocks) / UNIT * UNIT + UNIT;
    }
    if width >= BLOCK {
        // The end of a long row is moved byte by byte.
        return column + 1;
    }
    let mut end = units;
    for size in [8, 4, 2, 1] {
        if rest - end >= size {
            end += size;
        }
        if at < end {
            return head + end;
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::unit_end;

    #[test]
    fn bytes_are_read_together_as_measured() {
        // (destination modulo 16, width, column written) and the end of what is read before.
        for (dst, width, column, end) in [
            (0, 8, 0, 8),
            (15, 8, 1, 5),
            (0, 20, 0, 16),
            (9, 20, 7, 15),
            (0, 63, 48, 56),
            (0, 64, 0, 64),
            (15, 64, 1, 17),
            (14, 66, 2, 66),
            (12, 66, 4, 20),
            (12, 100, 20, 68),
            (0, 200, 128, 192),
            (1, 66, 63, 64),
        ] {
            assert_eq!(unit_end(dst, width, column), end, "{dst} {width} {column}");
        }
    }
}
