//! The way of a checked copy or memset into a stream.
//!
//! Synchronous work runs on the caller's thread, in its stream's turn. So does everything that touches pageable memory,
//! whose faults are the caller's; what a stream may still be waiting for is read into a staging buffer first. All else
//! is left to the stream's worker.

use std::sync::Arc;

use super::gate::Call;
use super::guard;
use crate::model::code::{Code, Outcome};
use crate::model::graph::Action;
use crate::model::machine::machine;
use crate::model::spec::{CopySpec, FillSpec};
use crate::model::stream::Stream;
use crate::model::transfer::{Thread, Transfer};

/// Pageable sources up to this size are staged, larger ones wait for their turn. Documented for 64 KiB.
const STAGED: usize = 64 << 10;

/// When the caller wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// When the copy is done, on the default stream.
    Synchronous,
    /// At once, on the stream with this handle.
    Asynchronous(usize),
}

/// Carries a copy out.
pub(super) fn copy(call: Call, spec: &CopySpec, when: When) -> Outcome {
    let machine = machine()?;
    let (stream, capture) = enter(call, when)?;
    let Some(transfer) = spec.resolve(machine)? else {
        return Ok(());
    };
    if let Some(capture) = capture {
        return capture.add(&stream, Action::Copy(*spec)).map(drop);
    }
    if when == When::Synchronous || transfer.dst.pageable {
        return in_turn(&stream, &transfer);
    }
    if transfer.src.pageable {
        if transfer.shape.width * transfer.shape.height * transfer.shape.depth > STAGED {
            return in_turn(&stream, &transfer);
        }
        return behind(&stream, transfer.stage()?);
    }
    behind(&stream, transfer)
}

/// The stream, and the capture that the work is to be written to.
fn enter(
    call: Call,
    when: When,
) -> Outcome<(Arc<Stream>, Option<Arc<crate::model::capture::Capture>>)> {
    match when {
        When::Synchronous => {
            let stream = call.default_stream()?;
            guard::synchronous_use(&stream)?;
            Ok((stream, None))
        }
        When::Asynchronous(handle) => {
            let stream = call.stream(handle)?;
            let capture = guard::asynchronous_use(&stream)?;
            Ok((stream, capture))
        }
    }
}

/// On this thread, when its turn has come. No lock is held while bytes move: a fault here is the caller's signal.
fn in_turn(stream: &Arc<Stream>, transfer: &Transfer) -> Outcome {
    let context = stream.context()?;
    let turn = stream.take_turn()?;
    turn.wait();
    context.check()?;
    if transfer.run(Thread::Caller).is_err() {
        // The copy engine faulted; the call that started it has already succeeded.
        context.poison(Code::ILLEGAL_ADDRESS);
    }
    Ok(())
}

/// On the stream's worker.
fn behind(stream: &Arc<Stream>, transfer: Transfer) -> Outcome {
    stream
        .enqueue(move || {
            transfer
                .run(Thread::Worker)
                .map_err(|_fault| Code::ILLEGAL_ADDRESS)
        })
        .map(drop)
}

/// Carries a memset out.
pub(super) fn fill(call: Call, spec: &FillSpec, when: When) -> Outcome {
    let machine = machine()?;
    let (stream, capture) = enter(call, when)?;
    let Some(filling) = spec.resolve(machine)? else {
        return Ok(());
    };
    if let Some(capture) = capture {
        return capture.add(&stream, Action::Fill(*spec)).map(drop);
    }
    if when == When::Synchronous || filling.dst.pageable {
        let context = stream.context()?;
        let turn = stream.take_turn()?;
        turn.wait();
        context.check()?;
        return filling
            .run(Thread::Caller)
            .map_err(|_fault| Code::ILLEGAL_ADDRESS);
    }
    stream
        .enqueue(move || {
            filling
                .run(Thread::Worker)
                .map_err(|_fault| Code::ILLEGAL_ADDRESS)
        })
        .map(drop)
}
