//! Capture: streams that write a graph instead of working.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::code::{Code, Outcome};
use super::graph::{Action, Graph};
use super::stream::{Stream, next_serial};
use super::thread::thread_number;
use super::ticket::lock;

/// Which calls of other threads a capture forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Global,
    ThreadLocal,
    Relaxed,
}

impl Mode {
    pub(crate) const fn from_number(number: u32) -> Outcome<Self> {
        match number {
            0 => Ok(Self::Global),
            1 => Ok(Self::ThreadLocal),
            2 => Ok(Self::Relaxed),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Global => 0,
            Self::ThreadLocal => 1,
            Self::Relaxed => 2,
        }
    }
}

/// A capture in progress.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) serial: u64,
    pub(crate) mode: Mode,
    pub(crate) graph: Arc<Graph>,
    pub(crate) graph_handle: usize,
    origin: usize,
    thread: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    broken: bool,
    /// The graph has been handed out.
    over: bool,
    /// The last nodes of every stream that takes part.
    ends: BTreeMap<usize, (Arc<Stream>, Vec<usize>)>,
}

/// How many captures there are.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Whether anything is being captured: mostly not, and then nothing needs to be looked at.
pub(crate) fn any() -> bool {
    ALIVE.load(Ordering::Acquire) != 0
}

impl Drop for Capture {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place in a capture, kept by an event.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) capture: Arc<Capture>,
    nodes: Vec<usize>,
}

impl Capture {
    /// Begins; `after` are the nodes that the first captured work depends on.
    pub(crate) fn begin(
        stream: &Arc<Stream>,
        mode: Mode,
        graph: Arc<Graph>,
        graph_handle: usize,
        after: Vec<usize>,
    ) -> Outcome {
        let mut place = lock(&stream.capture);
        if place.is_some() {
            return Err(Code::ILLEGAL_STATE);
        }
        let state = State {
            broken: false,
            over: false,
            ends: BTreeMap::from([(stream.handle, (Arc::clone(stream), after))]),
        };
        ALIVE.fetch_add(1, Ordering::AcqRel);
        *place = Some(Arc::new(Self {
            serial: next_serial(),
            mode,
            graph,
            graph_handle,
            origin: stream.handle,
            thread: thread_number(),
            state: Mutex::new(state),
        }));
        Ok(())
    }

    /// Whether something forbidden has happened.
    pub(crate) fn is_broken(&self) -> bool {
        lock(&self.state).broken
    }

    /// Whether its end has come.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.state).over
    }

    pub(crate) fn break_off(&self) {
        lock(&self.state).broken = true;
    }

    /// Begun by this thread.
    pub(crate) fn is_here(&self) -> bool {
        self.thread == thread_number()
    }

    /// The nodes that the stream's next work will depend on.
    pub(crate) fn ends_of(&self, stream: &Stream) -> Vec<usize> {
        lock(&self.state)
            .ends
            .get(&stream.handle)
            .map(|(_, nodes)| nodes.clone())
            .unwrap_or_default()
    }

    /// Replaces or extends them.
    pub(crate) fn set_ends(&self, stream: &Arc<Stream>, nodes: &[usize], keep: bool) {
        let mut state = lock(&self.state);
        let (_, ends) = state
            .ends
            .entry(stream.handle)
            .or_insert_with(|| (Arc::clone(stream), Vec::new()));
        if !keep {
            ends.clear();
        }
        for node in nodes {
            if !ends.contains(node) {
                ends.push(*node);
            }
        }
    }

    /// Writes work down.
    pub(crate) fn add(&self, stream: &Arc<Stream>, action: Action) -> Outcome<usize> {
        if self.is_broken() {
            return Err(Code::STREAM_CAPTURE_INVALIDATED);
        }
        let node = self.graph.add(action, &self.ends_of(stream))?;
        self.set_ends(stream, &[node], false);
        Ok(node)
    }

    /// Marks a place for an event.
    pub(crate) fn mark(self: &Arc<Self>, stream: &Stream) -> Mark {
        Mark {
            capture: Arc::clone(self),
            nodes: self.ends_of(stream),
        }
    }

    /// Makes a stream wait for a mark, which draws it into the capture.
    pub(crate) fn wait(stream: &Arc<Stream>, mark: &Mark) -> Outcome {
        let capture = &mark.capture;
        if capture.is_over() {
            return Err(Code::INVALID_VALUE);
        }
        if capture.is_broken() {
            return Err(Code::STREAM_CAPTURE_INVALIDATED);
        }
        let mut place = lock(&stream.capture);
        match place.as_ref() {
            Some(other) if !Arc::ptr_eq(other, capture) => {
                other.break_off();
                capture.break_off();
                return Err(Code::STREAM_CAPTURE_MERGE);
            }
            Some(_) => {}
            None => *place = Some(Arc::clone(capture)),
        }
        drop(place);
        capture.set_ends(stream, &mark.nodes, true);
        Ok(())
    }

    /// Ends a stream's capture without a graph.
    pub(crate) fn abandon(stream: &Stream) {
        let Some(capture) = lock(&stream.capture).take() else {
            return;
        };
        let ended = State {
            broken: true,
            over: true,
            ..State::default()
        };
        let state = core::mem::replace(&mut *lock(&capture.state), ended);
        for (other, _) in state.ends.values() {
            *lock(&other.capture) = None;
        }
    }

    /// Ends a capture and hands the graph out.
    pub(crate) fn end(stream: &Arc<Stream>) -> Outcome<Arc<Self>> {
        let capture = lock(&stream.capture).clone().ok_or(Code::ILLEGAL_STATE)?;
        if capture.origin != stream.handle {
            capture.break_off();
            return Err(Code::STREAM_CAPTURE_UNMATCHED);
        }
        let elsewhere = capture.mode != Mode::Relaxed && !capture.is_here();
        let ended = State {
            over: true,
            ..State::default()
        };
        let state = core::mem::replace(&mut *lock(&capture.state), ended);
        for (other, _) in state.ends.values() {
            *lock(&other.capture) = None;
        }
        *lock(&stream.capture) = None;
        if elsewhere {
            return Err(Code::STREAM_CAPTURE_WRONG_THREAD);
        }
        if state.broken {
            return Err(Code::STREAM_CAPTURE_INVALIDATED);
        }
        if capture.is_joined(&state) {
            Ok(capture)
        } else {
            Err(Code::STREAM_CAPTURE_UNJOINED)
        }
    }

    /// Whether every other stream's last work is before the origin's last work. What follows when it is not is
    /// documented, not measured.
    fn is_joined(&self, state: &State) -> bool {
        let nodes = lock(&self.graph.nodes);
        let mut reached: Vec<usize> = state
            .ends
            .get(&self.origin)
            .map(|(_, ends)| ends.clone())
            .unwrap_or_default();
        let mut index = 0;
        while let Some(&node) = reached.get(index) {
            let before = nodes.get(&node).into_iter().flat_map(|node| &node.after);
            let fresh: Vec<usize> = before
                .copied()
                .filter(|node| !reached.contains(node))
                .collect();
            reached.extend(fresh);
            index += 1;
        }
        state
            .ends
            .values()
            .all(|(_, ends)| ends.iter().all(|node| reached.contains(node)))
    }
}
