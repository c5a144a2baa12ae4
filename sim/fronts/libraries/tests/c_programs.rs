//! C programs on the runtime fronts: linked to them, linked to the real library, and opening them by name.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed, and says what it left out"
)]

mod support;

use std::ffi::OsStr;

use support::{MAJORS, compile, folder, run, text, toolkits, workspace};

fn stand_ins() -> std::path::PathBuf {
    workspace("codegen/headers")
}

#[test]
fn a_program_compiled_against_the_real_headers_runs_linked_to_the_front() {
    let place = tempfile::tempdir().unwrap();
    for toolkit in toolkits() {
        let program = place.path().join(format!("linked-{}", toolkit.major));
        let front = folder().path().join(toolkit.major.soname());
        let (include, stand_ins) = (toolkit.include, stand_ins());
        compile(
            "uses_runtime.c",
            &program,
            &[
                OsStr::new("-I"),
                include.as_os_str(),
                OsStr::new("-I"),
                stand_ins.as_os_str(),
                front.as_os_str(),
                OsStr::new("-Wl,--allow-shlib-undefined"),
            ],
        );
        let output = run(&program, &[], folder().path());
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "done\n",
            "CUDA {}",
            toolkit.major
        );
    }
}

#[test]
fn a_program_linked_to_the_real_library_runs_on_the_front() {
    let place = tempfile::tempdir().unwrap();
    for toolkit in toolkits() {
        let program = place.path().join(format!("real-{}", toolkit.major));
        let (include, stand_ins) = (toolkit.include, stand_ins());
        compile(
            "uses_runtime.c",
            &program,
            &[
                OsStr::new("-I"),
                include.as_os_str(),
                OsStr::new("-I"),
                stand_ins.as_os_str(),
                toolkit.library.as_os_str(),
                OsStr::new("-Wl,--allow-shlib-undefined"),
            ],
        );
        // The loader would refuse the program if a version that it was linked to were missing.
        assert!(
            support::needs_version(&program, toolkit.major.soname()),
            "the program was linked to versioned functions"
        );
        let output = run(&program, &[], folder().path());
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "done\n",
            "CUDA {}",
            toolkit.major
        );
    }
}

#[test]
fn a_program_that_opens_the_runtime_finds_versioned_functions() {
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("opens");
    compile("opens_runtime.c", &program, &[OsStr::new("-ldl")]);
    for major in MAJORS {
        let output = run(&program, &[major.soname()], folder().path());
        assert_eq!(text(&output), "through the device\n", "CUDA {major}");
    }
}

#[test]
fn without_a_driver_the_front_answers_as_the_real_library() {
    if support::has_driver() {
        cuwhy_tests::skip("this machine has a driver");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    for toolkit in toolkits() {
        let program = place.path().join(format!("alone-{}", toolkit.major));
        let (include, stand_ins) = (toolkit.include, stand_ins());
        compile(
            "without_driver.c",
            &program,
            &[
                OsStr::new("-w"),
                OsStr::new("-I"),
                include.as_os_str(),
                OsStr::new("-I"),
                stand_ins.as_os_str(),
                toolkit.library.as_os_str(),
                OsStr::new("-Wl,--allow-shlib-undefined"),
            ],
        );
        let alone = place.path().join(format!("only-{}", toolkit.major));
        std::fs::create_dir(&alone).unwrap();
        let front = std::fs::canonicalize(folder().path().join(toolkit.major.soname())).unwrap();
        std::fs::copy(front, alone.join(toolkit.major.soname())).unwrap();
        let real = text(&run(&program, &[], toolkit.library.parent().unwrap()));
        let ours = text(&run(&program, &[], &alone));
        for (line, (real, ours)) in real.lines().zip(ours.lines()).enumerate() {
            assert_eq!(ours, real, "CUDA {}, line {line}", toolkit.major);
        }
        assert_eq!(ours.lines().count(), real.lines().count());
    }
}
