use core::fmt;

use crate::error::{Misuse, Result, misuse};

/// A number of bytes. Not a number of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub usize);

impl Bytes {
    /// The size of `len` elements.
    ///
    /// # Errors
    ///
    /// [`Misuse::TooLarge`] where that is more than a `usize` can count.
    #[inline]
    pub fn of<T>(len: usize) -> Result<Self> {
        match len.checked_mul(size_of::<T>()) {
            Some(bytes) => Ok(Self(bytes)),
            None => Err(misuse(
                "size",
                Misuse::TooLarge {
                    len,
                    element: size_of::<T>(),
                },
            )),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

impl From<Bytes> for crate::error::Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes.0)
    }
}

/// The distance from one row to the next, in bytes. Not in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pitch(pub usize);

impl Pitch {
    /// The pitch of rows of `width` elements that lie side by side.
    ///
    /// # Errors
    ///
    /// [`Misuse::TooLarge`] where that is more than a `usize` can count.
    pub fn packed<T>(width: usize) -> Result<Self> {
        Ok(Self(Bytes::of::<T>(width)?.0))
    }
}

impl fmt::Display for Pitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B per row", self.0)
    }
}

impl From<Pitch> for crate::error::Value {
    fn from(pitch: Pitch) -> Self {
        Self::Bytes(pitch.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_wraps_is_refused() {
        assert_eq!(Bytes::of::<u32>(10).expect("small"), Bytes(40));
        assert_eq!(Bytes::of::<()>(usize::MAX).expect("nothing"), Bytes(0));
        let error = Bytes::of::<u32>(usize::MAX / 2).unwrap_err();
        assert!(error.to_string().contains("address space"), "{error}");
    }
}
