//! Memory of every kind, for reproducers.

use super::stage::{Skip, Stage, done};
use crate::Class;
use core::ffi::c_void;
use core::ptr;
use cuda_sys::driver::{
    CUDA_ARRAY_DESCRIPTOR, CUarray_format, CUmemAccess_flags, CUmemAccessDesc,
    CUmemAllocationHandleType, CUmemAllocationProp, CUmemAllocationProp_st__bindgen_ty_1,
    CUmemAllocationType, CUmemLocation, CUmemLocation_st__bindgen_ty_1, CUmemLocationType,
    CUstreamCaptureMode,
};

/// A page, and the granularity of virtual memory on every device so far.
pub(super) const PAGE: u64 = 4096;
/// Bytes of an element of the arrays.
pub(super) const ELEMENT: u64 = 4;
pub(super) const GRAIN: u64 = 2 << 20;

pub(super) fn pointer(address: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0))
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn at_device(device: i32) -> CUmemLocation {
    CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 { id: device },
    }
}

/// Host memory of the heap, never given back.
pub(super) fn heap(bytes: u64) -> u64 {
    let memory = vec![0_u64; size(bytes.div_ceil(8))].leak();
    memory.as_mut_ptr().expose_provenance() as u64
}

/// Pages of host memory with these permissions, and one behind them that nobody may touch.
pub(super) fn pages(count: u64, permissions: i32) -> Result<u64, Skip> {
    let bytes = size((count + 1) * PAGE);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(Skip::Needs("memory"));
    }
    // SAFETY: these pages were mapped a moment ago, and nobody uses them yet.
    if unsafe { libc::mprotect(start, size(count * PAGE), permissions) } != 0 {
        return Err(Skip::Needs("memory"));
    }
    Ok(start.expose_provenance() as u64)
}

pub(super) const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

impl Stage {
    /// `cuMemAlloc`.
    pub(super) fn device(&self, bytes: u64) -> Result<u64, Skip> {
        let start = self.allocate(bytes)?;
        self.born(Class::Device, start, bytes, "cuMemAlloc");
        Ok(start)
    }

    /// `cuMemAlloc` in the current context, of which the registry is not told.
    pub(super) fn allocate(&self, bytes: u64) -> Result<u64, Skip> {
        let mut start = 0;
        // SAFETY: `start` is a live pointer value and the driver writes nothing past it.
        let status = unsafe { self.driver.cuMemAlloc_v2(&raw mut start, size(bytes)) };
        done("cuMemAlloc", status)?;
        Ok(start)
    }

    /// `cuMemFree`.
    pub(super) fn free(&self, start: u64) -> Result<(), Skip> {
        // SAFETY: the memory was allocated here, and nothing but a wrong call uses it afterwards.
        done("cuMemFree", unsafe { self.driver.cuMemFree_v2(start) })?;
        self.died(start, "cuMemFree");
        Ok(())
    }

    /// `cuMemAllocPitch`: the address and the pitch.
    pub(super) fn pitched(&self, width: u64, height: u64) -> Result<(u64, u64), Skip> {
        let (mut start, mut pitch) = (0, 0);
        // SAFETY: both are live numbers and the driver writes nothing past them.
        let status = unsafe {
            self.driver.cuMemAllocPitch_v2(
                &raw mut start,
                &raw mut pitch,
                size(width),
                size(height),
                4,
            )
        };
        done("cuMemAllocPitch", status)?;
        let pitch = pitch as u64;
        let bytes = pitch * height;
        self.born_with(Class::Device, start, bytes, "cuMemAllocPitch", |owner| {
            owner.pitch = Some(pitch);
            owner.row = Some(width);
        });
        Ok((start, pitch))
    }

    /// `cuMemHostAlloc`.
    pub(super) fn pinned(&self, bytes: u64) -> Result<u64, Skip> {
        let mut start = ptr::null_mut();
        // SAFETY: `start` is a live pointer and the driver writes nothing past it.
        let status = unsafe { self.driver.cuMemHostAlloc(&raw mut start, size(bytes), 0) };
        done("cuMemHostAlloc", status)?;
        let start = start.expose_provenance() as u64;
        self.born(Class::Pinned, start, bytes, "cuMemHostAlloc");
        Ok(start)
    }

    /// `cuMemAllocManaged`.
    pub(super) fn managed(&self, bytes: u64) -> Result<u64, Skip> {
        const EVERYWHERE: u32 = 1;
        let mut start = 0;
        // SAFETY: `start` is alive and the driver writes nothing past it.
        let status = unsafe {
            self.driver
                .cuMemAllocManaged(&raw mut start, size(bytes), EVERYWHERE)
        };
        done("cuMemAllocManaged", status)?;
        self.born(Class::Managed, start, bytes, "cuMemAllocManaged");
        Ok(start)
    }

    /// `cuMemAllocAsync` on the default stream, waited for.
    pub(super) fn pool(&self, bytes: u64) -> Result<u64, Skip> {
        let start = self.allocate_in_order(bytes)?;
        self.born(Class::Pool, start, bytes, "cuMemAllocAsync");
        Ok(start)
    }

    /// The same in the current context, of which the registry is not told.
    pub(super) fn allocate_in_order(&self, bytes: u64) -> Result<u64, Skip> {
        let mut start = 0;
        // SAFETY: `start` is a live pointer value; the default stream always exists.
        let status = unsafe {
            self.driver
                .cuMemAllocAsync(&raw mut start, size(bytes), ptr::null_mut())
        };
        done("cuMemAllocAsync", status)?;
        self.wait()?;
        Ok(start)
    }

    /// `cuMemHostRegister`.
    pub(super) fn register(&self, start: u64, bytes: u64, flags: u32) -> Result<(), Skip> {
        // SAFETY: the pages were mapped here and are never unmapped.
        let status = unsafe {
            self.driver
                .cuMemHostRegister_v2(pointer(start), size(bytes), flags)
        };
        done("cuMemHostRegister", status)?;
        self.born_with(
            Class::Registered,
            start,
            bytes,
            "cuMemHostRegister",
            |owner| {
                if flags & 8 != 0 {
                    owner.access = crate::facts::Access::Read;
                }
            },
        );
        Ok(())
    }

    /// `cuMemAddressReserve`.
    pub(super) fn reserve(&self, bytes: u64) -> Result<u64, Skip> {
        let mut start = 0;
        // SAFETY: `start` is a live pointer value and the driver writes nothing past it.
        let status = unsafe {
            self.driver
                .cuMemAddressReserve(&raw mut start, size(bytes), 0, 0, 0)
        };
        done("cuMemAddressReserve", status)?;
        Ok(start)
    }

    /// `cuMemCreate` and `cuMemMap` of one grain.
    pub(super) fn map(&self, start: u64) -> Result<(), Skip> {
        self.map_of(0, start)
    }

    /// The same with memory of this device.
    pub(super) fn map_of(&self, device: i32, start: u64) -> Result<(), Skip> {
        let wanted = CUmemAllocationProp {
            type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
            requestedHandleTypes: CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_NONE,
            location: at_device(device),
            win32HandleMetaData: ptr::null_mut(),
            allocFlags: CUmemAllocationProp_st__bindgen_ty_1::default(),
        };
        let mut handle = 0;
        // SAFETY: `handle` and `wanted` are alive and of the driver's types.
        let status = unsafe {
            self.driver
                .cuMemCreate(&raw mut handle, size(GRAIN), &raw const wanted, 0)
        };
        done("cuMemCreate", status)?;
        // SAFETY: the addresses were reserved here, and nothing is mapped there.
        let status = unsafe { self.driver.cuMemMap(start, size(GRAIN), 0, handle, 0) };
        done("cuMemMap", status)
    }

    /// `cuMemSetAccess` of one grain for device 0.
    pub(super) fn allow(&self, start: u64) -> Result<(), Skip> {
        self.allow_for(0, start)
    }

    /// The same for this device.
    pub(super) fn allow_for(&self, device: i32, start: u64) -> Result<(), Skip> {
        let access = CUmemAccessDesc {
            location: at_device(device),
            flags: CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        };
        // SAFETY: the range was mapped here; `access` is alive.
        let status = unsafe {
            self.driver
                .cuMemSetAccess(start, size(GRAIN), &raw const access, 1)
        };
        done("cuMemSetAccess", status)
    }

    /// `cuStreamCreate`, known to the registry.
    pub(super) fn stream(&self) -> Result<u64, Skip> {
        let mut stream = ptr::null_mut();
        // SAFETY: `stream` is a live handle and the driver writes nothing past it.
        let status = unsafe { self.driver.cuStreamCreate(&raw mut stream, 0) };
        done("cuStreamCreate", status)?;
        let handle = stream.expose_provenance() as u64;
        self.registry().stream_created(handle);
        Ok(handle)
    }

    /// Tells the registry that a stream was destroyed. It is, right before the call is made: what a
    /// dead handle comes to depends on who has the memory that it leads to, and so nobody has it yet.
    pub(super) fn end_stream(&self, handle: u64) {
        self.registry().stream_destroyed(handle);
        self.doomed.set(Some(handle));
    }

    /// `cuStreamDestroy` of a stream that is said to be destroyed.
    pub(super) fn destroy_doomed(&self) -> Result<(), Skip> {
        let Some(handle) = self.doomed.take() else {
            return Ok(());
        };
        // SAFETY: the stream was created here, and nothing but a wrong call uses it afterwards.
        let status = unsafe { self.driver.cuStreamDestroy_v2(pointer(handle).cast()) };
        done("cuStreamDestroy", status)
    }

    /// Begins a capture that [`Stage::tidy`] ends.
    pub(super) fn capture(&self) -> Result<u64, Skip> {
        let handle = self.stream()?;
        let stream = pointer(handle).cast();
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: the stream was created a moment ago and does not capture.
        let status = unsafe { self.driver.cuStreamBeginCapture_v2(stream, mode) };
        done("cuStreamBeginCapture", status)?;
        self.capturing.set(Some(stream));
        Ok(handle)
    }

    /// A float array of 64 x 16.
    pub(super) fn array(&self) -> Result<u64, Skip> {
        let wanted = CUDA_ARRAY_DESCRIPTOR {
            Width: 64,
            Height: 16,
            Format: CUarray_format::CU_AD_FORMAT_FLOAT,
            NumChannels: 1,
        };
        let mut array = ptr::null_mut();
        // SAFETY: `array` and `wanted` are alive and of the driver's types.
        let status = unsafe {
            self.driver
                .cuArrayCreate_v2(&raw mut array, &raw const wanted)
        };
        done("cuArrayCreate", status)?;
        let handle = array.expose_provenance() as u64;
        self.registry().array_created(handle);
        Ok(handle)
    }

    /// Memory of a context that is destroyed again.
    pub(super) fn orphan(&self, bytes: u64) -> Result<u64, Skip> {
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a live handle and the driver writes nothing past it.
        let status = unsafe { self.driver.cuCtxCreate_v2(&raw mut context, 0, 0) };
        done("cuCtxCreate", status)?;
        let start = self.device(bytes);
        // SAFETY: the context was created here and nothing uses it afterwards.
        let status = unsafe { self.driver.cuCtxDestroy_v2(context) };
        done("cuCtxDestroy", status)?;
        self.enter()?;
        let start = start?;
        let how = crate::registry::Freed::by("cuCtxDestroy", crate::Site::Unknown);
        self.registry().reset(&how, |owner| {
            owner.range.is_some_and(|range| range.start == start)
        });
        Ok(start)
    }
}
