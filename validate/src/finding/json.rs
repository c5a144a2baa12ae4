//! A finding for programs: one line of JSON with frozen keys.

use super::Finding;
use crate::Severity;
use serde::Serializer;

/// The JSON Schema of a line; the keys are frozen, new ones may be added.
pub const SCHEMA: &str = include_str!("../../finding.schema.json");

impl Finding {
    /// The finding as one line of JSON, without a line feed.
    #[must_use]
    pub fn json(&self) -> String {
        // The type has string keys alone and no floating-point number: there is nothing to fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Addresses are hexadecimal strings: a JSON number holds 53 bits.
pub(super) fn address<S: Serializer>(value: &u64, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&format!("{value:#x}"))
}

pub(super) fn severity<S: Serializer>(value: &Severity, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(value.word())
}
