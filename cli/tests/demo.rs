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
fn a_driver_that_lists_no_device_is_an_error_with_a_next_step() {
    let library = |package: &str, file: &str| cuwhy_tests::shared_library(package, file);
    demo()
        .arg("--gpu")
        .env("CUWHY_LIBCUDA", library("cuwhy-sim", "libcuwhy_sim.so"))
        .env(
            "CUWHY_LIBCUDART",
            library("cuwhy-sim-cudart13", "libcuwhy_sim_cudart13.so"),
        )
        .env("CUDA_VISIBLE_DEVICES", "")
        .assert()
        .code(3)
        .stdout("")
        .stderr(contains("CUDA_ERROR_NO_DEVICE (100)").and(contains("`cuwhy doctor`")));
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

#[test]
fn every_rule_fires_on_a_simulated_device_and_no_twin_does() {
    let output = demo()
        .args(["--sim", "--all", "--verify", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut rules = std::collections::BTreeSet::new();
    let mut bytes = 0;
    for line in &lines {
        let rule = line["rule"].as_str().unwrap();
        rules.insert(rule);
        assert_eq!(line["good"], true, "{line}");
        assert_eq!(line["wrong"]["findings"][0]["rule"], rule, "{line}");
        assert_eq!(line["wrong"]["agrees"], true, "{line}");
        assert_eq!(line["right"]["findings"], serde_json::json!([]), "{line}");
        assert_eq!(line["right"]["answered"]["code"], 0, "{line}");
        bytes += usize::from(!line["wrong"]["findings"][0]["first_bad"].is_null());
    }
    assert_eq!(rules.len(), 60);
    assert_eq!(lines.len(), cuwhy_validate::repro::reproducers().len());
    assert!(bytes > 30, "{bytes}");
    let deaths = lines
        .iter()
        .filter(|line| line["wrong"]["answered"]["outcome"] == "died");
    let deaths: Vec<_> = deaths.map(|line| &line["wrong"]).collect();
    assert!(deaths.len() >= 5);
    for death in deaths {
        assert_eq!(death["answered"]["signal"], 11, "{death}");
        assert!(death["answered"]["address"].is_string(), "{death}");
    }
}

#[test]
fn a_scene_of_a_rare_system_gets_the_simulators_setting_for_it_and_its_neighbours_do_not() {
    // What CUDA answers there is documented; no such device was at hand.
    demo()
        .args(["--sim", "host", "--verify", "--quiet"])
        .assert()
        .code(0)
        .stdout(contains("host.pointer-not-device-pointer"))
        .stdout(contains("700"))
        .stdout(contains("0 not, 0 not shown"));
}

#[test]
fn a_rule_is_shown_with_its_twin_and_counted_at_the_end() {
    demo()
        .args(["--sim", "range.past-end", "context.forked", "--verify"])
        .assert()
        .code(0)
        .stdout(contains("error[range.past-end]: the copy runs 360 bytes"))
        .stdout(contains("nothing is found"))
        .stdout(contains("this process was forked from process"))
        .stdout(contains("byte 40 of dst"))
        .stdout(contains("2 as they should be, 0 not, 0 not shown"));
    demo()
        .args(["--sim", "memset", "--verify", "--quiet"])
        .assert()
        .code(0)
        .stdout(contains("error[").not())
        .stdout(contains("memset.misaligned"));
}

#[test]
fn devices_that_cannot_reach_each_other_show_what_can_be_shown() {
    demo()
        .args(["--sim", "peer", "--verify"])
        .env("CUWHY_SIM", "peers=none")
        .assert()
        .code(0)
        .stdout(contains(
            "not shown: peer.virtual-without-access: cuMemSetAccess failed: 101",
        ))
        .stdout(contains("3 as they should be, 0 not, 1 not shown"));
}

#[test]
fn an_unknown_rule_is_refused_with_what_is_like_it() {
    demo()
        .args(["--sim", "range.pastend"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("no rule is called range.pastend").and(contains("range.past-end")));
}

#[test]
fn an_answer_that_was_not_predicted_sets_the_exit_code() {
    demo()
        .args(["--sim", "pitch.width-exceeds-pitch", "--verify"])
        .env("CUWHY_SIM", "fail=cuMemcpy2DUnaligned_v2:*:2")
        .assert()
        .code(1)
        .stdout(contains("BAD"))
        .stdout(contains(
            "CUDA answered 2 CUDA_ERROR_OUT_OF_MEMORY, and 1 CUDA_ERROR_INVALID_VALUE was predicted",
        ))
        .stderr(contains("please report it"));
}

#[test]
fn findings_are_coloured_where_that_is_wanted() {
    let shown = |how: &[&str]| {
        let output = demo()
            .args(["--sim", "range.past-end"])
            .args(how)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!shown(&[]).contains('\u{1b}'), "a pipe");
    assert!(!shown(&["--color", "never"]).contains('\u{1b}'));
    assert!(shown(&["--color", "always"]).contains("\u{1b}[1m\u{1b}[31merror[range.past-end]"));
}
