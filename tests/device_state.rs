//! A finding about a lost context says how its device is: on the simulator, and with
//! `CUWHY_TEST_GPU=require` on the machine's device.

use cuwhy_tests::{Child, Wanted, device, here, shared_library, simulated, wanted};
use cuwhy_validate::Severity;
use cuwhy_validate::device_state::describe;
use cuwhy_validate::finding::{CallText, Finding, OperandText, Outcome, SegmentText};

fn finding(rule: &'static str) -> Finding {
    let segment = SegmentText {
        from: 0,
        to: 4,
        class: "device",
        text: "cudaMalloc 4 B".to_owned(),
        owner: None,
        device: Some(0),
        history: None,
    };
    Finding {
        rule,
        severity: Severity::Error,
        says: String::new(),
        call: CallText {
            function: "cudaMemcpy",
            api: "runtime",
            text: String::new(),
        },
        predicted: Outcome::CannotTell,
        answered: None,
        operands: vec![OperandText {
            role: "dst",
            address: 0,
            bytes: Some(4),
            segments: vec![segment],
        }],
        role: None,
        first_bad: None,
        why: String::new(),
        fix: String::new(),
        at: None,
        entry: None,
        seen: 1,
        device_state: None,
    }
}

fn compare() {
    let line = describe(&finding("context.poisoned")).expect("the device's state");
    assert!(line.contains("GiB used"), "{line}");
    assert_eq!(
        describe(&finding("range.past-end")),
        None,
        "its device has no part in it"
    );
}

#[test]
fn a_lost_context_tells_how_its_device_is() {
    let child = Child::new(here!(), "one device");
    if wanted() == Wanted::Require {
        assert!(device().is_some());
        child.run(compare).must_succeed();
        return;
    }
    let nvml = shared_library("cuwhy-sim-nvml", "libcuwhy_sim_nvml.so");
    // NVML's front finds the simulated driver by its real name.
    let folder = tempfile::tempdir().expect("the temporary folder can be written");
    let driver = folder.path().join("libcuda.so.1");
    let core = shared_library("cuwhy-sim", "libcuwhy_sim.so");
    std::os::unix::fs::symlink(core, &driver).expect("a link");
    simulated(child, None)
        .env("CUWHY_LIBCUDA", &driver)
        .env("CUWHY_LIBNVML", nvml)
        .env("LD_LIBRARY_PATH", folder.path())
        .run(compare)
        .must_succeed();
}
