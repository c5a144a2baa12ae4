//! Reproducers: for a rule, a call that breaks it and the nearest call that does not, both ready
//! to be made on a device or on the simulator.
//!
//! A [`Stage`] sets the scene (memory, streams, captures) through the tables of `cuda-sys`, a
//! [`Reproducer`] puts the operands in, and [`Stage::make`] makes the call. Nothing is freed but
//! what the scene says: a stage is made for a process that ends soon, and a call that is predicted
//! to be deadly for a process of its own.

mod acts;
mod acts_boxes;
mod acts_elsewhere;
mod acts_more;
mod acts_special;
mod make;
mod make_boxes;
mod make_runtime;
mod scenery;
mod second;
mod stage;
mod variable;

pub use stage::{Skip, Stage};
pub use variable::{Variable, variables};

use crate::finding::FirstBad;
use crate::{Call, Finding, Prediction, RULES, Role, Rule, Site, Verdict};

/// What a reproducer does with a stage: it sets the scene and says which call follows.
pub type Act = fn(&Stage) -> Result<Call, Skip>;

/// In which process a wrong call is judged and made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In that of the stage, which goes on afterwards.
    Here,
    /// In that of the stage, which is of no use afterwards.
    Alone,
    /// In one that is forked from that of the stage once the scene is set.
    Forked,
}

/// The first byte that is wrong, as whoever wrote the scene knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bad {
    /// The call is wrong as a whole, and no byte of it.
    Call,
    /// This side, and no byte of it more than another.
    Side(Role),
    /// This byte of this side.
    Byte(Role, u64),
    /// This byte of this side of this entry of a batch.
    Entry(usize, Role, u64),
    /// This side of this entry of a batch, and no byte of it more than another.
    SideOfEntry(usize, Role),
    /// This entry of a batch as a whole.
    WholeEntry(usize),
}

impl Bad {
    /// Whether a finding names just this.
    #[must_use]
    pub fn is_named_by(self, finding: &Finding) -> bool {
        let byte = finding
            .first_bad
            .map(|FirstBad { role, offset, .. }| (role, offset));
        match self {
            Self::Call => finding.role.is_none() && finding.entry.is_none(),
            Self::Side(role) => {
                byte.is_none() && finding.role == Some(role.name()) && finding.entry.is_none()
            }
            Self::Byte(role, offset) => {
                byte == Some((role.name(), offset)) && finding.entry.is_none()
            }
            Self::Entry(entry, role, offset) => {
                byte == Some((role.name(), offset)) && finding.entry == Some(entry)
            }
            Self::SideOfEntry(entry, role) => {
                byte.is_none() && finding.role == Some(role.name()) && finding.entry == Some(entry)
            }
            Self::WholeEntry(entry) => byte.is_none() && finding.entry == Some(entry),
        }
    }
}

impl core::fmt::Display for Bad {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Call => write!(out, "the call as a whole"),
            Self::Side(role) => write!(out, "{}", role.name()),
            Self::Byte(role, offset) => write!(out, "byte {offset} of {}", role.name()),
            Self::Entry(entry, role, offset) => {
                write!(out, "byte {offset} of {} of entry {entry}", role.name())
            }
            Self::SideOfEntry(entry, role) => write!(out, "{} of entry {entry}", role.name()),
            Self::WholeEntry(entry) => write!(out, "entry {entry}"),
        }
    }
}

/// A rule's wrong call and its right twin.
#[derive(Debug, Clone, Copy)]
pub struct Reproducer {
    /// The rule's id.
    pub rule: &'static str,
    /// What is wrong with the wrong call.
    pub bad: Bad,
    /// Where the wrong call is made; the twin is always made in the process of the stage.
    pub place: Place,
    /// The setting of the simulator (in `CUWHY_SIM`) under which its devices can show this, where
    /// they cannot without. On other devices it means nothing.
    pub setting: Option<&'static str>,
    /// The call that breaks it.
    pub wrong: Act,
    /// The nearest call that does not.
    pub right: Act,
}

/// Which of the two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// The wrong one.
    Wrong,
    /// The right one.
    Right,
}

/// What a call came to, as whoever made it saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It returned this, and so did the next synchronisation.
    Status {
        /// What the call returned.
        status: u32,
        /// What the next synchronisation returned.
        later: u32,
    },
    /// Its process died of this signal.
    Signal(i32),
}

impl Answer {
    /// Whether this is what was predicted. "Cannot tell" is no prediction.
    #[must_use]
    pub fn is(self, predicted: Prediction) -> bool {
        match (predicted, self) {
            (Prediction::Success, Self::Status { status, later }) => status == 0 && later == 0,
            (Prediction::Status(code), Self::Status { status, .. }) => status == code,
            (Prediction::ContextDies(code), Self::Status { status, later }) => {
                status == 0 && later == code
            }
            (Prediction::Fault { .. } | Prediction::Crash, Self::Signal(signal)) => {
                signal == libc::SIGSEGV || signal == libc::SIGBUS
            }
            _ => false,
        }
    }
}

impl Reproducer {
    /// Sets the scene and says which call follows, without making it.
    ///
    /// # Errors
    ///
    /// [`Skip`] where this machine cannot show it.
    pub fn call(&self, stage: &Stage, which: Which) -> Result<Call, Skip> {
        let call = match which {
            Which::Wrong => (self.wrong)(stage),
            Which::Right => (self.right)(stage),
        };
        // A line of this crate tells a reader nothing of the call.
        call.map(|call| Call {
            site: Site::Unknown,
            ..call
        })
    }

    /// Where one of the two calls is to be made.
    #[must_use]
    pub const fn place(&self, which: Which) -> Place {
        match which {
            Which::Wrong => self.place,
            Which::Right => Place::Here,
        }
    }

    /// What a verdict says that it should not, or does not say that it should; nothing where all is well.
    #[must_use]
    pub fn complaints(&self, which: Which, verdict: &Verdict) -> Vec<String> {
        let said = || {
            let rules: Vec<&str> = verdict.findings.iter().map(|one| one.rule).collect();
            rules.join(", ")
        };
        let mut complaints = Vec::new();
        match (which, verdict.findings.first()) {
            (Which::Wrong, None) => complaints.push("nothing is found".into()),
            (Which::Wrong, Some(first)) if first.rule != self.rule => {
                complaints.push(format!("what is found is {}", said()));
            }
            (Which::Wrong, Some(first)) if !self.bad.is_named_by(first) => {
                let mut named = match (first.first_bad, first.role) {
                    (Some(bad), _) => format!("byte {} of {}", bad.offset, bad.role),
                    (None, Some(role)) => role.into(),
                    (None, None) => "the call as a whole".into(),
                };
                if let Some(entry) = first.entry {
                    named.push_str(&format!(", entry {entry}"));
                }
                complaints.push(format!("it names {named}, and {} is wrong", self.bad));
            }
            (Which::Right, Some(_)) => complaints.push(format!("the twin gets {}", said())),
            _ => {}
        }
        if let Prediction::CannotTell(missing) = verdict.prediction {
            complaints.push(format!("no prediction: {missing:?} is missing"));
        }
        if which == Which::Right && verdict.prediction != Prediction::Success {
            complaints.push("the twin is not predicted to succeed".into());
        }
        complaints
    }
}

/// All reproducers, in the order of the catalogue; a rule may have several.
#[must_use]
pub fn reproducers() -> Vec<Reproducer> {
    let parts = [
        acts::ACTS,
        acts_more::ACTS,
        acts_special::ACTS,
        acts_elsewhere::ACTS,
        acts_boxes::ACTS,
    ];
    let mut all: Vec<Reproducer> = parts.into_iter().flatten().copied().collect();
    let place = |id: &str| RULES.iter().position(|rule| rule.id == id);
    all.sort_by_key(|one| place(one.rule));
    all
}

/// The rules that have no reproducer.
#[must_use]
pub fn forgotten() -> Vec<&'static Rule> {
    let all = reproducers();
    RULES
        .iter()
        .copied()
        .filter(|rule| !all.iter().any(|one| one.rule == rule.id))
        .collect()
}
