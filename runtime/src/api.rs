//! The loaded libraries, as the rest of the crate reaches them.

use core::ffi::{CStr, c_char};
use core::ptr;
use std::sync::OnceLock;

use cuda_sys::driver::{CUresult, Driver};
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuda_sys::{MissingSymbol, Symbol};

use crate::error::Result;

/// The library behind this crate.
pub(crate) type Api = Runtime;

/// The status of this API, as the library returns it: a newtype, because a newer library may return a
/// number that nobody here has heard of.
pub type Status = cudaError_t;

/// The status that means success.
pub(crate) const SUCCESS: Status = cudaError_t::cudaSuccess;

static API: OnceLock<&'static Api> = OnceLock::new();

/// Loads the library, the first time; says why it cannot be loaded otherwise.
#[inline]
pub(crate) fn api() -> Result<&'static Api> {
    match API.get() {
        Some(api) => Ok(api),
        None => load(),
    }
}

#[cold]
fn load() -> Result<&'static Api> {
    // The runtime finds its driver by itself and under the plain name only. Where this process is told
    // to use another file (`CUWHY_LIBCUDA`), that file must be there before; where there is no driver,
    // the runtime's own answer says so.
    drop(Driver::get());
    let api = Runtime::get()?;
    Ok(API.get_or_init(|| api))
}

/// The driver, with the current device's primary context made current by the runtime.
pub(crate) fn driver() -> Result<&'static Driver> {
    let api = api()?;
    // SAFETY: freeing null frees nothing; it is the oldest way to have the runtime initialise a device.
    let status = unsafe { api.cudaFree(ptr::null_mut()) };
    crate::error::check!(api, cudaFree, status)?;
    Ok(Driver::get()?)
}

/// A library whose statuses become errors: the runtime, and the driver where the runtime has no such call.
pub(crate) trait Library {
    /// What its calls return.
    type Status: Copy;

    /// The number of a status; both libraries count alike.
    fn number(status: Self::Status) -> u32;

    /// Looks a function up by its export name.
    fn find(&self, call: &str) -> core::result::Result<Symbol, MissingSymbol>;

    /// The name and the description of a status, in the library's words.
    fn words(&self, status: Self::Status) -> (Option<String>, Option<String>);

    /// Called once for every status that became an error.
    fn reported(&self, status: Self::Status);

    /// Whether the status means that the machine has no driver.
    fn no_driver(&self, status: Self::Status) -> bool;
}

impl Library for Runtime {
    type Status = cudaError_t;

    fn number(status: cudaError_t) -> u32 {
        status.0
    }

    fn find(&self, call: &str) -> core::result::Result<Symbol, MissingSymbol> {
        Self::find(self, call)
    }

    fn words(&self, status: cudaError_t) -> (Option<String>, Option<String>) {
        // SAFETY: the function takes every number.
        let name = unsafe { self.cudaGetErrorName(status) };
        // SAFETY: the function takes every number.
        let description = unsafe { self.cudaGetErrorString(status) };
        // The library answers "unrecognized error code" for what it does not know, our table then knows
        // the name, if anybody does.
        let name = text(name).filter(|name| !name.contains(' '));
        (
            name.or_else(|| status.name().map(str::to_owned)),
            text(description),
        )
    }

    fn reported(&self, status: cudaError_t) {
        // Some calls report without leaving a last error; then what is there is somebody else's.
        // SAFETY: the function has no preconditions.
        let left = unsafe { self.cudaPeekAtLastError() };
        if left == status {
            // SAFETY: the function has no preconditions.
            let _same = unsafe { self.cudaGetLastError() };
        }
    }

    fn no_driver(&self, status: cudaError_t) -> bool {
        Self::no_driver(self, status)
    }
}

impl Library for Driver {
    type Status = CUresult;

    fn number(status: CUresult) -> u32 {
        status.0
    }

    fn find(&self, call: &str) -> core::result::Result<Symbol, MissingSymbol> {
        Self::find(self, call)
    }

    fn words(&self, status: CUresult) -> (Option<String>, Option<String>) {
        let mut name = ptr::null();
        // SAFETY: `name` is a live pointer, which the library sets to a static string or to null.
        let known = unsafe { self.cuGetErrorName(status, &raw mut name) };
        let name = if known.0 == 0 { text(name) } else { None };
        let mut description = ptr::null();
        // SAFETY: `description` is a live pointer, which the library sets to a static string or to null.
        let known = unsafe { self.cuGetErrorString(status, &raw mut description) };
        let description = if known.0 == 0 {
            text(description)
        } else {
            None
        };
        (
            name.or_else(|| status.name().map(str::to_owned)),
            description,
        )
    }

    fn reported(&self, _status: CUresult) {}

    fn no_driver(&self, _status: CUresult) -> bool {
        false
    }
}

/// A static C string of a library's as text.
fn text(words: *const c_char) -> Option<String> {
    if words.is_null() {
        return None;
    }
    // SAFETY: both libraries answer with strings of static lifetime, or with null.
    let words = unsafe { CStr::from_ptr(words) };
    Some(words.to_string_lossy().into_owned())
}
