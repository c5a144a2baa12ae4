//! Streams: what happens in order, and beside what.

mod capture;

use core::ffi::c_void;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;

use cuda_sys::driver::{CUstream, CUstream_flags};

use crate::context::Context;
use crate::error::{Misuse, Result, check, contain, misuse, report_drop};
use crate::event::Event;

use capture::Known;
pub use capture::{CaptureMode, CaptureStatus, exchange_capture_mode};
pub(crate) use capture::{LegacyInUse, waiting};

/// A stream, owned or borrowed.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::stream::{Stream, StreamOptions};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let stream = Stream::new(&context, StreamOptions::NON_BLOCKING)?;
/// stream.host_function(|| { /* on a thread of CUDA's, after everything before */ })?;
/// stream.synchronize()?;
/// assert!(stream.is_done()?);
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
pub struct Stream {
    context: Context,
    raw: CUstream,
    owned: bool,
    /// What is known of captures without a question.
    capture: Known,
}

// SAFETY: a stream may be used from every thread.
unsafe impl Send for Stream {}
// SAFETY: as above; what is enqueued from several threads at once comes in some order.
unsafe impl Sync for Stream {}

/// The handle of the legacy default stream.
const LEGACY: usize = 1;
/// The handle of the calling thread's default stream.
const PER_THREAD: usize = 2;

/// How a stream is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamOptions {
    /// Whether work on the legacy stream and work on this one never wait for each other.
    pub non_blocking: bool,
    /// The priority, inside the context's [`stream_priorities`](Context::stream_priorities).
    pub priority: i32,
}

impl StreamOptions {
    /// Waits for the legacy stream, and the other way round; the least priority.
    pub const BLOCKING: Self = Self {
        non_blocking: false,
        priority: 0,
    };
    /// Independent of the legacy stream; the least priority.
    pub const NON_BLOCKING: Self = Self {
        non_blocking: true,
        priority: 0,
    };

    /// The same with another priority.
    #[must_use]
    pub const fn priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }
}

impl Stream {
    /// Creates a stream.
    ///
    /// Driver API: `cuStreamCreateWithPriority`, and `cuStreamDestroy_v2` on drop, which lets work that
    /// was enqueued finish.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuStreamCreateWithPriority")]
    #[doc(alias = "cuStreamCreate")]
    pub fn new(context: &Context, options: StreamOptions) -> Result<Self> {
        let api = context.api();
        let flags = if options.non_blocking {
            CUstream_flags::CU_STREAM_NON_BLOCKING
        } else {
            CUstream_flags::CU_STREAM_DEFAULT
        };
        let mut raw = ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: `raw` is a live out parameter.
        let status =
            unsafe { api.cuStreamCreateWithPriority(&raw mut raw, flags.0, options.priority) };
        drop(entered);
        check!(
            api,
            cuStreamCreateWithPriority,
            status,
            flags = flags.0,
            priority = options.priority
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: true,
            capture: Known::None,
        })
    }

    /// The legacy default stream, which waits for all blocking streams, and they for it.
    #[doc(alias = "CU_STREAM_LEGACY")]
    #[must_use]
    pub fn legacy(context: &Context) -> Self {
        Self {
            context: context.clone(),
            raw: ptr::without_provenance_mut(LEGACY),
            owned: false,
            capture: Known::Nothing,
        }
    }

    /// The calling thread's default stream: whichever thread uses the value.
    #[doc(alias = "CU_STREAM_PER_THREAD")]
    #[must_use]
    pub fn per_thread(context: &Context) -> Self {
        Self {
            context: context.clone(),
            raw: ptr::without_provenance_mut(PER_THREAD),
            owned: false,
            capture: Known::Nothing,
        }
    }

    /// Owns a stream that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live stream of `context` and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(context: &Context, raw: CUstream) -> Self {
        Self {
            context: context.clone(),
            raw,
            owned: true,
            capture: Known::Nothing,
        }
    }

    /// Borrows a stream that something else created and destroys.
    ///
    /// # Safety
    ///
    /// `raw` is a live stream of `context`, or one of the two default ones, and outlives the result. It neither
    /// begins a capture nor joins one while a [`copy::scope`](crate::copy::scope) uses another value of the same
    /// stream.
    #[must_use]
    pub unsafe fn borrow_raw(context: &Context, raw: CUstream) -> Self {
        Self {
            context: context.clone(),
            raw,
            owned: false,
            capture: Known::Nothing,
        }
    }

    /// Gives the stream away: the caller destroys it.
    #[must_use = "nobody else destroys the stream"]
    pub fn into_raw(self) -> CUstream {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.context) };
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUstream {
        self.raw
    }

    /// The handle as a number, for observers.
    pub(crate) fn id_for_observers(&self) -> u64 {
        self.raw.addr() as u64
    }

    /// Where the stream lives.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Waits until everything that was enqueued has finished.
    ///
    /// Driver API: `cuStreamSynchronize`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of that earlier work.
    #[doc(alias = "cuStreamSynchronize")]
    pub fn synchronize(&self) -> Result<()> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: the stream is alive.
        let status = unsafe { api.cuStreamSynchronize(self.raw) };
        drop(entered);
        check!(api, cuStreamSynchronize, status, stream = self.raw)
    }

    /// Whether everything that was enqueued has finished.
    ///
    /// Driver API: `cuStreamQuery`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of that earlier work; "not ready" is none.
    #[doc(alias = "cuStreamQuery")]
    pub fn is_done(&self) -> Result<bool> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: the stream is alive.
        let status = unsafe { api.cuStreamQuery(self.raw) };
        drop(entered);
        crate::error::ready(api, "cuStreamQuery", status)
    }

    /// Makes later work of this stream wait for an event.
    ///
    /// Driver API: `cuStreamWaitEvent`. An event that was never recorded is no reason to wait.
    ///
    /// # Errors
    ///
    /// [`Misuse::CapturedEvent`] where that would make the stream join a capture, which
    /// [`Stream::join_capture`] does, and what CUDA answers.
    #[doc(alias = "cuStreamWaitEvent")]
    pub fn wait(&self, event: &Event) -> Result<()> {
        event.with_mark(|captured| {
            if captured && self.capture_status()? == CaptureStatus::None {
                return Err(misuse("cuStreamWaitEvent", Misuse::CapturedEvent));
            }
            self.wait_unchecked(event)
        })
    }

    fn wait_unchecked(&self, event: &Event) -> Result<()> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: stream and event are alive; the flags are the default ones.
        let status = unsafe { api.cuStreamWaitEvent(self.raw, event.as_raw(), 0) };
        drop(entered);
        check!(
            api,
            cuStreamWaitEvent,
            status,
            stream = self.raw,
            event = event.as_raw()
        )
    }

    /// The stream's priority as CUDA keeps it.
    ///
    /// Driver API: `cuStreamGetPriority`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuStreamGetPriority")]
    pub fn priority(&self) -> Result<i32> {
        let api = self.context.api();
        let mut priority = 0;
        let entered = self.context.enter()?;
        // SAFETY: `priority` is a live out parameter and the stream is alive.
        let status = unsafe { api.cuStreamGetPriority(self.raw, &raw mut priority) };
        drop(entered);
        check!(api, cuStreamGetPriority, status, stream = self.raw)?;
        Ok(priority)
    }

    /// The stream's flags as CUDA keeps them.
    ///
    /// Driver API: `cuStreamGetFlags`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuStreamGetFlags")]
    pub fn flags(&self) -> Result<u32> {
        let api = self.context.api();
        let mut flags = 0;
        let entered = self.context.enter()?;
        // SAFETY: `flags` is a live out parameter and the stream is alive.
        let status = unsafe { api.cuStreamGetFlags(self.raw, &raw mut flags) };
        drop(entered);
        check!(api, cuStreamGetFlags, status, stream = self.raw)?;
        Ok(flags)
    }

    /// Calls a function on a thread of CUDA's when everything enqueued before has finished.
    ///
    /// Driver API: `cuLaunchHostFunc`. The function must not call CUDA. Should it panic, the panic ends
    /// there. Where earlier work fails it is never called, and what it owns is never freed.
    ///
    /// # Errors
    ///
    /// What CUDA answers, and [`Misuse::Capturing`]: a graph could call the function any number of
    /// times.
    #[doc(alias = "cuLaunchHostFunc")]
    pub fn host_function(&self, function: impl FnOnce() + Send + 'static) -> Result<()> {
        self.refuse_capture("cuLaunchHostFunc")?;
        let api = self.context.api();
        let function: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(function));
        let data = Box::into_raw(function);
        let entered = self.context.enter()?;
        // SAFETY: `data` is what `call` takes, and the driver hands it over once.
        let status = unsafe { api.cuLaunchHostFunc(self.raw, Some(call), data.cast()) };
        drop(entered);
        check!(api, cuLaunchHostFunc, status, stream = self.raw).inspect_err(|_| {
            // SAFETY: the driver refused, so nobody else will ever take it.
            drop(unsafe { Box::from_raw(data) });
        })
    }
}

/// Runs the function that `host_function` packed.
unsafe extern "C" fn call(data: *mut c_void) {
    let function: *mut Box<dyn FnOnce() + Send> = data.cast();
    // SAFETY: packed by `host_function`, and called once: the stream was not capturing.
    let function = unsafe { Box::from_raw(function) };
    // A panic must not reach CUDA; there is nobody else to tell.
    contain(function);
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cuStreamDestroy_v2(self.raw) };
            drop(entered);
            check!(api, cuStreamDestroy_v2, status, stream = self.raw)
        }));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("raw", &self.raw)
            .field("context", &self.context)
            .finish()
    }
}
