//! Checks around calls that are really made: what runs, what does not, and who hears of it.

mod audience;
mod error;
mod policy;
mod quick;

pub use audience::{Audience, Event};
pub use error::{CheckedError, Reason};
pub use policy::{Ignore, NoSuchRule, Policy};

use crate::ask::Ask;
use crate::facts::{Depth, Vouched, collect_knowing};
use crate::finding::Outcome;
use crate::predict::{codes, predict};
use crate::verdict::judge;
use crate::{Call, Finding, Prediction, Registry, Severity, Verdict};
use std::sync::{Mutex, PoisonError};

/// Says what a device's own state has to do with a finding, where it has.
pub type Describer = dyn Fn(&Finding) -> Option<String> + Sync;

/// Checks calls by a policy, and tells an audience what it finds.
///
/// Of a call that is predicted to kill the process or the context, nothing is executed. A call
/// that is predicted to be refused is executed, so that the status is CUDA's own.
pub struct Checker<'a> {
    ask: &'a (dyn Ask + Sync),
    registry: Option<&'a Registry>,
    policy: Policy,
    ignore: Ignore,
    audience: Audience,
    one_device: bool,
    state: Option<&'a Describer>,
    poison: Mutex<Option<(u32, String)>>,
}

impl core::fmt::Debug for Checker<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Checker")
            .field("policy", &self.policy)
            .field("ignore", &self.ignore)
            .finish_non_exhaustive()
    }
}

impl<'a> Checker<'a> {
    /// A checker with the default policy, that knows no allocation by itself and tells nobody.
    #[must_use]
    pub fn new(ask: &'a (dyn Ask + Sync)) -> Self {
        Self {
            ask,
            registry: None,
            policy: Policy::default(),
            ignore: Ignore::default(),
            audience: Audience::default(),
            one_device: false,
            state: None,
            poison: Mutex::new(None),
        }
    }

    /// The same with a registry of what is allocated.
    #[must_use]
    pub const fn with_registry(mut self, registry: &'a Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The same with another policy.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same without what is ignored.
    #[must_use]
    pub fn ignoring(mut self, ignore: Ignore) -> Self {
        self.ignore = ignore;
        self
    }

    /// The same with somebody who hears of every finding.
    #[must_use]
    pub fn telling(mut self, audience: Audience) -> Self {
        self.audience = audience;
        self
    }

    /// The same for a process that sees one device: its pools need no question.
    #[must_use]
    pub const fn for_one_device(mut self) -> Self {
        self.one_device = true;
        self
    }

    /// The same with somebody who says what a device's own state - memory, ECC, clocks - has to do
    /// with a finding, where it has. It is asked only when there is something to tell.
    #[must_use]
    pub const fn describing(mut self, state: &'a Describer) -> Self {
        self.state = Some(state);
        self
    }

    /// Judges a call, without making it. Findings that are ignored are left out; nobody is told.
    #[must_use]
    pub fn check(&self, call: &Call) -> Verdict {
        self.check_knowing(call, Vouched::default())
    }

    fn check_knowing(&self, call: &Call, vouched: Vouched) -> Verdict {
        let mut verdict = self.judge(call, vouched);
        self.leave_out(&mut verdict);
        verdict
    }

    fn judge(&self, call: &Call, vouched: Vouched) -> Verdict {
        let mut facts = collect_knowing(call, self.ask, self.registry, Depth::Full, vouched);
        facts.environment.poison = self.poison();
        judge(call, &facts)
    }

    /// Leaves out what is ignored; says whether that was everything there was.
    fn leave_out(&self, verdict: &mut Verdict) -> bool {
        let before = verdict.findings.len();
        verdict
            .findings
            .retain(|finding| !self.ignore.covers(finding));
        before > 0 && verdict.findings.is_empty()
    }

    /// Says before a call whether it may be made, and what CUDA is expected to answer.
    ///
    /// # Errors
    ///
    /// [`CheckedError`] where the call would kill the process or the context: it must not be made.
    #[inline]
    pub fn before(&self, call: &Call) -> Result<Expected, CheckedError> {
        self.before_knowing(call, Vouched::default())
    }

    /// The same where a layer answers for the call's handles.
    #[inline]
    pub(crate) fn before_knowing(
        &self,
        call: &Call,
        vouched: Vouched,
    ) -> Result<Expected, CheckedError> {
        let nothing_to_do = match self.policy {
            Policy::ExplainOnFailure => true,
            Policy::Check => self.is_known_good(call),
            Policy::Strict => false,
        };
        if nothing_to_do {
            return Ok(Expected(None));
        }
        self.look_closer(call, vouched)
    }

    /// Apart from the shortest way, which needs neither this much stack nor this much code.
    #[inline(never)]
    fn look_closer(&self, call: &Call, vouched: Vouched) -> Result<Expected, CheckedError> {
        let strict = self.policy == Policy::Strict;
        if !strict {
            let mut facts = collect_knowing(call, self.ask, self.registry, Depth::Quick, vouched);
            facts.environment.poison = self.poison();
            let prediction = predict(call, &facts);
            let host = matches!(prediction, Prediction::CannotTell(_));
            if host || prediction == Prediction::Success {
                return Ok(Expected(Some(prediction)));
            }
        }
        let mut verdict = self.judge(call, vouched);
        let ignored = self.leave_out(&mut verdict);
        if verdict.prediction.is_deadly() && !ignored {
            let findings = self.tell(verdict.findings, None);
            return Err(CheckedError::new(call, None, Reason::NotExecuted, findings));
        }
        if !verdict.prediction.is_refusal() && strict {
            self.tell(verdict.findings, None);
        }
        Ok(Expected(Some(verdict.prediction)))
    }

    /// Says after a call what its status means.
    ///
    /// # Errors
    ///
    /// [`CheckedError`] where the status is a failure.
    pub fn after(&self, call: &Call, expected: Expected, status: u32) -> Result<(), CheckedError> {
        self.after_knowing(call, Vouched::default(), expected, status)
    }

    /// The same where a layer answers for the call's handles.
    pub(crate) fn after_knowing(
        &self,
        call: &Call,
        vouched: Vouched,
        expected: Expected,
        status: u32,
    ) -> Result<(), CheckedError> {
        if status == codes::SUCCESS {
            if let Some(prediction @ Prediction::Status(_)) = expected.0 {
                self.audience.hear(&Event::Unexpected {
                    call: &call.text(),
                    predicted: &Outcome::predicted(call.api, prediction),
                    answered: &Outcome::status(call.api, status),
                });
            }
            return Ok(());
        }
        let verdict = self.check_knowing(call, vouched);
        let prediction = expected.0.unwrap_or(verdict.prediction);
        let sticky = is_sticky(status);
        if sticky {
            self.poisoned(call, status);
        }
        let surprising = prediction == Prediction::Success && !sticky && !is_of_the_moment(status);
        if surprising {
            self.audience.hear(&Event::Unexpected {
                call: &call.text(),
                predicted: &Outcome::predicted(call.api, prediction),
                answered: &Outcome::status(call.api, status),
            });
        }
        let reason = if surprising {
            Reason::Unexpected
        } else {
            Reason::Refused
        };
        let findings = self.tell(verdict.findings, Some(Outcome::status(call.api, status)));
        Err(CheckedError::new(call, Some(status), reason, findings))
    }

    /// Checks a call, makes it unless it is deadly, and explains its failure.
    ///
    /// # Errors
    ///
    /// [`CheckedError`] where the call was not made or CUDA refused it.
    #[inline]
    pub fn run(&self, call: &Call, make: impl FnOnce() -> u32) -> Result<(), CheckedError> {
        let expected = self.before(call)?;
        let status = make();
        if status == codes::SUCCESS && !matches!(expected.0, Some(Prediction::Status(_))) {
            return Ok(());
        }
        self.after(call, expected, status)
    }

    /// Forgets that a context died: the device was reset.
    pub fn revived(&self) {
        *self.poison.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn poison(&self) -> Option<(u32, String)> {
        let poison = self.poison.lock();
        poison.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the first failure that ends a context.
    fn poisoned(&self, call: &Call, status: u32) {
        let mut poison = self.poison.lock().unwrap_or_else(PoisonError::into_inner);
        poison.get_or_insert_with(|| {
            let place = if call.site.is_unknown() {
                String::new()
            } else {
                format!(" at {}", call.site)
            };
            let first = format!(
                "the first call that reported it was {}{place}",
                call.function
            );
            (status, first)
        });
    }

    /// Tells the audience, counts, and gives the findings back as they were told.
    fn tell(&self, findings: Vec<Finding>, answered: Option<Outcome>) -> Vec<Finding> {
        let mut told = Vec::with_capacity(findings.len());
        for mut finding in findings {
            finding.answered.clone_from(&answered);
            finding.device_state = self.state.and_then(|state| state(&finding));
            self.audience.tell(&mut finding);
            told.push(finding);
        }
        told.sort_by_key(|finding| finding.severity != Severity::Error);
        told
    }

    #[inline]
    fn is_known_good(&self, call: &Call) -> bool {
        self.registry
            .is_some_and(|registry| quick::passes(call, registry, self.one_device))
    }
}

/// What a call is expected to come to; nothing where nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(Option<Prediction>);

impl Expected {
    /// What CUDA is predicted to answer, where somebody looked.
    #[must_use]
    pub const fn prediction(self) -> Option<Prediction> {
        self.0
    }
}

/// Codes that a context returns for ever once it has them.
#[must_use]
pub const fn is_sticky(status: u32) -> bool {
    matches!(
        status,
        214 | 220 | 226 | 700 | 702 | 710 | 714..=719 | 721 | 911
    )
}

/// Codes that say something of the machine at this moment, not of the call's arguments.
const fn is_of_the_moment(status: u32) -> bool {
    matches!(
        status,
        2 | 3 | 4 | 35 | 46 | 100 | 201 | 209 | 304 | 600 | 709 | 900..=908 | 999
    )
}
