//! A finding: what a rule reports, with everything that a reader needs, as plain data.
//!
//! [`Finding::text`] is for people, [`Finding::json`] for programs; both say the same.

mod build;
mod json;
mod layout;
mod outcome;
mod text;

pub use build::finding;
pub use json::SCHEMA;
pub use outcome::Outcome;
pub use text::{Glyphs, Style};

use crate::Severity;
use serde::Serialize;

/// What is wrong with one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's permanent id.
    pub rule: &'static str,
    /// How bad it is in this case.
    #[serde(serialize_with = "json::severity")]
    pub severity: Severity,
    /// One sentence with the numbers in it.
    pub says: String,
    /// The call.
    pub call: CallText,
    /// What CUDA will answer.
    pub predicted: Outcome,
    /// What it did answer, once it was asked.
    pub answered: Option<Outcome>,
    /// Both operands, as segments by owner.
    pub operands: Vec<OperandText>,
    /// The side that it is about, `dst`, `src` or `ptr`; absent where the call as a whole is wrong.
    pub role: Option<&'static str>,
    /// The first byte that is wrong.
    pub first_bad: Option<FirstBad>,
    /// The reason.
    pub why: String,
    /// What to change.
    pub fix: String,
    /// Where the call stands.
    pub at: Option<String>,
    /// Which entry of a batch it is about.
    pub entry: Option<usize>,
    /// How often this rule spoke at this place, this time included.
    pub seen: u64,
    /// What the device's own state has to do with it, where it has.
    pub device_state: Option<String>,
}

/// A call in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallText {
    /// The function.
    pub function: &'static str,
    /// `driver` or `runtime`.
    pub api: &'static str,
    /// The call with its arguments.
    pub text: String,
}

/// One side of the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperandText {
    /// `dst`, `src` or `ptr`.
    pub role: &'static str,
    /// The first byte.
    #[serde(serialize_with = "json::address")]
    pub address: u64,
    /// Bytes from the first one to the last one; absent where that exceeds 64 bits.
    pub bytes: Option<u64>,
    /// The parts by owner.
    pub segments: Vec<SegmentText>,
}

/// A part of an operand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentText {
    /// Offset of its first byte.
    pub from: u64,
    /// Offset of the byte after its last one.
    pub to: u64,
    /// What it is: one of a fixed list of words.
    pub class: &'static str,
    /// The same in words for people.
    pub text: String,
    /// The owner's whole range.
    pub owner: Option<OwnerRange>,
    /// The device that it lives on.
    pub device: Option<i32>,
    /// Who allocated it, and where; who freed it.
    pub history: Option<String>,
}

/// The whole range of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OwnerRange {
    /// Its first byte.
    #[serde(serialize_with = "json::address")]
    pub address: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The first byte that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FirstBad {
    /// The side that it belongs to.
    pub role: &'static str,
    /// Its offset from the start of that side.
    pub offset: u64,
    /// Its address.
    #[serde(serialize_with = "json::address")]
    pub address: u64,
}
