//! A place that is empty until something is put there, for good.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// Holds nothing, and then one thing that stays where it is until this is dropped.
///
/// `OnceLock<Box<T>>` is the same, but has a moment in which others wait: a fork in that moment
/// would leave them waiting in the child for ever.
///
/// All bytes zero are an empty one.
#[repr(transparent)]
pub(super) struct Grown<T>(AtomicPtr<T>);

/// What is empty when all its bytes are zero: it comes from the system so, and the pages of a large
/// one that nobody touches cost nothing.
///
/// # Safety
///
/// All bytes zero must be a valid value.
pub(super) unsafe trait Zeroed: Sized {
    /// An empty one.
    fn zeroed() -> Box<Self> {
        const { assert!(size_of::<Self>() != 0) };
        let layout = Layout::new::<Self>();
        // SAFETY: the layout has a size.
        let place = unsafe { alloc_zeroed(layout) }.cast::<Self>();
        if place.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: it was allocated with the layout of the type, and its bytes are a value.
        unsafe { Box::from_raw(place) }
    }
}

impl<T> Grown<T> {
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// What is there.
    #[inline]
    pub(super) fn get(&self) -> Option<&T> {
        let there = NonNull::new(self.0.load(Ordering::Acquire))?;
        // SAFETY: it came from a `Box` in `grow`, was whole before it was stored with `Release`,
        // is only ever shared, and is given back by `drop` alone, which has no other user.
        Some(unsafe { there.as_ref() })
    }

    /// What is there, after putting it there if nothing was.
    pub(super) fn grow(&self, make: impl FnOnce() -> Box<T>) -> &T {
        if let Some(there) = self.get() {
            return there;
        }
        let made = Box::into_raw(make());
        let won =
            self.0
                .compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
        let there = match won {
            Ok(_) => made,
            Err(other) => {
                // SAFETY: it was made above and nobody has seen it.
                drop(unsafe { Box::from_raw(made) });
                other
            }
        };
        // SAFETY: either one is in the place now, as for `get`, and is not null.
        unsafe { &*there }
    }
}

impl<T> Default for Grown<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Grown<T> {
    fn drop(&mut self) {
        let there = *self.0.get_mut();
        if !there.is_null() {
            // SAFETY: it came from a `Box`, and nobody can look any more.
            drop(unsafe { Box::from_raw(there) });
        }
    }
}

// SAFETY: `grow` and `get` share the thing among threads, and `drop` may give it back on another one.
unsafe impl<T: Send + Sync> Sync for Grown<T> {}
// SAFETY: whoever has the place has the thing.
unsafe impl<T: Send + Sync> Send for Grown<T> {}

impl<T> fmt::Debug for Grown<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.get().is_some() {
            "grown"
        } else {
            "empty"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Grown, Zeroed};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn all_bytes_zero_are_an_empty_one() {
        struct Many([Grown<u32>; 1000]);
        // SAFETY: it has nothing but places, which are empty then.
        unsafe impl Zeroed for Many {}
        let many = Many::zeroed();
        assert!(many.0.iter().all(|place| place.get().is_none()));
        assert_eq!(*many.0[999].grow(|| Box::new(5)), 5);
        assert_eq!(many.0[999].get(), Some(&5));
    }

    #[test]
    fn all_who_grow_it_at_once_get_the_same_thing() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Counted;
        impl Drop for Counted {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        let made = AtomicUsize::new(0);
        let place = Grown::new();
        assert!(place.get().is_none());
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let one = place.grow(|| {
                            made.fetch_add(1, Ordering::Relaxed);
                            Box::new(Counted)
                        });
                        std::ptr::from_ref(one).addr()
                    })
                })
                .collect();
            let seen: Vec<_> = all.into_iter().map(|one| one.join().ok()).collect();
            assert!(seen.iter().all(|one| one.is_some() && *one == seen[0]));
        });
        drop(place);
        assert_eq!(
            DROPPED.load(Ordering::Relaxed),
            made.load(Ordering::Relaxed)
        );
    }
}
