//! Over `cuwhy-runtime`.

use super::batch::batches;
use super::raw::raw_copies;
use super::scope::scopes;
use super::typed::typed_copies;
use super::watch::watch;
use super::{Asked, Known, NOW, between};
use crate::call::{
    Action, Batch3D, Batch3DEntry, Linear, Peer, PeerVolume, Place, Plane, Side as Called, Volume,
};
use crate::{Api, Checker, Kind, Site};
use cuwhy_runtime::copy::{self, Copy2d, Copy3d, Direction, Memory};
use cuwhy_runtime::device::{Device, Entered};
use cuwhy_runtime::memory::Bytes;
use cuwhy_runtime::pointer::Address;

/// Why a checked copy over `cuwhy-runtime` did not succeed.
pub type Error = super::Error<cuwhy_runtime::error::Error>;

/// What the memory of a peer copy belongs to.
type Owner = Device;

watch!(cuwhy_runtime, names);
raw_copies!(cuwhy_runtime);
typed_copies!(cuwhy_runtime, device);
batches!(cuwhy_runtime, "cudaMemcpyBatchAsync", Api::Runtime);
scopes!(cuwhy_runtime, device);

/// What makes memory of a kind, and what ends it; virtual memory is the driver's.
const fn names(kind: What) -> (&'static str, &'static str) {
    match kind {
        What::Pitched => ("cudaMallocPitch", "cudaFree"),
        What::Pinned => ("cudaHostAlloc", "cudaFreeHost"),
        What::Registered => ("cudaHostRegister", "cudaHostUnregister"),
        What::Managed => ("cudaMallocManaged", "cudaFree"),
        What::Pool => ("cudaMallocAsync", "cudaFreeAsync"),
        What::Virtual => ("cuMemMap", "cuMemUnmap"),
        What::Ipc => ("cudaIpcOpenMemHandle", "cudaIpcCloseMemHandle"),
        _ => ("cudaMalloc", "cudaFree"),
    }
}

fn made(
    checker: &Checker<'_>,
    call: &Known,
    make: impl FnOnce() -> cuwhy_runtime::error::Result<()>,
) -> Result<(), Error> {
    between(checker, call, make, |error| {
        error.status().map(|status| status.0)
    })
}

fn entered(stream: &Stream) -> Result<Entered<'_>, Error> {
    Ok(stream.device().enter()?)
}

fn asked(function: &'static str, action: Action) -> Asked {
    Asked {
        function,
        api: Api::Runtime,
        action,
    }
}

fn line(to: Address, from: Address, size: Bytes, direction: Direction, queued: bool) -> Asked {
    let kind = match direction {
        Direction::HostToHost => Kind::HostToHost,
        Direction::HostToDevice => Kind::HostToDevice,
        Direction::DeviceToHost => Kind::DeviceToHost,
        Direction::DeviceToDevice => Kind::DeviceToDevice,
        Direction::Automatic => Kind::Default,
    };
    let function = if queued {
        "cudaMemcpyAsync"
    } else {
        "cudaMemcpy"
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

/// Memory in rows, as the layer passes it: address, pitch and rows of a plane.
fn in_rows(memory: &Memory) -> Option<(Address, Pitch, usize)> {
    match *memory {
        Memory::Host {
            address,
            pitch,
            height,
        }
        | Memory::Device {
            address,
            pitch,
            height,
        }
        | Memory::Any {
            address,
            pitch,
            height,
        } => Some((address, pitch, height)),
        _ => None,
    }
}

/// What the layer calls the direction between two sides.
fn kind(to: &copy::Side, from: &copy::Side) -> Kind {
    let host = |side: &copy::Side| matches!(side.memory, Memory::Host { .. });
    let any = |side: &copy::Side| matches!(side.memory, Memory::Any { .. });
    match (host(to), host(from)) {
        _ if any(to) || any(from) => Kind::Default,
        (true, true) => Kind::HostToHost,
        (true, false) => Kind::DeviceToHost,
        (false, true) => Kind::HostToDevice,
        (false, false) => Kind::DeviceToDevice,
    }
}

/// A side; widths and offsets of arrays come out in whole elements, as the layer passes them.
fn place(side: &copy::Side, whole_elements: bool) -> Place {
    let (x, y, z) = (
        side.position.x.0 as u64,
        side.position.y as u64,
        side.position.z as u64,
    );
    if let Memory::Array { array, element } = side.memory {
        let element = if whole_elements {
            element.0.max(1) as u64
        } else {
            1
        };
        return Place::Array {
            handle: array.0.expose_provenance() as u64,
            x: x / element * element,
            y,
            z,
        };
    }
    let Some((address, pitch, height)) = in_rows(&side.memory) else {
        return Place::Neither;
    };
    Place::Memory {
        side: Called::ByKind,
        address: address.0,
        pitch: pitch.0 as u64,
        rows: height as u64,
        x,
        y,
        z,
    }
}

/// The first byte of a side in rows.
fn first_byte(side: &copy::Side) -> (u64, u64) {
    let Some((address, pitch, height)) = in_rows(&side.memory) else {
        return (0, 0);
    };
    let position = side.position;
    let planes = height.wrapping_mul(position.z).wrapping_add(position.y);
    let offset = pitch.0.wrapping_mul(planes).wrapping_add(position.x.0);
    (address.0.wrapping_add(offset as u64), pitch.0 as u64)
}

fn is_array(side: &copy::Side) -> bool {
    matches!(side.memory, Memory::Array { .. })
}

fn rows(copy: &Copy2d, queued: bool) -> Asked {
    let (to, from) = (&copy.destination, &copy.source);
    let kind = kind(to, from);
    let function = match (is_array(to), is_array(from), queued) {
        (false, false, false) => "cudaMemcpy2D",
        (false, false, true) => "cudaMemcpy2DAsync",
        (true, false, false) => "cudaMemcpy2DToArray",
        (true, false, true) => "cudaMemcpy2DToArrayAsync",
        (false, true, false) => "cudaMemcpy2DFromArray",
        (false, true, true) => "cudaMemcpy2DFromArrayAsync",
        (true, true, false) => "cudaMemcpy2DArrayToArray",
        (true, true, true) => {
            let plane = Copy3d {
                destination: *to,
                source: *from,
                width: copy.width,
                height: copy.height,
                depth: 1,
            };
            return planes(&plane, true);
        }
    };
    let (width, height) = (copy.width.0 as u64, copy.height as u64);
    let ((dst, dst_pitch), (src, src_pitch)) = (first_byte(to), first_byte(from));
    if !is_array(to) && !is_array(from) {
        let plane = Plane {
            dst,
            dst_pitch,
            src,
            src_pitch,
            width,
            height,
            kind,
        };
        return asked(function, Action::Copy2D(plane));
    }
    // The functions for arrays take the first byte of the other side, and no offset.
    let end = |side: &copy::Side, address, pitch| match place(side, false) {
        Place::Memory { side, .. } => Place::Memory {
            side,
            address,
            pitch,
            rows: 0,
            x: 0,
            y: 0,
            z: 0,
        },
        Place::Array { handle, x, y, .. } => Place::Array { handle, x, y, z: 0 },
        other => other,
    };
    asked(
        function,
        Action::Copy3D(Volume {
            dst: end(to, dst, dst_pitch),
            src: end(from, src, src_pitch),
            width,
            height,
            depth: 1,
            is_plane: true,
            kind,
        }),
    )
}

fn volume(function: &'static str, copy: &Copy3d, kind: Kind) -> Asked {
    let element = [&copy.destination, &copy.source]
        .into_iter()
        .find_map(|side| match side.memory {
            Memory::Array { element, .. } => Some(element.0.max(1)),
            _ => None,
        })
        .unwrap_or(1);
    asked(
        function,
        Action::Copy3D(Volume {
            dst: place(&copy.destination, true),
            src: place(&copy.source, true),
            width: (copy.width.0 / element * element) as u64,
            height: copy.height as u64,
            depth: copy.depth as u64,
            is_plane: false,
            kind,
        }),
    )
}

fn planes(copy: &Copy3d, queued: bool) -> Asked {
    let function = if queued {
        "cudaMemcpy3DAsync"
    } else {
        "cudaMemcpy3D"
    };
    volume(function, copy, kind(&copy.destination, &copy.source))
}

fn planes_between(copy: &Copy3d, to: &Device, from: &Device, queued: bool) -> Asked {
    let function = if queued {
        "cudaMemcpy3DPeerAsync"
    } else {
        "cudaMemcpy3DPeer"
    };
    // It has no kind.
    let asked = volume(function, copy, Kind::Default);
    named(asked, ordinal(to), ordinal(from))
}

fn ordinal(device: &Device) -> i32 {
    i32::try_from(device.ordinal()).unwrap_or(-1)
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

fn peers(to: (Address, &Device), from: (Address, &Device), size: Bytes, queued: bool) -> Asked {
    let function = if queued {
        "cudaMemcpyPeerAsync"
    } else {
        "cudaMemcpyPeer"
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

/// The runtime fills with bytes; wider patterns are the driver's.
fn filling(
    to: Address,
    pitch: Option<Pitch>,
    pattern: Pattern,
    (width, height): (usize, usize),
    queued: bool,
) -> Asked {
    let element = pattern.size().0 as u64;
    let (function, api) = match (element, pitch.is_some(), queued) {
        (1, false, false) => ("cudaMemset", Api::Runtime),
        (1, false, true) => ("cudaMemsetAsync", Api::Runtime),
        (1, true, false) => ("cudaMemset2D", Api::Runtime),
        (1, true, true) => ("cudaMemset2DAsync", Api::Runtime),
        (2, false, false) => ("cuMemsetD16", Api::Driver),
        (2, false, true) => ("cuMemsetD16Async", Api::Driver),
        (2, true, false) => ("cuMemsetD2D16", Api::Driver),
        (2, true, true) => ("cuMemsetD2D16Async", Api::Driver),
        (_, false, false) => ("cuMemsetD32", Api::Driver),
        (_, false, true) => ("cuMemsetD32Async", Api::Driver),
        (_, true, false) => ("cuMemsetD2D32", Api::Driver),
        (_, true, true) => ("cuMemsetD2D32Async", Api::Driver),
    };
    let action = Action::Fill(crate::call::Fill {
        dst: to.0,
        pitch: pitch.map_or(0, |pitch| pitch.0 as u64),
        value: pattern.bits(),
        element,
        width: width as u64,
        height: height as u64,
    });
    Asked {
        function,
        api,
        action,
    }
}

/// Planes as a call with attributes takes them: both sides are told apart by address.
fn unified(function: &'static str, copy: &Copy3d) -> Asked {
    let mut asked = volume(function, copy, Kind::Default);
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
    const FUNCTION: &str = "cudaMemcpy3DBatchAsync";
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
    unified("cudaMemcpy3DWithAttributesAsync", copy)
}

fn line_with_order(to: Address, from: Address, size: Bytes) -> Asked {
    let copy = Linear {
        dst: to.0,
        src: from.0,
        bytes: size.0 as u64,
        kind: Kind::Default,
    };
    asked("cudaMemcpyWithAttributesAsync", Action::Copy(copy))
}
