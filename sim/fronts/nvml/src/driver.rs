//! The simulated driver, asked through the one function that it has for this library.

use core::ffi::{c_char, c_int, c_uint};
use std::sync::OnceLock;

/// What the driver tells of a device; the layout is its own.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct SimDevice {
    pub(crate) name: [u8; 96],
    pub(crate) uuid: [u8; 48],
    pub(crate) pci: [u32; 3],
    pub(crate) compute: [i32; 2],
    pub(crate) memory_total: u64,
    pub(crate) memory_used: u64,
}

const NONE: SimDevice = SimDevice {
    name: [0; 96],
    uuid: [0; 48],
    pci: [0; 3],
    compute: [0; 2],
    memory_total: 0,
    memory_used: 0,
};

/// More devices than a machine holds.
const ROOM: usize = 64;

type Devices = unsafe extern "C" fn(*mut SimDevice, c_uint, c_uint) -> c_int;
type DriverVersion = unsafe extern "C" fn(*mut c_int) -> c_uint;

#[derive(Clone, Copy)]
struct Core {
    devices: Devices,
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
    let devices = find(c"cuwhySimDevices".as_ptr());
    // SAFETY: the simulated driver's function under this name is of this type; null is `None`.
    let devices = unsafe { core::mem::transmute::<*mut core::ffi::c_void, Option<Devices>>(devices) };
    let version = find(c"cuDriverGetVersion".as_ptr());
    // SAFETY: as above.
    let version = unsafe { core::mem::transmute::<*mut core::ffi::c_void, Option<DriverVersion>>(version) };
    let core = Core { devices: devices?, version };
    Some(*CORE.get_or_init(|| core))
}

/// All devices as they are now; nothing without a simulated driver.
pub(crate) fn devices() -> Option<Vec<SimDevice>> {
    let core = core()?;
    let mut all = vec![NONE; ROOM];
    let room = c_uint::try_from(ROOM).unwrap_or_default();
    let size = c_uint::try_from(size_of::<SimDevice>()).unwrap_or_default();
    // SAFETY: there is room for so many of this size.
    let count = unsafe { (core.devices)(all.as_mut_ptr(), room, size) };
    all.truncate(usize::try_from(count).unwrap_or_default());
    Some(all)
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
