//! The catalogue as data: ids, texts, shadows, and the book that is made of it.

use cuwhy_validate::{RULES, book, finding};
use std::collections::HashSet;
use std::fs;

#[test]
fn ids_are_permanent_dotted_and_unique() {
    let mut seen = HashSet::new();
    for rule in RULES {
        assert!(seen.insert(rule.id), "{} twice", rule.id);
        let (area, name) = rule.id.split_once('.').expect("two parts");
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        assert!(plain(area) && plain(name), "{}", rule.id);
    }
    assert_eq!(RULES.len(), 60, "a rule was added or lost");
}

#[test]
fn every_rule_says_everything() {
    for rule in RULES {
        for text in [rule.statement, rule.cuda, rule.source, rule.detection] {
            assert!(
                text.len() > 8 && !text.ends_with('.'),
                "{}: {text}",
                rule.id
            );
        }
        assert_ne!(rule.example.wrong, rule.example.right, "{}", rule.id);
        for shadow in rule.shadows {
            assert!(
                RULES
                    .iter()
                    .any(|other| other.id == *shadow && other.id != rule.id),
                "{} shadows {shadow}",
                rule.id
            );
        }
    }
}

#[test]
fn no_two_rules_shadow_each_other() {
    for one in RULES {
        for two in RULES {
            let both = one.shadows.contains(&two.id) && two.shadows.contains(&one.id);
            assert!(!both, "{} and {} would both be silent", one.id, two.id);
        }
    }
}

#[test]
fn the_rule_book_is_up_to_date() {
    let Some(folder) = cuwhy_tests::workspace("docs/rules") else {
        return;
    };
    let pages = book::pages();
    for page in &pages {
        let written = fs::read_to_string(folder.join(&page.file)).unwrap_or_default();
        assert!(
            written == page.text,
            "docs/rules/{} differs: cargo run -p cuwhy-validate --example rule_book",
            page.file
        );
    }
    let known: HashSet<_> = pages.iter().map(|page| page.file.clone()).collect();
    for entry in fs::read_dir(folder).expect("the book is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            known.contains(&name),
            "docs/rules/{name} belongs to no rule"
        );
    }
}

#[test]
fn the_schema_of_a_finding_is_in_the_documents() {
    let Some(file) = cuwhy_tests::workspace("docs/schema/finding-1.json") else {
        return;
    };
    let written = fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == finding::SCHEMA,
        "docs/schema/finding-1.json differs: cargo run -p cuwhy-validate --example rule_book"
    );
}
