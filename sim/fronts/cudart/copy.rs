//! Copies of one line of bytes.

use core::ffi::{c_int, c_void};

use cuda_sys::driver::{CUDA_MEMCPY2D, CUcontext, CUmemorytype};
use cuda_sys::runtime::{cudaError_t, cudaMemcpyKind, cudaStream_t};

use super::entry::{Answer, Call, driver};
use super::memory::address;

/// Whether `kind` is one of the five.
pub(crate) fn known(kind: cudaMemcpyKind) -> Answer {
    if kind.0 <= cudaMemcpyKind::cudaMemcpyDefault.0 {
        Ok(())
    } else {
        Err(cudaError_t::cudaErrorInvalidMemcpyDirection)
    }
}

/// A host-to-host copy as the runtime asks the driver for it: one row.
fn row(dst: *mut c_void, src: *const c_void, count: usize) -> CUDA_MEMCPY2D {
    CUDA_MEMCPY2D {
        srcMemoryType: CUmemorytype::CU_MEMORYTYPE_HOST,
        srcHost: src,
        srcPitch: count,
        dstMemoryType: CUmemorytype::CU_MEMORYTYPE_HOST,
        dstHost: dst,
        dstPitch: count,
        WidthInBytes: count,
        Height: 1,
        ..CUDA_MEMCPY2D::default()
    }
}

pub(crate) unsafe fn cudaMemcpy(
    call: &Call,
    dst: *mut c_void,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    match kind {
        cudaMemcpyKind::cudaMemcpyHostToHost => {
            let row = row(dst, src, count);
            driver!(call.cuMemcpy2DUnaligned_v2(&raw const row))
        }
        cudaMemcpyKind::cudaMemcpyHostToDevice => {
            driver!(call.cuMemcpyHtoD_v2(address(dst), src, count))
        }
        cudaMemcpyKind::cudaMemcpyDeviceToHost => {
            driver!(call.cuMemcpyDtoH_v2(dst, address(src), count))
        }
        cudaMemcpyKind::cudaMemcpyDeviceToDevice => {
            driver!(call.cuMemcpyDtoD_v2(address(dst), address(src), count))
        }
        cudaMemcpyKind::cudaMemcpyDefault => {
            driver!(call.cuMemcpy(address(dst), address(src), count))
        }
        _ => Err(cudaError_t::cudaErrorInvalidMemcpyDirection),
    }
}

pub(crate) unsafe fn cudaMemcpyAsync(
    call: &Call,
    dst: *mut c_void,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    match kind {
        cudaMemcpyKind::cudaMemcpyHostToHost => {
            let row = row(dst, src, count);
            driver!(call.cuMemcpy2DAsync_v2(&raw const row, stream))
        }
        cudaMemcpyKind::cudaMemcpyHostToDevice => {
            driver!(call.cuMemcpyHtoDAsync_v2(address(dst), src, count, stream))
        }
        cudaMemcpyKind::cudaMemcpyDeviceToHost => {
            driver!(call.cuMemcpyDtoHAsync_v2(dst, address(src), count, stream))
        }
        cudaMemcpyKind::cudaMemcpyDeviceToDevice => {
            driver!(call.cuMemcpyDtoDAsync_v2(address(dst), address(src), count, stream))
        }
        cudaMemcpyKind::cudaMemcpyDefault => {
            driver!(call.cuMemcpyAsync(address(dst), address(src), count, stream))
        }
        _ => Err(cudaError_t::cudaErrorInvalidMemcpyDirection),
    }
}

/// Asks the driver something about contexts, which it can only tell of living ones.
pub(crate) fn alive(call: &Call, contexts: [CUcontext; 2]) -> Answer {
    for context in contexts {
        let mut version = 0;
        driver!(call.cuCtxGetApiVersion(context, &raw mut version))?;
    }
    Ok(())
}

pub(crate) unsafe fn cudaMemcpyPeer(
    call: &Call,
    dst: *mut c_void,
    dst_device: c_int,
    src: *const c_void,
    src_device: c_int,
    count: usize,
) -> Answer {
    call.ensure()?;
    let (to, from) = (call.primary(dst_device)?, call.primary(src_device)?);
    if count == 0 {
        return Ok(());
    }
    alive(call, [to, from])?;
    driver!(call.cuMemcpyPeer(address(dst), to, address(src), from, count))
}

pub(crate) unsafe fn cudaMemcpyPeerAsync(
    call: &Call,
    dst: *mut c_void,
    dst_device: c_int,
    src: *const c_void,
    src_device: c_int,
    count: usize,
    stream: cudaStream_t,
) -> Answer {
    call.ensure()?;
    let (to, from) = (call.primary(dst_device)?, call.primary(src_device)?);
    if count == 0 {
        return Ok(());
    }
    alive(call, [to, from])?;
    driver!(call.cuMemcpyPeerAsync(address(dst), to, address(src), from, count, stream))
}
