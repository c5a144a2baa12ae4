//! The prediction against every call that a real GPU was asked.
//!
//! Facts are built from the table of pointer attributes, as the driver gave them; the answers are
//! in another table, which nothing but the comparison reads.

mod common;

use common::{COPIES, world};
use cuwhy_validate::{Call, Kind, Prediction, Severity, check};

fn kind(name: &str) -> Kind {
    match name {
        "H2H" => Kind::HostToHost,
        "H2D" => Kind::HostToDevice,
        "D2H" => Kind::DeviceToHost,
        "D2D" => Kind::DeviceToDevice,
        "Default" => Kind::Default,
        other => Kind::from_raw(other.trim_start_matches("bad").parse().expect("a number")),
    }
}

fn answer(prediction: Prediction) -> String {
    match prediction {
        Prediction::Success => "0".into(),
        Prediction::Status(code) => code.to_string(),
        Prediction::Fault { .. } => "SIGSEGV".into(),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_line_of_the_table_is_predicted() {
    let (world, operands) = world();
    let (mut lines, mut wrong) = (0, Vec::new());
    for line in COPIES.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, dst, src, count, result] = columns[..] else {
            panic!("five columns: {line}");
        };
        let bytes = count.parse().unwrap();
        let call = Call::memcpy(operands[dst], operands[src], bytes, kind(name));
        let verdict = check(&call, &world, None);
        let ours = answer(verdict.prediction);
        if ours != result {
            wrong.push(format!("{line}: predicted {ours}"));
        }
        let errors = verdict
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        // One memory for both sides overlaps: accepted, and wrong.
        let overlaps = dst == src || dst.contains("4MiB") && src.contains("4MiB");
        if (result == "0") != (errors == 0) && !overlaps {
            let said: Vec<_> = verdict.findings.iter().map(|one| one.rule).collect();
            wrong.push(format!("{line}: {said:?}"));
        }
        lines += 1;
    }
    assert_eq!(lines, 2764);
    assert!(
        wrong.is_empty(),
        "{} lines:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
