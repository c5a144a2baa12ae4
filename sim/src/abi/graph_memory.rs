//! Nodes that allocate and free.

use cuda_sys::driver::*;

use super::c::{address, handle};
use super::capture::numbers;
use super::gate::export;
use super::graph::{action_of, find};
use super::memory::pointer;
use super::vmm::device_at;
use crate::model::code::Code;
use crate::model::graph::Action;
use crate::model::machine::machine;

export! {
    ready fn cuGraphAddMemAllocNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize,
        params: *mut CUDA_MEM_ALLOC_NODE_PARAMS,
    ) |_| {
        out.wanted()?;
        let mut wanted = params.input().get()?;
        let graph = find(graph.address())?;
        let after = numbers(after, count)?;
        let device = device_at(&wanted.poolProps.location)?;
        let memory = machine()?.space_mut().graph_allocate(wanted.bytesize, device)?;
        wanted.dptr = pointer(memory.object.base);
        params.put(wanted)?;
        out.put(handle(graph.add(Action::Allocate(memory), &after)?))
    }

    ready fn cuGraphAddMemFreeNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize, dptr: CUdeviceptr,
    ) |_| {
        out.wanted()?;
        let memory = machine()?.space().graph_memory(address(dptr))?;
        let node = find(graph.address())?.add(Action::Free(memory.base), &numbers(after, count)?)?;
        out.put(handle(node))
    }

    ready fn cuGraphMemFreeNodeGetParams(number: CUgraphNode, dptr: *mut CUdeviceptr) |_| {
        match action_of(number.address())? {
            Action::Free(base) => dptr.put(pointer(base)),
            _ => Err(Code::INVALID_VALUE),
        }
    }
}
