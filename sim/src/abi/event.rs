//! Events.

use core::ffi::c_uint;

use std::sync::Arc;

use cuda_sys::driver::*;

use super::c::{Out, handle};
use super::forked;
use super::gate::{Call, export};
use super::guard;
use crate::model::code::{Code, Outcome};
use crate::model::event::{DISABLE_TIMING, Event, INTERPROCESS, KNOWN_FLAGS};
use crate::model::graph::Action;
use crate::model::machine::machine;

/// Recorded in a capture, but as a node of the graph.
const EXTERNAL: c_uint = 1;

fn record(call: Call, event: usize, stream: usize, flags: c_uint) -> Outcome {
    if flags & !EXTERNAL != 0 {
        return Err(Code::INVALID_VALUE);
    }
    if let Some(held) = forked::stream(stream) {
        held?;
        return forked::event(event).unwrap_or(Ok(None)).map(drop);
    }
    let stream = call.stream_of_live_context(stream)?;
    let number = event;
    let event = machine()?.events.follow(event)?;
    if event.context != stream.context_handle() {
        return Err(Code::INVALID_HANDLE);
    }
    match guard::asynchronous_use(&stream)? {
        Some(capture) if flags & EXTERNAL != 0 => capture
            .add(&stream, Action::Record(number, event))
            .map(drop),
        Some(capture) => {
            event.record_capture(capture.mark(&stream));
            Ok(())
        }
        None => event.record(&stream),
    }
}

/// An event of a context that is alive and well.
fn find(event: usize) -> Outcome<Arc<Event>> {
    let found = machine()?.events.follow(event)?;
    found.check(machine()?)?;
    Ok(found)
}

fn destroy(event: usize) -> Outcome {
    if let Some(held) = forked::event(event) {
        return held.map(drop);
    }
    find(event)?;
    machine()?
        .events
        .remove(event)
        .map(drop)
        .ok_or(Code::INVALID_HANDLE)
}

fn elapsed(milliseconds: Out<f32>, start: usize, end: usize) -> Outcome {
    milliseconds.wanted()?;
    if let (Some(start), Some(end)) = (forked::event(start), forked::event(end)) {
        let both = [start?, end?];
        let mut known = both.iter().flatten();
        return if known.all(|event| event.seems_recorded()) {
            milliseconds.put(0.0)
        } else {
            Err(Code::INVALID_HANDLE)
        };
    }
    milliseconds.put(find(start)?.until(&*find(end)?)?)
}

export! {
    ready fn cuEventCreate(out: *mut CUevent, flags: c_uint) |call| {
        let context = call.context()?;
        out.wanted()?;
        // An event for other processes keeps no time.
        if flags & !KNOWN_FLAGS != 0 || flags & (INTERPROCESS | DISABLE_TIMING) == INTERPROCESS {
            return Err(Code::INVALID_VALUE);
        }
        let event = Event::new(&context, flags)?;
        out.put(handle(machine()?.events.add(|_| event).0))
    }

    held fn cuEventDestroy_v2(event: CUevent) |_| {
        destroy(event.address())
    }

    held fn cuEventDestroy(event: CUevent) |_| {
        destroy(event.address())
    }

    held fn cuEventRecord / cuEventRecord_ptsz(event: CUevent, stream: CUstream) |call| {
        record(call, event.address(), stream.address(), 0)
    }

    held fn cuEventRecordWithFlags / cuEventRecordWithFlags_ptsz(
        event: CUevent, stream: CUstream, flags: c_uint,
    ) |call| {
        record(call, event.address(), stream.address(), flags)
    }

    held fn cuEventQuery(event: CUevent) |_| {
        if let Some(held) = forked::event(event.address()) {
            return held.map(drop);
        }
        let event = find(event.address())?;
        event.usable()?;
        guard::no_unsafe_call()?;
        event.query()
    }

    held fn cuEventSynchronize(event: CUevent) |_| {
        if let Some(held) = forked::event(event.address()) {
            return held.map(drop);
        }
        let event = find(event.address())?;
        event.usable()?;
        guard::no_unsafe_call()?;
        event.wait()?;
        event.check(machine()?)
    }

    held fn cuEventElapsedTime(milliseconds: *mut f32, start: CUevent, end: CUevent) |_| {
        elapsed(milliseconds, start.address(), end.address())
    }

    held fn cuEventElapsedTime_v2(milliseconds: *mut f32, start: CUevent, end: CUevent) |_| {
        elapsed(milliseconds, start.address(), end.address())
    }
}
