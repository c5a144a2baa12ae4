//! Reproducers: for a rule, a call that breaks it and the nearest call that does not, both ready
//! to be made on a device or on the simulator.
//!
//! A [`Stage`] sets the scene (memory, streams, captures) through the tables of `cuda-sys`, a
//! [`Reproducer`] puts the operands in, and [`Stage::make`] makes the call. Nothing is freed but
//! what the scene says: a stage is made for a process that ends soon, and a call that is predicted
//! to be deadly for a process of its own.

mod acts;
mod acts_more;
mod make;
mod scenery;
mod stage;

pub use stage::{Skip, Stage};

use crate::{Call, RULES, Rule, Verdict};

/// What a reproducer does with a stage: it sets the scene and says which call follows.
pub type Act = fn(&Stage) -> Result<Call, Skip>;

/// A rule's wrong call and its right twin.
#[derive(Debug, Clone, Copy)]
pub struct Reproducer {
    /// The rule's id.
    pub rule: &'static str,
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

impl Reproducer {
    /// Sets the scene and judges the call, without making it.
    ///
    /// # Errors
    ///
    /// [`Skip`] where this machine cannot show it.
    pub fn judge(&self, stage: &Stage, which: Which) -> Result<(Call, Verdict), Skip> {
        let act = match which {
            Which::Wrong => self.wrong,
            Which::Right => self.right,
        };
        let call = act(stage)?;
        let verdict = stage.check(&call);
        Ok((call, verdict))
    }
}

/// All reproducers, in the order of the catalogue.
#[must_use]
pub fn reproducers() -> Vec<Reproducer> {
    let mut all: Vec<Reproducer> = acts::ACTS.iter().chain(acts_more::ACTS).copied().collect();
    let place = |id: &str| RULES.iter().position(|rule| rule.id == id);
    all.sort_by_key(|one| place(one.rule));
    all
}

/// The rules that have no reproducer, each with the reason.
pub const WITHOUT: &[(&str, &str)] = &[
    (
        "host.pointer-not-device-pointer",
        "needs a system on which registered host memory has another address for devices",
    ),
    (
        "symbol.past-end",
        "needs a program with __device__ variables, compiled by nvcc",
    ),
    (
        "kind.impossible-for-symbol",
        "needs a program with __device__ variables, compiled by nvcc",
    ),
    (
        "context.forked",
        "needs a process that forks after its first call",
    ),
    (
        "context.poisoned",
        "needs a context that died in this process",
    ),
    (
        "peer.wrong-ordinal",
        "the runtime's cudaMemcpyPeer alone names ordinals; two devices are needed",
    ),
    ("peer.pool-without-access", "needs two devices"),
    ("peer.virtual-without-access", "needs two devices"),
    ("peer.memset-other-device", "needs two devices"),
];

/// The rules that have neither a reproducer nor a reason.
#[must_use]
pub fn forgotten() -> Vec<&'static Rule> {
    let all = reproducers();
    RULES
        .iter()
        .copied()
        .filter(|rule| {
            !all.iter().any(|one| one.rule == rule.id)
                && !WITHOUT.iter().any(|(id, _)| *id == rule.id)
        })
        .collect()
}
