//! What is written about the command agrees with the command.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;

use cuwhy_cli::doctor::CHECKS;
use cuwhy_cli::exit::Exit;
use cuwhy_device_state::probe::{TRIALS, UNTRIED};
use cuwhy_device_state::{CAPABILITIES, capability};
use cuwhy_tests::workspace;

/// A page of the documentation; none in an archive.
fn document(name: &str) -> Option<String> {
    let page = workspace(&format!("docs/{name}"))?;
    Some(fs::read_to_string(page).unwrap())
}

#[test]
fn every_check_is_in_the_document_in_order_and_no_other() {
    let Some(text) = document("doctor.md") else {
        return;
    };
    let written: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|id| id.contains('.'))
        .collect();
    let known: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(written, known);
    for check in CHECKS {
        assert!(text.contains(check.when), "{}: {}", check.id, check.when);
    }
}

#[test]
fn every_trial_is_in_the_document_and_is_a_capability() {
    let Some(text) = document("doctor.md") else {
        return;
    };
    for trial in TRIALS {
        assert!(
            text.contains(&format!("| `{}` |", trial.key)),
            "{}",
            trial.key
        );
        assert!(capability(trial.key).is_some(), "{}", trial.key);
    }
    for (key, why) in UNTRIED {
        assert!(text.contains(&format!("| `{key}` | {why} |")), "{key}");
    }
    assert!(CAPABILITIES.len() > TRIALS.len());
}

#[test]
fn every_exit_code_is_in_the_document() {
    let Some(text) = document("exit-codes.md") else {
        return;
    };
    let written: Vec<u8> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    let known: Vec<u8> = Exit::ALL.iter().map(|(exit, _)| exit.0).collect();
    assert_eq!(written, known);
}
