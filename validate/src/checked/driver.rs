//! Over `cuwhy-driver`.

use super::batch::batches;
use super::raw::raw_copies;
use super::scope::scopes;
use super::typed::typed_copies;
use super::watch::watch;
use super::{Asked, Known, NOW, between};
use crate::call::{
    Action, Batch3D, Batch3DEntry, Linear, Peer, PeerVolume, Place, Side as Called, Volume,
};
use crate::{Api, Checker, Kind, Site};
use cuwhy_driver::context::{Context, Entered};
use cuwhy_driver::copy::{self, Copy2d, Copy3d, Direction, Memory};
use cuwhy_driver::memory::Bytes;
use cuwhy_driver::pointer::Address;

/// Why a checked copy over `cuwhy-driver` did not succeed.
pub type Error = super::Error<cuwhy_driver::error::Error>;

/// What the memory of a peer copy belongs to.
type Owner = Context;

watch!(cuwhy_driver, names);
raw_copies!(cuwhy_driver);
typed_copies!(cuwhy_driver, context);
batches!(cuwhy_driver, "cuMemcpyBatchAsync", Api::Driver);
scopes!(cuwhy_driver, context);

/// What makes memory of a kind, and what ends it.
const fn names(kind: What) -> (&'static str, &'static str) {
    match kind {
        What::Pitched => ("cuMemAllocPitch", "cuMemFree"),
        What::Pinned => ("cuMemHostAlloc", "cuMemFreeHost"),
        What::Registered => ("cuMemHostRegister", "cuMemHostUnregister"),
        What::Managed => ("cuMemAllocManaged", "cuMemFree"),
        What::Pool => ("cuMemAllocAsync", "cuMemFreeAsync"),
        What::Virtual => ("cuMemMap", "cuMemUnmap"),
        What::Ipc => ("cuIpcOpenMemHandle", "cuIpcCloseMemHandle"),
        _ => ("cuMemAlloc", "cuMemFree"),
    }
}

fn made(
    checker: &Checker<'_>,
    call: &Known,
    make: impl FnOnce() -> cuwhy_driver::error::Result<()>,
) -> Result<(), Error> {
    between(checker, call, make, |error| {
        error.status().map(|status| status.0)
    })
}

fn entered(stream: &Stream) -> Result<Entered<'_>, Error> {
    Ok(stream.context().enter()?)
}

fn asked(function: &'static str, action: Action) -> Asked {
    Asked {
        function,
        api: Api::Driver,
        action,
    }
}

fn line(to: Address, from: Address, size: Bytes, direction: Direction, queued: bool) -> Asked {
    let (kind, function) = match (direction, queued) {
        (Direction::HostToDevice, false) => (Kind::HostToDevice, "cuMemcpyHtoD"),
        (Direction::HostToDevice, true) => (Kind::HostToDevice, "cuMemcpyHtoDAsync"),
        (Direction::DeviceToHost, false) => (Kind::DeviceToHost, "cuMemcpyDtoH"),
        (Direction::DeviceToHost, true) => (Kind::DeviceToHost, "cuMemcpyDtoHAsync"),
        (Direction::DeviceToDevice, false) => (Kind::DeviceToDevice, "cuMemcpyDtoD"),
        (Direction::DeviceToDevice, true) => (Kind::DeviceToDevice, "cuMemcpyDtoDAsync"),
        (Direction::Automatic, false) => (Kind::Default, "cuMemcpy"),
        (Direction::Automatic, true) => (Kind::Default, "cuMemcpyAsync"),
        (Direction::HostToHost, _) => return host_row(to, from, size, queued),
    };
    asked(
        function,
        Action::Copy(Linear {
            dst: to.0,
            src: from.0,
            bytes: size.0 as u64,
            kind,
        }),
    )
}

/// What the layer makes of a copy from host to host: one row.
fn host_row(to: Address, from: Address, size: Bytes, queued: bool) -> Asked {
    let row = |address: Address| Place::Memory {
        side: Called::Host,
        address: address.0,
        pitch: size.0 as u64,
        rows: 0,
        x: 0,
        y: 0,
        z: 0,
    };
    asked(
        plane_function(queued),
        Action::Copy3D(Volume {
            dst: row(to),
            src: row(from),
            width: size.0 as u64,
            height: 1,
            depth: 1,
            is_plane: true,
            kind: Kind::Default,
        }),
    )
}

const fn plane_function(queued: bool) -> &'static str {
    if queued {
        "cuMemcpy2DAsync"
    } else {
        "cuMemcpy2DUnaligned"
    }
}

fn place(side: &copy::Side) -> Place {
    let (x, y, z) = (
        side.position.x.0 as u64,
        side.position.y as u64,
        side.position.z as u64,
    );
    let memory = |called, address: Address, pitch: Pitch, height: usize| Place::Memory {
        side: called,
        address: address.0,
        pitch: pitch.0 as u64,
        rows: height as u64,
        x,
        y,
        z,
    };
    match side.memory {
        Memory::Host {
            address,
            pitch,
            height,
        } => memory(Called::Host, address, pitch, height),
        Memory::Device {
            address,
            pitch,
            height,
        } => memory(Called::Device, address, pitch, height),
        Memory::Any {
            address,
            pitch,
            height,
        } => memory(Called::Unified, address, pitch, height),
        Memory::Array { array, .. } => Place::Array {
            handle: array.0.expose_provenance() as u64,
            x,
            y,
            z,
        },
        // The layer may learn of other memory before this does.
        _ => Place::Neither,
    }
}

fn rows(copy: &Copy2d, queued: bool) -> Asked {
    asked(
        plane_function(queued),
        Action::Copy3D(Volume {
            dst: place(&copy.destination),
            src: place(&copy.source),
            width: copy.width.0 as u64,
            height: copy.height as u64,
            depth: 1,
            is_plane: true,
            kind: Kind::Default,
        }),
    )
}

fn volume(function: &'static str, copy: &Copy3d) -> Asked {
    asked(
        function,
        Action::Copy3D(Volume {
            dst: place(&copy.destination),
            src: place(&copy.source),
            width: copy.width.0 as u64,
            height: copy.height as u64,
            depth: copy.depth as u64,
            is_plane: false,
            kind: Kind::Default,
        }),
    )
}

fn planes(copy: &Copy3d, queued: bool) -> Asked {
    let function = if queued {
        "cuMemcpy3DAsync"
    } else {
        "cuMemcpy3D"
    };
    volume(function, copy)
}

fn planes_between(copy: &Copy3d, to: &Context, from: &Context, queued: bool) -> Asked {
    let function = if queued {
        "cuMemcpy3DPeerAsync"
    } else {
        "cuMemcpy3DPeer"
    };
    named(volume(function, copy), ordinal(to), ordinal(from))
}

fn ordinal(context: &Context) -> i32 {
    i32::try_from(context.device().ordinal()).unwrap_or(-1)
}

/// The same copy between devices that are named.
fn named(mut asked: Asked, dst_device: i32, src_device: i32) -> Asked {
    if let Action::Copy3D(copy) = asked.action {
        asked.action = Action::Peer3D(PeerVolume {
            copy,
            dst_device,
            src_device,
        });
    }
    asked
}

fn peers(to: (Address, &Context), from: (Address, &Context), size: Bytes, queued: bool) -> Asked {
    let function = if queued {
        "cuMemcpyPeerAsync"
    } else {
        "cuMemcpyPeer"
    };
    asked(
        function,
        Action::Peer(Peer {
            dst: to.0.0,
            dst_device: ordinal(to.1),
            src: from.0.0,
            src_device: ordinal(from.1),
            bytes: size.0 as u64,
        }),
    )
}

fn filling(
    to: Address,
    pitch: Option<Pitch>,
    pattern: Pattern,
    (width, height): (usize, usize),
    queued: bool,
) -> Asked {
    let element = pattern.size().0 as u64;
    let function = match (element, pitch.is_some(), queued) {
        (1, false, false) => "cuMemsetD8",
        (1, false, true) => "cuMemsetD8Async",
        (1, true, false) => "cuMemsetD2D8",
        (1, true, true) => "cuMemsetD2D8Async",
        (2, false, false) => "cuMemsetD16",
        (2, false, true) => "cuMemsetD16Async",
        (2, true, false) => "cuMemsetD2D16",
        (2, true, true) => "cuMemsetD2D16Async",
        (_, false, false) => "cuMemsetD32",
        (_, false, true) => "cuMemsetD32Async",
        (_, true, false) => "cuMemsetD2D32",
        (_, true, true) => "cuMemsetD2D32Async",
    };
    asked(
        function,
        Action::Fill(crate::call::Fill {
            dst: to.0,
            pitch: pitch.map_or(0, |pitch| pitch.0 as u64),
            value: pattern.bits(),
            element,
            width: width as u64,
            height: height as u64,
        }),
    )
}

/// Planes as a call with attributes takes them: both sides are told apart by address.
fn unified(function: &'static str, copy: &Copy3d) -> Asked {
    let mut asked = volume(function, copy);
    if let Action::Copy3D(copy) = &mut asked.action {
        for place in [&mut copy.dst, &mut copy.src] {
            if let Place::Memory { side, .. } = place {
                *side = Called::Unified;
            }
        }
    }
    asked
}

fn many_planes(copies: &[Copy3d], order: SourceOrder) -> Asked {
    const FUNCTION: &str = "cuMemcpy3DBatchAsync";
    let entries = copies
        .iter()
        .filter_map(|copy| match unified(FUNCTION, copy).action {
            Action::Copy3D(copy) => Some(Batch3DEntry {
                source_access: number(order),
                ..Batch3DEntry::new(copy)
            }),
            _ => None,
        });
    let batch = Batch3D {
        entries: entries.collect(),
        flags: 0,
    };
    asked(FUNCTION, Action::Batch3D(batch))
}

fn planes_with_order(copy: &Copy3d) -> Asked {
    unified("cuMemcpy3DWithAttributesAsync", copy)
}

fn line_with_order(to: Address, from: Address, size: Bytes) -> Asked {
    let copy = Linear {
        dst: to.0,
        src: from.0,
        bytes: size.0 as u64,
        kind: Kind::Default,
    };
    asked("cuMemcpyWithAttributesAsync", Action::Copy(copy))
}
