//! Memory of a second device.

use super::stage::{Skip, Stage, done};
use crate::Class;
use core::ptr;
use cuda_sys::driver::CUcontext;

impl Stage {
    /// The primary context of device 1, retained once for ever.
    fn context_of_second(&self) -> Result<CUcontext, Skip> {
        if let Some(context) = self.second.get() {
            return Ok(context);
        }
        let mut count = 0;
        // SAFETY: `count` is a live `c_int` and the driver writes nothing past it.
        let status = unsafe { self.driver.cuDeviceGetCount(&raw mut count) };
        done("cuDeviceGetCount", status)?;
        if count < 2 {
            return Err(Skip::Needs("two devices"));
        }
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a live handle and the driver writes nothing past it.
        let status = unsafe { self.driver.cuDevicePrimaryCtxRetain(&raw mut context, 1) };
        done("cuDevicePrimaryCtxRetain", status)?;
        self.second.set(Some(context));
        Ok(context)
    }

    /// Whether there is a second device at all.
    pub(super) fn needs_second(&self) -> Result<(), Skip> {
        self.context_of_second().map(drop)
    }

    /// Makes the second device's context current; [`Stage::tidy`] goes back.
    pub(super) fn enter_second(&self) -> Result<(), Skip> {
        self.set_current(self.context_of_second()?)
    }

    /// Runs with the second device current.
    fn on_second<R>(&self, act: impl FnOnce() -> Result<R, Skip>) -> Result<R, Skip> {
        self.enter_second()?;
        let result = act();
        self.enter()?;
        result
    }

    /// `cuMemAlloc` on the second device.
    pub(super) fn device_of_second(&self, bytes: u64) -> Result<u64, Skip> {
        let start = self.on_second(|| self.allocate(bytes))?;
        self.born_with(Class::Device, start, bytes, "cuMemAlloc", |owner| {
            owner.device = Some(1);
        });
        Ok(start)
    }

    /// `cuMemAllocAsync` on the second device, waited for.
    pub(super) fn pool_of_second(&self, bytes: u64) -> Result<u64, Skip> {
        let start = self.on_second(|| self.allocate_in_order(bytes))?;
        self.born_with(Class::Pool, start, bytes, "cuMemAllocAsync", |owner| {
            owner.device = Some(1);
        });
        Ok(start)
    }
}
