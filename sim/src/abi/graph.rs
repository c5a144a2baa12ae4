//! Graphs and their nodes.

use core::ffi::c_uint;

use cuda_sys::driver::*;

use super::c::{In, Out, handle};
use super::capture::numbers;
use super::gate::export;
use super::node;
use crate::model::code::{Code, Outcome};
use crate::model::event::Event;
use crate::model::fork;
use crate::model::graph::{Action, Graph};
use crate::model::machine::machine;
use crate::model::registry::fresh_handle;
use crate::model::ticket::lock;
use std::sync::Arc;

pub(super) fn find(graph: usize) -> Outcome<Arc<Graph>> {
    machine()?.graphs.get(graph).ok_or(Code::INVALID_VALUE)
}

/// The graph that a node belongs to, with its handle's owner kept alive.
pub(super) fn graph_of(node: usize) -> Outcome<Arc<Graph>> {
    let graphs = machine()?.graphs.all();
    graphs
        .into_iter()
        .find(|graph| lock(&graph.nodes).contains_key(&node))
        .ok_or(Code::INVALID_VALUE)
}

pub(super) fn action_of(number: usize) -> Outcome<Action> {
    let graph = graph_of(number)?;
    let nodes = lock(&graph.nodes);
    nodes
        .get(&number)
        .map(|node| node.action.clone())
        .ok_or(Code::INVALID_VALUE)
}

/// Replaces what a node does, by something of the same kind.
fn replace(number: usize, action: Action) -> Outcome {
    let graph = graph_of(number)?;
    let mut nodes = lock(&graph.nodes);
    let node = nodes.get_mut(&number).ok_or(Code::INVALID_VALUE)?;
    if node::kind(&node.action) != node::kind(&action) {
        return Err(Code::INVALID_VALUE);
    }
    node.action = action;
    Ok(())
}

fn add(
    out: Out<CUgraphNode>,
    graph: usize,
    after: In<CUgraphNode>,
    count: usize,
    action: Action,
) -> Outcome {
    out.wanted()?;
    let after = numbers(after, count)?;
    out.put(handle(find(graph)?.add(action, &after)?))
}

/// A child: a copy of the graph as it is now.
pub(super) fn child(graph: usize) -> Outcome<Action> {
    Ok(Action::Child(Arc::new(find(graph)?.duplicate())))
}

pub(super) fn event(event: usize) -> Outcome<(usize, Arc<Event>)> {
    Ok((event, machine()?.events.follow(event)?))
}

fn connect(
    graph: usize,
    from: In<CUgraphNode>,
    to: In<CUgraphNode>,
    count: usize,
    present: bool,
) -> Outcome {
    let graph = find(graph)?;
    for (from, to) in numbers(from, count)?.into_iter().zip(numbers(to, count)?) {
        graph.connect(from, to, present)?;
    }
    Ok(())
}

export! {
    ready fn cuGraphCreate(out: *mut CUgraph, flags: c_uint) |_| {
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        out.wanted()?.put(handle(machine()?.graphs.add(|_| Graph::default()).0))
    }

    ready fn cuGraphDestroy(graph: CUgraph) |_| {
        machine()?.graphs.remove(graph.address()).map(drop).ok_or(Code::INVALID_VALUE)
    }

    ready fn cuGraphClone(out: *mut CUgraph, graph: CUgraph) |_| {
        let copy = find(graph.address())?.duplicate();
        out.wanted()?.put(handle(machine()?.graphs.add(|_| copy).0))
    }

    ready fn cuGraphAddMemcpyNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize,
        params: *const CUDA_MEMCPY3D, ctx: CUcontext,
    ) |_| {
        add(out, graph.address(), after, count, node::copy(&params.get()?, ctx.address())?)
    }

    ready fn cuGraphAddMemsetNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize,
        params: *const CUDA_MEMSET_NODE_PARAMS, ctx: CUcontext,
    ) |_| {
        let action = node::fill(&node::with_context(&params.get()?), ctx.address())?;
        add(out, graph.address(), after, count, action)
    }

    ready fn cuGraphAddHostNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize,
        params: *const CUDA_HOST_NODE_PARAMS,
    ) |_| {
        let params = params.get()?;
        add(out, graph.address(), after, count, node::host(params.fn_, params.userData.expose_provenance())?)
    }

    held fn cuGraphAddEmptyNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize,
    ) |_| {
        if fork::is_child() {
            return out.put(handle(fresh_handle()));
        }
        add(out, graph.address(), after, count, Action::Empty)
    }

    ready fn cuGraphAddChildGraphNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize, inner: CUgraph,
    ) |_| {
        add(out, graph.address(), after, count, child(inner.address())?)
    }

    ready fn cuGraphAddEventRecordNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize, mark: CUevent,
    ) |_| {
        let (number, mark) = event(mark.address())?;
        add(out, graph.address(), after, count, Action::Record(number, mark))
    }

    ready fn cuGraphAddEventWaitNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize, mark: CUevent,
    ) |_| {
        let (number, mark) = event(mark.address())?;
        add(out, graph.address(), after, count, Action::Wait(number, mark))
    }

    ready fn cuGraphAddNode(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, count: usize,
        params: *mut CUgraphNodeParams,
    ) |call| {
        let action = node::any(&params.input().get()?)?.ok_or_else(|| call.unsupported())?;
        add(out, graph.address(), after, count, action)
    }

    ready fn cuGraphAddNode_v2(
        out: *mut CUgraphNode, graph: CUgraph, after: *const CUgraphNode, edges: *const CUgraphEdgeData, count: usize,
        params: *mut CUgraphNodeParams,
    ) |call| {
        let _plain_edges = edges;
        let action = node::any(&params.input().get()?)?.ok_or_else(|| call.unsupported())?;
        add(out, graph.address(), after, count, action)
    }

    ready fn cuGraphDestroyNode(number: CUgraphNode) |_| {
        graph_of(number.address())?.remove(number.address())
    }

    ready fn cuGraphMemcpyNodeSetParams(number: CUgraphNode, params: *const CUDA_MEMCPY3D) |_| {
        replace(number.address(), node::copy(&params.get()?, 0)?)
    }

    ready fn cuGraphMemsetNodeSetParams(number: CUgraphNode, params: *const CUDA_MEMSET_NODE_PARAMS) |_| {
        replace(number.address(), node::fill(&node::with_context(&params.get()?), 0)?)
    }

    ready fn cuGraphHostNodeSetParams(number: CUgraphNode, params: *const CUDA_HOST_NODE_PARAMS) |_| {
        let params = params.get()?;
        replace(number.address(), node::host(params.fn_, params.userData.expose_provenance())?)
    }

    ready fn cuGraphAddDependencies(
        graph: CUgraph, from: *const CUgraphNode, to: *const CUgraphNode, count: usize,
    ) |_| {
        connect(graph.address(), from, to, count, true)
    }

    ready fn cuGraphAddDependencies_v2(
        graph: CUgraph, from: *const CUgraphNode, to: *const CUgraphNode, edges: *const CUgraphEdgeData, count: usize,
    ) |_| {
        let _plain_edges = edges;
        connect(graph.address(), from, to, count, true)
    }

    ready fn cuGraphRemoveDependencies(
        graph: CUgraph, from: *const CUgraphNode, to: *const CUgraphNode, count: usize,
    ) |_| {
        connect(graph.address(), from, to, count, false)
    }

    ready fn cuGraphRemoveDependencies_v2(
        graph: CUgraph, from: *const CUgraphNode, to: *const CUgraphNode, edges: *const CUgraphEdgeData, count: usize,
    ) |_| {
        let _plain_edges = edges;
        connect(graph.address(), from, to, count, false)
    }
}
