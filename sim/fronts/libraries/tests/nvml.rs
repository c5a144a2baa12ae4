//! NVML beside CUDA: the same devices, and memory that follows what is allocated.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed, and says what it left out"
)]

mod support;

use core::ptr;

use cuda_sys::driver::CUuuid;
use cuda_sys::runtime::Major;
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use support::{End, c, in_child, library};

fn nvml() -> Nvml {
    Nvml::builder()
        .lib_path(library("libnvidia-ml.so.1").as_os_str())
        .init()
        .unwrap()
}

fn dashed(uuid: CUuuid) -> String {
    let hex: Vec<String> = uuid
        .bytes
        .iter()
        .map(|byte| format!("{:02x}", byte.cast_unsigned()))
        .collect();
    let part = |from: usize, to: usize| hex[from..to].concat();
    format!(
        "GPU-{}-{}-{}-{}-{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 16)
    )
}

fn the_same_devices() {
    let nvml = nvml();
    let (_, driver) = support::open(Major::V13);
    assert_eq!(c!(driver.cuInit(0)), 0);
    let mut count = 0;
    assert_eq!(c!(driver.cuDeviceGetCount(&raw mut count)), 0);
    assert_eq!(nvml.device_count().unwrap(), 2);
    assert_eq!(count, 1, "CUDA_VISIBLE_DEVICES is CUDA's affair");
    let mut uuid = CUuuid::default();
    assert_eq!(c!(driver.cuDeviceGetUuid_v2(&raw mut uuid, 0)), 0);
    let device = nvml.device_by_uuid(dashed(uuid)).unwrap();
    assert_eq!(device.index().unwrap(), 1);
    assert!(device.name().unwrap().contains("simulated"));
    let mut text = [0; 16];
    assert_eq!(c!(driver.cuDeviceGetPCIBusId(text.as_mut_ptr(), 16, 0)), 0);
    // SAFETY: the driver has written a C string into the array.
    let id = unsafe { core::ffi::CStr::from_ptr(text.as_ptr()) };
    let by_pci = nvml.device_by_pci_bus_id(id.to_str().unwrap()).unwrap();
    assert_eq!(by_pci.uuid().unwrap(), dashed(uuid));
    let pci = device.pci_info().unwrap();
    assert!(
        pci.bus_id.ends_with(&id.to_str().unwrap().to_uppercase()),
        "{} {id:?}",
        pci.bus_id
    );
}

fn memory_follows() {
    const SIZE: usize = 64 << 20;
    let nvml = nvml();
    let device = nvml.device_by_index(0).unwrap();
    let before = device.memory_info().unwrap();
    assert!(device.running_compute_processes().unwrap().is_empty());
    let (runtime, _) = support::open(Major::V12);
    let mut memory = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMalloc(&raw mut memory, SIZE)), 0);
    let during = device.memory_info().unwrap();
    assert!(
        during.used >= before.used + SIZE as u64,
        "{before:?} {during:?}"
    );
    assert_eq!(during.used + during.free + during.reserved, during.total);
    let processes = device.running_compute_processes().unwrap();
    assert_eq!(
        processes.first().map(|process| process.pid),
        Some(std::process::id())
    );
    assert_eq!(c!(runtime.cudaFree(memory)), 0);
    assert!(device.memory_info().unwrap().used < during.used);
}

fn recorded_and_not() {
    let nvml = nvml();
    let device = nvml.device_by_index(0).unwrap();
    assert_eq!(device.num_cores().unwrap(), 16_896);
    assert_eq!(device.power_management_limit_default().unwrap(), 700_000);
    assert_eq!(nvml.sys_driver_version().unwrap(), "580.159.04");
    assert!(matches!(
        device.fan_speed(0),
        Err(NvmlError::NotSupported | NvmlError::InvalidArg)
    ));
    assert!(matches!(
        nvml.device_by_index(99),
        Err(NvmlError::InvalidArg)
    ));
    assert!(matches!(
        nvml.device_by_uuid("GPU-0"),
        Err(NvmlError::NotFound)
    ));
}

/// An older device of which only its CUDA attributes are recorded.
fn nothing_invented() {
    let nvml = nvml();
    let device = nvml.device_by_index(0).unwrap();
    assert!(device.name().unwrap().contains("simulated"));
    assert!(device.memory_info().unwrap().total > 0);
    let unknown = [
        device.num_cores().map(u64::from),
        device.power_management_limit_default().map(u64::from),
        device.total_energy_consumption(),
        device.max_pcie_link_gen().map(u64::from),
    ];
    for answer in unknown {
        assert!(matches!(answer, Err(NvmlError::NotSupported)), "{answer:?}");
    }
}

fn with(settings: &str, visible: Option<&str>, work: fn()) -> End {
    let (settings, visible) = (settings.to_owned(), visible.map(str::to_owned));
    in_child(move || {
        // SAFETY: the child has one thread.
        unsafe { std::env::set_var("CUWHY_SIM", settings) };
        if let Some(visible) = visible {
            // SAFETY: as above.
            unsafe { std::env::set_var("CUDA_VISIBLE_DEVICES", visible) };
        }
        work();
        0
    })
}

#[test]
fn nvml_shows_all_devices_and_names_them_as_cuda_does() {
    assert_eq!(
        with("devices=2,quiet", Some("1"), the_same_devices),
        End::Exit(0)
    );
}

#[test]
fn memory_in_use_follows_the_allocations() {
    assert_eq!(with("quiet", None, memory_follows), End::Exit(0));
}

#[test]
fn of_another_device_nothing_is_invented() {
    assert_eq!(
        with("profile=gtx980,quiet", None, nothing_invented),
        End::Exit(0)
    );
}

#[test]
fn what_was_recorded_is_told_and_the_rest_is_not_supported() {
    assert_eq!(with("quiet", None, recorded_and_not), End::Exit(0));
}
