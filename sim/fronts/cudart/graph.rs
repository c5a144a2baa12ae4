//! Graphs of copies and memsets, and what has another form in each major.

#[cfg(not(major = "11"))]
use core::ffi::c_uint;
use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{CUDA_MEMCPY3D, CUDA_MEMSET_NODE_PARAMS, CUmemorytype};
use cuda_sys::runtime::{
    cudaError_t, cudaGraph_t, cudaGraphExec_t, cudaGraphNode_t, cudaMemcpy3DParms, cudaMemcpyKind,
    cudaMemsetParams,
};

use super::copy::known;
use super::entry::{Answer, Call, driver, get, put};
use super::memory::{address, pointer};
use super::rows::types;
use super::symbols::part;
use super::volume::{described, shaped};

/// The copy of a node; one of nothing is a copy all the same.
fn volume(call: &Call, p: *const cudaMemcpy3DParms) -> Result<CUDA_MEMCPY3D, cudaError_t> {
    // SAFETY: the caller's place.
    let given = unsafe { get(p) }?;
    shaped(call, &given)?.ok_or(cudaError_t::cudaErrorInvalidValue)
}

/// A copy of one line as a node has it.
fn line(
    dst: *mut c_void,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
) -> Result<CUDA_MEMCPY3D, cudaError_t> {
    known(kind)?;
    let (to, from) = types(kind);
    let mut copy = CUDA_MEMCPY3D {
        WidthInBytes: count,
        Height: 1,
        Depth: 1,
        dstMemoryType: to,
        dstPitch: count,
        dstHeight: 1,
        srcMemoryType: from,
        srcPitch: count,
        srcHeight: 1,
        ..CUDA_MEMCPY3D::default()
    };
    if to == CUmemorytype::CU_MEMORYTYPE_HOST {
        copy.dstHost = dst;
    } else {
        copy.dstDevice = address(dst);
    }
    if from == CUmemorytype::CU_MEMORYTYPE_HOST {
        copy.srcHost = src;
    } else {
        copy.srcDevice = address(src);
    }
    Ok(copy)
}

fn add_copy(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    count: usize,
    copy: &CUDA_MEMCPY3D,
) -> Answer {
    let context = call.context()?;
    driver!(call.cuGraphAddMemcpyNode(
        node,
        graph,
        dependencies,
        count,
        ptr::from_ref(copy),
        context
    ))
}

pub(crate) unsafe fn cudaGraphAddMemcpyNode(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    count: usize,
    p: *const cudaMemcpy3DParms,
) -> Answer {
    call.ensure()?;
    add_copy(call, node, graph, dependencies, count, &volume(call, p)?)
}

pub(crate) unsafe fn cudaGraphAddMemcpyNode1D(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    dependency_count: usize,
    dst: *mut c_void,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    add_copy(
        call,
        node,
        graph,
        dependencies,
        dependency_count,
        &line(dst, src, count, kind)?,
    )
}

pub(crate) unsafe fn cudaGraphAddMemcpyNodeToSymbol(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    dependency_count: usize,
    symbol: *const c_void,
    src: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let dst = part(
        call,
        symbol,
        offset,
        count,
        kind,
        cudaMemcpyKind::cudaMemcpyHostToDevice,
    )?;
    add_copy(
        call,
        node,
        graph,
        dependencies,
        dependency_count,
        &line(dst, src, count, kind)?,
    )
}

pub(crate) unsafe fn cudaGraphAddMemcpyNodeFromSymbol(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    dependency_count: usize,
    dst: *mut c_void,
    symbol: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let src = part(
        call,
        symbol,
        offset,
        count,
        kind,
        cudaMemcpyKind::cudaMemcpyDeviceToHost,
    )?;
    add_copy(
        call,
        node,
        graph,
        dependencies,
        dependency_count,
        &line(dst, src, count, kind)?,
    )
}

pub(crate) unsafe fn cudaGraphMemcpyNodeGetParams(
    call: &Call,
    node: cudaGraphNode_t,
    p: *mut cudaMemcpy3DParms,
) -> Answer {
    call.ensure()?;
    let mut copy = CUDA_MEMCPY3D::default();
    driver!(call.cuGraphMemcpyNodeGetParams(node, &raw mut copy))?;
    let found = described(call, &copy)?;
    // SAFETY: the caller's place.
    unsafe { put(p, found) }
}

fn set_copy(call: &Call, node: cudaGraphNode_t, copy: &CUDA_MEMCPY3D) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphMemcpyNodeSetParams(node, ptr::from_ref(copy)))
}

pub(crate) unsafe fn cudaGraphMemcpyNodeSetParams(
    call: &Call,
    node: cudaGraphNode_t,
    p: *const cudaMemcpy3DParms,
) -> Answer {
    call.ensure()?;
    set_copy(call, node, &volume(call, p)?)
}

pub(crate) unsafe fn cudaGraphMemcpyNodeSetParams1D(
    call: &Call,
    node: cudaGraphNode_t,
    dst: *mut c_void,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    set_copy(call, node, &line(dst, src, count, kind)?)
}

pub(crate) unsafe fn cudaGraphMemcpyNodeSetParamsToSymbol(
    call: &Call,
    node: cudaGraphNode_t,
    symbol: *const c_void,
    src: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let dst = part(
        call,
        symbol,
        offset,
        count,
        kind,
        cudaMemcpyKind::cudaMemcpyHostToDevice,
    )?;
    set_copy(call, node, &line(dst, src, count, kind)?)
}

pub(crate) unsafe fn cudaGraphMemcpyNodeSetParamsFromSymbol(
    call: &Call,
    node: cudaGraphNode_t,
    dst: *mut c_void,
    symbol: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let src = part(
        call,
        symbol,
        offset,
        count,
        kind,
        cudaMemcpyKind::cudaMemcpyDeviceToHost,
    )?;
    set_copy(call, node, &line(dst, src, count, kind)?)
}

fn set_instantiated(
    call: &Call,
    graph: cudaGraphExec_t,
    node: cudaGraphNode_t,
    copy: &CUDA_MEMCPY3D,
) -> Answer {
    let context = call.context()?;
    driver!(call.cuGraphExecMemcpyNodeSetParams(graph, node, ptr::from_ref(copy), context))
}

pub(crate) unsafe fn cudaGraphExecMemcpyNodeSetParams(
    call: &Call,
    graph: cudaGraphExec_t,
    node: cudaGraphNode_t,
    p: *const cudaMemcpy3DParms,
) -> Answer {
    call.ensure()?;
    set_instantiated(call, graph, node, &volume(call, p)?)
}

pub(crate) unsafe fn cudaGraphExecMemcpyNodeSetParams1D(
    call: &Call,
    graph: cudaGraphExec_t,
    node: cudaGraphNode_t,
    dst: *mut c_void,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    set_instantiated(call, graph, node, &line(dst, src, count, kind)?)
}

pub(crate) unsafe fn cudaGraphExecMemcpyNodeSetParamsToSymbol(
    call: &Call,
    graph: cudaGraphExec_t,
    node: cudaGraphNode_t,
    symbol: *const c_void,
    src: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let dst = part(
        call,
        symbol,
        offset,
        count,
        kind,
        cudaMemcpyKind::cudaMemcpyHostToDevice,
    )?;
    set_instantiated(call, graph, node, &line(dst, src, count, kind)?)
}

pub(crate) unsafe fn cudaGraphExecMemcpyNodeSetParamsFromSymbol(
    call: &Call,
    graph: cudaGraphExec_t,
    node: cudaGraphNode_t,
    dst: *mut c_void,
    symbol: *const c_void,
    count: usize,
    offset: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let src = part(
        call,
        symbol,
        offset,
        count,
        kind,
        cudaMemcpyKind::cudaMemcpyDeviceToHost,
    )?;
    set_instantiated(call, graph, node, &line(dst, src, count, kind)?)
}

/// A memset in the driver's terms.
fn fill(p: *const cudaMemsetParams) -> Result<CUDA_MEMSET_NODE_PARAMS, cudaError_t> {
    // SAFETY: the caller's place.
    let given = unsafe { get(p) }?;
    Ok(CUDA_MEMSET_NODE_PARAMS {
        dst: address(given.dst),
        pitch: given.pitch,
        value: given.value,
        elementSize: given.elementSize,
        width: given.width,
        height: given.height,
    })
}

pub(crate) unsafe fn cudaGraphAddMemsetNode(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    count: usize,
    p: *const cudaMemsetParams,
) -> Answer {
    let context = call.context()?;
    let fill = fill(p)?;
    driver!(call.cuGraphAddMemsetNode(node, graph, dependencies, count, &raw const fill, context))
}

pub(crate) unsafe fn cudaGraphMemsetNodeGetParams(
    call: &Call,
    node: cudaGraphNode_t,
    p: *mut cudaMemsetParams,
) -> Answer {
    call.ensure()?;
    let mut fill = CUDA_MEMSET_NODE_PARAMS::default();
    driver!(call.cuGraphMemsetNodeGetParams(node, &raw mut fill))?;
    let found = cudaMemsetParams {
        dst: pointer(fill.dst),
        pitch: fill.pitch,
        value: fill.value,
        elementSize: fill.elementSize,
        width: fill.width,
        height: fill.height,
    };
    // SAFETY: the caller's place.
    unsafe { put(p, found) }
}

pub(crate) unsafe fn cudaGraphExecMemsetNodeSetParams(
    call: &Call,
    graph: cudaGraphExec_t,
    node: cudaGraphNode_t,
    p: *const cudaMemsetParams,
) -> Answer {
    let context = call.context()?;
    let fill = fill(p)?;
    driver!(call.cuGraphExecMemsetNodeSetParams(graph, node, &raw const fill, context))
}

#[cfg(major = "11")]
pub(crate) unsafe fn cudaGraphInstantiate(
    call: &Call,
    made: *mut cudaGraphExec_t,
    graph: cudaGraph_t,
    error_node: *mut cudaGraphNode_t,
    log: *mut core::ffi::c_char,
    room: usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphInstantiate_v2(made, graph, error_node, log, room))
}

#[cfg(not(major = "11"))]
pub(crate) unsafe fn cudaGraphInstantiate(
    call: &Call,
    made: *mut cudaGraphExec_t,
    graph: cudaGraph_t,
    flags: core::ffi::c_ulonglong,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphInstantiateWithFlags(made, graph, flags))
}

#[cfg(major = "11")]
pub(crate) unsafe fn cudaGraphExecUpdate(
    call: &Call,
    made: cudaGraphExec_t,
    graph: cudaGraph_t,
    error_node: *mut cudaGraphNode_t,
    result: *mut cuda_sys::runtime::cudaGraphExecUpdateResult,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphExecUpdate(made, graph, error_node, result.cast()))
}

#[cfg(not(major = "11"))]
pub(crate) unsafe fn cudaGraphExecUpdate(
    call: &Call,
    made: cudaGraphExec_t,
    graph: cudaGraph_t,
    result: *mut cuda_sys::runtime::cudaGraphExecUpdateResultInfo,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphExecUpdate_v2(made, graph, result.cast()))
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaGraphAddDependencies(
    call: &Call,
    graph: cudaGraph_t,
    from: *const cudaGraphNode_t,
    to: *const cudaGraphNode_t,
    count: usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphAddDependencies(graph, from, to, count))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaGraphAddDependencies(
    call: &Call,
    graph: cudaGraph_t,
    from: *const cudaGraphNode_t,
    to: *const cudaGraphNode_t,
    edges: *const cuda_sys::runtime::cudaGraphEdgeData,
    count: usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphAddDependencies_v2(graph, from, to, edges.cast(), count))
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaGraphRemoveDependencies(
    call: &Call,
    graph: cudaGraph_t,
    from: *const cudaGraphNode_t,
    to: *const cudaGraphNode_t,
    count: usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphRemoveDependencies(graph, from, to, count))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaGraphRemoveDependencies(
    call: &Call,
    graph: cudaGraph_t,
    from: *const cudaGraphNode_t,
    to: *const cudaGraphNode_t,
    edges: *const cuda_sys::runtime::cudaGraphEdgeData,
    count: usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphRemoveDependencies_v2(graph, from, to, edges.cast(), count))
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaGraphGetEdges(
    call: &Call,
    graph: cudaGraph_t,
    from: *mut cudaGraphNode_t,
    to: *mut cudaGraphNode_t,
    count: *mut usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphGetEdges(graph, from, to, count))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaGraphGetEdges(
    call: &Call,
    graph: cudaGraph_t,
    from: *mut cudaGraphNode_t,
    to: *mut cudaGraphNode_t,
    edges: *mut cuda_sys::runtime::cudaGraphEdgeData,
    count: *mut usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphGetEdges_v2(graph, from, to, edges.cast(), count))
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaGraphNodeGetDependencies(
    call: &Call,
    node: cudaGraphNode_t,
    found: *mut cudaGraphNode_t,
    count: *mut usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphNodeGetDependencies(node, found, count))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaGraphNodeGetDependencies(
    call: &Call,
    node: cudaGraphNode_t,
    found: *mut cudaGraphNode_t,
    edges: *mut cuda_sys::runtime::cudaGraphEdgeData,
    count: *mut usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphNodeGetDependencies_v2(node, found, edges.cast(), count))
}

#[cfg(not(major = "13"))]
pub(crate) unsafe fn cudaGraphNodeGetDependentNodes(
    call: &Call,
    node: cudaGraphNode_t,
    found: *mut cudaGraphNode_t,
    count: *mut usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphNodeGetDependentNodes(node, found, count))
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaGraphNodeGetDependentNodes(
    call: &Call,
    node: cudaGraphNode_t,
    found: *mut cudaGraphNode_t,
    edges: *mut cuda_sys::runtime::cudaGraphEdgeData,
    count: *mut usize,
) -> Answer {
    call.ensure()?;
    driver!(call.cuGraphNodeGetDependentNodes_v2(node, found, edges.cast(), count))
}

/// A value that a conditional node would look at.
#[cfg(not(major = "11"))]
pub(crate) unsafe fn cudaGraphConditionalHandleCreate(
    call: &Call,
    handle: *mut cuda_sys::runtime::cudaGraphConditionalHandle,
    graph: cudaGraph_t,
    value: c_uint,
    flags: c_uint,
) -> Answer {
    let context = call.context()?;
    driver!(call.cuGraphConditionalHandleCreate(handle, graph, context, value, flags))
}
