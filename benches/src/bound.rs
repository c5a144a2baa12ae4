use serde::{Deserialize, Serialize};

/// A number that the design promises, beside what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// What was measured, in the words of the design's table.
    pub what: String,
    /// Under which conditions.
    pub detail: String,
    /// `ns`, or `x` for a ratio.
    pub unit: String,
    /// What it must not exceed.
    pub limit: f64,
    /// The median.
    pub measured: f64,
    /// The lower quartile.
    pub low: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Bound {
    /// Whether the promise is kept.
    #[must_use]
    pub fn held(&self) -> bool {
        self.measured <= self.limit
    }
}

/// How two ways compare at one point, where the design promises nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was done, and through what: the same words at every size.
    pub what: String,
    /// At how many bytes.
    pub bytes: u64,
    /// Nanoseconds of the first way.
    pub base: f64,
    /// Nanoseconds of the second way.
    pub other: f64,
    /// The second over the first, turn by turn: the median.
    pub ratio: f64,
    /// The lower quartile.
    pub low: f64,
    /// The upper quartile.
    pub high: f64,
}
