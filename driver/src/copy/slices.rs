use bytemuck::{AnyBitPattern, NoUninit, Zeroable};

use super::{Direction, raw};
use crate::error::{Misuse, Result, misuse};
use crate::memory::{Bytes, DeviceMemory};
use crate::pointer::Address;

/// Refuses operands of different lengths.
pub(super) fn same_length(call: &'static str, destination: usize, source: usize) -> Result<()> {
    if destination == source {
        Ok(())
    } else {
        Err(misuse(
            call,
            Misuse::LengthsDiffer {
                destination,
                source_: source,
            },
        ))
    }
}

/// Copies host memory to device memory, and waits until the host memory may be changed.
///
/// From pageable memory CUDA returns when it has read everything, and the last bytes may still be on their
/// way: later work on the legacy stream and on blocking streams comes after them, other streams must be
/// made to wait.
///
/// Driver API: `cuMemcpyHtoD_v2`. The elements have no padding (`NoUninit`), so no uninitialised byte is
/// ever read. Nothing is asked where there is nothing to copy.
///
/// # Errors
///
/// [`Misuse::LengthsDiffer`], and what CUDA answers.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// # use cuwhy_driver::{copy, device::Device, memory::DeviceBuffer};
/// let context = Device::new(0)?.context()?;
/// let mut buffer = DeviceBuffer::<u16>::new(&context, 4)?;
/// copy::upload(&mut buffer, &[1, 2, 3, 4])?;
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
///
/// What has padding, or owns something, cannot be uploaded by accident:
///
/// ```compile_fail
/// # use cuwhy_driver::{copy, device::Device, memory::DeviceBuffer};
/// # let context = Device::new(0)?.context()?;
/// let mut buffer = DeviceBuffer::<(u8, u32)>::new(&context, 1)?;
/// copy::upload(&mut buffer, &[(1, 2)])?;
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
#[doc(alias = "cuMemcpyHtoD")]
pub fn upload<T: NoUninit>(
    destination: &mut impl DeviceMemory<Element = T>,
    source: &[T],
) -> Result<()> {
    same_length("cuMemcpyHtoD_v2", destination.len(), source.len())?;
    if size_of_val(source) == 0 {
        return Ok(());
    }
    let entered = destination.context().enter()?;
    let (to, from) = (destination.address(), Address::from(source.as_ptr()));
    let size = Bytes(size_of_val(source));
    // SAFETY: both ranges are borrowed for the call, which waits for host memory.
    let result = unsafe { raw::copy(to, from, size, Direction::HostToDevice) };
    drop(entered);
    result
}

/// Copies device memory to host memory and waits.
///
/// Driver API: `cuMemcpyDtoH_v2`. Every pattern of bits is a value of the element (`AnyBitPattern`), so
/// whatever lies in device memory may be read.
///
/// # Errors
///
/// [`Misuse::LengthsDiffer`], and what CUDA answers.
#[doc(alias = "cuMemcpyDtoH")]
pub fn download<T: AnyBitPattern>(
    destination: &mut [T],
    source: &impl DeviceMemory<Element = T>,
) -> Result<()> {
    same_length("cuMemcpyDtoH_v2", destination.len(), source.len())?;
    if size_of_val(destination) == 0 {
        return Ok(());
    }
    let entered = source.context().enter()?;
    let size = Bytes(size_of_val(destination));
    let (to, from) = (Address::from(destination.as_mut_ptr()), source.address());
    // SAFETY: both ranges are borrowed for the call, which waits; all bits are values.
    let result = unsafe { raw::copy(to, from, size, Direction::DeviceToHost) };
    drop(entered);
    result
}

/// Copies device memory to a new vector.
///
/// # Errors
///
/// As [`download`], and [`Misuse::TooLarge`] where the host has no room for it.
pub fn to_vec<T: AnyBitPattern>(source: &impl DeviceMemory<Element = T>) -> Result<Vec<T>> {
    let mut elements = zeroes(source.len())?;
    download(&mut elements, source)?;
    Ok(elements)
}

/// So many zeroes, or an error where the host has no room for them: device memory may be the larger one.
pub(crate) fn zeroes<T: Zeroable + Clone>(len: usize) -> Result<Vec<T>> {
    let mut elements = Vec::new();
    elements.try_reserve_exact(len).map_err(|_| {
        let element = size_of::<T>();
        misuse("to_vec", Misuse::TooLarge { len, element })
    })?;
    elements.resize(len, T::zeroed());
    Ok(elements)
}

/// Copies device memory to device memory, of the same context or another.
///
/// Driver API: `cuMemcpyDtoD_v2`, or `cuMemcpyPeer` between contexts. It is not synchronous: later work on
/// the legacy stream and on blocking streams comes after it.
///
/// # Errors
///
/// [`Misuse::LengthsDiffer`], and what CUDA answers.
#[doc(alias = "cuMemcpyDtoD")]
#[doc(alias = "cuMemcpyPeer")]
pub fn device_to_device<T: Copy>(
    destination: &mut impl DeviceMemory<Element = T>,
    source: &impl DeviceMemory<Element = T>,
) -> Result<()> {
    same_length("cuMemcpyDtoD_v2", destination.len(), source.len())?;
    let size = source.size();
    if size.0 == 0 {
        return Ok(());
    }
    let (to, from) = (destination.address(), source.address());
    let (there, here) = (destination.context(), source.context());
    let entered = there.enter()?;
    let result = if there == here {
        // SAFETY: both ranges are allocated as long as they are borrowed, and freeing waits.
        unsafe { raw::copy(to, from, size, Direction::DeviceToDevice) }
    } else {
        // SAFETY: as above.
        unsafe { raw::peer(to, there, from, here, size) }
    };
    drop(entered);
    result
}
