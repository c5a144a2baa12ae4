//! The way of a checked copy or memset into a stream.
//!
//! Synchronous work runs on the caller's thread, in its stream's turn, except between places on devices, which nobody
//! waits for. Everything that touches pageable memory runs there too, because its faults are the caller's; a small
//! source is read at once and goes on from a staging buffer. All else is left to the stream's worker.

use std::sync::Arc;

use super::gate::Call;
use super::guard;
use crate::model::bytes;
use crate::model::code::{Code, Outcome};
use crate::model::graph::Action;
use crate::model::machine::machine;
use crate::model::spec::{CopySpec, FillSpec, Sort};
use crate::model::stream::Stream;
use crate::model::transfer::{Thread, Transfer};

/// Pageable sources up to this size are staged: measured to return at once up to here, and to wait at 64 MiB.
const STAGED: usize = 1 << 20;

/// When the caller wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// When the copy is done, on the default stream.
    Synchronous,
    /// At once, on the stream with this handle.
    Asynchronous(usize),
}

/// What captures have to say, for calls that look at their arguments only afterwards.
pub(super) fn admit(call: Call, when: When) -> Outcome {
    enter(call, when).map(drop)
}

/// Carries a copy out. Measured: where no context is current the driver dies of having no access to memory.
pub(super) fn copy(call: Call, spec: &CopySpec, when: When) -> Outcome {
    let done = copy_between(call, spec, when);
    if done == Err(Code::INVALID_VALUE)
        && matches!(call.context(), Err(Code::INVALID_CONTEXT))
        && spec.lacks_access(machine()?)
    {
        bytes::touch(NOWHERE);
    }
    done
}

/// The address, near null, that the driver reads then.
const NOWHERE: usize = 0x70;

/// Carries a copy out between places that each have a context named for them.
pub(super) fn copy_between(call: Call, spec: &CopySpec, when: When) -> Outcome {
    let machine = machine()?;
    let (stream, capture) = enter(call, when)?;
    let Some(transfer) = spec.resolve(machine)? else {
        return Ok(());
    };
    if let Some(capture) = capture {
        let mut spec = *spec;
        // The node says what was found, not that anything would do.
        for (corner, side) in [
            (&mut spec.dst, &transfer.dst),
            (&mut spec.src, &transfer.src),
        ] {
            if corner.sort == Sort::Unified && side.host {
                corner.sort = Sort::Host;
            }
        }
        return capture.add(&stream, Action::Copy(spec)).map(drop);
    }
    // A copy that wraps is made by this thread where it touches the host, and kills it.
    let deadly = transfer.is_endless() && (transfer.dst.host || transfer.src.host);
    let between_devices = transfer.dst.remote && transfer.src.remote;
    let on_host = transfer.dst.host && transfer.src.host;
    if when == When::Synchronous && !between_devices || transfer.dst.pageable || on_host || deadly {
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
        context.poison(transfer.failure());
    }
    Ok(())
}

/// On the stream's worker.
fn behind(stream: &Arc<Stream>, transfer: Transfer) -> Outcome {
    stream
        .enqueue(move || {
            let failure = transfer.failure();
            transfer.run(Thread::Worker).map_err(|_fault| failure)
        })
        .map(drop)
}

/// Carries a memset out. On memory of a device nobody waits for it (measured), on other memory the caller does (documented).
pub(super) fn fill(call: Call, spec: &FillSpec, when: When) -> Outcome {
    let machine = machine()?;
    let (stream, capture) = enter(call, when)?;
    if let Some(capture) = capture {
        // Only the arguments are looked at now; what they name is looked at when the graph runs.
        if spec.arguments()?.is_none() {
            return Ok(());
        }
        return capture.add(&stream, Action::Fill(*spec)).map(drop);
    }
    let Some(filling) = spec.resolve(machine)? else {
        return Ok(());
    };
    if when == When::Synchronous && !filling.dst.remote || filling.dst.pageable {
        let context = stream.context()?;
        let turn = stream.take_turn()?;
        turn.wait();
        context.check()?;
        if filling.run(Thread::Caller).is_err() {
            context.poison(Code::ILLEGAL_ADDRESS);
        }
        return context.check();
    }
    stream
        .enqueue(move || {
            filling
                .run(Thread::Worker)
                .map_err(|_fault| Code::ILLEGAL_ADDRESS)
        })
        .map(drop)
}
