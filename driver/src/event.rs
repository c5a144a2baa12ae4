//! Events: marks in streams, to wait for and to measure between.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use cuda_sys::driver::{CUevent, CUevent_flags};

use crate::context::Context;
use crate::error::{Result, check, report_drop};
use crate::stream::{CaptureStatus, Stream};

/// A mark that can be set in a stream.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::event::{Event, EventOptions};
/// use cuwhy_driver::stream::{Stream, StreamOptions};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let stream = Stream::new(&context, StreamOptions::BLOCKING)?;
/// let (start, end) = (Event::new(&context, EventOptions::TIMING)?, Event::new(&context, EventOptions::TIMING)?);
/// start.record(&stream)?;
/// end.record(&stream)?;
/// end.synchronize()?;
/// let time = end.elapsed_since(&start)?;
/// # assert!(time.as_secs() < 60);
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
pub struct Event {
    context: Context,
    raw: CUevent,
    /// Whether it was last recorded in a stream that captured.
    captured: Mutex<bool>,
}

// SAFETY: an event may be used from every thread.
unsafe impl Send for Event {}
// SAFETY: as above; of records from several threads at once, one is the last.
unsafe impl Sync for Event {}

/// How an event is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EventOptions {
    /// Whether it keeps no time, which makes it cheaper.
    pub without_timing: bool,
    /// Whether a thread that waits for it sleeps instead of spinning.
    pub blocking: bool,
    /// Whether other processes can use it; needs `without_timing`.
    pub interprocess: bool,
}

impl EventOptions {
    /// Keeps time; a thread that waits spins.
    pub const TIMING: Self = Self {
        without_timing: false,
        blocking: false,
        interprocess: false,
    };
    /// Keeps no time.
    pub const WITHOUT_TIMING: Self = Self {
        without_timing: true,
        blocking: false,
        interprocess: false,
    };
    /// For other processes.
    pub const INTERPROCESS: Self = Self {
        without_timing: true,
        blocking: false,
        interprocess: true,
    };

    /// The same, and a thread that waits sleeps.
    #[must_use]
    pub const fn blocking(self) -> Self {
        Self {
            blocking: true,
            ..self
        }
    }

    fn bits(self) -> u32 {
        let mut bits = 0;
        if self.without_timing {
            bits |= CUevent_flags::CU_EVENT_DISABLE_TIMING.0;
        }
        if self.blocking {
            bits |= CUevent_flags::CU_EVENT_BLOCKING_SYNC.0;
        }
        if self.interprocess {
            bits |= CUevent_flags::CU_EVENT_INTERPROCESS.0;
        }
        bits
    }
}

impl Event {
    /// Creates an event.
    ///
    /// Driver API: `cuEventCreate`, and `cuEventDestroy_v2` on drop.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuEventCreate")]
    pub fn new(context: &Context, options: EventOptions) -> Result<Self> {
        let api = context.api();
        let mut raw = ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cuEventCreate(&raw mut raw, options.bits()) };
        drop(entered);
        check!(api, cuEventCreate, status, flags = options.bits())?;
        Ok(Self {
            context: context.clone(),
            raw,
            captured: Mutex::new(false),
        })
    }

    /// Owns an event that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live event of `context`, it was not recorded in a capture, and nobody else records or destroys
    /// it.
    #[must_use]
    pub unsafe fn from_raw(context: &Context, raw: CUevent) -> Self {
        Self {
            context: context.clone(),
            raw,
            captured: Mutex::new(false),
        }
    }

    /// Gives the event away: the caller destroys it.
    #[must_use = "nobody else destroys the event"]
    pub fn into_raw(self) -> CUevent {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.context) };
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUevent {
        self.raw
    }

    /// Where the event lives.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Sets the mark behind everything that was enqueued in the stream.
    ///
    /// Driver API: `cuEventRecord`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuEventRecord")]
    pub fn record(&self, stream: &Stream) -> Result<()> {
        let api = self.context.api();
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        *captured = !matches!(stream.capture_status(), Ok(CaptureStatus::None));
        let entered = stream.context().enter()?;
        // SAFETY: event and stream are alive.
        let status = unsafe { api.cuEventRecord(self.raw, stream.as_raw()) };
        drop(entered);
        check!(
            api,
            cuEventRecord,
            status,
            event = self.raw,
            stream = stream.as_raw()
        )
    }

    /// Runs with the knowledge whether waiting for the event joins a capture; nobody records it meanwhile.
    pub(crate) fn with_mark<T>(&self, run: impl FnOnce(bool) -> T) -> T {
        let captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        run(*captured)
    }

    /// Waits until the stream has passed the mark. An event that was never recorded is passed.
    ///
    /// Driver API: `cuEventSynchronize`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of earlier work.
    #[doc(alias = "cuEventSynchronize")]
    pub fn synchronize(&self) -> Result<()> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: the event is alive.
        let status = unsafe { api.cuEventSynchronize(self.raw) };
        drop(entered);
        check!(api, cuEventSynchronize, status, event = self.raw)
    }

    /// Whether the stream has passed the mark.
    ///
    /// Driver API: `cuEventQuery`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of earlier work; "not ready" is none.
    #[doc(alias = "cuEventQuery")]
    pub fn is_done(&self) -> Result<bool> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: the event is alive.
        let status = unsafe { api.cuEventQuery(self.raw) };
        drop(entered);
        crate::error::ready(api, "cuEventQuery", status)
    }

    /// The time from an earlier event to this one, to about half a microsecond.
    ///
    /// Driver API: `cuEventElapsedTime`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 600 where one is not passed yet, 400 where one keeps no time or was never
    /// recorded.
    #[doc(alias = "cuEventElapsedTime")]
    pub fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        let api = self.context.api();
        let mut milliseconds = 0.0;
        let entered = self.context.enter()?;
        // SAFETY: `milliseconds` is a live out parameter and both events are alive.
        let status =
            unsafe { api.cuEventElapsedTime(&raw mut milliseconds, earlier.raw, self.raw) };
        drop(entered);
        check!(
            api,
            cuEventElapsedTime,
            status,
            start = earlier.raw,
            end = self.raw
        )?;
        Ok(Duration::try_from_secs_f32(milliseconds / 1000.0).unwrap_or_default())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cuEventDestroy_v2(self.raw) };
            drop(entered);
            check!(api, cuEventDestroy_v2, status, event = self.raw)
        }));
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("raw", &self.raw)
            .field("context", &self.context)
            .finish()
    }
}
