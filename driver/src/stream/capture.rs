//! Captures: a stream that collects what it is given, and who may begin one.

use core::ptr;
use std::sync::{Mutex, PoisonError};

use cuda_sys::driver::{CUstream_flags, CUstreamCaptureMode, CUstreamCaptureStatus};

use super::{LEGACY, PER_THREAD, Stream};
use crate::api::api;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::event::Event;
use crate::graph::Graph;

/// What a value knows of its stream's captures by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It was created here, and every capture that it began or joined has ended.
    None,
    /// It was created here, and has begun or joined one.
    Begun,
    /// Others may begin one: it was not created here.
    Nothing,
}

/// The bit of a stream that is independent of the legacy one.
const NON_BLOCKING: u32 = CUstream_flags::CU_STREAM_NON_BLOCKING.0;

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
