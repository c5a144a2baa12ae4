//! Copies as the structures of both interfaces say them.

use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{CUDA_MEMCPY2D, CUDA_MEMCPY3D, CUarray, CUmemorytype, CUmemorytype_enum};
use cuda_sys::runtime::{
    cudaArray_t, cudaExtent, cudaMemcpy3DParms, cudaMemcpyKind, cudaPitchedPtr, cudaPos,
};
use cuwhy_validate::Kind;
use cuwhy_validate::call::{Place, Side, Volume};

use super::{pointer, size};

pub(super) fn array(handle: u64) -> CUarray {
    ptr::with_exposed_provenance_mut(size(handle))
}

pub(super) fn runtime_array(handle: u64) -> cudaArray_t {
    ptr::with_exposed_provenance_mut(size(handle))
}

pub(super) fn kind_of(kind: Kind) -> cudaMemcpyKind {
    cudaMemcpyKind(match kind {
        Kind::HostToHost => 0,
        Kind::HostToDevice => 1,
        Kind::DeviceToHost => 2,
        Kind::DeviceToDevice => 3,
        Kind::Default => 4,
        Kind::Invalid(raw) => raw.cast_unsigned(),
    })
}

/// What a place of the driver's structures is made of.
pub(super) struct Part {
    pub(super) memory: CUmemorytype,
    pub(super) address: u64,
    pub(super) array: u64,
    pub(super) pitch: u64,
    pub(super) rows: u64,
    pub(super) at: [u64; 3],
}

pub(super) fn part(place: &Place) -> Part {
    match *place {
        Place::Memory {
            side,
            address,
            pitch,
            rows,
            x,
            y,
            z,
        } => Part {
            memory: match side {
                Side::Host => CUmemorytype::CU_MEMORYTYPE_HOST,
                Side::Device => CUmemorytype::CU_MEMORYTYPE_DEVICE,
                Side::Unified | Side::ByKind => CUmemorytype::CU_MEMORYTYPE_UNIFIED,
                Side::Invalid(raw) => CUmemorytype_enum(raw),
            },
            address,
            array: 0,
            pitch,
            rows,
            at: [x, y, z],
        },
        Place::Array { handle, x, y, z } => Part {
            memory: CUmemorytype::CU_MEMORYTYPE_ARRAY,
            address: 0,
            array: handle,
            pitch: 0,
            rows: 0,
            at: [x, y, z],
        },
        Place::Both { handle, address } => Part {
            memory: CUmemorytype::CU_MEMORYTYPE_ARRAY,
            address,
            array: handle,
            pitch: 0,
            rows: 0,
            at: [0; 3],
        },
        Place::Neither => Part {
            memory: CUmemorytype::CU_MEMORYTYPE_UNIFIED,
            address: 0,
            array: 0,
            pitch: 0,
            rows: 0,
            at: [0; 3],
        },
    }
}

impl Part {
    fn host(&self) -> *mut c_void {
        if self.memory == CUmemorytype::CU_MEMORYTYPE_HOST {
            pointer(self.address)
        } else {
            ptr::null_mut()
        }
    }

    fn device(&self) -> u64 {
        if self.memory == CUmemorytype::CU_MEMORYTYPE_HOST {
            0
        } else {
            self.address
        }
    }
}

pub(super) fn plane_struct(copy: &Volume) -> CUDA_MEMCPY2D {
    let (dst, src) = (part(&copy.dst), part(&copy.src));
    CUDA_MEMCPY2D {
        srcXInBytes: size(src.at[0]),
        srcY: size(src.at[1]),
        srcMemoryType: src.memory,
        srcHost: src.host(),
        srcDevice: src.device(),
        srcArray: array(src.array),
        srcPitch: size(src.pitch),
        dstXInBytes: size(dst.at[0]),
        dstY: size(dst.at[1]),
        dstMemoryType: dst.memory,
        dstHost: dst.host(),
        dstDevice: dst.device(),
        dstArray: array(dst.array),
        dstPitch: size(dst.pitch),
        WidthInBytes: size(copy.width),
        Height: size(copy.height),
    }
}

pub(super) fn volume_struct(copy: &Volume) -> CUDA_MEMCPY3D {
    let (dst, src) = (part(&copy.dst), part(&copy.src));
    CUDA_MEMCPY3D {
        srcXInBytes: size(src.at[0]),
        srcY: size(src.at[1]),
        srcZ: size(src.at[2]),
        srcMemoryType: src.memory,
        srcHost: src.host(),
        srcDevice: src.device(),
        srcArray: array(src.array),
        srcPitch: size(src.pitch),
        srcHeight: size(src.rows),
        dstXInBytes: size(dst.at[0]),
        dstY: size(dst.at[1]),
        dstZ: size(dst.at[2]),
        dstMemoryType: dst.memory,
        dstHost: dst.host(),
        dstDevice: dst.device(),
        dstArray: array(dst.array),
        dstPitch: size(dst.pitch),
        dstHeight: size(dst.rows),
        WidthInBytes: size(copy.width),
        Height: size(copy.height),
        Depth: size(copy.depth),
        ..CUDA_MEMCPY3D::default()
    }
}

/// One side of the runtime's structure: array, position, pointer.
pub(super) fn runtime_part(
    place: &Place,
    element: u64,
    copy: &Volume,
) -> (cudaArray_t, cudaPos, cudaPitchedPtr) {
    let found = part(place);
    let unit = if found.array == 0 { 1 } else { element.max(1) };
    let position = cudaPos {
        x: size(found.at[0] / unit),
        y: size(found.at[1]),
        z: size(found.at[2]),
    };
    let pitched = cudaPitchedPtr {
        ptr: pointer(found.address),
        pitch: size(found.pitch),
        xsize: size(copy.width),
        ysize: size(found.rows),
    };
    (runtime_array(found.array), position, pitched)
}

pub(super) fn parms(copy: &Volume, element: u64) -> cudaMemcpy3DParms {
    let (dst_array, dst_pos, dst_ptr) = runtime_part(&copy.dst, element, copy);
    let (src_array, src_pos, src_ptr) = runtime_part(&copy.src, element, copy);
    // With an array on either side the extent counts elements.
    let unit = if dst_array.is_null() && src_array.is_null() {
        1
    } else {
        element.max(1)
    };
    cudaMemcpy3DParms {
        srcArray: src_array,
        srcPos: src_pos,
        srcPtr: src_ptr,
        dstArray: dst_array,
        dstPos: dst_pos,
        dstPtr: dst_ptr,
        extent: cudaExtent {
            width: size(copy.width / unit),
            height: size(copy.height),
            depth: size(copy.depth),
        },
        kind: kind_of(copy.kind),
    }
}
