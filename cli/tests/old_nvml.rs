//! The real binary with an NVML that is old and unwell: few functions, and some of them fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

use serde_json::Value;

/// An NVML of one device, made with the compiler that made this test. What it does not export, the
/// real one of an old driver would not either.
const SOURCE: &str = r#"
use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};

fn text(to: *mut c_char, room: c_uint, from: &[u8]) -> c_uint {
    if (room as usize) <= from.len() { return 7; }
    for (place, byte) in from.iter().enumerate() { unsafe { *to.add(place) = *byte as c_char } }
    unsafe { *to.add(from.len()) = 0 }
    0
}
#[unsafe(no_mangle)] pub extern "C" fn nvmlInit_v2() -> c_uint { 0 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlShutdown() -> c_uint { 0 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlSystemGetDriverVersion(to: *mut c_char, room: c_uint) -> c_uint { text(to, room, b"450.80.02") }
#[unsafe(no_mangle)] pub extern "C" fn nvmlSystemGetCudaDriverVersion_v2(to: *mut c_int) -> c_uint { unsafe { *to = 11000 } 0 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetCount_v2(to: *mut c_uint) -> c_uint { unsafe { *to = 2 } 0 }
// The second device has fallen off the bus.
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, to: *mut *mut c_void) -> c_uint {
    if index > 0 { return 15; }
    unsafe { *to = 1 as *mut c_void } 0
}
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetUUID(_: *mut c_void, to: *mut c_char, room: c_uint) -> c_uint { text(to, room, b"GPU-0000000a-0000-0000-0000-000000000000") }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetName(_: *mut c_void, to: *mut c_char, room: c_uint) -> c_uint { text(to, room, b"Old GPU") }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetTemperature(_: *mut c_void, _: c_uint, to: *mut c_uint) -> c_uint { unsafe { *to = 0 } 0 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetPowerUsage(_: *mut c_void, _: *mut c_uint) -> c_uint { 999 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetFanSpeed_v2(_: *mut c_void, _: c_uint, _: *mut c_uint) -> c_uint { 3 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetSerial(_: *mut c_void, _: *mut c_char, _: c_uint) -> c_uint { 4 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetCurrentClocksThrottleReasons(_: *mut c_void, to: *mut c_ulonglong) -> c_uint { unsafe { *to = 0x1004 } 0 }
#[unsafe(no_mangle)] pub extern "C" fn nvmlDeviceGetMemoryInfo(_: *mut c_void, to: *mut [c_ulonglong; 3]) -> c_uint { unsafe { *to = [16 << 30, 12 << 30, 4 << 30] } 0 }
"#;

fn library() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("nvml.rs");
        fs::write(&source, SOURCE).unwrap();
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
            .arg(folder.path().join("libnvidia-ml.so.1"))
            .arg(&source)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        folder
    });
    folder.path().join("libnvidia-ml.so.1")
}

fn cuwhy(arguments: &[&str]) -> Output {
    Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"))
        .args(arguments)
        .env("CUWHY_LIBCUDA", "/nonexistent/libcuda.so.1")
        .env("CUWHY_LIBNVML", library())
        .env_remove("CUDA_VISIBLE_DEVICES")
        .output()
        .unwrap()
}

#[test]
fn one_field_that_fails_costs_itself() {
    let output = cuwhy(&["inspect", "--format", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["driver"]["version"], "450.80.02");
    assert_eq!(report["driver"]["cuda"], "11.0");
    assert_eq!(report["driver"]["absent"]["nvml_version"], "symbol_missing");
    let device = &report["devices"][0];
    let absent = &device["absent"];
    assert_eq!(device["name"], "Old GPU");
    assert_eq!(device["temperature_celsius"], 0, "zero means zero");
    assert_eq!(absent["power_draw_milliwatts"], "failed:NVML_ERROR_UNKNOWN");
    assert_eq!(absent["fan_percent"], "unsupported");
    assert_eq!(absent["serial"], "denied");
    assert_eq!(absent["utilisation_percent"], "symbol_missing");
    assert_eq!(absent["compute_capability"], "library_missing");
    assert_eq!(absent["cuda_index"], "library_missing");
    assert_eq!(
        device["clocks_event_reasons"],
        serde_json::json!(["sw_power_cap", "other_0x1000"]),
        "the old name of the call is used, and unknown reasons are kept"
    );
}

#[test]
fn the_first_form_of_a_call_serves_where_the_second_is_missing() {
    let output = cuwhy(&[
        "inspect",
        "--fields",
        "memory_total_bytes,memory_used_bytes,memory_free_bytes,memory_reserved_bytes",
        "--format",
        "csv",
    ]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        text.lines().nth(1),
        Some("17179869184,4294967296,12884901888,")
    );
}

#[test]
fn a_lost_device_is_a_problem_and_the_other_one_is_there() {
    let output = cuwhy(&["inspect", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["devices"].as_array().unwrap().len(), 1);
    assert_eq!(report["driver"]["nvml_devices"], 2);
    let problems = report["problems"].to_string();
    assert!(problems.contains("NVML_ERROR_GPU_IS_LOST"), "{problems}");
}

#[test]
fn functions_that_an_old_nvml_lacks_are_named() {
    let output = cuwhy(&["inspect", "libraries"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("nvmlSystemGetNVMLVersion (11.7)"), "{text}");
    let output = cuwhy(&["inspect", "all", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let libraries = report["libraries"].as_array().unwrap();
    let nvml = libraries
        .iter()
        .find(|library| library["name"] == "libnvidia-ml" && library["chosen"] == true)
        .unwrap();
    let absent = nvml["functions_absent"].as_array().unwrap();
    assert!(absent.len() > 40, "{absent:?}");
    for function in absent {
        assert!(function["since"].is_string(), "{function}");
    }
}
