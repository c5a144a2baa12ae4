//! Questions about graphs and their nodes.

use cuda_sys::driver::*;

use super::c::{Out, handle};
use super::gate::export;
use super::graph::{action_of, find, graph_of};
use super::node;
use crate::model::code::{Code, Outcome};
use crate::model::graph::Action;
use crate::model::machine::machine;
use crate::model::ticket::lock;

/// Writes handles into a list of `count` places, zero where there are fewer; without a list only says how many.
fn put_list(out: Out<CUgraphNode>, count: Out<usize>, list: &[usize]) -> Outcome {
    if out.is_null() {
        return count.put(list.len());
    }
    let room = count.input().get()?;
    for index in 0..room {
        out.put_at(index, handle(list.get(index).copied().unwrap_or(0)))?;
    }
    if room >= list.len() {
        count.put(list.len())
    } else {
        Ok(())
    }
}

/// Every edge is a plain one.
fn put_plain(edges: Out<CUgraphEdgeData>, count: usize) -> Outcome {
    if edges.is_null() {
        return Ok(());
    }
    (0..count).try_for_each(|index| edges.put_at(index, CUgraphEdgeData::default()))
}

fn edges(graph: usize) -> Outcome<(Vec<usize>, Vec<usize>)> {
    let graph = find(graph)?;
    let nodes = lock(&graph.nodes);
    Ok(nodes
        .iter()
        .flat_map(|(&to, node)| node.after.iter().map(move |&from| (from, to)))
        .unzip())
}

fn put_edges(
    graph: usize,
    from: Out<CUgraphNode>,
    to: Out<CUgraphNode>,
    data: Option<Out<CUgraphEdgeData>>,
    count: Out<usize>,
) -> Outcome {
    let (starts, ends) = edges(graph)?;
    if from.is_null() != to.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    if !from.is_null() {
        let room = count.input().get()?;
        if let Some(data) = data {
            put_plain(data, room.min(starts.len()))?;
        }
        put_list(from, count, &starts)?;
        count.put(room)?;
    }
    put_list(to, count, &ends)
}

fn dependents(number: usize) -> Outcome<Vec<usize>> {
    let graph = graph_of(number)?;
    let nodes = lock(&graph.nodes);
    Ok(nodes
        .iter()
        .filter(|(_, node)| node.after.contains(&number))
        .map(|(&handle, _)| handle)
        .collect())
}

fn dependencies(number: usize) -> Outcome<Vec<usize>> {
    let graph = graph_of(number)?;
    let nodes = lock(&graph.nodes);
    nodes
        .get(&number)
        .map(|node| node.after.iter().copied().collect())
        .ok_or(Code::INVALID_VALUE)
}

fn put_neighbours(
    list: &[usize],
    out: Out<CUgraphNode>,
    data: Out<CUgraphEdgeData>,
    count: Out<usize>,
) -> Outcome {
    if !out.is_null() {
        put_plain(data, count.input().get()?.min(list.len()))?;
    }
    put_list(out, count, list)
}

export! {
    ready fn cuGraphNodeGetType(number: CUgraphNode, kind: *mut CUgraphNodeType) |_| {
        kind.put(node::kind(&action_of(number.address())?))
    }

    ready fn cuGraphGetNodes(graph: CUgraph, out: *mut CUgraphNode, count: *mut usize) |_| {
        let nodes: Vec<_> = lock(&find(graph.address())?.nodes).keys().copied().collect();
        put_list(out, count, &nodes)
    }

    ready fn cuGraphGetRootNodes(graph: CUgraph, out: *mut CUgraphNode, count: *mut usize) |_| {
        let graph = find(graph.address())?;
        let nodes = lock(&graph.nodes);
        let roots: Vec<_> = nodes.iter().filter(|(_, node)| node.after.is_empty()).map(|(&node, _)| node).collect();
        put_list(out, count, &roots)
    }

    ready fn cuGraphGetEdges(graph: CUgraph, from: *mut CUgraphNode, to: *mut CUgraphNode, count: *mut usize) |_| {
        put_edges(graph.address(), from, to, None, count)
    }

    ready fn cuGraphGetEdges_v2(
        graph: CUgraph, from: *mut CUgraphNode, to: *mut CUgraphNode, data: *mut CUgraphEdgeData, count: *mut usize,
    ) |_| {
        put_edges(graph.address(), from, to, Some(data), count)
    }

    ready fn cuGraphNodeGetDependencies(number: CUgraphNode, out: *mut CUgraphNode, count: *mut usize) |_| {
        put_list(out, count, &dependencies(number.address())?)
    }

    ready fn cuGraphNodeGetDependencies_v2(
        number: CUgraphNode, out: *mut CUgraphNode, data: *mut CUgraphEdgeData, count: *mut usize,
    ) |_| {
        put_neighbours(&dependencies(number.address())?, out, data, count)
    }

    ready fn cuGraphNodeGetDependentNodes(number: CUgraphNode, out: *mut CUgraphNode, count: *mut usize) |_| {
        put_list(out, count, &dependents(number.address())?)
    }

    ready fn cuGraphNodeGetDependentNodes_v2(
        number: CUgraphNode, out: *mut CUgraphNode, data: *mut CUgraphEdgeData, count: *mut usize,
    ) |_| {
        put_neighbours(&dependents(number.address())?, out, data, count)
    }

    ready fn cuGraphMemcpyNodeGetParams(number: CUgraphNode, params: *mut CUDA_MEMCPY3D) |_| {
        match action_of(number.address())? {
            Action::Copy(spec) => params.put(node::copy_params(&spec)),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuGraphMemsetNodeGetParams(number: CUgraphNode, params: *mut CUDA_MEMSET_NODE_PARAMS) |_| {
        match action_of(number.address())? {
            Action::Fill(spec) => params.put(node::fill_params(&spec)),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuGraphHostNodeGetParams(number: CUgraphNode, params: *mut CUDA_HOST_NODE_PARAMS) |_| {
        match action_of(number.address())? {
            Action::Host { function, data } => params.put(node::host_params(function, data)),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    // The inner graph can be looked at; changes of it change nothing.
    ready fn cuGraphChildGraphNodeGetGraph(number: CUgraphNode, out: *mut CUgraph) |_| {
        out.wanted()?;
        match action_of(number.address())? {
            Action::Child(graph) => {
                let copy = graph.duplicate();
                out.put(handle(machine()?.graphs.add(|_| copy).0))
            }
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuGraphEventRecordNodeGetEvent(number: CUgraphNode, out: *mut CUevent) |_| {
        match action_of(number.address())? {
            Action::Record(event, _) => out.put(handle(event)),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuGraphEventWaitNodeGetEvent(number: CUgraphNode, out: *mut CUevent) |_| {
        match action_of(number.address())? {
            Action::Wait(event, _) => out.put(handle(event)),
            _ => Err(Code::INVALID_VALUE),
        }
    }
}
