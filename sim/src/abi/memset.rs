//! Memset in all widths.

use core::ffi::{c_uchar, c_uint, c_ushort};

use cuda_sys::driver::*;

use super::c::address;
use super::copy::is_created;
use super::forked;
use super::gate::{Call, export};
use super::submit::{self, When};
use crate::model::code::{Code, Outcome};
use crate::model::filling::Pattern;
use crate::model::spec::FillSpec;

fn fill(
    call: Call,
    dst: CUdeviceptr,
    pitch: usize,
    pattern: Pattern,
    size: (usize, usize),
    when: When,
) -> Outcome {
    if let When::Asynchronous(stream) = when
        && let Some(answer) = forked::work(stream, address(dst))
    {
        return answer;
    }
    let context = match (call.context(), when) {
        (Err(Code::INVALID_CONTEXT), When::Asynchronous(stream)) => {
            call.stream(stream)?.context()?
        }
        // Measured: the stream's device does the work, whatever context is current.
        (Ok(_), When::Asynchronous(stream)) if is_created(stream) => {
            call.stream(stream)?.context()?
        }
        (context, _) => context?,
    };
    let spec = FillSpec {
        address: address(dst),
        pitch,
        pattern,
        width: size.0,
        height: size.1,
        device: context.device,
        context: context.handle,
    };
    submit::fill(call, &spec, when)
}

const NOW: When = When::Synchronous;

export! {
    ready fn cuMemsetD8_v2 / cuMemsetD8_v2_ptds(dst: CUdeviceptr, value: c_uchar, n: usize) |call| {
        fill(call, dst, 0, Pattern::Byte(value), (n, 1), NOW)
    }

    ready fn cuMemsetD16_v2 / cuMemsetD16_v2_ptds(dst: CUdeviceptr, value: c_ushort, n: usize) |call| {
        fill(call, dst, 0, Pattern::Word(value), (n, 1), NOW)
    }

    ready fn cuMemsetD32_v2 / cuMemsetD32_v2_ptds(dst: CUdeviceptr, value: c_uint, n: usize) |call| {
        fill(call, dst, 0, Pattern::Double(value), (n, 1), NOW)
    }

    ready fn cuMemsetD2D8_v2 / cuMemsetD2D8_v2_ptds(
        dst: CUdeviceptr, pitch: usize, value: c_uchar, width: usize, height: usize,
    ) |call| {
        fill(call, dst, pitch, Pattern::Byte(value), (width, height), NOW)
    }

    ready fn cuMemsetD2D16_v2 / cuMemsetD2D16_v2_ptds(
        dst: CUdeviceptr, pitch: usize, value: c_ushort, width: usize, height: usize,
    ) |call| {
        fill(call, dst, pitch, Pattern::Word(value), (width, height), NOW)
    }

    ready fn cuMemsetD2D32_v2 / cuMemsetD2D32_v2_ptds(
        dst: CUdeviceptr, pitch: usize, value: c_uint, width: usize, height: usize,
    ) |call| {
        fill(call, dst, pitch, Pattern::Double(value), (width, height), NOW)
    }

    held fn cuMemsetD8Async / cuMemsetD8Async_ptsz(
        dst: CUdeviceptr, value: c_uchar, n: usize, stream: CUstream,
    ) |call| {
        fill(call, dst, 0, Pattern::Byte(value), (n, 1), When::Asynchronous(stream.address()))
    }

    held fn cuMemsetD16Async / cuMemsetD16Async_ptsz(
        dst: CUdeviceptr, value: c_ushort, n: usize, stream: CUstream,
    ) |call| {
        fill(call, dst, 0, Pattern::Word(value), (n, 1), When::Asynchronous(stream.address()))
    }

    held fn cuMemsetD32Async / cuMemsetD32Async_ptsz(
        dst: CUdeviceptr, value: c_uint, n: usize, stream: CUstream,
    ) |call| {
        fill(call, dst, 0, Pattern::Double(value), (n, 1), When::Asynchronous(stream.address()))
    }

    held fn cuMemsetD2D8Async / cuMemsetD2D8Async_ptsz(
        dst: CUdeviceptr, pitch: usize, value: c_uchar, width: usize, height: usize, stream: CUstream,
    ) |call| {
        fill(call, dst, pitch, Pattern::Byte(value), (width, height), When::Asynchronous(stream.address()))
    }

    held fn cuMemsetD2D16Async / cuMemsetD2D16Async_ptsz(
        dst: CUdeviceptr, pitch: usize, value: c_ushort, width: usize, height: usize, stream: CUstream,
    ) |call| {
        fill(call, dst, pitch, Pattern::Word(value), (width, height), When::Asynchronous(stream.address()))
    }

    held fn cuMemsetD2D32Async / cuMemsetD2D32Async_ptsz(
        dst: CUdeviceptr, pitch: usize, value: c_uint, width: usize, height: usize, stream: CUstream,
    ) |call| {
        fill(call, dst, pitch, Pattern::Double(value), (width, height), When::Asynchronous(stream.address()))
    }
}
