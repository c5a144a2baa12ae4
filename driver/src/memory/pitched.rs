use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::Location;

use super::observe::{self, Event, Kind, Rows};
use super::{Bytes, Pitch, raw};
use crate::context::Context;
use crate::error::{Result, report_drop};
use crate::pointer::Address;

/// Device memory in rows, at a pitch that CUDA chose.
///
/// Driver API: `cuMemAllocPitch_v2`, and `cuMemFree_v2` on drop. It is not one run of elements: between
/// rows lie bytes that belong to nobody, so only [`copy::Copy2d`](crate::copy::Copy2d) takes it.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::copy;
/// use cuwhy_driver::memory::{PitchedBuffer, Pitch};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let mut rows = PitchedBuffer::<u8>::new(&context, 3, 2)?;
/// copy::upload_2d(&mut rows, &[1, 2, 3, 4, 5, 6], Pitch::packed::<u8>(3)?)?;
/// let mut first = [0; 6];
/// copy::download_2d(&mut first, Pitch(3), &rows)?;
/// assert_eq!(first, [1, 2, 3, 4, 5, 6]);
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
#[doc(alias = "cuMemAllocPitch")]
pub struct PitchedBuffer<T> {
    context: Context,
    address: Address,
    width: usize,
    height: usize,
    pitch: Pitch,
    location: &'static Location<'static>,
    marker: PhantomData<T>,
}

impl<T: Copy> PitchedBuffer<T> {
    /// Allocates `height` rows of `width` elements.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemAllocPitch")]
    #[track_caller]
    pub fn new(context: &Context, width: usize, height: usize) -> Result<Self> {
        let location = Location::caller();
        let row = Bytes::of::<T>(width)?;
        let (mut address, mut pitch) = (Address::NULL, Pitch(row.0));
        if row.0 > 0 && height > 0 {
            let entered = context.enter()?;
            (address, pitch) = raw::allocate_pitched_unobserved(row, height, access::<T>())?;
            drop(entered);
        }
        let context = context.clone();
        let buffer = Self {
            context,
            address,
            width,
            height,
            pitch,
            location,
            marker: PhantomData,
        };
        if buffer.size().0 > 0 {
            observe::began(|| buffer.event());
        }
        Ok(buffer)
    }
}

/// The largest access to elements of this type that CUDA knows of: 4, 8 or 16 bytes.
fn access<T>() -> Bytes {
    Bytes(match size_of::<T>() {
        16 => 16,
        8 => 8,
        _ => 4,
    })
}

impl<T> PitchedBuffer<T> {
    /// Owns rows that something else allocated.
    ///
    /// # Safety
    ///
    /// `address` was returned by an allocation in `context` of at least `height` rows of `width` elements at
    /// that pitch which `cuMemFree` frees, nobody else frees it, and no Rust reference points there; or
    /// there are no elements.
    #[track_caller]
    #[must_use]
    pub unsafe fn from_raw_parts(
        context: &Context,
        address: Address,
        pitch: Pitch,
        width: usize,
        height: usize,
    ) -> Self {
        let location = Location::caller();
        let context = context.clone();
        Self {
            context,
            address,
            width,
            height,
            pitch,
            location,
            marker: PhantomData,
        }
    }

    /// Where it was allocated.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The first byte of the first row.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Elements in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The distance from one row to the next.
    #[must_use]
    pub fn pitch(&self) -> Pitch {
        self.pitch
    }

    /// The size of all rows with what lies between them.
    #[must_use]
    pub fn size(&self) -> Bytes {
        Bytes(self.pitch.0.wrapping_mul(self.height))
    }

    /// Gives the memory away: the caller frees it.
    #[must_use = "nobody else frees the memory"]
    pub fn into_raw(self) -> (Address, Pitch) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut this.context) };
        (this.address, this.pitch)
    }

    /// Frees now, and says what a drop could only report to the hook.
    ///
    /// # Errors
    ///
    /// What CUDA answers; the memory is then lost.
    pub fn free(self) -> Result<()> {
        let mut this = ManuallyDrop::new(self);
        let result = this.release();
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut this.context) };
        result
    }

    fn release(&mut self) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = self.context.enter()?;
        let result = observe::end(
            || self.event(),
            // SAFETY: allocated once, freed once.
            || unsafe { raw::free_unobserved(self.address) },
        );
        drop(entered);
        result
    }

    fn event(&self) -> Event {
        Event {
            kind: Kind::Pitched,
            address: self.address,
            size: self.size(),
            device: Some(self.context.device().ordinal()),
            context: Some(self.context.id_for_observers()),
            stream: None,
            rows: Some(Rows {
                pitch: self.pitch,
                width: Bytes(self.width.wrapping_mul(size_of::<T>())),
                height: self.height,
            }),
            location: Some(self.location),
        }
    }
}

impl<T> Drop for PitchedBuffer<T> {
    fn drop(&mut self) {
        report_drop(self.release());
    }
}

impl<T> fmt::Debug for PitchedBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PitchedBuffer")
            .field("address", &self.address)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("pitch", &self.pitch)
            .finish()
    }
}
