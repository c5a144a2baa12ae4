//! Events: marks in streams.

use std::sync::{Arc, Mutex};

use super::capture::Mark;
use super::code::{Code, Outcome};
use super::stream::Stream;
use super::ticket::{Ticket, lock};

/// Flag: no time is kept.
const DISABLE_TIMING: u32 = 2;
/// Blocking wait, no timing, shared with other processes.
pub(crate) const KNOWN_FLAGS: u32 = 7;

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) context: usize,
    flags: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    recorded: Option<Arc<Ticket>>,
    captured: Option<Mark>,
}

impl Event {
    pub(crate) fn new(context: usize, flags: u32) -> Self {
        Self {
            context,
            flags,
            state: Mutex::default(),
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

    fn usable(&self) -> Outcome {
        if lock(&self.state).captured.is_some() {
            Err(Code::CAPTURED_EVENT)
        } else {
            Ok(())
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
        self.usable()?;
        end.usable()?;
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
