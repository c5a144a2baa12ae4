//! What whoever watches the driver sees of each runtime call.
//!
//! A library that stands as `libcuda.so.1` between the front and the simulated driver writes each call's name. The
//! expected calls are those of the real libraries of 11.8, 12.9 and 13.0 on an H200.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed, and says what it left out"
)]

mod support;

use std::ffi::OsStr;
use std::process::Command;

use cuda_sys::runtime::Major;
use support::{MAJORS, compile, library};

/// Synchronous, asynchronous, rows, rows asynchronous, nothing: by kind.
const COPIES: [[&str; 5]; 5] = [
    [
        "cuMemcpy2DUnaligned_v2",
        "cuMemcpy2DAsync_v2",
        "cuMemcpy2DUnaligned_v2",
        "cuMemcpy2DAsync_v2",
        "",
    ],
    [
        "cuMemcpyHtoD_v2",
        "cuMemcpyHtoDAsync_v2",
        "cuMemcpy2DUnaligned_v2",
        "cuMemcpy2DAsync_v2",
        "",
    ],
    [
        "cuMemcpyDtoH_v2",
        "cuMemcpyDtoHAsync_v2",
        "cuMemcpy2DUnaligned_v2",
        "cuMemcpy2DAsync_v2",
        "",
    ],
    [
        "cuMemcpyDtoD_v2",
        "cuMemcpyDtoDAsync_v2",
        "cuMemcpy2DUnaligned_v2",
        "cuMemcpy2DAsync_v2",
        "",
    ],
    [
        "cuMemcpy",
        "cuMemcpyAsync",
        "cuMemcpy2DUnaligned_v2",
        "cuMemcpy2DAsync_v2",
        "",
    ],
];

/// Every other call with what the driver is asked.
const OTHERS: [(&str, &str); 21] = [
    ("cudaMemcpy of kind 9", ""),
    ("cudaMemcpy to null", "cuMemcpyHtoD_v2"),
    ("cudaMemcpy2D wider than its pitch", ""),
    ("cudaMemcpyPeer", "cuMemcpyPeer"),
    ("cudaMemset", "cuMemsetD8_v2"),
    ("cudaMemset of nothing", ""),
    ("cudaMemsetAsync", "cuMemsetD8Async"),
    ("cudaMemset2D", "cuMemsetD2D8_v2"),
    ("cudaMalloc of nothing", ""),
    ("cudaMallocPitch", "cuMemAllocPitch_v2"),
    ("cudaMallocHost", "cuMemHostAlloc"),
    ("cudaFreeHost", "cuMemFreeHost"),
    ("cudaMallocManaged", "cuMemAllocManaged"),
    ("cudaPointerGetAttributes", "cuPointerGetAttributes"),
    ("cudaStreamSynchronize", "cuStreamSynchronize"),
    ("cudaDeviceSynchronize", "cuCtxSynchronize"),
    ("cudaMemcpy_ptds", "cuMemcpyHtoD_v2_ptds"),
    ("cudaMemcpyAsync_ptsz", "cuMemcpyHtoDAsync_v2_ptsz"),
    ("cudaMemset_ptds", "cuMemsetD8_v2_ptds"),
    ("cudaFree", "cuMemFree_v2"),
    ("cudaFree of null", "cuMemFree_v2"),
];

fn expected(major: Major) -> Vec<String> {
    let mut all = vec!["cuMemAlloc_v2".to_owned()];
    all.extend(COPIES.iter().flatten().map(|call| (*call).to_owned()));
    all.extend(OTHERS.iter().map(|(name, calls)| match *name {
        "cudaDeviceSynchronize" if major == Major::V13 => {
            "cuCtxGetCurrent cuCtxSynchronize_v2".to_owned()
        }
        _ => (*calls).to_owned(),
    }));
    all
}

/// The driver's calls after each line that announces one of the runtime's.
fn seen(text: &str) -> Vec<String> {
    let parts = text.split("> ").skip(1);
    let calls = |part: &str| {
        let names = part.lines().skip(1).filter(|line| line.starts_with("cu"));
        names.collect::<Vec<_>>().join(" ")
    };
    parts.map(calls).collect()
}

#[test]
fn the_driver_is_asked_what_the_real_runtimes_ask_it() {
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("makes-calls");
    compile(
        "makes_calls.c",
        &program,
        &[OsStr::new("-ldl"), OsStr::new("-w")],
    );
    let between = place.path().join("libcuda.so.1");
    let flags = ["-shared", "-fPIC", "-ldl", "-Wl,-soname,libcuda-watched.so"];
    compile("watched_driver.c", &between, &flags.map(OsStr::new));
    for major in MAJORS {
        let front = std::fs::canonicalize(library(major.soname())).unwrap();
        let link = place.path().join(major.soname());
        std::os::unix::fs::symlink(front, &link).unwrap();
        let output = Command::new(&program)
            .arg(&link)
            .env("LD_LIBRARY_PATH", place.path())
            .env("WATCHED_DRIVER", library("libcuda.so.1"))
            .env("CUWHY_SIM", "quiet")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let (seen, expected) = (seen(&text), expected(major));
        assert_eq!(seen.len(), expected.len(), "{text}");
        for (place, (seen, expected)) in seen.iter().zip(&expected).enumerate() {
            assert_eq!(seen, expected, "CUDA {major}, call {place}: {text}");
        }
    }
}
