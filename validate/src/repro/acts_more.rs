//! Reproducers of rows, arrays, batches, streams, fills, registrations and exports.

use super::acts::{dst, of, ptr, side, up};
use super::scenery::{PAGE, READ_WRITE, heap, pages};
use super::{Bad, Reproducer, Skip, Stage};
use crate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Export, Fill, Place, Plane, Register, Side, Volume,
};
use crate::{Api, Call, Kind, Order, Role, Site, Stream};

fn driver(function: &'static str, action: Action) -> Call {
    Call {
        function,
        api: Api::Driver,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::here(),
    }
}

fn memory(side: Side, address: u64, pitch: u64) -> Place {
    Place::Memory {
        side,
        address,
        pitch,
        rows: 0,
        x: 0,
        y: 0,
        z: 0,
    }
}

/// `cuMemcpy2D` from the heap.
fn rows(dst: Place, pitch: u64, width: u64, height: u64) -> Call {
    let action = Action::Copy3D(Volume {
        dst,
        src: memory(Side::Host, heap(pitch * height), pitch),
        width,
        height,
        depth: 1,
        is_plane: true,
        kind: Kind::Default,
    });
    driver("cuMemcpy2DUnaligned", action)
}

fn to_device(address: u64, pitch: u64) -> Place {
    memory(Side::Device, address, pitch)
}

/// `cudaMemcpyArray…` have no place here: this is `cudaMemcpy2D`.
fn runtime_rows(dst: u64, dst_pitch: u64, width: u64, height: u64) -> Call {
    let action = Action::Copy2D(Plane {
        dst,
        dst_pitch,
        src: heap(width * height),
        src_pitch: width,
        width,
        height,
        kind: Kind::HostToDevice,
    });
    Call {
        function: "cudaMemcpy2D",
        api: Api::Runtime,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::here(),
    }
}

fn into_array(stage: &Stage, x: u64, y: u64) -> Result<Call, Skip> {
    let handle = stage.array()?;
    let place = Place::Array { handle, x, y, z: 0 };
    Ok(rows(place, 256, 64, 2))
}

/// `cudaMemcpy2DToArray` from the heap.
fn runtime_array(stage: &Stage, kind: Kind) -> Result<Call, Skip> {
    let handle = stage.array()?;
    let dst = Place::Array {
        handle,
        x: 0,
        y: 0,
        z: 0,
    };
    Ok(runtime("cudaMemcpy2DToArray", dst, kind))
}

/// `cudaMemcpy3D` into an array and a pointer at once, or the right thing.
fn unclear(stage: &Stage) -> Result<Call, Skip> {
    let dst = Place::Both {
        handle: stage.array()?,
        address: stage.device(PAGE)?,
    };
    Ok(runtime("cudaMemcpy3D", dst, Kind::HostToDevice))
}

fn runtime(function: &'static str, dst: Place, kind: Kind) -> Call {
    let action = Action::Copy3D(Volume {
        dst,
        src: Place::Memory {
            side: Side::ByKind,
            address: heap(PAGE),
            pitch: 256,
            rows: 2,
            x: 0,
            y: 0,
            z: 0,
        },
        width: 256,
        height: 2,
        depth: 1,
        is_plane: function != "cudaMemcpy3D",
        kind,
    });
    Call {
        function,
        api: Api::Runtime,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::here(),
    }
}

fn entries(stage: &Stage, sizes: [u64; 2]) -> Result<Vec<BatchEntry>, Skip> {
    let entry = |bytes| {
        Ok(BatchEntry {
            dst: stage.device(40)?,
            src: stage.device(PAGE)?,
            bytes,
        })
    };
    Ok(vec![entry(sizes[0])?, entry(sizes[1])?])
}

fn batch(entries: Vec<BatchEntry>, from: u64, stream: Stream) -> Call {
    let attributes = vec![BatchAttribute {
        source_access: 1,
        from,
    }];
    let batch = Batch {
        entries,
        attributes,
    };
    driver("cuMemcpyBatchAsync", Action::Batch(batch)).on_stream("cuMemcpyBatchAsync", stream)
}

fn on_stream(stage: &Stage, sizes: [u64; 2], from: u64) -> Result<Call, Skip> {
    let stream = Stream::Handle(stage.stream()?);
    Ok(batch(entries(stage, sizes)?, from, stream))
}

/// Two entries of which the second reads what the first writes, or does not.
fn chained(stage: &Stage, overlap: bool) -> Result<Call, Skip> {
    let stream = Stream::Handle(stage.stream()?);
    let mut entries = entries(stage, [40, 40])?;
    if overlap {
        entries[1].src = entries[0].dst;
    }
    Ok(batch(entries, 0, stream))
}

fn up_async(stage: &Stage, src: u64, stream: u64) -> Result<Call, Skip> {
    let call = up(stage.device(PAGE)?, src, PAGE);
    Ok(call.on_stream("cuMemcpyHtoDAsync", Stream::Handle(stream)))
}

fn fill(dst: u64, element: u64) -> Call {
    let function = if element == 4 {
        "cuMemsetD32"
    } else {
        "cuMemsetD8"
    };
    let action = Action::Fill(Fill {
        dst,
        pitch: 0,
        value: 0,
        element,
        width: 4 / element,
        height: 1,
    });
    driver(function, action)
}

fn register(address: u64, flags: u32) -> Call {
    let bytes = PAGE;
    let action = Action::Register(Register {
        address,
        bytes,
        flags,
    });
    driver("cuMemHostRegister", action)
}

fn unregister(address: u64) -> Call {
    driver("cuMemHostUnregister", Action::Unregister { address })
}

fn export(address: u64) -> Call {
    driver("cuIpcGetMemHandle", Action::Export(Export { address }))
}

/// A page that is registered.
fn registered(stage: &Stage) -> Result<u64, Skip> {
    let start = pages(1, READ_WRITE)?;
    stage.register(start, PAGE, 0)?;
    Ok(start)
}

pub(super) static ACTS: &[Reproducer] = &[
    of(
        "pitch.width-exceeds-pitch",
        side(Role::Destination),
        |stage| Ok(rows(to_device(stage.device(PAGE)?, 64), 128, 100, 4)),
        |stage| Ok(rows(to_device(stage.device(PAGE)?, 128), 128, 100, 4)),
    ),
    of(
        "pitch.in-elements",
        side(Role::Destination),
        |stage| {
            let (device, pitch) = stage.pitched(100, 4)?;
            Ok(rows(to_device(device, pitch / 4), 100, 100, 4))
        },
        |stage| {
            let (device, pitch) = stage.pitched(100, 4)?;
            Ok(rows(to_device(device, pitch), 100, 100, 4))
        },
    ),
    of(
        "pitch.in-elements",
        side(Role::Destination),
        |stage| {
            let (device, pitch) = stage.pitched(400, 4)?;
            Ok(rows(to_device(device, pitch / 4), 400, 400, 4))
        },
        |stage| {
            let (device, pitch) = stage.pitched(400, 4)?;
            Ok(rows(to_device(device, pitch), 400, 400, 4))
        },
    ),
    of(
        "pitch.last-row-past-end",
        dst(2048),
        |stage| Ok(rows(to_device(stage.device(512 * 4)?, 512), 512, 512, 5)),
        |stage| Ok(rows(to_device(stage.device(512 * 4)?, 512), 512, 512, 4)),
    ),
    of(
        "pitch.linear-copy-of-pitched",
        dst(400),
        |stage| Ok(up(stage.pitched(400, 4)?.0, heap(1600), 1600)),
        |stage| {
            let (device, pitch) = stage.pitched(400, 4)?;
            Ok(rows(to_device(device, pitch), 400, 400, 4))
        },
    ),
    of(
        "pitch.exceeds-maximum",
        side(Role::Destination),
        |stage| {
            let pitch = 1 << 31;
            Ok(runtime_rows(stage.device(pitch + 64)?, pitch, 64, 2))
        },
        |stage| Ok(runtime_rows(stage.device(PAGE)?, 512, 64, 2)),
    ),
    of(
        "array.outside",
        side(Role::Destination),
        |stage| into_array(stage, 0, 15),
        |stage| into_array(stage, 0, 14),
    ),
    of(
        "array.misaligned",
        side(Role::Destination),
        |stage| into_array(stage, 2, 0),
        |stage| into_array(stage, 4, 0),
    ),
    of(
        "array.ambiguous",
        side(Role::Destination),
        unclear,
        |stage| runtime_array(stage, Kind::HostToDevice),
    ),
    of(
        "kind.impossible-for-array",
        side(Role::Destination),
        |stage| runtime_array(stage, Kind::DeviceToHost),
        |stage| runtime_array(stage, Kind::HostToDevice),
    ),
    of(
        "batch.entry",
        Bad::Entry(1, Role::Destination, 40),
        |stage| on_stream(stage, [40, 44], 0),
        |stage| on_stream(stage, [40, 40], 0),
    ),
    of(
        "batch.zero-size",
        Bad::WholeEntry(1),
        |stage| on_stream(stage, [40, 0], 0),
        |stage| on_stream(stage, [40, 40], 0),
    ),
    of(
        "batch.attributes",
        Bad::Call,
        |stage| on_stream(stage, [40, 40], 1),
        |stage| on_stream(stage, [40, 40], 0),
    ),
    of(
        "batch.legacy-stream",
        Bad::Call,
        |stage| Ok(batch(entries(stage, [40, 40])?, 0, Stream::Legacy)),
        |stage| on_stream(stage, [40, 40], 0),
    ),
    of(
        "batch.dependent-entries",
        Bad::WholeEntry(1),
        |stage| chained(stage, true),
        |stage| chained(stage, false),
    ),
    of(
        "stream.capturing",
        Bad::Call,
        |stage| {
            let device = stage.device(4)?;
            let host = heap(4);
            stage.capture()?;
            Ok(up(device, host, 4))
        },
        |stage| {
            let host = stage.pinned(PAGE)?;
            let device = stage.device(PAGE)?;
            let stream = stage.capture()?;
            let call = up(device, host, PAGE);
            Ok(call.on_stream("cuMemcpyHtoDAsync", Stream::Handle(stream)))
        },
    ),
    of(
        "stream.batch-in-capture",
        Bad::Call,
        |stage| {
            let entries = entries(stage, [40, 40])?;
            let stream = stage.capture()?;
            Ok(batch(entries, 0, Stream::Handle(stream)))
        },
        |stage| on_stream(stage, [40, 40], 0),
    ),
    of(
        "stream.destroyed",
        Bad::Call,
        |stage| {
            let stream = stage.stream()?;
            stage.end_stream(stream);
            up_async(stage, stage.pinned(PAGE)?, stream)
        },
        |stage| up_async(stage, stage.pinned(PAGE)?, stage.stream()?),
    ),
    of(
        "stream.pageable-is-synchronous",
        side(Role::Source),
        |stage| up_async(stage, heap(PAGE), stage.stream()?),
        |stage| up_async(stage, stage.pinned(PAGE)?, stage.stream()?),
    ),
    of(
        "memset.host",
        dst(0),
        |_| Ok(fill(heap(4), 1)),
        |stage| Ok(fill(stage.device(4)?, 1)),
    ),
    of(
        "memset.misaligned",
        side(Role::Destination),
        |stage| Ok(fill(stage.device(PAGE)? + 2, 4)),
        |stage| Ok(fill(stage.device(PAGE)? + 4, 4)),
    ),
    of(
        "register.already-cuda",
        ptr(0),
        |stage| Ok(register(stage.device(PAGE)?, 0)),
        |_| Ok(register(pages(1, READ_WRITE)?, 0)),
    ),
    of(
        "register.overlap",
        ptr(0),
        |stage| Ok(register(registered(stage)?, 0)),
        |_| Ok(register(pages(1, READ_WRITE)?, 0)),
    ),
    of(
        "register.read-only",
        ptr(0),
        |_| Ok(register(pages(1, libc::PROT_READ)?, 0)),
        |_| Ok(register(pages(1, libc::PROT_READ)?, 8)),
    ),
    of(
        "register.not-base",
        ptr(0),
        |stage| Ok(unregister(registered(stage)? + 64)),
        |stage| Ok(unregister(registered(stage)?)),
    ),
    of(
        "ipc.not-exportable",
        ptr(0),
        |stage| Ok(export(stage.pool(PAGE)?)),
        |stage| Ok(export(stage.device(PAGE)?)),
    ),
];
