use cuda_sys::runtime::cudaLimit;

use super::{Device, MemoryInfo, StreamPriorities};
use crate::error::{Result, check};
use crate::memory::Bytes;

impl Device {
    /// Waits until everything that was given to the device has finished.
    ///
    /// Runtime API: `cudaDeviceSynchronize`.
    ///
    /// # Errors
    ///
    /// What CUDA answers, which includes failures of that earlier work.
    #[doc(alias = "cudaDeviceSynchronize")]
    pub fn synchronize(&self) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: the function has no preconditions.
        let status = unsafe { self.api().cudaDeviceSynchronize() };
        let result = check!(
            self.api(),
            cudaDeviceSynchronize,
            status,
            device = self.as_raw()
        );
        drop(entered);
        result
    }

    /// How much memory the device has, and how much of it is free.
    ///
    /// Runtime API: `cudaMemGetInfo`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemGetInfo")]
    pub fn memory_info(&self) -> Result<MemoryInfo> {
        let entered = self.enter()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: both are live out parameters.
        let status = unsafe { self.api().cudaMemGetInfo(&raw mut free, &raw mut total) };
        let result = check!(self.api(), cudaMemGetInfo, status);
        drop(entered);
        result?;
        Ok(MemoryInfo {
            free: Bytes(free),
            total: Bytes(total),
        })
    }

    /// A limit of the device, by its C name.
    ///
    /// Runtime API: `cudaDeviceGetLimit`.
    ///
    /// # Errors
    ///
    /// What CUDA answers; 215 for a limit that the device does not have.
    #[doc(alias = "cudaDeviceGetLimit")]
    pub fn limit(&self, limit: cudaLimit) -> Result<usize> {
        let entered = self.enter()?;
        let mut value = 0;
        // SAFETY: `value` is a live out parameter.
        let status = unsafe { self.api().cudaDeviceGetLimit(&raw mut value, limit) };
        let result = check!(self.api(), cudaDeviceGetLimit, status, limit = limit.0);
        drop(entered);
        result?;
        Ok(value)
    }

    /// Sets a limit of the device, by its C name.
    ///
    /// Runtime API: `cudaDeviceSetLimit`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaDeviceSetLimit")]
    pub fn set_limit(&self, limit: cudaLimit, value: usize) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: the function has no preconditions.
        let status = unsafe { self.api().cudaDeviceSetLimit(limit, value) };
        let result = check!(
            self.api(),
            cudaDeviceSetLimit,
            status,
            limit = limit.0,
            value
        );
        drop(entered);
        result
    }

    /// Lets code on this device read and write memory of `peer`.
    ///
    /// Runtime API: `cudaDeviceEnablePeerAccess`. Copies between devices need no such permission.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 704 where it was enabled before, 217 where the devices cannot.
    #[doc(alias = "cudaDeviceEnablePeerAccess")]
    pub fn enable_peer_access(&self, peer: &Self) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: the runtime refuses an ordinal that is none; the flags must be zero.
        let status = unsafe { self.api().cudaDeviceEnablePeerAccess(peer.as_raw(), 0) };
        let result = check!(
            self.api(),
            cudaDeviceEnablePeerAccess,
            status,
            peer = peer.as_raw()
        );
        drop(entered);
        result
    }

    /// Takes back [`Device::enable_peer_access`].
    ///
    /// Runtime API: `cudaDeviceDisablePeerAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 705 where it was not enabled.
    #[doc(alias = "cudaDeviceDisablePeerAccess")]
    pub fn disable_peer_access(&self, peer: &Self) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: the runtime refuses an ordinal that is none.
        let status = unsafe { self.api().cudaDeviceDisablePeerAccess(peer.as_raw()) };
        let result = check!(
            self.api(),
            cudaDeviceDisablePeerAccess,
            status,
            peer = peer.as_raw()
        );
        drop(entered);
        result
    }

    /// The least and the greatest priority that streams can have; greater is a smaller number.
    ///
    /// Runtime API: `cudaDeviceGetStreamPriorityRange`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaDeviceGetStreamPriorityRange")]
    pub fn stream_priorities(&self) -> Result<StreamPriorities> {
        let entered = self.enter()?;
        let (mut least, mut greatest) = (0, 0);
        // SAFETY: both are live out parameters.
        let status = unsafe {
            self.api()
                .cudaDeviceGetStreamPriorityRange(&raw mut least, &raw mut greatest)
        };
        let result = check!(self.api(), cudaDeviceGetStreamPriorityRange, status);
        drop(entered);
        result?;
        Ok(StreamPriorities { least, greatest })
    }

    /// Destroys everything in the primary context, whoever made it.
    ///
    /// Runtime API: `cudaDeviceReset`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// Nothing in this process, other libraries included, may use anything of the device afterwards; host
    /// memory that an asynchronous copy still reads or writes must live on.
    #[doc(alias = "cudaDeviceReset")]
    pub unsafe fn reset(&self) -> Result<()> {
        let entered = self.enter()?;
        // SAFETY: the caller answers for everybody else in the process.
        let status = unsafe { self.api().cudaDeviceReset() };
        let result = check!(self.api(), cudaDeviceReset, status, device = self.as_raw());
        drop(entered);
        result
    }
}
