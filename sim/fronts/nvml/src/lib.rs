//! The simulator's `libnvidia-ml.so.1`.
//!
//! It shows the devices of the simulated driver beside it - all of them, as
//! NVML does, whatever `CUDA_VISIBLE_DEVICES` says - and asks it how much
//! memory is in use; using it does not initialise CUDA. What else a device
//! says was recorded from an H200 under driver 580, and what was not recorded
//! answers `NVML_ERROR_NOT_SUPPORTED`. Without a simulated driver there is
//! nothing to show, and initialisation answers `NVML_ERROR_DRIVER_NOT_LOADED`.
//!
//! Memory is what this process has allocated: simulated devices of different
//! processes are different devices.
//!
//! # Safety
//!
//! Every exported function is `unsafe` for one reason: its arguments are the C
//! caller's, who keeps the contract that NVML documents under that name.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod answer;
mod device;
mod driver;
mod exports;
mod memory;
mod recorded;
mod system;
