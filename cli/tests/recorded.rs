//! What is printed of recorded machines, in every form, and what the checks say of them.
//!
//! A recording holds what each source said on its own, so that joining is tested too.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::BTreeMap;
use std::{env, fs};

use cuwhy_cli::doctor::{Choice, examine, render};
use cuwhy_cli::inspect::{prometheus, sheet, tables};
use cuwhy_device_state::{
    Capability, CudaPart, Depth, Host, Library, NvmlPart, Origin, Report, Stamp, Tool, join,
};
use cuwhy_tests::{fixture, workspace};
use serde::Deserialize;
use serde_json::Value;

const MACHINES: [&str; 10] = [
    "none", "h200", "two", "eight", "mig", "unified", "wsl", "sandbox", "stub", "mismatch",
];

#[derive(Deserialize)]
struct Recording {
    nvml: Option<NvmlPart>,
    cuda: Option<CudaPart>,
    host: Host,
    libraries: Vec<Library>,
}

fn tool() -> Tool {
    Tool {
        name: "cuwhy".into(),
        version: "0.0.0".into(),
    }
}

fn report(machine: &str) -> Report {
    let text = fs::read_to_string(fixture(&format!("machines/{machine}.json"))).unwrap();
    let recording: Recording = serde_json::from_str(&text).unwrap();
    join(
        recording.nvml,
        recording.cuda,
        recording.host,
        recording.libraries,
        Stamp {
            tool: tool(),
            unix_seconds: 1_800_000_000,
            depth: Depth::Everything,
        },
    )
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn tables_of_every_machine() {
    for machine in MACHINES {
        let text = plain(&tables::all(&report(machine)));
        for line in text.lines() {
            assert_eq!(line.trim_end(), line, "no line ends with spaces");
        }
        insta::assert_snapshot!(format!("{machine}.table"), text);
    }
}

#[test]
fn json_of_every_machine() {
    for machine in MACHINES {
        let text = serde_json::to_string_pretty(&report(machine)).unwrap();
        insta::assert_snapshot!(format!("{machine}.json"), text);
        let read: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(read, report(machine), "what was written can be read");
    }
}

#[test]
fn csv_of_every_machine() {
    for machine in MACHINES {
        let report = report(machine);
        let mut text = String::new();
        for rows in [
            sheet::Rows::Overview,
            sheet::Rows::Devices,
            sheet::Rows::Capabilities,
            sheet::Rows::Libraries,
            sheet::Rows::Links,
            sheet::Rows::Processes,
            sheet::Rows::Health,
        ] {
            let written = sheet::write(&sheet::sheet(&report, rows), sheet::Head::Written).unwrap();
            text.push_str(&format!("-- {rows:?}\n{written}"));
        }
        insta::assert_snapshot!(format!("{machine}.csv"), text);
    }
}

#[test]
fn prometheus_of_every_machine() {
    for machine in MACHINES {
        let text = prometheus::write(&report(machine));
        expositions(&text);
        insta::assert_snapshot!(format!("{machine}.prometheus"), text);
    }
}

/// Checks the rules of the format: every sample under its own head, each head once.
fn expositions(text: &str) {
    let mut heads = Vec::new();
    let mut current = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["gauge", "counter"].contains(&kind));
            assert!(!heads.contains(&name), "{name} has one head");
            heads.push(name);
            current = name;
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(name, current, "samples stand under their head");
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(text.ends_with('\n'));
}

#[test]
fn diagnosis_of_every_machine() {
    for machine in MACHINES {
        let diagnosis = examine(report(machine), &Choice::default(), tool());
        assert_eq!(diagnosis.checks.len(), 28);
        for check in &diagnosis.checks {
            let word = check.result;
            if matches!(
                word,
                cuwhy_cli::doctor::Word::Fail | cuwhy_cli::doctor::Word::Warn
            ) {
                assert!(
                    check.next.is_some(),
                    "{machine}: {} has a next step",
                    check.id
                );
            }
        }
        insta::assert_snapshot!(
            format!("{machine}.doctor"),
            plain(&render::table(&diagnosis))
        );
    }
}

/// What came of trying on the first device of the machine `two`, and that machine with it on both.
#[test]
fn a_machine_on_which_everything_was_tried() {
    let text = fs::read_to_string(fixture("machines/two-probed.json")).unwrap();
    let tried: BTreeMap<String, Capability> = serde_json::from_str(&text).unwrap();
    let mut report = report("two");
    for device in &mut report.devices {
        let claims = device.cuda.capabilities.as_ref().unwrap();
        for (key, capability) in &tried {
            assert_eq!(capability.claimed, claims[key].claimed, "{key}");
            assert!(
                capability.probed.is_none() || capability.probed == capability.claimed,
                "{key}"
            );
        }
        device.cuda.capabilities = Some(tried.clone());
    }
    insta::assert_snapshot!("two-probed.memory", plain(&tables::memory(&report)));
    let diagnosis = examine(report, &Choice::default(), tool());
    insta::assert_snapshot!("two-probed.doctor", plain(&render::table(&diagnosis)));
}

#[test]
fn a_claim_that_behaviour_contradicts_is_a_warning() {
    let mut report = report("sandbox");
    let capabilities = report.devices[0].cuda.capabilities.as_mut().unwrap();
    let managed = capabilities.get_mut("managed").unwrap();
    managed.probed = Some(false);
    managed.evidence = Some("cuMemAllocManaged(4096) -> CUDA_ERROR_NOT_SUPPORTED (801)".into());
    let choice = Choice {
        only: vec!["memory.managed".into()],
        skip: Vec::new(),
    };
    let diagnosis = examine(report, &choice, tool());
    insta::assert_snapshot!("probed.doctor", plain(&render::table(&diagnosis)));
}

/// Seen on an H100 with the toolkit's stubs in front: our loader goes on to the driver, libcudart does not.
#[test]
fn a_stub_that_was_passed_over_is_what_programs_get() {
    let mut report = report("h200");
    let stub = "/usr/local/cuda-13.0/targets/x86_64-linux/lib/stubs/libcuda.so";
    let mut library = report
        .libraries
        .iter()
        .find(|library| library.name == "libcuda")
        .unwrap()
        .clone();
    library.chosen = false;
    library.origin = Origin::Stub;
    library.loaded_from = Some("/usr/local/cuda/lib64/stubs/libcuda.so".into());
    library.real_path = Some(stub.into());
    report.libraries.push(library);
    let word = |report: &Report| {
        let choice = Choice {
            only: vec!["library.driver.stub".into()],
            ..Choice::default()
        };
        let diagnosis = examine(report.clone(), &choice, tool());
        plain(&render::table(&diagnosis))
    };
    assert!(
        word(&report).contains("pass  library.driver.stub"),
        "it only lies on the disk"
    );
    report.driver.libcuda_mapped.push(stub.into());
    let said = word(&report);
    assert!(
        said.contains("FAIL  library.driver.stub")
            && said.contains("comes first in the search path"),
        "{said}"
    );
}

#[test]
fn every_null_has_its_reason_and_every_reason_its_null() {
    for machine in MACHINES {
        let value = serde_json::to_value(report(machine)).unwrap();
        nulls(&value, machine);
    }
}

fn nulls(value: &Value, place: &str) {
    match value {
        Value::Array(list) => {
            for (number, item) in list.iter().enumerate() {
                nulls(item, &format!("{place}[{number}]"));
            }
        }
        Value::Object(fields) => {
            let absent = fields.get("absent").and_then(Value::as_object);
            for (key, value) in fields {
                assert!(
                    !key.contains('.') || place.ends_with("environment"),
                    "{place}.{key}"
                );
                if value.is_null() {
                    let reason = absent.and_then(|absent| absent.get(key));
                    assert!(reason.is_some(), "{place}.{key} is null without a reason");
                }
                nulls(value, &format!("{place}.{key}"));
            }
            for key in absent.into_iter().flat_map(serde_json::Map::keys) {
                let value = fields.get(key);
                // Attributes that a driver does not know are only in `absent`.
                let attribute = key.starts_with("CU_DEVICE_ATTRIBUTE_");
                assert!(
                    attribute || value.is_some_and(Value::is_null),
                    "{place}.{key} has a reason and is not null"
                );
            }
        }
        _ => {}
    }
}

/// The committed schema is the one of the code, and every report keeps to it.
#[test]
fn schemas_are_committed_and_kept_to() {
    let Some(folder) = workspace("docs/schema") else {
        return;
    };
    let report_schema = serde_json::to_value(schemars::schema_for!(Report)).unwrap();
    let doctor_schema =
        serde_json::to_value(schemars::schema_for!(cuwhy_cli::doctor::Diagnosis)).unwrap();
    for (name, schema) in [("report-1", &report_schema), ("doctor-1", &doctor_schema)] {
        let path = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        if env::var_os("CUWHY_WRITE_SCHEMA").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{} is not what the code says; CUWHY_WRITE_SCHEMA=1 writes it",
            path.display()
        );
    }
    for machine in MACHINES {
        let report = report(machine);
        keeps_to(
            &serde_json::to_value(&report).unwrap(),
            &report_schema,
            &report_schema,
            machine,
        );
        let diagnosis = examine(report, &Choice::default(), tool());
        keeps_to(
            &serde_json::to_value(&diagnosis).unwrap(),
            &doctor_schema,
            &doctor_schema,
            machine,
        );
    }
}

/// As much of JSON Schema as our schemas use.
fn keeps_to(value: &Value, schema: &Value, root: &Value, place: &str) {
    if let Some(fault) = fault(value, schema, root, place) {
        panic!("{fault}");
    }
}

fn fault(value: &Value, schema: &Value, root: &Value, place: &str) -> Option<String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        if let Some(found) = fault(value, target, root, place) {
            return Some(found);
        }
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(list) = schema.get(word).and_then(Value::as_array) {
            let fits = list
                .iter()
                .any(|one| fault(value, one, root, place).is_none());
            if !fits {
                return Some(format!("{place}: {value} fits none of {word}"));
            }
        }
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Some(format!("{place}: {value} is not {constant}"));
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array)
        && !list.contains(value)
    {
        return Some(format!("{place}: {value} is not one of {list:?}"));
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind)) {
        return Some(format!("{place}: {value} is not {kinds:?}"));
    }
    if let Some(minimum) = schema.get("minimum").and_then(Value::as_f64)
        && value.as_f64().is_some_and(|value| value < minimum)
    {
        return Some(format!("{place}: {value} is below {minimum}"));
    }
    if let Value::Array(list) = value
        && let Some(items) = schema.get("items")
    {
        for (number, item) in list.iter().enumerate() {
            if let Some(found) = fault(item, items, root, &format!("{place}[{number}]")) {
                return Some(found);
            }
        }
    }
    if let Value::Object(fields) = value {
        for name in schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if !fields.contains_key(name.as_str().unwrap()) {
                return Some(format!("{place}: {name} is missing"));
            }
        }
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, value) in fields {
            let below = known
                .and_then(|known| known.get(name))
                .or(schema.get("additionalProperties"));
            if let Some(below) = below
                && let Some(found) = fault(value, below, root, &format!("{place}.{name}"))
            {
                return Some(found);
            }
        }
    }
    None
}

#[test]
fn devices_are_joined_by_identity_and_not_by_index() {
    let report = report("eight");
    assert_eq!(report.devices.len(), 8);
    let pairs: Vec<_> = report
        .devices
        .iter()
        .map(|device| (device.nvml_index.unwrap(), device.cuda_index.unwrap()))
        .collect();
    assert_eq!(pairs[0], (0, 1));
    assert_eq!(pairs[7], (7, 0));
    assert_eq!(report.links.len(), 56);
    assert!(
        report
            .links
            .iter()
            .all(|link| link.cuda_access.is_some() && link.ancestor.is_some())
    );
}

#[test]
fn an_instance_is_a_device_of_its_own() {
    let report = report("mig");
    let kinds: Vec<_> = report
        .devices
        .iter()
        .map(|device| (device.kind, device.cuda_index))
        .collect();
    assert_eq!(kinds.len(), 3);
    assert_eq!(kinds[1].1, Some(0));
    assert_eq!(
        report.devices[0].nvml.utilisation_percent, None,
        "unsupported is not 0"
    );
}
