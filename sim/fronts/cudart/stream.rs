//! What of streams has another form in each major.

use core::ffi::{c_uint, c_ulonglong};

use cuda_sys::driver::CUstreamCaptureStatus_enum;
use cuda_sys::runtime::{cudaError_t, cudaGraphNode_t, cudaStream_t, cudaStreamCaptureStatus};

use super::entry::{Answer, Call, driver, put};

/// Says whether a stream is being captured, and into which sequence.
#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaStreamGetCaptureInfo(
    call: &Call,
    stream: cudaStream_t,
    status: *mut cudaStreamCaptureStatus,
    id: *mut c_ulonglong,
) -> Answer {
    call.ensure()?;
    if status.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    let mut found = CUstreamCaptureStatus_enum(0);
    let mut number = 0;
    driver!(call.cuStreamGetCaptureInfo(stream, &raw mut found, &raw mut number))?;
    if !id.is_null() {
        // SAFETY: the caller's place.
        unsafe { put(id, number) }?;
    }
    // SAFETY: the caller's place.
    unsafe { put(status, cudaStreamCaptureStatus(found.0)) }
}

/// Says whether a stream is being captured, into which sequence, and behind which nodes.
#[cfg(major = "13")]
pub(crate) unsafe fn cudaStreamGetCaptureInfo(
    call: &Call,
    stream: cudaStream_t,
    status: *mut cudaStreamCaptureStatus,
    id: *mut c_ulonglong,
    graph: *mut cuda_sys::runtime::cudaGraph_t,
    nodes: *mut *const cudaGraphNode_t,
    edges: *mut *const cuda_sys::runtime::cudaGraphEdgeData,
    count: *mut usize,
) -> Answer {
    call.ensure()?;
    if status.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    let mut found = CUstreamCaptureStatus_enum(0);
    driver!(call.cuStreamGetCaptureInfo_v3(
        stream,
        &raw mut found,
        id.cast(),
        graph,
        nodes,
        edges.cast(),
        count
    ))?;
    // SAFETY: the caller's place.
    unsafe { put(status, cudaStreamCaptureStatus(found.0)) }
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaStreamUpdateCaptureDependencies(
    call: &Call,
    stream: cudaStream_t,
    nodes: *mut cudaGraphNode_t,
    count: usize,
    flags: c_uint,
) -> Answer {
    call.ensure()?;
    driver!(call.cuStreamUpdateCaptureDependencies(stream, nodes, count, flags))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaStreamUpdateCaptureDependencies(
    call: &Call,
    stream: cudaStream_t,
    nodes: *mut cudaGraphNode_t,
    edges: *const cuda_sys::runtime::cudaGraphEdgeData,
    count: usize,
    flags: c_uint,
) -> Answer {
    call.ensure()?;
    driver!(call.cuStreamUpdateCaptureDependencies_v2(stream, nodes, edges.cast(), count, flags))
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaEventElapsedTime(
    call: &Call,
    milliseconds: *mut f32,
    start: cuda_sys::runtime::cudaEvent_t,
    end: cuda_sys::runtime::cudaEvent_t,
) -> Answer {
    call.ensure()?;
    driver!(call.cuEventElapsedTime(milliseconds, start, end))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaEventElapsedTime(
    call: &Call,
    milliseconds: *mut f32,
    start: cuda_sys::runtime::cudaEvent_t,
    end: cuda_sys::runtime::cudaEvent_t,
) -> Answer {
    call.ensure_unless_forked()?;
    driver!(call.cuEventElapsedTime_v2(milliseconds, start, end))
}
