//! Last errors, and what codes are called.

use core::ffi::{CStr, c_char, c_int};

use cuda_sys::runtime::cudaError_t;

use super::entry::{Answer, Call, Mode, enter, keep, last, put};
use super::loaded;
use super::texts::{TEXTS, UNKNOWN};

/// The last error of this thread, which forgets it.
///
/// Without a driver that is always the lack of one.
pub(crate) unsafe fn cudaGetLastError() -> cudaError_t {
    if let Err(code) = enter() {
        return code;
    }
    let code = last();
    keep(cudaError_t::cudaSuccess);
    code
}

/// The last error of this thread, which keeps it.
pub(crate) unsafe fn cudaPeekAtLastError() -> cudaError_t {
    match enter() {
        Ok(()) => last(),
        Err(code) => code,
    }
}

/// The name and the sentence of a code that this major knows.
fn known(code: cudaError_t) -> Option<(&'static CStr, &'static CStr)> {
    let found = TEXTS.iter().find(|(number, ..)| *number == code.0);
    found
        .filter(|(_, since, ..)| *since <= super::MAJOR)
        .map(|(_, _, name, text)| (*name, *text))
}

/// The sentence for a code.
pub(crate) unsafe fn cudaGetErrorString(code: cudaError_t) -> *const c_char {
    // The one sentence that was changed.
    const NORM_SETTING: cudaError_t = cudaError_t::cudaErrorInvalidNormSetting;
    let old = c"read as normalized float not supported for 32-bit non float type";
    match code {
        NORM_SETTING if super::MAJOR < 12 => old.as_ptr(),
        code => known(code).map_or(UNKNOWN, |(_, text)| text).as_ptr(),
    }
}

/// The C name of a code.
pub(crate) unsafe fn cudaGetErrorName(code: cudaError_t) -> *const c_char {
    known(code).map_or(UNKNOWN, |(name, _)| name).as_ptr()
}

/// The version of the driver, 0 when there is none: that is no error.
pub(crate) unsafe fn cudaDriverGetVersion(place: *mut c_int) -> cudaError_t {
    let version = loaded::driver().map_or(0, |loaded| loaded.version);
    // Asking for the version initialises the driver; how that ends is not what was asked.
    drop(Call::enter(Mode::Legacy));
    // SAFETY: the caller's place.
    kept(unsafe { put(place, c_int::try_from(version).unwrap_or_default()) })
}

/// The version of this library; that of CUDA 11 asks for a driver first.
pub(crate) unsafe fn cudaRuntimeGetVersion(place: *mut c_int) -> cudaError_t {
    if super::MAJOR < 12
        && let Err(code) = enter()
    {
        return code;
    }
    // SAFETY: the caller's place.
    kept(unsafe {
        put(
            place,
            c_int::try_from(super::own::CUDART_VERSION).unwrap_or_default(),
        )
    })
}

fn kept(answer: Answer) -> cudaError_t {
    match answer {
        Ok(()) => cudaError_t::cudaSuccess,
        Err(code) => {
            keep(code);
            code
        }
    }
}
