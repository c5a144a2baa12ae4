//! Events: marks in streams.

use std::sync::{Arc, Mutex};

use super::capture::Mark;
use super::code::{Code, Outcome};
use super::context::Context;
use super::crossing::Crossing;
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
    shared: Option<Shared>,
}

/// What other processes see of an event.
#[derive(Debug)]
struct Shared {
    crossing: Arc<Crossing>,
    /// Made by this process.
    own: bool,
}

#[derive(Debug, Default)]
struct State {
    recorded: Option<Arc<Ticket>>,
    captured: Option<Mark>,
}

impl Event {
    pub(crate) fn new(context: &Context, flags: u32) -> Outcome<Self> {
        let shared = if flags & INTERPROCESS == 0 {
            None
        } else {
            Some(Shared {
                crossing: Arc::new(Crossing::new()?),
                own: true,
            })
        };
        Ok(Self::with(context, flags, shared))
    }

    /// An event that another process has lent.
    pub(crate) fn of_another_process(context: &Context, crossing: Arc<Crossing>) -> Self {
        let shared = Shared {
            crossing,
            own: false,
        };
        Self::with(context, INTERPROCESS | DISABLE_TIMING, Some(shared))
    }

    fn with(context: &Context, flags: u32, shared: Option<Shared>) -> Self {
        Self {
            context: context.handle,
            serial: context.serial,
            flags,
            state: Mutex::default(),
            shared,
        }
    }

    fn crossing(&self) -> Option<&Arc<Crossing>> {
        self.shared.as_ref().map(|shared| &shared.crossing)
    }

    /// What this process may give to others: its own.
    pub(crate) fn own_crossing(&self) -> Option<&Crossing> {
        let shared = self.shared.as_ref().filter(|shared| shared.own)?;
        Some(&shared.crossing)
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
        let ticket = match self.crossing().cloned() {
            None => stream.enqueue(|| Ok(()))?,
            Some(crossing) => {
                let record = crossing.record();
                stream.enqueue(move || {
                    drop(record);
                    Ok(())
                })?
            }
        };
        *lock(&self.state) = State {
            recorded: Some(ticket),
            captured: None,
        };
        Ok(())
    }

    /// Happens now: a graph's node says so.
    pub(crate) fn happen(&self) {
        if let Some(crossing) = self.crossing().cloned() {
            drop(crossing.record());
        }
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
        if let Some(crossing) = self.crossing() {
            return crossing.query();
        }
        if self.ticket().is_none_or(|ticket| ticket.is_done()) {
            Ok(())
        } else {
            Err(Code::NOT_READY)
        }
    }

    pub(crate) fn wait(&self) -> Outcome {
        self.usable()?;
        if let Some(crossing) = self.crossing() {
            crossing.wait(crossing.last());
        } else if let Some(ticket) = self.ticket() {
            ticket.wait();
        }
        Ok(())
    }

    /// Lets a stream wait for what was recorded last.
    pub(crate) fn hold(&self, stream: &Arc<Stream>) -> Outcome {
        if let Some(crossing) = self.crossing().cloned() {
            let number = crossing.last();
            let wait = move || {
                crossing.wait(number);
                Ok(())
            };
            return stream.enqueue(wait).map(drop);
        }
        match self.ticket() {
            Some(ticket) => stream.enqueue_after(vec![ticket], || Ok(())).map(drop),
            None => Ok(()),
        }
    }

    /// Whether it was ever recorded, or may have been: nobody is waited for.
    pub(crate) fn seems_recorded(&self) -> bool {
        self.state
            .try_lock()
            .map_or(true, |state| state.recorded.is_some())
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
