use core::marker::PhantomData;
use core::ptr;

use cuda_sys::driver::CUcontext;

use super::Context;
use crate::api::{Api, SUCCESS};
use crate::error::{Result, check, report_drop};

/// Restores the thread's previous context when dropped.
#[derive(Debug)]
#[must_use = "the context is current only as long as this lives"]
pub struct Entered<'a> {
    api: &'static Api,
    pushed: CUcontext,
    marker: PhantomData<(&'a Context, *mut ())>,
}

/// The thread's current context, or null.
#[inline]
pub(super) fn current(api: &'static Api) -> Result<CUcontext> {
    let mut raw = ptr::null_mut();
    // SAFETY: `raw` is a live out parameter.
    let status = unsafe { api.cuCtxGetCurrent(&raw mut raw) };
    check!(api, cuCtxGetCurrent, status)?;
    Ok(raw)
}

#[inline]
pub(super) fn enter<'a>(api: &'static Api, raw: CUcontext) -> Result<Entered<'a>> {
    if current(api)? == raw {
        return Ok(Entered {
            api,
            pushed: ptr::null_mut(),
            marker: PhantomData,
        });
    }
    // SAFETY: whoever calls this holds the context alive, or promised so.
    let status = unsafe { api.cuCtxPushCurrent_v2(raw) };
    check!(api, cuCtxPushCurrent_v2, status, context = raw)?;
    Ok(Entered {
        api,
        pushed: raw,
        marker: PhantomData,
    })
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.pushed.is_null() {
            return;
        }
        let mut popped = ptr::null_mut();
        // SAFETY: `popped` is a live out parameter.
        let status = unsafe { self.api.cuCtxPopCurrent_v2(&raw mut popped) };
        if status != SUCCESS {
            report_drop(check!(
                self.api,
                cuCtxPopCurrent_v2,
                status,
                pushed = self.pushed
            ));
        }
    }
}
