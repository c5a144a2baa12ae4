//! The real binary where there is no driver, or one that is broken.
//!
//! The libraries are named by variables, so that these tests mean the same on every machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::Value;

fn cuwhy(arguments: &[&str]) -> Command {
    let mut command = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"));
    command.args(arguments);
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "TERM", "CUDA_VISIBLE_DEVICES"] {
        command.env_remove(name);
    }
    command.env("CUWHY_LIBCUDA", "/nonexistent/libcuda.so.1");
    command.env("CUWHY_LIBNVML", "/nonexistent/libnvidia-ml.so.1");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

#[test]
fn inspect_answers_3_with_valid_json() {
    let output = cuwhy(&["inspect", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let report = json(&output);
    assert_eq!(report["schema"], 1);
    assert_eq!(report["devices"], Value::Array(Vec::new()));
    assert_eq!(report["driver"]["cuda_status"]["outcome"], "not_loaded");
    assert!(text(&output.stderr).contains("no usable device"));
    assert!(text(&output.stdout).contains("/nonexistent/libcuda.so.1"));
}

#[test]
fn every_section_and_form_answers_3_and_prints() {
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
            let output = cuwhy(&["inspect", section, "--format", format])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(3), "{section} {format}");
            assert!(!output.stdout.is_empty(), "{section} {format}");
            assert!(!output.stdout.contains(&0x1b), "{section} {format}");
        }
    }
}

#[test]
fn what_is_not_wanted_is_not_asked() {
    let output = cuwhy(&["inspect", "--format", "json", "--no-nvml", "--no-cuda"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let report = json(&output);
    assert_eq!(report["driver"]["nvml_status"]["outcome"], "not_asked");
    assert_eq!(report["driver"]["absent"]["nvml_devices"], "not_collected");
    assert_eq!(report["problems"], Value::Array(Vec::new()));
}

#[test]
fn watching_prints_one_object_per_line() {
    let output = cuwhy(&[
        "inspect", "--format", "json", "--watch", "0.01", "--count", "3",
    ])
    .output()
    .unwrap();
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_reader_that_goes_away_ends_the_watch_with_success() {
    let mut child = cuwhy(&["inspect", "--format", "json", "--watch", "0.01"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_full_disk_is_5_for_reports_and_saved_files() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for arguments in [
        &["inspect"][..],
        &["inspect", "--format", "json"],
        &["doctor"],
    ] {
        let status = cuwhy(arguments)
            .stdout(full())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(5), "{arguments:?}");
    }
    let output = cuwhy(&["doctor", "--save", "/dev/full"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let output = cuwhy(&["doctor", "--save", "/nonexistent/report.json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("/nonexistent/report.json"));
}

#[test]
fn a_file_is_replaced_as_a_whole_or_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cuwhy.prom");
    fs::write(&file, "old\n").unwrap();
    let name = file.to_str().unwrap();
    let arguments = ["inspect", "--format", "prometheus", "--output", name];
    let output = cuwhy(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("cuwhy_devices 0")
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left"
    );
    let nowhere = ["inspect", "--output", "/nonexistent/cuwhy.prom"];
    assert_eq!(cuwhy(&nowhere).output().unwrap().status.code(), Some(5));
}

#[test]
fn wrong_arguments_are_2() {
    for wrong in [
        &["inspect", "nowhere"][..],
        &["inspect", "--format", "yaml"],
        &["inspect", "--fields", "no_such_field"],
        &["inspect", "--watch", "0"],
        &["inspect", "--watch", "1", "--from", "x"],
        &["inspect", "--watch", "1", "--format", "prometheus"],
        &["inspect", "--from", "/nonexistent"],
        &["doctor", "--only", "no.such.check"],
        &["explain", "no.such.check"],
    ] {
        let output = cuwhy(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stdout.is_empty(), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn unknown_fields_list_what_there_is() {
    let output = cuwhy(&["inspect", "--fields", "memory_totl_bytes"])
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("\n  vbios_version\n"), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("like memory_totl_bytes: memory_total_bytes"),
        "{said}"
    );
}

#[test]
fn doctor_answers_1_and_the_first_failure_is_the_cause() {
    let output = cuwhy(&["doctor", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let diagnosis = json(&output);
    let check = |id: &str| {
        let checks = diagnosis["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["id"] == id)
            .unwrap()
            .clone()
    };
    let found = check("library.driver.found");
    assert_eq!(found["result"], "fail");
    let next = found["next"].as_str().unwrap();
    assert!(next.contains("correct CUWHY_LIBCUDA"), "{next}");
    let says = found["says"].as_str().unwrap();
    assert!(!says.contains("next:"), "one next step is enough: {says}");
    let next = check("library.nvml.found")["next"].clone();
    assert!(
        next.as_str().unwrap().contains("correct CUWHY_LIBNVML"),
        "{next}"
    );
    assert_eq!(check("cuda.init")["result"], "skip");
    assert_eq!(check("cuda.init")["because"], "library.driver.found");
    assert_eq!(check("peer.access")["because"], "library.driver.found");
}

#[test]
fn only_and_skip_choose() {
    let output = cuwhy(&["doctor", "--only", "host.sandbox"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("1 passed"));
    let output = cuwhy(&["doctor", "--skip", "library,host,cuda,device,memory,peer"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_saved_diagnosis_can_be_inspected_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let name = file.to_str().unwrap();
    let output = cuwhy(&["doctor", "--save", name]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let output = cuwhy(&["inspect", "--from", name]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let output = cuwhy(&["doctor", "--from", name, "--only", "library.driver.found"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_report_of_a_later_schema_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("later.json");
    for (content, word) in [
        ("{\"schema\": 2, \"surprise\": []}", "schema 2"),
        ("not json", "not a report"),
        ("{}", "not a report"),
        ("{\"schema\": 1}", "missing field"),
    ] {
        fs::write(&file, content).unwrap();
        let output = cuwhy(&["inspect", "--from", file.to_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{content}");
        let said = text(&output.stderr);
        assert!(said.contains(word) && said.contains("later.json"), "{said}");
    }
}

#[test]
fn every_check_is_explained() {
    let output = cuwhy(&["explain"]).output().unwrap();
    let list = text(&output.stdout);
    assert_eq!(list.lines().count(), 28);
    for line in list.lines() {
        let id = line.split_whitespace().next().unwrap();
        let output = cuwhy(&["explain", id]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).starts_with(id));
    }
}

/// A library that looks like libcuda and misbehaves; made with the compiler that made this test.
fn broken(kind: &str) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path();
    let source = folder.join(format!("{kind}.rs"));
    let file = folder.join(format!("libcuda-{kind}.so.1"));
    let body = match kind {
        "hangs" => "std::thread::sleep(std::time::Duration::from_secs(600)); 0",
        "aborts" => "std::process::abort()",
        "stub" => "34",
        "unknown" => "999",
        "empty" => "100",
        other => panic!("{other}"),
    };
    let version = if kind == "stub" { "34" } else { "0" };
    fs::write(
        &source,
        format!(
            "#[unsafe(no_mangle)] pub unsafe extern \"C\" fn cuDriverGetVersion(version: *mut i32) -> i32 {{
                 unsafe {{ *version = 13000 }}; {version}
             }}
             #[unsafe(no_mangle)] pub extern \"C\" fn cuInit(_: u32) -> i32 {{ {body} }}"
        ),
    )
    .unwrap();
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(compiler)
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "cdylib",
            "-C",
            "panic=abort",
            "-o",
        ])
        .arg(&file)
        .arg(&source)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    file
}

fn with(library: &Path, arguments: &[&str]) -> Output {
    cuwhy(arguments)
        .env("CUWHY_LIBCUDA", library)
        .output()
        .unwrap()
}

#[test]
fn a_hanging_cuinit_costs_the_time_limit_and_nothing_else() {
    let library = broken("hangs");
    let begin = Instant::now();
    let output = with(
        &library,
        &["inspect", "--format", "json", "--timeout", "0.3"],
    );
    assert!(begin.elapsed() < Duration::from_secs(60));
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        json(&output)["driver"]["cuda_status"]["outcome"],
        "timed_out"
    );
    let output = with(&library, &["doctor", "--timeout", "0.3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("cuInit did not return within 300 ms"));
}

#[test]
fn a_crashing_cuinit_is_reported_and_survived() {
    let library = broken("aborts");
    let output = with(&library, &["inspect", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let status = &json(&output)["driver"]["cuda_status"];
    assert_eq!(status["outcome"], "crashed");
    assert!(status["message"].as_str().unwrap().contains("SIGABRT"));
    let output = with(&library, &["doctor", "--only", "cuda.init"]);
    assert!(text(&output.stdout).contains("FAIL  cuda.init"));
}

#[test]
fn statuses_are_named_and_have_a_next_step() {
    let output = with(&broken("unknown"), &["doctor", "--only", "cuda.init"]);
    let said = text(&output.stdout);
    assert!(
        said.contains("CUDA_ERROR_UNKNOWN (999)") && said.contains("nvidia-uvm"),
        "{said}"
    );
    let output = with(&broken("empty"), &["doctor", "--only", "cuda.init"]);
    assert!(text(&output.stdout).contains("CUDA_ERROR_NO_DEVICE (100)"));
}

#[test]
fn a_stub_is_called_a_stub() {
    let output = with(&broken("stub"), &["doctor", "--only", "library.driver"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAIL  library.driver.stub"));
}

#[test]
fn a_visible_devices_variable_that_hides_everything_is_the_cause() {
    let output = cuwhy(&["doctor", "--only", "cuda"])
        .env("CUWHY_LIBCUDA", broken("empty"))
        .env("CUDA_VISIBLE_DEVICES", "-1")
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("FAIL  cuda.visible"), "{said}");
    assert!(said.contains("because cuda.visible failed"), "{said}");
}
