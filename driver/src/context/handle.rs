use core::fmt;
use core::ptr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cuda_sys::driver::CUcontext;

use super::ContextFlags;
use super::entered::{Entered, current, enter};
use crate::api::{Api, api};
use crate::device::Device;
use crate::error::{Misuse, Result, check, misuse, report_drop};

/// A context, owned or borrowed; cloning shares it.
///
/// Everything made in a context keeps it alive. Clones compare equal.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

struct Shared {
    api: &'static Api,
    raw: CUcontext,
    device: Device,
    origin: Origin,
}

/// Who ends the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Retained: released once.
    Primary,
    /// Created here: destroyed here.
    Created,
    /// Somebody else's.
    Borrowed,
}

// SAFETY: a context may be used from every thread; what is current is the thread's own.
unsafe impl Send for Shared {}
// SAFETY: as above, and the driver serialises what must be.
unsafe impl Sync for Shared {}

/// The contexts that [`Context::create`] made and that are alive, by their handles as numbers.
static CREATED: Mutex<Vec<(usize, Weak<Shared>)>> = Mutex::new(Vec::new());

/// The context of this handle, where it was created here and is alive.
fn created(raw: CUcontext) -> Option<Arc<Shared>> {
    let mut created = CREATED.lock().unwrap_or_else(PoisonError::into_inner);
    created.retain(|(_, known)| known.strong_count() > 0);
    let (_, known) = created.iter().find(|(handle, _)| *handle == raw.addr())?;
    known.upgrade()
}

impl Context {
    /// Retains the device's primary context, and creates it where nobody has.
    ///
    /// Driver API: `cuDevicePrimaryCtxRetain`, and `cuDevicePrimaryCtxRelease_v2` on drop. It is not
    /// made current.
    ///
    /// # Errors
    ///
    /// What CUDA answers: out of memory, or a device in exclusive use.
    #[doc(alias = "cuDevicePrimaryCtxRetain")]
    pub fn primary(device: &Device) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cuDevicePrimaryCtxRetain(&raw mut raw, device.as_raw()) };
        check!(
            api,
            cuDevicePrimaryCtxRetain,
            status,
            device = device.ordinal()
        )?;
        Ok(Self::wrap(api, raw, *device, Origin::Primary))
    }

    /// Creates a context of one's own; most programs want [`Context::primary`].
    ///
    /// Driver API: `cuCtxCreate_v2`, `cuCtxDestroy_v2` on drop. C makes the new context current; this
    /// function restores the previous one.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuCtxCreate")]
    pub fn create(device: &Device, flags: ContextFlags) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cuCtxCreate_v2(&raw mut raw, flags.0, device.as_raw()) };
        check!(
            api,
            cuCtxCreate_v2,
            status,
            flags = flags.0,
            device = device.ordinal()
        )?;
        let context = Self::wrap(api, raw, *device, Origin::Created);
        CREATED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((raw.addr(), Arc::downgrade(&context.shared)));
        let mut popped = ptr::null_mut();
        // SAFETY: `popped` is a live out parameter; creating pushed the new context.
        let status = unsafe { api.cuCtxPopCurrent_v2(&raw mut popped) };
        check!(api, cuCtxPopCurrent_v2, status)?;
        Ok(context)
    }

    /// The context that the calling thread works in, where it is a primary one or was created here.
    ///
    /// Driver API: `cuCtxGetCurrent`, and `cuDevicePrimaryCtxRetain` for a primary one, which the result so
    /// keeps alive. For a context that somebody else created see [`Context::from_raw`].
    ///
    /// # Errors
    ///
    /// 3 where CUDA was never initialised, and [`Misuse::Foreign`] for a context that is neither: nothing
    /// says how long it lives.
    #[doc(alias = "cuCtxGetCurrent")]
    #[doc(alias = "cuCtxGetDevice")]
    pub fn current() -> Result<Option<Self>> {
        let api = api()?;
        let raw = current(api)?;
        if raw.is_null() {
            return Ok(None);
        }
        if let Some(shared) = created(raw) {
            return Ok(Some(Self { shared }));
        }
        let mut device = 0;
        // SAFETY: `device` is a live out parameter, and a context is current.
        let status = unsafe { api.cuCtxGetDevice(&raw mut device) };
        check!(api, cuCtxGetDevice, status)?;
        let device = Device::from_raw_device(api, device);
        if device.is_primary_active()? {
            let primary = Self::primary(&device)?;
            if primary.as_raw() == raw {
                return Ok(Some(primary));
            }
        }
        Err(misuse("cuCtxGetCurrent", Misuse::Foreign))
    }

    /// Borrows a context that somebody else made.
    ///
    /// Driver API: `cuCtxGetDevice`.
    ///
    /// # Errors
    ///
    /// What CUDA answers when asked for the context's device.
    ///
    /// # Safety
    ///
    /// `raw` is a live context and outlives the result with everything that is made in it.
    #[doc(alias = "cuCtxGetDevice")]
    pub unsafe fn from_raw(raw: CUcontext) -> Result<Self> {
        let api = api()?;
        let mut device = 0;
        let entered = enter(api, raw)?;
        // SAFETY: `device` is a live out parameter, and `raw` is current.
        let status = unsafe { api.cuCtxGetDevice(&raw mut device) };
        check!(api, cuCtxGetDevice, status, context = raw)?;
        drop(entered);
        Ok(Self::wrap(
            api,
            raw,
            Device::from_raw_device(api, device),
            Origin::Borrowed,
        ))
    }

    fn wrap(api: &'static Api, raw: CUcontext, device: Device, origin: Origin) -> Self {
        Self {
            shared: Arc::new(Shared {
                api,
                raw,
                device,
                origin,
            }),
        }
    }

    /// The raw handle; it lives as long as the longest-lived clone.
    #[must_use]
    pub fn as_raw(&self) -> CUcontext {
        self.shared.raw
    }

    /// The device that the context works on.
    #[must_use]
    pub fn device(&self) -> Device {
        self.shared.device
    }

    /// The library that this context came from.
    pub(crate) fn api(&self) -> &'static Api {
        self.shared.api
    }

    /// The handle as a number, for observers and errors.
    pub(crate) fn id_for_observers(&self) -> u64 {
        self.shared.raw.addr() as u64
    }

    /// The CUDA version that the context behaves like.
    ///
    /// Driver API: `cuCtxGetApiVersion`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuCtxGetApiVersion")]
    pub fn api_version(&self) -> Result<u32> {
        let mut version = 0;
        let api = self.shared.api;
        // SAFETY: `version` is a live out parameter and the context is alive.
        let status = unsafe { api.cuCtxGetApiVersion(self.shared.raw, &raw mut version) };
        check!(api, cuCtxGetApiVersion, status, context = self.shared.raw)?;
        Ok(version)
    }

    /// Makes the context current until the guard is dropped, and then the previous one.
    ///
    /// Driver API: `cuCtxPushCurrent_v2` and `cuCtxPopCurrent_v2`, neither of them where the context
    /// is current already. Drop guards in the reverse order of their making.
    ///
    /// # Errors
    ///
    /// What CUDA answers, for example that the context is destroyed.
    #[doc(alias = "cuCtxPushCurrent")]
    #[inline]
    pub fn enter(&self) -> Result<Entered<'_>> {
        enter(self.shared.api, self.shared.raw)
    }

    /// Makes the context current for the thread, until something else is.
    ///
    /// Driver API: `cuCtxSetCurrent`. The caller keeps the context alive.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuCtxSetCurrent")]
    pub fn select(&self) -> Result<()> {
        // SAFETY: the context is alive.
        let status = unsafe { self.shared.api.cuCtxSetCurrent(self.shared.raw) };
        check!(
            self.shared.api,
            cuCtxSetCurrent,
            status,
            context = self.shared.raw
        )
    }

    /// Leaves the thread without a context.
    ///
    /// Driver API: `cuCtxSetCurrent` with null.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuCtxSetCurrent")]
    pub fn leave() -> Result<()> {
        let api = api()?;
        // SAFETY: null is allowed and means none.
        let status = unsafe { api.cuCtxSetCurrent(ptr::null_mut()) };
        check!(api, cuCtxSetCurrent, status)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        match self.origin {
            Origin::Primary => {
                // SAFETY: retained once by `Context::primary`, released once here.
                let status = unsafe { self.api.cuDevicePrimaryCtxRelease_v2(self.device.as_raw()) };
                report_drop(check!(
                    self.api,
                    cuDevicePrimaryCtxRelease_v2,
                    status,
                    device = self.device.ordinal()
                ));
            }
            Origin::Created => {
                // SAFETY: created by `Context::create`; whatever lived in it held a clone and is gone.
                let status = unsafe { self.api.cuCtxDestroy_v2(self.raw) };
                report_drop(check!(
                    self.api,
                    cuCtxDestroy_v2,
                    status,
                    context = self.raw
                ));
            }
            Origin::Borrowed => {}
        }
    }
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.shared.raw == other.shared.raw
    }
}

impl Eq for Context {}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("raw", &self.shared.raw)
            .field("device", &self.shared.device)
            .field("origin", &self.shared.origin)
            .finish()
    }
}
