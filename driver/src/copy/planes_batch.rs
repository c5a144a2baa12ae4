//! Copies with attributes, and many copies of planes in one call.

use cuda_sys::driver::{
    CUDA_MEMCPY3D_BATCH_OP, CUextent3D, CUmemLocation, CUmemcpy3DOperand,
    CUmemcpy3DOperand_st__bindgen_ty_1, CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_1,
    CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_2, CUmemcpy3DOperandType, CUmemcpyAttributes,
    CUoffset3D,
};

use super::planes::{Copy3d, Side};
use super::{Memory, SourceOrder};
use crate::api::api;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;
use crate::stream::Stream;

impl Side {
    /// One side of a copy in a batch, where elements have this size.
    fn operand(&self, element: usize) -> CUmemcpy3DOperand {
        let position = self.position;
        match self.memory {
            Memory::Array { array, .. } => {
                let offset = CUoffset3D {
                    x: position.x.0 / element,
                    y: position.y,
                    z: position.z,
                };
                let array = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_2 {
                    array: array.0,
                    offset,
                };
                CUmemcpy3DOperand {
                    type_: CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_ARRAY,
                    op: CUmemcpy3DOperand_st__bindgen_ty_1 { array },
                }
            }
            Memory::Host { pitch, height, .. }
            | Memory::Device { pitch, height, .. }
            | Memory::Any { pitch, height, .. } => {
                let ptr = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_1 {
                    ptr: self.first_byte().0,
                    rowLength: pitch.0 / element,
                    layerHeight: height,
                    locHint: CUmemLocation::default(),
                };
                CUmemcpy3DOperand {
                    type_: CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_POINTER,
                    op: CUmemcpy3DOperand_st__bindgen_ty_1 { ptr },
                }
            }
        }
    }
}

impl Copy3d {
    /// The copy as one of a batch.
    fn batch_op(&self, order: SourceOrder) -> CUDA_MEMCPY3D_BATCH_OP {
        let element = self.element();
        CUDA_MEMCPY3D_BATCH_OP {
            src: self.source.operand(element),
            dst: self.destination.operand(element),
            extent: CUextent3D {
                width: self.width.0 / element,
                height: self.height,
                depth: self.depth,
            },
            srcAccessOrder: order.raw(),
            flags: 0,
        }
    }
}

/// Gives many copies of planes to the stream in one call, in no order among themselves.
///
/// Driver API: `cuMemcpy3DBatchAsync_v2` (13.0), or `cuMemcpy3DBatchAsync` (12.8), which also says which copy
/// it refused.
///
/// # Errors
///
/// [`Error::MissingFunction`](crate::error::Error::MissingFunction) before 12.8, and what CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cuMemcpy3DBatchAsync")]
pub unsafe fn copy_3d_batch_async(
    copies: &[Copy3d],
    order: SourceOrder,
    stream: &Stream,
) -> Result<()> {
    if copies.is_empty() {
        return Ok(());
    }
    let api = api()?;
    let mut list: Vec<_> = copies.iter().map(|copy| copy.batch_op(order)).collect();
    let (count, handle, list) = (list.len(), stream.as_raw(), list.as_mut_ptr());
    if api.has("cuMemcpy3DBatchAsync_v2") {
        // SAFETY: a list of `count` copies, read before this returns; the caller answers for what they cover.
        let status = unsafe { api.cuMemcpy3DBatchAsync_v2(count, list, 0, handle) };
        check!(api, cuMemcpy3DBatchAsync_v2, status, count, stream = handle)
    } else {
        let mut failed = usize::MAX;
        // SAFETY: as above, and `failed` is a live out parameter.
        let status = unsafe { api.cuMemcpy3DBatchAsync(count, list, &raw mut failed, 0, handle) };
        check!(
            api,
            cuMemcpy3DBatchAsync,
            status,
            count,
            failed,
            stream = handle
        )
    }
}

/// Copies planes when the stream comes to it, saying when the source may be read.
///
/// Driver API: `cuMemcpy3DWithAttributesAsync` (13.2).
///
/// # Errors
///
/// [`Error::MissingFunction`](crate::error::Error::MissingFunction) before 13.2, and what CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async), for every byte that the planes cover.
#[doc(alias = "cuMemcpy3DWithAttributesAsync")]
pub unsafe fn copy_3d_with_order_async(
    copy: &Copy3d,
    order: SourceOrder,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let mut op = copy.batch_op(order);
    let handle = stream.as_raw();
    // SAFETY: a live descriptor; the caller answers for what it covers.
    let status = unsafe { api.cuMemcpy3DWithAttributesAsync(&raw mut op, 0, handle) };
    check!(
        api,
        cuMemcpy3DWithAttributesAsync,
        status,
        width = copy.width,
        height = copy.height,
        depth = copy.depth,
        stream = handle
    )
}

/// Copies a range of bytes when the stream comes to it, saying when the source may be read.
///
/// Driver API: `cuMemcpyWithAttributesAsync` (13.2).
///
/// # Errors
///
/// [`Error::MissingFunction`](crate::error::Error::MissingFunction) before 13.2, and what CUDA answers.
///
/// # Safety
///
/// As for [`raw::copy_async`](super::raw::copy_async).
#[doc(alias = "cuMemcpyWithAttributesAsync")]
pub unsafe fn copy_with_order_async(
    destination: Address,
    source: Address,
    size: Bytes,
    order: SourceOrder,
    stream: &Stream,
) -> Result<()> {
    let api = api()?;
    let mut attributes = CUmemcpyAttributes {
        srcAccessOrder: order.raw(),
        ..CUmemcpyAttributes::default()
    };
    let (to, from, handle) = (destination.0, source.0, stream.as_raw());
    let with = &raw mut attributes;
    // SAFETY: live attributes; the caller answers for both ranges.
    let status = unsafe { api.cuMemcpyWithAttributesAsync(to, from, size.0, with, handle) };
    check!(
        api,
        cuMemcpyWithAttributesAsync,
        status,
        destination,
        source,
        size,
        stream = handle
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::RawArray;
    use crate::copy::Position;
    use crate::memory::Pitch;

    #[test]
    fn positions_become_addresses_and_elements() {
        let array = RawArray(core::ptr::without_provenance_mut(8));
        let at = Position {
            x: Bytes(4),
            y: 2,
            z: 1,
        };
        let copy = Copy3d {
            destination: Side::array(array, Bytes(4)).at(at),
            source: Side::device(Address(0x1000), Pitch(64)).planes_of(8).at(at),
            width: Bytes(16),
            height: 4,
            depth: 1,
        };
        let op = copy.batch_op(SourceOrder::Any);
        assert_eq!((op.extent.width, op.srcAccessOrder.0), (4, 3));
        // SAFETY: the source is an address.
        let from = unsafe { op.src.op.ptr };
        assert_eq!(
            (from.ptr, from.rowLength, from.layerHeight),
            (0x1000 + 64 * 8 + 64 * 2 + 4, 16, 8)
        );
        // SAFETY: the destination is an array.
        let to = unsafe { op.dst.op.array };
        assert_eq!((to.offset.x, to.offset.y, to.offset.z), (1, 2, 1));
    }
}
