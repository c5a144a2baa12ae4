//! `cuwhy demo` where it cannot work: the real binary, on any machine.

use std::process::Command;

use assert_cmd::prelude::*;
use predicates::prelude::*;
use predicates::str::contains;

fn demo() -> Command {
    let mut command = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"));
    command.arg("demo");
    for name in ["CUWHY_LIBCUDA", "CUWHY_LIBCUDART", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn a_driver_that_is_named_and_not_there_is_an_error_and_no_hint() {
    demo()
        .env("CUWHY_LIBCUDA", "/nowhere/libcuda.so.1")
        .assert()
        .code(3)
        .stdout("")
        .stderr(contains("/nowhere/libcuda.so.1").and(contains("CUWHY_LIBCUDA")))
        .stderr(contains("the system's loader").not());
}

#[test]
fn a_file_that_is_no_library_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libcuda.so.1");
    std::fs::write(&file, "not a library").unwrap();
    demo()
        .env("CUWHY_LIBCUDA", &file)
        .assert()
        .code(3)
        .stdout("")
        .stderr(contains("it is not a shared object"));
}

#[test]
fn on_a_simulated_device_the_three_copies_end_as_predicted() {
    demo()
        .arg("--sim")
        .assert()
        .code(0)
        .stdout(contains("(simulated)"))
        .stdout(contains("as predicted: nothing is wrong with this copy"))
        .stdout(contains(
            "error[range.past-end]: the copy runs 360 bytes past the end of its destination",
        ))
        .stdout(contains("error[kind.contradicts]"));
}

#[test]
fn who_wants_a_gpu_gets_no_simulator() {
    demo()
        .arg("--gpu")
        .env("CUWHY_LIBCUDA", "/nowhere/libcuda.so.1")
        .assert()
        .code(3)
        .stdout("");
    demo().args(["--gpu", "--sim"]).assert().code(2);
}

#[test]
fn json_is_one_object_a_copy() {
    let output = demo().args(["--sim", "--format", "json"]).output().unwrap();
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rules: Vec<_> = lines
        .iter()
        .map(|line| &line["findings"][0]["rule"])
        .collect();
    assert_eq!(
        rules,
        [
            &serde_json::Value::Null,
            &"range.past-end".into(),
            &"kind.contradicts".into()
        ]
    );
    assert!(lines.iter().all(|line| line["agrees"] == true));
}

#[test]
fn what_the_runtime_cannot_know_is_not_called_right() {
    demo()
        .args(["--sim", "--classify", "runtime"])
        .assert()
        .code(0)
        .stdout(contains("predicted: cannot tell"))
        .stdout(contains("range.past-end").not());
}
