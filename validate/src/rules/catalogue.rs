//! All rules, by area.

use super::{Rule, host, kind, pointer, range, virtual_memory};

/// Every rule, in the order of the rule book.
pub static RULES: &[&Rule] = &[
    &pointer::NULL,
    &pointer::UNKNOWN,
    &pointer::ADDRESS_OF,
    &pointer::FREED,
    &range::PAST_END,
    &range::BEFORE_START,
    &range::SPANS,
    &range::OVERFLOW,
    &range::TOO_SHORT,
    &range::NOT_WRITABLE,
    &range::NOT_READABLE,
    &range::OVERLAP,
    &host::LEAVES,
    &host::SPANS,
    &host::ENTERS,
    &host::READ_ONLY,
    &host::NOT_DEVICE_POINTER,
    &kind::INVALID,
    &kind::IMPOSSIBLE_FOR_ARRAY,
    &kind::CONTRADICTS,
    &kind::FALSE_BUT_ACCEPTED,
    &kind::SWAPPED,
    &virtual_memory::UNMAPPED,
    &virtual_memory::NO_ACCESS,
    &virtual_memory::HOLE,
];

/// The rule of this name.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}
