//! `stream.*`: the stream that the work goes into.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::{Action, Order};
use crate::facts::{Capture, Class};
use crate::{Prediction, Stream};

pub(super) static CAPTURING: Rule = Rule {
    id: "stream.capturing",
    severity: Severity::Error,
    statement: "a synchronous or legacy-stream call is made while a blocking stream captures",
    cuda: "906 cudaErrorStreamCaptureImplicit, and the capture is lost",
    evidence: Evidence::Measured,
    source: "CUDA C++ Programming Guide, stream capture: the legacy stream waits for all blocking streams, which a capture cannot record",
    detection: "cuStreamIsCapturing on the legacy stream",
    example: Example {
        wrong: "cudaStreamBeginCapture(stream, mode); cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
        right: "cudaStreamBeginCapture(stream, mode); cudaMemcpyAsync(device, pinned, 4, cudaMemcpyHostToDevice, stream)",
    },
    shadows: &[],
    find: capturing,
};

fn capturing(case: &Case<'_>, out: &mut Vec<Found>) {
    let moves = !matches!(
        case.action(),
        Action::Register(_) | Action::Unregister { .. } | Action::Export(_)
    );
    let legacy = case.call.stream() == Stream::Legacy;
    if case.environment().capture != Capture::BlocksLegacy || !legacy || !moves {
        return;
    }
    out.push(
        Found::new(
            &CAPTURING,
            format!(
                "{} uses the legacy default stream while another stream captures",
                case.call.function
            ),
        )
        .why("the legacy stream waits for every blocking stream, and a stream that captures cannot be waited for; the call is refused and the capture becomes invalid")
        .fix(format!(
            "use the Async form on the capturing stream, or make that stream with {}, or do this work before the capture",
            words::named(case.call, "cudaStreamNonBlocking", "CU_STREAM_NON_BLOCKING")
        )),
    );
}

pub(super) static BATCH: Rule = Rule {
    id: "stream.batch-in-capture",
    severity: Severity::Error,
    statement: "a batch of copies is put into a stream that captures",
    cuda: "900 cudaErrorStreamCaptureUnsupported; the capture stays valid and lacks the copies",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyBatchAsync: not supported during capture",
    detection: "cuStreamIsCapturing",
    example: Example {
        wrong: "cudaStreamBeginCapture(stream, mode); cudaMemcpyBatchAsync(..., stream)",
        right: "cudaStreamBeginCapture(stream, mode); cudaMemcpyAsync(..., stream) for each entry",
    },
    shadows: &[],
    find: batch,
};

fn batch(case: &Case<'_>, out: &mut Vec<Found>) {
    let single = match case.action() {
        Action::Batch(_) => words::named(case.call, "cudaMemcpyAsync", "cuMemcpyAsync"),
        Action::Batch3D(_) => words::named(case.call, "cudaMemcpy3DAsync", "cuMemcpy3DAsync"),
        _ => return,
    };
    if case.call.is_empty() || case.environment().capture != Capture::ThisStream {
        return;
    }
    out.push(
        Found::new(&BATCH, "a batch of copies cannot be captured")
            .why("the call is refused, the capture goes on without it, and the graph lacks these copies")
            .fix(format!(
                "one {single} per entry during capture, or the batch outside of it"
            )),
    );
}

pub(super) static DESTROYED: Rule = Rule {
    id: "stream.destroyed",
    severity: Severity::Error,
    statement: "the stream was destroyed, or its handle never was one",
    cuda: "the process dies with SIGSEGV inside of CUDA; where the memory behind the handle has been used again, it may be a code instead: 400 and 709 were seen",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaStreamDestroy: the handle is invalid afterwards; CUDA follows it without a check",
    detection: "the registry",
    example: Example {
        wrong: "cudaStreamDestroy(stream); cudaMemcpyAsync(device, host, 4, cudaMemcpyHostToDevice, stream)",
        right: "cudaMemcpyAsync(device, host, 4, cudaMemcpyHostToDevice, stream); cudaStreamDestroy(stream)",
    },
    shadows: &[],
    find: destroyed,
};

fn destroyed(case: &Case<'_>, out: &mut Vec<Found>) {
    if case.environment().stream_dead != Some(true) || case.call.is_empty() {
        return;
    }
    let Stream::Handle(handle) = case.call.stream() else {
        return;
    };
    out.push(
        Found::new(&DESTROYED, format!("the stream {handle:#x} was destroyed"))
            .why("a stream's handle is a pointer that CUDA follows; it returns no error for a dead one, the process dies")
            .fix("destroy the stream after its last use, or pass another one"),
    );
}

pub(super) static PAGEABLE: Rule = Rule {
    id: "stream.pageable-is-synchronous",
    severity: Severity::Note,
    statement: "an asynchronous copy has a pageable operand",
    cuda: "success; the call returns late, and the copy overlaps with nothing",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, API synchronization behavior: copies from or to pageable memory are staged, and may be synchronous",
    detection: "both operands classified",
    example: Example {
        wrong: "cudaMemcpyAsync(device, malloc_memory, size, cudaMemcpyHostToDevice, stream)",
        right: "cudaMemcpyAsync(device, cudaMallocHost_memory, size, cudaMemcpyHostToDevice, stream)",
    },
    shadows: &[],
    find: pageable,
};

fn pageable(case: &Case<'_>, out: &mut Vec<Found>) {
    if !matches!(case.call.order, Order::Async(_)) || case.prediction != Prediction::Success {
        return;
    }
    for facts in case.moved() {
        let other_is_device = case
            .other(facts.operand.role)
            .is_some_and(|other| other.class().is_device_only());
        if facts.class() != Class::Pageable || !other_is_device {
            continue;
        }
        let role = facts.operand.role;
        out.push(
            Found::new(
                &PAGEABLE,
                format!("{} is asynchronous by name alone: the {role} is pageable", case.call.function),
            )
            .about(role)
            .why("a device cannot read or write pageable memory, so the copy goes through a staging buffer and the caller waits")
            .fix(format!(
                "page-lock the host memory: {}, or {} for what is there already",
                words::named(case.call, "cudaMallocHost", "cuMemAllocHost"),
                words::named(case.call, "cudaHostRegister", "cuMemHostRegister")
            )),
        );
    }
}
