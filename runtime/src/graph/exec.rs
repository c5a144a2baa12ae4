//! Graphs that are ready to run.

use core::fmt;
use core::mem::ManuallyDrop;

use cuda_sys::runtime::cudaGraphExec_t;

use crate::device::Device;
use crate::error::{Result, check, report_drop};
use crate::stream::Stream;

/// A graph that is ready to run.
pub struct GraphExec {
    pub(super) device: Device,
    pub(super) raw: cudaGraphExec_t,
}

// SAFETY: it may be used from every thread, one at a time.
unsafe impl Send for GraphExec {}

impl GraphExec {
    /// Owns a graph that something else made ready.
    ///
    /// # Safety
    ///
    /// `raw` is live, its nodes belong to `device`, and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: cudaGraphExec_t) -> Self {
        Self {
            device: *device,
            raw,
        }
    }

    /// Gives the graph away: the caller destroys it.
    #[must_use = "nobody else destroys the graph"]
    pub fn into_raw(self) -> cudaGraphExec_t {
        let this = ManuallyDrop::new(self);
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> cudaGraphExec_t {
        self.raw
    }

    /// Moves what the graph needs to the device before its first launch.
    ///
    /// Runtime API: `cudaGraphUpload`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGraphUpload")]
    pub fn upload(&mut self, stream: &Stream) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: graph and stream are alive; nothing of the graph runs.
        let status = unsafe { api.cudaGraphUpload(self.raw, stream.as_raw()) };
        drop(entered);
        check!(
            api,
            cudaGraphUpload,
            status,
            graph = self.raw,
            stream = stream.as_raw()
        )
    }

    /// Runs the graph when the stream comes to it.
    ///
    /// Runtime API: `cudaGraphLaunch`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// Everything that the nodes name - memory, host functions and what they own - is alive until the
    /// stream has done it, and no reference of Rust's forbids reading or writing it.
    #[doc(alias = "cudaGraphLaunch")]
    pub unsafe fn launch(&mut self, stream: &Stream) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: graph and stream are alive; the caller answers for what the nodes name.
        let status = unsafe { api.cudaGraphLaunch(self.raw, stream.as_raw()) };
        drop(entered);
        check!(
            api,
            cudaGraphLaunch,
            status,
            graph = self.raw,
            stream = stream.as_raw()
        )
    }
}

impl Drop for GraphExec {
    fn drop(&mut self) {
        let api = self.device.api();
        // SAFETY: made once, destroyed once; the driver waits for a launch that is under way.
        let status = unsafe { api.cudaGraphExecDestroy(self.raw) };
        report_drop(check!(api, cudaGraphExecDestroy, status, graph = self.raw));
    }
}

impl fmt::Debug for GraphExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphExec").field("raw", &self.raw).finish()
    }
}
