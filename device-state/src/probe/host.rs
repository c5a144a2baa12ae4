//! Host memory: pinned, registered, and plain.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use cuda_sys::driver::{
    CU_MEMHOSTALLOC_DEVICEMAP, CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTREGISTER_DEVICEMAP,
    CU_MEMHOSTREGISTER_READ_ONLY, CUdeviceptr, CUresult,
};
use rustix::mm::ProtFlags;

use super::attempt::{Attempt, BYTES, MARK, Step, Stop, address};
use super::kernel::{Kernel, Shape};
use crate::absent::Reason;

/// A page of pinned memory that the device reaches, and where it does.
pub(super) fn mapped(attempt: &mut Attempt) -> Step<(*mut c_void, CUdeviceptr)> {
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
    Ok((memory, there))
}

pub(super) fn map_host(attempt: &mut Attempt) -> Step<bool> {
    let (memory, there) = mapped(attempt)?;
    let same = attempt.written(there, memory.cast())?;
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFreeHost(memory) };
    attempt.must("cuMemFreeHost", status)?;
    Ok(same)
}

pub(super) fn host_register(attempt: &mut Attempt) -> Step<bool> {
    register(attempt, ProtFlags::READ | ProtFlags::WRITE, 0)
}

pub(super) fn host_register_read_only(attempt: &mut Attempt) -> Step<bool> {
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

pub(super) fn registered_pointer_same(attempt: &mut Attempt) -> Step<bool> {
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
    let same = if there == address(memory) {
        attempt.written(there, memory.cast())?
    } else {
        attempt.last =
            format!("cuMemHostGetDevicePointer_v2 -> {there:#x} for host address {memory:p}");
        false
    };
    // SAFETY: registered above.
    let status = unsafe { attempt.driver.cuMemHostUnregister(memory) };
    attempt.must("cuMemHostUnregister", status)?;
    Ok(same)
}

/// How many threads count on the device, and how far each.
const COUNTING: Shape = Shape {
    blocks: 32,
    threads: 32,
};
const TIMES: u32 = 1024;
/// Fewer meetings than this, and nothing is known.
const MEETINGS: u32 = 100;

/// Device and host add to the same number at the same time: where the link has no atomics, the device's
/// additions overwrite the host's.
pub(super) fn host_native_atomics(attempt: &mut Attempt) -> Step<bool> {
    let (memory, there) = mapped(attempt)?;
    // SAFETY: `mapped` gives at least a page, which begins at a page, and only atomics touch it from now on.
    let number = unsafe { AtomicU32::from_ptr(memory.cast()) };
    number.store(0, Ordering::SeqCst);
    let (mut at, mut times) = (there, TIMES);
    let mut arguments = [(&raw mut at).cast(), (&raw mut times).cast()];
    attempt.start_or_leave(Kernel::Count, COUNTING, &mut arguments)?;
    let (mut own, mut meetings, mut seen) = (0_u32, 0_u32, 0_u32);
    loop {
        for _ in 0..64 {
            let before = number.fetch_add(1, Ordering::SeqCst);
            meetings += u32::from(before != seen);
            seen = before.wrapping_add(1);
            own = own.wrapping_add(1);
        }
        // SAFETY: the null stream always exists.
        let status = unsafe { attempt.driver.cuStreamQuery(ptr::null_mut()) };
        if status != CUresult::CUDA_ERROR_NOT_READY {
            attempt.must("cuStreamQuery", status)?;
            break;
        }
    }
    attempt.wait()?;
    let wanted = own.wrapping_add(COUNTING.blocks * COUNTING.threads * TIMES);
    let found = number.load(Ordering::SeqCst);
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFreeHost(memory) };
    attempt.must("cuMemFreeHost", status)?;
    if found != wanted {
        let lost = wanted.wrapping_sub(found);
        attempt.last = format!(
            "host and device added at the same time, and {lost} of {wanted} additions were lost"
        );
        return Ok(false);
    }
    if meetings < MEETINGS {
        attempt.last = format!("host and device met {meetings} times only: too few to tell");
        return Err(Stop::Unrelated(Reason::NotProbed));
    }
    attempt.remark = Some(format!("{wanted} additions, {meetings} meetings"));
    Ok(true)
}

/// A fill and a kernel are two ways to the same memory; it works when both do.
///
/// A kernel that finds nothing there leaves its context unusable.
pub(super) fn pageable(attempt: &mut Attempt) -> Step<bool> {
    let memory = attempt.pages(ProtFlags::READ | ProtFlags::WRITE)?;
    let (there, here) = (
        memory.expose_provenance() as CUdeviceptr,
        memory.cast::<u8>(),
    );
    let filled = match attempt.fill(there) {
        Ok(()) => attempt.reads(here, MARK, "a fill"),
        Err(Stop::Refused) => false,
        Err(stop) => return Err(stop),
    };
    let by_fill = attempt.last.clone();
    for place in 0..BYTES {
        // SAFETY: the page is this trial's and writable.
        unsafe { ptr::write_volatile(here.wrapping_add(place), MARK) };
    }
    let by_kernel = attempt.added(there, here);
    let added = match by_kernel {
        Ok(Ok(same)) => same,
        Ok(Err(words)) => {
            attempt.remark = Some(format!("by a fill alone, for no kernel runs here: {words}"));
            filled
        }
        Err(Stop::Refused) => false,
        Err(stop) => return Err(stop),
    };
    if !filled && attempt.last != by_fill {
        attempt.last = format!("{by_fill}; {}", attempt.last);
    }
    Ok(filled && added)
}
