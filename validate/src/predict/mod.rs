//! What CUDA will answer: its own order of checks, applied to facts.
//!
//! Nothing here reads memory or calls anything. The rules explain; this module predicts; tests
//! hold the two against each other and against what a real GPU answered.

mod memory;
mod other;
mod plane;
mod status;

pub(crate) use memory::{elsewhere, first_untouchable};
pub(crate) use other::{BadAttributes, bad_attributes};
pub(crate) use plane::{array_called_host, outside, too_narrow};
pub use status::{codes, name as status_name};

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
    /// The calling thread dies by a signal while it touches this page.
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
    surroundings(call, facts)
        .or_else(|| arguments(call, facts))
        .unwrap_or_else(|| match &call.action {
            Action::Batch(batch) => other::batch(call, batch, facts),
            Action::Register(register) => other::register(register, facts),
            Action::Unregister { address } => other::unregister(*address, facts),
            Action::Export(_) => other::export(facts),
            _ => memory::predict(call, facts),
        })
}

/// What stops a call whatever its operands are.
fn surroundings(call: &Call, facts: &Facts) -> Stopped {
    let environment = &facts.environment;
    if let Some((code, _)) = &environment.poison {
        return Some(Prediction::Status(*code));
    }
    if environment.forked_from.is_some() {
        return Some(Prediction::CannotTell(Missing::Measurement));
    }
    if call.api == Api::Driver && environment.current == Current::None {
        return Some(Prediction::Status(codes::INVALID_CONTEXT));
    }
    if environment.stream_dead == Some(true) && !call.is_empty() {
        return Some(Prediction::Crash);
    }
    match (&call.action, environment.capture) {
        (Action::Batch(_), Capture::ThisStream) => {
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
    if call.is_empty() {
        return Some(Prediction::Success);
    }
    let pitch = plane::pitch(call, facts);
    if pitch.is_some() {
        return pitch;
    }
    let null = facts
        .operands
        .iter()
        .any(|operand| operand.operand.address == 0);
    if null {
        return Some(Prediction::Status(codes::INVALID_VALUE));
    }
    if let Some(Kind::Invalid(_)) = call.action.kind() {
        return Some(Prediction::Status(codes::INVALID_DIRECTION));
    }
    plane::arrays(call, facts).or_else(|| other::arguments(call, facts))
}
