//! The copies with attributes of 13.2, which were never compared with a device: no driver that has them was
//! at hand.
//!
//! They are never predicted to succeed or to be refused, so that no answer of CUDA's is called a
//! surprise. What kills the process in a copy without attributes is taken to do so here.

use super::{Missing, Prediction, predict as predict_one};
use crate::Call;
use crate::facts::Facts;

/// What CUDA will answer to such a call; nothing for all others.
pub(super) fn predict(call: &Call, facts: &Facts) -> Option<Prediction> {
    let cannot_tell = Prediction::CannotTell(Missing::Measurement);
    let deadly = |one: Prediction| one.is_deadly().then_some(one);
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
