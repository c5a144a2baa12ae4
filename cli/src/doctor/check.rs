//! What a check is, and what comes of it.

use cuwhy_device_state::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One check. Ids are permanent: never reused, never renamed.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The name by which people and programs speak of it.
    pub id: &'static str,
    /// What it looks at, as a phrase.
    pub title: &'static str,
    /// How it looks, for `cuwhy explain`.
    pub how: &'static str,
    /// When it warns or fails, for `cuwhy explain`.
    pub when: &'static str,
    /// What to do then, for `cuwhy explain`.
    pub next: &'static str,
    /// The checks without which this one means nothing.
    pub needs: &'static [&'static str],
    /// Looks.
    pub run: fn(&Report) -> Outcome,
}

/// How a check ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// As it should be.
    Pass,
    /// Worth a look; programs may still work.
    Warn,
    /// Wrong.
    Fail,
    /// Not looked at, and why.
    Skip,
}

impl Word {
    /// The word as it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub word: Word,
    /// One sentence, or the number that matters.
    pub says: String,
    /// What it saw: names and values.
    pub evidence: Vec<(String, String)>,
    /// What to do.
    pub next: Option<String>,
}

impl Outcome {
    /// As it should be.
    pub fn pass(says: impl Into<String>) -> Self {
        Self::new(Word::Pass, says)
    }

    /// Worth a look.
    pub fn warn(says: impl Into<String>) -> Self {
        Self::new(Word::Warn, says)
    }

    /// Wrong.
    pub fn fail(says: impl Into<String>) -> Self {
        Self::new(Word::Fail, says)
    }

    /// Not looked at.
    pub fn skip(says: impl Into<String>) -> Self {
        Self::new(Word::Skip, says)
    }

    fn new(word: Word, says: impl Into<String>) -> Self {
        Self {
            word,
            says: says.into(),
            evidence: Vec::new(),
            next: None,
        }
    }

    /// Adds what was seen.
    #[must_use]
    pub fn saw(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.evidence.push((name.into(), value.into()));
        self
    }

    /// Adds everything that was seen.
    #[must_use]
    pub fn saw_all(mut self, evidence: Vec<(String, String)>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// A check and its outcome, as written in reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The check.
    pub id: String,
    /// What it looks at.
    pub title: String,
    /// How it ended.
    pub result: Word,
    /// One sentence, or the number that matters.
    pub says: String,
    /// What it saw.
    pub evidence: Vec<Evidence>,
    /// What to do, where there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// For a skipped check, the check that made it pointless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Something that a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What.
    pub name: String,
    /// The value, or what was said.
    pub value: String,
}
