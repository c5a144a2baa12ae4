//! Trying what a device claims. This, and nothing else in this crate, creates a context.
//!
//! A trial may end its process - that is an answer too -, so each belongs in a process of its own.

use core::ffi::{c_int, c_void};
use core::ptr;

use cuda_sys::driver::{
    CU_MEMHOSTALLOC_DEVICEMAP, CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTREGISTER_DEVICEMAP,
    CU_MEMHOSTREGISTER_READ_ONLY,
};
use cuda_sys::driver::{
    CUdevice, CUdeviceptr, CUmem_advise, CUmemAccess_flags, CUmemAccessDesc,
    CUmemAllocationGranularity_flags, CUmemAllocationProp, CUmemAllocationType, CUmemAttach_flags,
    CUmemLocation, CUmemLocationType, CUpointer_attribute, CUresult, Driver,
};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use serde::{Deserialize, Serialize};

use crate::absent::Reason;

/// A capability that can be tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// The capability's key.
    pub key: &'static str,
    /// What is done, in short.
    pub what: &'static str,
    run: fn(&mut Attempt) -> Step<bool>,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The capability's key.
    pub key: String,
    /// Whether it works, if that could be found out.
    pub works: Option<bool>,
    /// Why it could not be found out.
    pub reason: Option<Reason>,
    /// The call that decided, and its answer.
    pub evidence: String,
}

/// Every trial.
pub const TRIALS: &[Trial] = &[
    Trial {
        key: "unified_addressing",
        what: "copying there and back by addresses alone",
        run: unified_addressing,
    },
    Trial {
        key: "map_host",
        what: "writing pinned memory from the device",
        run: map_host,
    },
    Trial {
        key: "host_register",
        what: "registering a page",
        run: host_register,
    },
    Trial {
        key: "host_register_read_only",
        what: "registering a page that cannot be written",
        run: host_register_read_only,
    },
    Trial {
        key: "registered_pointer_same",
        what: "comparing both addresses of a registered page",
        run: registered_pointer_same,
    },
    Trial {
        key: "managed",
        what: "writing managed memory on both sides",
        run: managed,
    },
    Trial {
        key: "concurrent_managed",
        what: "touching managed memory while the device works",
        run: concurrent_managed,
    },
    Trial {
        key: "pools",
        what: "allocating, filling and freeing in stream order",
        run: pools,
    },
    Trial {
        key: "virtual_memory",
        what: "reserving, creating, mapping and writing",
        run: virtual_memory,
    },
    Trial {
        key: "pageable",
        what: "writing plain memory from the device",
        run: pageable,
    },
];

/// Makes the trials of these keys on one device, in this process.
pub fn run(ordinal: u32, keys: &[String]) -> Vec<Tried> {
    let wanted: Vec<&Trial> = TRIALS
        .iter()
        .filter(|trial| keys.iter().any(|key| key == trial.key))
        .collect();
    let mut attempt = match Attempt::begin(ordinal) {
        Ok(attempt) => attempt,
        Err(evidence) => {
            return wanted
                .iter()
                .map(|trial| Tried {
                    key: trial.key.to_owned(),
                    works: None,
                    reason: Some(Reason::Failed(evidence.clone())),
                    evidence: evidence.clone(),
                })
                .collect();
        }
    };
    wanted
        .iter()
        .map(|trial| {
            attempt.last = String::new();
            match (trial.run)(&mut attempt) {
                Ok(works) => Tried {
                    key: trial.key.to_owned(),
                    works: Some(works),
                    reason: None,
                    evidence: if works {
                        format!("{}: works", trial.what)
                    } else {
                        attempt.last.clone()
                    },
                },
                Err(Stop::Refused) => Tried {
                    key: trial.key.to_owned(),
                    works: Some(false),
                    reason: None,
                    evidence: attempt.last.clone(),
                },
                Err(Stop::Unrelated(reason)) => Tried {
                    key: trial.key.to_owned(),
                    works: None,
                    reason: Some(reason),
                    evidence: attempt.last.clone(),
                },
            }
        })
        .collect()
}

/// Why a trial ended early.
enum Stop {
    /// The device, or whoever stands before it, does not do this.
    Refused,
    /// Something else went wrong, which says nothing about the claim.
    Unrelated(Reason),
}

type Step<T> = Result<T, Stop>;

struct Attempt {
    driver: &'static Driver,
    device: CUdevice,
    /// The last call that did not succeed, and its answer.
    last: String,
}

/// How much is allocated and written.
const BYTES: usize = 4096;
/// The value that the device writes.
const MARK: u8 = 0x5a;

impl Attempt {
    fn begin(ordinal: u32) -> Result<Self, String> {
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
        })
    }

    /// Notes the answer of a call that decides about the claim.
    fn must(&mut self, call: &str, status: CUresult) -> Step<()> {
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

    /// Notes the answer of a call that only prepares or cleans up.
    fn prepare(&mut self, call: &str, status: CUresult) -> Step<()> {
        self.must(call, status)
            .map_err(|_| Stop::Unrelated(Reason::Failed(self.last.clone())))
    }

    /// Has the device fill memory with the mark, and waits.
    fn fill(&mut self, address: CUdeviceptr) -> Step<()> {
        // SAFETY: the address is of at least `BYTES` bytes of memory that this trial owns; a driver
        // that cannot reach it answers with an error.
        let status = unsafe { self.driver.cuMemsetD8_v2(address, MARK, BYTES) };
        self.must("cuMemsetD8_v2", status)?;
        self.wait()
    }

    fn wait(&mut self) -> Step<()> {
        // SAFETY: a context is current in this thread.
        let status = unsafe { self.driver.cuCtxSynchronize() };
        self.must("cuCtxSynchronize", status)
    }

    /// Says whether the host reads the mark in all of it.
    fn marked(&mut self, memory: *const u8) -> bool {
        for place in 0..BYTES {
            let byte = memory.wrapping_add(place);
            // SAFETY: the memory has `BYTES` bytes and is alive; the device is not writing any more.
            let value = unsafe { ptr::read_volatile(byte) };
            if value != MARK {
                self.last = format!(
                    "cuMemsetD8_v2 succeeded, but the host reads {value:#04x} instead of {MARK:#04x} at byte {place}"
                );
                return false;
            }
        }
        true
    }

    /// Plain pages, which stay until the process ends.
    fn pages(&mut self, protection: ProtFlags) -> Step<*mut c_void> {
        // SAFETY: the kernel chooses the address, so nothing that exists is replaced.
        let mapped =
            unsafe { mmap_anonymous(ptr::null_mut(), BYTES, protection, MapFlags::PRIVATE) };
        mapped.map_err(|error| {
            self.last = format!("mmap: {error}");
            Stop::Unrelated(Reason::Failed(self.last.clone()))
        })
    }
}

fn said(call: &str, status: CUresult) -> String {
    format!(
        "{call} -> {} ({})",
        status.name().unwrap_or("unknown code"),
        status.0
    )
}

/// An address as CUDA writes it.
fn address(memory: *mut c_void) -> CUdeviceptr {
    memory.addr() as CUdeviceptr
}

/// The memory behind an address that is valid on the host too.
fn host(address: CUdeviceptr) -> *mut u8 {
    ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0))
}

fn unified_addressing(attempt: &mut Attempt) -> Step<bool> {
    let mut there: CUdeviceptr = 0;
    // SAFETY: `there` is a live address and the driver writes nothing past it.
    let status = unsafe { attempt.driver.cuMemAlloc_v2(&raw mut there, BYTES) };
    attempt.prepare("cuMemAlloc_v2(4096)", status)?;
    let mut kind = 0_u32;
    // SAFETY: this attribute is one 32-bit number, which `kind` holds.
    let status = unsafe {
        attempt.driver.cuPointerGetAttribute(
            (&raw mut kind).cast(),
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
            there,
        )
    };
    attempt.must("cuPointerGetAttribute(MEMORY_TYPE)", status)?;
    let mut here = vec![MARK; BYTES];
    let source = here.as_mut_ptr().expose_provenance() as CUdeviceptr;
    // SAFETY: both ranges have `BYTES` bytes and belong to this trial.
    let status = unsafe { attempt.driver.cuMemcpy(there, source, BYTES) };
    attempt.must("cuMemcpy(device, host, 4096)", status)?;
    here.fill(0);
    // SAFETY: as above, the other way.
    let status = unsafe { attempt.driver.cuMemcpy(source, there, BYTES) };
    attempt.must("cuMemcpy(host, device, 4096)", status)?;
    let same = attempt.marked(here.as_ptr());
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFree_v2(there) };
    attempt.must("cuMemFree_v2", status)?;
    Ok(same)
}

fn map_host(attempt: &mut Attempt) -> Step<bool> {
    let mut memory = ptr::null_mut();
    let flags = CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE;
    // SAFETY: `memory` is a live pointer and the driver writes nothing past it.
    let status = unsafe { attempt.driver.cuMemHostAlloc(&raw mut memory, BYTES, flags) };
    attempt.must("cuMemHostAlloc(4096, DEVICEMAP)", status)?;
    let mut there: CUdeviceptr = 0;
    // SAFETY: `memory` was just allocated with a mapping.
    let status = unsafe {
        attempt
            .driver
            .cuMemHostGetDevicePointer_v2(&raw mut there, memory, 0)
    };
    attempt.must("cuMemHostGetDevicePointer_v2", status)?;
    attempt.fill(there)?;
    let same = attempt.marked(memory.cast());
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFreeHost(memory) };
    attempt.must("cuMemFreeHost", status)?;
    Ok(same)
}

fn host_register(attempt: &mut Attempt) -> Step<bool> {
    register(attempt, ProtFlags::READ | ProtFlags::WRITE, 0)
}

fn host_register_read_only(attempt: &mut Attempt) -> Step<bool> {
    register(attempt, ProtFlags::READ, CU_MEMHOSTREGISTER_READ_ONLY)
}

fn register(attempt: &mut Attempt, protection: ProtFlags, flags: u32) -> Step<bool> {
    let memory = attempt.pages(protection)?;
    // SAFETY: the pages are this trial's and stay until the process ends.
    let status = unsafe { attempt.driver.cuMemHostRegister_v2(memory, BYTES, flags) };
    attempt.must(
        &format!("cuMemHostRegister_v2(4096, flags {flags})"),
        status,
    )?;
    // SAFETY: registered above.
    let status = unsafe { attempt.driver.cuMemHostUnregister(memory) };
    attempt.must("cuMemHostUnregister", status)?;
    Ok(true)
}

fn registered_pointer_same(attempt: &mut Attempt) -> Step<bool> {
    let memory = attempt.pages(ProtFlags::READ | ProtFlags::WRITE)?;
    // SAFETY: the pages are this trial's and stay until the process ends.
    let status = unsafe {
        attempt
            .driver
            .cuMemHostRegister_v2(memory, BYTES, CU_MEMHOSTREGISTER_DEVICEMAP)
    };
    attempt.must("cuMemHostRegister_v2(4096, DEVICEMAP)", status)?;
    let mut there: CUdeviceptr = 0;
    // SAFETY: `memory` was just registered with a mapping.
    let status = unsafe {
        attempt
            .driver
            .cuMemHostGetDevicePointer_v2(&raw mut there, memory, 0)
    };
    attempt.must("cuMemHostGetDevicePointer_v2", status)?;
    let same = there == address(memory);
    if !same {
        attempt.last =
            format!("cuMemHostGetDevicePointer_v2 -> {there:#x} for host address {memory:p}");
    }
    // SAFETY: registered above.
    let status = unsafe { attempt.driver.cuMemHostUnregister(memory) };
    attempt.must("cuMemHostUnregister", status)?;
    Ok(same)
}

fn allocate_managed(attempt: &mut Attempt, bytes: usize) -> Step<CUdeviceptr> {
    let mut memory: CUdeviceptr = 0;
    let flags = CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL.0;
    // SAFETY: `memory` is a live address and the driver writes nothing past it.
    let status = unsafe {
        attempt
            .driver
            .cuMemAllocManaged(&raw mut memory, bytes, flags)
    };
    attempt.must(&format!("cuMemAllocManaged({bytes})"), status)?;
    Ok(memory)
}

fn managed(attempt: &mut Attempt) -> Step<bool> {
    let memory = allocate_managed(attempt, BYTES)?;
    // SAFETY: managed memory is valid on the host while the device does nothing.
    unsafe { ptr::write_volatile(host(memory), 1) };
    attempt.fill(memory)?;
    let same = attempt.marked(host(memory));
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFree_v2(memory) };
    attempt.must("cuMemFree_v2", status)?;
    Ok(same)
}

/// Large enough that the device still works when the host touches the memory.
const BUSY: usize = 256 << 20;

fn concurrent_managed(attempt: &mut Attempt) -> Step<bool> {
    let memory = allocate_managed(attempt, BUSY)?;
    let advice = CUmem_advise::CU_MEM_ADVISE_SET_PREFERRED_LOCATION;
    // Devices without concurrent access refuse to be a preferred location.
    let (call, status) = if attempt.driver.find("cuMemAdvise_v2").is_ok() {
        let location = on(attempt.device);
        // SAFETY: the range was just allocated, and the location is this device.
        let status = unsafe {
            attempt
                .driver
                .cuMemAdvise_v2(memory, BUSY, advice, location)
        };
        ("cuMemAdvise_v2(SET_PREFERRED_LOCATION)", status)
    } else {
        // SAFETY: as above; drivers before CUDA 12.2 have only this form.
        let status = unsafe {
            attempt
                .driver
                .cuMemAdvise(memory, BUSY, advice, attempt.device)
        };
        ("cuMemAdvise(SET_PREFERRED_LOCATION)", status)
    };
    attempt.must(call, status)?;
    let mut stream = ptr::null_mut();
    // SAFETY: `stream` is a live pointer and the driver writes nothing past it.
    let status = unsafe { attempt.driver.cuStreamCreate(&raw mut stream, 1) };
    attempt.prepare("cuStreamCreate", status)?;
    // SAFETY: the range and the stream are this trial's.
    let status = unsafe {
        attempt
            .driver
            .cuMemsetD8Async(memory, MARK, BUSY - BYTES, stream)
    };
    attempt.must("cuMemsetD8Async", status)?;
    let last = host(memory).wrapping_add(BUSY - 1);
    // SAFETY: the byte is in the range; where concurrent access is missing this ends the process,
    // which is this trial's answer.
    unsafe { ptr::write_volatile(last, 1) };
    attempt.wait()?;
    // SAFETY: the device does nothing any more.
    let value = unsafe { ptr::read_volatile(last) };
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFree_v2(memory) };
    attempt.must("cuMemFree_v2", status)?;
    if value != 1 {
        attempt.last = format!("the host wrote 1 while the device worked, and read {value}");
    }
    Ok(value == 1)
}

fn pools(attempt: &mut Attempt) -> Step<bool> {
    let mut memory: CUdeviceptr = 0;
    let stream = ptr::null_mut();
    // SAFETY: `memory` is a live address; the null stream always exists.
    let status = unsafe {
        attempt
            .driver
            .cuMemAllocAsync(&raw mut memory, BYTES, stream)
    };
    attempt.must("cuMemAllocAsync(4096)", status)?;
    // SAFETY: the memory was allocated earlier in the same stream.
    let status = unsafe { attempt.driver.cuMemsetD8Async(memory, MARK, BYTES, stream) };
    attempt.must("cuMemsetD8Async", status)?;
    let mut here = vec![0_u8; BYTES];
    let target = here.as_mut_ptr().expose_provenance() as CUdeviceptr;
    // SAFETY: both ranges have `BYTES` bytes; the copy waits for the null stream.
    let status = unsafe { attempt.driver.cuMemcpy(target, memory, BYTES) };
    attempt.must("cuMemcpy(host, pool memory, 4096)", status)?;
    let same = attempt.marked(here.as_ptr());
    // SAFETY: allocated above and not used after this in the stream.
    let status = unsafe { attempt.driver.cuMemFreeAsync(memory, stream) };
    attempt.must("cuMemFreeAsync", status)?;
    attempt.wait()?;
    Ok(same)
}

/// The location that is this device.
fn on(device: CUdevice) -> CUmemLocation {
    // SAFETY: every field of this struct is a number, for which 0 is a value.
    let mut location: CUmemLocation = unsafe { core::mem::zeroed() };
    location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    location.__bindgen_anon_1.id = device;
    location
}

fn virtual_memory(attempt: &mut Attempt) -> Step<bool> {
    // SAFETY: every field of this struct is a number or a pointer, for which 0 is a value.
    let mut wish: CUmemAllocationProp = unsafe { core::mem::zeroed() };
    wish.type_ = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
    wish.location = on(attempt.device);
    let mut bytes = 0;
    // SAFETY: `bytes` and `wish` are alive, and the driver writes only the former.
    let status = unsafe {
        attempt.driver.cuMemGetAllocationGranularity(
            &raw mut bytes,
            &raw const wish,
            CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_MINIMUM,
        )
    };
    attempt.must("cuMemGetAllocationGranularity", status)?;
    let mut memory: CUdeviceptr = 0;
    // SAFETY: `memory` is a live address; the driver chooses where to reserve.
    let status = unsafe {
        attempt
            .driver
            .cuMemAddressReserve(&raw mut memory, bytes, 0, 0, 0)
    };
    attempt.must(&format!("cuMemAddressReserve({bytes})"), status)?;
    let mut handle = 0;
    // SAFETY: `handle` and `wish` are alive, and the driver writes only the former.
    let status = unsafe {
        attempt
            .driver
            .cuMemCreate(&raw mut handle, bytes, &raw const wish, 0)
    };
    attempt.must(&format!("cuMemCreate({bytes})"), status)?;
    // SAFETY: the range was reserved and the handle created above, both of this size.
    let status = unsafe { attempt.driver.cuMemMap(memory, bytes, 0, handle, 0) };
    attempt.must("cuMemMap", status)?;
    let access = CUmemAccessDesc {
        location: on(attempt.device),
        flags: CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
    };
    // SAFETY: the range was mapped above, and one description is given.
    let status = unsafe {
        attempt
            .driver
            .cuMemSetAccess(memory, bytes, &raw const access, 1)
    };
    attempt.must("cuMemSetAccess", status)?;
    attempt.fill(memory)?;
    let mut here = vec![0_u8; BYTES];
    let target = here.as_mut_ptr().expose_provenance() as CUdeviceptr;
    // SAFETY: both ranges have `BYTES` bytes.
    let status = unsafe { attempt.driver.cuMemcpy(target, memory, BYTES) };
    attempt.must("cuMemcpy(host, virtual memory, 4096)", status)?;
    let same = attempt.marked(here.as_ptr());
    // SAFETY: mapped above and not used any more.
    let status = unsafe { attempt.driver.cuMemUnmap(memory, bytes) };
    attempt.must("cuMemUnmap", status)?;
    // SAFETY: created above and not mapped any more.
    let status = unsafe { attempt.driver.cuMemRelease(handle) };
    attempt.must("cuMemRelease", status)?;
    // SAFETY: reserved above and not used any more.
    let status = unsafe { attempt.driver.cuMemAddressFree(memory, bytes) };
    attempt.must("cuMemAddressFree", status)?;
    Ok(same)
}

fn pageable(attempt: &mut Attempt) -> Step<bool> {
    let memory = attempt.pages(ProtFlags::READ | ProtFlags::WRITE)?;
    // SAFETY: the page is this trial's and writable.
    unsafe { ptr::write_volatile(memory.cast::<u8>(), 1) };
    attempt.fill(memory.expose_provenance() as CUdeviceptr)?;
    Ok(attempt.marked(memory.cast()))
}
