//! A program that knows nothing of this project, written with the crate `cudarc`, on the simulator.
//!
//! The program is the ignored test of this file: the command starts this very executable again and asks for it.

use std::process::Command;

use cudarc::driver::{CudaContext, result, sys};

/// The program. Nothing in it is written for a simulator.
#[test]
#[ignore = "it is started by the other test, under `cuwhy sim`"]
fn allocates_and_copies_with_cudarc() {
    let context = CudaContext::new(0).unwrap();
    let stream = context.default_stream();
    let sent: Vec<f32> = (0_u16..10_000).map(f32::from).collect();

    let on_device = stream.clone_htod(&sent).unwrap();
    let twin = stream.clone_dtod(&on_device).unwrap();
    assert_eq!(stream.clone_dtoh(&twin).unwrap(), sent);

    let mut zeros = stream.alloc_zeros::<f32>(sent.len()).unwrap();
    assert!(
        stream
            .clone_dtoh(&zeros)
            .unwrap()
            .iter()
            .all(|value| *value == 0.0)
    );
    stream.memcpy_htod(&sent[..100], &mut zeros).unwrap();

    let other = context.new_stream().unwrap();
    let mut part = other.alloc_zeros::<f32>(50).unwrap();
    stream.synchronize().unwrap();
    other.memcpy_dtod(&zeros.slice(25..75), &mut part).unwrap();
    assert_eq!(other.clone_dtoh(&part).unwrap(), sent[25..75]);

    let (free, total) = result::mem_get_info().unwrap();
    assert!(free < total);
    // SAFETY: nothing is launched or copied; asking for more memory than there is has no other effect.
    let refused = unsafe { result::malloc_sync(total + 1) };
    assert_eq!(
        refused.unwrap_err().0,
        sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY
    );
    println!("{}: done", context.name().unwrap());
}

#[test]
fn an_unmodified_cudarc_program_runs_under_sim() {
    let output = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"))
        .args(["sim", "--"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "allocates_and_copies_with_cudarc",
            "--nocapture",
        ])
        .env_remove("CUWHY_SIM")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(
        text.contains("NVIDIA H200 (simulated): done"),
        "{text}{errors}"
    );
}
