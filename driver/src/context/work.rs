use cuda_sys::driver::CUlimit;

use super::{Context, MemoryInfo, StreamPriorities};
use crate::error::{Result, check};
use crate::memory::Bytes;

impl Context {
    /// Waits until everything that was given to the context has finished.
    ///
    /// Driver API: `cuCtxSynchronize`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of that earlier work.
    #[doc(alias = "cuCtxSynchronize")]
    pub fn synchronize(&self) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: the function has no preconditions beyond a current context.
        let status = unsafe { self.api().cuCtxSynchronize() };
        drop(entered);
        check!(
            self.api(),
            cuCtxSynchronize,
            status,
            context = self.as_raw()
        )
    }

    /// How much memory the device has, and how much of it is free.
    ///
    /// Driver API: `cuMemGetInfo_v2`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemGetInfo")]
    pub fn memory_info(&self) -> Result<MemoryInfo> {
        let entered = self.enter()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: both are live out parameters.
        let status = unsafe { self.api().cuMemGetInfo_v2(&raw mut free, &raw mut total) };
        drop(entered);
        check!(self.api(), cuMemGetInfo_v2, status)?;
        Ok(MemoryInfo {
            free: Bytes(free),
            total: Bytes(total),
        })
    }

    /// A limit of the context, by its C name.
    ///
    /// Driver API: `cuCtxGetLimit`.
    ///
    /// # Errors
    ///
    /// What CUDA answers; 215 for a limit that the device does not have.
    #[doc(alias = "cuCtxGetLimit")]
    pub fn limit(&self, limit: CUlimit) -> Result<usize> {
        let entered = self.enter()?;
        let mut value = 0;
        // SAFETY: `value` is a live out parameter.
        let status = unsafe { self.api().cuCtxGetLimit(&raw mut value, limit) };
        drop(entered);
        check!(self.api(), cuCtxGetLimit, status, limit = limit.0)?;
        Ok(value)
    }

    /// Sets a limit of the context, by its C name.
    ///
    /// Driver API: `cuCtxSetLimit`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuCtxSetLimit")]
    pub fn set_limit(&self, limit: CUlimit, value: usize) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: the function has no preconditions beyond a current context.
        let status = unsafe { self.api().cuCtxSetLimit(limit, value) };
        drop(entered);
        check!(self.api(), cuCtxSetLimit, status, limit = limit.0, value)
    }

    /// Lets code of this context read and write memory of `peer`.
    ///
    /// Driver API: `cuCtxEnablePeerAccess`. Copies between devices need no such permission.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 704 where it was enabled before, 217 where the devices cannot.
    #[doc(alias = "cuCtxEnablePeerAccess")]
    pub fn enable_peer_access(&self, peer: &Self) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: both contexts are alive; the flags must be zero.
        let status = unsafe { self.api().cuCtxEnablePeerAccess(peer.as_raw(), 0) };
        drop(entered);
        check!(
            self.api(),
            cuCtxEnablePeerAccess,
            status,
            peer = peer.as_raw()
        )
    }

    /// Takes back [`Context::enable_peer_access`].
    ///
    /// Driver API: `cuCtxDisablePeerAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 705 where it was not enabled.
    #[doc(alias = "cuCtxDisablePeerAccess")]
    pub fn disable_peer_access(&self, peer: &Self) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: both contexts are alive.
        let status = unsafe { self.api().cuCtxDisablePeerAccess(peer.as_raw()) };
        drop(entered);
        check!(
            self.api(),
            cuCtxDisablePeerAccess,
            status,
            peer = peer.as_raw()
        )
    }

    /// The least and the greatest priority that streams can have; greater is a smaller number.
    ///
    /// Driver API: `cuCtxGetStreamPriorityRange`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuCtxGetStreamPriorityRange")]
    pub fn stream_priorities(&self) -> Result<StreamPriorities> {
        let entered = self.enter()?;
        let (mut least, mut greatest) = (0, 0);
        // SAFETY: both are live out parameters.
        let status = unsafe {
            self.api()
                .cuCtxGetStreamPriorityRange(&raw mut least, &raw mut greatest)
        };
        drop(entered);
        check!(self.api(), cuCtxGetStreamPriorityRange, status)?;
        Ok(StreamPriorities { least, greatest })
    }
}
