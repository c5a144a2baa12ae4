//! Graphs made ready, launched and changed.

use core::ffi::{c_char, c_uint, c_ulonglong};
use core::mem::discriminant;

use cuda_sys::driver::*;

use super::c::{Out, handle};
use super::forked;
use super::gate::{Call, export};
use super::graph::find;
use super::guard;
use super::node;
use crate::model::code::{Code, Outcome};
use crate::model::graph::{Action, Executable};
use crate::model::machine::machine;
use crate::model::ticket::lock;
use std::sync::Arc;

fn instantiate(out: Out<CUgraphExec>, graph: usize) -> Outcome {
    out.wanted()?;
    guard::no_unsafe_call()?;
    let ready = Executable::new(&*find(graph)?)?;
    out.put(handle(machine()?.executables.add(|_| ready).0))
}

fn executable(number: usize) -> Outcome<Arc<Executable>> {
    machine()?
        .executables
        .get(number)
        .ok_or(Code::INVALID_VALUE)
}

fn launch(call: Call, number: usize, stream: usize) -> Outcome {
    let ready = executable(number)?;
    let stream = call.stream(stream)?;
    if let Some(capture) = guard::asynchronous_use(&stream)? {
        // A launch in a capture becomes a child of the graph.
        let steps = lock(&ready.steps).iter().cloned().collect();
        let inner = crate::model::graph::Graph {
            nodes: std::sync::Mutex::new(steps),
        };
        return capture
            .add(&stream, Action::Child(Arc::new(inner)))
            .map(drop);
    }
    let machine = machine()?;
    stream.enqueue(move || ready.run(machine)).map(drop)
}

/// Replaces what one node of a graph made ready does.
fn replace(number: usize, node: usize, action: Action) -> Outcome {
    let ready = executable(number)?;
    let mut steps = lock(&ready.steps);
    let step = steps
        .iter_mut()
        .find(|(handle, _)| *handle == node)
        .ok_or(Code::INVALID_VALUE)?;
    if discriminant(&step.1.action) != discriminant(&action) {
        return Err(Code::INVALID_VALUE);
    }
    step.1.action = action;
    Ok(())
}

/// Takes over what another graph of the same shape does. Documented, not measured.
fn update(number: usize, graph: usize) -> Outcome<CUgraphExecUpdateResult_enum> {
    const UPDATE_FAILURE: Code = Code(910);
    type Answer = CUgraphExecUpdateResult_enum;
    let fresh = find(graph)?.sorted()?;
    let ready = executable(number)?;
    let mut steps = lock(&ready.steps);
    let same_shape = steps.len() == fresh.len()
        && steps
            .iter()
            .zip(&fresh)
            .all(|((_, old), (_, new))| old.after.len() == new.after.len());
    if !same_shape {
        return Err(UPDATE_FAILURE);
    }
    let same_kinds = steps
        .iter()
        .zip(&fresh)
        .all(|((_, old), (_, new))| discriminant(&old.action) == discriminant(&new.action));
    if !same_kinds {
        return Err(UPDATE_FAILURE);
    }
    for (step, (_, node)) in steps.iter_mut().zip(fresh) {
        step.1.action = node.action;
    }
    Ok(Answer::CU_GRAPH_EXEC_UPDATE_SUCCESS)
}

export! {
    ready fn cuGraphInstantiateWithFlags(out: *mut CUgraphExec, graph: CUgraph, flags: c_ulonglong) |_| {
        let _where_memory_is_freed = flags;
        instantiate(out, graph.address())
    }

    ready fn cuGraphInstantiate_v2(
        out: *mut CUgraphExec, graph: CUgraph, node: *mut CUgraphNode, log: *mut c_char, room: usize,
    ) |_| {
        node.put_if_wanted(core::ptr::null_mut());
        if room > 0 {
            log.put_if_wanted(0);
        }
        instantiate(out, graph.address())
    }

    ready fn cuGraphInstantiate(
        out: *mut CUgraphExec, graph: CUgraph, node: *mut CUgraphNode, log: *mut c_char, room: usize,
    ) |_| {
        node.put_if_wanted(core::ptr::null_mut());
        if room > 0 {
            log.put_if_wanted(0);
        }
        instantiate(out, graph.address())
    }

    ready fn cuGraphInstantiateWithParams / cuGraphInstantiateWithParams_ptsz(
        out: *mut CUgraphExec, graph: CUgraph, params: *mut CUDA_GRAPH_INSTANTIATE_PARAMS,
    ) |_| {
        let mut wanted = params.input().get()?;
        let outcome = instantiate(out, graph.address());
        wanted.hErrNode_out = core::ptr::null_mut();
        wanted.result_out = match outcome {
            Ok(()) => CUgraphInstantiateResult_enum::CUDA_GRAPH_INSTANTIATE_SUCCESS,
            Err(_) => CUgraphInstantiateResult_enum::CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE,
        };
        params.put(wanted)?;
        outcome
    }

    ready fn cuGraphExecDestroy(exec: CUgraphExec) |_| {
        machine()?.executables.remove(exec.address()).map(drop).ok_or(Code::INVALID_VALUE)
    }

    ready fn cuGraphUpload / cuGraphUpload_ptsz(exec: CUgraphExec, stream: CUstream) |call| {
        executable(exec.address())?;
        call.stream(stream.address()).map(drop)
    }

    held fn cuGraphLaunch / cuGraphLaunch_ptsz(exec: CUgraphExec, stream: CUstream) |call| {
        if let Some(held) = forked::stream(stream.address()) {
            return held.map(drop);
        }
        launch(call, exec.address(), stream.address())
    }

    ready fn cuGraphExecMemcpyNodeSetParams(
        exec: CUgraphExec, number: CUgraphNode, params: *const CUDA_MEMCPY3D, ctx: CUcontext,
    ) |_| {
        replace(exec.address(), number.address(), node::copy(&params.get()?, ctx.address())?)
    }

    ready fn cuGraphExecMemsetNodeSetParams(
        exec: CUgraphExec, number: CUgraphNode, params: *const CUDA_MEMSET_NODE_PARAMS, ctx: CUcontext,
    ) |_| {
        let action = node::fill(&node::with_context(&params.get()?), ctx.address())?;
        replace(exec.address(), number.address(), action)
    }

    ready fn cuGraphExecHostNodeSetParams(
        exec: CUgraphExec, number: CUgraphNode, params: *const CUDA_HOST_NODE_PARAMS,
    ) |_| {
        let params = params.get()?;
        replace(exec.address(), number.address(), node::host(params.fn_, params.userData.expose_provenance())?)
    }

    ready fn cuGraphExecNodeSetParams(exec: CUgraphExec, number: CUgraphNode, params: *mut CUgraphNodeParams) |call| {
        let action = node::any(&params.input().get()?)?.ok_or_else(|| call.unsupported())?;
        replace(exec.address(), number.address(), action)
    }

    ready fn cuGraphExecUpdate_v2(
        exec: CUgraphExec, graph: CUgraph, result: *mut CUgraphExecUpdateResultInfo,
    ) |_| {
        type Answer = CUgraphExecUpdateResult_enum;
        let answer = update(exec.address(), graph.address());
        result.put(CUgraphExecUpdateResultInfo {
            result: answer.unwrap_or(Answer::CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED),
            errorNode: core::ptr::null_mut(),
            errorFromNode: core::ptr::null_mut(),
        })?;
        answer.map(|_same| ())
    }

    ready fn cuGraphExecUpdate(
        exec: CUgraphExec, graph: CUgraph, node: *mut CUgraphNode, result: *mut CUgraphExecUpdateResult,
    ) |_| {
        type Answer = CUgraphExecUpdateResult_enum;
        let answer = update(exec.address(), graph.address());
        node.put_if_wanted(core::ptr::null_mut());
        result.put_if_wanted(answer.unwrap_or(Answer::CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED));
        answer.map(|_same| ())
    }

    ready fn cuGraphDebugDotPrint(graph: CUgraph, path: *const c_char, flags: c_uint) |_| {
        let _one_style = flags;
        let graph = find(graph.address())?;
        let mut text = String::from("digraph dot {\n");
        for (number, step) in graph.sorted()? {
            text.push_str(&format!("\"{number:x}\" [label=\"{:?}\"];\n", node::kind(&step.action)));
            for from in &step.after {
                text.push_str(&format!("\"{from:x}\" -> \"{number:x}\";\n"));
            }
        }
        text.push_str("}\n");
        std::fs::write(path.text()?, text).map_err(|_refused| Code::INVALID_VALUE)
    }
}
