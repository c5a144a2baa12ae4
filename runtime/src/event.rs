//! Events: marks in streams, to wait for and to measure between.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use cuda_sys::runtime::{self, cudaEvent_t};

use crate::device::Device;
use crate::error::{Result, check, report_drop};
use crate::stream::{CaptureStatus, Stream};

/// A mark that can be set in a stream.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::event::{Event, EventOptions};
/// use cuwhy_runtime::stream::{Stream, StreamOptions};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let stream = Stream::new(&device, StreamOptions::BLOCKING)?;
/// let (start, end) = (Event::new(&device, EventOptions::TIMING)?, Event::new(&device, EventOptions::TIMING)?);
/// start.record(&stream)?;
/// end.record(&stream)?;
/// end.synchronize()?;
/// let time = end.elapsed_since(&start)?;
/// # assert!(time.as_secs() < 60);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
pub struct Event {
    device: Device,
    raw: cudaEvent_t,
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
            bits |= runtime::cudaEventDisableTiming;
        }
        if self.blocking {
            bits |= runtime::cudaEventBlockingSync;
        }
        if self.interprocess {
            bits |= runtime::cudaEventInterprocess;
        }
        bits
    }
}

impl Event {
    /// Creates an event.
    ///
    /// Runtime API: `cudaEventCreateWithFlags`, and `cudaEventDestroy` on drop.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaEventCreateWithFlags")]
    pub fn new(device: &Device, options: EventOptions) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        let entered = device.enter()?;
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cudaEventCreateWithFlags(&raw mut raw, options.bits()) };
        drop(entered);
        check!(
            api,
            cudaEventCreateWithFlags,
            status,
            flags = options.bits()
        )?;
        Ok(Self {
            device: *device,
            raw,
            captured: Mutex::new(false),
        })
    }

    /// Owns an event that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live event of `device`, it was not recorded in a capture, and nobody else records or destroys
    /// it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: cudaEvent_t) -> Self {
        Self {
            device: *device,
            raw,
            captured: Mutex::new(false),
        }
    }

    /// Gives the event away: the caller destroys it.
    #[must_use = "nobody else destroys the event"]
    pub fn into_raw(self) -> cudaEvent_t {
        let this = ManuallyDrop::new(self);
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> cudaEvent_t {
        self.raw
    }

    /// Where the event lives.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets the mark behind everything that was enqueued in the stream.
    ///
    /// Runtime API: `cudaEventRecord`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaEventRecord")]
    pub fn record(&self, stream: &Stream) -> Result<()> {
        let api = self.device.api();
        let mut captured = self.captured.lock().unwrap_or_else(PoisonError::into_inner);
        *captured = !matches!(stream.capture_status(), Ok(CaptureStatus::None));
        let entered = stream.device().enter()?;
        // SAFETY: event and stream are alive.
        let status = unsafe { api.cudaEventRecord(self.raw, stream.as_raw()) };
        drop(entered);
        check!(
            api,
            cudaEventRecord,
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
    /// Runtime API: `cudaEventSynchronize`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of earlier work.
    #[doc(alias = "cudaEventSynchronize")]
    pub fn synchronize(&self) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: the event is alive.
        let status = unsafe { api.cudaEventSynchronize(self.raw) };
        drop(entered);
        check!(api, cudaEventSynchronize, status, event = self.raw)
    }

    /// Whether the stream has passed the mark.
    ///
    /// Runtime API: `cudaEventQuery`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of earlier work; "not ready" is none.
    #[doc(alias = "cudaEventQuery")]
    pub fn is_done(&self) -> Result<bool> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: the event is alive.
        let status = unsafe { api.cudaEventQuery(self.raw) };
        drop(entered);
        crate::error::ready(api, "cudaEventQuery", status)
    }

    /// The time from an earlier event to this one, to about half a microsecond.
    ///
    /// Runtime API: `cudaEventElapsedTime`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 600 where one is not passed yet, 400 where one keeps no time or was never
    /// recorded.
    #[doc(alias = "cudaEventElapsedTime")]
    pub fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        let api = self.device.api();
        let mut milliseconds = 0.0;
        let entered = self.device.enter()?;
        // SAFETY: `milliseconds` is a live out parameter and both events are alive.
        let status =
            unsafe { api.cudaEventElapsedTime(&raw mut milliseconds, earlier.raw, self.raw) };
        drop(entered);
        check!(
            api,
            cudaEventElapsedTime,
            status,
            start = earlier.raw,
            end = self.raw
        )?;
        Ok(Duration::try_from_secs_f32(milliseconds / 1000.0).unwrap_or_default())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let api = self.device.api();
        report_drop(self.device.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cudaEventDestroy(self.raw) };
            drop(entered);
            check!(api, cudaEventDestroy, status, event = self.raw)
        }));
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("raw", &self.raw)
            .field("device", &self.device)
            .finish()
    }
}
