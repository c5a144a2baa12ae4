//! Copies of one row: by direction, by addresses alone, and between devices.

use core::ffi::c_void;

use cuda_sys::driver::*;

use super::c::address;
use super::gate::{Call, export};
use super::guard;
use super::submit::{self, When};
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::operand::View;
use crate::model::spec::{CopySpec, Corner, Sort};
use crate::model::transfer::Shape;

/// Whose view of memory counts: the current device's, or without a current context the stream's.
pub(super) fn view(call: Call, when: When) -> Outcome<View> {
    match (call.context(), when) {
        (Ok(context), _) => Ok(View::of(context.device)),
        (Err(Code::INVALID_CONTEXT), When::Asynchronous(stream)) => Ok(View {
            alone: true,
            ..View::of(call.stream(stream)?.context()?.device)
        }),
        (Err(code), _) => Err(code),
    }
}

/// Whose view counts for a batch: the device's of its stream, whatever context is current (measured).
pub(super) fn stream_view(call: Call, stream: usize) -> Outcome<View> {
    let current = view(call, When::Asynchronous(stream))?;
    if is_created(stream) {
        Ok(View::of(call.stream(stream)?.context()?.device))
    } else {
        Ok(current)
    }
}

/// Whether a handle is that of a stream that somebody created.
pub(super) const fn is_created(stream: usize) -> bool {
    stream > 2
}

/// Where a copy of one row goes from and to.
pub(super) fn line(
    call: Call,
    dst: (Sort, usize),
    src: (Sort, usize),
    count: usize,
    when: When,
) -> Outcome {
    let view = view(call, when)?;
    let dst = Corner::at(dst.0, dst.1, view);
    let src = Corner::at(src.0, src.1, view);
    submit::copy(
        call,
        &CopySpec {
            dst,
            src,
            shape: Shape::line(count),
        },
        when,
    )
}

/// A side of a peer copy must be memory that CUDA knows; it is seen from the device of the context that is named for it, whoever owns the memory.
///
/// Where none is named, the current one is taken (measured; hardware sometimes takes the other side's).
pub(super) fn peer_view(call: Call, context: usize) -> Outcome<View> {
    if context == 0 {
        return Ok(View::of(call.context()?.device));
    }
    Ok(View::of(machine()?.context(context)?.device))
}

fn peer(call: Call, dst: (usize, usize), src: (usize, usize), count: usize, when: When) -> Outcome {
    view(call, when)?;
    let dst = Corner::at(Sort::Device, dst.0, peer_view(call, dst.1)?);
    let src = Corner::at(Sort::Device, src.0, peer_view(call, src.1)?);
    if let When::Asynchronous(stream) = when {
        guard::no_capture(&*call.stream(stream)?)?;
    }
    submit::copy_between(
        call,
        &CopySpec {
            dst,
            src,
            shape: Shape::line(count),
        },
        when,
    )
}

const HOST: Sort = Sort::Host;
const DEVICE: Sort = Sort::Device;
const ANY: Sort = Sort::Unified;

export! {
    ready fn cuMemcpy / cuMemcpy_ptds(dst: CUdeviceptr, src: CUdeviceptr, count: usize) |call| {
        line(call, (ANY, address(dst)), (ANY, address(src)), count, When::Synchronous)
    }

    ready fn cuMemcpyAsync / cuMemcpyAsync_ptsz(dst: CUdeviceptr, src: CUdeviceptr, count: usize, stream: CUstream) |call| {
        let when = When::Asynchronous(stream.address());
        line(call, (ANY, address(dst)), (ANY, address(src)), count, when)
    }

    ready fn cuMemcpyHtoD_v2 / cuMemcpyHtoD_v2_ptds(dst: CUdeviceptr, src: *const c_void, count: usize) |call| {
        line(call, (DEVICE, address(dst)), (HOST, src.address()), count, When::Synchronous)
    }

    ready fn cuMemcpyHtoDAsync_v2 / cuMemcpyHtoDAsync_v2_ptsz(
        dst: CUdeviceptr, src: *const c_void, count: usize, stream: CUstream,
    ) |call| {
        let when = When::Asynchronous(stream.address());
        line(call, (DEVICE, address(dst)), (HOST, src.address()), count, when)
    }

    ready fn cuMemcpyDtoH_v2 / cuMemcpyDtoH_v2_ptds(dst: *mut c_void, src: CUdeviceptr, count: usize) |call| {
        line(call, (HOST, dst.address()), (DEVICE, address(src)), count, When::Synchronous)
    }

    ready fn cuMemcpyDtoHAsync_v2 / cuMemcpyDtoHAsync_v2_ptsz(
        dst: *mut c_void, src: CUdeviceptr, count: usize, stream: CUstream,
    ) |call| {
        let when = When::Asynchronous(stream.address());
        line(call, (HOST, dst.address()), (DEVICE, address(src)), count, when)
    }

    ready fn cuMemcpyDtoD_v2 / cuMemcpyDtoD_v2_ptds(dst: CUdeviceptr, src: CUdeviceptr, count: usize) |call| {
        line(call, (DEVICE, address(dst)), (DEVICE, address(src)), count, When::Synchronous)
    }

    ready fn cuMemcpyDtoDAsync_v2 / cuMemcpyDtoDAsync_v2_ptsz(
        dst: CUdeviceptr, src: CUdeviceptr, count: usize, stream: CUstream,
    ) |call| {
        let when = When::Asynchronous(stream.address());
        line(call, (DEVICE, address(dst)), (DEVICE, address(src)), count, when)
    }

    ready fn cuMemcpyPeer / cuMemcpyPeer_ptds(
        dst: CUdeviceptr, dst_context: CUcontext, src: CUdeviceptr, src_context: CUcontext, count: usize,
    ) |call| {
        let (dst, src) = ((address(dst), dst_context.address()), (address(src), src_context.address()));
        peer(call, dst, src, count, When::Synchronous)
    }

    ready fn cuMemcpyPeerAsync / cuMemcpyPeerAsync_ptsz(
        dst: CUdeviceptr, dst_context: CUcontext, src: CUdeviceptr, src_context: CUcontext, count: usize,
        stream: CUstream,
    ) |call| {
        let (dst, src) = ((address(dst), dst_context.address()), (address(src), src_context.address()));
        peer(call, dst, src, count, When::Asynchronous(stream.address()))
    }
}
