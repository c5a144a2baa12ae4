//! `symbol.*`: `__device__` variables.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::{Action, SymbolCopy};
use crate::predict::{beyond_variable, variable, variable_side};
use crate::{Order, Prediction, Role};

pub(super) static PAST_END: Rule = Rule {
    id: "symbol.past-end",
    severity: Severity::Error,
    statement: "offset and count run beyond the variable",
    cuda: "1 cudaErrorInvalidValue; in a stream nobody looks, and what lies beside the variable is copied where there is something",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyToSymbol: offset + count must lie in the variable",
    detection: "the range of the variable's device address",
    example: Example {
        wrong: "__device__ int table[64]; cudaMemcpyToSymbol(table, host, sizeof table, 4)",
        right: "__device__ int table[64]; cudaMemcpyToSymbol(table, host, sizeof table - 4, 4)",
    },
    shadows: &[
        "range.past-end",
        "range.before-start",
        "range.spans-allocations",
        "range.size-overflow",
        "pointer.unknown",
        "pointer.freed",
        "kind.contradicts",
    ],
    find: past_end,
};

fn past_end(case: &Case<'_>, out: &mut Vec<Found>) {
    let Action::Symbol(copy) = case.action() else {
        return;
    };
    if case.call.is_empty() || copy.symbol == 0 {
        return;
    }
    let (role, Some(facts)) = variable_side(copy, case.facts) else {
        return;
    };
    let Some(beyond) = beyond_variable(copy, facts).filter(|&beyond| beyond > 0) else {
        return;
    };
    if copy.offset.cast_signed() < 0 {
        return before_start(copy, role, out);
    }
    let room = variable(copy, facts).map(|range| range.end - copy.symbol);
    let of = room.map_or_else(String::new, |room| format!(" of {}", words::bytes(room)));
    let why = if matches!(case.call.order, Order::Async(_)) {
        "offset and count are in bytes; in a stream the runtime does not hold them against the variable, and what lies beside it is copied"
    } else {
        "offset and count are in bytes, and the whole range must lie in the variable"
    };
    out.push(
        Found::new(
            &PAST_END,
            format!(
                "offset {} and count {} run {} past the end of the variable{of}",
                copy.offset,
                copy.bytes,
                words::bytes(beyond),
            ),
        )
        .at(role, copy.bytes - beyond)
        .why(why)
        .fix(
            match room.map(|room| (room, room.checked_sub(copy.offset))) {
                Some((_, Some(left))) => format!(
                    "from offset {} on there is room for {}",
                    copy.offset,
                    words::bytes(left)
                ),
                Some((room, None)) => format!("the offset is below {room}, in bytes"),
                None => "the offset is below the variable's size, in bytes".into(),
            },
        ),
    );
}

/// An offset that is a negative number.
fn before_start(copy: &SymbolCopy, role: Role, out: &mut Vec<Found>) {
    let before = copy.offset.wrapping_neg();
    out.push(
        Found::new(
            &PAST_END,
            format!(
                "offset {:#x} is -{before}, a negative number: the copy begins {} before the variable",
                copy.offset,
                words::bytes(before)
            ),
        )
        .at(role, 0)
        .why("offset and count are in bytes, and the whole range must lie in the variable")
        .fix("look at the subtraction that the offset comes from"),
    );
}

pub(super) static UNKNOWN: Rule = Rule {
    id: "symbol.unknown",
    severity: Severity::Error,
    statement: "what is named is no __device__ variable of this program",
    cuda: "13 cudaErrorInvalidSymbol; before CUDA 13 the process dies where the address cannot be read",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyToSymbol: symbol is a device symbol address; its name as a string is no more accepted since 5.0",
    detection: "cudaGetSymbolAddress",
    example: Example {
        wrong: "float *table; cudaMalloc(&table, 256); cudaMemcpyToSymbol(table, host, 256)",
        right: "__device__ float table[64]; cudaMemcpyToSymbol(table, host, 256)",
    },
    shadows: &["pointer.null", "kind.invalid", "kind.impossible-for-symbol"],
    find: unknown,
};

fn unknown(case: &Case<'_>, out: &mut Vec<Found>) {
    let Action::Symbol(copy) = case.action() else {
        return;
    };
    if case.call.is_empty() || copy.symbol != 0 {
        return;
    }
    let named = case.facts.operand(Role::Subject);
    let class = named.map(crate::OperandFacts::class);
    let what = match class {
        _ if copy.name == 0 => "the symbol is null".to_owned(),
        Some(class) if class.is_cuda() => format!(
            "the symbol {:#x} is {}, and no variable",
            copy.name,
            words::class(class)
        ),
        _ => format!("the symbol {:#x} is the name of no variable", copy.name),
    };
    let why = match case.prediction {
        Prediction::Fault { .. } => {
            "the runtime reads what stands at a name that it does not know, and this cannot be read"
        }
        _ => {
            "the runtime knows the variables that compiled code has announced to it, by the addresses of their names"
        }
    };
    let fix = match class {
        Some(class) if class.is_cuda() => format!(
            "memory that was allocated is copied with {}",
            if matches!(case.call.order, Order::Async(_)) {
                "cudaMemcpyAsync"
            } else {
                "cudaMemcpy"
            }
        ),
        _ => "pass the variable itself, declared with __device__ or __constant__: neither its name in quotes nor a pointer"
            .into(),
    };
    out.push(
        Found::new(&UNKNOWN, what)
            .about(Role::Subject)
            .why(why)
            .fix(fix),
    );
}
