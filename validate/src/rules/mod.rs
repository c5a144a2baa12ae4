//! The rule catalogue: every rule is data, and one pure function over a call and its facts.
//!
//! A rule performs no call and reads no memory. It looks at a [`Case`] and reports what it finds;
//! whether CUDA refuses the call is not its business but [`crate::predict()`]'s, so that the two can be
//! held against each other.

mod array;
mod batch;
mod batch_boxes;
mod case;
mod catalogue;
mod context;
mod host;
mod kind;
mod memset;
mod overflow;
mod peer;
mod pitch;
mod pointer;
mod range;
mod range_host;
mod register;
mod stream;
mod symbol;
mod virtual_memory;
pub(crate) mod words;

pub use case::{Case, Found};
pub use catalogue::{RULES, rule};

use core::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// CUDA refuses the call, the process dies, or data is corrupted.
    Error,
    /// It works today, but the code says something false or depends on chance.
    Warning,
    /// It is slower or more synchronous than it looks.
    Note,
}

impl Severity {
    /// The word for it, in text and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// What stands behind the claim of what CUDA does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// A real GPU was asked.
    Measured,
    /// NVIDIA's documentation says so, and nobody has measured it.
    Documented,
}

/// One thing that can be wrong with a call.
#[derive(Debug)]
pub struct Rule {
    /// Its permanent name: `range.past-end`.
    pub id: &'static str,
    /// How bad it is at worst.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub statement: &'static str,
    /// What CUDA does about it.
    pub cuda: &'static str,
    /// What stands behind that.
    pub evidence: Evidence,
    /// CUDA's own rule in our words, and where it is written.
    pub source: &'static str,
    /// How it is detected.
    pub detection: &'static str,
    /// A wrong call and the nearest right one.
    pub example: Example,
    /// Rules that say less about the same thing, and stay silent when this one speaks.
    pub shadows: &'static [&'static str],
    pub(crate) find: fn(&Case<'_>, &mut Vec<Found>),
}

/// A wrong call and its twin, as C.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The call that breaks the rule.
    pub wrong: &'static str,
    /// The nearest call that does not.
    pub right: &'static str,
}
