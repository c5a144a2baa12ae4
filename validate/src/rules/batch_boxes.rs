//! What `batch.*` says of batches of boxes.

use super::batch::{ATTRIBUTES, DEPENDENT};
use super::{Case, Found, words};
use crate::call::{Action, Batch3D, Batch3DEntry, Operand, Place, Volume};
use crate::predict::{BadEntry, bad_entry, refused_hint};
use crate::{Call, Role, Span};

/// Rows that are held against another box one by one, for a whole batch.
const MOST_ROWS: u64 = 1 << 16;

fn batch<'a>(case: &Case<'a>) -> Option<&'a Batch3D> {
    match case.action() {
        Action::Batch3D(batch) => Some(batch),
        _ => None,
    }
}

/// An entry without bytes, and its extent in words.
pub(super) fn empty(batch: &Batch3D) -> Option<(usize, String)> {
    let empty = |entry: &Batch3DEntry| bad_entry(entry) == Some(BadEntry::Empty);
    let index = batch.entries.iter().position(empty)?;
    let copy = batch.entries[index].copy;
    let (width, height, depth) = (copy.width, copy.height, copy.depth);
    Some((
        index,
        format!("an extent of {width} bytes x {height} x {depth}"),
    ))
}

/// Flags, orders, types and hints that are none.
pub(super) fn attributes(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some(batch) = batch(case).filter(|batch| !batch.entries.is_empty()) else {
        return;
    };
    if batch.flags != 0 {
        out.push(
            Found::new(
                &ATTRIBUTES,
                format!("the flags {:#x} of the call are none", batch.flags),
            )
            .why("no flag is defined for the call itself; those of an entry stand in the entry")
            .fix("pass 0"),
        );
        return;
    }
    let entries = batch.entries.iter().enumerate();
    let bad = entries.filter_map(|(index, entry)| Some((index, wrong(case, index, entry)?)));
    let Some((index, mut found)) = bad.into_iter().next() else {
        return;
    };
    found.entry = Some(index);
    out.push(found);
}

fn wrong(case: &Case<'_>, index: usize, entry: &Batch3DEntry) -> Option<Found> {
    let runtime = |runtime, driver| words::named(case.call, runtime, driver);
    match bad_entry(entry) {
        Some(BadEntry::Order(order)) => Some(
            Found::new(
                &ATTRIBUTES,
                format!("entry {index} has the source access order {order}, which is none"),
            )
            .why("every entry says when its source may be read")
            .fix("set srcAccessOrder to Stream (1), DuringApiCall (2) or Any (3); a zeroed structure is not valid"),
        ),
        Some(BadEntry::Flags(flags)) => Some(
            Found::new(
                &ATTRIBUTES,
                format!("entry {index} has the flags {flags:#x}, which are none"),
            )
            .why("an entry has one flag: 1, to overlap with kernels where that is possible")
            .fix("set flags to 0 or 1"),
        ),
        Some(BadEntry::Type(role, raw)) => Some(
            Found::new(
                &ATTRIBUTES,
                format!("the {role} of entry {index} has the type {raw}, which is none"),
            )
            .about(role)
            .why("the type says whether the side is a pointer (1) or an array (2)")
            .fix(format!(
                "set type to {} or {}",
                runtime("cudaMemcpyOperandTypePointer", "CU_MEMCPY_OPERAND_TYPE_POINTER"),
                runtime("cudaMemcpyOperandTypeArray", "CU_MEMCPY_OPERAND_TYPE_ARRAY")
            )),
        ),
        Some(BadEntry::Empty | BadEntry::Narrow(..)) => None,
        None => hint(case, index, entry),
    }
}

/// A hint that names no place, at memory where hints are looked at.
fn hint(case: &Case<'_>, index: usize, entry: &Batch3DEntry) -> Option<Found> {
    let (_, facts) = case.facts.entries.get(index)?;
    let (role, hint) = refused_hint(entry, facts)?;
    Some(
        Found::new(
            &ATTRIBUTES,
            format!(
                "the {role} of entry {index} has a hint at a place of kind {hint}, which is none"
            ),
        )
        .about(role)
        .why("of a single line the hint says where its managed memory is; it is looked at there and nowhere else")
        .fix("zero locHint, or name a device (1), the host (2) or one of its nodes (3, 4)"),
    )
}

/// A place that a box reads or writes.
struct Used {
    span: Span,
    entry: usize,
    writes: bool,
    what: What,
}

enum What {
    Memory(Operand),
    Array(Place, Volume),
}

/// Entries of which one writes what another one uses.
pub(super) fn dependent(case: &Case<'_>, out: &mut Vec<Found>) {
    if batch(case).is_none() {
        return;
    }
    let entries = case.facts.entries.iter().enumerate();
    let mut used: Vec<Used> = entries
        .flat_map(|(index, (call, _))| uses(index, call))
        .collect();
    used.sort_by_key(|one| (one.span.start, one.entry, !one.writes));
    let Some((one, two, place)) = clash(&used) else {
        return;
    };
    let later = one.max(two);
    let mut found = Found::new(
        &DEPENDENT,
        format!(
            "entries {} and {later} both use {place}, and one of them writes it",
            one.min(two)
        ),
    )
    .why("entries of a batch have no order: the result depends on which comes first")
    .fix(format!(
        "put entry {later} into a second batch, or a copy after this one"
    ));
    found.entry = Some(later);
    out.push(found);
}

fn uses(entry: usize, call: &Call) -> Vec<Used> {
    let Action::Copy3D(copy) = call.action else {
        return Vec::new();
    };
    if call.is_empty() {
        return Vec::new();
    }
    let mut used = Vec::new();
    for operand in call.operands() {
        // Rows that wrap around are wrong in another way.
        if operand.address == 0 || operand.end().is_none() {
            continue;
        }
        used.push(Used {
            span: operand.span(),
            entry,
            writes: operand.role == Role::Destination,
            what: What::Memory(operand),
        });
    }
    for (place, writes) in [(copy.dst, true), (copy.src, false)] {
        if let Place::Array { handle, .. } = place {
            used.push(Used {
                span: Span::sized(handle, 1),
                entry,
                writes,
                what: What::Array(place, copy),
            });
        }
    }
    used
}

/// Two entries that meet, and where; places come by address.
fn clash(used: &[Used]) -> Option<(usize, usize, String)> {
    let mut left = MOST_ROWS;
    let mut open: Vec<&Used> = Vec::new();
    for next in used {
        open.retain(|one| one.span.end > next.span.start);
        for one in &open {
            if one.entry == next.entry || !one.writes && !next.writes {
                continue;
            }
            // A pair costs what a row does, so that any number of entries is looked at in no time.
            left = left.checked_sub(1)?;
            if let Some(place) = meet(one, next, &mut left) {
                return Some((one.entry, next.entry, place));
            }
        }
        open.push(next);
    }
    None
}

/// Where two places have a byte in common, as far as `left` rows tell.
fn meet(one: &Used, two: &Used, left: &mut u64) -> Option<String> {
    match (&one.what, &two.what) {
        (What::Memory(one), What::Memory(two)) => {
            let (few, many) = if rows(one) <= rows(two) {
                (one, two)
            } else {
                (two, one)
            };
            let address = first_common(few, many, left)?;
            Some(format!("memory at {address:#x}"))
        }
        (What::Array(one, first), What::Array(two, second)) => {
            let corner = |place: &Place| match *place {
                Place::Array { x, y, z, .. } => [x, y, z],
                _ => [0; 3],
            };
            let size = |copy: &Volume| [copy.width, copy.height, copy.depth];
            let sides = corner(one).into_iter().zip(size(first));
            let others = corner(two).into_iter().zip(size(second));
            let mut both = sides.zip(others);
            let meet = both.all(|((from, count), (other, length))| {
                !Span::sized(from, count)
                    .common(Span::sized(other, length))
                    .is_empty()
            });
            let Place::Array { handle, .. } = *one else {
                return None;
            };
            meet.then(|| format!("the array {handle:#x}"))
        }
        _ => None,
    }
}

fn rows(operand: &Operand) -> u64 {
    let shape = &operand.shape;
    shape.rows.saturating_mul(shape.slices)
}

/// The first byte of `few`'s rows that `many` touches as well.
fn first_common(few: &Operand, many: &Operand, left: &mut u64) -> Option<u64> {
    let shape = &few.shape;
    for slice in 0..shape.slices {
        for row in 0..shape.rows {
            *left = left.checked_sub(1)?;
            let start = few
                .address
                .checked_add(slice.checked_mul(shape.slice_pitch)?)?
                .checked_add(row.checked_mul(shape.pitch)?)?;
            let row = Span::sized(start, shape.width).common(many.span());
            if row.is_empty() {
                continue;
            }
            let part = Span::new(row.start - many.address, row.end - many.address);
            if let Some(offset) = many.shape.first_touched(part) {
                return Some(many.address + offset);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Side;

    fn memory(address: u64, pitch: u64) -> Place {
        Place::Memory {
            side: Side::Unified,
            address,
            pitch,
            rows: 0,
            x: 0,
            y: 0,
            z: 0,
        }
    }

    fn used(entry: usize, dst: Place, src: Place, width: u64) -> Vec<Used> {
        let copy = Volume {
            dst,
            src,
            width,
            height: 4,
            depth: 1,
            is_plane: false,
            kind: crate::Kind::Default,
        };
        let call = Call::driver_copy("cuMemcpy3DBatchAsync", 0, 0, 0, crate::Kind::Default);
        uses(entry, &call.entry_3d(&Batch3DEntry::new(copy)))
    }

    fn clashes(mut all: Vec<Used>) -> Option<(usize, usize, String)> {
        all.sort_by_key(|one| (one.span.start, one.entry, !one.writes));
        clash(&all)
    }

    #[test]
    fn columns_of_one_plane_do_not_clash_and_rows_do() {
        let mut columns = used(0, memory(0x1000, 64), memory(0x9000, 16), 16);
        columns.extend(used(1, memory(0x1010, 64), memory(0x9100, 16), 16));
        assert_eq!(clashes(columns), None);
        let mut wide = used(0, memory(0x1000, 64), memory(0x9000, 17), 17);
        wide.extend(used(1, memory(0x1010, 64), memory(0x9100, 16), 16));
        let found = clashes(wide).expect("one column is too wide");
        assert_eq!(found, (0, 1, "memory at 0x1010".into()));
    }

    #[test]
    fn boxes_of_one_array_clash_where_they_meet() {
        let at = |x| Place::Array {
            handle: 0x5000,
            x,
            y: 0,
            z: 0,
        };
        let mut beside = used(0, at(0), memory(0x9000, 0), 16);
        beside.extend(used(1, at(16), memory(0x9100, 0), 16));
        assert_eq!(clashes(beside), None);
        let mut over = used(0, at(0), memory(0x9000, 0), 16);
        over.extend(used(1, memory(0xa000, 0), at(15), 16));
        let found = clashes(over).expect("they meet");
        assert_eq!(found, (0, 1, "the array 0x5000".into()));
        let mut shared = used(0, memory(0xa000, 0), at(0), 16);
        shared.extend(used(1, memory(0xb000, 0), at(0), 16));
        assert_eq!(clashes(shared), None);
    }
}
