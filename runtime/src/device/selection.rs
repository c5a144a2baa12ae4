//! Which device the thread works on.

use core::ffi::c_int;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use cuda_sys::driver::{CUcontext, CUctx_st, Driver};
use cuda_sys::runtime::Major;

use super::Device;
use crate::api::{Api, api};
use crate::error::{Result, check, report_drop};

impl Device {
    /// The device that the calling thread works on; the first one where it never chose.
    ///
    /// Runtime API: `cudaGetDevice`. Asking creates no context.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGetDevice")]
    pub fn current() -> Result<Self> {
        let api = api()?;
        Ok(Self::from_ordinal(api, current(api)?))
    }

    /// Selects the device until the guard is dropped, and then the previous one.
    ///
    /// Runtime API: `cudaSetDevice` twice, and not at all where the device is selected already. From 12.0
    /// on `cudaSetDevice` also creates the context of the device that it selects; where the previous
    /// device has none, this device's context is pushed and popped instead (`cuCtxPushCurrent_v2`), so
    /// that no context comes to be that nobody asked for. Drop guards in the reverse order of their making.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where there is no such device.
    #[doc(alias = "cudaSetDevice")]
    #[inline]
    pub fn enter(&self) -> Result<Entered<'_>> {
        let api = self.api();
        let previous = current(api)?;
        let foreign = in_foreign_context(previous);
        if previous == self.as_raw() && !foreign {
            return Ok(Entered {
                api,
                restore: Restore::Nothing,
                marker: PhantomData,
            });
        }
        self.enter_other(previous, foreign)
    }

    #[cold]
    fn enter_other(&self, previous: c_int, foreign: bool) -> Result<Entered<'_>> {
        let api = self.api();
        let restore = match self.push_beside(previous, foreign) {
            Some(driver) => Restore::Pop(driver),
            None => {
                self.select()?;
                Restore::Select(previous)
            }
        };
        Ok(Entered {
            api,
            restore,
            marker: PhantomData,
        })
    }

    /// Pushes this device's context where selecting `previous` again would create a context, or would not
    /// bring back the one that the thread works in.
    fn push_beside(&self, previous: c_int, foreign: bool) -> Option<&'static Driver> {
        let api = self.api();
        let old = api.major() == Major::V11;
        let driver = Driver::get().ok()?;
        if !foreign && (old || is_active(driver, previous)?) {
            return None;
        }
        if !old {
            // SAFETY: the runtime refuses an ordinal that is none; zero flags change none.
            let status = unsafe { api.cudaInitDevice(self.as_raw(), 0, 0) };
            if status.0 != 0 {
                return None;
            }
        }
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a live out parameter. The retain is never given back: the runtime keeps the
        // context anyway, until the process ends or resets the device.
        let status = unsafe { driver.cuDevicePrimaryCtxRetain(&raw mut context, self.as_raw()) };
        if status.0 != 0 {
            return None;
        }
        // SAFETY: retained just now.
        let status = unsafe { driver.cuCtxPushCurrent_v2(context) };
        if status.0 != 0 {
            return None;
        }
        Some(driver)
    }

    /// Selects the device for the thread, until another one is.
    ///
    /// Runtime API: `cudaSetDevice`. From 12.0 on this creates the device's primary context.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaSetDevice")]
    pub fn select(&self) -> Result<()> {
        let api = self.api();
        // SAFETY: the runtime refuses an ordinal that is none.
        let status = unsafe { api.cudaSetDevice(self.as_raw()) };
        check!(api, cudaSetDevice, status, device = self.as_raw())
    }
}

/// Restores the thread's previous device when dropped.
#[derive(Debug)]
#[must_use = "the device is selected only as long as this lives"]
pub struct Entered<'a> {
    api: &'static Api,
    restore: Restore,
    marker: PhantomData<(&'a Device, *mut ())>,
}

/// How the previous device comes back.
#[derive(Debug)]
enum Restore {
    Nothing,
    Select(c_int),
    Pop(&'static Driver),
}

/// Whether a device has its primary context; nothing where the driver does not say.
fn is_active(driver: &Driver, ordinal: c_int) -> Option<bool> {
    let (mut flags, mut active) = (0, 0);
    // SAFETY: both are live out parameters; the driver refuses an ordinal that is none.
    let status =
        unsafe { driver.cuDevicePrimaryCtxGetState(ordinal, &raw mut flags, &raw mut active) };
    (status.0 == 0).then_some(active != 0)
}

/// The primary contexts that were seen, by their devices' ordinals.
static PRIMARY: [AtomicPtr<CUctx_st>; 64] = [const { AtomicPtr::new(ptr::null_mut()) }; 64];

/// Whether the thread works in another context of the device than its primary one.
#[inline]
fn in_foreign_context(ordinal: c_int) -> bool {
    let Ok(driver) = Driver::get() else {
        return false;
    };
    let mut context = ptr::null_mut();
    // SAFETY: `context` is a live out parameter.
    let status = unsafe { driver.cuCtxGetCurrent(&raw mut context) };
    if status.0 != 0 || context.is_null() {
        return false;
    }
    !is_seen(ordinal, context) && is_foreign(driver, context)
}

/// The place where a device's primary context is kept.
fn place(ordinal: c_int) -> Option<&'static AtomicPtr<CUctx_st>> {
    PRIMARY.get(usize::try_from(ordinal).ok()?)
}

/// Whether a context was seen to be the primary one of a device.
#[inline]
fn is_seen(ordinal: c_int, context: CUcontext) -> bool {
    place(ordinal).is_some_and(|seen| seen.load(Ordering::Relaxed) == context)
}

/// Whether the current context is not the primary one of its own device. That need not be the device that
/// the thread chose: up to 11 the runtime makes that one's context current when it is first needed.
#[cold]
fn is_foreign(driver: &Driver, context: CUcontext) -> bool {
    let mut device = 0;
    // SAFETY: `device` is a live out parameter, and a context is current.
    let status = unsafe { driver.cuCtxGetDevice(&raw mut device) };
    if status.0 != 0 || is_seen(device, context) {
        return false;
    }
    if is_active(driver, device) == Some(false) {
        return true;
    }
    let mut primary = ptr::null_mut();
    // SAFETY: `primary` is a live out parameter. As in `push_beside` the retain is never given back.
    let status = unsafe { driver.cuDevicePrimaryCtxRetain(&raw mut primary, device) };
    if status.0 != 0 {
        return false;
    }
    if let Some(seen) = place(device) {
        seen.store(primary, Ordering::Relaxed);
    }
    primary != context
}

/// The thread's device.
#[inline]
fn current(api: &'static Api) -> Result<c_int> {
    let mut device = 0;
    // SAFETY: `device` is a live out parameter.
    let status = unsafe { api.cudaGetDevice(&raw mut device) };
    check!(api, cudaGetDevice, status)?;
    Ok(device)
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        match self.restore {
            Restore::Nothing => {}
            Restore::Select(previous) => {
                // SAFETY: it was the thread's device before.
                let status = unsafe { self.api.cudaSetDevice(previous) };
                report_drop(check!(self.api, cudaSetDevice, status, device = previous));
            }
            Restore::Pop(driver) => {
                let mut popped = ptr::null_mut();
                // SAFETY: `popped` is a live out parameter.
                let status = unsafe { driver.cuCtxPopCurrent_v2(&raw mut popped) };
                report_drop(check!(driver, cuCtxPopCurrent_v2, status));
            }
        }
    }
}
