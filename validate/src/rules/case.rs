//! What a rule sees, and what it reports.

use super::{Rule, Severity};
use crate::call::Action;
use crate::facts::{Environment, Facts};
use crate::{Call, OperandFacts, Prediction, Role};

/// A call, its facts, and what CUDA is predicted to answer.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The call.
    pub call: &'a Call,
    /// What is known of it.
    pub facts: &'a Facts,
    /// What CUDA will answer.
    pub prediction: Prediction,
    /// The operands of a call that moves bytes: nearly every rule begins there.
    moved: &'a [OperandFacts],
}

impl<'a> Case<'a> {
    /// A call as rules see it.
    #[must_use]
    pub fn new(call: &'a Call, facts: &'a Facts, prediction: Prediction) -> Self {
        let moves = !matches!(
            call.action,
            Action::Register(_) | Action::Unregister { .. } | Action::Export(_)
        );
        let moved = if moves && !call.is_empty() {
            &facts.operands[..]
        } else {
            &[]
        };
        Self {
            call,
            facts,
            prediction,
            moved,
        }
    }

    /// What was asked.
    #[must_use]
    pub const fn action(&self) -> &'a Action {
        &self.call.action
    }

    /// What surrounds the call.
    #[must_use]
    pub const fn environment(&self) -> &'a Environment {
        &self.facts.environment
    }

    /// The operands that bytes are moved from or to; none where no byte is moved.
    pub fn moved(&self) -> impl Iterator<Item = &'a OperandFacts> + use<'a> {
        let moved = |facts: &&OperandFacts| facts.operand.role != Role::Subject;
        self.moved.iter().filter(moved)
    }

    /// The operands that the call touches in any way: those of registrations and exports as well.
    pub fn named(&self) -> impl Iterator<Item = &'a OperandFacts> + use<'a> {
        let none = self.call.is_empty();
        let facts: &'a Facts = self.facts;
        facts.operands.iter().filter(move |_| !none)
    }

    /// The range of a registration.
    #[must_use]
    pub fn registered(&self) -> Option<&'a OperandFacts> {
        let facts: &'a Facts = self.facts;
        match self.call.action {
            Action::Register(_) => facts.operands.first(),
            _ => None,
        }
    }

    /// The other side.
    #[must_use]
    pub fn other(&self, role: Role) -> Option<&'a OperandFacts> {
        let facts: &'a Facts = self.facts;
        facts
            .operands
            .iter()
            .find(|other| other.operand.role != role)
    }
}

/// What a rule reports: the case's own numbers in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The rule.
    pub rule: &'static Rule,
    /// How bad it is in this case.
    pub severity: Severity,
    /// The side that it is about.
    pub role: Option<Role>,
    /// The offset of the first bad byte from that side's start.
    pub first_bad: Option<u64>,
    /// Which entry of a batch it is about.
    pub entry: Option<usize>,
    /// One sentence with the numbers in it.
    pub says: String,
    /// The reason.
    pub why: String,
    /// What to change.
    pub fix: String,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

impl Found {
    pub(super) fn new(rule: &'static Rule, says: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            role: None,
            first_bad: None,
            entry: None,
            says: says.into(),
            why: String::new(),
            fix: String::new(),
        }
    }

    pub(super) fn at(mut self, role: Role, first_bad: u64) -> Self {
        self.role = Some(role);
        self.first_bad = Some(first_bad);
        self
    }

    pub(super) fn about(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    pub(super) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}
