//! What C callers hand in, made safe to hold.
//!
//! An exported function turns each of its pointers into [`Out`] or [`In`] at its border, under the one promise that
//! every C caller of CUDA makes: a pointer is null, or good for what the function is documented to do with it.

use core::ffi::{CStr, c_char, c_void};

use cuda_sys::driver::*;

use crate::model::code::{Code, Outcome};

/// A pointer to something that may be written. Null answers "invalid value".
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

/// A pointer to something that may be read. Null answers "invalid value".
#[derive(Debug)]
pub(crate) struct In<T>(*const T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T> Out<T> {
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The address itself: for handles, and for memory that is only talked about.
    pub(crate) fn address(self) -> usize {
        self.0.expose_provenance()
    }

    pub(crate) fn put(self, value: T) -> Outcome {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: not null, so the caller promises room for one value.
        unsafe { self.0.write_unaligned(value) };
        Ok(())
    }

    /// Writes where there is somewhere to write.
    pub(crate) fn put_if_wanted(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: not null, so the caller promises room for one value.
            unsafe { self.0.write_unaligned(value) };
        }
    }

    /// Writes the n-th of several values.
    pub(crate) fn put_at(self, index: usize, value: T) -> Outcome {
        Self(self.0.wrapping_add(index)).put(value)
    }

    pub(crate) fn cast<U>(self) -> Out<U> {
        Out(self.0.cast())
    }

    pub(crate) fn input(self) -> In<T> {
        In(self.0)
    }

    /// Fails where it is null, before anything is done.
    pub(crate) fn wanted(self) -> Outcome<Self> {
        if self.0.is_null() {
            Err(Code::INVALID_VALUE)
        } else {
            Ok(self)
        }
    }
}

impl Out<c_char> {
    /// Writes a string with its end, cut to `room` bytes.
    pub(crate) fn put_text(self, text: &str, room: i32) -> Outcome {
        let room = usize::try_from(room)
            .ok()
            .filter(|&room| room > 0)
            .ok_or(Code::INVALID_VALUE)?;
        for (index, byte) in text.bytes().take(room - 1).chain([0]).enumerate() {
            self.put_at(index, byte.cast_signed())?;
        }
        Ok(())
    }
}

impl<T> In<T> {
    pub(crate) fn address(self) -> usize {
        self.0.expose_provenance()
    }

    pub(crate) fn cast<U>(self) -> In<U> {
        In(self.0.cast())
    }
}

impl<T: Copy> In<T> {
    pub(crate) fn get(self) -> Outcome<T> {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: not null, so the caller promises one readable value.
        Ok(unsafe { self.0.read_unaligned() })
    }

    pub(crate) fn get_at(self, index: usize) -> Outcome<T> {
        if self.0.is_null() {
            Err(Code::INVALID_VALUE)
        } else {
            Self(self.0.wrapping_add(index)).get()
        }
    }

    /// The first `count` values.
    pub(crate) fn list(self, count: usize) -> Outcome<Vec<T>> {
        (0..count).map(|index| self.get_at(index)).collect()
    }
}

impl In<c_char> {
    pub(crate) fn text(self) -> Outcome<String> {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: not null, so the caller promises a string with an end.
        let text = unsafe { CStr::from_ptr(self.0) };
        Ok(text.to_string_lossy().into_owned())
    }
}

impl In<c_void> {
    /// The bytes up to a zero, for images that are text.
    pub(crate) fn zero_ended(self) -> Outcome<Vec<u8>> {
        self.cast::<c_char>().text().map(String::into_bytes)
    }
}

/// How a C argument is held inside.
pub(crate) trait FromC {
    type Held;

    /// # Safety
    ///
    /// `value` comes from a C caller who keeps the contract of the function that was called.
    unsafe fn from_c(value: Self) -> Self::Held;
}

impl<T> FromC for *mut T {
    type Held = Out<T>;

    unsafe fn from_c(value: Self) -> Out<T> {
        Out(value)
    }
}

impl<T> FromC for *const T {
    type Held = In<T>;

    unsafe fn from_c(value: Self) -> In<T> {
        In(value)
    }
}

/// Numbers, and structures that are passed by value.
macro_rules! plain {
    ($($kind:ty),* $(,)?) => {
        $(impl FromC for $kind {
            type Held = Self;

            unsafe fn from_c(value: Self) -> Self {
                value
            }
        })*
    };
}

plain!(
    u8,
    u16,
    u32,
    i32,
    u64,
    usize,
    CUresult,
    CUdevice_attribute,
    CUdevice_P2PAttribute,
    CUlimit,
    CUfunc_cache,
    CUsharedconfig,
    CUpointer_attribute,
    CUmemPool_attribute,
    CUmemAllocationGranularity_flags,
    CUmemAllocationHandleType,
    CUstreamCaptureMode,
    CUgraphNodeType,
    CUhostFn,
    CUstreamCallback,
    CUuuid,
    CUmem_advise,
    CUipcMemHandle,
    CUfunction_attribute,
    CUmemAllocationType,
    CUmem_range_attribute,
    CUstreamAttrID,
    CUexecAffinityType,
    CUmemLocation,
    CUipcEventHandle,
);

/// The address in a C integer; the two are the same size on every machine that CUDA runs on.
#[expect(
    clippy::cast_possible_truncation,
    reason = "64-bit only: checked below"
)]
pub(crate) const fn address(number: u64) -> usize {
    number as usize
}

const _: () = assert!(size_of::<usize>() == size_of::<u64>());

/// A handle of ours as a C pointer.
pub(crate) const fn handle<T>(number: usize) -> *mut T {
    core::ptr::without_provenance_mut(number)
}
