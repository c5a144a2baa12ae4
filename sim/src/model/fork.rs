//! Children of a program that uses CUDA must not use it any more.
//!
//! A page that a fork wipes carries a mark. It is read before any lock is taken, because a lock may have been held by
//! a thread that does not exist in the child.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::mapping::{Mapping, PAGE, Use};

/// Address of the mark; 0 until there is one.
static MARK: AtomicUsize = AtomicUsize::new(0);
/// For kernels that cannot wipe pages.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Sets the mark: this process is the one that may go on.
pub(crate) fn arm() {
    static PAGES: OnceLock<Option<Mapping>> = OnceLock::new();
    PAGES.get_or_init(|| {
        OWNER.store(std::process::id(), Ordering::Relaxed);
        let page = Mapping::new(Use::Shared, PAGE, PAGE).ok()?;
        let start = core::ptr::with_exposed_provenance_mut::<u8>(page.start());
        // SAFETY: the page is ours; the advice changes what a child sees, nothing here.
        if unsafe { libc::madvise(start.cast(), PAGE, libc::MADV_WIPEONFORK) } != 0 {
            return None;
        }
        // SAFETY: the page is mapped, writable and not shared yet.
        unsafe { start.write_volatile(1) };
        MARK.store(page.start(), Ordering::Release);
        Some(page)
    });
}

/// Whether this process is a child of the one that initialised.
pub(crate) fn is_child() -> bool {
    match MARK.load(Ordering::Acquire) {
        0 => match OWNER.load(Ordering::Relaxed) {
            0 => false,
            owner => owner != std::process::id(),
        },
        mark => {
            // SAFETY: the page stays mapped for the life of the process and is only read from now on.
            unsafe { core::ptr::with_exposed_provenance::<u8>(mark).read_volatile() == 0 }
        }
    }
}
