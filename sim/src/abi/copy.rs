//! Copies of one row: by direction, by addresses alone, and between devices.

use core::ffi::c_void;

use cuda_sys::driver::*;

use super::c::address;
use super::gate::{Call, export};
use super::submit::{self, When};
use crate::model::code::Outcome;
use crate::model::machine::machine;
use crate::model::operand::View;
use crate::model::spec::{CopySpec, Corner, Sort};
use crate::model::transfer::Shape;

/// The current device's view of memory.
pub(super) fn view(call: Call) -> Outcome<View> {
    Ok(View::Device(call.context()?.device))
}

/// Where a copy of one row goes from and to.
pub(super) fn line(
    call: Call,
    dst: (Sort, usize),
    src: (Sort, usize),
    count: usize,
    when: When,
) -> Outcome {
    let view = view(call)?;
    let spec = CopySpec {
        dst: Corner::at(dst.0, dst.1, view),
        src: Corner::at(src.0, src.1, view),
        shape: Shape::line(count),
    };
    submit::copy(call, &spec, when)
}

fn peer(call: Call, dst: (usize, usize), src: (usize, usize), count: usize, when: When) -> Outcome {
    call.context()?;
    // Contexts that do not own the pointers are accepted; such that do not exist are not.
    for context in [dst.1, src.1] {
        machine()?.context(context)?;
    }
    let spec = CopySpec {
        dst: Corner::at(Sort::Unified, dst.0, View::AnyDevice),
        src: Corner::at(Sort::Unified, src.0, View::AnyDevice),
        shape: Shape::line(count),
    };
    submit::copy(call, &spec, when)
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
