//! Makes a call, right or wrong, exactly as it was drawn.

mod boxes;
mod pair;
mod runtime;

use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{
    CUDA_MEMCPY2D, CUDA_MEMCPY3D, CUarray, CUcontext, CUmemcpyAttributes, CUmemorytype,
    CUmemorytype_enum, CUresult, CUstream, Driver, cudaError_enum,
};
use cuda_sys::runtime::{
    Runtime, cudaArray_t, cudaExtent, cudaMemcpy3DParms, cudaMemcpyKind, cudaPitchedPtr, cudaPos,
};
use cuwhy_validate::Kind;
use cuwhy_validate::call::{Action, Batch, Fill, Linear, Place, Side, Volume};

/// Calls CUDA.
macro_rules! cuda {
    ($call:expr) => {{
        // SAFETY: what this program is for: operands may be wrong, but then CUDA refuses them or this
        // process dies, as it is prepared to; every other argument is a live local of the C type.
        unsafe { $call }
    }};
}
pub(super) use cuda;

/// A number of bytes as C counts them.
pub(super) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// An address as a pointer.
pub(super) fn pointer(address: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut(size(address))
}

/// The libraries and the context that calls are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hands {
    pub(super) driver: &'static Driver,
    pub(super) runtime: Option<&'static Runtime>,
    /// The contexts of the devices that take part; of one device twice where there is one.
    pub(super) contexts: [CUcontext; 2],
}

fn array(handle: u64) -> CUarray {
    ptr::with_exposed_provenance_mut(size(handle))
}

fn runtime_array(handle: u64) -> cudaArray_t {
    ptr::with_exposed_provenance_mut(size(handle))
}

fn kind_of(kind: Kind) -> cudaMemcpyKind {
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
struct Part {
    memory: CUmemorytype,
    address: u64,
    array: u64,
    pitch: u64,
    rows: u64,
    at: [u64; 3],
}

fn part(place: &Place) -> Part {
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

fn plane_struct(copy: &Volume) -> CUDA_MEMCPY2D {
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

fn volume_struct(copy: &Volume) -> CUDA_MEMCPY3D {
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
fn runtime_part(
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

fn parms(copy: &Volume, element: u64) -> cudaMemcpy3DParms {
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

/// The status of a call that could not be made because nothing like it was loaded.
const NOT_MADE: u32 = u32::MAX;

impl Hands {
    /// Makes the call; `element` is that of its arrays.
    pub(super) fn make(&self, name: &str, action: &Action, stream: u64, element: u64) -> u32 {
        if name.starts_with("cuda") {
            let Some(runtime) = self.runtime else {
                return NOT_MADE;
            };
            return runtime::make_runtime(runtime, name, action, stream, element).0;
        }
        self.make_driver(name, action, stream, element).0
    }

    fn make_driver(&self, name: &str, action: &Action, stream: u64, element: u64) -> CUresult {
        let driver = self.driver;
        let stream: CUstream = ptr::with_exposed_provenance_mut(size(stream));
        match action {
            Action::Copy(copy) => line(driver, name, copy, stream),
            Action::Copy3D(copy) => boxed(driver, name, copy, stream),
            Action::Peer(copy) => self.peer(name, copy, stream),
            Action::Peer3D(copy) => self.peer_volume(name, copy, stream),
            Action::Batch(batch) => batched(driver, name, batch, stream),
            Action::Batch3D(batch) => boxes::driver(driver, name, batch, stream, element),
            Action::Fill(fill) => filled(driver, name, fill, stream),
            Action::Register(one) => {
                cuda!(driver.cuMemHostRegister_v2(pointer(one.address), size(one.bytes), one.flags))
            }
            Action::Unregister { address } => cuda!(driver.cuMemHostUnregister(pointer(*address))),
            _ => cudaError_enum(NOT_MADE),
        }
    }
}

fn line(driver: &Driver, name: &str, copy: &Linear, stream: CUstream) -> CUresult {
    let (to, from, bytes) = (copy.dst, copy.src, size(copy.bytes));
    match name {
        "cuMemcpy" => cuda!(driver.cuMemcpy(to, from, bytes)),
        "cuMemcpyHtoD" => cuda!(driver.cuMemcpyHtoD_v2(to, pointer(from), bytes)),
        "cuMemcpyDtoH" => cuda!(driver.cuMemcpyDtoH_v2(pointer(to), from, bytes)),
        "cuMemcpyDtoD" => cuda!(driver.cuMemcpyDtoD_v2(to, from, bytes)),
        "cuMemcpyAsync" => cuda!(driver.cuMemcpyAsync(to, from, bytes, stream)),
        "cuMemcpyHtoDAsync" => cuda!(driver.cuMemcpyHtoDAsync_v2(to, pointer(from), bytes, stream)),
        "cuMemcpyDtoHAsync" => cuda!(driver.cuMemcpyDtoHAsync_v2(pointer(to), from, bytes, stream)),
        "cuMemcpyDtoDAsync" => cuda!(driver.cuMemcpyDtoDAsync_v2(to, from, bytes, stream)),
        _ => cudaError_enum(NOT_MADE),
    }
}

fn boxed(driver: &Driver, name: &str, copy: &Volume, stream: CUstream) -> CUresult {
    let plane = plane_struct(copy);
    let volume = volume_struct(copy);
    let (to, from) = (part(&copy.dst), part(&copy.src));
    let bytes = size(copy.width);
    let (to_at, from_at) = (size(to.at[0]), size(from.at[0]));
    match name {
        "cuMemcpy2D" => cuda!(driver.cuMemcpy2D_v2(&raw const plane)),
        "cuMemcpy2DUnaligned" => cuda!(driver.cuMemcpy2DUnaligned_v2(&raw const plane)),
        "cuMemcpy2DAsync" => cuda!(driver.cuMemcpy2DAsync_v2(&raw const plane, stream)),
        "cuMemcpy3D" => cuda!(driver.cuMemcpy3D_v2(&raw const volume)),
        "cuMemcpy3DAsync" => cuda!(driver.cuMemcpy3DAsync_v2(&raw const volume, stream)),
        "cuMemcpyHtoA" => {
            cuda!(driver.cuMemcpyHtoA_v2(array(to.array), to_at, pointer(from.address), bytes))
        }
        "cuMemcpyDtoA" => {
            cuda!(driver.cuMemcpyDtoA_v2(array(to.array), to_at, from.address, bytes))
        }
        "cuMemcpyAtoH" => {
            cuda!(driver.cuMemcpyAtoH_v2(pointer(to.address), array(from.array), from_at, bytes))
        }
        "cuMemcpyAtoD" => {
            cuda!(driver.cuMemcpyAtoD_v2(to.address, array(from.array), from_at, bytes))
        }
        "cuMemcpyAtoA" => {
            cuda!(driver.cuMemcpyAtoA_v2(array(to.array), to_at, array(from.array), from_at, bytes))
        }
        _ => cudaError_enum(NOT_MADE),
    }
}

fn filled(driver: &Driver, name: &str, fill: &Fill, stream: CUstream) -> CUresult {
    let &Fill { dst, value, .. } = fill;
    let (pitch, width, height) = (size(fill.pitch), size(fill.width), size(fill.height));
    let [low, second, ..] = value.to_le_bytes();
    let half = u16::from_le_bytes([low, second]);
    match name {
        "cuMemsetD8" => cuda!(driver.cuMemsetD8_v2(dst, low, width)),
        "cuMemsetD16" => cuda!(driver.cuMemsetD16_v2(dst, half, width)),
        "cuMemsetD32" => cuda!(driver.cuMemsetD32_v2(dst, value, width)),
        "cuMemsetD8Async" => cuda!(driver.cuMemsetD8Async(dst, low, width, stream)),
        "cuMemsetD16Async" => cuda!(driver.cuMemsetD16Async(dst, half, width, stream)),
        "cuMemsetD32Async" => cuda!(driver.cuMemsetD32Async(dst, value, width, stream)),
        "cuMemsetD2D8" => cuda!(driver.cuMemsetD2D8_v2(dst, pitch, low, width, height)),
        "cuMemsetD2D16" => cuda!(driver.cuMemsetD2D16_v2(dst, pitch, half, width, height)),
        "cuMemsetD2D32" => cuda!(driver.cuMemsetD2D32_v2(dst, pitch, value, width, height)),
        "cuMemsetD2D32Async" => {
            cuda!(driver.cuMemsetD2D32Async(dst, pitch, value, width, height, stream))
        }
        _ => cudaError_enum(NOT_MADE),
    }
}

/// A batch as the C functions take it.
struct Lists {
    to: Vec<u64>,
    from: Vec<u64>,
    bytes: Vec<usize>,
    attributes: Vec<CUmemcpyAttributes>,
    starts: Vec<usize>,
}

impl Lists {
    fn of(batch: &Batch) -> Self {
        let mut lists = Self {
            to: batch.entries.iter().map(|entry| entry.dst).collect(),
            from: batch.entries.iter().map(|entry| entry.src).collect(),
            bytes: batch
                .entries
                .iter()
                .map(|entry| size(entry.bytes))
                .collect(),
            attributes: Vec::new(),
            starts: Vec::new(),
        };
        for attribute in &batch.attributes {
            let mut one = CUmemcpyAttributes::default();
            one.srcAccessOrder.0 = attribute.source_access;
            lists.attributes.push(one);
            lists.starts.push(size(attribute.from));
        }
        lists
    }
}

fn batched(driver: &Driver, name: &str, batch: &Batch, stream: CUstream) -> CUresult {
    let mut lists = Lists::of(batch);
    let (count, attributes) = (lists.to.len(), lists.attributes.len());
    let (to, from) = (lists.to.as_mut_ptr(), lists.from.as_mut_ptr());
    let (bytes, how) = (lists.bytes.as_mut_ptr(), lists.attributes.as_mut_ptr());
    let starts = lists.starts.as_mut_ptr();
    let mut bad = 0_usize;
    if name == "cuMemcpyBatchAsync_v2" {
        cuda!(driver.cuMemcpyBatchAsync_v2(to, from, bytes, count, how, starts, attributes, stream))
    } else {
        cuda!(driver.cuMemcpyBatchAsync(
            to,
            from,
            bytes,
            count,
            how,
            starts,
            attributes,
            &raw mut bad,
            stream
        ))
    }
}
