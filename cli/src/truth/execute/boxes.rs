//! Batches of boxes.

use core::ptr;

use cuda_sys::driver::{
    CUDA_MEMCPY3D_BATCH_OP, CUextent3D, CUmemLocation, CUmemLocationType_enum, CUmemcpy3DOperand,
    CUmemcpy3DOperand_st__bindgen_ty_1, CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_1,
    CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_2, CUmemcpy3DOperandType,
    CUmemcpy3DOperandType_enum, CUmemcpySrcAccessOrder_enum, CUoffset3D, CUresult, CUstream,
    Driver,
};
use cuda_sys::runtime::{Runtime, cudaError, cudaError_t, cudaStream_t, v12, v13};
use cuwhy_validate::call::{Batch3D, Batch3DEntry, Place, Side};

use super::layout::{array, part};
use super::{NOT_MADE, cuda, size};

/// One side, where lengths count units of so many bytes.
fn operand(place: &Place, unit: u64, hint: u32) -> CUmemcpy3DOperand {
    let found = part(place);
    if found.array != 0 || matches!(place, Place::Array { .. }) {
        let array = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_2 {
            array: array(found.array),
            offset: CUoffset3D {
                x: size(found.at[0] / unit),
                y: size(found.at[1]),
                z: size(found.at[2]),
            },
        };
        return CUmemcpy3DOperand {
            type_: CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_ARRAY,
            op: CUmemcpy3DOperand_st__bindgen_ty_1 { array },
        };
    }
    let place_of = CUmemLocation {
        type_: CUmemLocationType_enum(hint),
        ..CUmemLocation::default()
    };
    let ptr = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_1 {
        ptr: found.address,
        rowLength: size(found.pitch / unit),
        layerHeight: size(found.rows),
        locHint: place_of,
    };
    let type_ = match *place {
        Place::Memory {
            side: Side::Invalid(raw),
            ..
        } => CUmemcpy3DOperandType_enum(raw),
        _ => CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_POINTER,
    };
    CUmemcpy3DOperand {
        type_,
        op: CUmemcpy3DOperand_st__bindgen_ty_1 { ptr },
    }
}

/// An entry as C has it; `element` is that of its arrays.
fn entry(entry: &Batch3DEntry, element: u64) -> CUDA_MEMCPY3D_BATCH_OP {
    let copy = entry.as_given();
    let is_array = |place: &Place| matches!(place, Place::Array { .. });
    let unit = if is_array(&copy.dst) || is_array(&copy.src) {
        element.max(1)
    } else {
        1
    };
    CUDA_MEMCPY3D_BATCH_OP {
        src: operand(&copy.src, unit, entry.hints[1]),
        dst: operand(&copy.dst, unit, entry.hints[0]),
        extent: CUextent3D {
            width: size(copy.width / unit),
            height: size(copy.height),
            depth: size(copy.depth),
        },
        srcAccessOrder: CUmemcpySrcAccessOrder_enum(entry.source_access),
        flags: entry.flags,
    }
}

fn list(batch: &Batch3D, element: u64) -> Vec<CUDA_MEMCPY3D_BATCH_OP> {
    let entries = batch.entries.iter();
    entries.map(|one| entry(one, element)).collect()
}

pub(super) fn driver(
    driver: &Driver,
    name: &str,
    batch: &Batch3D,
    stream: CUstream,
    element: u64,
) -> CUresult {
    let mut list = list(batch, element);
    let (count, entries, flags) = (list.len(), list.as_mut_ptr(), batch.flags);
    if name == "cuMemcpy3DBatchAsync_v2" {
        return cuda!(driver.cuMemcpy3DBatchAsync_v2(count, entries, flags, stream));
    }
    let mut bad = 0_usize;
    cuda!(driver.cuMemcpy3DBatchAsync(count, entries, &raw mut bad, flags, stream))
}

pub(super) fn runtime(
    runtime: &Runtime,
    batch: &Batch3D,
    stream: cudaStream_t,
    element: u64,
) -> cudaError_t {
    let mut list = list(batch, element);
    let (count, flags) = (list.len(), batch.flags);
    // The same 184 bytes as the driver's structure, in every major.
    let entries = list.as_mut_ptr();
    if let Some(table) = runtime.v13() {
        let entries = entries.cast::<v13::cudaMemcpy3DBatchOp>();
        return cuda!(table.cudaMemcpy3DBatchAsync(count, entries, flags, stream));
    }
    if let Some(table) = runtime.v12() {
        let entries = entries.cast::<v12::cudaMemcpy3DBatchOp>();
        let mut bad = 0_usize;
        return cuda!(table.cudaMemcpy3DBatchAsync(
            count,
            entries,
            ptr::from_mut(&mut bad),
            flags,
            stream
        ));
    }
    cudaError(NOT_MADE)
}

// The majors' structures are the driver's.
const _: () = {
    assert!(size_of::<v12::cudaMemcpy3DBatchOp>() == size_of::<CUDA_MEMCPY3D_BATCH_OP>());
    assert!(size_of::<v13::cudaMemcpy3DBatchOp>() == size_of::<CUDA_MEMCPY3D_BATCH_OP>());
};
