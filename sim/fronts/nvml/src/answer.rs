//! Return codes, initialisation and the ways to hand values out.

use core::ffi::{c_char, c_uint};
use core::sync::atomic::{AtomicU32, Ordering};

use crate::driver::{self, SimDevice};

/// A code of NVML. It stays a number: this is its side of the C boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Code(pub(crate) c_uint);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const UNINITIALIZED: Self = Self(1);
    pub(crate) const INVALID_ARGUMENT: Self = Self(2);
    pub(crate) const NOT_SUPPORTED: Self = Self(3);
    pub(crate) const NOT_FOUND: Self = Self(6);
    pub(crate) const INSUFFICIENT_SIZE: Self = Self(7);
    pub(crate) const DRIVER_NOT_LOADED: Self = Self(9);
    pub(crate) const ARGUMENT_VERSION_MISMATCH: Self = Self(25);
}

/// How a call went.
pub(crate) type Answer = Result<(), Code>;

/// A device's handle: one more than its index, so that none is null.
pub(crate) type Handle = *mut core::ffi::c_void;

/// How often the library was initialised and not shut down.
static USERS: AtomicU32 = AtomicU32::new(0);

/// Counts one more user, if there is a driver.
pub(crate) fn begin() -> Answer {
    driver::devices().ok_or(Code::DRIVER_NOT_LOADED)?;
    USERS.fetch_add(1, Ordering::AcqRel);
    Ok(())
}

/// Counts one less.
pub(crate) fn end() -> Answer {
    let less = USERS.fetch_update(Ordering::AcqRel, Ordering::Acquire, |users| {
        users.checked_sub(1)
    });
    less.map(|_| ()).map_err(|_| Code::UNINITIALIZED)
}

/// Whether anybody uses the library.
pub(crate) fn ready() -> Answer {
    if USERS.load(Ordering::Acquire) > 0 {
        Ok(())
    } else {
        Err(Code::UNINITIALIZED)
    }
}

/// All devices.
pub(crate) fn all() -> Result<Vec<SimDevice>, Code> {
    ready()?;
    driver::devices().ok_or(Code::DRIVER_NOT_LOADED)
}

/// The handle of the device with this index.
pub(crate) fn handle(index: usize) -> Handle {
    core::ptr::without_provenance_mut(index + 1)
}

/// The device of a handle, with its index.
pub(crate) fn device(handle: Handle) -> Result<(usize, SimDevice), Code> {
    let devices = all()?;
    let index = handle.addr().checked_sub(1).ok_or(Code::INVALID_ARGUMENT)?;
    let device = devices.get(index).ok_or(Code::INVALID_ARGUMENT)?;
    Ok((index, *device))
}

/// The number of an answer.
pub(crate) fn code(answer: Answer) -> c_uint {
    match answer {
        Ok(()) => Code::SUCCESS.0,
        Err(code) => code.0,
    }
}

/// Writes a value where the caller wants it.
///
/// # Safety
///
/// `place` is null or the caller's, for a value of this type.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) -> Answer {
    if place.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    // SAFETY: the caller's place, and not null.
    unsafe { place.write_unaligned(value) };
    Ok(())
}

/// Reads what the caller points to.
///
/// # Safety
///
/// `place` is null or the caller's, with a value of this type.
pub(crate) unsafe fn get<T: Copy>(place: *const T) -> Result<T, Code> {
    if place.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    // SAFETY: the caller's place, and not null.
    Ok(unsafe { place.read_unaligned() })
}

/// Writes a text with its end where the caller wants it, if there is room for it.
///
/// # Safety
///
/// `place` is null or the caller's, for `room` bytes.
pub(crate) unsafe fn put_text(place: *mut c_char, room: c_uint, text: &[u8]) -> Answer {
    if place.is_null() {
        return Err(Code::INVALID_ARGUMENT);
    }
    let room = usize::try_from(room).unwrap_or_default();
    if text.len() >= room {
        return Err(Code::INSUFFICIENT_SIZE);
    }
    for (index, byte) in text.iter().chain([&0]).enumerate() {
        // SAFETY: the text and its end fit into the caller's room.
        unsafe { put(place.wrapping_add(index).cast::<u8>(), *byte) }?;
    }
    Ok(())
}

/// The bytes before the end of a C text in an array.
pub(crate) fn until_end(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}
