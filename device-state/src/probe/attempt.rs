//! One context to try things in, and what is noted of its answers.

use core::ffi::{CStr, c_int, c_void};
use core::ptr;

use cuda_sys::driver::{CUdevice, CUdevice_attribute, CUdeviceptr, CUresult, Driver};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::absent::Reason;

/// Why a trial ended early.
pub(super) enum Stop {
    /// The device, or whoever stands before it, does not do this.
    Refused,
    /// Something else went wrong, which says nothing about the claim.
    Unrelated(Reason),
}

pub(super) type Step<T> = Result<T, Stop>;

/// A context on one device.
pub(super) struct Attempt {
    pub(super) driver: &'static Driver,
    pub(super) device: CUdevice,
    /// The last call that did not succeed, and its answer.
    pub(super) last: String,
    /// Whether the driver is a simulated one.
    simulated: bool,
    /// What a reader of the answer should know beside it.
    pub(super) remark: Option<String>,
}

/// How much is allocated and written.
pub(super) const BYTES: usize = 4096;
/// The value that the device fills with.
pub(super) const MARK: u8 = 0x5a;
/// What a kernel adds to it.
pub(super) const ADDED: u8 = 0x4b;

impl Attempt {
    pub(super) fn begin(ordinal: u32) -> Result<Self, String> {
        let driver = Driver::get().map_err(|error| error.to_string())?;
        let answer = |call: &str, status: CUresult| {
            if status == CUresult::CUDA_SUCCESS {
                Ok(())
            } else {
                Err(said(call, status))
            }
        };
        // SAFETY: `cuInit` may be called at any time and takes no pointer.
        answer("cuInit(0)", unsafe { driver.cuInit(0) })?;
        let mut device: CUdevice = 0;
        let ordinal = c_int::try_from(ordinal).unwrap_or(c_int::MAX);
        // SAFETY: `device` is a live `CUdevice` and the driver writes nothing past it.
        let status = unsafe { driver.cuDeviceGet(&raw mut device, ordinal) };
        answer("cuDeviceGet", status)?;
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a live pointer; the context is kept until the process ends.
        let status = unsafe { driver.cuDevicePrimaryCtxRetain(&raw mut context, device) };
        answer("cuDevicePrimaryCtxRetain", status)?;
        // SAFETY: the context was just retained.
        let status = unsafe { driver.cuCtxSetCurrent(context) };
        answer("cuCtxSetCurrent", status)?;
        Ok(Self {
            driver,
            device,
            last: String::new(),
            simulated: is_simulated(driver, device),
            remark: None,
        })
    }

    /// Notes the answer of a call that decides about the claim.
    pub(super) fn must(&mut self, call: &str, status: CUresult) -> Step<()> {
        match status {
            CUresult::CUDA_SUCCESS => Ok(()),
            // No memory left says nothing about what the device can do.
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                self.last = said(call, status);
                Err(Stop::Unrelated(Reason::Failed(self.last.clone())))
            }
            CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND => {
                self.last = said(call, status);
                Err(Stop::Unrelated(Reason::SymbolMissing))
            }
            _ => {
                self.last = said(call, status);
                Err(Stop::Refused)
            }
        }
    }

    /// The same for a call that the simulator does not have: there it decides nothing.
    pub(super) fn must_outside_sim(&mut self, call: &str, status: CUresult) -> Step<()> {
        if self.simulated && status == CUresult::CUDA_ERROR_NOT_SUPPORTED {
            self.last = format!("the simulator does not do this: {}", said(call, status));
            return Err(Stop::Unrelated(Reason::NotProbed));
        }
        self.must(call, status)
    }

    /// Notes the answer of a call that only prepares or cleans up.
    pub(super) fn prepare(&mut self, call: &str, status: CUresult) -> Step<()> {
        self.must(call, status).map_err(|_| self.no_answer())
    }

    /// What was asked last failed, and that says nothing about the claim.
    pub(super) fn no_answer(&self) -> Stop {
        Stop::Unrelated(Reason::Failed(self.last.clone()))
    }

    /// Has the device fill memory with the mark, and waits.
    pub(super) fn fill(&mut self, address: CUdeviceptr) -> Step<()> {
        // SAFETY: the address is of at least `BYTES` bytes of memory that this trial owns; a driver
        // that cannot reach it answers with an error.
        let status = unsafe { self.driver.cuMemsetD8_v2(address, MARK, BYTES) };
        self.must("cuMemsetD8_v2", status)?;
        self.wait()
    }

    pub(super) fn wait(&mut self) -> Step<()> {
        // SAFETY: a context is current in this thread.
        let status = unsafe { self.driver.cuCtxSynchronize() };
        self.must("cuCtxSynchronize", status)
    }

    /// Says whether the host reads this value in all of the memory, which `writer` wrote.
    pub(super) fn reads(&mut self, memory: *const u8, wanted: u8, writer: &str) -> bool {
        for place in 0..BYTES {
            let byte = memory.wrapping_add(place);
            // SAFETY: the memory has `BYTES` bytes and is alive; the device is not writing any more.
            let value = unsafe { ptr::read_volatile(byte) };
            if value != wanted {
                self.last = format!(
                    "{writer} succeeded, but the host reads {value:#04x} instead of {wanted:#04x} at byte {place}"
                );
                return false;
            }
        }
        true
    }

    /// Whether the context is still good for another trial.
    pub(super) fn is_well(&self) -> bool {
        // SAFETY: a context is current in this thread.
        let status = unsafe { self.driver.cuCtxSynchronize() };
        status == CUresult::CUDA_SUCCESS
    }

    /// The number of an attribute of the device; none where the driver does not know it.
    pub(super) fn attribute(&self, attribute: CUdevice_attribute) -> Option<c_int> {
        let mut value = 0;
        // SAFETY: `value` is a live `c_int` and the driver writes nothing past it.
        let status = unsafe {
            self.driver
                .cuDeviceGetAttribute(&raw mut value, attribute, self.device)
        };
        (status == CUresult::CUDA_SUCCESS).then_some(value)
    }

    /// Plain pages, which stay until the process ends.
    pub(super) fn pages(&mut self, protection: ProtFlags) -> Step<*mut c_void> {
        // SAFETY: the kernel chooses the address, so nothing that exists is replaced.
        let mapped =
            unsafe { mmap_anonymous(ptr::null_mut(), BYTES, protection, MapFlags::PRIVATE) };
        mapped.map_err(|error| {
            self.last = format!("mmap: {error}");
            Stop::Unrelated(Reason::Failed(self.last.clone()))
        })
    }
}

/// A simulated driver says so in the names of its devices.
fn is_simulated(driver: &Driver, device: CUdevice) -> bool {
    let mut name = [0_u8; 256];
    // SAFETY: the driver writes at most the 256 bytes that `name` has.
    let status = unsafe { driver.cuDeviceGetName(name.as_mut_ptr().cast(), 256, device) };
    let text = CStr::from_bytes_until_nul(&name).unwrap_or_default();
    status == CUresult::CUDA_SUCCESS && text.to_string_lossy().contains("(simulated)")
}

pub(super) fn said(call: &str, status: CUresult) -> String {
    format!(
        "{call} -> {} ({})",
        status.name().unwrap_or("unknown code"),
        status.0
    )
}

/// An address as CUDA writes it.
pub(super) fn address(memory: *mut c_void) -> CUdeviceptr {
    memory.addr() as CUdeviceptr
}

/// The memory behind an address that is valid on the host too.
pub(super) fn host(address: CUdeviceptr) -> *mut u8 {
    ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0))
}
