//! How much is checked, and what is not told.

use crate::{Finding, RULES};
use std::collections::HashSet;

/// How much is checked around a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Nothing, until a call fails.
    ExplainOnFailure,
    /// Both operands are classified before each call.
    #[default]
    Check,
    /// The memory map is read as well, and warnings and notes are told.
    Strict,
}

/// Findings that somebody does not want to hear of.
///
/// A call that is predicted to be deadly is made all the same when every finding about it is
/// ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignore {
    rules: HashSet<String>,
    places: HashSet<(String, String)>,
}

impl Ignore {
    /// Ignores a rule everywhere.
    ///
    /// # Errors
    ///
    /// [`NoSuchRule`] for a name that is none.
    pub fn rule(mut self, id: &str) -> Result<Self, NoSuchRule> {
        self.rules.insert(known(id)?.to_owned());
        Ok(self)
    }

    /// Ignores a rule at one place, as findings write it: `file.rs:12`.
    ///
    /// # Errors
    ///
    /// [`NoSuchRule`] for a name that is none.
    pub fn rule_at(mut self, id: &str, place: &str) -> Result<Self, NoSuchRule> {
        self.places
            .insert((known(id)?.to_owned(), place.to_owned()));
        Ok(self)
    }

    pub(super) fn covers(&self, finding: &Finding) -> bool {
        self.rules.contains(finding.rule)
            || finding.at.as_ref().is_some_and(|at| {
                self.places
                    .iter()
                    .any(|(rule, place)| rule == finding.rule && place == at)
            })
    }
}

/// A name that no rule has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchRule(
    /// The name.
    pub String,
);

impl core::fmt::Display for NoSuchRule {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "there is no rule {}", self.0)?;
        let area = self.0.split('.').next().unwrap_or_default();
        let like: Vec<&str> = RULES
            .iter()
            .map(|rule| rule.id)
            .filter(|id| id.starts_with(area) && !area.is_empty())
            .collect();
        if like.is_empty() {
            return Ok(());
        }
        write!(out, "; there are {}", like.join(", "))
    }
}

impl core::error::Error for NoSuchRule {}

fn known(id: &str) -> Result<&'static str, NoSuchRule> {
    crate::rules::rule(id)
        .map(|rule| rule.id)
        .ok_or_else(|| NoSuchRule(id.to_owned()))
}
