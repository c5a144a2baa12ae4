//! `cuwhy sim`: programs in other languages on the simulator.

use std::process::Command;

use assert_cmd::prelude::*;
use predicates::str::contains;

fn cuwhy() -> Command {
    let mut command = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"));
    for name in [
        "CUWHY_LIBCUDA",
        "CUWHY_LIBCUDART",
        "CUWHY_LIBNVML",
        "CUWHY_SIM",
    ] {
        command.env_remove(name);
    }
    command
}

#[test]
fn the_program_gets_the_three_libraries_and_its_own_exit_code() {
    let script = "ls -L ${LD_LIBRARY_PATH%%:*}; exit 7";
    let run = cuwhy()
        .args(["sim", "--", "sh", "-c", script])
        .assert()
        .code(7);
    for name in [
        "libcuda.so.1",
        "libcudart.so.11.0",
        "libcudart.so.12",
        "libcudart.so.13",
        "libnvidia-ml.so.1",
    ] {
        let run = run.get_output();
        assert!(
            String::from_utf8_lossy(&run.stdout).contains(name),
            "{name}"
        );
    }
    run.stderr(contains("simulated"));
}

#[test]
fn the_unversioned_runtime_is_a_setting() {
    let script = "readlink -f ${LD_LIBRARY_PATH%%:*}/libcudart.so";
    for major in ["11", "12", "13"] {
        let run = cuwhy()
            .args(["sim", "--cudart", major, "--", "sh", "-c", script])
            .assert()
            .success();
        run.stdout(contains(format!("cudart{major}")));
    }
}

#[test]
fn settings_are_added_to_the_variable() {
    let run = cuwhy()
        .env("CUWHY_SIM", "devices=3")
        .args([
            "sim",
            "--quiet",
            "--set",
            "memory=1GiB",
            "--",
            "sh",
            "-c",
            "echo $CUWHY_SIM",
        ])
        .assert()
        .success();
    run.stdout("devices=3,memory=1GiB,quiet\n").stderr("");
}

#[test]
fn this_command_itself_runs_on_it() {
    let program = cuwhy_tests::executable("cuwhy-cli", "cuwhy");
    let run = cuwhy()
        .args(["sim", "--"])
        .arg(program)
        .args(["inspect", "--format", "json"])
        .assert();
    let text = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(!text.contains("statically"), "{text}");
    run.stdout(contains("NVIDIA H200 (simulated)"));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    cuwhy()
        .args(["sim", "--", "/no/such/program"])
        .assert()
        .code(2)
        .stderr(contains("cannot start /no/such/program"));
}

#[test]
fn a_program_with_a_runtime_of_its_own_is_told_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("static");
    let text = "#!/bin/sh\n# as in a linked libcudart_static.a: read as normalized float not supported for data type\n";
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = cuwhy().args(["sim", "--"]).arg(&program).assert().success();
    run.stderr(contains("801"));
}
