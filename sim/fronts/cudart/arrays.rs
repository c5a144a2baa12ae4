//! CUDA arrays and their element formats.

use core::ffi::{c_int, c_uint};
use core::ptr;

use cuda_sys::driver::{CUDA_ARRAY3D_DESCRIPTOR, CUarray, CUarray_format, CUmipmappedArray};
use cuda_sys::runtime::{
    cudaArray_const_t, cudaArray_t, cudaChannelFormatDesc, cudaChannelFormatKind, cudaError_t,
    cudaExtent, cudaMipmappedArray_const_t, cudaMipmappedArray_t,
};

use super::entry::{Answer, Call, driver, get, put};

/// The driver's handle: the same address under another type.
pub(crate) fn handle(array: cudaArray_const_t) -> CUarray {
    array.cast_mut().cast()
}

fn mipmapped(array: cudaMipmappedArray_const_t) -> CUmipmappedArray {
    array.cast_mut().cast()
}

/// The driver's format and number of channels.
pub(crate) fn format(desc: cudaChannelFormatDesc) -> Result<(CUarray_format, c_uint), cudaError_t> {
    let bits = [desc.x, desc.y, desc.z, desc.w];
    let channels = bits.iter().take_while(|bits| **bits != 0).count();
    let uniform = bits[..channels].iter().all(|bits| *bits == desc.x)
        && bits[channels..].iter().all(|bits| *bits == 0);
    let format = match (desc.f, desc.x) {
        (cudaChannelFormatKind::cudaChannelFormatKindSigned, 8) => {
            CUarray_format::CU_AD_FORMAT_SIGNED_INT8
        }
        (cudaChannelFormatKind::cudaChannelFormatKindSigned, 16) => {
            CUarray_format::CU_AD_FORMAT_SIGNED_INT16
        }
        (cudaChannelFormatKind::cudaChannelFormatKindSigned, 32) => {
            CUarray_format::CU_AD_FORMAT_SIGNED_INT32
        }
        (cudaChannelFormatKind::cudaChannelFormatKindUnsigned, 8) => {
            CUarray_format::CU_AD_FORMAT_UNSIGNED_INT8
        }
        (cudaChannelFormatKind::cudaChannelFormatKindUnsigned, 16) => {
            CUarray_format::CU_AD_FORMAT_UNSIGNED_INT16
        }
        (cudaChannelFormatKind::cudaChannelFormatKindUnsigned, 32) => {
            CUarray_format::CU_AD_FORMAT_UNSIGNED_INT32
        }
        (cudaChannelFormatKind::cudaChannelFormatKindFloat, 16) => {
            CUarray_format::CU_AD_FORMAT_HALF
        }
        (cudaChannelFormatKind::cudaChannelFormatKindFloat, 32) => {
            CUarray_format::CU_AD_FORMAT_FLOAT
        }
        _ => return Err(cudaError_t::cudaErrorInvalidChannelDescriptor),
    };
    match (uniform, channels) {
        (true, 1) => Ok((format, 1)),
        (true, 2) => Ok((format, 2)),
        (true, 4) => Ok((format, 4)),
        _ => Err(cudaError_t::cudaErrorInvalidChannelDescriptor),
    }
}

/// The kind and the bits of one channel.
fn kind(format: CUarray_format) -> (cudaChannelFormatKind, c_int) {
    let (signed, unsigned, float) = (
        cudaChannelFormatKind::cudaChannelFormatKindSigned,
        cudaChannelFormatKind::cudaChannelFormatKindUnsigned,
        cudaChannelFormatKind::cudaChannelFormatKindFloat,
    );
    match format {
        CUarray_format::CU_AD_FORMAT_SIGNED_INT8 => (signed, 8),
        CUarray_format::CU_AD_FORMAT_SIGNED_INT16 => (signed, 16),
        CUarray_format::CU_AD_FORMAT_SIGNED_INT32 => (signed, 32),
        CUarray_format::CU_AD_FORMAT_UNSIGNED_INT8 => (unsigned, 8),
        CUarray_format::CU_AD_FORMAT_UNSIGNED_INT16 => (unsigned, 16),
        CUarray_format::CU_AD_FORMAT_UNSIGNED_INT32 => (unsigned, 32),
        CUarray_format::CU_AD_FORMAT_HALF => (float, 16),
        CUarray_format::CU_AD_FORMAT_FLOAT => (float, 32),
        _ => (cudaChannelFormatKind::cudaChannelFormatKindNone, 0),
    }
}

fn described(format: CUarray_format, channels: c_uint) -> cudaChannelFormatDesc {
    let (kind, bits) = kind(format);
    let of = |channel: c_uint| if channel < channels { bits } else { 0 };
    cudaChannelFormatDesc {
        x: of(0),
        y: of(1),
        z: of(2),
        w: of(3),
        f: kind,
    }
}

/// What the driver knows of an array.
pub(crate) fn descriptor(
    call: &Call,
    array: cudaArray_const_t,
) -> Result<CUDA_ARRAY3D_DESCRIPTOR, cudaError_t> {
    if array.is_null() {
        return Err(cudaError_t::cudaErrorInvalidResourceHandle);
    }
    let mut found = CUDA_ARRAY3D_DESCRIPTOR::default();
    driver!(call.cuArray3DGetDescriptor_v2(&raw mut found, handle(array)))?;
    Ok(found)
}

/// The bytes of one element.
pub(crate) fn element(descriptor: &CUDA_ARRAY3D_DESCRIPTOR) -> usize {
    let (_, bits) = kind(descriptor.Format);
    let bytes = usize::try_from(bits / 8).unwrap_or_default();
    bytes * usize::try_from(descriptor.NumChannels).unwrap_or_default()
}

/// The bytes of one row.
pub(crate) fn row(call: &Call, array: cudaArray_const_t) -> Result<usize, cudaError_t> {
    let found = descriptor(call, array)?;
    Ok(found.Width * element(&found))
}

pub(crate) unsafe fn cudaMallocArray(
    call: &Call,
    array: *mut cudaArray_t,
    desc: *const cudaChannelFormatDesc,
    width: usize,
    height: usize,
    flags: c_uint,
) -> Answer {
    // SAFETY: the caller's places.
    unsafe {
        create(
            call,
            array,
            desc,
            cudaExtent {
                width,
                height,
                depth: 0,
            },
            flags,
        )
    }
}

pub(crate) unsafe fn cudaMalloc3DArray(
    call: &Call,
    array: *mut cudaArray_t,
    desc: *const cudaChannelFormatDesc,
    extent: cudaExtent,
    flags: c_uint,
) -> Answer {
    // SAFETY: the caller's places.
    unsafe { create(call, array, desc, extent, flags) }
}

unsafe fn create(
    call: &Call,
    array: *mut cudaArray_t,
    desc: *const cudaChannelFormatDesc,
    extent: cudaExtent,
    flags: c_uint,
) -> Answer {
    call.ensure()?;
    // SAFETY: the caller's place.
    let wanted = wanted(unsafe { get(desc) }?, extent, flags)?;
    let mut made: CUarray = ptr::null_mut();
    driver!(call.cuArray3DCreate_v2(&raw mut made, &raw const wanted))?;
    // SAFETY: the caller's place.
    unsafe { put(array, made.cast()) }
}

/// What the driver is asked for; the flags have the same bits.
fn wanted(
    desc: cudaChannelFormatDesc,
    extent: cudaExtent,
    flags: c_uint,
) -> Result<CUDA_ARRAY3D_DESCRIPTOR, cudaError_t> {
    let (format, channels) = format(desc)?;
    Ok(CUDA_ARRAY3D_DESCRIPTOR {
        Width: extent.width,
        Height: extent.height,
        Depth: extent.depth,
        Format: format,
        NumChannels: channels,
        Flags: flags,
    })
}

pub(crate) unsafe fn cudaFreeArray(call: &Call, array: cudaArray_t) -> Answer {
    call.ensure()?;
    if array.is_null() {
        return Ok(());
    }
    driver!(call.cuArrayDestroy(handle(array)))
}

pub(crate) unsafe fn cudaArrayGetInfo(
    call: &Call,
    desc: *mut cudaChannelFormatDesc,
    extent: *mut cudaExtent,
    flags: *mut c_uint,
    array: cudaArray_t,
) -> Answer {
    call.ensure()?;
    let found = descriptor(call, array)?;
    if !desc.is_null() {
        // SAFETY: the caller's place.
        unsafe { put(desc, described(found.Format, found.NumChannels)) }?;
    }
    if !extent.is_null() {
        let size = cudaExtent {
            width: found.Width,
            height: found.Height,
            depth: found.Depth,
        };
        // SAFETY: the caller's place.
        unsafe { put(extent, size) }?;
    }
    if !flags.is_null() {
        // SAFETY: the caller's place.
        unsafe { put(flags, found.Flags) }?;
    }
    Ok(())
}

pub(crate) unsafe fn cudaGetChannelDesc(
    call: &Call,
    desc: *mut cudaChannelFormatDesc,
    array: cudaArray_const_t,
) -> Answer {
    call.ensure()?;
    let found = descriptor(call, array)?;
    // SAFETY: the caller's place.
    unsafe { put(desc, described(found.Format, found.NumChannels)) }
}

/// Puts a description together; asks nobody.
pub(crate) unsafe fn cudaCreateChannelDesc(
    x: c_int,
    y: c_int,
    z: c_int,
    w: c_int,
    f: cudaChannelFormatKind,
) -> cudaChannelFormatDesc {
    cudaChannelFormatDesc { x, y, z, w, f }
}

pub(crate) unsafe fn cudaMallocMipmappedArray(
    call: &Call,
    array: *mut cudaMipmappedArray_t,
    desc: *const cudaChannelFormatDesc,
    extent: cudaExtent,
    levels: c_uint,
    flags: c_uint,
) -> Answer {
    call.ensure()?;
    // SAFETY: the caller's place.
    let wanted = wanted(unsafe { get(desc) }?, extent, flags)?;
    let mut made: CUmipmappedArray = ptr::null_mut();
    driver!(call.cuMipmappedArrayCreate(&raw mut made, &raw const wanted, levels))?;
    // SAFETY: the caller's place.
    unsafe { put(array, made.cast()) }
}

pub(crate) unsafe fn cudaFreeMipmappedArray(call: &Call, array: cudaMipmappedArray_t) -> Answer {
    call.ensure()?;
    if array.is_null() {
        return Ok(());
    }
    driver!(call.cuMipmappedArrayDestroy(mipmapped(array)))
}

pub(crate) unsafe fn cudaGetMipmappedArrayLevel(
    call: &Call,
    level_array: *mut cudaArray_t,
    array: cudaMipmappedArray_const_t,
    level: c_uint,
) -> Answer {
    call.ensure()?;
    let mut found: CUarray = ptr::null_mut();
    driver!(call.cuMipmappedArrayGetLevel(&raw mut found, mipmapped(array), level))?;
    // SAFETY: the caller's place.
    unsafe { put(level_array, found.cast()) }
}
