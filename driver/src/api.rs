//! The loaded library, as the rest of the crate reaches it.

use cuda_sys::driver::{CUresult, Driver};

use crate::error::Result;

/// The library behind this crate.
pub(crate) type Api = Driver;

/// The status of this API, as the library returns it: a newtype, because a newer library may return a
/// number that nobody here has heard of.
pub type Status = CUresult;

/// The status that means success.
pub(crate) const SUCCESS: Status = CUresult::CUDA_SUCCESS;

/// Loads the library, the first time; says why it cannot be loaded otherwise.
#[inline]
pub(crate) fn api() -> Result<&'static Api> {
    match Driver::get() {
        Ok(driver) => Ok(driver),
        Err(cause) => Err(cause.into()),
    }
}

/// Looks a function up by its export name.
pub(crate) fn find(
    api: &Api,
    call: &str,
) -> core::result::Result<cuda_sys::Symbol, cuda_sys::MissingSymbol> {
    api.find(call)
}

/// The name and the description of a status, in the library's words.
pub(crate) fn words(api: &Api, status: Status) -> (Option<String>, Option<String>) {
    let mut name = core::ptr::null();
    // SAFETY: `name` is a live pointer, which the library sets to a static string or to null.
    let known = unsafe { api.cuGetErrorName(status, &raw mut name) };
    let name = text(known, name).or_else(|| status.name().map(str::to_owned));
    let mut description = core::ptr::null();
    // SAFETY: `description` is a live pointer, which the library sets to a static string or to null.
    let known = unsafe { api.cuGetErrorString(status, &raw mut description) };
    (name, text(known, description))
}

/// A C string of the library's as text.
fn text(known: Status, words: *const core::ffi::c_char) -> Option<String> {
    if known != SUCCESS || words.is_null() {
        return None;
    }
    // SAFETY: the library answered success, so this is a string with static lifetime.
    let words = unsafe { core::ffi::CStr::from_ptr(words) };
    Some(words.to_string_lossy().into_owned())
}

/// Called once for every status that became an error; the driver API keeps no last error.
pub(crate) fn reported(_api: &Api, _status: Status) {}
