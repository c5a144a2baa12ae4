use core::ffi::{CStr, c_char};
use std::fs;

use cuda_sys::driver::{CUresult, Driver};
use cuda_sys::runtime::Runtime;
use serde::{Deserialize, Serialize};

/// The machine that numbers were measured on; `None` is what it does not have or does not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor.
    pub cpu: String,
    /// How many threads run at a time.
    pub threads: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The first GPU.
    pub gpu: Option<String>,
    /// The driver's own version, from the name of its file.
    pub driver: Option<String>,
    /// The newest CUDA that the driver supports.
    pub cuda: Option<String>,
    /// The version of libcudart.
    pub cudart: Option<String>,
}

impl Machine {
    /// Asks this machine. CUDA is initialised where there is a driver, no context is made.
    #[must_use]
    pub fn ask() -> Self {
        let driver = Driver::get().ok();
        let file = driver.map(|driver| driver.file().real_path());
        let name = file.and_then(|file| Some(file.file_name()?.to_str()?.to_owned()));
        Self {
            cpu: cpu(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned()),
            gpu: driver.and_then(gpu),
            driver: name.and_then(|name| {
                let version = name.strip_prefix("libcuda.so.")?;
                version.contains('.').then(|| version.to_owned())
            }),
            cuda: driver.map(|driver| driver.version().to_string()),
            cudart: Runtime::get()
                .map(|runtime| runtime.version().to_string())
                .ok(),
        }
    }
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

fn gpu(driver: &Driver) -> Option<String> {
    // SAFETY: `cuInit` may be called at any time.
    if unsafe { driver.cuInit(0) } != CUresult::CUDA_SUCCESS {
        return None;
    }
    let mut device = 0;
    // SAFETY: `device` is a live `CUdevice`.
    if unsafe { driver.cuDeviceGet(&raw mut device, 0) } != CUresult::CUDA_SUCCESS {
        return None;
    }
    let mut name: [c_char; 256] = [0; 256];
    // SAFETY: the driver writes at most 255 bytes with their end.
    let status = unsafe { driver.cuDeviceGetName(name.as_mut_ptr(), 255, device) };
    if status != CUresult::CUDA_SUCCESS {
        return None;
    }
    // SAFETY: the last byte of the array is zero whatever was written.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    Some(name.to_string_lossy().into_owned())
}
