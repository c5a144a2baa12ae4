use core::fmt;
use core::marker::PhantomData;
use core::ops::{Bound, RangeBounds};
use std::sync::Arc;

use super::Bytes;
use crate::context::Context;
use crate::error::{Misuse, Result, misuse};
use crate::pointer::Address;

/// Device memory of elements of one type, owned or borrowed: what copies take.
///
/// # Safety
///
/// From `address` on, `len` elements are allocated in `context` as long as the value lives, and no
/// Rust reference points there.
pub unsafe trait DeviceMemory {
    /// The type of the elements.
    type Element;

    /// Where the memory was allocated.
    fn context(&self) -> &Context;

    /// The first byte.
    fn address(&self) -> Address;

    /// The number of elements.
    fn len(&self) -> usize;

    /// Whether there are no elements.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size. Never wraps: memory that is allocated has a size.
    fn size(&self) -> Bytes {
        Bytes(self.len().wrapping_mul(size_of::<Self::Element>()))
    }

    /// All of it, to read from.
    fn view(&self) -> DeviceSlice<'_, Self::Element> {
        DeviceSlice {
            context: self.context(),
            address: self.address(),
            len: self.len(),
            marker: PhantomData,
        }
    }

    /// All of it, to write to.
    fn view_mut(&mut self) -> DeviceSliceMut<'_, Self::Element> {
        DeviceSliceMut {
            address: self.address(),
            len: self.len(),
            context: self.context(),
            marker: PhantomData,
        }
    }

    /// The elements of a range, to read from.
    ///
    /// # Errors
    ///
    /// [`Misuse::OutOfRange`] where the range does not lie inside.
    fn slice(&self, range: impl RangeBounds<usize>) -> Result<DeviceSlice<'_, Self::Element>>
    where
        Self: Sized,
    {
        let (start, len) = resolve(range, self.len())?;
        let address = Address(
            self.address()
                .0
                .wrapping_add(offset::<Self::Element>(start)),
        );
        Ok(DeviceSlice {
            context: self.context(),
            address,
            len,
            marker: PhantomData,
        })
    }

    /// The elements of a range, to write to.
    ///
    /// # Errors
    ///
    /// [`Misuse::OutOfRange`] where the range does not lie inside.
    fn slice_mut(
        &mut self,
        range: impl RangeBounds<usize>,
    ) -> Result<DeviceSliceMut<'_, Self::Element>>
    where
        Self: Sized,
    {
        let (start, len) = resolve(range, self.len())?;
        let address = Address(
            self.address()
                .0
                .wrapping_add(offset::<Self::Element>(start)),
        );
        Ok(DeviceSliceMut {
            context: self.context(),
            address,
            len,
            marker: PhantomData,
        })
    }
}

/// The distance of an element that lies inside an allocation.
fn offset<T>(start: usize) -> u64 {
    start.wrapping_mul(size_of::<T>()) as u64
}

/// A range's first element and its length, checked against the number of elements.
pub(crate) fn resolve(range: impl RangeBounds<usize>, len: usize) -> Result<(usize, usize)> {
    let start = match range.start_bound() {
        Bound::Included(&start) => Some(start),
        Bound::Excluded(&before) => before.checked_add(1),
        Bound::Unbounded => Some(0),
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.checked_add(1),
        Bound::Excluded(&end) => Some(end),
        Bound::Unbounded => Some(len),
    };
    let (start, end) = (start.unwrap_or(usize::MAX), end.unwrap_or(usize::MAX));
    if start <= end && end <= len {
        Ok((start, end - start))
    } else {
        Err(misuse("slice", Misuse::OutOfRange { start, end, len }))
    }
}

/// Device memory that is borrowed to read from.
pub struct DeviceSlice<'a, T> {
    context: &'a Context,
    address: Address,
    len: usize,
    marker: PhantomData<&'a [T]>,
}

impl<'a, T> DeviceSlice<'a, T> {
    /// Borrows device memory that something else owns.
    ///
    /// # Safety
    ///
    /// From `address` on, `len` elements stay allocated in `context` for as long as `'a`, and no
    /// Rust reference points there.
    #[must_use]
    pub unsafe fn from_raw_parts(context: &'a Context, address: Address, len: usize) -> Self {
        Self {
            context,
            address,
            len,
            marker: PhantomData,
        }
    }
}

impl<'a, D: DeviceMemory> From<&'a D> for DeviceSlice<'a, D::Element> {
    fn from(memory: &'a D) -> Self {
        memory.view()
    }
}

impl<T> Clone for DeviceSlice<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DeviceSlice<'_, T> {}

// SAFETY: it was made from such memory, which it borrows.
unsafe impl<T> DeviceMemory for DeviceSlice<'_, T> {
    type Element = T;

    fn context(&self) -> &Context {
        self.context
    }

    fn address(&self) -> Address {
        self.address
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl<T> fmt::Debug for DeviceSlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSlice")
            .field("address", &self.address)
            .field("len", &self.len)
            .finish()
    }
}

/// Device memory that is borrowed to write to.
pub struct DeviceSliceMut<'a, T> {
    context: &'a Context,
    address: Address,
    len: usize,
    marker: PhantomData<&'a mut [T]>,
}

impl<'a, T> DeviceSliceMut<'a, T> {
    /// Borrows device memory that something else owns.
    ///
    /// # Safety
    ///
    /// From `address` on, `len` elements stay allocated in `context` for as long as `'a`, and no
    /// Rust reference points there.
    #[must_use]
    pub unsafe fn from_raw_parts(context: &'a Context, address: Address, len: usize) -> Self {
        Self {
            context,
            address,
            len,
            marker: PhantomData,
        }
    }

    /// Two parts that can be written to at once: before `middle`, and from it on.
    ///
    /// # Errors
    ///
    /// [`Misuse::OutOfRange`] where there are fewer elements than `middle`.
    pub fn split_at(self, middle: usize) -> Result<(Self, Self)> {
        let (start, len) = resolve(middle.., self.len)?;
        let Self {
            context, address, ..
        } = self;
        let behind = Address(address.0.wrapping_add(offset::<T>(start)));
        Ok((
            Self {
                context,
                address,
                len: start,
                marker: PhantomData,
            },
            Self {
                context,
                address: behind,
                len,
                marker: PhantomData,
            },
        ))
    }
}

// SAFETY: it was made from such memory, which it borrows.
unsafe impl<T> DeviceMemory for DeviceSliceMut<'_, T> {
    type Element = T;

    fn context(&self) -> &Context {
        self.context
    }

    fn address(&self) -> Address {
        self.address
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl<T> fmt::Debug for DeviceSliceMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSliceMut")
            .field("address", &self.address)
            .field("len", &self.len)
            .finish()
    }
}

// SAFETY: it is the memory that it shares, and keeps it alive.
unsafe impl<D: DeviceMemory + ?Sized> DeviceMemory for Arc<D> {
    type Element = D::Element;

    fn context(&self) -> &Context {
        (**self).context()
    }

    fn address(&self) -> Address {
        (**self).address()
    }

    fn len(&self) -> usize {
        (**self).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_resolved_or_refused() {
        assert_eq!(resolve(.., 4).expect("all"), (0, 4));
        assert_eq!(resolve(1..=2, 4).expect("inside"), (1, 2));
        assert_eq!(resolve(4.., 4).expect("nothing, at the end"), (4, 0));
        for bad in [resolve(5.., 4), resolve(0..5, 4), resolve(..=usize::MAX, 4)] {
            assert!(bad.unwrap_err().to_string().contains("of 4"));
        }
        #[expect(clippy::reversed_empty_ranges, reason = "such a range is the point")]
        let reversed = resolve(3..1, 4);
        assert!(reversed.is_err());
    }
}
