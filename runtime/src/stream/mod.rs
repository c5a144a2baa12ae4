//! Streams: what happens in order, and beside what.

mod capture;

use core::ffi::c_void;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;

use cuda_sys::runtime::{self, cudaStream_t};

use crate::device::Device;
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
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::stream::{Stream, StreamOptions};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let stream = Stream::new(&device, StreamOptions::NON_BLOCKING)?;
/// stream.host_function(|| { /* on a thread of CUDA's, after everything before */ })?;
/// stream.synchronize()?;
/// assert!(stream.is_done()?);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
pub struct Stream {
    device: Device,
    raw: cudaStream_t,
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
    /// The priority, inside the device's [`stream_priorities`](Device::stream_priorities).
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
    /// Runtime API: `cudaStreamCreateWithPriority`, and `cudaStreamDestroy` on drop, which lets work that
    /// was enqueued finish.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaStreamCreateWithPriority")]
    #[doc(alias = "cudaStreamCreate")]
    pub fn new(device: &Device, options: StreamOptions) -> Result<Self> {
        let api = device.api();
        let flags = if options.non_blocking {
            runtime::cudaStreamNonBlocking
        } else {
            runtime::cudaStreamDefault
        };
        let mut raw = ptr::null_mut();
        let entered = device.enter()?;
        // SAFETY: `raw` is a live out parameter.
        let status =
            unsafe { api.cudaStreamCreateWithPriority(&raw mut raw, flags, options.priority) };
        drop(entered);
        check!(
            api,
            cudaStreamCreateWithPriority,
            status,
            flags,
            priority = options.priority
        )?;
        Ok(Self {
            device: *device,
            raw,
            owned: true,
            capture: Known::None,
        })
    }

    /// The legacy default stream, which waits for all blocking streams, and they for it.
    #[doc(alias = "CU_STREAM_LEGACY")]
    #[must_use]
    pub fn legacy(device: &Device) -> Self {
        Self {
            device: *device,
            raw: ptr::without_provenance_mut(LEGACY),
            owned: false,
            capture: Known::Nothing,
        }
    }

    /// The calling thread's default stream: whichever thread uses the value.
    #[doc(alias = "CU_STREAM_PER_THREAD")]
    #[must_use]
    pub fn per_thread(device: &Device) -> Self {
        Self {
            device: *device,
            raw: ptr::without_provenance_mut(PER_THREAD),
            owned: false,
            capture: Known::Nothing,
        }
    }

    /// Owns a stream that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live stream of `device` and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: cudaStream_t) -> Self {
        Self {
            device: *device,
            raw,
            owned: true,
            capture: Known::Nothing,
        }
    }

    /// Borrows a stream that something else created and destroys.
    ///
    /// # Safety
    ///
    /// `raw` is a live stream of `device`, or one of the two default ones, and outlives the result. It neither
    /// begins a capture nor joins one while a [`copy::scope`](crate::copy::scope) uses another value of the same
    /// stream.
    #[must_use]
    pub unsafe fn borrow_raw(device: &Device, raw: cudaStream_t) -> Self {
        Self {
            device: *device,
            raw,
            owned: false,
            capture: Known::Nothing,
        }
    }

    /// Gives the stream away: the caller destroys it.
    #[must_use = "nobody else destroys the stream"]
    pub fn into_raw(self) -> cudaStream_t {
        let this = ManuallyDrop::new(self);
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> cudaStream_t {
        self.raw
    }

    /// The handle as a number, for observers.
    pub(crate) fn id_for_observers(&self) -> u64 {
        self.raw.addr() as u64
    }

    /// Where the stream lives.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Waits until everything that was enqueued has finished.
    ///
    /// Runtime API: `cudaStreamSynchronize`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of that earlier work.
    #[doc(alias = "cudaStreamSynchronize")]
    pub fn synchronize(&self) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: the stream is alive.
        let status = unsafe { api.cudaStreamSynchronize(self.raw) };
        drop(entered);
        check!(api, cudaStreamSynchronize, status, stream = self.raw)
    }

    /// Whether everything that was enqueued has finished.
    ///
    /// Runtime API: `cudaStreamQuery`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of that earlier work; "not ready" is none.
    #[doc(alias = "cudaStreamQuery")]
    pub fn is_done(&self) -> Result<bool> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: the stream is alive.
        let status = unsafe { api.cudaStreamQuery(self.raw) };
        drop(entered);
        crate::error::ready(api, "cudaStreamQuery", status)
    }

    /// Makes later work of this stream wait for an event.
    ///
    /// Runtime API: `cudaStreamWaitEvent`. An event that was never recorded is no reason to wait.
    ///
    /// # Errors
    ///
    /// [`Misuse::CapturedEvent`] where that would make the stream join a capture, which
    /// [`Stream::join_capture`] does, and what CUDA answers.
    #[doc(alias = "cudaStreamWaitEvent")]
    pub fn wait(&self, event: &Event) -> Result<()> {
        event.with_mark(|captured| {
            if captured && self.capture_status()? == CaptureStatus::None {
                return Err(misuse("cudaStreamWaitEvent", Misuse::CapturedEvent));
            }
            self.wait_unchecked(event)
        })
    }

    fn wait_unchecked(&self, event: &Event) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: stream and event are alive; the flags are the default ones.
        let status = unsafe { api.cudaStreamWaitEvent(self.raw, event.as_raw(), 0) };
        drop(entered);
        check!(
            api,
            cudaStreamWaitEvent,
            status,
            stream = self.raw,
            event = event.as_raw()
        )
    }

    /// The stream's priority as CUDA keeps it.
    ///
    /// Runtime API: `cudaStreamGetPriority`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaStreamGetPriority")]
    pub fn priority(&self) -> Result<i32> {
        let api = self.device.api();
        let mut priority = 0;
        let entered = self.device.enter()?;
        // SAFETY: `priority` is a live out parameter and the stream is alive.
        let status = unsafe { api.cudaStreamGetPriority(self.raw, &raw mut priority) };
        drop(entered);
        check!(api, cudaStreamGetPriority, status, stream = self.raw)?;
        Ok(priority)
    }

    /// The stream's flags as CUDA keeps them.
    ///
    /// Runtime API: `cudaStreamGetFlags`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaStreamGetFlags")]
    pub fn flags(&self) -> Result<u32> {
        let api = self.device.api();
        let mut flags = 0;
        let entered = self.device.enter()?;
        // SAFETY: `flags` is a live out parameter and the stream is alive.
        let status = unsafe { api.cudaStreamGetFlags(self.raw, &raw mut flags) };
        drop(entered);
        check!(api, cudaStreamGetFlags, status, stream = self.raw)?;
        Ok(flags)
    }

    /// Calls a function on a thread of CUDA's when everything enqueued before has finished.
    ///
    /// Runtime API: `cudaLaunchHostFunc`. The function must not call CUDA. Should it panic, the panic ends
    /// there. Where earlier work fails it is never called, and what it owns is never freed.
    ///
    /// # Errors
    ///
    /// What CUDA answers, and [`Misuse::Capturing`]: a graph could call the function any number of
    /// times.
    #[doc(alias = "cudaLaunchHostFunc")]
    pub fn host_function(&self, function: impl FnOnce() + Send + 'static) -> Result<()> {
        self.refuse_capture("cudaLaunchHostFunc")?;
        let api = self.device.api();
        let function: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(function));
        let data = Box::into_raw(function);
        let entered = self.device.enter()?;
        // SAFETY: `data` is what `call` takes, and the driver hands it over once.
        let status = unsafe { api.cudaLaunchHostFunc(self.raw, Some(call), data.cast()) };
        drop(entered);
        check!(api, cudaLaunchHostFunc, status, stream = self.raw).inspect_err(|_| {
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
        let api = self.device.api();
        report_drop(self.device.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cudaStreamDestroy(self.raw) };
            drop(entered);
            check!(api, cudaStreamDestroy, status, stream = self.raw)
        }));
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("raw", &self.raw)
            .field("device", &self.device)
            .finish()
    }
}
