//! The archive's runner, on an archive whose tests are shell scripts.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{ONCE_LIST, RUN_TESTS};

/// Runs an archive with this one test.
fn run(test: &str, setting: &str) -> Output {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let runtime = at("toolkits/nvidia-cuda-runtime-13.0.96/nvidia/cu13/lib/libcudart.so.13");
    for file in [
        &runtime,
        &at("tests/cuwhy-a.copies.gz"),
        &at(ONCE_LIST),
        &at("run-tests.sh"),
    ] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
    }
    fs::write(runtime, "").unwrap();
    fs::write(at(ONCE_LIST), "").unwrap();
    fs::write(at("run-tests.sh"), RUN_TESTS).unwrap();
    fs::set_permissions(at("run-tests.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    pack(
        &format!("#!/bin/sh\n{test}\n"),
        &at("tests/cuwhy-a.copies.gz"),
    );
    Command::new(at("run-tests.sh"))
        .env("CUWHY_TEST_GPU", setting)
        .env("LOGS", at("logs"))
        .env_remove("RUNTIMES")
        .output()
        .unwrap()
}

fn pack(text: &str, to: &Path) {
    let mut gzip = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(fs::File::create(to).unwrap())
        .spawn()
        .unwrap();
    gzip.stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(gzip.wait().unwrap().success());
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_device_test_that_was_skipped_fails_where_a_device_is_required() {
    let test = "echo 'skipped device test copies: cuInit answers 100' >&2";
    let output = run(test, "require");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("1 device tests were skipped"),
        "{}",
        said(&output)
    );
    for setting in ["auto", "off"] {
        assert_eq!(run(test, setting).status.code(), Some(0));
    }
}

#[test]
fn another_test_that_was_skipped_is_counted_and_no_failure() {
    let output = run(
        "echo 'skipped layouts: an archive carries no headers'",
        "require",
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("1 lines say"), "{}", said(&output));
}

#[test]
fn a_test_that_fails_fails_the_run() {
    let output = run("echo 'these words'; exit 101", "require");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("these words"), "{}", said(&output));
}
