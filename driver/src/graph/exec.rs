//! Graphs that are ready to run.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;

use cuda_sys::driver::CUgraphExec;

use crate::context::Context;
use crate::error::{Result, check, report_drop};
use crate::stream::Stream;

/// A graph that is ready to run.
pub struct GraphExec {
    pub(super) context: Context,
    pub(super) raw: CUgraphExec,
}

// SAFETY: it may be used from every thread, one at a time.
unsafe impl Send for GraphExec {}

impl GraphExec {
    /// Owns a graph that something else made ready.
    ///
    /// # Safety
    ///
    /// `raw` is live, its nodes belong to `context`, and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(context: &Context, raw: CUgraphExec) -> Self {
        Self {
            context: context.clone(),
            raw,
        }
    }

    /// Gives the graph away: the caller destroys it.
    #[must_use = "nobody else destroys the graph"]
    pub fn into_raw(self) -> CUgraphExec {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.context) };
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUgraphExec {
        self.raw
    }

    /// Moves what the graph needs to the device before its first launch.
    ///
    /// Driver API: `cuGraphUpload`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuGraphUpload")]
    pub fn upload(&mut self, stream: &Stream) -> Result<()> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: graph and stream are alive; nothing of the graph runs.
        let status = unsafe { api.cuGraphUpload(self.raw, stream.as_raw()) };
        drop(entered);
        check!(
            api,
            cuGraphUpload,
            status,
            graph = self.raw,
            stream = stream.as_raw()
        )
    }

    /// Runs the graph when the stream comes to it.
    ///
    /// Driver API: `cuGraphLaunch`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// Everything that the nodes name - memory, host functions and what they own - is alive until the
    /// stream has done it, and no reference of Rust's forbids reading or writing it.
    #[doc(alias = "cuGraphLaunch")]
    pub unsafe fn launch(&mut self, stream: &Stream) -> Result<()> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: graph and stream are alive; the caller answers for what the nodes name.
        let status = unsafe { api.cuGraphLaunch(self.raw, stream.as_raw()) };
        drop(entered);
        check!(
            api,
            cuGraphLaunch,
            status,
            graph = self.raw,
            stream = stream.as_raw()
        )
    }
}

impl Drop for GraphExec {
    fn drop(&mut self) {
        let api = self.context.api();
        // SAFETY: made once, destroyed once; the driver waits for a launch that is under way.
        let status = unsafe { api.cuGraphExecDestroy(self.raw) };
        report_drop(check!(api, cuGraphExecDestroy, status, graph = self.raw));
    }
}

impl fmt::Debug for GraphExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphExec").field("raw", &self.raw).finish()
    }
}
