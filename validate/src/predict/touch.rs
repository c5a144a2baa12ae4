//! Where the host dies: the first byte of a copy that it cannot touch, and the page of that fault.
//!
//! Measured (H100 and H200, driver 580, half a million copies, every fault mended and noted): row after row is
//! moved by the driver's own routine. It begins with the bytes up to a multiple of 16 of the destination,
//! goes on in blocks of 64 bytes, then of 16, and ends with what is left. A block is read before it is
//! written, and its second 16 bytes are touched first. A row of less than 64 bytes has no such blocks.

use super::astray::is_hosts;
use super::{Missing, Prediction};
use crate::call::Action;
use crate::facts::{Class, Facts, MOST_ROWS, Owner, may_touch};
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
    /// Not this byte.
    Until(Spot),
    /// Nobody knows from this byte on.
    Unknown(Spot, Missing),
}

/// A byte, and the row that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spot {
    place: Place,
    /// The address of the row's first byte.
    row_start: u64,
}

impl Spot {
    /// The byte at this offset of an operand whose rows ascend.
    fn at(facts: &OperandFacts, offset: u64) -> Self {
        let place = place(facts, offset);
        let start = offset.wrapping_sub(place.column);
        Self {
            place,
            row_start: facts.operand.address.wrapping_add(start),
        }
    }

    const fn address(self) -> u64 {
        self.row_start.wrapping_add(self.place.column)
    }
}

/// The first byte of an operand that the host cannot touch as the call would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Untouchable {
    /// Its row, counted through all slices.
    pub(crate) row: u64,
    /// Its place in the row.
    pub(crate) column: u64,
    /// Its address.
    pub(crate) address: u64,
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
            Reach::Until(spot) => {
                let stop = Stop {
                    facts: operand,
                    spot,
                };
                if first.as_ref().is_none_or(|before| stop.is_sooner(before)) {
                    first = Some(stop);
                }
            }
            Reach::Unknown(Spot { place, .. }, missing) => {
                if unknown.is_none_or(|(before, _)| place < before) {
                    unknown = Some((place, missing));
                }
            }
        }
    }
    match (first, unknown) {
        (Some(stop), Some((place, missing))) if place <= stop.spot.place => {
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

/// The first byte of an operand that host code cannot touch as the call would.
pub(crate) fn first_untouchable(facts: &OperandFacts) -> Result<Option<Untouchable>, Missing> {
    match reach(facts) {
        Reach::Whole => Ok(None),
        Reach::Until(spot) => Ok(Some(Untouchable {
            row: spot.place.row,
            column: spot.place.column,
            address: spot.address(),
        })),
        Reach::Unknown(_, missing) => Err(missing),
    }
}

/// Bytes from the start up to the first that the host cannot touch.
pub(super) fn distance(facts: &OperandFacts) -> Option<u64> {
    match reach(facts) {
        Reach::Until(spot) => Some(spot.address().wrapping_sub(facts.operand.address)),
        Reach::Whole | Reach::Unknown(..) => None,
    }
}

fn reach(facts: &OperandFacts) -> Reach {
    let role = facts.operand.role;
    if facts.head().is_some_and(Owner::is_nowhere) {
        return Reach::Until(Spot::at(facts, 0));
    }
    if facts.operand.is_strewn() {
        return strewn(facts);
    }
    let shape = &facts.operand.shape;
    let mut seen = 0;
    for segment in &facts.segments {
        // A part that was not looked up matters where a byte of it is touched.
        let gap = crate::Span::new(seen, segment.part.start.max(seen));
        if let Some(offset) = shape.first_touched(gap) {
            return Reach::Unknown(Spot::at(facts, offset), Missing::HostMemory(role));
        }
        seen = segment.part.end;
        let Some(offset) = shape.first_touched(segment.part) else {
            continue;
        };
        match may_touch(&segment.owner, role) {
            Some(true) => {}
            Some(false) => return Reach::Until(Spot::at(facts, offset)),
            None => {
                return Reach::Unknown(Spot::at(facts, offset), Missing::HostMemory(role));
            }
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
        Reach::Unknown(Spot::at(facts, seen), Missing::HostMemory(role))
    }
}

/// The same where rows do not ascend: row by row, in the order of the copy.
fn strewn(facts: &OperandFacts) -> Reach {
    let (operand, missing) = (&facts.operand, Missing::HostMemory(facts.operand.role));
    let spot = |row: usize, row_start: u64, address: u64| Spot {
        place: Place {
            row: row as u64,
            column: address.wrapping_sub(row_start),
        },
        row_start,
    };
    for (row, offset) in operand.shape.row_starts().enumerate() {
        let start = operand.address.wrapping_add(offset);
        if row >= MOST_ROWS {
            return Reach::Unknown(spot(row, start, start), missing);
        }
        let (mut at, end) = (start, start.saturating_add(operand.shape.width));
        while at < end {
            let Some((part, owner)) = facts.owner_at(at) else {
                return Reach::Unknown(spot(row, start, at), missing);
            };
            match may_touch(owner, operand.role) {
                Some(true) => {}
                Some(false) => return Reach::Until(spot(row, start, at)),
                None => return Reach::Unknown(spot(row, start, at), missing),
            }
            at = part.end.max(at.saturating_add(1));
        }
    }
    Reach::Whole
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
    spot: Spot,
}

impl Stop<'_> {
    /// Whether this one is met before one of the other side.
    fn is_sooner(&self, other: &Self) -> bool {
        let (here, there) = (self.spot.place, other.spot.place);
        if here.row != there.row {
            return here.row < there.row;
        }
        match self.facts.operand.role {
            Role::Destination => there.column >= self.unit_end(),
            Role::Source | Role::Subject => here.column < other.unit_end(),
        }
    }

    /// Where, in the row, the bytes end that are read together before this one is written.
    fn unit_end(&self) -> u64 {
        let (width, column) = (self.facts.operand.shape.width, self.spot.place.column);
        unit_end(self.spot.row_start, width, column)
    }

    /// The page of the fault.
    fn page(&self, call: &Call, facts: &Facts) -> u64 {
        let row = self.spot.row_start;
        let page = |offset: u64| row.wrapping_add(offset) & !(PAGE - 1);
        let (long, column) = (
            self.facts.operand.shape.width >= BLOCK,
            self.spot.place.column,
        );
        if column != 0 || !long || !self.starts_with_a_block(call, facts) {
            return page(column);
        }
        let second = self.facts.owner_at(row.wrapping_add(UNIT));
        let role = self.facts.operand.role;
        let closed = match second {
            Some((_, owner)) => may_touch(owner, role) == Some(false),
            // Past the end of all addresses nothing is mapped.
            None => row.checked_add(UNIT).is_none(),
        };
        page(if closed { UNIT } else { 0 })
    }

    /// Whether nothing has to be moved before the destination is aligned.
    fn starts_with_a_block(&self, call: &Call, facts: &Facts) -> bool {
        if self.facts.operand.role == Role::Destination {
            return self.spot.row_start.is_multiple_of(UNIT);
        }
        // By way of an aligned buffer, in which one row follows the other.
        let row = self.spot.place.row;
        let packed = || {
            row.wrapping_mul(self.facts.operand.shape.width)
                .is_multiple_of(UNIT)
        };
        let Some(dst) = facts.operand(Role::Destination) else {
            return packed();
        };
        match dst.class() {
            Class::Managed if !is_hosts(call, dst) => packed(),
            Class::Device | Class::Symbol | Class::Pool | Class::Virtual => {
                let shape = &self.facts.operand.shape;
                let rows =
                    matches!(call.action, Action::Copy2D(_)) || call.action.volume().is_some();
                rows && !shape.is_line() && packed() || shape.width > INLINE
            }
            _ => {
                let shape = &dst.operand.shape;
                let rows = shape.rows.max(1);
                let start = (row / rows)
                    .wrapping_mul(shape.slice_pitch)
                    .wrapping_add((row % rows).wrapping_mul(shape.pitch));
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
