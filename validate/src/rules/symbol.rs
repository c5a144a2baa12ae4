//! `symbol.*`: `__device__` variables.

use super::range::excess;
use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Action;

pub(super) static PAST_END: Rule = Rule {
    id: "symbol.past-end",
    severity: Severity::Error,
    statement: "offset and count run beyond the variable",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyToSymbol: offset + count must lie in the variable",
    detection: "the range of the variable's device address",
    example: Example {
        wrong: "__device__ int table[64]; cudaMemcpyToSymbol(table, host, sizeof table, 4)",
        right: "__device__ int table[64]; cudaMemcpyToSymbol(table, host, sizeof table - 4, 4)",
    },
    shadows: &["range.past-end", "range.spans-allocations"],
    find: past_end,
};

fn past_end(case: &Case<'_>, out: &mut Vec<Found>) {
    let Action::Symbol(copy) = case.action() else {
        return;
    };
    for facts in case.moved() {
        if facts.operand.address != copy.symbol {
            continue;
        }
        let Some((room, beyond)) = excess(facts) else {
            continue;
        };
        let role = facts.operand.role;
        out.push(
            Found::new(
                &PAST_END,
                format!(
                    "offset {} and count {} run {} past the end of the variable of {}",
                    copy.offset,
                    copy.bytes,
                    words::bytes(beyond),
                    words::bytes(room)
                ),
            )
            .at(role, room)
            .why("offset and count are in bytes, and the whole range must lie in the variable")
            .fix(match room.checked_sub(copy.offset) {
                Some(left) => format!(
                    "from offset {} on there is room for {}",
                    copy.offset,
                    words::bytes(left)
                ),
                None => format!("the offset is below {room}, in bytes"),
            }),
        );
    }
}
