//! A rule's report and the facts become a finding.

use super::{CallText, Finding, FirstBad, OperandText, Outcome, OwnerRange, SegmentText};
use crate::call::text::boxed;
use crate::call::{Action, Place};
use crate::facts::{ArrayFacts, Class, Environment, Facts, Owner, Segment};
use crate::rules::words;
use crate::rules::{Case, Found};
use crate::{Api, Call, OperandFacts, Role};

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
    let mut operands: Vec<OperandText> = facts
        .operands
        .iter()
        .map(|facts| operand(facts, case.environment()))
        .collect();
    let copy = entry.map_or(case.call, |(call, _)| call);
    operands.extend(arrays(copy, facts));
    operands.sort_by_key(|operand| operand.role != Role::Destination.name());
    let mut text = call.text();
    if let (Action::Batch(batch), Some(index)) = (&call.action, found.entry)
        && let Some(entry) = batch.entries.get(index)
    {
        text.push_str(&format!(
            " with entry {index} = {{dst = {:#x}, src = {:#x}, size = {}}}",
            entry.dst, entry.src, entry.bytes
        ));
    }
    if let (Action::Batch3D(batch), Some(index)) = (&call.action, found.entry)
        && let Some(entry) = batch.entries.get(index)
    {
        text.push_str(&format!(" with entry {index} = {}", boxed(&entry.copy)));
    }
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
            text,
        },
        predicted: Outcome::predicted(call.api, case.prediction),
        answered: None,
        operands,
        role: found.role.map(Role::name),
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
        segments: joined(facts.segments.iter().map(|part| segment(part, environment))),
    }
}

/// Parts that lie side by side and are the same thing become one.
fn joined(segments: impl Iterator<Item = SegmentText>) -> Vec<SegmentText> {
    let mut all: Vec<SegmentText> = Vec::new();
    for segment in segments {
        match all.last_mut() {
            Some(last)
                if last.to == segment.from
                    && (last.class, &last.text) == (segment.class, &segment.text)
                    && (last.owner, &last.history) == (segment.owner, &segment.history) =>
            {
                last.to = segment.to;
            }
            _ => all.push(segment),
        }
    }
    all
}

/// The sides of a copy that are arrays: no memory with an address, and operands all the same.
fn arrays(call: &Call, facts: &Facts) -> impl Iterator<Item = OperandText> {
    let Some(copy) = call.action.volume() else {
        return None.into_iter().chain(None);
    };
    let [dst, src] = facts.arrays;
    array(Role::Destination, &copy.dst, dst)
        .into_iter()
        .chain(array(Role::Source, &copy.src, src))
}

fn array(role: Role, place: &Place, facts: Option<ArrayFacts>) -> Option<OperandText> {
    let (Place::Array { handle, .. } | Place::Both { handle, .. }) = *place else {
        return None;
    };
    let bytes = facts.map(|array| {
        let (width, height, depth) = array.extents();
        width.saturating_mul(height).saturating_mul(depth)
    });
    let text = match facts {
        None => "array, nobody knows of what size".into(),
        Some(array) => {
            let mut extents = array.width.to_string();
            for extent in [array.height, array.depth] {
                if extent > 0 {
                    extents.push_str(&format!(" x {extent}"));
                }
            }
            format!(
                "array of {extents} elements of {}",
                words::bytes(array.element)
            )
        }
    };
    Some(OperandText {
        role: role.name(),
        address: handle,
        bytes,
        segments: vec![SegmentText {
            from: 0,
            to: bytes.unwrap_or(0),
            class: "array",
            text,
            owner: None,
            device: None,
            history: None,
        }],
    })
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
