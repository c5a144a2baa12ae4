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

/// Use of the legacy default stream, which would wait for blocking streams that are being captured.
pub(super) fn legacy_use(context: &Context) -> Outcome {
    if !capture::any() {
        return Ok(());
    }
    let captured = context
        .streams()
        .into_iter()
        .filter(|stream| stream.is_blocking())
        .filter_map(|s| capture_of(&s));
    let mut outcome = Ok(());
    for capture in captured {
        capture.break_off();
        outcome = Err(Code::STREAM_CAPTURE_IMPLICIT);
    }
    outcome
}

/// Calls that CUDA calls potentially unsafe: allocation, waiting for everything.
pub(super) fn no_unsafe_call(_context: &Context) -> Outcome {
    if !capture::any() || thread::capture_mode() == Mode::Relaxed {
        return Ok(());
    }
    let mine = thread::capture_mode();
    let captures = machine()?
        .streams
        .all()
        .into_iter()
        .filter_map(|stream| capture_of(&stream));
    let mut outcome = Ok(());
    for capture in captured_against(captures, mine) {
        capture.break_off();
        outcome = Err(Code::STREAM_CAPTURE_UNSUPPORTED);
    }
    outcome
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
