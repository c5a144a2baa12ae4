//! Why a value is missing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a value is `null`.
///
/// In a report this is one word; `failed:` is followed by the C name of the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Reason {
    /// The device or the driver does not have this.
    Unsupported,
    /// This user may not ask.
    Denied,
    /// The library is older than the question.
    SymbolMissing,
    /// The question makes no sense here.
    NotApplicable,
    /// No answer within the time limit.
    TimedOut,
    /// Whoever collected did not ask (`--no-nvml`, `--no-cuda`).
    NotCollected,
    /// The library that knows cannot be loaded or does not start.
    LibraryMissing,
    /// The library that knows does not list this device.
    NotListed,
    /// Behaviour was not tried; `cuwhy doctor --probe` tries it.
    NotProbed,
    /// Taken out of the report because it identifies the machine or its owner.
    Removed,
    /// The call failed with this status.
    Failed(String),
    /// A reason that a newer version of this program knows.
    Other(String),
}

impl Reason {
    const WORDS: [(Self, &'static str); 10] = [
        (Self::Unsupported, "unsupported"),
        (Self::Denied, "denied"),
        (Self::SymbolMissing, "symbol_missing"),
        (Self::NotApplicable, "not_applicable"),
        (Self::TimedOut, "timed_out"),
        (Self::NotCollected, "not_collected"),
        (Self::LibraryMissing, "library_missing"),
        (Self::NotListed, "not_listed"),
        (Self::NotProbed, "not_probed"),
        (Self::Removed, "removed"),
    ];

    /// Says whether this is a failure, and not merely something that is not there.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::TimedOut)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(name) => write!(f, "failed:{name}"),
            Self::Other(word) => f.write_str(word),
            word => {
                let known = Self::WORDS.iter().find(|(reason, _)| reason == word);
                f.write_str(known.map_or("unknown", |(_, word)| word))
            }
        }
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.to_string()
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        if let Some(name) = text.strip_prefix("failed:") {
            return Self::Failed(name.to_owned());
        }
        let known = Self::WORDS.iter().find(|(_, word)| *word == text);
        known.map_or(Self::Other(text), |(reason, _)| reason.clone())
    }
}

impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        "Reason".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let words: Vec<&str> = Self::WORDS.iter().map(|(_, word)| *word).collect();
        schemars::json_schema!({
            "type": "string",
            "description": "Why a value is null: one of these words, or `failed:` and the C name of the status.",
            "pattern": format!("^({}|failed:.+)$", words.join("|")),
        })
    }
}

/// Names of missing values, each with the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Absent(pub BTreeMap<String, Reason>);

impl Absent {
    /// Turns an answer into a value, and remembers the reason if there is none.
    pub fn keep<T>(&mut self, key: &str, answer: Result<T, Reason>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(reason) => {
                self.set(key, reason);
                None
            }
        }
    }

    /// Remembers why a value is missing.
    pub fn set(&mut self, key: &str, reason: Reason) {
        self.0.insert(key.to_owned(), reason);
    }

    /// Gives one reason for every `null` among the fields of `values` that has none yet.
    pub fn explain_nulls(&mut self, values: &impl Serialize, reason: &Reason) {
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(values) else {
            return;
        };
        for (key, value) in fields {
            if value.is_null() {
                self.0.entry(key).or_insert_with(|| reason.clone());
            }
        }
    }

    /// Says why a value is missing.
    pub fn why(&self, key: &str) -> Option<&Reason> {
        self.0.get(key)
    }

    /// Says whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_being_written_and_read() {
        let reasons = Reason::WORDS.iter().map(|(reason, _)| reason.clone());
        for reason in reasons.chain([
            Reason::Failed("NVML_ERROR_UNKNOWN".into()),
            Reason::Other("newer".into()),
        ]) {
            assert_eq!(Reason::from(reason.to_string()), reason);
        }
    }
}
