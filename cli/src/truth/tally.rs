//! Counts of what agreed, and every case that did not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{Answer, Begun, Said, agree};

/// Counts of some cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Cases that were made.
    pub cases: u64,
    /// Of these, as predicted.
    pub agreed: u64,
    /// Calls that succeeded.
    pub succeeded: u64,
    /// Cases drawn to be almost right.
    pub near: u64,
    /// Calls that raised a signal.
    pub faults: u64,
    /// Contexts that died.
    pub dead: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.agreed += other.agreed;
        self.succeeded += other.succeeded;
        self.near += other.near;
        self.faults += other.faults;
        self.dead += other.dead;
    }
}

/// A case whose answer was not the predicted one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Disagreement {
    /// The case.
    pub case: u64,
    /// Its function.
    pub function: String,
    /// What was drawn: classes, direction, stream, what was made wrong.
    pub drawn: String,
    /// The call.
    pub call: String,
    /// What we said.
    pub predicted: String,
    /// What CUDA did.
    pub answered: String,
}

/// Counts by function and by class, every answer, and every disagreement.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Everything together.
    pub all: Counts,
    /// By function.
    pub functions: BTreeMap<String, Counts>,
    /// By class of either operand.
    pub classes: BTreeMap<String, Counts>,
    /// Answers by what was asked: cases of each, and one of them.
    pub table: BTreeMap<String, BTreeMap<String, (u64, u64)>>,
    /// Cases that were not as predicted.
    pub disagreements: Vec<Disagreement>,
}

impl Tally {
    pub(super) fn count(&mut self, begun: &Begun, answer: &Answer) {
        let told = agree(&begun.said, answer);
        let alone = match &begun.alone {
            Some(Said::CannotTell(_)) | None => true,
            Some(other) => agree(other, answer),
        };
        let one = Counts {
            cases: 1,
            agreed: u64::from(told && alone),
            succeeded: u64::from(answer.succeeded()),
            near: u64::from(begun.intent == "near"),
            faults: u64::from(answer.fault.is_some()),
            dead: u64::from(answer.sync != 0),
        };
        self.all.add(&one);
        self.functions
            .entry(begun.function.clone())
            .or_default()
            .add(&one);
        self.classes.entry(begun.dst.clone()).or_default().add(&one);
        if begun.src != begun.dst {
            self.classes.entry(begun.src.clone()).or_default().add(&one);
        }
        let row = [
            &begun.function,
            &begun.kind,
            &begun.dst,
            &begun.src,
            &begun.how,
            &begun.around,
        ];
        let row = row.map(String::as_str).join("\t");
        let place = self
            .table
            .entry(row)
            .or_default()
            .entry(answer.key())
            .or_insert((0, begun.case));
        place.0 += 1;
        if told && alone {
            return;
        }
        let predicted = if told {
            begun.alone.as_ref().map_or_else(String::new, |other| {
                format!("{} (without the registry)", other.words())
            })
        } else {
            begun.said.words()
        };
        let mut drawn = format!(
            "{} <- {}, {}: {}",
            begun.dst, begun.src, begun.intent, begun.how
        );
        for (word, value) in [("stream", &begun.stream), ("", &begun.around)] {
            if !value.is_empty() && value != "-" {
                drawn.push_str(&format!(", {word} {value}"));
            }
        }
        self.disagreements.push(Disagreement {
            case: begun.case,
            function: begun.function.clone(),
            drawn,
            call: begun.text.clone(),
            predicted,
            answered: answer.words(),
        });
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: Self) {
        self.all.add(&other.all);
        for (name, counts) in other.functions {
            self.functions.entry(name).or_default().add(&counts);
        }
        for (name, counts) in other.classes {
            self.classes.entry(name).or_default().add(&counts);
        }
        for (row, answers) in other.table {
            let place = self.table.entry(row).or_default();
            for (answer, (count, example)) in answers {
                let seen = place.entry(answer).or_insert((0, example));
                seen.0 += count;
                seen.1 = seen.1.min(example);
            }
        }
        self.disagreements.extend(other.disagreements);
    }
}
