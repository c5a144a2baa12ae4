//! Arrays: memory in a layout that only CUDA knows, reached by copies alone.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::runtime::{cudaArray_t, cudaChannelFormatDesc, cudaChannelFormatKind, cudaExtent};

use crate::copy::raw::copy_3d;
use crate::copy::{Copy3d, Side};
use crate::device::Device;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::{Bytes, Pitch};

/// A raw array handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawArray(pub cudaArray_t);

/// What the channels of an array's elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Floating point, 16 bits.
    F16,
    /// Floating point, 32 bits.
    F32,
}

impl Format {
    /// The size of a channel.
    #[must_use]
    pub const fn size(self) -> Bytes {
        match self {
            Self::U8 | Self::I8 => Bytes(1),
            Self::U16 | Self::I16 | Self::F16 => Bytes(2),
            Self::U32 | Self::I32 | Self::F32 => Bytes(4),
        }
    }

    fn kind(self) -> cudaChannelFormatKind {
        match self {
            Self::U8 | Self::U16 | Self::U32 => {
                cudaChannelFormatKind::cudaChannelFormatKindUnsigned
            }
            Self::I8 | Self::I16 | Self::I32 => cudaChannelFormatKind::cudaChannelFormatKindSigned,
            Self::F16 | Self::F32 => cudaChannelFormatKind::cudaChannelFormatKindFloat,
        }
    }

    const fn bits(self) -> i32 {
        match self {
            Self::U8 | Self::I8 => 8,
            Self::U16 | Self::I16 | Self::F16 => 16,
            Self::U32 | Self::I32 | Self::F32 => 32,
        }
    }
}

/// The shape of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shape {
    /// Elements in a row.
    pub width: usize,
    /// Rows; 0 for one dimension.
    pub height: usize,
    /// Planes; 0 for two dimensions.
    pub depth: usize,
    /// What a channel is.
    pub format: Format,
    /// Channels of an element: 1, 2 or 4.
    pub channels: u32,
    /// The `cudaArray*` bits.
    pub flags: u32,
}

impl Shape {
    /// A row.
    #[must_use]
    pub const fn row(width: usize, format: Format, channels: u32) -> Self {
        Self {
            width,
            height: 0,
            depth: 0,
            format,
            channels,
            flags: 0,
        }
    }

    /// A plane.
    #[must_use]
    pub const fn plane(width: usize, height: usize, format: Format, channels: u32) -> Self {
        Self {
            width,
            height,
            depth: 0,
            format,
            channels,
            flags: 0,
        }
    }

    /// A volume.
    #[must_use]
    pub const fn volume(
        width: usize,
        height: usize,
        depth: usize,
        format: Format,
        channels: u32,
    ) -> Self {
        Self {
            width,
            height,
            depth,
            format,
            channels,
            flags: 0,
        }
    }

    /// The same with these bits of C.
    #[must_use]
    pub const fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// The size of an element.
    #[must_use]
    pub const fn element(&self) -> Bytes {
        Bytes(self.format.size().0.saturating_mul(self.channels as usize))
    }

    /// The number of elements, where it can be counted.
    #[must_use]
    pub fn elements(&self) -> Option<usize> {
        self.width
            .checked_mul(self.height.max(1))?
            .checked_mul(self.depth.max(1))
    }
}

/// An array.
///
/// Runtime API: `cudaMalloc3DArray`, and `cudaFreeArray` on drop.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::array::{Array, Format, Shape};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let mut array = Array::new(&device, Shape::plane(3, 2, Format::F32, 1))?;
/// array.upload(&[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// let mut back = [0.0_f32; 6];
/// array.download(&mut back)?;
/// assert_eq!(back[5], 6.0);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
#[doc(alias = "cudaMalloc3DArray")]
pub struct Array {
    device: Device,
    raw: cudaArray_t,
    shape: Shape,
}

// SAFETY: an array may be used from every thread.
unsafe impl Send for Array {}
// SAFETY: as above; sharing it only lets it be read.
unsafe impl Sync for Array {}

impl Array {
    /// Creates an array.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a shape that there cannot be.
    #[doc(alias = "cudaMalloc3DArray")]
    #[doc(alias = "cudaMallocArray")]
    pub fn new(device: &Device, shape: Shape) -> Result<Self> {
        let api = device.api();
        let bits = |channel: u32| {
            if channel < shape.channels {
                shape.format.bits()
            } else {
                0
            }
        };
        let description = cudaChannelFormatDesc {
            x: bits(0),
            y: bits(1),
            z: bits(2),
            w: bits(3),
            f: shape.format.kind(),
        };
        let extent = cudaExtent {
            width: shape.width,
            height: shape.height,
            depth: shape.depth,
        };
        let mut raw = ptr::null_mut();
        let entered = device.enter()?;
        // SAFETY: a live out parameter and a live description.
        let status = unsafe {
            api.cudaMalloc3DArray(&raw mut raw, &raw const description, extent, shape.flags)
        };
        drop(entered);
        check!(
            api,
            cudaMalloc3DArray,
            status,
            width = shape.width,
            height = shape.height,
            depth = shape.depth,
            bits = shape.format.bits(),
            channels = shape.channels
        )?;
        Ok(Self {
            device: *device,
            raw,
            shape,
        })
    }

    /// Owns an array that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live array of that shape in `device` and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: RawArray, shape: Shape) -> Self {
        Self {
            device: *device,
            raw: raw.0,
            shape,
        }
    }

    /// Gives the array away: the caller destroys it.
    #[must_use = "nobody else destroys the array"]
    pub fn into_raw(self) -> RawArray {
        let this = ManuallyDrop::new(self);
        RawArray(this.raw)
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> RawArray {
        RawArray(self.raw)
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Where it was created.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The array as one side of a raw copy.
    #[must_use]
    pub fn side(&self) -> Side {
        Side::array(self.as_raw(), self.shape.element())
    }

    /// Copies all elements from the host, rows side by side, and waits.
    ///
    /// Runtime API: `cudaMemcpy3D`.
    ///
    /// # Errors
    ///
    /// [`Misuse`] where number or size of the elements differ, and what CUDA answers.
    #[doc(alias = "cudaMemcpy3D")]
    pub fn upload<T: NoUninit>(&mut self, elements: &[T]) -> Result<()> {
        let host = self.host_side::<T>(elements.as_ptr(), elements.len())?;
        self.run(&self.whole(self.side(), host))
    }

    /// Copies all elements to the host, rows side by side, and waits.
    ///
    /// Runtime API: `cudaMemcpy3D`.
    ///
    /// # Errors
    ///
    /// [`Misuse`] where number or size of the elements differ, and what CUDA answers.
    #[doc(alias = "cudaMemcpy3D")]
    pub fn download<T: AnyBitPattern>(&self, elements: &mut [T]) -> Result<()> {
        let host = self.host_side::<T>(elements.as_mut_ptr().cast_const(), elements.len())?;
        self.run(&self.whole(host, self.side()))
    }

    /// The host's side of a copy of the whole array.
    fn host_side<T>(&self, elements: *const T, len: usize) -> Result<Side> {
        let (destination, element) = (
            self.shape.elements().unwrap_or(usize::MAX),
            self.shape.element(),
        );
        if size_of::<T>() != element.0 {
            let misused = Misuse::Misaligned {
                address: size_of::<T>() as u64,
                alignment: element.0,
            };
            return Err(misuse("cudaMemcpy3D", misused));
        }
        if len != destination {
            return Err(misuse(
                "cudaMemcpy3D",
                Misuse::LengthsDiffer {
                    destination,
                    source_: len,
                },
            ));
        }
        let pitch = Pitch::packed::<T>(self.shape.width)?;
        Ok(Side::host(elements, pitch).planes_of(self.shape.height.max(1)))
    }

    fn whole(&self, destination: Side, source: Side) -> Copy3d {
        Copy3d {
            destination,
            source,
            width: Bytes(self.shape.width.wrapping_mul(self.shape.element().0)),
            height: self.shape.height.max(1),
            depth: self.shape.depth.max(1),
        }
    }

    fn run(&self, copy: &Copy3d) -> Result<()> {
        let entered = self.device.enter()?;
        // SAFETY: the array is alive, the host's rows lie in the borrowed slice, and the call waits.
        let result = unsafe { copy_3d(copy) };
        drop(entered);
        result
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        let api = self.device.api();
        report_drop(self.device.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cudaFreeArray(self.raw) };
            drop(entered);
            check!(api, cudaFreeArray, status, array = self.raw)
        }));
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array")
            .field("raw", &self.raw)
            .field("shape", &self.shape)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_counts_its_elements() {
        assert_eq!(Shape::row(7, Format::F32, 4).elements(), Some(7));
        assert_eq!(Shape::volume(7, 3, 2, Format::U8, 1).elements(), Some(42));
        assert_eq!(Shape::plane(usize::MAX, 2, Format::U8, 1).elements(), None);
        assert_eq!(Shape::row(7, Format::F16, 4).element(), Bytes(8));
    }
}
