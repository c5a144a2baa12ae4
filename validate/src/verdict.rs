//! A call in, a verdict out.

use crate::ask::Ask;
use crate::facts::{Depth, Facts, collect};
use crate::finding::finding;
use crate::predict::predict;
use crate::registry::Registry;
use crate::rules::{Case, Found, RULES};
use crate::{Call, Finding, Prediction};

/// What is to be said about a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What CUDA will answer.
    pub prediction: Prediction,
    /// What is wrong, the most important first.
    pub findings: Vec<Finding>,
}

/// Judges a call: collects all facts, predicts, and lets every rule look.
#[must_use]
pub fn check(call: &Call, ask: &dyn Ask, registry: Option<&Registry>) -> Verdict {
    judge(call, &collect(call, ask, registry, Depth::Full))
}

/// Judges a call from facts that are there already. This performs no call.
#[must_use]
pub fn judge(call: &Call, facts: &Facts) -> Verdict {
    let facts = &*facts.in_order();
    let prediction = predict(call, facts);
    let case = Case::new(call, facts, prediction);
    let findings = find(&case)
        .into_iter()
        .map(|found| finding(&case, found))
        .collect();
    Verdict {
        prediction,
        findings,
    }
}

/// What the rules find in one entry of a batch.
pub(crate) fn judge_entry(call: &Call, facts: &Facts) -> Vec<Found> {
    find(&Case::new(call, facts, predict(call, facts)))
}

/// What the rules find, without what a more special rule says better, the most important first.
#[must_use]
pub fn find(case: &Case<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    for rule in RULES {
        (rule.find)(case, &mut all);
    }
    let shadowed = |found: &Found| {
        all.iter().any(|other| {
            other.rule.shadows.contains(&found.rule.id)
                && (other.role.is_none() || found.role.is_none() || other.role == found.role)
        })
    };
    let hidden: Vec<bool> = all.iter().map(shadowed).collect();
    let mut hidden = hidden.into_iter();
    all.retain(|_| !hidden.next().unwrap_or(false));
    all.sort_by_key(|found| (found.severity, !decides(case, found), found.role));
    all
}

/// Whether the finding is about the side that decides what CUDA answers.
fn decides(case: &Case<'_>, found: &Found) -> bool {
    match case.prediction {
        Prediction::Fault { role, .. } => found.role == Some(role),
        // CUDA accepts entries that depend on each other.
        Prediction::Status(_) if found.rule.id == "batch.dependent-entries" => false,
        Prediction::Status(_) => {
            found.role.is_none()
                || !found.rule.id.starts_with("range.host-") && found.rule.id != "pointer.unknown"
        }
        _ => true,
    }
}
