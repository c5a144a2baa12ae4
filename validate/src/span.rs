//! A half-open range of addresses.

/// The addresses from `start` up to and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first address.
    pub start: u64,
    /// The first address after the range.
    pub end: u64,
}

impl Span {
    /// A range by its bounds; an `end` below `start` makes an empty range.
    #[must_use]
    pub const fn new(start: u64, end: u64) -> Self {
        let end = if end < start { start } else { end };
        Self { start, end }
    }

    /// A range by its first address and its length, cut off at the end of the address space.
    #[must_use]
    pub const fn sized(start: u64, bytes: u64) -> Self {
        Self {
            start,
            end: start.saturating_add(bytes),
        }
    }

    /// How many bytes lie in the range.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.end - self.start
    }

    /// Whether no byte lies in the range.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end == self.start
    }

    /// Whether `address` lies in the range.
    #[must_use]
    pub const fn contains(self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Whether every byte of `other` lies in the range.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The bytes that both ranges have.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}
