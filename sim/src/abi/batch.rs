//! Many copies in one call.

use core::ffi::c_ulonglong;

use cuda_sys::driver::*;

use super::c::{In, Out, address};
use super::copy::{stream_view, view};
use super::gate::{Call, export};
use super::guard;
use super::submit::{self, When};
use crate::model::bytes::touch;
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::object::Kind;
use crate::model::operand::View;
use crate::model::space::Found;
use crate::model::spec::{CopySpec, Corner, Sort};
use crate::model::transfer::Shape;

/// Batches are not for the legacy stream, which is refused before anything else is looked at.
fn refuse_legacy(call: Call, stream: usize, failed: Option<Out<usize>>) -> Outcome {
    const LEGACY: usize = 1;
    let unnamed = stream == 0 && !call.per_thread;
    if let Some(failed) = failed.filter(|_place| !unnamed) {
        failed.put_if_wanted(usize::MAX);
    }
    if unnamed || stream == LEGACY {
        Err(Code::INVALID_VALUE)
    } else {
        Ok(())
    }
}

/// A capture goes on without the copies of a batch.
fn refuse_capture(call: Call, stream: usize) -> Outcome {
    match guard::capture_of(&*call.stream(stream)?) {
        Some(_) => Err(Code::STREAM_CAPTURE_UNSUPPORTED),
        None => Ok(()),
    }
}

const fn known_order(order: CUmemcpySrcAccessOrder) -> bool {
    matches!(order.0, 1..=3)
}

/// Orders, flags and hints that exist.
fn is_known(attributes: &CUmemcpyAttributes) -> bool {
    let hint = |location: &CUmemLocation| {
        location.type_.0 <= 4 && super::managed::names_a_device(location)
    };
    known_order(attributes.srcAccessOrder)
        && attributes.flags <= 1
        && hint(&attributes.srcLocHint)
        && hint(&attributes.dstLocHint)
}

/// Attributes belong to entries from their index on: the first to entry 0, the others further along.
fn check_attributes(
    attributes: In<CUmemcpyAttributes>,
    starts: In<usize>,
    number: usize,
    count: usize,
) -> Outcome {
    if number == 0 || number > count {
        return Err(Code::INVALID_VALUE);
    }
    let starts = starts.list(number)?;
    let attributes = attributes.list(number)?;
    let rising = starts.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = starts.first() == Some(&0) && starts.last().is_some_and(|&last| last < count);
    let known = attributes.iter().all(is_known);
    if rising && inside && known {
        Ok(())
    } else {
        Err(Code::INVALID_VALUE)
    }
}

/// Carries entries out one by one; those before a bad one stay done.
fn run(call: Call, specs: &[CopySpec], stream: usize, failed: Option<Out<usize>>) -> Outcome {
    for (index, spec) in specs.iter().enumerate() {
        let outcome = if spec.shape.is_empty() {
            Err(Code::INVALID_VALUE)
        } else {
            submit::copy(call, spec, When::Asynchronous(stream))
        };
        match outcome {
            Ok(()) => {}
            // An entry that wraps may have killed the context by now; the call was under way and succeeds.
            Err(Code::ILLEGAL_ADDRESS | Code::LAUNCH_FAILED) if index > 0 => return Ok(()),
            Err(code) => {
                if let Some(failed) = failed {
                    failed.put_if_wanted(index);
                }
                return Err(code);
            }
        }
    }
    Ok(())
}

/// The lists of a batch of rows.
struct Rows {
    dsts: In<CUdeviceptr>,
    srcs: In<CUdeviceptr>,
    sizes: In<usize>,
    count: usize,
    attributes: In<CUmemcpyAttributes>,
    starts: In<usize>,
    number: usize,
}

fn rows(call: Call, rows: &Rows, failed: Option<Out<usize>>, stream: usize) -> Outcome {
    refuse_legacy(call, stream, failed)?;
    if rows.count == 0 {
        return Err(Code::INVALID_VALUE);
    }
    // The stream is followed first: garbage is a crash, whatever the attributes are.
    drop(call.stream(stream)?);
    // Measured: unlike other copies in a stream of one's own, these need a current context.
    if matches!(call.context(), Err(Code::INVALID_CONTEXT)) {
        return Err(Code::INVALID_VALUE);
    }
    check_attributes(rows.attributes, rows.starts, rows.number, rows.count)?;
    refuse_capture(call, stream)?;
    let view = stream_view(call, stream)?;
    let (dsts, srcs) = (rows.dsts.list(rows.count)?, rows.srcs.list(rows.count)?);
    let sizes = rows.sizes.list(rows.count)?;
    let specs: Vec<_> = dsts
        .into_iter()
        .zip(srcs)
        .zip(sizes)
        .map(|((dst, src), size)| line(dst, src, size, view))
        .collect();
    run(call, &specs, stream, failed)
}

const fn line(dst: CUdeviceptr, src: CUdeviceptr, size: usize, view: View) -> CopySpec {
    CopySpec {
        dst: Corner::at(Sort::Unified, address(dst), view),
        src: Corner::at(Sort::Unified, address(src), view),
        shape: Shape::line(size),
    }
}

/// One side of a box, and the size of its elements.
fn corner(operand: &CUmemcpy3DOperand, view: View) -> Outcome<(Corner, Option<usize>)> {
    match operand.type_ {
        CUmemcpy3DOperandType_enum::CU_MEMCPY_OPERAND_TYPE_POINTER => {
            // SAFETY: the caller's type says which member of the union it filled.
            let side = unsafe { operand.op.ptr };
            let corner = Corner::at(Sort::Unified, address(side.ptr), view);
            Ok((
                Corner {
                    pitch: side.rowLength,
                    height: side.layerHeight,
                    ..corner
                },
                None,
            ))
        }
        CUmemcpy3DOperandType_enum::CU_MEMCPY_OPERAND_TYPE_ARRAY => {
            // SAFETY: as above.
            let side = unsafe { operand.op.array };
            let number = side.array.expose_provenance();
            if number == 0 {
                // Seen on hardware: here even null is followed.
                touch(number);
            }
            let array = machine()?.arrays.follow(number)?;
            let corner = Corner::in_array(number, side.offset.x.wrapping_mul(array.element), view);
            Ok((
                Corner {
                    y: side.offset.y,
                    z: side.offset.z,
                    ..corner
                },
                Some(array.element),
            ))
        }
        _ => Err(Code::INVALID_VALUE),
    }
}

/// A box in our words: lengths count elements of the array, or bytes where there is none.
fn solid(copy: &CUDA_MEMCPY3D_BATCH_OP, view: View) -> Outcome<CopySpec> {
    let (mut dst, dst_element) = corner(&copy.dst, view)?;
    let (mut src, src_element) = corner(&copy.src, view)?;
    let element = dst_element.or(src_element).unwrap_or(1);
    dst.pitch = dst.pitch.wrapping_mul(element);
    src.pitch = src.pitch.wrapping_mul(element);
    Ok(CopySpec {
        dst,
        src,
        shape: Shape {
            width: copy.extent.width.wrapping_mul(element),
            height: copy.extent.height,
            depth: copy.extent.depth,
        },
    })
}

/// What an entry says by itself: nothing of it is looked up.
fn is_plausible(copy: &CUDA_MEMCPY3D_BATCH_OP) -> bool {
    let CUextent3D {
        width,
        height,
        depth,
    } = copy.extent;
    let fits = |operand: &CUmemcpy3DOperand| match operand.type_ {
        CUmemcpy3DOperandType_enum::CU_MEMCPY_OPERAND_TYPE_POINTER => {
            // SAFETY: the caller's type says which member of the union it filled.
            let side = unsafe { operand.op.ptr };
            (side.rowLength == 0 || width <= side.rowLength)
                && (side.layerHeight == 0 || height <= side.layerHeight)
        }
        CUmemcpy3DOperandType_enum::CU_MEMCPY_OPERAND_TYPE_ARRAY => true,
        _ => false,
    };
    let nothing = width == 0 || height == 0 || depth == 0;
    known_order(copy.srcAccessOrder)
        && copy.flags <= 1
        && !nothing
        && fits(&copy.src)
        && fits(&copy.dst)
}

/// Two arrays are looked at early: their elements have to be of one size.
fn check_elements(copy: &CUDA_MEMCPY3D_BATCH_OP, view: View) -> Outcome {
    let is_array = |operand: &CUmemcpy3DOperand| {
        operand.type_ == CUmemcpy3DOperandType_enum::CU_MEMCPY_OPERAND_TYPE_ARRAY
    };
    if !is_array(&copy.dst) || !is_array(&copy.src) {
        return Ok(());
    }
    let (_, dst) = corner(&copy.dst, view)?;
    let (_, src) = corner(&copy.src, view)?;
    if dst == src {
        Ok(())
    } else {
        Err(Code::INVALID_VALUE)
    }
}

/// Of the hints only those of lines between pointers are looked at, at managed memory, and of those only what kind of
/// place they name.
fn check_hints(copy: &CUDA_MEMCPY3D_BATCH_OP) -> Outcome {
    const POINTER: CUmemcpy3DOperandType =
        CUmemcpy3DOperandType_enum::CU_MEMCPY_OPERAND_TYPE_POINTER;
    let sides = [&copy.dst, &copy.src];
    let line = copy.extent.height == 1 && copy.extent.depth == 1;
    if !line || sides.iter().any(|side| side.type_ != POINTER) {
        return Ok(());
    }
    sides.into_iter().try_for_each(check_hint)
}

fn check_hint(operand: &CUmemcpy3DOperand) -> Outcome {
    const LAST: u32 = 4;
    // SAFETY: the caller's type says that this member of the union is filled.
    let side = unsafe { operand.op.ptr };
    let found = machine()?.space().find(address(side.ptr));
    let managed = matches!(found, Found::Object(object) if object.kind == Kind::Managed);
    if managed && side.locHint.type_.0 > LAST {
        return Err(Code::ILLEGAL_STATE);
    }
    Ok(())
}

fn boxes(
    call: Call,
    count: usize,
    list: In<CUDA_MEMCPY3D_BATCH_OP>,
    failed: Option<Out<usize>>,
    flags: c_ulonglong,
    stream: usize,
) -> Outcome {
    refuse_legacy(call, stream, failed)?;
    // The stream is followed first: garbage is a crash, whatever the rest is.
    drop(call.stream(stream)?);
    // Seen on hardware: a stream's own context is not enough here.
    if count == 0 || flags != 0 || machine()?.current().is_err() {
        return Err(Code::INVALID_VALUE);
    }
    let when = When::Asynchronous(stream);
    let view = stream_view(call, stream)?;
    let list = list.list(count)?;
    for (index, copy) in list.iter().enumerate() {
        let outcome = if is_plausible(copy) {
            check_elements(copy, view)
        } else {
            Err(Code::INVALID_VALUE)
        };
        if let (Err(_), Some(failed)) = (outcome, failed) {
            failed.put_if_wanted(index);
        }
        outcome?;
    }
    refuse_capture(call, stream)?;
    // What is found when an entry is carried out is not told by its number; those before it stay done.
    for (index, copy) in list.iter().enumerate() {
        let spec = solid(copy, view)?;
        // Lengths that count elements may come to nothing in bytes: null is refused all the same.
        let null = |corner: &Corner| corner.sort == Sort::Unified && corner.address == 0;
        if null(&spec.dst) || null(&spec.src) {
            return Err(Code::INVALID_VALUE);
        }
        drop(spec.resolve(machine()?)?);
        check_hints(copy)?;
        match submit::copy(call, &spec, when) {
            // An entry that wraps may have killed the context by now; the call was under way and succeeds.
            Err(Code::ILLEGAL_ADDRESS | Code::LAUNCH_FAILED) if index > 0 => return Ok(()),
            outcome => outcome?,
        }
    }
    Ok(())
}

export! {
    ready fn cuMemcpyBatchAsync / cuMemcpyBatchAsync_ptsz(
        dsts: *mut CUdeviceptr, srcs: *mut CUdeviceptr, sizes: *mut usize, count: usize,
        attributes: *mut CUmemcpyAttributes, starts: *mut usize, number: usize, failed: *mut usize, stream: CUstream,
    ) |call| {
        let (dsts, srcs, sizes) = (dsts.input(), srcs.input(), sizes.input());
        let list = Rows { dsts, srcs, sizes, count, attributes: attributes.input(), starts: starts.input(), number };
        rows(call, &list, Some(failed), stream.address())
    }

    ready fn cuMemcpyBatchAsync_v2 / cuMemcpyBatchAsync_v2_ptsz(
        dsts: *mut CUdeviceptr, srcs: *mut CUdeviceptr, sizes: *mut usize, count: usize,
        attributes: *mut CUmemcpyAttributes, starts: *mut usize, number: usize, stream: CUstream,
    ) |call| {
        let (dsts, srcs, sizes) = (dsts.input(), srcs.input(), sizes.input());
        let list = Rows { dsts, srcs, sizes, count, attributes: attributes.input(), starts: starts.input(), number };
        rows(call, &list, None, stream.address())
    }

    ready fn cuMemcpy3DBatchAsync / cuMemcpy3DBatchAsync_ptsz(
        count: usize, list: *mut CUDA_MEMCPY3D_BATCH_OP, failed: *mut usize, flags: c_ulonglong, stream: CUstream,
    ) |call| {
        boxes(call, count, list.input(), Some(failed), flags, stream.address())
    }

    ready fn cuMemcpy3DBatchAsync_v2 / cuMemcpy3DBatchAsync_v2_ptsz(
        count: usize, list: *mut CUDA_MEMCPY3D_BATCH_OP, flags: c_ulonglong, stream: CUstream,
    ) |call| {
        // Seen on hardware (driver 580): the per-thread form of this one refuses 0 like the other.
        if stream.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        boxes(call, count, list.input(), None, flags, stream.address())
    }

    ready fn cuMemcpyWithAttributesAsync / cuMemcpyWithAttributesAsync_ptsz(
        dst: CUdeviceptr, src: CUdeviceptr, size: usize, attribute: *mut CUmemcpyAttributes, stream: CUstream,
    ) |call| {
        if !is_known(&attribute.input().get()?) {
            return Err(Code::INVALID_VALUE);
        }
        submit::copy(call, &line(dst, src, size, view(call, When::Asynchronous(stream.address()))?), When::Asynchronous(stream.address()))
    }

    ready fn cuMemcpy3DWithAttributesAsync / cuMemcpy3DWithAttributesAsync_ptsz(
        copy: *mut CUDA_MEMCPY3D_BATCH_OP, flags: c_ulonglong, stream: CUstream,
    ) |call| {
        let copy = copy.input().get()?;
        if flags != 0 || !known_order(copy.srcAccessOrder) {
            return Err(Code::INVALID_VALUE);
        }
        submit::copy(call, &solid(&copy, view(call, When::Asynchronous(stream.address()))?)?, When::Asynchronous(stream.address()))
    }
}
