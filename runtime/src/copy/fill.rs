use bytemuck::NoUninit;

use super::raw;
use crate::error::Result;
use crate::memory::{Bytes, DeviceMemory, PitchedBuffer};

/// What memory is filled with: one of the three widths that CUDA has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// One byte.
    Bits8(u8),
    /// Two bytes; the address must be a multiple of two.
    Bits16(u16),
    /// Four bytes; the address must be a multiple of four.
    Bits32(u32),
}

impl Pattern {
    /// The size of one element.
    #[must_use]
    pub const fn size(self) -> Bytes {
        match self {
            Self::Bits8(_) => Bytes(1),
            Self::Bits16(_) => Bytes(2),
            Self::Bits32(_) => Bytes(4),
        }
    }

    /// The size of one element as graphs count it.
    pub(crate) const fn element(self) -> u32 {
        match self {
            Self::Bits8(_) => 1,
            Self::Bits16(_) => 2,
            Self::Bits32(_) => 4,
        }
    }

    /// The bits, in the low end.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits8(bits) => bits as u32,
            Self::Bits16(bits) => bits as u32,
            Self::Bits32(bits) => bits,
        }
    }
}

/// Elements that CUDA can fill memory with: numbers of 8, 16 and 32 bits.
///
/// Nobody else can implement it: an element wider than its type would reach beyond the range.
///
/// ```compile_fail,E0277
/// use cuwhy_runtime::copy::{Fill, Pattern};
///
/// #[derive(Clone, Copy)]
/// struct Small(u8);
///
/// // SAFETY: it is one byte, and all of it is its value.
/// unsafe impl bytemuck::NoUninit for Small {}
///
/// impl Fill for Small {
///     fn pattern(self) -> Pattern {
///         Pattern::Bits32(self.0.into())
///     }
/// }
/// ```
pub trait Fill: NoUninit + sealed::Sealed {
    /// The bits of the value.
    fn pattern(self) -> Pattern;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! fill {
    ($($t:ty => $width:ident($value:ident => $bits:expr)),* $(,)?) => { $(
        impl sealed::Sealed for $t {}

        impl Fill for $t {
            fn pattern(self) -> Pattern {
                let $value = self;
                Pattern::$width($bits)
            }
        }
    )* };
}
fill! {
    u8 => Bits8(value => value),
    i8 => Bits8(value => value.cast_unsigned()),
    u16 => Bits16(value => value),
    i16 => Bits16(value => value.cast_unsigned()),
    u32 => Bits32(value => value),
    i32 => Bits32(value => value.cast_unsigned()),
    f32 => Bits32(value => value.to_bits()),
}

/// Fills device memory with one value.
///
/// Runtime API: `cudaMemset`; `cuMemsetD16_v2` and `cuMemsetD32_v2` of the driver. It is not synchronous: later work on
/// the legacy stream and on blocking streams comes after it.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cudaMemset")]
#[doc(alias = "cuMemsetD16")]
#[doc(alias = "cuMemsetD32")]
pub fn fill<T: Fill>(destination: &mut impl DeviceMemory<Element = T>, value: T) -> Result<()> {
    if destination.is_empty() {
        return Ok(());
    }
    let entered = destination.device().enter()?;
    // SAFETY: the range is allocated and borrowed mutably.
    let result = unsafe { raw::fill(destination.address(), value.pattern(), destination.len()) };
    drop(entered);
    result
}

/// Fills device memory with zero bytes.
///
/// Runtime API: `cudaMemset`.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cudaMemset")]
pub fn zero(destination: &mut impl DeviceMemory) -> Result<()> {
    let size = destination.size();
    if size.0 == 0 {
        return Ok(());
    }
    let entered = destination.device().enter()?;
    // SAFETY: the range is allocated and borrowed mutably; what can be read of it takes any bits.
    let result = unsafe { raw::fill(destination.address(), Pattern::Bits8(0), size.0) };
    drop(entered);
    result
}

/// Fills the rows of a pitched buffer with zero bytes, and leaves what lies between them.
///
/// Runtime API: `cudaMemsetD2D8`.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cudaMemset2D")]
pub fn zero_2d<T: Copy>(destination: &mut PitchedBuffer<T>) -> Result<()> {
    let width = Bytes::of::<T>(destination.width())?;
    if destination.size().0 == 0 {
        return Ok(());
    }
    let (address, pitch) = (destination.address(), destination.pitch());
    let entered = destination.device().enter()?;
    // SAFETY: the rows are allocated and borrowed mutably.
    let result = unsafe {
        raw::fill_2d(
            address,
            pitch,
            Pattern::Bits8(0),
            width.0,
            destination.height(),
        )
    };
    drop(entered);
    result
}
