//! The bytes of device memory, in one file without a name, so that another process can map what it is given a handle of.
//!
//! The file costs one descriptor, whatever is allocated. Where the kernel gives no such file, or the program has closed
//! it, the bytes are memory of this process alone, and nothing of it can be lent.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use super::extent::Extents;
use super::fork;
use super::mapping::PAGE;
use super::ticket::lock;

/// More than all simulated devices have; the file occupies what is written to.
const ROOM: usize = 1 << 46;

#[derive(Debug)]
struct Store {
    file: OwnedFd,
    identity: Identity,
    free: Mutex<Extents>,
}

/// What tells one file from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    fn of(file: libc::c_int) -> Option<Self> {
        let mut found = core::mem::MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the place is live; a descriptor that is not open is an error.
        if unsafe { libc::fstat(file, found.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the call succeeded, so it has filled the place.
        let found = unsafe { found.assume_init() };
        Some(Self(found.st_dev, found.st_ino))
    }
}

fn store() -> Option<&'static Store> {
    static STORE: OnceLock<Option<Store>> = OnceLock::new();
    let store = STORE.get_or_init(Store::new).as_ref()?;
    // A program that closes what it does not know may have another file there by now.
    (Identity::of(store.file.as_raw_fd()) == Some(store.identity)).then_some(store)
}

impl Store {
    fn new() -> Option<Self> {
        /// Programs like to use the low ones themselves, and to close them.
        const HIGH: libc::c_int = 200;
        let name = c"cuwhy-sim".as_ptr();
        // SAFETY: the name is a C string.
        let low = unsafe { libc::memfd_create(name, libc::MFD_CLOEXEC) };
        if low < 0 {
            return None;
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let low = unsafe { OwnedFd::from_raw_fd(low) };
        // SAFETY: an open descriptor.
        let high = unsafe { libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, HIGH) };
        let file = if high < 0 {
            low
        } else {
            // SAFETY: as above.
            unsafe { OwnedFd::from_raw_fd(high) }
        };
        // SAFETY: an open descriptor of ours.
        let sized = unsafe { libc::ftruncate(file.as_raw_fd(), length(ROOM)) };
        let identity = Identity::of(file.as_raw_fd())?;
        (sized == 0).then(|| Self {
            file,
            identity,
            free: Mutex::new(Extents::of(0, ROOM)),
        })
    }
}

/// Lengths in the file are far below what a signed number holds.
fn length(bytes: usize) -> libc::off_t {
    libc::off_t::try_from(bytes).unwrap_or(libc::off_t::MAX)
}

/// A range of the file. It is emptied and used again when this goes, unless it was lent: another process may still have
/// it, and the kernel keeps it until nobody does.
#[derive(Debug)]
pub(crate) struct Slot {
    offset: usize,
    length: usize,
    lent: AtomicBool,
}

/// Where another process finds a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lent {
    pub(crate) process: u32,
    pub(crate) file: u32,
    pub(crate) identity: Identity,
    pub(crate) offset: usize,
    pub(crate) length: usize,
}

impl Slot {
    /// A range of whole pages, mapped; `None` where there is no file to take it from.
    pub(crate) fn mapped(length: usize) -> Option<(Self, usize)> {
        let store = store()?;
        let offset = lock(&store.free).take(length, PAGE)?;
        let slot = Self {
            offset,
            length,
            lent: AtomicBool::new(false),
        };
        let start = map(store.file.as_raw_fd(), offset, length)?;
        Some((slot, start))
    }

    /// Tells where it is, and keeps it for ever.
    pub(crate) fn lend(&self) -> Option<Lent> {
        let store = store()?;
        self.lent.store(true, Ordering::Relaxed);
        Some(Lent {
            process: std::process::id(),
            file: store.file.as_raw_fd().cast_unsigned(),
            identity: store.identity,
            offset: self.offset,
            length: self.length,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // A child of the program has the file too, and nothing of its own in it.
        if self.lent.load(Ordering::Relaxed) || fork::is_child() {
            return;
        }
        let Some(store) = store() else { return };
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let (file, from, bytes) = (
            store.file.as_raw_fd(),
            length(self.offset),
            length(self.length),
        );
        // SAFETY: nobody has this range mapped any more.
        let emptied = unsafe { libc::fallocate(file, mode, from, bytes) };
        // What cannot be emptied must not be handed out as new memory.
        if emptied == 0 {
            lock(&store.free).give(self.offset, self.length);
        }
    }
}

fn map(file: libc::c_int, offset: usize, bytes: usize) -> Option<usize> {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
    let anywhere = core::ptr::null_mut();
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let start = unsafe { libc::mmap(anywhere, bytes, rights, flags, file, length(offset)) };
    (start != libc::MAP_FAILED).then(|| start.addr())
}

impl Lent {
    /// Whether it is this process that lent it.
    pub(crate) fn is_own(&self) -> bool {
        self.process == std::process::id()
            && store().is_some_and(|store| store.identity == self.identity)
    }

    /// Maps what another process has lent; `None` where that process or its memory is not there.
    pub(crate) fn map(&self) -> Option<usize> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = format!("/proc/{}/fd/{}", self.process, self.file);
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_CLOEXEC)
            .open(path)
            .ok()?;
        if Identity::of(file.as_raw_fd()) != Some(self.identity) {
            return None;
        }
        map(file.as_raw_fd(), self.offset, self.length)
    }

    /// As the bytes of a handle.
    pub(crate) fn bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = [
            u64::from(self.process) << 32 | u64::from(self.file),
            self.identity.0,
            self.identity.1,
            self.offset as u64,
            self.length as u64,
        ];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From the bytes of a handle, which anybody may have written.
    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut words = bytes
            .chunks_exact(8)
            .filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?)));
        let who = words.next()?;
        let lent = Self {
            process: u32::try_from(who >> 32).ok()?,
            file: u32::try_from(who & u64::from(u32::MAX)).ok()?,
            identity: Identity(words.next()?, words.next()?),
            offset: usize::try_from(words.next()?).ok()?,
            length: usize::try_from(words.next()?).ok()?,
        };
        let whole = lent.offset.is_multiple_of(PAGE) && lent.length.is_multiple_of(PAGE);
        let end = lent.offset.checked_add(lent.length)?;
        (whole && lent.length > 0 && end <= ROOM).then_some(lent)
    }

    pub(crate) const BYTES: usize = 40;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_was_given_back_is_empty_when_it_comes_again() {
        let (slot, start) = Slot::mapped(PAGE).unwrap();
        let first: *mut u8 = core::ptr::with_exposed_provenance_mut(start);
        // SAFETY: a page of our own.
        unsafe { first.write_volatile(7) };
        // SAFETY: nobody uses the page.
        assert_eq!(unsafe { libc::munmap(first.cast(), PAGE) }, 0);
        let offset = slot.offset;
        drop(slot);
        let (again, start) = Slot::mapped(PAGE).unwrap();
        let first: *const u8 = core::ptr::with_exposed_provenance(start);
        // Other tests take ranges too.
        if again.offset == offset {
            // SAFETY: as above.
            assert_eq!(unsafe { first.read_volatile() }, 0);
        }
    }

    #[test]
    fn a_handle_says_where_to_find_it_and_garbage_says_nothing() {
        let (slot, _) = Slot::mapped(PAGE).unwrap();
        let lent = slot.lend().unwrap();
        assert!(lent.is_own());
        assert_eq!(Lent::from_bytes(&lent.bytes()), Some(lent));
        assert_eq!(Lent::from_bytes(&[0xff; Lent::BYTES]), None);
        let stranger = Lent {
            process: u32::MAX,
            ..lent
        };
        assert!(!stranger.is_own());
        assert_eq!(stranger.map(), None);
    }
}
