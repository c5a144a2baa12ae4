//! Streams: what happens in order, and beside what.

use core::ffi::c_void;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use std::sync::{Mutex, PoisonError};

use cuda_sys::driver::{CUstream, CUstream_flags, CUstreamCaptureMode, CUstreamCaptureStatus};

use crate::api::api;
use crate::context::Context;
use crate::error::{Misuse, Result, check, contain, misuse, report_drop};
use crate::event::Event;
use crate::graph::Graph;

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

/// What a value knows of its stream's captures by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It was created here, and every capture that it began or joined has ended.
    None,
    /// It was created here, and has begun or joined one.
    Begun,
    /// Others may begin one: it was not created here.
    Nothing,
}

// SAFETY: a stream may be used from every thread.
unsafe impl Send for Stream {}
// SAFETY: as above; what is enqueued from several threads at once comes in some order.
unsafe impl Sync for Stream {}

/// The bit of a stream that is independent of the legacy one.
const NON_BLOCKING: u32 = CUstream_flags::CU_STREAM_NON_BLOCKING.0;
/// The handle of the legacy default stream.
const LEGACY: usize = 1;
/// The handle of the calling thread's default stream.
const PER_THREAD: usize = 2;

/// How many scopes have copies under way in a legacy stream. While a blocking stream captures nobody can
/// wait for them, so that it must not begin to.
static LEGACY_IN_USE: Mutex<usize> = Mutex::new(0);

/// A scope's claim on its legacy stream.
#[derive(Debug)]
pub(crate) struct LegacyInUse(());

impl Drop for LegacyInUse {
    fn drop(&mut self) {
        let mut count = LEGACY_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
    }
}

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

/// Which calls of other threads a capture forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaptureMode {
    /// Calls that could disturb it are forbidden to all threads.
    #[default]
    Global,
    /// They are forbidden to the capturing thread.
    ThreadLocal,
    /// They are forbidden to nobody.
    Relaxed,
}

impl CaptureMode {
    fn raw(self) -> CUstreamCaptureMode {
        match self {
            Self::Global => CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL,
            Self::ThreadLocal => CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL,
            Self::Relaxed => CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED,
        }
    }
}

/// Whether a stream captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureStatus {
    /// It runs what it is given.
    None,
    /// It collects what it is given.
    Active,
    /// It collected until something forbidden was done; the graph is lost.
    Invalidated,
    /// A number that this crate has never heard of.
    Other(u32),
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

    /// Makes the stream wait for an event of a capture, and so join the capture: from now on it collects
    /// what it is given, until the stream that the capture began in ends it.
    ///
    /// Driver API: `cuStreamWaitEvent`. It takes the stream mutably, so that no copy of a
    /// [`copy::scope`](crate::copy::scope) can be under way on it.
    ///
    /// # Errors
    ///
    /// As [`Stream::begin_capture`].
    #[doc(alias = "cuStreamWaitEvent")]
    pub fn join_capture(&mut self, event: &Event) -> Result<()> {
        self.may_capture("cuStreamWaitEvent", || self.wait_unchecked(event))?;
        self.begun();
        Ok(())
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

    /// Whether the stream captures.
    ///
    /// Driver API: `cuStreamIsCapturing`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 906 for the legacy stream while a blocking stream captures.
    #[doc(alias = "cuStreamIsCapturing")]
    pub fn capture_status(&self) -> Result<CaptureStatus> {
        let api = self.context.api();
        let mut capturing = CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE;
        let entered = self.context.enter()?;
        // SAFETY: `capturing` is a live out parameter and the stream is alive.
        let status = unsafe { api.cuStreamIsCapturing(self.raw, &raw mut capturing) };
        drop(entered);
        check!(api, cuStreamIsCapturing, status, stream = self.raw)?;
        Ok(match capturing {
            CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE => CaptureStatus::None,
            CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_ACTIVE => CaptureStatus::Active,
            CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_INVALIDATED => {
                CaptureStatus::Invalidated
            }
            other => CaptureStatus::Other(other.0),
        })
    }

    /// From now on collects what the stream is given, instead of running it.
    ///
    /// Driver API: `cuStreamBeginCapture_v2`. It takes the stream mutably, so that no copy of a
    /// [`copy::scope`](crate::copy::scope) can be under way on it.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 900 for the legacy stream; [`Misuse::Unsupported`] for the per-thread stream,
    /// of which there may be another value with a copy under way; [`Misuse::LegacyStreamBusy`] for a
    /// blocking stream while a scope has copies under way in the legacy one.
    #[doc(alias = "cuStreamBeginCapture")]
    pub fn begin_capture(&mut self, mode: CaptureMode) -> Result<()> {
        self.may_capture("cuStreamBeginCapture_v2", || {
            let api = self.context.api();
            let entered = self.context.enter()?;
            // SAFETY: the stream is alive.
            let status = unsafe { api.cuStreamBeginCapture_v2(self.raw, mode.raw()) };
            drop(entered);
            check!(
                api,
                cuStreamBeginCapture_v2,
                status,
                stream = self.raw,
                mode = mode.raw().0
            )
        })?;
        self.begun();
        Ok(())
    }

    /// From now on CUDA has to say whether it captures.
    fn begun(&mut self) {
        if self.capture == Known::None {
            self.capture = Known::Begun;
        }
    }

    /// Whether this value created the stream, so that nobody else can have destroyed it.
    #[must_use]
    pub fn is_created_here(&self) -> bool {
        self.capture != Known::Nothing
    }

    /// Whether the stream is known to run what it is given, without a question to CUDA: it was created
    /// here, and neither began nor joined a capture that is not known to have ended. Otherwise
    /// [`Stream::capture_status`] says.
    ///
    /// What is done to the raw handle behind this crate's back it cannot know.
    #[must_use]
    pub fn is_known_to_run(&self) -> bool {
        self.capture == Known::None
    }

    /// Lets the stream capture, unless somebody could then not wait for a copy any longer.
    fn may_capture(&self, call: &'static str, capture: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.raw.addr() == PER_THREAD {
            return Err(misuse(call, Misuse::Unsupported));
        }
        let in_use = LEGACY_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if *in_use > 0 && !self.is_legacy() && self.flags()? & NON_BLOCKING == 0 {
            return Err(misuse(call, Misuse::LegacyStreamBusy));
        }
        // Under the lock, so that no scope begins to use the legacy stream meanwhile.
        capture()
    }

    /// Whether this is the legacy stream, which C also calls by a null handle.
    fn is_legacy(&self) -> bool {
        matches!(self.raw.addr(), 0 | LEGACY)
    }

    /// Keeps blocking streams from capturing while copies are under way in the legacy stream; nothing for
    /// another stream.
    pub(crate) fn keep_legacy(&self) -> Option<LegacyInUse> {
        if !self.is_legacy() {
            return None;
        }
        *LEGACY_IN_USE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Some(LegacyInUse(()))
    }

    /// Ends the capture and returns what was collected.
    ///
    /// Driver API: `cuStreamEndCapture`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 901 where something forbidden ended the capture before.
    #[doc(alias = "cuStreamEndCapture")]
    pub fn end_capture(&mut self) -> Result<Graph> {
        let api = self.context.api();
        let mut graph = ptr::null_mut();
        let entered = self.context.enter()?;
        // SAFETY: `graph` is a live out parameter and the stream is alive.
        let status = unsafe { api.cuStreamEndCapture(self.raw, &raw mut graph) };
        drop(entered);
        check!(api, cuStreamEndCapture, status, stream = self.raw)?;
        if self.capture == Known::Begun {
            self.capture = Known::None;
        }
        // SAFETY: CUDA made the graph just now and gave it to us alone.
        Ok(unsafe { Graph::from_raw(&self.context, graph) })
    }

    /// Refuses what safe code cannot let a graph repeat.
    pub(crate) fn refuse_capture(&self, call: &'static str) -> Result<()> {
        match self.capture_status()? {
            CaptureStatus::None => Ok(()),
            _ => Err(misuse(call, Misuse::Capturing)),
        }
    }
}

/// Lets the calling thread choose which of its calls a capture forbids, and returns the old choice.
///
/// Driver API: `cuThreadExchangeStreamCaptureMode`.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cuThreadExchangeStreamCaptureMode")]
pub fn exchange_capture_mode(mode: CaptureMode) -> Result<CaptureMode> {
    let api = api()?;
    let mut raw = mode.raw();
    // SAFETY: `raw` is a live in and out parameter.
    let status = unsafe { api.cuThreadExchangeStreamCaptureMode(&raw mut raw) };
    check!(
        api,
        cuThreadExchangeStreamCaptureMode,
        status,
        mode = mode.raw().0
    )?;
    Ok(match raw {
        CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL => CaptureMode::ThreadLocal,
        CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED => CaptureMode::Relaxed,
        _ => CaptureMode::Global,
    })
}

/// Waits in a way that no capture forbids: waiting for earlier work disturbs none.
pub(crate) fn waiting<T>(wait: impl FnOnce() -> Result<T>) -> Result<T> {
    let old = exchange_capture_mode(CaptureMode::Relaxed).ok();
    let result = wait();
    if let Some(old) = old {
        report_drop(exchange_capture_mode(old).map(drop));
    }
    result
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
