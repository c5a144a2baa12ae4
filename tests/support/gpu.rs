//! The setting `CUWHY_TEST_GPU`, and the device that it chooses.

use core::ffi::{c_char, c_int};
use std::env;
use std::ffi::CStr;
use std::sync::OnceLock;

use cuda_sys::driver::{CUresult, Driver};

use crate::skip::skip_device_test;

/// What `CUWHY_TEST_GPU` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Device tests run where there is a device.
    Auto,
    /// Device tests do not run.
    Off,
    /// Device tests run, and one that cannot is a failure.
    Require,
}

/// The setting of this process.
///
/// # Panics
///
/// When `CUWHY_TEST_GPU` is none of its three values.
#[must_use]
pub fn wanted() -> Wanted {
    match env::var("CUWHY_TEST_GPU").as_deref() {
        Err(_) | Ok("" | "auto") => Wanted::Auto,
        Ok("off") => Wanted::Off,
        Ok("require") => Wanted::Require,
        Ok(other) => panic!("CUWHY_TEST_GPU is {other:?}: it may be auto, off or require"),
    }
}

/// The driver with at least one device, initialised; `None` when the test is to do nothing.
///
/// ```no_run
/// # fn test() {
/// let Some(driver) = cuwhy_tests::device() else { return };
/// # }
/// ```
///
/// # Panics
///
/// When a device is required and there is none, or only a simulated one.
#[must_use]
pub fn device() -> Option<&'static Driver> {
    match device_or_why() {
        Ok(driver) => Some(driver),
        Err(why) => {
            skip_device_test(&why);
            None
        }
    }
}

/// The same for a test that has something to do without a device too: it says nothing.
///
/// # Errors
///
/// Why there is no device, in one line.
///
/// # Panics
///
/// As [`device`].
pub fn device_or_why() -> Result<&'static Driver, String> {
    let wanted = wanted();
    if wanted == Wanted::Off {
        return Err("CUWHY_TEST_GPU is off".to_owned());
    }
    static FOUND: OnceLock<Result<&'static Driver, String>> = OnceLock::new();
    let found = FOUND.get_or_init(find).as_ref();
    match (found, wanted) {
        (Ok(driver), Wanted::Require) => {
            let name = name_of_first(driver);
            assert!(
                !name.to_lowercase().contains("simulated"),
                "CUWHY_TEST_GPU requires a real device, and device 0 is {name}"
            );
            Ok(driver)
        }
        (Ok(driver), _) => Ok(driver),
        (Err(why), Wanted::Require) => panic!("CUWHY_TEST_GPU requires a device: {why}"),
        (Err(why), _) => Err(why.lines().next().unwrap_or(why).to_owned()),
    }
}

fn find() -> Result<&'static Driver, String> {
    let driver = Driver::get().map_err(|error| error.to_string())?;
    // SAFETY: `cuInit` may be called at any time.
    let status = unsafe { driver.cuInit(0) };
    if status != CUresult::CUDA_SUCCESS {
        return Err(format!("cuInit answers {}", status.0));
    }
    let mut count: c_int = 0;
    // SAFETY: `count` is a live `c_int`.
    let status = unsafe { driver.cuDeviceGetCount(&raw mut count) };
    if status != CUresult::CUDA_SUCCESS || count == 0 {
        return Err(format!(
            "cuDeviceGetCount answers {} with {count} devices",
            status.0
        ));
    }
    Ok(driver)
}

fn name_of_first(driver: &Driver) -> String {
    let mut name: [c_char; 128] = [0; 128];
    // SAFETY: the buffer has as many bytes as it is said to have.
    let status = unsafe { driver.cuDeviceGetName(name.as_mut_ptr(), 128, 0) };
    if status != CUresult::CUDA_SUCCESS {
        return String::new();
    }
    // SAFETY: the driver ends the name with a zero.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    name.to_string_lossy().into_owned()
}
