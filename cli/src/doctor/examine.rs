//! Running the checks in order.

use cuwhy_device_state::{Report, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalogue::CHECKS;
use super::check::{Check, Evidence, Finding, Outcome, Word};

/// The number of the diagnosis' format. Additions keep it, anything else raises it.
const SCHEMA: u32 = 1;

/// What all checks found, and the report that they looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The number of this format.
    pub schema: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// The checks, in order.
    pub checks: Vec<Finding>,
    /// How many ended how.
    pub summary: Summary,
    /// What the checks looked at.
    pub report: Report,
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// As it should be.
    pub passed: usize,
    /// Worth a look.
    pub warned: usize,
    /// Wrong.
    pub failed: usize,
    /// Not looked at.
    pub skipped: usize,
}

/// Which checks are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only these, if any: ids or their beginnings, up to a dot.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

impl Choice {
    fn wants(&self, id: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| covers(name, id));
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// Names the entries that stand for no check.
    pub fn unknown(&self) -> Option<&str> {
        self.only
            .iter()
            .chain(&self.skip)
            .find(|name| !CHECKS.iter().any(|check| covers(name, check.id)))
            .map(String::as_str)
    }
}

/// Says whether `name` is this id, or a part of it that ends before a dot.
fn covers(name: &str, id: &str) -> bool {
    id.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Runs the checks over a report.
pub fn examine(report: Report, choice: &Choice, tool: Tool) -> Diagnosis {
    let mut all: Vec<(&Check, Outcome, Option<String>)> = Vec::new();
    for check in CHECKS {
        // The first failure is the cause: whoever stands on it says so, and no more.
        let cause = check.needs.iter().find_map(|need| {
            let (_, outcome, because) = all.iter().find(|(known, _, _)| known.id == *need)?;
            match outcome.word {
                Word::Fail => Some((*need).to_owned()),
                Word::Skip => because.clone(),
                _ => None,
            }
        });
        let outcome = match &cause {
            Some(cause) => Outcome::skip(format!("because {cause} failed")),
            None => (check.run)(&report),
        };
        all.push((check, outcome, cause));
    }
    let checks: Vec<Finding> = all
        .into_iter()
        .filter(|(check, _, _)| choice.wants(check.id))
        .map(|(check, outcome, because)| Finding {
            id: check.id.to_owned(),
            title: check.title.to_owned(),
            result: outcome.word,
            says: outcome.says,
            evidence: outcome
                .evidence
                .into_iter()
                .map(|(name, value)| Evidence { name, value })
                .collect(),
            next: outcome.next,
            because,
        })
        .collect();
    let count = |word| checks.iter().filter(|check| check.result == word).count();
    Diagnosis {
        schema: SCHEMA,
        tool,
        summary: Summary {
            passed: count(Word::Pass),
            warned: count(Word::Warn),
            failed: count(Word::Fail),
            skipped: count(Word::Skip),
        },
        checks,
        report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_their_beginnings_choose() {
        let only = |name: &str| Choice {
            only: vec![name.into()],
            skip: vec!["memory.managed".into()],
        };
        assert!(only("memory").wants("memory.pool"));
        assert!(!only("memory").wants("memory.managed"));
        assert!(!only("mem").wants("memory.pool"));
        assert!(only("library.driver").wants("library.driver.found"));
        assert_eq!(only("mem").unknown(), Some("mem"));
        assert_eq!(only("memory").unknown(), None);
    }
}
