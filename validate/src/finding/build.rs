//! A rule's report and the facts become a finding.

use super::{CallText, Finding, FirstBad, OperandText, Outcome, OwnerRange, SegmentText};
use crate::facts::{Class, Environment, Owner, Segment};
use crate::rules::words;
use crate::rules::{Case, Found};
use crate::{Api, OperandFacts};

/// Makes a finding of what a rule found.
#[must_use]
pub fn finding(case: &Case<'_>, found: Found) -> Finding {
    let call = case.call;
    // A finding about an entry of a batch shows the operands of that entry.
    let entry = found.entry.and_then(|index| case.facts.entries.get(index));
    let facts = entry.map_or(case.facts, |(_, facts)| facts);
    let first_bad = found.role.zip(found.first_bad).and_then(|(role, offset)| {
        let operand = facts.operand(role)?.operand;
        Some(FirstBad {
            role: role.name(),
            offset,
            address: operand.address.wrapping_add(offset),
        })
    });
    Finding {
        rule: found.rule.id,
        severity: found.severity,
        says: found.says,
        call: CallText {
            function: call.function,
            api: match call.api {
                Api::Driver => "driver",
                Api::Runtime => "runtime",
            },
            text: call.text(),
        },
        predicted: Outcome::predicted(call.api, case.prediction),
        answered: None,
        operands: facts
            .operands
            .iter()
            .map(|facts| operand(facts, case.environment()))
            .collect(),
        role: found.role.map(crate::Role::name),
        first_bad,
        why: found.why,
        fix: found.fix,
        at: (!call.site.is_unknown()).then(|| call.site.to_string()),
        entry: found.entry,
        seen: 1,
        device_state: None,
    }
}

fn operand(facts: &OperandFacts, environment: &Environment) -> OperandText {
    OperandText {
        role: facts.operand.role.name(),
        address: facts.operand.address,
        bytes: facts.operand.shape.extent(),
        segments: facts
            .segments
            .iter()
            .map(|part| segment(part, environment))
            .collect(),
    }
}

fn segment(segment: &Segment, environment: &Environment) -> SegmentText {
    let owner = &segment.owner;
    SegmentText {
        from: segment.part.start,
        to: segment.part.end,
        class: owner.class.key(),
        text: words::owner(owner, environment),
        owner: owner
            .range
            .filter(|_| owner.class != Class::Unmapped)
            .map(|range| OwnerRange {
                address: range.start,
                bytes: range.bytes(),
            }),
        device: owner.device,
        history: history(owner),
    }
}

fn history(owner: &Owner) -> Option<String> {
    if let Some(end) = &owner.end {
        return Some(if end.site.is_unknown() {
            format!("freed by {}", end.call)
        } else {
            format!("freed at {}", end.site)
        });
    }
    (!owner.origin.site.is_unknown()).then(|| format!("allocated at {}", owner.origin.site))
}
