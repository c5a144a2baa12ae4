//! Copies of one row into and out of arrays.

use core::ffi::c_void;

use cuda_sys::driver::*;

use super::c::address;
use super::copy::view;
use super::gate::{Call, export};
use super::submit::{self, When};
use crate::model::code::Outcome;
use crate::model::operand::View;
use crate::model::spec::{CopySpec, Corner, Sort};
use crate::model::transfer::Shape;

const NOW: When = When::Synchronous;

fn row(call: Call, dst: Corner, src: Corner, count: usize, when: When) -> Outcome {
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

fn array(array: usize, offset: usize, view: View) -> Corner {
    Corner::in_array(array, offset, view)
}

export! {
    ready fn cuMemcpyDtoA_v2 / cuMemcpyDtoA_v2_ptds(
        dst: CUarray, offset: usize, src: CUdeviceptr, count: usize,
    ) |call| {
        let view = view(call, NOW)?;
        row(call, array(dst.address(), offset, view), Corner::at(Sort::Device, address(src), view), count, NOW)
    }

    ready fn cuMemcpyAtoD_v2 / cuMemcpyAtoD_v2_ptds(
        dst: CUdeviceptr, src: CUarray, offset: usize, count: usize,
    ) |call| {
        let view = view(call, NOW)?;
        row(call, Corner::at(Sort::Device, address(dst), view), array(src.address(), offset, view), count, NOW)
    }

    ready fn cuMemcpyHtoA_v2 / cuMemcpyHtoA_v2_ptds(
        dst: CUarray, offset: usize, src: *const c_void, count: usize,
    ) |call| {
        let view = view(call, NOW)?;
        row(call, array(dst.address(), offset, view), Corner::at(Sort::Host, src.address(), view), count, NOW)
    }

    ready fn cuMemcpyAtoH_v2 / cuMemcpyAtoH_v2_ptds(
        dst: *mut c_void, src: CUarray, offset: usize, count: usize,
    ) |call| {
        let view = view(call, NOW)?;
        row(call, Corner::at(Sort::Host, dst.address(), view), array(src.address(), offset, view), count, NOW)
    }

    ready fn cuMemcpyAtoA_v2 / cuMemcpyAtoA_v2_ptds(
        dst: CUarray, dst_offset: usize, src: CUarray, src_offset: usize, count: usize,
    ) |call| {
        let view = view(call, NOW)?;
        row(call, array(dst.address(), dst_offset, view), array(src.address(), src_offset, view), count, NOW)
    }

    ready fn cuMemcpyHtoAAsync_v2 / cuMemcpyHtoAAsync_v2_ptsz(
        dst: CUarray, offset: usize, src: *const c_void, count: usize, stream: CUstream,
    ) |call| {
        let when = When::Asynchronous(stream.address());
        let view = view(call, when)?;
        row(call, array(dst.address(), offset, view), Corner::at(Sort::Host, src.address(), view), count, when)
    }

    ready fn cuMemcpyAtoHAsync_v2 / cuMemcpyAtoHAsync_v2_ptsz(
        dst: *mut c_void, src: CUarray, offset: usize, count: usize, stream: CUstream,
    ) |call| {
        let when = When::Asynchronous(stream.address());
        let view = view(call, when)?;
        row(call, Corner::at(Sort::Host, dst.address(), view), array(src.address(), offset, view), count, when)
    }
}
