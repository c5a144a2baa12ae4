//! What captures forbid.

use std::sync::Arc;

use crate::model::capture::{self, Capture, Mode};
use crate::model::code::{Code, Outcome};
use crate::model::context::Context;
use crate::model::machine::machine;
use crate::model::stream::{Kind, Stream};
use crate::model::thread;
use crate::model::ticket::lock;

/// The capture that a stream takes part in.
pub(super) fn capture_of(stream: &Stream) -> Option<Arc<Capture>> {
    if !capture::any() {
        return None;
    }
    lock(&stream.capture).clone()
}

/// The captures of a context's streams that take part in the legacy stream's rule.
fn captures_of_blocking(context: &Context) -> Vec<Arc<Capture>> {
    if !capture::any() {
        return Vec::new();
    }
    let blocking = context
        .streams()
        .into_iter()
        .filter(|stream| stream.is_blocking());
    blocking.filter_map(|stream| capture_of(&stream)).collect()
}

/// Use of the legacy default stream, which would wait for blocking streams that are being captured.
pub(super) fn legacy_use(context: &Context) -> Outcome {
    spoil(captures_of_blocking(context), Code::STREAM_CAPTURE_IMPLICIT)
}

/// A question about the legacy stream while it cannot be used; captures do not mind.
pub(super) fn legacy_question(context: &Context) -> Outcome {
    if captures_of_blocking(context).is_empty() {
        Ok(())
    } else {
        Err(Code::STREAM_CAPTURE_IMPLICIT)
    }
}

/// Invalidates captures, and fails where there was one.
fn spoil(captures: impl IntoIterator<Item = Arc<Capture>>, code: Code) -> Outcome {
    let mut outcome = Ok(());
    for capture in captures {
        capture.break_off();
        outcome = Err(code);
    }
    outcome
}

/// Calls that CUDA calls potentially unsafe: allocation, waiting, asking whether something has happened.
pub(super) fn no_unsafe_call() -> Outcome {
    let mine = thread::capture_mode();
    if !capture::any() || mine == Mode::Relaxed {
        return Ok(());
    }
    let contexts = machine()?.contexts.all();
    let captures = contexts
        .iter()
        .flat_map(|context| context.streams())
        .filter_map(|stream| capture_of(&stream));
    spoil(
        captured_against(captures, mine),
        Code::STREAM_CAPTURE_UNSUPPORTED,
    )
}

/// Waiting for everything in a context, which no kind of capture bears.
pub(super) fn no_waiting(context: &Context) -> Outcome {
    if !capture::any() {
        return Ok(());
    }
    let captures = context
        .streams()
        .into_iter()
        .filter_map(|stream| capture_of(&stream));
    spoil(captures, Code::STREAM_CAPTURE_UNSUPPORTED)
}

/// Waiting for one stream.
pub(super) fn waiting_use(stream: &Stream) -> Outcome {
    synchronous_use(stream)?;
    no_unsafe_call()
}

/// The captures that forbid something to this thread.
fn captured_against(
    captures: impl Iterator<Item = Arc<Capture>>,
    mine: Mode,
) -> impl Iterator<Item = Arc<Capture>> {
    captures.filter(move |capture| match capture.mode {
        Mode::Relaxed => false,
        Mode::ThreadLocal => capture.is_here(),
        Mode::Global => capture.is_here() || mine == Mode::Global,
    })
}

/// A synchronous call on its default stream.
pub(super) fn synchronous_use(stream: &Stream) -> Outcome {
    if let Some(capture) = capture_of(stream) {
        capture.break_off();
        return Err(Code::STREAM_CAPTURE_UNSUPPORTED);
    }
    if stream.kind == Kind::Legacy {
        legacy_use(&*stream.context()?)
    } else {
        Ok(())
    }
}

/// Work that cannot be captured.
pub(super) fn no_capture(stream: &Stream) -> Outcome {
    spoil(capture_of(stream), Code::STREAM_CAPTURE_UNSUPPORTED)
}

/// Work for a stream: the capture that it is to be written to, or nothing when it is to be done.
pub(super) fn asynchronous_use(stream: &Stream) -> Outcome<Option<Arc<Capture>>> {
    if let Some(capture) = capture_of(stream) {
        if capture.is_broken() {
            return Err(Code::STREAM_CAPTURE_INVALIDATED);
        }
        return Ok(Some(capture));
    }
    if stream.kind == Kind::Legacy {
        legacy_use(&*stream.context()?)?;
    }
    Ok(None)
}
