//! Nodes of graphs in the one form that serves every kind.
//!
//! The driver calls are the obvious ones; what the real runtime calls here nobody has watched.

use cuda_sys::driver::{
    CUDA_MEMCPY_NODE_PARAMS, CUDA_MEMSET_NODE_PARAMS_v2, CUgraphNodeParams, CUgraphNodeType_enum,
};
use cuda_sys::runtime::{cudaError_t, cudaGraph_t, cudaGraphEdgeData, cudaGraphNode_t};

use super::entry::{Answer, Call, driver, get};
use super::memory::address;
use super::own::cudaGraphNodeParams;
use super::volume::shaped;

/// A node in the driver's terms: copies and memsets have other structures there and name a context.
fn described(call: &Call, p: *const cudaGraphNodeParams) -> Result<CUgraphNodeParams, cudaError_t> {
    // SAFETY: the caller's place.
    let given = unsafe { get(p) }?;
    let context = call.context()?;
    let body = &given.__bindgen_anon_1;
    // SAFETY: the longest member of the union; every bit pattern is a value.
    let words = unsafe { body.reserved1 };
    let mut node = CUgraphNodeParams {
        type_: CUgraphNodeType_enum(given.type_.0),
        ..CUgraphNodeParams::default()
    };
    node.__bindgen_anon_1.reserved1 = words;
    match node.type_ {
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEMCPY => {
            // SAFETY: the caller's type says which member it filled.
            let copy = unsafe { body.memcpy };
            let shape = shaped(call, &copy.copyParams)?;
            node.__bindgen_anon_1.memcpy = CUDA_MEMCPY_NODE_PARAMS {
                copyCtx: context,
                copyParams: shape.ok_or(cudaError_t::cudaErrorInvalidValue)?,
                ..CUDA_MEMCPY_NODE_PARAMS::default()
            };
        }
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEMSET => {
            // SAFETY: as above.
            let fill = unsafe { body.memset };
            node.__bindgen_anon_1.memset = CUDA_MEMSET_NODE_PARAMS_v2 {
                dst: address(fill.dst),
                pitch: fill.pitch,
                value: fill.value,
                elementSize: fill.elementSize,
                width: fill.width,
                height: fill.height,
                ctx: context,
            };
        }
        _ => {}
    }
    Ok(node)
}

fn add(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    edges: *const cudaGraphEdgeData,
    count: usize,
    p: *const cudaGraphNodeParams,
) -> Answer {
    let mut wanted = described(call, p)?;
    let wanted = &raw mut wanted;
    driver!(call.cuGraphAddNode_v2(node, graph, dependencies, edges.cast(), count, wanted))
}

#[cfg(major = "12")]
pub(crate) unsafe fn cudaGraphAddNode(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    count: usize,
    p: *mut cudaGraphNodeParams,
) -> Answer {
    add(call, node, graph, dependencies, core::ptr::null(), count, p)
}

#[cfg(major = "12")]
pub(crate) unsafe fn cudaGraphAddNode_v2(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    edges: *const cudaGraphEdgeData,
    count: usize,
    p: *mut cudaGraphNodeParams,
) -> Answer {
    add(call, node, graph, dependencies, edges, count, p)
}

#[cfg(major = "13")]
pub(crate) unsafe fn cudaGraphAddNode(
    call: &Call,
    node: *mut cudaGraphNode_t,
    graph: cudaGraph_t,
    dependencies: *const cudaGraphNode_t,
    edges: *const cudaGraphEdgeData,
    count: usize,
    p: *mut cudaGraphNodeParams,
) -> Answer {
    add(call, node, graph, dependencies, edges, count, p)
}
