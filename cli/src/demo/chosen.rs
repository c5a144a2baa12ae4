//! Which reproducers a command line names.

use cuwhy_validate::RULES;
use cuwhy_validate::repro::{Reproducer, reproducers};

use crate::failure::Failure;
use crate::near::near;

/// Something to show for a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    /// The reproducer's place in the list.
    pub(super) index: usize,
    /// Which of the rule's own it is, from 1.
    pub(super) form: usize,
    pub(super) reproducer: Reproducer,
}

impl Chosen {
    /// The rule's id.
    pub(super) const fn rule(&self) -> &'static str {
        self.reproducer.rule
    }
}

/// What these ids, or beginnings of ids, name, in the order of the catalogue; without any, all.
///
/// # Errors
///
/// [`Failure::Usage`] for one that names nothing, with the ids that are like it.
pub(super) fn choose(ids: &[String]) -> Result<Vec<Chosen>, Failure> {
    for id in ids {
        if !RULES.iter().any(|rule| names(id, rule.id)) {
            return Err(Failure::Usage(unknown(id)));
        }
    }
    let all = reproducers();
    let mut chosen = Vec::new();
    for rule in RULES {
        if !ids.is_empty() && !ids.iter().any(|id| names(id, rule.id)) {
            continue;
        }
        let own = all
            .iter()
            .enumerate()
            .filter(|(_, one)| one.rule == rule.id);
        let own = own.enumerate().map(|(form, (index, one))| Chosen {
            index,
            form: form + 1,
            reproducer: *one,
        });
        chosen.extend(own);
    }
    Ok(chosen)
}

/// Whether a word of the command line names this rule: whole, or its area.
fn names(word: &str, id: &str) -> bool {
    word == id
        || id
            .strip_prefix(word)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// What to say of a word that names no rule.
pub(crate) fn unknown(word: &str) -> String {
    let area = word.split('.').next().unwrap_or(word);
    let ids = RULES.iter().map(|rule| rule.id);
    let like = near(word, ids, |id| id.split('.').any(|part| part == area));
    if like.is_empty() {
        return format!("no rule is called {word}; `cuwhy rules` lists them all");
    }
    format!(
        "no rule is called {word}; there are {}, and `cuwhy rules` lists them all",
        like.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(word: &str) -> String {
        choose(&[word.to_owned()])
            .expect_err("no rule is called so")
            .to_string()
    }

    #[test]
    fn a_word_that_names_nothing_gets_what_is_like_it() {
        assert!(refusal("range.pastend").contains("range.past-end"));
        assert!(refusal("range.nonsense").contains("range.past-end"));
        assert!(refusal("pich.in-elements").contains("pitch.in-elements"));
        let far = refusal("colour");
        assert!(far.ends_with("`cuwhy rules` lists them all"), "{far}");
    }

    #[test]
    fn an_area_names_its_rules_and_nothing_names_all() {
        let named = choose(&["batch".to_owned()]).expect("it is an area");
        assert!(named.iter().all(|one| one.rule().starts_with("batch.")));
        let rules: std::collections::BTreeSet<_> = named.iter().map(Chosen::rule).collect();
        assert_eq!(rules.len(), 5);
        let all = choose(&[]).expect("nothing is wrong with it");
        for rule in RULES {
            assert!(all.iter().any(|one| one.rule() == rule.id), "{}", rule.id);
        }
    }
}
