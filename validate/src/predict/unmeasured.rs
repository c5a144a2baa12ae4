//! Calls that were hardly compared with a device: 3D batches in a few cases (driver for CUDA 13.0: success
//! for right entries, 1 for an entry past the end of its memory and for one outside of its array), the
//! copies with attributes of 13.2 in none.
//!
//! They are never predicted to succeed or to be refused, so that no answer of CUDA's is called a
//! surprise. What kills the process in a copy of its own is taken to do so here.

use super::{Missing, Prediction, predict as predict_one, surroundings};
use crate::Call;
use crate::call::Action;
use crate::facts::Facts;

/// What CUDA will answer to such a call; nothing for all others.
pub(super) fn predict(call: &Call, facts: &Facts) -> Option<Prediction> {
    let cannot_tell = Prediction::CannotTell(Missing::Measurement);
    let deadly = |one: Prediction| one.is_deadly().then_some(one);
    if let Action::Batch3D(_) = call.action {
        let stopped = surroundings(call, facts);
        let dead = facts.environment.stream_dead == Some(true);
        let mut entries = facts.entries.iter();
        return stopped
            .or(dead.then_some(Prediction::Crash))
            .or_else(|| entries.find_map(|(one, part)| deadly(predict_one(one, part))))
            .or(Some(cannot_tell));
    }
    let like = match call.function {
        "cuMemcpyWithAttributesAsync" => "cuMemcpyAsync",
        "cudaMemcpyWithAttributesAsync" => "cudaMemcpyAsync",
        "cuMemcpy3DWithAttributesAsync" => "cuMemcpy3DAsync",
        "cudaMemcpy3DWithAttributesAsync" => "cudaMemcpy3DAsync",
        _ => return None,
    };
    let known = Call {
        function: like,
        ..call.clone()
    };
    Some(deadly(predict_one(&known, facts)).unwrap_or(cannot_tell))
}
