//! Faults inside of a copy that do not cost the process: a process that dies needs a successor, and on
//! a GPU its start takes long.
//!
//! The handler opens the page that was missing and lets the copy go on to its end; that the signal came
//! is the answer, and the page is closed again. A fault elsewhere, or one in a page that the kernel
//! does not give away, ends the process as it would without a handler.

use core::ffi::{c_int, c_void};
use core::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};

use super::operands::PAGE;

/// Longer operands than this are not mended.
const MOST: usize = 8;
/// Nothing was mapped there.
const NOTHING: i32 = -1;

/// The pages that may be mended: those of the two operands.
static START: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
static END: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// Pages that were mended, and what was allowed there before.
static MENDED: [AtomicUsize; 2 * MOST] = [const { AtomicUsize::new(0) }; 2 * MOST];
static BEFORE: [AtomicI32; 2 * MOST] = [const { AtomicI32::new(0) }; 2 * MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);
static FAULTED: AtomicBool = AtomicBool::new(false);

/// Mends from now on.
pub(crate) fn arm() {
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_fault;
    // SAFETY: all zero is a valid, empty action.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the action is complete, and the handler does nothing that a handler may not do.
    let status = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
    assert_eq!(status, 0);
}

/// Makes a call whose operands begin at these addresses and have so many bytes. `None` is a fault.
pub(crate) fn around(
    operands: [*mut c_void; 2],
    count: usize,
    call: impl FnOnce() -> u32,
) -> Option<u32> {
    for (index, operand) in operands.into_iter().enumerate() {
        let start = operand.addr() & !(PAGE - 1);
        let end = operand.addr().saturating_add(count);
        let fits = end.saturating_sub(start) <= MOST * PAGE;
        START[index].store(start, SeqCst);
        END[index].store(if fits { end } else { 0 }, SeqCst);
    }
    FAULTED.store(false, SeqCst);
    let status = call();
    for end in &END {
        end.store(0, SeqCst);
    }
    for index in 0..COUNT.swap(0, SeqCst) {
        close(MENDED[index].load(SeqCst), BEFORE[index].load(SeqCst));
    }
    (!FAULTED.load(SeqCst)).then_some(status)
}

fn close(page: usize, before: i32) {
    let place = ptr::with_exposed_provenance_mut(page);
    let status = if before == NOTHING {
        // SAFETY: the handler mapped this page, where nothing was.
        unsafe { libc::munmap(place, PAGE) }
    } else {
        // SAFETY: the handler opened this page.
        unsafe { libc::mprotect(place, PAGE, before) }
    };
    assert_eq!(status, 0);
}

extern "C" fn on_fault(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    FAULTED.store(true, SeqCst);
    // SAFETY: the kernel hands a complete description over.
    let info = unsafe { &*info };
    // SAFETY: this signal comes with an address.
    let address = unsafe { info.si_addr() }.addr();
    let index = COUNT.load(SeqCst);
    let within = START
        .iter()
        .zip(&END)
        .any(|(start, end)| (start.load(SeqCst)..end.load(SeqCst)).contains(&address));
    let page = address & !(PAGE - 1);
    // A fault at an address that is none is told as one at null.
    match (within && page != 0).then(|| open(page)).flatten() {
        Some(before) if index < MENDED.len() => {
            MENDED[index].store(page, SeqCst);
            BEFORE[index].store(before, SeqCst);
            COUNT.store(index + 1, SeqCst);
        }
        // The instruction comes again, and this time nothing is in the way.
        // SAFETY: the default action may be set at any time.
        _ => unsafe {
            libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        },
    }
}

/// Opens a page; answers what was allowed there.
fn open(page: usize) -> Option<i32> {
    let place = ptr::with_exposed_provenance_mut::<c_void>(page);
    let before = if readable(page) {
        libc::PROT_READ
    } else {
        libc::PROT_NONE
    };
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: only the copy under test looks at this page.
    if unsafe { libc::mprotect(place, PAGE, rights) } == 0 {
        return Some(before);
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: the kernel refuses where something is.
    let mapped = unsafe { libc::mmap(place, PAGE, rights, flags, -1, 0) };
    (mapped == place).then_some(NOTHING)
}

/// Whether a page can be read, found out without a fault.
fn readable(page: usize) -> bool {
    let mut byte = 0_u8;
    let here = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let there = libc::iovec {
        iov_base: ptr::with_exposed_provenance_mut(page),
        iov_len: 1,
    };
    // SAFETY: `getpid` has no precondition.
    let own = unsafe { libc::getpid() };
    // SAFETY: the kernel reads the other place and answers with an error where it cannot.
    unsafe { libc::process_vm_readv(own, &raw const here, 1, &raw const there, 1, 0) == 1 }
}
