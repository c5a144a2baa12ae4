//! What CUDA will answer: its own order of checks, applied to facts.
//!
//! Nothing here reads memory or calls anything. The rules explain; this module predicts; tests
//! hold the two against each other and against what a real GPU answered.

mod astray;
mod boxes;
mod memory;
mod other;
mod plane;
mod status;
mod symbol;
mod touch;
mod unmeasured;

pub(crate) use boxes::{BadEntry, bad_entry, elements_differ, refused_hint};
pub(crate) use memory::elsewhere;
pub(crate) use other::{BadAttributes, bad_attributes};
pub(crate) use plane::{Narrow, array_called_host, array_source_called_host, outside, too_narrow};
pub use status::{codes, name as status_name};
pub(crate) use symbol::{beyond as beyond_variable, variable, variable_side};
pub(crate) use touch::{Untouchable, first_untouchable};

use crate::call::{Action, Kind};
use crate::facts::{Capture, Current, Facts};
use crate::{Api, Call, Role, Stream};

/// What CUDA will answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Prediction {
    /// It succeeds.
    Success,
    /// It is refused with this code of the call's own interface.
    Status(u32),
    /// The calling thread dies by a signal while it touches this page; of a batch of boxes perhaps only where it
    /// waits for the stream.
    Fault {
        /// The side whose memory it is.
        role: Role,
        /// The first address of the page.
        page: u64,
    },
    /// The calling thread dies by a signal inside of CUDA, at an address that nobody can tell.
    Crash,
    /// It succeeds, and the context dies with this code at the next synchronisation.
    ContextDies(u32),
    /// A fact is missing.
    CannotTell(Missing),
}

/// The fact that a prediction lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Missing {
    /// Whose memory an operand is.
    Owner(Role),
    /// How far the owner's memory goes.
    Range(Role),
    /// What the process's memory map says.
    HostMemory(Role),
    /// What an array is.
    Array(Role),
    /// What a device may do with an operand.
    Access(Role),
    /// Nobody has measured what CUDA does here.
    Measurement,
}

impl Prediction {
    /// Whether the call must not be made: the process or the context would die.
    #[must_use]
    pub const fn is_deadly(self) -> bool {
        matches!(
            self,
            Self::Fault { .. } | Self::Crash | Self::ContextDies(_)
        )
    }

    /// Whether CUDA refuses the call.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Status(_))
    }
}

/// A check of CUDA's that a call does not pass.
type Stopped = Option<Prediction>;

/// Says what CUDA will answer to a call, from facts about it.
#[must_use]
pub fn predict(call: &Call, facts: &Facts) -> Prediction {
    if let Some(answer) = unmeasured::predict(call, facts) {
        return answer;
    }
    if let Action::Batch3D(batch) = &call.action {
        return boxes::predict(call, batch, facts);
    }
    let crash = || {
        let dead = facts.environment.stream_dead == Some(true);
        dead.then_some(Prediction::Crash)
    };
    // A batch's stream is followed before its attributes are looked at.
    let batch = matches!(call.action, Action::Batch(_));
    let stopped = surroundings(call, facts)
        .or_else(|| crash().filter(|_| batch))
        .or_else(|| early(call, facts))
        .or_else(crash)
        .or_else(|| capture(call, facts))
        .or_else(|| arguments(call, facts));
    if let Some(stopped) = stopped {
        return stopped;
    }
    let answer = match &call.action {
        Action::Batch(batch) => other::batch(call, batch, facts),
        Action::Register(register) => other::register(register, facts),
        Action::Unregister { address } => other::unregister(*address, facts),
        Action::Export(_) => other::export(facts),
        _ => memory::predict(call, facts),
    };
    // A capture records the copy and touches nothing.
    let recorded = facts.environment.capture == Capture::ThisStream;
    match answer {
        answer if recorded && answer.is_deadly() => Prediction::Success,
        // Measured: a fill's operand is not looked at until the graph runs.
        Prediction::Status(codes::INVALID_VALUE)
            if recorded && matches!(call.action, Action::Fill(_)) =>
        {
            Prediction::Success
        }
        answer => answer,
    }
}

/// Whether the call moves no byte; the runtime then asks nothing else.
fn is_empty(call: &Call) -> bool {
    call.is_empty() && !matches!(call.action, Action::Batch(_) | Action::Batch3D(_))
}

/// What stops a call whatever its operands are.
fn surroundings(call: &Call, facts: &Facts) -> Stopped {
    let environment = &facts.environment;
    if environment.forked_from.is_some() {
        return Some(match (&call.action, call.stream()) {
            // An asynchronous fill in a stream of the parent is accepted, and never done.
            (Action::Fill(_), Stream::Handle(_)) => Prediction::CannotTell(Missing::Measurement),
            _ => Prediction::Status(codes::NOT_INITIALIZED),
        });
    }
    if let Some((code, _)) = &environment.poison {
        return Some(Prediction::Status(*code));
    }
    if call.api == Api::Runtime {
        // Measured: devices that are not there are refused before anything else, even where nothing is to be copied.
        let none = other::ordinals(call, facts).filter(|stop| stop.is_refusal());
        if none.is_some() || is_empty(call) {
            return none.or(Some(Prediction::Success));
        }
    }
    // A batch on the legacy stream is refused before anybody asks for a context.
    let legacy = call.stream() == Stream::Legacy;
    if legacy && matches!(call.action, Action::Batch(_) | Action::Batch3D(_)) {
        return Some(Prediction::Status(codes::INVALID_VALUE));
    }
    // Work in a created stream goes by the stream's own context.
    let created = matches!(call.stream(), Stream::Handle(_));
    if call.api == Api::Driver && environment.current == Current::None {
        if !created {
            return Some(Prediction::Status(codes::INVALID_CONTEXT));
        }
        // Measured: batches need one nevertheless.
        if matches!(call.action, Action::Batch(_)) {
            return Some(Prediction::Status(codes::INVALID_VALUE));
        }
    }
    None
}

/// What is refused before anybody asks whether a stream captures: a batch's attributes; pitches that
/// the runtime checks, before the kind; the kind; ordinals. What the driver checks comes later.
fn early(call: &Call, facts: &Facts) -> Stopped {
    if let Action::Batch(batch) = &call.action {
        let bad = batch.entries.is_empty() || other::bad_attributes(batch).is_some();
        return bad.then_some(Prediction::Status(codes::INVALID_VALUE));
    }
    if is_empty(call) {
        return None;
    }
    if let Some(copy) = call.action.volume()
        && call.api == Api::Runtime
        && !call.function.contains("Array")
    {
        return plane::runtime_volume(call, copy, facts);
    }
    if let Action::Symbol(copy) = &call.action {
        return symbol::stopped(call, copy, facts).or_else(|| kind(call));
    }
    // Of pitches only what the runtime itself refuses is refused this early.
    let narrow = plane::too_narrow(call, facts).map(|(_, _, code)| Prediction::Status(code));
    if narrow == Some(Prediction::Status(codes::INVALID_PITCH)) {
        return narrow;
    }
    kind(call).or_else(|| other::ordinals(call, facts))
}

/// What stops a call because of a capture.
fn capture(call: &Call, facts: &Facts) -> Stopped {
    match (&call.action, facts.environment.capture) {
        (Action::Batch(_) | Action::Peer(_) | Action::Peer3D(_), Capture::ThisStream) => {
            Some(Prediction::Status(codes::CAPTURE_UNSUPPORTED))
        }
        (_, Capture::BlocksLegacy) if call.stream() == Stream::Legacy && moves(&call.action) => {
            Some(Prediction::Status(codes::CAPTURE_IMPLICIT))
        }
        _ => None,
    }
}

/// Whether the call is a copy or a fill.
const fn moves(action: &Action) -> bool {
    !matches!(
        action,
        Action::Register(_) | Action::Unregister { .. } | Action::Export(_)
    )
}

/// What stops a call for its arguments alone.
fn arguments(call: &Call, facts: &Facts) -> Stopped {
    if matches!(call.action, Action::Batch(_)) {
        return None;
    }
    if is_empty(call) {
        return Some(Prediction::Success);
    }
    if let Some((_, _, code)) = plane::too_narrow(call, facts) {
        return Some(Prediction::Status(code));
    }
    // Measured: a fill that is recorded is not looked at, not even for null.
    let recorded =
        matches!(call.action, Action::Fill(_)) && facts.environment.capture == Capture::ThisStream;
    let null = facts
        .operands
        .iter()
        .any(|operand| operand.operand.base == 0);
    if null && !recorded {
        return Some(Prediction::Status(codes::INVALID_VALUE));
    }
    plane::arrays(call, facts).or_else(|| other::arguments(call))
}

/// What stops a call for its kind alone.
fn kind(call: &Call) -> Stopped {
    let refused = Some(Prediction::Status(codes::INVALID_DIRECTION));
    match (&call.action, call.action.kind()?) {
        // Measured: the two linear forms for arrays do not look at a kind that is none.
        (_, Kind::Invalid(_))
            if matches!(call.function, "cudaMemcpyToArray" | "cudaMemcpyFromArray") =>
        {
            None
        }
        (_, Kind::Invalid(_)) => refused,
        (Action::Symbol(copy), kind) => {
            let (to, from) = kind.says_device()?;
            let right = if copy.to_symbol { to } else { from };
            (!right).then_some(refused?)
        }
        _ => plane::array_called_host(call).and(refused),
    }
}
