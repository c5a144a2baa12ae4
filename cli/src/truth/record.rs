//! What a worker says of a case, and whether prediction and answer agree.

use cuwhy_validate::Prediction;
use serde::{Deserialize, Serialize};

/// A prediction as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Said {
    /// The call returns this.
    Status(u32),
    /// A signal at this page.
    Fault(u64),
    /// A signal somewhere.
    Crash,
    /// Success, and then this.
    Dies(u32),
    /// No prediction.
    CannotTell(String),
}

impl From<Prediction> for Said {
    fn from(prediction: Prediction) -> Self {
        match prediction {
            Prediction::Success => Self::Status(0),
            Prediction::Status(code) => Self::Status(code),
            Prediction::Fault { page, .. } => Self::Fault(page),
            Prediction::Crash => Self::Crash,
            Prediction::ContextDies(code) => Self::Dies(code),
            Prediction::CannotTell(missing) => Self::CannotTell(format!("{missing:?}")),
            other => Self::CannotTell(format!("{other:?}")),
        }
    }
}

impl Said {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Status(code) => code.to_string(),
            Self::Fault(page) => format!("fault at page {page:#x}"),
            Self::Crash => "crash".into(),
            Self::Dies(code) => format!("0, then {code}"),
            Self::CannotTell(why) => format!("cannot tell: {why}"),
        }
    }
}

/// A case, as it stands before the call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) case: u64,
    pub(super) function: String,
    /// The direction where it is an argument.
    pub(super) kind: String,
    pub(super) dst: String,
    pub(super) src: String,
    pub(super) stream: String,
    pub(super) around: String,
    pub(super) intent: String,
    pub(super) how: String,
    pub(super) text: String,
    pub(super) said: Said,
    /// What is said without the registry, where that is something else.
    pub(super) alone: Option<Said>,
}

impl Begun {
    /// A case that is being predicted: its number and its function.
    pub(super) fn unpredicted(text: &str) -> Option<Self> {
        let (case, function) = text.split_once(' ')?;
        let none = || "-".to_owned();
        Some(Self {
            case: case.parse().ok()?,
            function: function.into(),
            kind: none(),
            dst: none(),
            src: none(),
            stream: none(),
            around: String::new(),
            intent: none(),
            how: none(),
            text: "the process died while the call was predicted".into(),
            said: Said::CannotTell("died".into()),
            alone: None,
        })
    }
}

/// What came of the call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) status: Option<u32>,
    /// What the next synchronisation said.
    pub(super) sync: u32,
    /// The signal that was raised, and where.
    pub(super) fault: Option<(i32, u64)>,
    /// How the process ended, if it did without a signal of ours.
    pub(super) ended: Option<String>,
}

impl Answer {
    /// A signal, a code, or a code and one that came later: what a table of answers has.
    pub(super) fn key(&self) -> String {
        match (self.fault, self.status, &self.ended) {
            (Some((libc::SIGBUS, _)), ..) => "SIGBUS".into(),
            (Some(_), ..) => "SIGSEGV".into(),
            (None, Some(status), _) if self.sync == 0 => status.to_string(),
            (None, Some(status), _) => format!("{status}, then {}", self.sync),
            (None, None, Some(how)) => how.clone(),
            (None, None, None) => "nothing".into(),
        }
    }

    pub(super) fn words(&self) -> String {
        match self.fault {
            Some((_, address)) => format!("{} at {address:#x}", self.key()),
            None => self.key(),
        }
    }

    pub(super) fn succeeded(&self) -> bool {
        self.status == Some(0) && self.sync == 0 && self.fault.is_none()
    }
}

const PAGE: u64 = 4096;

/// Whether CUDA did what was predicted.
pub(super) fn agree(said: &Said, answer: &Answer) -> bool {
    match (said, answer.fault) {
        (Said::CannotTell(_), _) => false,
        // The kernel names no address for one that no pointer can have.
        (Said::Fault(page), Some((_, address))) => {
            let canonical = *page < 1 << 47 || *page >= 0xffff_8000_0000_0000;
            address & !(PAGE - 1) == *page || !canonical && address == 0
        }
        (Said::Crash, Some(_)) => true,
        (Said::Crash, None) => answer.status.is_none() && answer.ended.is_some(),
        (Said::Fault(_), None) | (_, Some(_)) => false,
        (Said::Status(code), None) => answer.status == Some(*code) && answer.sync == 0,
        // A call that waits may bring the news itself.
        (Said::Dies(code), None) => {
            matches!(answer.status, Some(status) if status == 0 || status == *code)
                && answer.sync == *code
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u32, sync: u32) -> Answer {
        Answer {
            status: Some(status),
            sync,
            ..Answer::default()
        }
    }

    fn fault(address: u64) -> Answer {
        Answer {
            fault: Some((libc::SIGSEGV, address)),
            ..Answer::default()
        }
    }

    #[test]
    fn what_was_said_must_happen_exactly() {
        assert!(agree(&Said::Status(0), &answer(0, 0)));
        assert!(!agree(&Said::Status(0), &answer(0, 700)));
        assert!(agree(&Said::Dies(700), &answer(0, 700)));
        assert!(agree(&Said::Fault(0x1000), &fault(0x1010)));
        assert!(!agree(&Said::Fault(0x1000), &fault(0x2000)));
        assert!(agree(&Said::Fault(0xdead_0000_0000_0000), &fault(0)));
        assert!(!agree(&Said::Status(0), &fault(0x1000)));
        assert!(!agree(&Said::CannotTell("x".into()), &answer(0, 0)));
    }
}
