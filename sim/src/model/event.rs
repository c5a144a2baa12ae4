//! Events: marks in streams.

use std::sync::{Arc, Mutex};

use super::capture::Mark;
use super::code::{Code, Outcome};
use super::context::Context;
use super::machine::Machine;
use super::stream::Stream;
use super::ticket::{Ticket, lock};

/// Flag: no time is kept.
pub(crate) const DISABLE_TIMING: u32 = 2;
/// Flag: shared with other processes.
pub(crate) const INTERPROCESS: u32 = 4;
/// Blocking wait, no timing, shared with other processes.
pub(crate) const KNOWN_FLAGS: u32 = 7;

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) context: usize,
    /// The context's own number: a handle may get a new context.
    serial: u64,
    flags: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    recorded: Option<Arc<Ticket>>,
    captured: Option<Mark>,
}

impl Event {
    pub(crate) fn new(context: &Context, flags: u32) -> Self {
        Self {
            context: context.handle,
            serial: context.serial,
            flags,
            state: Mutex::default(),
        }
    }

    /// Made to be shared.
    pub(crate) const fn is_for_other_processes(&self) -> bool {
        self.flags & INTERPROCESS != 0
    }

    /// Fails where its context is broken, gone or another by now.
    pub(crate) fn check(&self, machine: &Machine) -> Outcome {
        let context = machine
            .context(self.context)
            .map_err(|_gone| Code::CONTEXT_IS_DESTROYED)?;
        if context.serial == self.serial {
            context.check()
        } else {
            Err(Code::INVALID_CONTEXT)
        }
    }

    /// Marks the work that is in the stream now.
    pub(crate) fn record(&self, stream: &Arc<Stream>) -> Outcome {
        let ticket = stream.enqueue(|| Ok(()))?;
        *lock(&self.state) = State {
            recorded: Some(ticket),
            captured: None,
        };
        Ok(())
    }

    /// Happens now: a graph's node says so.
    pub(crate) fn happen(&self) {
        let ticket = Arc::new(Ticket::default());
        ticket.finish();
        *lock(&self.state) = State {
            recorded: Some(ticket),
            captured: None,
        };
    }

    /// Marks a place in a capture.
    pub(crate) fn record_capture(&self, mark: Mark) {
        lock(&self.state).captured = Some(mark);
    }

    pub(crate) fn mark(&self) -> Option<Mark> {
        lock(&self.state).captured.clone()
    }

    pub(crate) fn ticket(&self) -> Option<Arc<Ticket>> {
        lock(&self.state).recorded.clone()
    }

    /// Fails where the last record was in a capture: asking spoils one that goes on.
    pub(crate) fn usable(&self) -> Outcome {
        match self.mark() {
            None => Ok(()),
            Some(mark) if mark.capture.is_over() => Err(Code::INVALID_VALUE),
            Some(mark) => {
                mark.capture.break_off();
                Err(Code::CAPTURED_EVENT)
            }
        }
    }

    /// Whether it has happened; one that was never recorded has.
    pub(crate) fn query(&self) -> Outcome {
        self.usable()?;
        if self.ticket().is_none_or(|ticket| ticket.is_done()) {
            Ok(())
        } else {
            Err(Code::NOT_READY)
        }
    }

    pub(crate) fn wait(&self) -> Outcome {
        self.usable()?;
        if let Some(ticket) = self.ticket() {
            ticket.wait();
        }
        Ok(())
    }

    /// Milliseconds from `self` to `end`.
    pub(crate) fn until(&self, end: &Self) -> Outcome<f32> {
        if (self.flags | end.flags) & DISABLE_TIMING != 0 {
            return Err(Code::INVALID_HANDLE);
        }
        if self.mark().is_some() || end.mark().is_some() {
            return Err(Code::INVALID_VALUE);
        }
        let first = self.ticket().ok_or(Code::INVALID_HANDLE)?;
        let last = end.ticket().ok_or(Code::INVALID_HANDLE)?;
        let (first, last) = (
            first.when().ok_or(Code::NOT_READY)?,
            last.when().ok_or(Code::NOT_READY)?,
        );
        let forward = last.saturating_duration_since(first).as_secs_f32();
        let backward = first.saturating_duration_since(last).as_secs_f32();
        Ok((forward - backward) * 1000.0)
    }
}
