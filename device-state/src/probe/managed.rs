//! Managed memory.

use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use cuda_sys::driver::{CUdeviceptr, CUmem_advise, CUmemAttach_flags, CUresult};

use super::attempt::{Attempt, BYTES, MARK, Step, Stop, host};
use super::host::mapped;
use super::kernel::{Kernel, Shape};
use super::place::on;
use crate::absent::Reason;

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

pub(super) fn managed(attempt: &mut Attempt) -> Step<bool> {
    let memory = allocate_managed(attempt, BYTES)?;
    // SAFETY: managed memory is valid on the host while the device does nothing.
    unsafe { ptr::write_volatile(host(memory), 1) };
    let same = attempt.written(memory, host(memory))?;
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFree_v2(memory) };
    attempt.must("cuMemFree_v2", status)?;
    Ok(same)
}

/// A kernel that waits for the host gives up after so many looks at its memory: a second or two.
const TURNS: u32 = 1 << 20;
/// Large enough that the device still fills it when the host touches the memory.
const BUSY: usize = 256 << 20;

pub(super) fn concurrent_managed(attempt: &mut Attempt) -> Step<bool> {
    let (flag, there) = mapped(attempt).map_err(|_| attempt.no_answer())?;
    // SAFETY: `mapped` gives at least a page, which begins at a page, and only atomics touch it from now on.
    let released = unsafe { AtomicU32::from_ptr(flag.cast()) };
    released.store(0, Ordering::SeqCst);
    let memory = allocate_managed(attempt, BYTES)?;
    // SAFETY: managed memory is valid on the host while the device does nothing.
    unsafe { ptr::write_volatile(host(memory), 1) };
    // The device has the page when the host wants it.
    attempt.fill(memory)?;
    let (mut at, mut turns) = (there, TURNS);
    let mut arguments = [(&raw mut at).cast(), (&raw mut turns).cast()];
    let one = Shape {
        blocks: 1,
        threads: 1,
    };
    if let Err(words) = attempt.start(Kernel::Hold, one, &mut arguments) {
        attempt.remark = Some(format!("beside a fill, for no kernel runs here: {words}"));
        return beside_a_fill(attempt);
    }
    // SAFETY: the byte is in the allocation; where concurrent access is missing this ends the process,
    // which is this trial's answer.
    let filled = unsafe { ptr::read_volatile(host(memory)) };
    // SAFETY: as above.
    unsafe { ptr::write_volatile(host(memory), 1) };
    // SAFETY: the null stream always exists.
    let status = unsafe { attempt.driver.cuStreamQuery(ptr::null_mut()) };
    released.store(1, Ordering::SeqCst);
    attempt.wait()?;
    if status != CUresult::CUDA_ERROR_NOT_READY {
        attempt.last = "the kernel ended before the host had touched the memory".to_owned();
        return Err(Stop::Unrelated(Reason::NotProbed));
    }
    // SAFETY: the device does nothing any more.
    let value = unsafe { ptr::read_volatile(host(memory)) };
    // SAFETY: allocated above and not used any more.
    let status = unsafe { attempt.driver.cuMemFree_v2(memory) };
    attempt.must("cuMemFree_v2", status)?;
    if (filled, value) != (MARK, 1) {
        attempt.last = format!(
            "while a kernel ran the host read {filled:#04x} instead of {MARK:#04x}, wrote 1 and read {value}"
        );
    }
    Ok((filled, value) == (MARK, 1))
}

/// Without kernels: the device fills much memory, and the host touches its end meanwhile.
fn beside_a_fill(attempt: &mut Attempt) -> Step<bool> {
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
