use core::ffi::c_void;
use core::fmt;
use core::ptr;

use crate::memory::Bytes;

/// An address that CUDA may know: of the device, or of the host.
///
/// A number and no more: having one is no permission to use what lies there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Address(pub u64);

impl Address {
    /// No address.
    pub const NULL: Self = Self(0);

    /// The address some bytes further on, or none past the end of all addresses.
    #[must_use]
    pub fn checked_add(self, bytes: Bytes) -> Option<Self> {
        self.0.checked_add(bytes.0 as u64).map(Self)
    }

    /// The address as C's `void *`, with whatever provenance was exposed.
    #[must_use]
    pub fn as_mut_ptr(self) -> *mut c_void {
        match usize::try_from(self.0) {
            Ok(address) => ptr::with_exposed_provenance_mut(address),
            Err(_) => ptr::null_mut(),
        }
    }

    /// The address as C's `const void *`, with whatever provenance was exposed.
    #[must_use]
    pub fn as_ptr(self) -> *const c_void {
        self.as_mut_ptr().cast_const()
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl<T> From<*const T> for Address {
    fn from(pointer: *const T) -> Self {
        Self(pointer.expose_provenance() as u64)
    }
}

impl<T> From<*mut T> for Address {
    fn from(pointer: *mut T) -> Self {
        Self(pointer.expose_provenance() as u64)
    }
}

impl From<Address> for crate::error::Value {
    fn from(address: Address) -> Self {
        Self::Address(address.0)
    }
}
