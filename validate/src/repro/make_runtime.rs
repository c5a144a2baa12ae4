//! A call of the runtime as data becomes a call.

use super::make::{size, stream_of};
use super::scenery::pointer;
use super::stage::Skip;
use crate::call::{Linear, Peer, Place, Plane, SymbolCopy, Volume};
use crate::{Call, Kind, Order};
use cuda_sys::runtime::{
    Runtime, cudaExtent, cudaMemcpy3DParms, cudaMemcpyKind, cudaPitchedPtr, cudaPos,
};

fn raw(kind: Kind) -> cudaMemcpyKind {
    cudaMemcpyKind(kind.raw().cast_unsigned())
}

pub(super) fn line(runtime: &Runtime, call: &Call, copy: &Linear) -> Result<u32, Skip> {
    let (dst, src, bytes) = (pointer(copy.dst), pointer(copy.src), size(copy.bytes));
    let kind = raw(copy.kind);
    let status = match call.order {
        // SAFETY: whatever the operands are, the runtime's answer is what is wanted.
        Order::Synchronous(_) => unsafe { runtime.cudaMemcpy(dst, src, bytes, kind) },
        // SAFETY: as above; the operands live as long as the process.
        Order::Async(_) => unsafe {
            runtime.cudaMemcpyAsync(dst, src, bytes, kind, stream_of(call))
        },
    };
    Ok(status.0)
}

pub(super) fn plane(runtime: &Runtime, copy: &Plane) -> u32 {
    let kind = raw(copy.kind);
    // SAFETY: whatever the operands are, the runtime's answer is what is wanted.
    let status = unsafe {
        runtime.cudaMemcpy2D(
            pointer(copy.dst),
            size(copy.dst_pitch),
            pointer(copy.src),
            size(copy.src_pitch),
            size(copy.width),
            size(copy.height),
            kind,
        )
    };
    status.0
}

/// `cudaMemcpy2DToArray`, and `cudaMemcpy3D` into what is both an array and a pointer.
pub(super) fn volume(runtime: &Runtime, call: &Call, copy: &Volume) -> Result<u32, Skip> {
    let Place::Memory { address, pitch, .. } = copy.src else {
        return Err(Skip::Needs("another way to make this call"));
    };
    let kind = raw(copy.kind);
    match (call.function, copy.dst) {
        ("cudaMemcpy2DToArray", Place::Array { handle, x, y, .. }) => {
            // SAFETY: the array is alive; whatever the rest is, the runtime's answer is wanted.
            let status = unsafe {
                runtime.cudaMemcpy2DToArray(
                    pointer(handle).cast(),
                    size(x),
                    size(y),
                    pointer(address),
                    size(pitch),
                    size(copy.width),
                    size(copy.height),
                    kind,
                )
            };
            Ok(status.0)
        }
        (
            "cudaMemcpy3D",
            Place::Both {
                handle,
                address: to,
            },
        ) => {
            let rows = |address, pitch: u64| cudaPitchedPtr {
                ptr: pointer(address),
                pitch: size(pitch),
                xsize: size(copy.width),
                ysize: size(copy.height),
            };
            let start = cudaPos { x: 0, y: 0, z: 0 };
            let parameters = cudaMemcpy3DParms {
                srcArray: core::ptr::null_mut(),
                srcPos: start,
                srcPtr: rows(address, pitch),
                dstArray: pointer(handle).cast(),
                dstPos: start,
                dstPtr: rows(to, pitch),
                extent: cudaExtent {
                    width: size(copy.width / 4),
                    height: size(copy.height),
                    depth: size(copy.depth),
                },
                kind,
            };
            // SAFETY: `parameters` is alive; whatever it says, the runtime's answer is wanted.
            let status = unsafe { runtime.cudaMemcpy3D(&raw const parameters) };
            Ok(status.0)
        }
        _ => Err(Skip::Needs("another way to make this call")),
    }
}

pub(super) fn peer(runtime: &Runtime, copy: &Peer) -> u32 {
    // SAFETY: whatever the operands are, the runtime's answer is what is wanted.
    let status = unsafe {
        runtime.cudaMemcpyPeer(
            pointer(copy.dst),
            copy.dst_device,
            pointer(copy.src),
            copy.src_device,
            size(copy.bytes),
        )
    };
    status.0
}

/// A copy to or from a variable.
pub(super) fn symbol(runtime: &Runtime, call: &Call, copy: &SymbolCopy) -> u32 {
    let (bytes, offset, kind) = (size(copy.bytes), size(copy.offset), raw(copy.kind));
    let (name, other) = (pointer(copy.name), pointer(copy.other));
    let stream = stream_of(call).cast();
    let status = match (copy.to_symbol, call.order) {
        // SAFETY: whatever the operands are, the runtime's answer is what is wanted.
        (true, Order::Synchronous(_)) => unsafe {
            runtime.cudaMemcpyToSymbol(name, other, bytes, offset, kind)
        },
        // SAFETY: as above; the operands live as long as the process.
        (true, Order::Async(_)) => unsafe {
            runtime.cudaMemcpyToSymbolAsync(name, other, bytes, offset, kind, stream)
        },
        // SAFETY: as above.
        (false, Order::Synchronous(_)) => unsafe {
            runtime.cudaMemcpyFromSymbol(other, name, bytes, offset, kind)
        },
        // SAFETY: as above.
        (false, Order::Async(_)) => unsafe {
            runtime.cudaMemcpyFromSymbolAsync(other, name, bytes, offset, kind, stream)
        },
    };
    status.0
}
