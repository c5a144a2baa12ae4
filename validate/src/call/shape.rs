//! How the bytes of an operand lie in memory.

use crate::Span;

/// Rows of `width` bytes, `pitch` apart, in slices `slice_pitch` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Bytes of a row that are touched.
    pub width: u64,
    /// Rows of a slice.
    pub rows: u64,
    /// Bytes from the start of a row to the start of the next.
    pub pitch: u64,
    /// Slices.
    pub slices: u64,
    /// Bytes from the start of a slice to the start of the next.
    pub slice_pitch: u64,
}

impl Shape {
    /// One row of `bytes`.
    #[must_use]
    pub const fn line(bytes: u64) -> Self {
        Self {
            width: bytes,
            rows: 1,
            pitch: bytes,
            slices: 1,
            slice_pitch: bytes,
        }
    }

    /// `rows` rows of `width` bytes, `pitch` apart.
    #[must_use]
    pub const fn plane(width: u64, rows: u64, pitch: u64) -> Self {
        Self {
            width,
            rows,
            pitch,
            slices: 1,
            slice_pitch: 0,
        }
    }

    /// Whether no byte is touched.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.width == 0 || self.rows == 0 || self.slices == 0
    }

    /// Whether the bytes lie in one piece.
    #[must_use]
    pub const fn is_line(&self) -> bool {
        self.rows <= 1 && self.slices <= 1
    }

    /// Bytes from the first one touched to the last one; `None` where that number has no place in 64 bits.
    #[must_use]
    pub fn extent(&self) -> Option<u64> {
        if self.is_empty() {
            return Some(0);
        }
        let slices = self.slice_pitch.checked_mul(self.slices - 1)?;
        let rows = self.pitch.checked_mul(self.rows - 1)?;
        slices.checked_add(rows)?.checked_add(self.width)
    }

    /// The same number as CUDA computes it: modulo 2^64.
    #[must_use]
    pub const fn wrapping_extent(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let slices = self.slice_pitch.wrapping_mul(self.slices - 1);
        let rows = self.pitch.wrapping_mul(self.rows - 1);
        slices.wrapping_add(rows).wrapping_add(self.width)
    }

    /// How many bytes are moved, cut off at 2^64 - 1.
    #[must_use]
    pub const fn payload(&self) -> u64 {
        self.width
            .saturating_mul(self.rows)
            .saturating_mul(self.slices)
    }

    /// The first offset of a touched byte that lies in `part` (offsets from the operand's start).
    #[must_use]
    pub fn first_touched(&self, part: Span) -> Option<u64> {
        if self.is_empty() || part.is_empty() {
            return None;
        }
        if self.is_line() {
            let both = part.common(Span::new(0, self.width));
            return (!both.is_empty()).then_some(both.start);
        }
        let (slice, rest) = step(part.start, self.slice_pitch, self.slices);
        let (row, column) = step(rest, self.pitch, self.rows);
        let here = self.offset_of(slice, row, column.min(self.width))?;
        if column < self.width {
            let hit = here.max(part.start);
            return (hit < part.end).then_some(hit);
        }
        let next = if row + 1 < self.rows {
            self.offset_of(slice, row + 1, 0)
        } else if slice + 1 < self.slices {
            self.offset_of(slice + 1, 0, 0)
        } else {
            None
        };
        next.filter(|&offset| offset < part.end)
    }

    /// Where each row begins, in the order in which they are copied; offsets from the operand's start, modulo
    /// 2^64: those of rows that run backwards are small negative numbers.
    pub fn row_starts(&self) -> impl Iterator<Item = u64> + use<> {
        let Self {
            rows,
            pitch,
            slices,
            slice_pitch,
            ..
        } = *self;
        (0..slices).flat_map(move |slice| {
            let start = slice.wrapping_mul(slice_pitch);
            (0..rows).map(move |row| start.wrapping_add(row.wrapping_mul(pitch)))
        })
    }

    fn offset_of(&self, slice: u64, row: u64, column: u64) -> Option<u64> {
        let slices = self.slice_pitch.checked_mul(slice)?;
        let rows = self.pitch.checked_mul(row)?;
        slices.checked_add(rows)?.checked_add(column)
    }
}

/// Splits an offset into the number of whole steps before it, below `count`, and the rest.
fn step(offset: u64, pitch: u64, count: u64) -> (u64, u64) {
    let whole = offset.checked_div(pitch).unwrap_or(0).min(count - 1);
    (whole, offset - whole * pitch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extent_is_byte_exact() {
        assert_eq!(Shape::line(40).extent(), Some(40));
        assert_eq!(Shape::plane(10, 3, 512).extent(), Some(1034));
        assert_eq!(Shape::plane(10, 0, 512).extent(), Some(0));
        assert_eq!(Shape::plane(10, u64::MAX, 512).extent(), None);
    }

    #[test]
    fn rows_run_backwards_where_the_pitch_is_negative() {
        let plane = Shape::plane(10, 3, 100_u64.wrapping_neg());
        let starts: Vec<u64> = plane.row_starts().collect();
        assert_eq!(starts, [0, 100_u64.wrapping_neg(), 200_u64.wrapping_neg()]);
        let volume = Shape {
            slices: 2,
            slice_pitch: 1000,
            ..Shape::plane(10, 2, 100)
        };
        let starts: Vec<u64> = volume.row_starts().collect();
        assert_eq!(starts, [0, 100, 1000, 1100]);
    }

    #[test]
    fn gaps_between_rows_are_not_touched() {
        let plane = Shape::plane(10, 3, 100);
        assert_eq!(plane.first_touched(Span::new(0, 5)), Some(0));
        assert_eq!(plane.first_touched(Span::new(10, 100)), None);
        assert_eq!(plane.first_touched(Span::new(10, 101)), Some(100));
        assert_eq!(plane.first_touched(Span::new(105, 300)), Some(105));
        assert_eq!(plane.first_touched(Span::new(210, 900)), None);
        assert_eq!(Shape::line(10).first_touched(Span::new(10, 20)), None);
    }
}
