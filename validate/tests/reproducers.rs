//! Every rule fires on its reproducer and stays silent on the twin: on the simulator with the runtime of
//! each major, and on the machine's device.

use cuda_sys::driver::Driver;
use cuda_sys::runtime::Runtime;
use cuwhy_tests::{here, on_cuda};
use cuwhy_validate::repro::{Reproducer, Skip, Stage, Which, forgotten, reproducers};
use cuwhy_validate::{Prediction, Severity, Verdict};
use std::env;
use std::process::Command;

/// Names a single call to be made: `rule wrong`.
const ONE: &str = "CUWHY_TEST_REPRODUCER";

fn stage() -> Stage {
    let driver = Driver::get().expect("there is a driver");
    let runtime = Runtime::get().expect("there is a runtime");
    Stage::open(driver, Some(runtime)).expect("there is a device")
}

#[test]
fn no_rule_is_forgotten() {
    let forgotten: Vec<&str> = forgotten().into_iter().map(|rule| rule.id).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

/// What a status says about a prediction.
fn agrees(prediction: Prediction, status: u32) -> bool {
    match prediction {
        Prediction::Success => status == 0,
        Prediction::Status(code) => status == code,
        Prediction::CannotTell(_) => true,
        _ => false,
    }
}

fn wrong_ones(rule: &str, verdict: &Verdict, which: Which) -> Option<String> {
    let said: Vec<&str> = verdict.findings.iter().map(|one| one.rule).collect();
    let fires = said.first() == Some(&rule);
    let silent = verdict
        .findings
        .iter()
        .all(|one| one.severity == Severity::Note);
    match which {
        Which::Wrong if !fires => Some(format!("{rule}: the wrong call gets {said:?}")),
        Which::Right if !silent => Some(format!("{rule}: the twin gets {said:?}")),
        _ => None,
    }
}

/// Whether a process of its own dies of this call.
fn dies(rule: &str) -> bool {
    let me = env::current_exe().expect("a test has a binary");
    let status = Command::new(me)
        .args([
            "--exact",
            "one_call_in_a_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env(ONE, rule)
        .status()
        .expect("it starts");
    status.code().is_none()
}

#[test]
#[ignore = "it dies: the other test starts it in a process of its own"]
fn one_call_in_a_process_of_its_own() {
    let (rule, stage) = (env::var(ONE).expect("a rule is named"), stage());
    let all = reproducers();
    let one = all.iter().find(|one| one.rule == rule).expect("a rule");
    let (call, _) = one.judge(&stage, Which::Wrong).expect("the scene is set");
    drop(stage.make(&call));
}

fn show(one: &Reproducer, which: Which, stage: &Stage) -> Result<Vec<String>, Skip> {
    let (call, verdict) = one.judge(stage, which)?;
    let mut wrong: Vec<String> = wrong_ones(one.rule, &verdict, which).into_iter().collect();
    if verdict.prediction.is_deadly() {
        if !dies(one.rule) {
            let answer = verdict.prediction;
            wrong.push(format!("{}: it lives, predicted {answer:?}", one.rule));
        }
    } else {
        let status = stage.make(&call)?;
        if !agrees(verdict.prediction, status) {
            let (rule, answer) = (one.rule, verdict.prediction);
            wrong.push(format!("{rule} {which:?}: {status}, predicted {answer:?}"));
        }
    }
    Ok(wrong)
}

#[test]
fn every_rule_fires_and_every_twin_is_silent() {
    on_cuda(here!(), show_all);
}

fn show_all() {
    let stage = stage();
    let (mut wrong, mut skipped, mut shown) = (Vec::new(), Vec::new(), 0);
    for one in reproducers() {
        for which in [Which::Wrong, Which::Right] {
            match show(&one, which, &stage) {
                Ok(found) => {
                    wrong.extend(found);
                    shown += 1;
                }
                Err(skip) => skipped.push(format!("{} {which:?}: {skip}", one.rule)),
            }
            stage.tidy().expect("the stage goes on");
        }
    }
    assert!(
        wrong.is_empty(),
        "{shown} shown, {} wrong:\n{}\nskipped:\n{}",
        wrong.len(),
        wrong.join("\n"),
        skipped.join("\n")
    );
    assert!(
        shown > 80,
        "{shown} shown, skipped:\n{}",
        skipped.join("\n")
    );
}
