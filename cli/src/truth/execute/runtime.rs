//! Calls of the runtime.

use core::ffi::{c_int, c_void};
use core::ptr;

use cuda_sys::runtime::{Runtime, cudaError, cudaError_t, cudaStream_t, v12, v13};
use cuwhy_validate::call::{Action, Batch, Plane, SymbolCopy, Volume};

use super::driver::Lists;
use super::layout::{kind_of, parms, part, runtime_array};
use super::pair::peer_parms;
use super::{NOT_MADE, cuda, pointer, size};

pub(super) fn make_runtime(
    runtime: &Runtime,
    name: &str,
    action: &Action,
    stream: u64,
    element: u64,
) -> cudaError_t {
    let stream: cudaStream_t = ptr::with_exposed_provenance_mut(size(stream));
    let status = match action {
        Action::Copy(copy) => {
            let (to, from, bytes, kind) = (
                pointer(copy.dst),
                pointer(copy.src),
                size(copy.bytes),
                kind_of(copy.kind),
            );
            match name {
                "cudaMemcpy" => cuda!(runtime.cudaMemcpy(to, from, bytes, kind)),
                _ => cuda!(runtime.cudaMemcpyAsync(to, from, bytes, kind, stream)),
            }
        }
        Action::Copy2D(copy) => rows(runtime, name, copy, stream),
        Action::Symbol(copy) => variable(runtime, name, copy, stream),
        Action::Copy3D(copy) => runtime_boxed(runtime, name, copy, stream, element),
        Action::Peer(copy) => {
            let (to, from, bytes) = (pointer(copy.dst), pointer(copy.src), size(copy.bytes));
            let (dst_device, src_device) = (copy.dst_device, copy.src_device);
            match name {
                "cudaMemcpyPeer" => {
                    cuda!(runtime.cudaMemcpyPeer(to, dst_device, from, src_device, bytes))
                }
                _ => cuda!(
                    runtime.cudaMemcpyPeerAsync(to, dst_device, from, src_device, bytes, stream)
                ),
            }
        }
        Action::Peer3D(peer) => {
            let parms = peer_parms(peer, element);
            match name {
                "cudaMemcpy3DPeer" => cuda!(runtime.cudaMemcpy3DPeer(&raw const parms)),
                _ => cuda!(runtime.cudaMemcpy3DPeerAsync(&raw const parms, stream)),
            }
        }
        Action::Batch(batch) => runtime_batched(runtime, batch, stream),
        Action::Batch3D(batch) => super::boxes::runtime(runtime, batch, stream, element),
        Action::Fill(fill) => {
            let (to, value) = (
                pointer(fill.dst),
                c_int::from_ne_bytes(fill.value.to_ne_bytes()),
            );
            let (pitch, width, height) = (size(fill.pitch), size(fill.width), size(fill.height));
            match name {
                "cudaMemset" => cuda!(runtime.cudaMemset(to, value, width)),
                "cudaMemsetAsync" => cuda!(runtime.cudaMemsetAsync(to, value, width, stream)),
                "cudaMemset2D" => cuda!(runtime.cudaMemset2D(to, pitch, value, width, height)),
                _ => cuda!(runtime.cudaMemset2DAsync(to, pitch, value, width, height, stream)),
            }
        }
        Action::Register(one) => {
            cuda!(runtime.cudaHostRegister(pointer(one.address), size(one.bytes), one.flags))
        }
        Action::Unregister { address } => cuda!(runtime.cudaHostUnregister(pointer(*address))),
        _ => cudaError(NOT_MADE),
    };
    // The error that the call left must not be taken for the next one's.
    let _ = cuda!(runtime.cudaGetLastError());
    status
}

fn variable(runtime: &Runtime, name: &str, copy: &SymbolCopy, stream: cudaStream_t) -> cudaError_t {
    let (symbol, other) = (pointer(copy.name).cast_const(), pointer(copy.other));
    let (bytes, offset, kind) = (size(copy.bytes), size(copy.offset), kind_of(copy.kind));
    match name {
        "cudaMemcpyToSymbol" => {
            cuda!(runtime.cudaMemcpyToSymbol(symbol, other, bytes, offset, kind))
        }
        "cudaMemcpyToSymbolAsync" => {
            cuda!(runtime.cudaMemcpyToSymbolAsync(symbol, other, bytes, offset, kind, stream))
        }
        "cudaMemcpyFromSymbol" => {
            cuda!(runtime.cudaMemcpyFromSymbol(other, symbol, bytes, offset, kind))
        }
        _ => cuda!(runtime.cudaMemcpyFromSymbolAsync(other, symbol, bytes, offset, kind, stream)),
    }
}

fn rows(runtime: &Runtime, name: &str, copy: &Plane, stream: cudaStream_t) -> cudaError_t {
    let (to, from, kind) = (pointer(copy.dst), pointer(copy.src), kind_of(copy.kind));
    let (dpitch, spitch) = (size(copy.dst_pitch), size(copy.src_pitch));
    let (width, height) = (size(copy.width), size(copy.height));
    match name {
        "cudaMemcpy2D" => {
            cuda!(runtime.cudaMemcpy2D(to, dpitch, from, spitch, width, height, kind))
        }
        _ => {
            cuda!(runtime.cudaMemcpy2DAsync(to, dpitch, from, spitch, width, height, kind, stream))
        }
    }
}

fn runtime_boxed(
    runtime: &Runtime,
    name: &str,
    copy: &Volume,
    stream: cudaStream_t,
    element: u64,
) -> cudaError_t {
    let parms = parms(copy, element);
    let (to, from, kind) = (part(&copy.dst), part(&copy.src), kind_of(copy.kind));
    let (width, height) = (size(copy.width), size(copy.height));
    let (to_array, from_array) = (
        runtime_array(to.array),
        runtime_array(from.array).cast_const(),
    );
    let (to_x, to_y) = (size(to.at[0]), size(to.at[1]));
    let (from_x, from_y) = (size(from.at[0]), size(from.at[1]));
    match name {
        "cudaMemcpy3D" => cuda!(runtime.cudaMemcpy3D(&raw const parms)),
        "cudaMemcpy3DAsync" => cuda!(runtime.cudaMemcpy3DAsync(&raw const parms, stream)),
        "cudaMemcpy2DToArray" => cuda!(runtime.cudaMemcpy2DToArray(
            to_array,
            to_x,
            to_y,
            pointer(from.address),
            size(from.pitch),
            width,
            height,
            kind
        )),
        "cudaMemcpy2DToArrayAsync" => cuda!(runtime.cudaMemcpy2DToArrayAsync(
            to_array,
            to_x,
            to_y,
            pointer(from.address),
            size(from.pitch),
            width,
            height,
            kind,
            stream
        )),
        "cudaMemcpy2DFromArray" => cuda!(runtime.cudaMemcpy2DFromArray(
            pointer(to.address),
            size(to.pitch),
            from_array,
            from_x,
            from_y,
            width,
            height,
            kind
        )),
        "cudaMemcpy2DArrayToArray" => cuda!(runtime.cudaMemcpy2DArrayToArray(
            to_array, to_x, to_y, from_array, from_x, from_y, width, height, kind
        )),
        _ => cudaError(NOT_MADE),
    }
}

fn runtime_batched(runtime: &Runtime, batch: &Batch, stream: cudaStream_t) -> cudaError_t {
    let mut lists = Lists::of(batch);
    let (count, attributes) = (lists.to.len(), lists.attributes.len());
    let mut to: Vec<*mut c_void> = lists.to.iter().map(|&at| pointer(at)).collect();
    let mut from: Vec<*mut c_void> = lists.from.iter().map(|&at| pointer(at)).collect();
    let starts = lists.starts.as_mut_ptr();
    let bytes = lists.bytes.as_mut_ptr();
    if let Some(table) = runtime.v13() {
        // The same 24 bytes as the driver's structure.
        let how = lists
            .attributes
            .as_mut_ptr()
            .cast::<v13::cudaMemcpyAttributes>();
        let from: Vec<*const c_void> = from.iter().map(|at| at.cast_const()).collect();
        return cuda!(table.cudaMemcpyBatchAsync(
            to.as_ptr(),
            from.as_ptr(),
            bytes,
            count,
            how,
            starts,
            attributes,
            stream
        ));
    }
    if let Some(table) = runtime.v12() {
        let how = lists
            .attributes
            .as_mut_ptr()
            .cast::<v12::cudaMemcpyAttributes>();
        let mut bad = 0_usize;
        return cuda!(table.cudaMemcpyBatchAsync(
            to.as_mut_ptr(),
            from.as_mut_ptr(),
            bytes,
            count,
            how,
            starts,
            attributes,
            &raw mut bad,
            stream
        ));
    }
    cudaError(NOT_MADE)
}
