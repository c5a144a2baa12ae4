//! The real binary on a simulated driver.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::process::{Command, Output};

use cuwhy_sim_libraries::{Folder, Libraries, Unversioned};
use serde_json::Value;

/// The simulated libraries.
fn libraries() -> Folder {
    let core = cuwhy_tests::shared_library("cuwhy-sim", "libcuwhy_sim.so");
    let libraries = Libraries::find_around(&core).unwrap();
    libraries.folder(Unversioned::V13).unwrap()
}

/// The command with every simulated library.
fn whole(arguments: &[&str]) -> Command {
    let mut command = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"));
    command
        .args(arguments)
        .envs(libraries().environment())
        .env_remove("CUDA_VISIBLE_DEVICES")
        .env_remove("CUDA_DEVICE_ORDER")
        .env_remove("CUWHY_SIM");
    command
}

/// The command with a simulated driver and no NVML.
fn cuwhy(arguments: &[&str]) -> Command {
    let mut command = whole(arguments);
    command.env("CUWHY_LIBNVML", "/nonexistent/libnvidia-ml.so.1");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn cuda_without_nvml_is_a_partial_report() {
    let output = cuwhy(&["inspect", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let report = json(&output);
    assert_eq!(report["simulated"], true);
    assert_eq!(report["driver"]["cuda"], "13.0");
    let device = &report["devices"][0];
    assert_eq!(device["cuda_index"], 0);
    assert_eq!(device["nvml_index"], Value::Null);
    assert_eq!(device["absent"]["nvml_index"], "library_missing");
    assert_eq!(device["absent"]["temperature_celsius"], "library_missing");
    assert_eq!(device["compute_capability"], "9.0");
    assert_eq!(device["capabilities"]["managed"]["claimed"], true);
    assert_eq!(device["attributes"]["CU_DEVICE_ATTRIBUTE_WARP_SIZE"], 32);
}

#[test]
fn without_nvml_by_wish_it_is_whole() {
    let output = cuwhy(&["inspect", "--no-nvml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("simulated"));
}

#[test]
fn every_section_prints_in_every_form() {
    for section in [
        "overview",
        "devices",
        "memory",
        "libraries",
        "topology",
        "processes",
        "health",
        "all",
    ] {
        for format in ["table", "json", "csv", "prometheus"] {
            let output = cuwhy(&["inspect", section, "--format", format, "--no-nvml"])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{section} {format}");
            assert!(!output.stdout.is_empty(), "{section} {format}");
        }
    }
}

#[test]
fn selectors_choose_and_unknown_ones_list() {
    let output = cuwhy(&[
        "inspect",
        "--no-nvml",
        "--device",
        "cuda:0",
        "--fields",
        "uuid,cuda_index",
    ])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    let output = cuwhy(&["inspect", "--no-nvml", "--device", "cuda:9"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("cuda:0 = GPU-"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn claims_are_tried_and_agree() {
    let output = cuwhy(&[
        "doctor",
        "--probe",
        "--format",
        "json",
        "--only",
        "cuda.init,memory",
    ])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let diagnosis = json(&output);
    for check in diagnosis["checks"].as_array().unwrap() {
        assert_eq!(check["result"], "pass", "{check}");
    }
    let capabilities = &diagnosis["report"]["devices"][0]["capabilities"];
    for key in [
        "managed",
        "pools",
        "virtual_memory",
        "host_register",
        "map_host",
    ] {
        assert_eq!(capabilities[key]["probed"], true, "{key}");
    }
    assert_eq!(capabilities["pageable"]["probed"], false);
}

#[test]
fn identifiers_leave_a_saved_file_unless_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let read = |arguments: &[&str], name: &str| {
        let file = folder.path().join(name);
        let mut all = vec!["doctor", "--save", file.to_str().unwrap()];
        all.extend(arguments);
        cuwhy(&all).output().unwrap();
        std::fs::read_to_string(file).unwrap()
    };
    let uuid =
        json(&cuwhy(&["inspect", "--format", "json"]).output().unwrap())["devices"][0]["uuid"]
            .as_str()
            .unwrap()
            .to_owned();
    assert!(!read(&[], "without.json").contains(&uuid[4..]));
    assert!(read(&["--identifiers"], "with.json").contains(&uuid));
}

#[test]
fn chosen_values_that_are_missing_have_their_own_reason() {
    let fields = "temperature_celsius,probed_managed,capability_managed,nvlinks_active";
    let output = cuwhy(&["inspect", "--format", "json", "--fields", fields])
        .output()
        .unwrap();
    let report = json(&output);
    let device = &report["devices"][0];
    assert_eq!(device["capability_managed"], true);
    assert_eq!(device["absent"]["probed_managed"], "not_probed");
    assert_eq!(device["absent"]["temperature_celsius"], "library_missing");
    assert_eq!(device["absent"]["nvlinks_active"], "library_missing");
}

#[test]
fn nvml_and_cuda_are_joined() {
    let output = whole(&["inspect", "--format", "json"])
        .env("CUWHY_SIM", "devices=4")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = json(&output);
    assert_eq!(report["problems"], Value::Array(Vec::new()));
    let devices = report["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 4);
    for (place, device) in devices.iter().enumerate() {
        assert_eq!(device["nvml_index"], place);
        assert_eq!(device["cuda_index"], place);
        assert!(device["memory_total_bytes"].is_u64());
        assert!(device["attributes"].is_object());
    }
    assert_eq!(report["links"].as_array().unwrap().len(), 12);
    for link in report["links"].as_array().unwrap() {
        assert_eq!(link["cuda_access"], true);
    }
}

#[test]
fn variables_that_hide_and_reorder_are_understood() {
    let output = whole(&["inspect", "--format", "json"])
        .env("CUWHY_SIM", "devices=4")
        .env("CUDA_VISIBLE_DEVICES", "2,0")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = json(&output);
    let indices: Vec<&Value> = report["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| &device["cuda_index"])
        .collect();
    assert_eq!(
        indices,
        [&Value::from(1), &Value::Null, &Value::from(0), &Value::Null]
    );
    assert_eq!(report["devices"][1]["absent"]["cuda_index"], "not_listed");
    let notes = report["notes"].to_string();
    assert!(
        notes.contains("different orders") && notes.contains("hides"),
        "{notes}"
    );
}

#[test]
fn doctor_finds_nothing_wrong_with_a_whole_machine() {
    let output = whole(&["doctor", "--probe", "--deny-warnings"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let output = whole(&["doctor", "--only", "cuda.visible"])
        .env("CUDA_VISIBLE_DEVICES", "0,9")
        .output()
        .unwrap();
    assert!(
        text(&output.stdout).contains("warn  cuda.visible"),
        "{}",
        text(&output.stdout)
    );
}

/// Whatever makes a context fails here, so that whoever needs one is found out.
#[test]
fn reading_creates_no_context_and_trying_does() {
    let calls = [
        "cuDevicePrimaryCtxRetain",
        "cuCtxCreate",
        "cuCtxCreate_v2",
        "cuCtxCreate_v3",
        "cuCtxCreate_v4",
    ];
    let failing = calls.map(|call| format!("{call}:*:999")).join("+");
    let setting = format!("quiet=on,fail={failing}");
    for section in ["overview", "all"] {
        let output = whole(&["inspect", section, "--format", "json"])
            .env("CUWHY_SIM", &setting)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report = json(&output);
        assert_eq!(report["problems"], Value::Array(Vec::new()));
        assert_eq!(
            report["devices"][0]["capabilities"]["managed"]["claimed"],
            true
        );
    }
    let doctor = |arguments: &[&str]| {
        let mut all = vec!["doctor", "--deny-warnings"];
        all.extend(arguments);
        let output = whole(&all).env("CUWHY_SIM", &setting).output().unwrap();
        (output.status.code(), text(&output.stdout))
    };
    let (code, said) = doctor(&[]);
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = doctor(&["--probe", "--only", "memory.pool"]);
    assert!(
        said.contains("warn  memory.pool")
            && said.contains("nothing could be tried")
            && said.contains("cuDevicePrimaryCtxRetain"),
        "{said}"
    );
}

#[test]
fn one_way_that_fails_is_told_from_one_that_works() {
    let output = whole(&["doctor", "--probe", "--only", "memory.managed"])
        .env("CUWHY_SIM", "fail=cuMemAllocManaged:*:801")
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("warn  memory.managed"), "{said}");
    assert!(said.contains("CUDA_ERROR_NOT_SUPPORTED (801)"), "{said}");
    let output = whole(&["doctor", "--probe", "--only", "memory.pool"])
        .env("CUWHY_SIM", "fail=cuMemAllocAsync:*:2")
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(
        said.contains("pass  memory.pool"),
        "no memory left says nothing about the claim: {said}"
    );
}
