//! Stream capture.

use core::ffi::c_uint;

use cuda_sys::driver::*;

use super::c::{In, Out, handle};
use super::forked;
use super::gate::{Call, export};
use super::guard;
use crate::model::capture::{Capture, Mode};
use crate::model::code::{Code, Outcome};
use crate::model::graph::Graph;
use crate::model::machine::machine;
use crate::model::stream::Kind;
use crate::model::ticket::lock;

type Status = CUstreamCaptureStatus_enum;

fn begin(
    call: Call,
    stream: usize,
    mode: CUstreamCaptureMode,
    into: Option<(usize, Vec<usize>)>,
) -> Outcome {
    if let Some(held) = forked::stream(stream) {
        return held.map(drop);
    }
    let stream = call.stream(stream)?;
    let mode = Mode::from_number(mode.0)?;
    if stream.kind == Kind::Legacy {
        return Err(Code::STREAM_CAPTURE_UNSUPPORTED);
    }
    let machine = machine()?;
    match into {
        Some((graph, after)) => {
            let found = machine.graphs.get(graph).ok_or(Code::INVALID_VALUE)?;
            Capture::begin(&stream, mode, found, graph, after)
        }
        None => {
            let (number, graph) = machine.graphs.add(|_| Graph::default());
            Capture::begin(&stream, mode, graph, number, Vec::new())
        }
    }
}

fn end(call: Call, stream: usize, out: Out<CUgraph>) -> Outcome {
    if let Some(held) = forked::stream(stream) {
        held?;
        out.put_if_wanted(core::ptr::null_mut());
        return Err(Code::ILLEGAL_STATE);
    }
    let stream = call.stream(stream)?;
    match Capture::end(&stream) {
        Ok(capture) => {
            out.put_if_wanted(handle(capture.graph_handle));
            Ok(())
        }
        Err(code) => {
            out.put_if_wanted(core::ptr::null_mut());
            Err(code)
        }
    }
}

/// What the newer forms of `cuStreamGetCaptureInfo` write besides status and number.
struct Details {
    graph: Out<CUgraph>,
    nodes: Out<*const CUgraphNode>,
    edges: Option<Out<*const CUgraphEdgeData>>,
    count: Out<usize>,
}

fn info(
    call: Call,
    stream: usize,
    status: Out<Status>,
    id: Out<u64>,
    details: Option<&Details>,
) -> Outcome {
    if let Some(held) = forked::stream(stream) {
        held?;
        return status.put(Status::CU_STREAM_CAPTURE_STATUS_NONE);
    }
    let stream = call.stream(stream)?;
    if stream.kind == Kind::Legacy {
        guard::legacy_question(&*stream.context()?)?;
    }
    let Some(capture) = guard::capture_of(&stream) else {
        return status.put(Status::CU_STREAM_CAPTURE_STATUS_NONE);
    };
    if capture.is_broken() {
        return status.put(Status::CU_STREAM_CAPTURE_STATUS_INVALIDATED);
    }
    status.put(Status::CU_STREAM_CAPTURE_STATUS_ACTIVE)?;
    id.put_if_wanted(capture.serial);
    if let Some(details) = details {
        details.graph.put_if_wanted(handle(capture.graph_handle));
        let nodes = capture.ends_of(&stream);
        details.count.put_if_wanted(nodes.len());
        if let Some(edges) = details.edges {
            edges.put_if_wanted(core::ptr::null());
        }
        if !details.nodes.is_null() {
            details.nodes.put(keep(nodes))?;
        }
    }
    Ok(())
}

thread_local! {
    /// The list that the last query on this thread handed out; it stays valid until the next one.
    static HANDED_OUT: std::cell::RefCell<Vec<usize>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn keep(nodes: Vec<usize>) -> *const CUgraphNode {
    HANDED_OUT.with_borrow_mut(|place| {
        *place = nodes;
        place.as_ptr().cast()
    })
}

/// Handles as numbers.
pub(super) fn numbers<T>(handles: In<*mut T>, count: usize) -> Outcome<Vec<usize>> {
    Ok(handles
        .list(count)?
        .into_iter()
        .map(|handle| handle.expose_provenance())
        .collect())
}

fn update(
    call: Call,
    stream: usize,
    nodes: In<CUgraphNode>,
    count: usize,
    flags: c_uint,
) -> Outcome {
    const SET: c_uint = 1;
    let stream = call.stream(stream)?;
    let capture = guard::capture_of(&stream).ok_or(Code::ILLEGAL_STATE)?;
    if flags > SET {
        return Err(Code::INVALID_VALUE);
    }
    let nodes = numbers(nodes, count)?;
    if !nodes
        .iter()
        .all(|node| lock(&capture.graph.nodes).contains_key(node))
    {
        return Err(Code::INVALID_VALUE);
    }
    capture.set_ends(&stream, &nodes, flags != SET);
    Ok(())
}

export! {
    held fn cuStreamBeginCapture / cuStreamBeginCapture_ptsz(stream: CUstream) |call| {
        begin(call, stream.address(), CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_GLOBAL, None)
    }

    held fn cuStreamBeginCapture_v2 / cuStreamBeginCapture_v2_ptsz(stream: CUstream, mode: CUstreamCaptureMode) |call| {
        begin(call, stream.address(), mode, None)
    }

    ready fn cuStreamBeginCaptureToGraph / cuStreamBeginCaptureToGraph_ptsz(
        stream: CUstream, graph: CUgraph, after: *const CUgraphNode, edges: *const CUgraphEdgeData, count: usize,
        mode: CUstreamCaptureMode,
    ) |call| {
        let _plain_edges = edges;
        begin(call, stream.address(), mode, Some((graph.address(), numbers(after, count)?)))
    }

    held fn cuStreamEndCapture / cuStreamEndCapture_ptsz(stream: CUstream, out: *mut CUgraph) |call| {
        end(call, stream.address(), out)
    }

    held fn cuStreamIsCapturing / cuStreamIsCapturing_ptsz(
        stream: CUstream, status: *mut CUstreamCaptureStatus,
    ) |call| {
        let status = status.wanted()?;
        let nowhere = core::ptr::null_mut::<u64>();
        // SAFETY: null is always a promise kept.
        let nowhere = unsafe { super::c::FromC::from_c(nowhere) };
        info(call, stream.address(), status, nowhere, None)
    }

    held fn cuStreamGetCaptureInfo / cuStreamGetCaptureInfo_ptsz(
        stream: CUstream, status: *mut CUstreamCaptureStatus, id: *mut cuuint64_t,
    ) |call| {
        info(call, stream.address(), status, id, None)
    }

    held fn cuStreamGetCaptureInfo_v2 / cuStreamGetCaptureInfo_v2_ptsz(
        stream: CUstream, status: *mut CUstreamCaptureStatus, id: *mut cuuint64_t, graph: *mut CUgraph,
        nodes: *mut *const CUgraphNode, count: *mut usize,
    ) |call| {
        info(call, stream.address(), status, id, Some(&Details { graph, nodes, edges: None, count }))
    }

    held fn cuStreamGetCaptureInfo_v3 / cuStreamGetCaptureInfo_v3_ptsz(
        stream: CUstream, status: *mut CUstreamCaptureStatus, id: *mut cuuint64_t, graph: *mut CUgraph,
        nodes: *mut *const CUgraphNode, edges: *mut *const CUgraphEdgeData, count: *mut usize,
    ) |call| {
        info(call, stream.address(), status, id, Some(&Details { graph, nodes, edges: Some(edges), count }))
    }

    ready fn cuStreamUpdateCaptureDependencies / cuStreamUpdateCaptureDependencies_ptsz(
        stream: CUstream, nodes: *mut CUgraphNode, count: usize, flags: c_uint,
    ) |call| {
        update(call, stream.address(), nodes.input(), count, flags)
    }

    ready fn cuStreamUpdateCaptureDependencies_v2 / cuStreamUpdateCaptureDependencies_v2_ptsz(
        stream: CUstream, nodes: *mut CUgraphNode, edges: *const CUgraphEdgeData, count: usize, flags: c_uint,
    ) |call| {
        let _plain_edges = edges;
        update(call, stream.address(), nodes.input(), count, flags)
    }
}
