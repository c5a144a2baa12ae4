//! `cuwhy demo` where it cannot work: the real binary, on any machine.

use std::process::Command;

use assert_cmd::prelude::*;
use predicates::prelude::*;
use predicates::str::contains;

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuwhy"));
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
