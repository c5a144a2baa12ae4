//! Faults inside of a call: where they happened, and how the process lives on.
//!
//! A fault in a page that the world laid out for it is mended: the page becomes accessible, the call
//! goes on, and afterwards the page is closed again. That the signal came, and where, is the answer.
//! Any other fault ends the process; the address is said before.

use core::ffi::{c_int, c_void};
use core::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

use super::world::{PAGE, protect};

/// Pages where a fault may be mended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone {
    pub(super) start: u64,
    pub(super) end: u64,
    /// What is allowed there; -1 where nothing is mapped.
    pub(super) protection: i32,
}

const MOST_ZONES: usize = 64;
const MOST_MENDED: usize = 32;
const MOST_AT_ONCE: u64 = 1 << 20;

static STARTS: [AtomicU64; MOST_ZONES] = [const { AtomicU64::new(0) }; MOST_ZONES];
static ENDS: [AtomicU64; MOST_ZONES] = [const { AtomicU64::new(0) }; MOST_ZONES];
static RIGHTS: [AtomicI32; MOST_ZONES] = [const { AtomicI32::new(0) }; MOST_ZONES];
static ZONES: AtomicUsize = AtomicUsize::new(0);
/// Mended pages: where they begin, how many bytes they have, and their zone.
static MENDED: [AtomicU64; MOST_MENDED] = [const { AtomicU64::new(0) }; MOST_MENDED];
static MENDED_BYTES: [AtomicU64; MOST_MENDED] = [const { AtomicU64::new(0) }; MOST_MENDED];
static MENDED_IN: [AtomicUsize; MOST_MENDED] = [const { AtomicUsize::new(0) }; MOST_MENDED];
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The first fault of the call, and its signal; 0 when there was none.
static FIRST: AtomicU64 = AtomicU64::new(0);
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static MAY_MEND: AtomicBool = AtomicBool::new(false);

/// The exit code of a worker that died of a fault.
pub(super) const DIED: i32 = 99;

/// A signal that a call raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) signal: i32,
    pub(super) address: u64,
}

/// Catches faults from now on, in every thread.
pub(super) fn catch() {
    const STACK: usize = 64 << 10;
    let stack = Box::leak(vec![0_u8; STACK].into_boxed_slice());
    let alternative = libc::stack_t {
        ss_sp: stack.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: STACK,
    };
    // SAFETY: the stack is leaked, so it lives as long as the thread.
    unsafe { libc::sigaltstack(&raw const alternative, ptr::null_mut()) };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_fault;
    // SAFETY: all zero is a valid, empty action.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the action is complete and the handler is async-signal-safe.
        unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

/// Prepares for a call: faults in these zones are mended if `mend`.
pub(super) fn expect(zones: &[Zone], more: &[Zone], mend: bool) {
    let all = more.iter().chain(zones);
    for (index, zone) in all.take(MOST_ZONES).enumerate() {
        STARTS[index].store(zone.start, Ordering::Relaxed);
        ENDS[index].store(zone.end, Ordering::Relaxed);
        RIGHTS[index].store(zone.protection, Ordering::Relaxed);
    }
    ZONES.store(
        (zones.len() + more.len()).min(MOST_ZONES),
        Ordering::Relaxed,
    );
    COUNT.store(0, Ordering::Relaxed);
    SIGNAL.store(0, Ordering::Relaxed);
    FIRST.store(0, Ordering::Relaxed);
    MAY_MEND.store(mend, Ordering::SeqCst);
}

/// The call is over: closes what was mended, and says what happened.
pub(super) fn seen() -> Option<Fault> {
    MAY_MEND.store(false, Ordering::SeqCst);
    for index in 0..COUNT.load(Ordering::Relaxed).min(MOST_MENDED) {
        let start = MENDED[index].load(Ordering::Relaxed);
        let bytes = MENDED_BYTES[index].load(Ordering::Relaxed);
        let zone = MENDED_IN[index].load(Ordering::Relaxed);
        let place = super::execute::pointer(start);
        match RIGHTS[zone].load(Ordering::Relaxed) {
            -1 => {
                // SAFETY: the handler mapped these pages where nothing was.
                unsafe { libc::munmap(place, super::execute::size(bytes)) };
            }
            libc::PROT_NONE => {
                // SAFETY: nobody may have touched these pages; they are as new.
                unsafe { libc::madvise(place, super::execute::size(bytes), libc::MADV_DONTNEED) };
                protect(start, bytes, libc::PROT_NONE);
            }
            protection => protect(start, bytes, protection),
        }
    }
    let signal = SIGNAL.load(Ordering::Relaxed);
    (signal != 0).then(|| Fault {
        signal,
        address: FIRST.load(Ordering::Relaxed),
    })
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel hands a complete description over.
    let info = unsafe { &*info };
    // SAFETY: both signals that come here carry an address.
    let address = unsafe { info.si_addr() }.expose_provenance() as u64;
    // SIGSEGV of the kernel's own (a non-canonical address) has no address.
    if SIGNAL.swap(signal, Ordering::Relaxed) == 0 {
        FIRST.store(address, Ordering::Relaxed);
    }
    if MAY_MEND.load(Ordering::SeqCst) && mend(address) {
        return;
    }
    last_words(signal, FIRST.load(Ordering::Relaxed));
    // SAFETY: ends the process at once, without any handler.
    unsafe { libc::_exit(DIED) };
}

fn mend(address: u64) -> bool {
    let page = address & !(PAGE - 1);
    let count = COUNT.load(Ordering::Relaxed);
    if count >= MOST_MENDED {
        return false;
    }
    for zone in 0..ZONES.load(Ordering::Relaxed) {
        let inside = (STARTS[zone].load(Ordering::Relaxed)..ENDS[zone].load(Ordering::Relaxed))
            .contains(&address);
        if !inside {
            continue;
        }
        // Much at once: a long copy must not come here for every page.
        let end = ENDS[zone].load(Ordering::Relaxed).next_multiple_of(PAGE);
        let bytes = (end - page).min(MOST_AT_ONCE);
        let length = super::execute::size(bytes);
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let place: *mut c_void = super::execute::pointer(page);
        let done = if RIGHTS[zone].load(Ordering::Relaxed) == -1 {
            let how = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
            // SAFETY: nothing is replaced: the kernel refuses where something is.
            let got = unsafe { libc::mmap(place, length, rights, how, -1, 0) };
            got == place
        } else {
            // SAFETY: the page belongs to a mapping that the world made for this.
            let status = unsafe { libc::mprotect(place, length, rights) };
            status == 0
        };
        if done {
            MENDED[count].store(page, Ordering::Relaxed);
            MENDED_BYTES[count].store(bytes, Ordering::Relaxed);
            MENDED_IN[count].store(zone, Ordering::Relaxed);
            COUNT.store(count + 1, Ordering::Relaxed);
        }
        return done;
    }
    false
}

/// Writes `F signal address` to the standard output, with nothing that allocates.
fn last_words(signal: c_int, address: u64) {
    let mut text = [0_u8; 32];
    text[0] = b'F';
    text[1] = b' ';
    let signal = signal.unsigned_abs();
    text[2] = b'0' + (signal / 10 % 10) as u8;
    text[3] = b'0' + (signal % 10) as u8;
    text[4] = b' ';
    for digit in 0..16 {
        let value = address >> (60 - 4 * digit) & 0xf;
        text[5 + digit] = b"0123456789abcdef"[value as usize];
    }
    text[21] = b'\n';
    // SAFETY: the bytes are alive; `write` is async-signal-safe.
    unsafe { libc::write(1, text.as_ptr().cast(), 22) };
}
