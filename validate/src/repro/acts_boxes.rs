//! Reproducers of batches of boxes.

use super::acts::of;
use super::scenery::{PAGE, heap};
use super::{Bad, Reproducer, Skip, Stage};
use crate::call::{Action, Batch3D, Batch3DEntry, Place, Side, Volume};
use crate::{Api, Call, Kind, Order, Role, Site, Stream};
use cuda_sys::runtime::Runtime;

/// Bytes of a row, of the four rows that each entry has.
const WIDTH: u64 = 16;

fn memory(address: u64) -> Place {
    Place::Memory {
        side: Side::Unified,
        address,
        pitch: WIDTH,
        rows: 0,
        x: 0,
        y: 0,
        z: 0,
    }
}

fn copy(dst: Place, src: Place, height: u64) -> Batch3DEntry {
    Batch3DEntry::new(Volume {
        dst,
        src,
        width: WIDTH,
        height,
        depth: 1,
        is_plane: false,
        kind: Kind::Default,
    })
}

fn call(entries: Vec<Batch3DEntry>, stream: Stream) -> Call {
    Call {
        function: "cuMemcpy3DBatchAsync",
        api: Api::Driver,
        action: Action::Batch3D(Batch3D { entries, flags: 0 }),
        order: Order::Async(stream),
        site: Site::here(),
    }
}

/// Two entries of four rows, into memory of just so many, and a change to the second.
fn boxes(stage: &Stage, change: impl FnOnce(&mut Batch3DEntry)) -> Result<Call, Skip> {
    let stream = Stream::Handle(stage.stream()?);
    Ok(call(entries(stage, change)?, stream))
}

fn entries(
    stage: &Stage,
    change: impl FnOnce(&mut Batch3DEntry),
) -> Result<Vec<Batch3DEntry>, Skip> {
    let one = || {
        let dst = memory(stage.device(WIDTH * 4)?);
        Ok(copy(dst, memory(stage.device(PAGE)?), 4))
    };
    let (first, mut second) = (one()?, one()?);
    change(&mut second);
    Ok(vec![first, second])
}

/// The second entry goes into an array of 64 x 16 floats, from this row on.
fn into_array(stage: &Stage, row: u64) -> Result<Call, Skip> {
    let handle = stage.array()?;
    boxes(stage, |entry| {
        entry.copy.dst = Place::Array {
            handle,
            x: 0,
            y: row,
            z: 0,
        };
    })
}

/// Two columns of one plane, of which the second begins at this byte of a row.
fn columns(stage: &Stage, second: u64) -> Result<Call, Skip> {
    let plane = stage.device(PAGE)?;
    let stream = Stream::Handle(stage.stream()?);
    let column = |from| {
        let mut dst = memory(plane + from);
        if let Place::Memory { pitch, .. } = &mut dst {
            *pitch = 64;
        }
        copy(dst, memory(heap(WIDTH * 4)), 4)
    };
    Ok(call(vec![column(0), column(second)], stream))
}

/// A hint at the kind of place where managed memory is; by the runtime's form, where the runtime has it.
fn hinted(stage: &Stage, hint: u32) -> Result<Call, Skip> {
    let managed = stage.managed(PAGE)?;
    let call = boxes(stage, |entry| {
        entry.copy.src = memory(managed);
        // Hints of rows are not looked at.
        entry.copy.height = 1;
        entry.hints[1] = hint;
    })?;
    const FUNCTION: &str = "cudaMemcpy3DBatchAsync";
    let has_it = |runtime: &Runtime| {
        let twelve = runtime.v12().is_some_and(|table| table.has(FUNCTION));
        twelve || runtime.v13().is_some()
    };
    if !stage.runtime().is_ok_and(has_it) {
        return Ok(call);
    }
    Ok(Call {
        function: FUNCTION,
        api: Api::Runtime,
        ..call
    })
}

fn right(stage: &Stage) -> Result<Call, Skip> {
    boxes(stage, |_| ())
}

pub(super) static ACTS: &[Reproducer] = &[
    of(
        "batch.entry",
        Bad::Entry(1, Role::Destination, WIDTH * 4),
        |stage| boxes(stage, |entry| entry.copy.height = 5),
        right,
    ),
    of(
        "batch.entry",
        Bad::SideOfEntry(1, Role::Destination),
        |stage| into_array(stage, 13),
        |stage| into_array(stage, 12),
    ),
    of(
        "batch.entry",
        Bad::SideOfEntry(1, Role::Source),
        |stage| boxes(stage, |entry| set_pitch(&mut entry.copy.src, WIDTH - 1)),
        |stage| boxes(stage, |entry| set_pitch(&mut entry.copy.src, WIDTH)),
    ),
    of(
        "batch.zero-size",
        Bad::WholeEntry(1),
        |stage| boxes(stage, |entry| entry.copy.depth = 0),
        right,
    ),
    of(
        "batch.attributes",
        Bad::WholeEntry(1),
        |stage| boxes(stage, |entry| entry.source_access = 0),
        |stage| boxes(stage, |entry| entry.source_access = 3),
    ),
    of(
        "batch.attributes",
        Bad::SideOfEntry(1, Role::Source),
        |stage| hinted(stage, 5),
        |stage| hinted(stage, 2),
    ),
    of(
        "batch.legacy-stream",
        Bad::Call,
        |stage| Ok(call(entries(stage, |_| ())?, Stream::Legacy)),
        |stage| Ok(call(entries(stage, |_| ())?, Stream::PerThread)),
    ),
    of(
        "batch.dependent-entries",
        Bad::WholeEntry(1),
        |stage| columns(stage, WIDTH - 1),
        |stage| columns(stage, WIDTH),
    ),
    of(
        "stream.batch-in-capture",
        Bad::Call,
        |stage| {
            let entries = entries(stage, |_| ())?;
            let stream = stage.capture()?;
            Ok(call(entries, Stream::Handle(stream)))
        },
        right,
    ),
];

fn set_pitch(place: &mut Place, bytes: u64) {
    if let Place::Memory { pitch, .. } = place {
        *pitch = bytes;
    }
}
