//! Copies of rows: `cudaMemcpy2D` and the forms with arrays.

use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{CUDA_MEMCPY2D, CUDA_MEMCPY3D, CUdeviceptr, CUmemorytype};
use cuda_sys::runtime::{
    cudaArray_const_t, cudaArray_t, cudaError_t, cudaMemcpyKind, cudaStream_t,
};

use super::arrays;
use super::copy::known;
use super::entry::{Answer, Call, driver};
use super::memory::address;

/// One side of a copy of rows.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Memory {
        pointer: *const c_void,
        pitch: usize,
    },
    /// Offsets: bytes, rows.
    Array {
        array: cudaArray_const_t,
        x: usize,
        y: usize,
    },
}

/// What `kind` says of the two sides: destination, source.
pub(crate) fn types(kind: cudaMemcpyKind) -> (CUmemorytype, CUmemorytype) {
    let (host, device) = (
        CUmemorytype::CU_MEMORYTYPE_HOST,
        CUmemorytype::CU_MEMORYTYPE_DEVICE,
    );
    match kind {
        cudaMemcpyKind::cudaMemcpyHostToHost => (host, host),
        cudaMemcpyKind::cudaMemcpyHostToDevice => (device, host),
        cudaMemcpyKind::cudaMemcpyDeviceToHost => (host, device),
        cudaMemcpyKind::cudaMemcpyDeviceToDevice => (device, device),
        _ => (
            CUmemorytype::CU_MEMORYTYPE_UNIFIED,
            CUmemorytype::CU_MEMORYTYPE_UNIFIED,
        ),
    }
}

/// A copy of rows in the driver's terms.
///
/// # Errors
///
/// 12 for a row that is longer than a pitch, 21 for a direction that there is not.
pub(crate) fn shaped(
    dst: Place,
    src: Place,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
) -> Result<CUDA_MEMCPY2D, cudaError_t> {
    for side in [dst, src] {
        // The pitch leads from row to row: with one row it leads nowhere, and the driver decides.
        if matches!(side, Place::Memory { pitch, .. } if width > pitch && height > 1) {
            return Err(cudaError_t::cudaErrorInvalidPitchValue);
        }
    }
    known(kind)?;
    let (to, from) = types(kind);
    let mut copy = CUDA_MEMCPY2D {
        WidthInBytes: width,
        Height: height,
        ..CUDA_MEMCPY2D::default()
    };
    match dst {
        Place::Memory { pointer, pitch } => {
            copy.dstMemoryType = to;
            copy.dstPitch = pitch;
            if to == CUmemorytype::CU_MEMORYTYPE_HOST {
                copy.dstHost = pointer.cast_mut();
            } else {
                copy.dstDevice = address(pointer);
            }
        }
        Place::Array { array, x, y } => {
            on_device(to)?;
            copy.dstMemoryType = CUmemorytype::CU_MEMORYTYPE_ARRAY;
            copy.dstArray = arrays::handle(array);
            (copy.dstXInBytes, copy.dstY) = (x, y);
        }
    }
    match src {
        Place::Memory { pointer, pitch } => {
            copy.srcMemoryType = from;
            copy.srcPitch = pitch;
            if from == CUmemorytype::CU_MEMORYTYPE_HOST {
                copy.srcHost = pointer;
            } else {
                copy.srcDevice = address(pointer);
            }
        }
        Place::Array { array, x, y } => {
            on_device(from)?;
            copy.srcMemoryType = CUmemorytype::CU_MEMORYTYPE_ARRAY;
            copy.srcArray = arrays::handle(array);
            (copy.srcXInBytes, copy.srcY) = (x, y);
        }
    }
    Ok(copy)
}

/// An array is device memory: a direction that says otherwise is no direction for it.
fn on_device(claimed: CUmemorytype) -> Answer {
    if claimed == CUmemorytype::CU_MEMORYTYPE_HOST {
        Err(cudaError_t::cudaErrorInvalidMemcpyDirection)
    } else {
        Ok(())
    }
}

/// A copy of rows as one of a single slice.
fn slice(rows: &CUDA_MEMCPY2D) -> CUDA_MEMCPY3D {
    CUDA_MEMCPY3D {
        srcXInBytes: rows.srcXInBytes,
        srcY: rows.srcY,
        srcMemoryType: rows.srcMemoryType,
        srcHost: rows.srcHost,
        srcDevice: rows.srcDevice,
        srcArray: rows.srcArray,
        srcPitch: rows.srcPitch,
        dstXInBytes: rows.dstXInBytes,
        dstY: rows.dstY,
        dstMemoryType: rows.dstMemoryType,
        dstHost: rows.dstHost,
        dstDevice: rows.dstDevice,
        dstArray: rows.dstArray,
        dstPitch: rows.dstPitch,
        WidthInBytes: rows.WidthInBytes,
        Height: rows.Height,
        Depth: 1,
        ..CUDA_MEMCPY3D::default()
    }
}

/// When the copy is done: before the call returns, or in the order of a stream.
#[derive(Clone, Copy)]
pub(crate) enum When {
    Now,
    InStream(cudaStream_t),
}

fn copy(
    call: &Call,
    dst: Place,
    src: Place,
    (width, height): (usize, usize),
    kind: cudaMemcpyKind,
    when: When,
) -> Answer {
    call.ensure()?;
    if width == 0 || height == 0 {
        return Ok(());
    }
    let array = match (dst, src) {
        (Place::Array { array, .. }, _) | (_, Place::Array { array, .. }) => Some(array),
        _ => None,
    };
    let copy = shaped(dst, src, width, height, kind)?;
    if let Some(array) = array {
        arrays::descriptor(call, array)?;
    }
    carry_out(call, &copy, array.is_some(), when)
}

/// Has the driver make the copy.
fn carry_out(call: &Call, copy: &CUDA_MEMCPY2D, with_array: bool, when: When) -> Answer {
    if with_array {
        // With an array, the runtime asks for a copy of one slice.
        let copy = slice(copy);
        return match when {
            When::Now => driver!(call.cuMemcpy3D_v2(&raw const copy)),
            When::InStream(stream) => driver!(call.cuMemcpy3DAsync_v2(&raw const copy, stream)),
        };
    }
    match when {
        When::Now => driver!(call.cuMemcpy2DUnaligned_v2(ptr::from_ref(copy))),
        When::InStream(stream) => driver!(call.cuMemcpy2DAsync_v2(ptr::from_ref(copy), stream)),
    }
}

pub(crate) unsafe fn cudaMemcpy2D(
    call: &Call,
    dst: *mut c_void,
    dst_pitch: usize,
    src: *const c_void,
    src_pitch: usize,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let dst = Place::Memory {
        pointer: dst,
        pitch: dst_pitch,
    };
    let src = Place::Memory {
        pointer: src,
        pitch: src_pitch,
    };
    copy(call, dst, src, (width, height), kind, When::Now)
}

pub(crate) unsafe fn cudaMemcpy2DAsync(
    call: &Call,
    dst: *mut c_void,
    dst_pitch: usize,
    src: *const c_void,
    src_pitch: usize,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    let dst = Place::Memory {
        pointer: dst,
        pitch: dst_pitch,
    };
    let src = Place::Memory {
        pointer: src,
        pitch: src_pitch,
    };
    copy(
        call,
        dst,
        src,
        (width, height),
        kind,
        When::InStream(stream),
    )
}

pub(crate) unsafe fn cudaMemcpy2DToArray(
    call: &Call,
    dst: cudaArray_t,
    x: usize,
    y: usize,
    src: *const c_void,
    pitch: usize,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let src = Place::Memory {
        pointer: src,
        pitch,
    };
    copy(
        call,
        Place::Array { array: dst, x, y },
        src,
        (width, height),
        kind,
        When::Now,
    )
}

pub(crate) unsafe fn cudaMemcpy2DToArrayAsync(
    call: &Call,
    dst: cudaArray_t,
    x: usize,
    y: usize,
    src: *const c_void,
    pitch: usize,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    let src = Place::Memory {
        pointer: src,
        pitch,
    };
    copy(
        call,
        Place::Array { array: dst, x, y },
        src,
        (width, height),
        kind,
        When::InStream(stream),
    )
}

pub(crate) unsafe fn cudaMemcpy2DFromArray(
    call: &Call,
    dst: *mut c_void,
    pitch: usize,
    src: cudaArray_const_t,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let dst = Place::Memory {
        pointer: dst,
        pitch,
    };
    copy(
        call,
        dst,
        Place::Array { array: src, x, y },
        (width, height),
        kind,
        When::Now,
    )
}

pub(crate) unsafe fn cudaMemcpy2DFromArrayAsync(
    call: &Call,
    dst: *mut c_void,
    pitch: usize,
    src: cudaArray_const_t,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    let dst = Place::Memory {
        pointer: dst,
        pitch,
    };
    copy(
        call,
        dst,
        Place::Array { array: src, x, y },
        (width, height),
        kind,
        When::InStream(stream),
    )
}

pub(crate) unsafe fn cudaMemcpy2DArrayToArray(
    call: &Call,
    dst: cudaArray_t,
    dst_x: usize,
    dst_y: usize,
    src: cudaArray_const_t,
    src_x: usize,
    src_y: usize,
    width: usize,
    height: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    let dst = Place::Array {
        array: dst,
        x: dst_x,
        y: dst_y,
    };
    let src = Place::Array {
        array: src,
        x: src_x,
        y: src_y,
    };
    copy(call, dst, src, (width, height), kind, When::Now)
}

/// A line of bytes laid into an array row after row, as up to three copies: the rest of a row, whole rows, the
/// beginning of one.
fn line(
    call: &Call,
    array: cudaArray_const_t,
    (x, y): (usize, usize),
    count: usize,
    mut each: impl FnMut(usize, (usize, usize), (usize, usize)) -> Answer,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    let row = arrays::row(call, array)?;
    if x >= row {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    let (mut done, mut x, mut y) = (0, x, y);
    while done < count {
        let left = count - done;
        let (width, height) = if x > 0 || left < row {
            (left.min(row - x), 1)
        } else {
            (row, left / row)
        };
        each(done, (x, y), (width, height))?;
        done += width * height;
        x = 0;
        y += height;
    }
    Ok(())
}

/// These forms, and no others, take a direction that there is not for the default one.
fn lenient(kind: cudaMemcpyKind) -> cudaMemcpyKind {
    if known(kind).is_ok() {
        kind
    } else {
        cudaMemcpyKind::cudaMemcpyDefault
    }
}

fn to_array(
    call: &Call,
    dst: cudaArray_t,
    offset: (usize, usize),
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
    when: When,
) -> Answer {
    let kind = lenient(kind);
    line(call, dst, offset, count, |done, (x, y), (width, height)| {
        let src = Place::Memory {
            pointer: src.wrapping_byte_add(done),
            pitch: width,
        };
        {
            let dst = Place::Array { array: dst, x, y };
            carry_out(call, &shaped(dst, src, width, height, kind)?, true, when)
        }
    })
}

fn from_array(
    call: &Call,
    dst: *mut c_void,
    src: cudaArray_const_t,
    offset: (usize, usize),
    count: usize,
    kind: cudaMemcpyKind,
    when: When,
) -> Answer {
    let kind = lenient(kind);
    line(call, src, offset, count, |done, (x, y), (width, height)| {
        let dst = Place::Memory {
            pointer: dst.wrapping_byte_add(done),
            pitch: width,
        };
        {
            let src = Place::Array { array: src, x, y };
            carry_out(call, &shaped(dst, src, width, height, kind)?, true, when)
        }
    })
}

pub(crate) unsafe fn cudaMemcpyToArray(
    call: &Call,
    dst: cudaArray_t,
    x: usize,
    y: usize,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    to_array(call, dst, (x, y), src, count, kind, When::Now)
}

pub(crate) unsafe fn cudaMemcpyToArrayAsync(
    call: &Call,
    dst: cudaArray_t,
    x: usize,
    y: usize,
    src: *const c_void,
    count: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    to_array(call, dst, (x, y), src, count, kind, When::InStream(stream))
}

pub(crate) unsafe fn cudaMemcpyFromArray(
    call: &Call,
    dst: *mut c_void,
    src: cudaArray_const_t,
    x: usize,
    y: usize,
    count: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    from_array(call, dst, src, (x, y), count, kind, When::Now)
}

pub(crate) unsafe fn cudaMemcpyFromArrayAsync(
    call: &Call,
    dst: *mut c_void,
    src: cudaArray_const_t,
    x: usize,
    y: usize,
    count: usize,
    kind: cudaMemcpyKind,
    stream: cudaStream_t,
) -> Answer {
    from_array(call, dst, src, (x, y), count, kind, When::InStream(stream))
}

pub(crate) unsafe fn cudaMemcpyArrayToArray(
    call: &Call,
    dst: cudaArray_t,
    dst_x: usize,
    dst_y: usize,
    src: cudaArray_const_t,
    src_x: usize,
    src_y: usize,
    count: usize,
    kind: cudaMemcpyKind,
) -> Answer {
    call.ensure()?;
    if count == 0 {
        return Ok(());
    }
    known(kind)?;
    let (to, from) = types(kind);
    on_device(to)?;
    on_device(from)?;
    // A line of the one is no rectangle of the other: it goes through device memory.
    let mut between: CUdeviceptr = 0;
    driver!(call.cuMemAlloc_v2(&raw mut between, count))?;
    let line = super::memory::pointer(between);
    let kind = cudaMemcpyKind::cudaMemcpyDeviceToDevice;
    let copied = from_array(call, line, src, (src_x, src_y), count, kind, When::Now)
        .and_then(|()| to_array(call, dst, (dst_x, dst_y), line, count, kind, When::Now));
    driver!(call.cuMemFree_v2(between))?;
    copied
}
