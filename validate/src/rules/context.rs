//! `context.*`: no context, the wrong one, a dead one.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::Action;
use crate::facts::{Class, Current};
use crate::predict::{codes, status_name};
use crate::{Api, OperandFacts, Prediction, Role, Stream};

pub(super) static NONE: Rule = Rule {
    id: "context.none",
    severity: Severity::Error,
    statement: "no context is current in this thread",
    cuda: "201 CUDA_ERROR_INVALID_CONTEXT from the driver, unless the work goes into a created stream; there 1 for batches, and for copies that run from one handle of virtual memory into the next; the runtime makes one",
    evidence: Evidence::Measured,
    source: "CUDA Driver API, Context Management: every thread has a stack of contexts of its own, which is empty at first",
    detection: "cuCtxGetCurrent",
    example: Example {
        wrong: "std::thread([&] { cuMemcpyHtoD(device, host, 4); })",
        right: "std::thread([&] { cuCtxSetCurrent(context); cuMemcpyHtoD(device, host, 4); })",
    },
    shadows: &[],
    find: none,
};

fn none(case: &Case<'_>, out: &mut Vec<Found>) {
    let created = matches!(case.call.stream(), Stream::Handle(_));
    if case.call.api != Api::Driver || case.environment().current != Current::None {
        return;
    }
    if created {
        needed_nevertheless(case, out);
        return;
    }
    out.push(
        Found::new(
            &NONE,
            format!("{} is called with no context current in this thread", case.call.function),
        )
        .why("the driver works in the calling thread's current context; a new thread has none")
        .fix("cuCtxSetCurrent in this thread, with the context of the memory's device (cuDevicePrimaryCtxRetain gives the runtime's)"),
    );
}

/// What needs a current context although the stream has one.
fn needed_nevertheless(case: &Case<'_>, out: &mut Vec<Found>) {
    if case.prediction != Prediction::Status(codes::INVALID_VALUE) {
        return;
    }
    let crosses = |facts: &OperandFacts| {
        facts.class() == Class::Virtual
            && facts.segments.len() > 1
            && super::range::excess(facts).is_none()
    };
    // Measured: peer copies and fills go on into the next handle.
    let alone =
        case.action().named_devices().is_none() && !matches!(case.action(), Action::Fill(_));
    let says = if matches!(case.action(), Action::Batch(_) | Action::Batch3D(_)) {
        "a batch is put into a stream with no context current in this thread".to_owned()
    } else if let Some(facts) = case.moved().find(|facts| alone && crosses(facts)) {
        format!(
            "the {} runs from one handle of virtual memory into the next, with no context current in this thread",
            facts.operand.role
        )
    } else {
        return;
    };
    out.push(
        Found::new(&NONE, says)
            .why("most work in a created stream goes by the stream's own context; this does not")
            .fix("cuCtxSetCurrent in this thread, with the stream's context (cuStreamGetCtx)"),
    );
}

pub(super) static DESTROYED: Rule = Rule {
    id: "context.destroyed",
    severity: Severity::Error,
    statement: "the memory's context was destroyed, or its device reset",
    cuda: "1 cudaErrorInvalidValue where CUDA checks that operand; otherwise the process dies",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaDeviceReset: destroys all allocations of the device in this process",
    detection: "the registry",
    example: Example {
        wrong: "cudaMalloc(&device, 4); cudaDeviceReset(); cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
        right: "cudaDeviceReset(); cudaMalloc(&device, 4); cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[
        "pointer.freed",
        "pointer.unknown",
        "kind.contradicts",
        "range.before-start",
    ],
    find: destroyed,
};

fn destroyed(case: &Case<'_>, out: &mut Vec<Found>) {
    for facts in case.moved() {
        let Some(owner) = facts.head().filter(|owner| owner.class == Class::Freed) else {
            continue;
        };
        let Some(end) = owner.end.as_ref().filter(|end| end.context_gone) else {
            continue;
        };
        let role = facts.operand.role;
        let place = if end.site.is_unknown() {
            String::new()
        } else {
            format!(" at {}", end.site)
        };
        out.push(
            Found::new(
                &DESTROYED,
                format!(
                    "the {role} was {} of a context that {} ended{place}",
                    words::class(end.class),
                    end.call
                ),
            )
            .at(role, 0)
            .why("all memory of a context goes with it")
            .fix(format!(
                "allocate after {}, or call it after the last use",
                end.call
            )),
        );
    }
}

pub(super) static FORKED: Rule = Rule {
    id: "context.forked",
    severity: Severity::Error,
    statement: "a child process uses the CUDA of its parent",
    cuda: "3 cudaErrorInitializationError from every call of either interface",
    evidence: Evidence::Measured,
    source: "CUDA C++ Programming Guide: CUDA's state does not survive fork; a child must exec, or be the first to use CUDA",
    detection: "the process that the registry was made in",
    example: Example {
        wrong: "cudaMalloc(&device, 4); if (fork() == 0) cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
        right: "if (fork() == 0) { cudaMalloc(&device, 4); cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice); }",
    },
    shadows: &["context.none"],
    find: forked,
};

fn forked(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some(parent) = case.environment().forked_from else {
        return;
    };
    out.push(
        Found::new(
            &FORKED,
            format!("this process was forked from process {parent}, which had initialised CUDA"),
        )
        .why("the driver's state is not copied by fork: contexts and memory of the parent do not work in a child")
        .fix("fork before the first CUDA call, or start the child anew (in Python: the start method \"spawn\" or \"forkserver\")"),
    );
}

pub(super) static POISONED: Rule = Rule {
    id: "context.poisoned",
    severity: Severity::Error,
    statement: "an earlier fault has ended the context: every call fails with the same code",
    cuda: "the sticky code of the first failure",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaError: errors such as cudaErrorIllegalAddress leave the process in an inconsistent state and any further CUDA work returns the same error",
    detection: "the class of the status, and the first failure that was kept",
    example: Example {
        wrong: "bad_kernel<<<1, 1>>>(); cudaDeviceSynchronize(); cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
        right: "good_kernel<<<1, 1>>>(); cudaDeviceSynchronize(); cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: poisoned,
};

fn poisoned(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((code, first)) = &case.environment().poison else {
        return;
    };
    let name = status_name(case.call.api, *code).unwrap_or("unknown code");
    let mut found = Found::new(
        &POISONED,
        format!("the context died earlier with {code} {name}; this call is not to blame"),
    )
    .why(format!("{first}; after that every call fails with the same code until the process ends"))
    .fix("find the first failure: run with CUDA_LAUNCH_BLOCKING=1 or compute-sanitizer, and check the result of every synchronisation");
    found.role = None::<Role>;
    out.push(found);
}
