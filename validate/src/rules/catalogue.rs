//! All rules, by area.

use super::{
    Rule, array, batch, context, host, kind, memset, peer, pitch, pointer, range, register, stream,
    symbol, virtual_memory,
};

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
    &symbol::PAST_END,
    &context::NONE,
    &context::DESTROYED,
    &context::FORKED,
    &context::POISONED,
    &peer::ORDINAL,
    &peer::POOL,
    &peer::VIRTUAL,
    &peer::MEMSET,
    &pitch::WIDTH,
    &pitch::IN_ELEMENTS,
    &pitch::LAST_ROW,
    &pitch::LINEAR,
    &pitch::MAXIMUM,
    &array::OUTSIDE,
    &array::MISALIGNED,
    &array::AMBIGUOUS,
    &batch::ENTRY,
    &batch::ZERO,
    &batch::ATTRIBUTES,
    &batch::LEGACY,
    &batch::DEPENDENT,
    &stream::CAPTURING,
    &stream::BATCH,
    &stream::DESTROYED,
    &stream::PAGEABLE,
    &memset::HOST,
    &memset::MISALIGNED,
    &register::ALREADY_CUDA,
    &register::OVERLAP,
    &register::READ_ONLY,
    &register::NOT_BASE,
    &register::NOT_EXPORTABLE,
];

/// The rule of this name.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}
