//! The simulated driver, asked through the one function that it has for this library.

use core::ffi::{c_char, c_int, c_uint};
use std::sync::OnceLock;

/// What the driver tells of a device; the layout is its own.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct SimDevice {
    pub(crate) uuid: [u8; 16],
    pub(crate) pci: [u32; 3],
    /// Which kind of device: 0 is an H200.
    pub(crate) profile: u32,
    pub(crate) memory_total: u64,
    pub(crate) memory_used: u64,
    pub(crate) name: [u8; 96],
}

const NONE: SimDevice = SimDevice {
    uuid: [0; 16],
    pci: [0; 3],
    profile: 0,
    memory_total: 0,
    memory_used: 0,
    name: [0; 96],
};

impl SimDevice {
    /// The identifier as NVML writes it.
    pub(crate) fn uuid_text(&self) -> String {
        let hex: Vec<String> = self.uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |from: usize, to: usize| hex[from..to].concat();
        let parts = [
            part(0, 4),
            part(4, 6),
            part(6, 8),
            part(8, 10),
            part(10, 16),
        ];
        format!("GPU-{}", parts.join("-"))
    }
}

/// Writes what is told of the device with this number and answers 0, or 1 when there is no such device.
type Device = unsafe extern "C" fn(c_uint, *mut SimDevice) -> c_int;
type DriverVersion = unsafe extern "C" fn(*mut c_int) -> c_uint;

#[derive(Clone, Copy)]
struct Core {
    device: Device,
    version: Option<DriverVersion>,
}

static CORE: OnceLock<Core> = OnceLock::new();

fn core() -> Option<Core> {
    if let Some(core) = CORE.get() {
        return Some(*core);
    }
    // SAFETY: the name is a C string; what the library's constructors do is the library's affair.
    let handle = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() {
        return None;
    }
    let find = |name: *const c_char| {
        // SAFETY: the handle is open and the name is a C string.
        unsafe { libc::dlsym(handle, name) }
    };
    let device = find(c"cuwhySimDevice".as_ptr());
    // SAFETY: the simulated driver's function under this name is of this type; null is `None`.
    let device = unsafe { core::mem::transmute::<*mut core::ffi::c_void, Option<Device>>(device) };
    let version = find(c"cuDriverGetVersion".as_ptr());
    // SAFETY: as above.
    let version =
        unsafe { core::mem::transmute::<*mut core::ffi::c_void, Option<DriverVersion>>(version) };
    let core = Core {
        device: device?,
        version,
    };
    Some(*CORE.get_or_init(|| core))
}

/// All devices as they are now; nothing without a simulated driver.
pub(crate) fn devices() -> Option<Vec<SimDevice>> {
    let core = core()?;
    let one = |index| {
        let mut device = NONE;
        // SAFETY: the place is live and of the driver's own layout.
        let status = unsafe { (core.device)(index, &raw mut device) };
        (status == 0).then_some(device)
    };
    Some((0..).map_while(one).collect())
}

/// The CUDA version of the driver.
pub(crate) fn cuda_version() -> c_int {
    let mut version: c_int = 0;
    if let Some(ask) = core().and_then(|core| core.version) {
        // SAFETY: the place is live and the driver writes one number.
        let status = unsafe { ask(&raw mut version) };
        if status != 0 {
            return 0;
        }
    }
    version
}
