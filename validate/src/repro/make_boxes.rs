//! A batch of boxes as data becomes a call.

use super::make::{size, stream_of};
use super::scenery::{ELEMENT, pointer};
use super::stage::{Skip, Stage};
use crate::call::{Batch3D, Batch3DEntry, Place, Side};
use crate::{Api, Call};
use cuda_sys::driver::{
    CUDA_MEMCPY3D_BATCH_OP, CUextent3D, CUmemLocation, CUmemLocationType_enum, CUmemcpy3DOperand,
    CUmemcpy3DOperand_st__bindgen_ty_1, CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_1,
    CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_2, CUmemcpy3DOperandType,
    CUmemcpy3DOperandType_enum, CUmemcpySrcAccessOrder_enum, CUoffset3D,
};
use cuda_sys::runtime::{v12, v13};

impl Stage {
    /// Makes the call with whatever form of the function there is.
    pub(super) fn boxes(&self, call: &Call, batch: &Batch3D) -> Result<u32, Skip> {
        let mut list: Vec<CUDA_MEMCPY3D_BATCH_OP> = batch.entries.iter().map(entry).collect();
        let (count, flags, stream) = (list.len(), batch.flags, stream_of(call));
        let entries = list.as_mut_ptr();
        let mut failed = 0;
        if call.api == Api::Runtime {
            let runtime = self.runtime()?;
            // In every major the structure is the driver's: its size is checked below.
            if let Some(table) = runtime.v13() {
                let entries = entries.cast::<v13::cudaMemcpy3DBatchOp>();
                // SAFETY: the list is alive and as long as is said.
                let status = unsafe { table.cudaMemcpy3DBatchAsync(count, entries, flags, stream) };
                return Ok(status.0);
            }
            let table = runtime.v12().ok_or(Skip::Needs("a runtime of 12.8"))?;
            let entries = entries.cast::<v12::cudaMemcpy3DBatchOp>();
            let which = &raw mut failed;
            // SAFETY: as above, and `failed` is alive.
            let status =
                unsafe { table.cudaMemcpy3DBatchAsync(count, entries, which, flags, stream) };
            return Ok(status.0);
        }
        if self.driver.has("cuMemcpy3DBatchAsync_v2") {
            // SAFETY: the list is alive and as long as is said.
            let status = unsafe {
                self.driver
                    .cuMemcpy3DBatchAsync_v2(count, entries, flags, stream)
            };
            return Ok(status.0);
        }
        if !self.driver.has("cuMemcpy3DBatchAsync") {
            return Err(Skip::Needs("a driver for CUDA 12.8"));
        }
        let which = &raw mut failed;
        // SAFETY: the list is alive and as long as is said, and so is `failed`.
        let status = unsafe {
            self.driver
                .cuMemcpy3DBatchAsync(count, entries, which, flags, stream)
        };
        Ok(status.0)
    }
}

const _: () = {
    assert!(size_of::<v12::cudaMemcpy3DBatchOp>() == size_of::<CUDA_MEMCPY3D_BATCH_OP>());
    assert!(size_of::<v13::cudaMemcpy3DBatchOp>() == size_of::<CUDA_MEMCPY3D_BATCH_OP>());
};

/// An entry as C has it: lengths count bytes, or elements of the stage's arrays.
fn entry(entry: &Batch3DEntry) -> CUDA_MEMCPY3D_BATCH_OP {
    let copy = entry.as_given();
    let is_array = |place: &Place| matches!(place, Place::Array { .. });
    let unit = if is_array(&copy.dst) || is_array(&copy.src) {
        ELEMENT
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

fn operand(place: &Place, unit: u64, hint: u32) -> CUmemcpy3DOperand {
    let memory = |address, pitch: u64, rows, type_| {
        let ptr = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_1 {
            ptr: address,
            rowLength: size(pitch / unit),
            layerHeight: size(rows),
            locHint: CUmemLocation {
                type_: CUmemLocationType_enum(hint),
                ..CUmemLocation::default()
            },
        };
        CUmemcpy3DOperand {
            type_,
            op: CUmemcpy3DOperand_st__bindgen_ty_1 { ptr },
        }
    };
    let is_pointer = CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_POINTER;
    match *place {
        Place::Memory {
            side,
            address,
            pitch,
            rows,
            ..
        } => {
            let type_ = match side {
                Side::Invalid(raw) => CUmemcpy3DOperandType_enum(raw),
                _ => is_pointer,
            };
            memory(address, pitch, rows, type_)
        }
        Place::Array { handle, x, y, z } => {
            let array = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_2 {
                array: pointer(handle).cast(),
                offset: CUoffset3D {
                    x: size(x / unit),
                    y: size(y),
                    z: size(z),
                },
            };
            CUmemcpy3DOperand {
                type_: CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_ARRAY,
                op: CUmemcpy3DOperand_st__bindgen_ty_1 { array },
            }
        }
        Place::Both { address, .. } => memory(address, 0, 0, is_pointer),
        Place::Neither => memory(0, 0, 0, is_pointer),
    }
}
