//! Copies of variables by the runtime's own functions.
//!
//! Measured (H100, driver 580, libcudart 11.8.89, 12.9.79 and 13.0.96, 1,734 calls with each): nothing to be moved
//! is nothing to be checked; then the name is looked up; then a synchronous copy holds offset and count against
//! the variable, and one in a stream does not, so that it copies what lies beside it; then comes the kind. What
//! is left is a copy of one line.

use super::touch::{PAGE, first_untouchable};
use super::{Missing, Prediction, Stopped, codes};
use crate::call::SymbolCopy;
use crate::facts::Facts;
use crate::{Call, OperandFacts, Order, Role, Span};

/// What stops a copy of a variable before its kind is looked at.
pub(super) fn stopped(call: &Call, copy: &SymbolCopy, facts: &Facts) -> Stopped {
    if copy.symbol == 0 {
        return Some(nameless(copy, facts));
    }
    if matches!(call.order, Order::Async(_)) {
        return None;
    }
    let (role, side) = variable_side(copy, facts);
    match side.map(|side| beyond(copy, side)) {
        Some(Some(0)) => None,
        Some(Some(_)) => Some(Prediction::Status(codes::INVALID_VALUE)),
        Some(None) | None => Some(Prediction::CannotTell(Missing::Range(role))),
    }
}

/// The side that is the variable.
pub(crate) fn variable_side<'a>(
    copy: &SymbolCopy,
    facts: &'a Facts,
) -> (Role, Option<&'a OperandFacts>) {
    let role = if copy.to_symbol {
        Role::Destination
    } else {
        Role::Source
    };
    (role, facts.operand(role))
}

/// The variable, from what is known of the place where the copy begins: nothing where that lies outside of it.
pub(crate) fn variable(copy: &SymbolCopy, side: &OperandFacts) -> Option<Span> {
    let range = side.head().and_then(|owner| owner.range)?;
    (side.class().is_cuda() && range.contains(copy.symbol)).then_some(range)
}

/// How many of the copy's bytes lie outside of the variable; nothing where nobody knows.
pub(crate) fn beyond(copy: &SymbolCopy, side: &OperandFacts) -> Option<u64> {
    if let Some(range) = variable(copy, side) {
        let end = copy
            .offset
            .checked_add(copy.bytes)
            .and_then(|reach| copy.symbol.checked_add(reach));
        return Some(end.map_or(copy.bytes, |end| {
            end.saturating_sub(range.end).min(copy.bytes)
        }));
    }
    // It begins in something that is known and is not the variable.
    let known = side
        .head()
        .is_some_and(|owner| owner.range.is_some() || !owner.class.is_cuda());
    let unknown = side.class() == crate::Class::Unknown;
    (known && !unknown).then_some(copy.bytes)
}

/// A name that no variable has. Before 13 the runtime reads the word that stands there.
fn nameless(copy: &SymbolCopy, facts: &Facts) -> Prediction {
    let refused = Prediction::Status(codes::INVALID_SYMBOL);
    let role = Role::Subject;
    if copy.name == 0 {
        return refused;
    }
    let Some(major) = facts.environment.runtime_major else {
        return Prediction::CannotTell(Missing::Measurement);
    };
    if major >= 13 {
        return refused;
    }
    match facts.operand(role).map(first_untouchable) {
        Some(Ok(None)) => refused,
        Some(Ok(Some(first))) => Prediction::Fault {
            role,
            page: first.address & !(PAGE - 1),
        },
        Some(Err(missing)) => Prediction::CannotTell(missing),
        None => Prediction::CannotTell(Missing::HostMemory(role)),
    }
}
