//! What CUDA will answer: its own order of checks, applied to facts.
//!
//! Nothing here reads memory or calls anything. The rules explain; this module predicts; tests
//! hold the two against each other and against what a real GPU answered.

mod memory;
mod status;

pub(crate) use memory::first_untouchable;
pub use status::{codes, name as status_name};

use crate::call::{Action, Kind};
use crate::facts::{Current, Facts};
use crate::{Api, Call, Role};

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
    /// Nobody has measured what CUDA does here.
    Measurement,
}

impl Prediction {
    /// Whether the call must not be made: the process or the context would die.
    #[must_use]
    pub const fn is_deadly(self) -> bool {
        matches!(self, Self::Fault { .. } | Self::ContextDies(_))
    }

    /// Whether CUDA refuses the call.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Status(_))
    }
}

/// Says what CUDA will answer to a call, from facts about it.
#[must_use]
pub fn predict(call: &Call, facts: &Facts) -> Prediction {
    let environment = &facts.environment;
    if let Some((code, _)) = &environment.poison {
        return Prediction::Status(*code);
    }
    if call.api == Api::Driver && environment.current == Current::None {
        return Prediction::Status(codes::INVALID_CONTEXT);
    }
    if call.is_empty() && !matches!(call.action, Action::Batch(_)) {
        return Prediction::Success;
    }
    if facts
        .operands
        .iter()
        .any(|operand| operand.operand.address == 0)
    {
        return Prediction::Status(codes::INVALID_VALUE);
    }
    if let Some(Kind::Invalid(_)) = call.action.kind() {
        return Prediction::Status(codes::INVALID_DIRECTION);
    }
    memory::predict(facts)
}
