//! The contexts of the runtime: each device's primary one, made current when it is first needed.

use core::cell::Cell;
use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};

use cuda_sys::driver::{CUcontext, CUctx_st};
use cuda_sys::runtime::cudaError_t;

use super::entry::{Answer, Call, driver};

/// More devices than a machine holds.
const DEVICES: usize = 64;

/// The primary contexts that this runtime has retained.
static RETAINED: [AtomicPtr<CUctx_st>; DEVICES] =
    [const { AtomicPtr::new(ptr::null_mut()) }; DEVICES];
/// The primary contexts that it has reset since; they may still be current somewhere.
static FORMER: [AtomicPtr<CUctx_st>; DEVICES] =
    [const { AtomicPtr::new(ptr::null_mut()) }; DEVICES];
/// Whether there is any of the latter.
static ANY_FORMER: AtomicBool = AtomicBool::new(false);

/// How many devices there are.
static COUNT: AtomicI32 = AtomicI32::new(0);

/// Counts the resets, beginning with 1.
static ERA: AtomicU32 = AtomicU32::new(1);

/// Whether this is a forked child.
static FORKED: AtomicBool = AtomicBool::new(false);

/// In a forked child no context is what it was.
extern "C" fn forked() {
    FORKED.store(true, Ordering::Release);
    ERA.fetch_add(1, Ordering::AcqRel);
}

/// Forgets that this thread was seen to have a context; answers whether it was.
pub(crate) fn doubt() -> bool {
    SEEN.replace(0) != 0
}

thread_local! {
    /// The era in which this thread was seen to have a context.
    static SEEN: Cell<u32> = const { Cell::new(0) };
    /// The device that this thread has chosen.
    static CHOSEN: Cell<c_int> = const { Cell::new(0) };
}

impl Call {
    /// Initialises the driver and learns what there is, once: a forked child, whose driver answers nothing any
    /// more, still knows it.
    pub(super) fn ready(&self) -> Answer {
        static DONE: AtomicBool = AtomicBool::new(false);
        if DONE.load(Ordering::Acquire) {
            return Ok(());
        }
        driver!(self.cuInit(0))?;
        let mut count: c_int = 0;
        driver!(self.cuDeviceGetCount(&raw mut count))?;
        COUNT.store(count, Ordering::Relaxed);
        #[cfg(major = "13")]
        super::properties::learn(self, count);
        // SAFETY: the handler does nothing but add to a number, and this library is never unloaded.
        let _: c_int = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        DONE.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes sure that a context is current, without asking the driver where it was seen to be so before.
    ///
    /// Who watches the driver sees no more calls than the real runtime makes. A thread whose context was taken away
    /// meanwhile is told so by the driver, and [`answer`](super::entry::answer) then begins anew.
    pub(crate) fn ensure(&self) -> Answer {
        if SEEN.get() != ERA.load(Ordering::Acquire) {
            self.context()?;
        }
        Ok(())
    }

    /// The same, but a forked child of a thread that had a context goes on to the driver.
    pub(crate) fn ensure_unless_forked(&self) -> Answer {
        if FORKED.load(Ordering::Acquire) && SEEN.get() != 0 {
            return Ok(());
        }
        self.ensure()
    }

    /// Makes sure that a context is current: the one that is, or the primary one of the chosen device.
    pub(crate) fn context(&self) -> Result<CUcontext, cudaError_t> {
        let era = ERA.load(Ordering::Acquire);
        let mut context = self.current()?;
        if context.is_null() || self.was_reset(context) {
            context = self.primary(CHOSEN.get())?;
            driver!(self.cuCtxSetCurrent(context))?;
        }
        SEEN.set(era);
        Ok(context)
    }

    fn current(&self) -> Result<CUcontext, cudaError_t> {
        let mut context: CUcontext = ptr::null_mut();
        driver!(self.cuCtxGetCurrent(&raw mut context))?;
        Ok(context)
    }

    #[expect(
        clippy::unused_self,
        reason = "it is a question about this call's current context"
    )]
    fn was_reset(&self, context: CUcontext) -> bool {
        if !ANY_FORMER.load(Ordering::Acquire) {
            return false;
        }
        let of_device = FORMER
            .iter()
            .position(|former| former.load(Ordering::Acquire) == context);
        of_device.is_some_and(|device| RETAINED[device].load(Ordering::Acquire).is_null())
    }

    /// The primary context of a device, retained once for the whole process.
    pub(crate) fn primary(&self, device: c_int) -> Result<CUcontext, cudaError_t> {
        let index = self.valid(device)?;
        let known = RETAINED[index].load(Ordering::Acquire);
        if !known.is_null() {
            return Ok(known);
        }
        let mut context: CUcontext = ptr::null_mut();
        driver!(self.cuDevicePrimaryCtxRetain(&raw mut context, device))?;
        let before = RETAINED[index].compare_exchange(
            ptr::null_mut(),
            context,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if before.is_err() {
            // Another thread was faster; one reference is enough.
            driver!(self.cuDevicePrimaryCtxRelease_v2(device))?;
        }
        Ok(context)
    }

    /// The device as an index, when there is such a device.
    pub(crate) fn valid(&self, device: c_int) -> Result<usize, cudaError_t> {
        let count = self.count()?;
        match usize::try_from(device) {
            Ok(index) if device < count && index < DEVICES => Ok(index),
            _ => Err(cudaError_t::cudaErrorInvalidDevice),
        }
    }

    /// How many devices there are.
    #[expect(clippy::unused_self, reason = "a call has learned it")]
    pub(crate) fn count(&self) -> Result<c_int, cudaError_t> {
        match COUNT.load(Ordering::Relaxed) {
            0 => Err(cudaError_t::cudaErrorNoDevice),
            count => Ok(count),
        }
    }

    /// The device of this thread: that of its current context, else the chosen one.
    pub(crate) fn device(&self) -> Result<c_int, cudaError_t> {
        if SEEN.get() != ERA.load(Ordering::Acquire) {
            let context = self.current()?;
            if context.is_null() || self.was_reset(context) {
                return Ok(CHOSEN.get());
            }
        }
        let mut device: c_int = 0;
        #[cfg(major = "13")]
        driver!(self.cuCtxGetDevice_v2(&raw mut device, ptr::null_mut()))?;
        #[cfg(not(major = "13"))]
        driver!(self.cuCtxGetDevice(&raw mut device))?;
        Ok(device)
    }

    /// Chooses a device for this thread.
    pub(crate) fn choose(&self, device: c_int) -> Answer {
        let index = self.valid(device)?;
        CHOSEN.set(device);
        // Until CUDA 12 the context comes to life with the first call that needs one.
        let lazy = super::MAJOR < 12 && RETAINED[index].load(Ordering::Acquire).is_null();
        let context = self.primary(device)?;
        if lazy {
            driver!(self.cuDevicePrimaryCtxRelease_v2(device))?;
            self.forget(index);
        }
        driver!(self.cuCtxSetCurrent(context))
    }

    /// Notes that a primary context is not alive any more, although it may be current.
    #[expect(clippy::unused_self, reason = "it is this call that let it go")]
    fn forget(&self, index: usize) {
        let context = RETAINED[index].swap(ptr::null_mut(), Ordering::AcqRel);
        if !context.is_null() {
            super::register::forget(context);
            FORMER[index].store(context, Ordering::Release);
            ANY_FORMER.store(true, Ordering::Release);
        }
        ERA.fetch_add(1, Ordering::AcqRel);
    }

    /// Destroys the primary context of this thread's device with all that is in it.
    pub(crate) fn reset(&self) -> Answer {
        let device = self.device()?;
        let index = self.valid(device)?;
        driver!(self.cuDevicePrimaryCtxReset(device))?;
        self.forget(index);
        CHOSEN.set(device);
        Ok(())
    }
}
