//! Observers: whoever wants to hear of every allocation, free and registration of this crate.
//!
//! One observer at a time. When nobody listens, an allocation costs one null check more.

use core::panic::Location;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::error::contain;
use crate::memory::{Bytes, Pitch};
use crate::pointer::Address;

/// What kind of memory an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Device memory (`cuMemAlloc`, `cudaMalloc`).
    Device,
    /// Device memory in rows (`cuMemAllocPitch`, `cudaMallocPitch`).
    Pitched,
    /// Pinned host memory (`cuMemHostAlloc`, `cudaHostAlloc`).
    Pinned,
    /// Host memory that was registered (`cuMemHostRegister`, `cudaHostRegister`).
    Registered,
    /// Managed memory (`cuMemAllocManaged`, `cudaMallocManaged`).
    Managed,
    /// Stream-ordered memory (`cuMemAllocAsync`, `cudaMallocAsync`).
    Pool,
    /// A mapping of virtual memory (`cuMemMap`).
    Virtual,
    /// Memory of another process (`cuIpcOpenMemHandle`, `cudaIpcOpenMemHandle`).
    Ipc,
}

/// How memory in rows was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rows {
    /// The distance from one row to the next, as CUDA chose it.
    pub pitch: Pitch,
    /// The bytes of a row that were asked for; the rest of the pitch belongs to nobody.
    pub width: Bytes,
    /// The number of rows.
    pub height: usize,
}

/// Something that has come to life, or is about to end.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// What kind of memory it is.
    pub kind: Kind,
    /// Its first byte.
    pub address: Address,
    /// Its size; of [`Kind::Pitched`], all rows with their pitch. Zero where a raw call frees what
    /// only CUDA knows the size of.
    pub size: Bytes,
    /// The ordinal of the device, where the call names one.
    pub device: Option<u32>,
    /// The context's handle as a number, where the call names one.
    pub context: Option<u64>,
    /// The stream's handle as a number, for what happens in stream order.
    pub stream: Option<u64>,
    /// The rows, of [`Kind::Pitched`].
    pub rows: Option<Rows>,
    /// The caller, where this crate knows it.
    pub location: Option<&'static Location<'static>>,
}

/// Hears of allocations.
///
/// The methods run on the thread of the call, inside it; they should be quick and must not allocate
/// through this crate. Should one panic, the panic ends there.
pub trait Observer: Send + Sync {
    /// Memory was allocated, registered or mapped; CUDA has answered.
    fn began(&self, event: &Event);

    /// Memory is about to be freed, unregistered or unmapped: CUDA is asked next, because afterwards
    /// another thread may be given the same address.
    fn ending(&self, event: &Event);

    /// CUDA refused what [`Observer::ending`] announced: the memory is still there.
    fn end_refused(&self, event: &Event);
}

/// The observer, as a pointer to a leaked pair of pointers, or null.
static OBSERVER: AtomicPtr<&'static dyn Observer> = AtomicPtr::new(ptr::null_mut());

/// Makes `observer` the one that hears of everything from now on; `None` ends that.
///
/// Each call keeps sixteen bytes for ever, so that no thread can be caught reading what goes away.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use cuwhy_driver::memory::{DeviceBuffer, observe::*};
///
/// struct Count(AtomicUsize);
///
/// impl Observer for Count {
///     fn began(&self, event: &Event) {
///         self.0.fetch_add(event.size.0, Ordering::Relaxed);
///     }
///     fn ending(&self, event: &Event) {
///         self.0.fetch_sub(event.size.0, Ordering::Relaxed);
///     }
///     fn end_refused(&self, event: &Event) {
///         self.began(event);
///     }
/// }
///
/// static COUNT: Count = Count(AtomicUsize::new(0));
/// set_observer(Some(&COUNT));
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let buffer = DeviceBuffer::<u32>::new(&context, 10)?;
/// assert_eq!(COUNT.0.load(Ordering::Relaxed), 40);
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
pub fn set_observer(observer: Option<&'static dyn Observer>) {
    let new = observer.map_or(ptr::null_mut(), |observer| {
        ptr::from_mut(Box::leak(Box::new(observer)))
    });
    OBSERVER.store(new, Ordering::Release);
}

/// The observer, where there is one.
#[inline]
fn observer() -> Option<&'static dyn Observer> {
    let observer = OBSERVER.load(Ordering::Acquire);
    if observer.is_null() {
        return None;
    }
    // SAFETY: only `set_observer` writes here, and what it writes is leaked: it lives for ever.
    Some(unsafe { *observer })
}

/// Tells the observer.
#[cold]
fn tell(observer: &'static dyn Observer, event: &Event, how: fn(&dyn Observer, &Event)) {
    contain(|| how(observer, event));
}

/// Something began.
#[inline]
pub(crate) fn began(event: impl FnOnce() -> Event) {
    if let Some(observer) = observer() {
        tell(observer, &event(), |observer, event| observer.began(event));
    }
}

/// Something is ending: `free` asks CUDA to end it.
#[inline]
pub(crate) fn end<T, E>(
    event: impl Fn() -> Event,
    free: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let Some(observer) = observer() else {
        return free();
    };
    let event = event();
    tell(observer, &event, |observer, event| observer.ending(event));
    let result = free();
    if result.is_err() {
        tell(observer, &event, |observer, event| {
            observer.end_refused(event)
        });
    }
    result
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Heard(Mutex<Vec<&'static str>>);

    impl Observer for Heard {
        fn began(&self, _: &Event) {
            self.0.lock().expect("no panic").push("began");
        }
        fn ending(&self, _: &Event) {
            self.0.lock().expect("no panic").push("ending");
        }
        fn end_refused(&self, _: &Event) {
            self.0.lock().expect("no panic").push("refused");
        }
    }

    fn event() -> Event {
        Event {
            kind: Kind::Device,
            address: Address(0x1000),
            size: Bytes(40),
            device: None,
            context: None,
            stream: None,
            rows: None,
            location: None,
        }
    }

    #[test]
    fn an_observer_hears_what_happens_and_what_was_refused() {
        static HEARD: Heard = Heard(Mutex::new(Vec::new()));
        began(event);
        set_observer(Some(&HEARD));
        began(event);
        end(event, || Ok::<(), ()>(())).expect("freed");
        end(event, || Err::<(), ()>(())).expect_err("refused");
        set_observer(None);
        began(event);
        assert_eq!(
            *HEARD.0.lock().expect("no panic"),
            ["began", "ending", "ending", "refused"]
        );
    }
}
