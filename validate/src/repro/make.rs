//! A call as data becomes a call.

use super::make_runtime as runtime;
use super::scenery::pointer;
use super::stage::{Skip, Stage};
use crate::call::{Action, Batch, Fill, Linear, Place, Side, Volume};
use crate::{Api, Call, Order, Stream};
use cuda_sys::driver::{
    CUDA_MEMCPY2D, CUDA_MEMCPY3D, CUarray, CUdeviceptr, CUipcMemHandle, CUmemLocation,
    CUmemLocation_st__bindgen_ty_1, CUmemLocationType, CUmemcpyAttributes,
    CUmemcpySrcAccessOrder_enum, CUmemorytype, CUmemorytype_enum, CUstream,
};
use cuda_sys::runtime::Runtime;

pub(super) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

pub(super) fn stream_of(call: &Call) -> CUstream {
    let raw = match call.stream() {
        Stream::Legacy => 0,
        Stream::PerThread => 2,
        Stream::Handle(handle) => handle,
    };
    pointer(raw).cast()
}

impl Stage {
    /// Makes a call and returns CUDA's status. The call may kill the process: that is what it is for.
    ///
    /// # Errors
    ///
    /// [`Skip`] for a call that this function cannot make.
    pub fn make(&self, call: &Call) -> Result<u32, Skip> {
        self.destroy_doomed()?;
        match (&call.action, call.api) {
            (Action::Copy(copy), Api::Driver) => self.line(call, copy),
            (Action::Copy(copy), Api::Runtime) => runtime::line(self.runtime()?, call, copy),
            (Action::Copy2D(copy), Api::Runtime) => Ok(runtime::plane(self.runtime()?, copy)),
            (Action::Copy3D(copy), Api::Driver) => self.volume(copy),
            (Action::Copy3D(copy), Api::Runtime) => runtime::volume(self.runtime()?, call, copy),
            (Action::Peer(copy), Api::Runtime) => Ok(runtime::peer(self.runtime()?, copy)),
            (Action::Symbol(copy), Api::Runtime) => {
                Ok(runtime::symbol(self.runtime()?, call, copy))
            }
            (Action::Batch(batch), Api::Driver) => self.batch(call, batch),
            (Action::Batch3D(batch), _) => self.boxes(call, batch),
            (Action::Fill(fill), Api::Driver) => self.fill(fill),
            (Action::Register(register), Api::Driver) => {
                let at = pointer(register.address);
                // SAFETY: a wrong range is refused; a right one is mapped for the process's life.
                let status = unsafe {
                    self.driver
                        .cuMemHostRegister_v2(at, size(register.bytes), register.flags)
                };
                Ok(status.0)
            }
            (Action::Unregister { address }, Api::Driver) => {
                // SAFETY: the driver looks the address up and refuses what is not registered.
                let status = unsafe { self.driver.cuMemHostUnregister(pointer(*address)) };
                Ok(status.0)
            }
            (Action::Export(export), Api::Driver) => {
                let mut handle = CUipcMemHandle::default();
                // SAFETY: `handle` is alive; the address is looked up, not followed.
                let status = unsafe {
                    self.driver
                        .cuIpcGetMemHandle(&raw mut handle, export.address)
                };
                Ok(status.0)
            }
            _ => Err(Skip::Needs("another way to make this call")),
        }
    }

    pub(super) fn runtime(&self) -> Result<&'static Runtime, Skip> {
        self.runtime.ok_or(Skip::Needs("the runtime"))
    }

    fn line(&self, call: &Call, copy: &Linear) -> Result<u32, Skip> {
        let (dst, src, bytes) = (copy.dst, copy.src, size(copy.bytes));
        let stream = stream_of(call);
        let table = self.driver;
        let queued = matches!(call.order, Order::Async(_));
        let status = match (call.function, queued) {
            // SAFETY: whatever the operands are, the driver's answer is what is wanted.
            ("cuMemcpyHtoD", _) => unsafe { table.cuMemcpyHtoD_v2(dst, pointer(src), bytes) },
            // SAFETY: as above.
            ("cuMemcpyDtoH", _) => unsafe { table.cuMemcpyDtoH_v2(pointer(dst), src, bytes) },
            // SAFETY: as above.
            ("cuMemcpyDtoD", _) => unsafe { table.cuMemcpyDtoD_v2(dst, src, bytes) },
            // SAFETY: as above.
            ("cuMemcpy", _) => unsafe { table.cuMemcpy(dst, src, bytes) },
            // SAFETY: as above; the operands live as long as the process.
            ("cuMemcpyHtoDAsync", true) => unsafe {
                table.cuMemcpyHtoDAsync_v2(dst, pointer(src), bytes, stream)
            },
            // SAFETY: as above.
            ("cuMemcpyDtoHAsync", true) => unsafe {
                table.cuMemcpyDtoHAsync_v2(pointer(dst), src, bytes, stream)
            },
            _ => return Err(Skip::Needs("another way to make this call")),
        };
        Ok(status.0)
    }

    fn volume(&self, copy: &Volume) -> Result<u32, Skip> {
        let (Some(dst), Some(src)) = (end(&copy.dst), end(&copy.src)) else {
            return Err(Skip::Needs("another way to make this call"));
        };
        let status = if copy.is_plane {
            let parameters = CUDA_MEMCPY2D {
                srcXInBytes: src.x,
                srcY: src.y,
                srcMemoryType: src.kind,
                srcHost: pointer(src.address),
                srcDevice: src.address,
                srcArray: src.array,
                srcPitch: src.pitch,
                dstXInBytes: dst.x,
                dstY: dst.y,
                dstMemoryType: dst.kind,
                dstHost: pointer(dst.address),
                dstDevice: dst.address,
                dstArray: dst.array,
                dstPitch: dst.pitch,
                WidthInBytes: size(copy.width),
                Height: size(copy.height),
            };
            // SAFETY: `parameters` is alive; whatever it says, the driver's answer is wanted.
            unsafe { self.driver.cuMemcpy2DUnaligned_v2(&raw const parameters) }
        } else {
            let parameters = CUDA_MEMCPY3D {
                srcXInBytes: src.x,
                srcY: src.y,
                srcZ: src.z,
                srcLOD: 0,
                srcMemoryType: src.kind,
                srcHost: pointer(src.address),
                srcDevice: src.address,
                srcArray: src.array,
                reserved0: core::ptr::null_mut(),
                srcPitch: src.pitch,
                srcHeight: src.rows,
                dstXInBytes: dst.x,
                dstY: dst.y,
                dstZ: dst.z,
                dstLOD: 0,
                dstMemoryType: dst.kind,
                dstHost: pointer(dst.address),
                dstDevice: dst.address,
                dstArray: dst.array,
                reserved1: core::ptr::null_mut(),
                dstPitch: dst.pitch,
                dstHeight: dst.rows,
                WidthInBytes: size(copy.width),
                Height: size(copy.height),
                Depth: size(copy.depth),
            };
            // SAFETY: as above.
            unsafe { self.driver.cuMemcpy3D_v2(&raw const parameters) }
        };
        Ok(status.0)
    }

    fn fill(&self, fill: &Fill) -> Result<u32, Skip> {
        let (count, table) = (size(fill.width), self.driver);
        let byte = u8::try_from(fill.value & 0xff).unwrap_or(0);
        let half = u16::try_from(fill.value & 0xffff).unwrap_or(0);
        let status = match (fill.element, fill.height) {
            // SAFETY: whatever the range is, the driver's answer is what is wanted.
            (1, 1) => unsafe { table.cuMemsetD8_v2(fill.dst, byte, count) },
            // SAFETY: as above.
            (2, 1) => unsafe { table.cuMemsetD16_v2(fill.dst, half, count) },
            // SAFETY: as above.
            (4, 1) => unsafe { table.cuMemsetD32_v2(fill.dst, fill.value, count) },
            _ => return Err(Skip::Needs("another way to make this call")),
        };
        Ok(status.0)
    }

    fn batch(&self, call: &Call, batch: &Batch) -> Result<u32, Skip> {
        let mut dsts: Vec<CUdeviceptr> = batch.entries.iter().map(|one| one.dst).collect();
        let mut srcs: Vec<CUdeviceptr> = batch.entries.iter().map(|one| one.src).collect();
        let mut sizes: Vec<usize> = batch.entries.iter().map(|one| size(one.bytes)).collect();
        let mut from: Vec<usize> = batch.attributes.iter().map(|one| size(one.from)).collect();
        let nowhere = CUmemLocation {
            type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_INVALID,
            __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 { id: 0 },
        };
        let attribute = |order| CUmemcpyAttributes {
            srcAccessOrder: CUmemcpySrcAccessOrder_enum(order),
            srcLocHint: nowhere,
            dstLocHint: nowhere,
            flags: 0,
        };
        let orders = batch
            .attributes
            .iter()
            .map(|one| attribute(one.source_access));
        let mut attributes: Vec<CUmemcpyAttributes> = orders.collect();
        let stream = stream_of(call);
        if self.driver.has("cuMemcpyBatchAsync_v2") {
            // SAFETY: all lists are alive and as long as is said.
            let status = unsafe {
                self.driver.cuMemcpyBatchAsync_v2(
                    dsts.as_mut_ptr(),
                    srcs.as_mut_ptr(),
                    sizes.as_mut_ptr(),
                    sizes.len(),
                    attributes.as_mut_ptr(),
                    from.as_mut_ptr(),
                    attributes.len(),
                    stream,
                )
            };
            return Ok(status.0);
        }
        if !self.driver.has("cuMemcpyBatchAsync") {
            return Err(Skip::Needs("a driver for CUDA 12.8"));
        }
        let mut failed = 0;
        // SAFETY: all lists are alive and as long as is said, and so is `failed`.
        let status = unsafe {
            self.driver.cuMemcpyBatchAsync(
                dsts.as_mut_ptr(),
                srcs.as_mut_ptr(),
                sizes.as_mut_ptr(),
                sizes.len(),
                attributes.as_mut_ptr(),
                from.as_mut_ptr(),
                attributes.len(),
                &raw mut failed,
                stream,
            )
        };
        Ok(status.0)
    }
}

/// One side of a copy structure.
struct End {
    kind: CUmemorytype,
    address: u64,
    array: CUarray,
    pitch: usize,
    rows: usize,
    x: usize,
    y: usize,
    z: usize,
}

fn end(place: &Place) -> Option<End> {
    match *place {
        Place::Memory {
            side,
            address,
            pitch,
            rows,
            x,
            y,
            z,
        } => Some(End {
            kind: match side {
                Side::Host => CUmemorytype::CU_MEMORYTYPE_HOST,
                Side::Device => CUmemorytype::CU_MEMORYTYPE_DEVICE,
                Side::Unified | Side::ByKind => CUmemorytype::CU_MEMORYTYPE_UNIFIED,
                Side::Invalid(raw) => CUmemorytype_enum(raw),
            },
            address,
            array: core::ptr::null_mut(),
            pitch: size(pitch),
            rows: size(rows),
            x: size(x),
            y: size(y),
            z: size(z),
        }),
        Place::Array { handle, x, y, z } => Some(End {
            kind: CUmemorytype::CU_MEMORYTYPE_ARRAY,
            address: 0,
            array: pointer(handle).cast(),
            pitch: 0,
            rows: 0,
            x: size(x),
            y: size(y),
            z: size(z),
        }),
        Place::Both { .. } | Place::Neither => None,
    }
}
