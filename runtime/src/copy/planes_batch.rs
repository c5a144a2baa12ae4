//! Copies with attributes, and many copies of planes in one call.

use core::ffi::c_void;

use cuda_sys::runtime::{
    cudaError, cudaExtent, cudaMemcpy3DOperand__bindgen_ty_1__bindgen_ty_2 as ArrayOperand,
    cudaMemcpy3DOperandType, cudaOffset3D, v12, v13,
};

use super::planes::{Copy3d, Side};
use super::{Memory, SourceOrder};
use crate::api::api;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;
use crate::stream::Stream;

/// One side of a copy of a batch, whatever the major.
enum Operand {
    Array(ArrayOperand),
    Rows {
        first: *mut c_void,
        row: usize,
        rows: usize,
    },
}

impl Side {
    /// One side of a copy in a batch, where elements have this size.
    fn operand(&self, element: usize) -> Operand {
        let position = self.position;
        match self.memory {
            Memory::Array { array, .. } => {
                let offset = cudaOffset3D {
                    x: position.x.0 / element,
                    y: position.y,
                    z: position.z,
                };
                Operand::Array(ArrayOperand {
                    array: array.0,
                    offset,
                })
            }
            Memory::Host { pitch, height, .. }
            | Memory::Device { pitch, height, .. }
            | Memory::Any { pitch, height, .. } => Operand::Rows {
                first: self.first_byte().as_mut_ptr(),
                row: pitch.0 / element,
                rows: height,
            },
        }
    }
}

/// The copy as one of a batch, in the layout of a major.
macro_rules! batch_op {
    ($major:ident, $copy:expr, $order:expr) => {{
        let (copy, element): (&Copy3d, usize) = ($copy, $copy.element());
        let side = |side: &Side| match side.operand(element) {
            Operand::Array(array) => $major::cudaMemcpy3DOperand {
                type_: cudaMemcpy3DOperandType::cudaMemcpyOperandTypeArray,
                op: $major::cudaMemcpy3DOperand__bindgen_ty_1 { array },
            },
            Operand::Rows { first, row, rows } => $major::cudaMemcpy3DOperand {
                type_: cudaMemcpy3DOperandType::cudaMemcpyOperandTypePointer,
                op: $major::cudaMemcpy3DOperand__bindgen_ty_1 {
                    ptr: $major::cudaMemcpy3DOperand__bindgen_ty_1__bindgen_ty_1 {
                        ptr: first,
                        rowLength: row,
                        layerHeight: rows,
                        locHint: $major::cudaMemLocation::default(),
                    },
                },
            },
        };
        $major::cudaMemcpy3DBatchOp {
            src: side(&copy.source),
            dst: side(&copy.destination),
            extent: cudaExtent {
                width: copy.width.0 / element,
                height: copy.height,
                depth: copy.depth,
            },
            srcAccessOrder: $order.raw(),
            flags: 0,
        }
    }};
}

/// Gives many copies of planes to the stream in one call, in no order among themselves.
///
/// Runtime API: `cudaMemcpy3DBatchAsync`, of 13, or of 12.8 and 12.9, which also say which copy they refused.
///
/// # Errors
///
/// [`Error::MissingFunction`](crate::error::Error::MissingFunction) before 12.8, and what CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cudaMemcpy3DBatchAsync")]
pub unsafe fn copy_3d_batch_async(
    copies: &[Copy3d],
    order: SourceOrder,
    stream: &Stream,
) -> Result<()> {
    if copies.is_empty() {
        return Ok(());
    }
    let api = api()?;
    let (count, handle) = (copies.len(), stream.as_raw());
    if let Some(table) = api.v12() {
        let mut list: Vec<_> = copies
            .iter()
            .map(|copy| batch_op!(v12, copy, order))
            .collect();
        let (list, mut failed) = (list.as_mut_ptr(), usize::MAX);
        let which = &raw mut failed;
        // SAFETY: a list of `count` copies, read before this returns, and a live out parameter; the caller
        // answers for what they cover.
        let status = unsafe { table.cudaMemcpy3DBatchAsync(count, list, which, 0, handle) };
        check!(
            api,
            cudaMemcpy3DBatchAsync,
            status,
            count,
            failed,
            stream = handle
        )
    } else if let Some(table) = api.v13() {
        let mut list: Vec<_> = copies
            .iter()
            .map(|copy| batch_op!(v13, copy, order))
            .collect();
        let list = list.as_mut_ptr();
        // SAFETY: as above, without the out parameter.
        let status = unsafe { table.cudaMemcpy3DBatchAsync(count, list, 0, handle) };
        check!(api, cudaMemcpy3DBatchAsync, status, count, stream = handle)
    } else {
        check!(api, cudaMemcpy3DBatchAsync, cudaError(302))
    }
}

/// Copies planes when the stream comes to it, saying when the source may be read.
///
/// Runtime API: `cudaMemcpy3DWithAttributesAsync` (13.2).
///
/// # Errors
///
/// [`Error::MissingFunction`](crate::error::Error::MissingFunction) before 13.2, and what CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cudaMemcpy3DWithAttributesAsync")]
pub unsafe fn copy_3d_with_order_async(
    copy: &Copy3d,
    order: SourceOrder,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let handle = stream.as_raw();
    let status = if let Some(table) = api.v13() {
        let mut op = batch_op!(v13, copy, order);
        // SAFETY: a live descriptor; the caller answers for what it covers.
        unsafe { table.cudaMemcpy3DWithAttributesAsync(&raw mut op, 0, handle) }
    } else {
        cudaError(302)
    };
    check!(
        api,
        cudaMemcpy3DWithAttributesAsync,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth,
        stream = handle
    )
}

/// Copies a range of bytes when the stream comes to it, saying when the source may be read.
///
/// Runtime API: `cudaMemcpyWithAttributesAsync` (13.2).
///
/// # Errors
///
/// [`Error::MissingFunction`](crate::error::Error::MissingFunction) before 13.2, and what CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async).
#[doc(alias = "cudaMemcpyWithAttributesAsync")]
pub unsafe fn copy_with_order_async(
    destination: Address,
    source: Address,
    size: Bytes,
    order: SourceOrder,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let (to, from, handle) = (destination.as_mut_ptr(), source.as_ptr(), stream.as_raw());
    let status = if let Some(table) = api.v13() {
        let mut attributes = order.v13();
        let with = &raw mut attributes;
        // SAFETY: live attributes; the caller answers for both ranges.
        unsafe { table.cudaMemcpyWithAttributesAsync(to, from, size.0, with, handle) }
    } else {
        cudaError(302)
    };
    check!(
        api,
        cudaMemcpyWithAttributesAsync,
        status,
        destination,
        source,
        size,
        stream = handle
    )
}
