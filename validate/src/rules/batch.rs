//! `batch.*`: many copies in one call.

use super::{Case, Evidence, Example, Found, Rule, Severity, batch_boxes, words};
use crate::call::{Action, Batch};
use crate::predict::{BadAttributes, bad_attributes};
use crate::verdict::judge_entry;
use crate::{Severity as S, Span, Stream};

fn batch<'a>(case: &Case<'a>) -> Option<&'a Batch> {
    match case.action() {
        Action::Batch(batch) => Some(batch),
        _ => None,
    }
}

pub(crate) static ENTRY: Rule = Rule {
    id: "batch.entry",
    severity: Severity::Error,
    statement: "an entry of a batch breaks one of the rules of a single copy",
    cuda: "1 cudaErrorInvalidValue; CUDA 13 does not say which entry",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyBatchAsync: every entry is a copy of its own",
    detection: "all rules, for each entry",
    example: Example {
        wrong: "sizes = {40, 44}; cudaMemcpyBatchAsync(dsts_of_40, srcs, sizes, 2, ...)",
        right: "sizes = {40, 40}; cudaMemcpyBatchAsync(dsts_of_40, srcs, sizes, 2, ...)",
    },
    shadows: &[],
    find: entry,
};

fn entry(case: &Case<'_>, out: &mut Vec<Found>) {
    if !matches!(case.action(), Action::Batch(_) | Action::Batch3D(_)) {
        return;
    }
    let bad = |(index, (call, facts)): (usize, &(_, _))| {
        let first = judge_entry(call, facts)
            .into_iter()
            .find(|found| found.severity == S::Error && is_of_the_entry(found));
        first.map(|found| (index, found))
    };
    let mut all = case.facts.entries.iter().enumerate().filter_map(bad);
    let Some((index, first)) = all.next() else {
        return;
    };
    let more = match all.count() {
        0 => String::new(),
        1 => "; one more entry is wrong".into(),
        count => format!("; {count} more entries are wrong"),
    };
    let mut found = Found::new(
        &ENTRY,
        format!(
            "entry {index} of {}: {} ({}){more}",
            case.facts.entries.len(),
            first.says,
            first.rule.id
        ),
    )
    .why(first.why)
    .fix(first.fix);
    found.role = first.role;
    found.first_bad = first.first_bad;
    found.entry = Some(index);
    out.push(found);
}

/// Whether a finding is about the entry, and not about what surrounds the whole batch, which accepts entries
/// that overlap themselves.
fn is_of_the_entry(found: &Found) -> bool {
    let around = ["stream.", "context."];
    let id = found.rule.id;
    id != "range.overlap" && !around.iter().any(|area| id.starts_with(area))
}

pub(super) static ZERO: Rule = Rule {
    id: "batch.zero-size",
    severity: Severity::Error,
    statement: "an entry of a batch has 0 bytes",
    cuda: "1 cudaErrorInvalidValue, unlike a single copy of 0 bytes",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyBatchAsync: sizes must not be 0; a 3D batch refuses an extent of 0 in any direction",
    detection: "the arguments",
    example: Example {
        wrong: "sizes = {40, 0}; cudaMemcpyBatchAsync(dsts, srcs, sizes, 2, ...)",
        right: "sizes = {40}; cudaMemcpyBatchAsync(dsts, srcs, sizes, 1, ...)",
    },
    shadows: &[],
    find: zero,
};

fn zero(case: &Case<'_>, out: &mut Vec<Found>) {
    let empty = match case.action() {
        Action::Batch(batch) => {
            let index = batch.entries.iter().position(|entry| entry.bytes == 0);
            index.map(|index| (index, "0 bytes".to_owned()))
        }
        Action::Batch3D(batch) => batch_boxes::empty(batch),
        _ => None,
    };
    let Some((index, what)) = empty else { return };
    let total = case.facts.entries.len();
    let mut found = Found::new(&ZERO, format!("entry {index} of {total} has {what}"))
        .why("a single copy of 0 bytes does nothing; in a batch it makes the whole call fail")
        .fix(format!(
            "leave entry {index} out, and every other one of 0 bytes"
        ));
    found.entry = Some(index);
    out.push(found);
}

pub(super) static ATTRIBUTES: Rule = Rule {
    id: "batch.attributes",
    severity: Severity::Error,
    statement: "a batch's attributes do not cover its entries, or are none",
    cuda: "1 cudaErrorInvalidValue; 401 cudaErrorIllegalState for a hint of a 3D batch at managed memory",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyBatchAsync: attrsIdxs begins at 0, increases, and stays below the number of entries",
    detection: "the arguments",
    example: Example {
        wrong: "attrsIdxs = {1}; cudaMemcpyBatchAsync(..., 4, attrs, attrsIdxs, 1, ...)",
        right: "attrsIdxs = {0}; cudaMemcpyBatchAsync(..., 4, attrs, attrsIdxs, 1, ...)",
    },
    shadows: &[],
    find: attributes,
};

fn attributes(case: &Case<'_>, out: &mut Vec<Found>) {
    batch_boxes::attributes(case, out);
    let Some(batch) = batch(case).filter(|batch| !batch.entries.is_empty()) else {
        return;
    };
    let Some(bad) = bad_attributes(batch) else {
        return;
    };
    let at = |index: usize| batch.attributes.get(index).map_or(0, |one| one.from);
    let (says, fix) = match bad {
        BadAttributes::None => (
            "the batch has no attributes".to_owned(),
            "pass one attribute, with attrsIdxs = {0}; it holds for all entries".to_owned(),
        ),
        BadAttributes::NotFromZero(from) => (
            format!("the first attribute holds from entry {from} on, and nothing for the entries before"),
            format!("attrsIdxs[0] is 0, and not {from}: the first attribute holds from the first entry on"),
        ),
        BadAttributes::NotIncreasing(index) => (
            format!("attrsIdxs[{index}] = {} does not come after {}", at(index), at(index - 1)),
            "each index is greater than the one before".to_owned(),
        ),
        BadAttributes::Beyond(index) => (
            format!("attrsIdxs[{index}] = {} lies beyond the {} entries", at(index), batch.entries.len()),
            "one attribute with attrsIdxs = {0} holds for all entries; indices are of entries, not of attributes".to_owned(),
        ),
        BadAttributes::Order(index) => (
            format!("attribute {index} has no valid source access order"),
            "set srcAccessOrder to Stream (1), DuringApiCall (2) or Any (3); a zeroed structure is not valid".to_owned(),
        ),
    };
    out.push(
        Found::new(&ATTRIBUTES, says)
            .why("attrsIdxs[i] is the first entry that attribute i holds for")
            .fix(fix),
    );
}

pub(super) static LEGACY: Rule = Rule {
    id: "batch.legacy-stream",
    severity: Severity::Error,
    statement: "a batch is put into the legacy default stream",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyBatchAsync: the stream must not be the legacy default stream",
    detection: "the argument",
    example: Example {
        wrong: "cudaMemcpyBatchAsync(..., 0)",
        right: "cudaMemcpyBatchAsync(..., stream)",
    },
    shadows: &[],
    find: legacy,
};

fn legacy(case: &Case<'_>, out: &mut Vec<Found>) {
    let batch = matches!(case.action(), Action::Batch(_) | Action::Batch3D(_));
    if !batch || case.call.is_empty() || case.call.stream() != Stream::Legacy {
        return;
    }
    out.push(
        Found::new(&LEGACY, "the batch is put into the legacy default stream")
            .why("batches are accepted in created streams and in the thread's own default stream alone")
            .fix(format!(
                "create a stream, or pass {}",
                words::named(case.call, "cudaStreamPerThread", "CU_STREAM_PER_THREAD")
            )),
    );
}

pub(super) static DEPENDENT: Rule = Rule {
    id: "batch.dependent-entries",
    severity: Severity::Error,
    statement: "entries of one batch overlap each other",
    cuda: "success; the order of entries is not defined",
    evidence: Evidence::Documented,
    source: "CUDA Runtime API, cudaMemcpyBatchAsync: entries may run in any order and at the same time",
    detection: "intersection of intervals; of boxes row by row, up to 65,536 rows of a batch",
    example: Example {
        wrong: "dsts = {a, b}; srcs = {x, a}; cudaMemcpyBatchAsync(dsts, srcs, sizes, 2, ...)",
        right: "dsts = {a, b}; srcs = {x, y}; cudaMemcpyBatchAsync(dsts, srcs, sizes, 2, ...)",
    },
    shadows: &[],
    find: dependent,
};

fn dependent(case: &Case<'_>, out: &mut Vec<Found>) {
    batch_boxes::dependent(case, out);
    let Some(batch) = batch(case) else { return };
    let mut ranges: Vec<(Span, usize, bool)> = Vec::new();
    for (index, entry) in batch.entries.iter().enumerate() {
        if entry.bytes > 0 && entry.dst != 0 && entry.src != 0 {
            ranges.push((Span::sized(entry.dst, entry.bytes), index, true));
            ranges.push((Span::sized(entry.src, entry.bytes), index, false));
        }
    }
    ranges.sort_by_key(|(span, index, writes)| (span.start, *index, !writes));
    let Some((one, two, address)) = clash(&ranges) else {
        return;
    };
    let mut found = Found::new(
        &DEPENDENT,
        format!(
            "entries {} and {} both use memory at {address:#x}, and one of them writes it",
            one.min(two),
            one.max(two)
        ),
    )
    .why("entries of a batch have no order: the result depends on which comes first")
    .fix(format!(
        "put entry {} into a second batch, or a copy after this one",
        one.max(two)
    ));
    found.entry = Some(one.max(two));
    out.push(found);
}

/// Two different entries of which one writes what the other touches; ranges come by address.
fn clash(ranges: &[(Span, usize, bool)]) -> Option<(usize, usize, u64)> {
    // The ranges that reach furthest, of those that write and of all.
    let mut writer: Option<(u64, usize)> = None;
    let mut any: Vec<(u64, usize)> = Vec::new();
    for &(span, index, writes) in ranges {
        if let Some((end, other)) = writer
            && other != index
            && end > span.start
        {
            return Some((other, index, span.start));
        }
        let reader = any
            .iter()
            .find(|(end, other)| *other != index && *end > span.start);
        if let Some(&(_, other)) = reader.filter(|_| writes) {
            return Some((other, index, span.start));
        }
        if writes && writer.is_none_or(|(end, _)| span.end > end) {
            writer = Some((span.end, index));
        }
        // The two that reach furthest, of different entries, suffice.
        any.retain(|(end, _)| *end > span.start);
        any.push((span.end, index));
        any.sort_by_key(|&(end, _)| core::cmp::Reverse(end));
        let first = any.first().map(|&(_, first)| first);
        let second = any.iter().position(|&(_, other)| Some(other) != first);
        if let Some(second) = second {
            any.swap(1, second);
            any.truncate(2);
        } else {
            any.truncate(1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clashes_are_found_and_shared_sources_are_none() {
        let span = |start, bytes| Span::sized(start, bytes);
        let shared = [(span(0, 10), 0, false), (span(0, 10), 1, false)];
        assert_eq!(clash(&shared), None);
        let chained = [(span(0, 10), 0, true), (span(9, 10), 1, false)];
        assert_eq!(clash(&chained), Some((0, 1, 9)));
        let late = [
            (span(0, 100), 0, false),
            (span(10, 10), 1, false),
            (span(50, 10), 2, true),
        ];
        assert_eq!(clash(&late), Some((0, 2, 50)));
        let own = [(span(0, 10), 0, false), (span(5, 10), 0, true)];
        assert_eq!(clash(&own), None);
    }
}
