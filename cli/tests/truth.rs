//! `cuwhy truth` on a simulated driver: a small run that is the same on every machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn truth(arguments: &[&str]) -> Output {
    Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"))
        .args(["truth", "--sim", "--workers", "2"])
        .args(arguments)
        .env_remove("CUWHY_LIBCUDA")
        .env_remove("CUWHY_LIBCUDART")
        .env_remove("CUDA_VISIBLE_DEVICES")
        .env_remove("CUWHY_SIM")
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A run of which every answer must be the predicted one, with as many right and almost right calls of each function
/// as there should be, as far as so few cases tell.
fn all_as_predicted(cases: u64, arguments: &[&str]) -> Value {
    let number = cases.to_string();
    let mut all = vec!["--format", "json", "--cases", &number];
    all.extend(arguments);
    let run = truth(&all);
    let found = json(&run);
    let disagreements = found["disagreements"].as_array().unwrap();
    let lines: Vec<String> = disagreements
        .iter()
        .map(|one| {
            format!(
                "{} {} | predicted {} answered {}\n",
                one["again"], one["drawn"], one["predicted"], one["answered"]
            )
        })
        .collect();
    assert!(
        lines.is_empty(),
        "{} of the simulator's answers are not the predicted ones:\n{}",
        lines.len(),
        lines.concat()
    );
    assert_eq!(run.status.code(), Some(0));
    let count = |of: &Value, what: &str| of[what].as_u64().unwrap();
    let all = &found["all"];
    assert_eq!(count(all, "cases"), cases);
    assert_eq!(count(all, "agreed"), cases);
    assert!(count(all, "faults") > 0, "{found}");
    assert!(count(all, "dead") > 0, "{found}");
    let functions = found["functions"].as_object().unwrap();
    for (name, one) in functions.iter().chain([(&"all".to_owned(), all)]) {
        let cases = count(one, "cases");
        let chance = 2 * cases.isqrt();
        for (what, share) in [("succeeded", 40), ("near", 30)] {
            let seen = count(one, what);
            assert!(
                (seen + chance) * 100 >= cases * share,
                "{name}: {what} {seen} of {cases}"
            );
        }
    }
    found
}

#[test]
fn a_small_run_draws_everything_and_the_simulator_answers_as_predicted() {
    let found = all_as_predicted(3840, &["--seed", "5", "--devices", "1"]);
    let functions = found["functions"].as_object().unwrap();
    assert!(functions.len() >= 50, "{}", functions.len());
    assert_eq!(found["devices"], 1);
}

#[test]
fn calls_over_two_devices_are_answered_as_predicted_with_every_runtime() {
    for (cudart, seed) in [("13", "31"), ("12", "32"), ("11", "33")] {
        let found = all_as_predicted(
            2560,
            &["--devices", "2", "--seed", seed, "--cudart", cudart],
        );
        assert_eq!(found["devices"], 2);
        let functions = found["functions"].as_object().unwrap();
        for name in ["cuMemcpy3DPeer", "cudaMemcpy3DPeerAsync"] {
            assert!(functions.contains_key(name), "{name}");
        }
        let classes = found["classes"].as_object().unwrap();
        for class in [
            "device_1",
            "device_freed_1",
            "managed_1",
            "pinned_1",
            "registered_1",
            "pool_1",
            "pool_shared_1",
            "virtual_1",
            "virtual_lent_1",
            "virtual_shared_1",
            "virtual_shown_1",
            "symbol_1",
            "array_2d_1",
        ] {
            assert!(classes.contains_key(class), "{class}");
        }
    }
}

#[test]
fn two_devices_are_refused_where_there_is_one() {
    let run = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"))
        .args(["truth", "--sim", "--devices", "2", "--cases", "1"])
        .env_remove("CUWHY_LIBCUDA")
        .env("CUWHY_SIM", "devices=1")
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(3));
}

/// What was drawn, and how often. What is answered may depend on what lies beside an allocation, and that on
/// which stream was faster to give memory back.
fn drawn(table: &Path) -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(table).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines().skip(2) {
        let columns: Vec<&str> = line.split('\t').collect();
        *found.entry(columns[..6].join(" ")).or_default() += columns[7].parse::<u64>().unwrap();
    }
    found
}

#[test]
fn a_case_is_the_same_alone_as_in_a_run_and_a_run_goes_on_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.tsv"), folder.path().join("two.tsv"));
    let journal = folder.path().join("journal");
    let whole = [
        "--cases",
        "384",
        "--seed",
        "9",
        "--format",
        "json",
        "--out",
        one.to_str().unwrap(),
    ];
    let first = json(&truth(&whole));
    assert_eq!(first["all"]["cases"], 384);
    // Interrupted: the journal's last line is cut off.
    let journalled = [
        "--cases",
        "384",
        "--seed",
        "9",
        "--format",
        "json",
        "--journal",
        journal.to_str().unwrap(),
        "--out",
        two.to_str().unwrap(),
    ];
    let as_first = |run: &Value| {
        for what in ["cases", "agreed", "near"] {
            assert_eq!(run["all"][what], first["all"][what], "{what}");
        }
    };
    as_first(&json(&truth(&journalled)));
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, &text[..text.len() - 100]).unwrap();
    as_first(&json(&truth(&journalled)));
    assert_eq!(drawn(&one), drawn(&two));
    // A line of the table names a case: alone it gives that line.
    let table = std::fs::read_to_string(&one).unwrap();
    let line = table.lines().nth(40).unwrap();
    let case = line.rsplit('\t').next().unwrap();
    let alone = [
        "--case",
        case,
        "--seed",
        "9",
        "--out",
        two.to_str().unwrap(),
    ];
    truth(&alone);
    let same = std::fs::read_to_string(&two).unwrap();
    let columns = |line: &str| {
        line.split('\t')
            .take(6)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(columns(same.lines().nth(2).unwrap()), columns(line));
}

#[test]
fn one_function_is_tried_alone_and_the_line_that_repeats_a_case_names_it() {
    const NAME: &str = "cudaMemcpy3DBatchAsync";
    let run = truth(&["--only", NAME, "--cases", "256", "--format", "json"]);
    let found = json(&run);
    assert_eq!(run.status.code(), Some(0), "{found}");
    let functions: Vec<&String> = found["functions"].as_object().unwrap().keys().collect();
    assert_eq!(functions, [NAME]);
    let none = truth(&["--only", NAME, "--cudart", "11", "--cases", "1"]);
    assert_eq!(none.status.code(), Some(3), "11 has no such function");
    let unknown = truth(&["--only", "cudaMemcpy4D"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("cudaMemcpy4D"), "{said}");
}

#[test]
fn a_driver_that_is_not_simulated_is_refused_where_the_simulator_was_asked_for() {
    let run = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"))
        .args(["truth", "--sim", "--cases", "1"])
        .env("CUWHY_LIBCUDA", "/nonexistent/libcuda.so.1")
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(3));
}
