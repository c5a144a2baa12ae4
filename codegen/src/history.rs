//! The headers of many versions, side by side.

use std::collections::{BTreeMap, BTreeSet};

use crate::unit::{Definition, Function, Unit};

/// Since when a function exists, and until when it was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The oldest version known to have it, as CUDA counts: 12080 for 12.8.
    pub since: u32,
    /// The newest version that declares it, when that is not the newest of all.
    pub until: Option<u32>,
}

/// The units of one API, from the oldest version to the newest.
#[derive(Debug, Clone, Default)]
pub struct History {
    units: BTreeMap<u32, Unit>,
}

/// What one major of the runtime has for itself, or what all have in common.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// Names of definitions, in order.
    pub order: Vec<String>,
    /// Definitions by name.
    pub definitions: BTreeMap<String, Definition>,
    /// Functions with their lives.
    pub functions: BTreeMap<String, (Function, Life)>,
}

impl History {
    /// Adds the unit of `version` (12080 for 12.8).
    pub fn add(&mut self, version: u32, unit: Unit) {
        self.units.insert(version, unit);
    }

    /// The newest version and its unit.
    #[must_use]
    pub fn newest(&self) -> Option<(u32, &Unit)> {
        self.units
            .iter()
            .next_back()
            .map(|(version, unit)| (*version, unit))
    }

    /// When the function of this name and signature appeared and was last declared.
    ///
    /// Only the name counts for `signature = None`.
    #[must_use]
    pub fn life(&self, name: &str, signature: Option<&str>) -> Option<Life> {
        let has = |unit: &&Unit| {
            let function = unit.functions.get(name);
            function.is_some_and(|function| {
                signature.is_none_or(|wanted| function.signature() == wanted)
            })
        };
        let versions: Vec<u32> = self
            .units
            .iter()
            .filter(|(_, unit)| has(unit))
            .map(|(version, _)| *version)
            .collect();
        let (since, last) = (*versions.first()?, *versions.last()?);
        let newest = self.units.keys().next_back().copied();
        Some(Life {
            since,
            until: (Some(last) != newest).then_some(last),
        })
    }

    /// Splits the newest unit of each major into what all share and what is each one's own.
    ///
    /// A definition is shared when every major that has it has the same one and
    /// everything that it mentions is shared too. A function is shared when
    /// every major that has it has the same signature over shared types.
    #[must_use]
    pub fn split(&self, majors: &[u32]) -> (Share, BTreeMap<u32, Share>) {
        let newest: BTreeMap<u32, &Unit> = majors
            .iter()
            .filter_map(|major| {
                let of_major = self
                    .units
                    .iter()
                    .rfind(|(version, _)| *version / 1000 == *major);
                of_major.map(|(_, unit)| (*major, unit))
            })
            .collect();
        let own = self.not_shared(&newest);
        let mut shared = Share::default();
        let mut owned: BTreeMap<u32, Share> = BTreeMap::new();
        for (major, unit) in newest.iter().rev() {
            let mine = owned.entry(*major).or_default();
            for name in &unit.order {
                let definition = &unit.definitions[name];
                if own.contains(name.as_str()) {
                    mine.order.push(name.clone());
                    mine.definitions.insert(name.clone(), definition.clone());
                } else if let Some(known) = shared.definitions.get_mut(name) {
                    merge_values(known, definition);
                } else {
                    shared.order.push(name.clone());
                    shared.definitions.insert(name.clone(), definition.clone());
                }
            }
            for (name, function) in &unit.functions {
                let signature = function.signature();
                let Some(life) = self.life(name, Some(&signature)) else {
                    continue;
                };
                let differs = newest.values().filter_map(|unit| unit.functions.get(name));
                let differs = differs
                    .into_iter()
                    .any(|other| other.signature() != signature);
                let goes_to = if differs || mentions(&signature, &own) {
                    &mut *mine
                } else {
                    &mut shared
                };
                goes_to
                    .functions
                    .entry(name.clone())
                    .or_insert((function.clone(), life));
            }
        }
        (shared, owned)
    }

    /// Names that mean different things in different majors, and all that mention them.
    fn not_shared<'a>(&self, newest: &BTreeMap<u32, &'a Unit>) -> BTreeSet<&'a str> {
        let mut own = BTreeSet::new();
        let mut all: BTreeMap<&str, Vec<&Definition>> = BTreeMap::new();
        for unit in newest.values() {
            for (name, definition) in &unit.definitions {
                all.entry(name).or_default().push(definition);
            }
        }
        for (name, definitions) in &all {
            let same = definitions
                .iter()
                .all(|one| same_definition(one, definitions[0]));
            if !same {
                own.insert(*name);
            }
        }
        loop {
            let before = own.len();
            let more: Vec<&str> = all
                .iter()
                .filter(|(_, definitions)| definitions.iter().any(|one| mentions(&one.text, &own)))
                .map(|(name, _)| *name)
                .collect();
            own.extend(more);
            if own.len() == before {
                return own;
            }
        }
    }
}

/// Two definitions agree when their text does and no value of one contradicts the other.
fn same_definition(one: &Definition, other: &Definition) -> bool {
    let values: BTreeMap<&str, &str> = other
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let agrees = |name: &str, value: &str| values.get(name).is_none_or(|known| *known == value);
    one.text == other.text
        && one
            .values
            .iter()
            .all(|(name, value)| counts_values(name) || agrees(name, value))
}

/// Whether a value only says how many there are (`cudaDevAttrMax`), and so grows with every version.
fn counts_values(name: &str) -> bool {
    ["Max", "_MAX", "Count", "_COUNT"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Adds values that `known` lacks; of those that only count, the newest stays.
fn merge_values(known: &mut Definition, other: &Definition) {
    for value in &other.values {
        if !known.values.iter().any(|(name, _)| *name == value.0) {
            known.values.push(value.clone());
        }
    }
}

/// Whether the text has one of `names` as a word.
pub(crate) fn mentions(text: &str, names: &BTreeSet<&str>) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .any(|word| names.contains(word))
}
