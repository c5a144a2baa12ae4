//! Every rule fires on its reproducer, names the operand and the byte that are wrong, and stays
//! silent on the twin; CUDA answers both as predicted. On the simulator with the runtime of each
//! major, and with `CUWHY_TEST_GPU=require` on the machine's device with the runtime that
//! `CUWHY_LIBCUDART` names.

use cuwhy_validate::Verdict;
use cuwhy_validate::finding::SCHEMA;
use serde_json::Value;
#[path = "common/schema.rs"]
mod schema;

use std::env;
use std::process::{self, Command};

use cuda_sys::driver::Driver;
use cuda_sys::runtime::Runtime;
use cuwhy_tests::{here, is_on_machine, on_cuda_with};
use cuwhy_validate::repro::{
    Answer, Place, Reproducer, Skip, Stage, Which, forgotten, reproducers,
};

/// Names a single call to be made: its place in the list.
const ONE: &str = "CUWHY_TEST_REPRODUCER";
/// The exit code of a process in which the call was made and is as it should be.
const GOOD: i32 = 87;
/// The exit code of a process in which the scene could not be set.
const SKIPPED: i32 = 88;

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

/// Whether this reproducer's call is made in a process of its own, and by which signal it dies there.
fn in_its_own_process(index: usize) -> Result<Result<(), i32>, Skip> {
    use std::os::unix::process::ExitStatusExt as _;
    let me = env::current_exe().expect("a test has a binary");
    let answer = Command::new(me)
        .args([
            "--exact",
            "one_call_in_a_process_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env(ONE, index.to_string())
        .output()
        .expect("it starts");
    match (answer.status.code(), answer.status.signal()) {
        (Some(GOOD), _) => Ok(Ok(())),
        (Some(SKIPPED), _) => Err(Skip::Needs("what its own process says")),
        (None, Some(signal)) => Ok(Err(signal)),
        _ => panic!(
            "{}{}",
            String::from_utf8_lossy(&answer.stdout),
            String::from_utf8_lossy(&answer.stderr)
        ),
    }
}

/// Waits for the child of a fork and ends as it ended; returns in the child alone.
fn fork() {
    // SAFETY: the child goes on in this one thread, and what the driver's threads held is nothing
    // that it needs: every call of the driver is refused there.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "it forks");
    if child == 0 {
        return;
    }
    let mut status = 0;
    // SAFETY: `child` is a child of this process and `status` a live number.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    process::exit(libc::WEXITSTATUS(status));
}

#[test]
#[ignore = "it may die: the other test starts it in a process of its own"]
fn one_call_in_a_process_of_its_own() {
    let index = env::var(ONE).expect("a call is named");
    let one = reproducers()[index.parse::<usize>().expect("a number")];
    let stage = stage();
    let Ok(call) = one.call(&stage, Which::Wrong) else {
        process::exit(SKIPPED);
    };
    if one.place == Place::Forked {
        fork();
    }
    let verdict = stage.check(&call);
    let complaints = one.complaints(Which::Wrong, &verdict);
    assert!(complaints.is_empty(), "{}: {complaints:?}", one.rule);
    let answer = stage.answer(&call).expect("it can be made");
    let (rule, predicted) = (one.rule, verdict.prediction);
    assert!(
        answer.is(predicted),
        "{rule}: {answer:?}, not {predicted:?}"
    );
    process::exit(GOOD);
}

/// What of the findings' JSON does not keep to the schema.
fn unlike_the_schema(verdict: &Verdict) -> Option<String> {
    let root: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    verdict.findings.iter().find_map(|finding| {
        let value: Value = serde_json::from_str(&finding.json()).expect("a line is JSON");
        schema::conforms(&root, &root, &value).err()
    })
}

/// What is wrong with one of the two calls of a reproducer.
fn show(index: usize, one: &Reproducer, which: Which, stage: &Stage) -> Result<Vec<String>, Skip> {
    let alone = one.place(which) != Place::Here;
    if alone {
        return Ok(match in_its_own_process(index)? {
            Ok(()) => Vec::new(),
            Err(signal) => vec![format!("its process died of signal {signal}")],
        });
    }
    stage.enter()?;
    let call = one.call(stage, which)?;
    let verdict = stage.check(&call);
    let mut wrong = one.complaints(which, &verdict);
    wrong.extend(unlike_the_schema(&verdict));
    let predicted = verdict.prediction;
    let answer = if predicted.is_deadly() {
        stage.tidy()?;
        match in_its_own_process(index)? {
            Ok(()) => Answer::Status {
                status: 0,
                later: 0,
            },
            Err(signal) => Answer::Signal(signal),
        }
    } else {
        stage.answer(&call)?
    };
    if !answer.is(predicted) {
        wrong.push(format!("{answer:?}, predicted {predicted:?}"));
    }
    Ok(wrong)
}

fn all(on_machine: bool, setting: Option<&str>, at_least: usize) {
    let stage = stage();
    let (mut wrong, mut skipped, mut shown) = (Vec::new(), Vec::new(), 0);
    let all = reproducers();
    let own = all.iter().enumerate();
    for (index, one) in own.filter(|(_, one)| one.setting == setting) {
        for which in [Which::Wrong, Which::Right] {
            let line = |text: &dyn core::fmt::Display| format!("{} {which:?}: {text}", one.rule);
            match show(index, one, which, &stage) {
                Ok(found) => {
                    wrong.extend(found.iter().map(|text| line(text)));
                    shown += 1;
                }
                // The simulator has two; a machine need not.
                Err(Skip::Needs("two devices")) if on_machine => {}
                Err(Skip::Needs(what)) if on_machine && what.starts_with("a device with") => {}
                // No machine does what only the simulator does under a setting.
                Err(_) if on_machine && setting.is_some() => {}
                Err(skip) => skipped.push(line(&skip)),
            }
        }
    }
    let (wrong, skipped) = (wrong.join("\n"), skipped.join("\n"));
    assert!(
        wrong.is_empty() && skipped.is_empty(),
        "{shown} shown, wrong:\n{wrong}\nskipped:\n{skipped}"
    );
    let nothing_to_show = on_machine && setting.is_some();
    assert!(nothing_to_show || shown >= at_least, "{shown} shown");
}

#[test]
fn every_rule_fires_and_every_twin_is_silent() {
    let test = here!();
    // Some rules are about two devices.
    on_cuda_with(test, "devices=2", || all(is_on_machine(test), None, 100));
}

/// What the simulator does under this setting is documented: no device at hand is such.
#[test]
fn rules_of_systems_that_move_registered_memory_fire_on_a_simulated_one() {
    const SETTING: &str = "registered=elsewhere";
    let test = here!();
    on_cuda_with(test, SETTING, || all(is_on_machine(test), Some(SETTING), 2));
}
