//! Device memory: addresses that speak for themselves, stream order, export.

use core::ffi::c_int;
use core::ptr;
use std::os::fd::{FromRawFd as _, OwnedFd};

use cuda_sys::driver::{CUdeviceptr, CUmemRangeHandleType, CUpointer_attribute};

use super::attempt::{Attempt, BYTES, MARK, Step};

pub(super) fn unified_addressing(attempt: &mut Attempt) -> Step<bool> {
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
    let same = attempt.reads(here.as_ptr(), MARK, "copying there and back");
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFree_v2(there) };
    attempt.must("cuMemFree_v2", status)?;
    Ok(same)
}

pub(super) fn pools(attempt: &mut Attempt) -> Step<bool> {
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
    let same = attempt.reads(here.as_ptr(), MARK, "a fill");
    // SAFETY: allocated above and not used after this in the stream.
    let status = unsafe { attempt.driver.cuMemFreeAsync(memory, stream) };
    attempt.must("cuMemFreeAsync", status)?;
    attempt.wait()?;
    Ok(same)
}

/// What is exported: whole pages of the host, of which this is a multiple everywhere.
const EXPORTED: usize = 2 << 20;

/// Exports device memory as a dma-buf, which is a file descriptor, and closes that.
pub(super) fn dma_buf(attempt: &mut Attempt) -> Step<bool> {
    let mut memory: CUdeviceptr = 0;
    // SAFETY: `memory` is a live address and the driver writes nothing past it.
    let status = unsafe { attempt.driver.cuMemAlloc_v2(&raw mut memory, 2 * EXPORTED) };
    attempt.prepare("cuMemAlloc_v2(4194304)", status)?;
    let page = EXPORTED as CUdeviceptr;
    let start = memory.next_multiple_of(page);
    let mut file: c_int = -1;
    // SAFETY: the range is in the allocation, and `file` is a live descriptor, which this kind of handle is.
    let status = unsafe {
        attempt.driver.cuMemGetHandleForAddressRange(
            (&raw mut file).cast(),
            start,
            EXPORTED,
            CUmemRangeHandleType::CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD,
            0,
        )
    };
    attempt.must_outside_sim("cuMemGetHandleForAddressRange(2097152, DMA_BUF_FD)", status)?;
    let exported = file >= 0;
    if exported {
        // SAFETY: the driver just opened it for us, and nobody else closes it.
        drop(unsafe { OwnedFd::from_raw_fd(file) });
    } else {
        attempt.last =
            format!("cuMemGetHandleForAddressRange succeeded with the descriptor {file}");
    }
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFree_v2(memory) };
    attempt.must("cuMemFree_v2", status)?;
    Ok(exported)
}
