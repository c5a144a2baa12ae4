//! What a process makes once: streams, a module, arrays, virtual memory, a pool.

use core::ffi::{c_uint, c_void};
use core::ptr;

use cuda_sys::driver::{
    CUDA_ARRAY3D_DESCRIPTOR, CUarray_format, CUcontext, CUdevice, CUmemAccess_flags,
    CUmemAccessDesc, CUmemAllocationProp, CUmemAllocationType, CUmemLocation, CUmemLocationType,
    CUmemPoolProps, CUresult, CUstream, Driver,
};
use cuwhy_validate::Class;

use super::{Array, Base, Side, need, object};
use crate::truth::execute::{cuda, size};

/// Granularity of virtual memory on every device so far.
pub(super) const GRANULE: u64 = 2 << 20;

const PTX: &core::ffi::CStr = c".version 7.0
.target sm_70
.address_size 64
.visible .global .align 4 .b8 ga[256];
.visible .global .align 4 .u32 gb = 77;
.visible .const .align 4 .b8 ca[64];
.visible .global .align 8 .b8 gc[1000];
";

pub(super) fn at_device(device: CUdevice) -> CUmemLocation {
    let mut location = CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        ..CUmemLocation::default()
    };
    location.__bindgen_anon_1.id = device;
    location
}

/// What a pool on a device is made as.
pub(super) fn pool_on(device: CUdevice) -> CUmemPoolProps {
    CUmemPoolProps {
        allocType: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        location: at_device(device),
        ..CUmemPoolProps::default()
    }
}

impl Base {
    /// Makes what needs long: streams, a module, arrays, virtual memory. The device's context is current.
    pub(in crate::truth) fn new(
        driver: &'static Driver,
        device: CUdevice,
        context: CUcontext,
    ) -> Result<Self, String> {
        let mut base = Self {
            driver,
            device,
            context,
            second: None,
            arrays: Vec::new(),
            variables: Vec::new(),
            blocking: 0,
            nonblocking: 0,
            other: 0,
            doomed: 0,
            pool: ptr::null_mut(),
            shared_pool: ptr::null_mut(),
            objects: Vec::new(),
            notes: Vec::new(),
        };
        base.blocking = base.stream(0)?;
        base.nonblocking = base.stream(1)?;
        base.other = base.stream(0)?;
        base.symbols()?;
        base.arrays()?;
        base.virtual_memory()?;
        base.explicit_pool();
        Ok(base)
    }

    fn stream(&self, flags: c_uint) -> Result<u64, String> {
        let mut stream: CUstream = ptr::null_mut();
        need(
            "cuStreamCreate",
            cuda!(self.driver.cuStreamCreate(&raw mut stream, flags)),
        )?;
        Ok(stream.expose_provenance() as u64)
    }

    fn symbols(&mut self) -> Result<(), String> {
        let mut module = ptr::null_mut();
        let image = PTX.as_ptr().cast::<c_void>();
        need(
            "cuModuleLoadData",
            cuda!(self.driver.cuModuleLoadData(&raw mut module, image)),
        )?;
        for (name, class) in [
            (c"ga", "symbol"),
            (c"ca", "symbol_const"),
            (c"gc", "symbol"),
        ] {
            let (mut address, mut bytes) = (0, 0_usize);
            need(
                "cuModuleGetGlobal",
                cuda!(self.driver.cuModuleGetGlobal_v2(
                    &raw mut address,
                    &raw mut bytes,
                    module,
                    name.as_ptr()
                )),
            )?;
            self.objects
                .push(object(class, address, bytes as u64, Side::Device));
            self.notes.push((Class::Symbol, 0, address, bytes as u64));
        }
        Ok(())
    }

    fn arrays(&mut self) -> Result<(), String> {
        let float = (CUarray_format::CU_AD_FORMAT_FLOAT, 1, 4);
        let bytes = (CUarray_format::CU_AD_FORMAT_UNSIGNED_INT8, 2, 2);
        let wide = (CUarray_format::CU_AD_FORMAT_FLOAT, 4, 16);
        for (class, (format, channels, element), width, height, depth) in [
            ("array_1d", float, 64_u64, 0_u64, 0_u64),
            ("array_2d", float, 64, 16, 0),
            ("array_2d", bytes, 64, 16, 0),
            ("array_2d", wide, 24, 5, 0),
            ("array_3d", float, 8, 4, 3),
        ] {
            let descriptor = CUDA_ARRAY3D_DESCRIPTOR {
                Width: size(width),
                Height: size(height),
                Depth: size(depth),
                Format: format,
                NumChannels: channels,
                Flags: 0,
            };
            let mut array = ptr::null_mut();
            need(
                "cuArray3DCreate",
                cuda!(
                    self.driver
                        .cuArray3DCreate_v2(&raw mut array, &raw const descriptor)
                ),
            )?;
            self.arrays.push(Array {
                class,
                device: 0,
                handle: array.expose_provenance() as u64,
                row: width * element,
                height: height.max(1),
                depth: depth.max(1),
                element,
            });
        }
        Ok(())
    }

    /// Reservations with mapped parts, some of which nobody may use.
    fn virtual_memory(&mut self) -> Result<(), String> {
        // Two handles side by side, then nothing.
        let pair = self.reserve(3)?;
        self.map(pair, CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE)?;
        self.map(
            pair + GRANULE,
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        )?;
        self.objects
            .push(object("virtual_pair", pair, 2 * GRANULE, Side::Device));
        self.objects.push(object(
            "virtual_reserved",
            pair + 2 * GRANULE,
            GRANULE,
            Side::Bad,
        ));
        // A hole between two mapped parts.
        let hole = self.reserve(3)?;
        self.map(hole, CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE)?;
        self.map(
            hole + 2 * GRANULE,
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        )?;
        self.objects
            .push(object("virtual", hole, GRANULE, Side::Device));
        self.objects
            .push(object("virtual_hole", hole + GRANULE, GRANULE, Side::Bad));
        self.objects
            .push(object("virtual", hole + 2 * GRANULE, GRANULE, Side::Device));
        // Mapped without access, beside a mapped part with access.
        let closed = self.reserve(2)?;
        self.map(
            closed,
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        )?;
        self.map(
            closed + GRANULE,
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE,
        )?;
        self.objects
            .push(object("virtual", closed, GRANULE, Side::Device));
        self.objects.push(object(
            "virtual_noaccess",
            closed + GRANULE,
            GRANULE,
            Side::Bad,
        ));
        // Read alone.
        let read = self.reserve(1)?;
        if self
            .map(read, CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ)
            .is_ok()
        {
            let mut one = object("virtual_readonly", read, GRANULE, Side::Device);
            one.writable = false;
            self.objects.push(one);
        }
        Ok(())
    }

    pub(super) fn reserve(&self, granules: u64) -> Result<u64, String> {
        let mut base = 0;
        need(
            "cuMemAddressReserve",
            cuda!(self.driver.cuMemAddressReserve(
                &raw mut base,
                size(granules * GRANULE),
                0,
                0,
                0
            )),
        )?;
        Ok(base)
    }

    pub(super) fn map(&self, at: u64, access: CUmemAccess_flags) -> Result<(), String> {
        let properties = CUmemAllocationProp {
            type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
            location: at_device(self.device),
            ..CUmemAllocationProp::default()
        };
        let mut handle = 0;
        need(
            "cuMemCreate",
            cuda!(self.driver.cuMemCreate(
                &raw mut handle,
                size(GRANULE),
                &raw const properties,
                0
            )),
        )?;
        need(
            "cuMemMap",
            cuda!(self.driver.cuMemMap(at, size(GRANULE), 0, handle, 0)),
        )?;
        if access == CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE {
            return Ok(());
        }
        self.set_access(at, self.device, access)
    }

    /// Says what a device may do with a granule that is mapped.
    pub(super) fn set_access(
        &self,
        at: u64,
        device: CUdevice,
        access: CUmemAccess_flags,
    ) -> Result<(), String> {
        let descriptor = CUmemAccessDesc {
            location: at_device(device),
            flags: access,
        };
        need(
            "cuMemSetAccess",
            cuda!(
                self.driver
                    .cuMemSetAccess(at, size(GRANULE), &raw const descriptor, 1)
            ),
        )
    }

    fn explicit_pool(&mut self) {
        let properties = pool_on(self.device);
        let mut pool = ptr::null_mut();
        let status = cuda!(
            self.driver
                .cuMemPoolCreate(&raw mut pool, &raw const properties)
        );
        if status == CUresult::CUDA_SUCCESS {
            self.pool = pool;
        }
    }

    /// A stream that will be destroyed right before it is used, so that nothing lies yet where its handle leads.
    pub(in crate::truth) fn doomed_stream(&mut self) -> u64 {
        if self.doomed == 0 {
            self.doomed = self.stream(0).unwrap_or(0);
        }
        self.doomed
    }

    /// Destroys it.
    pub(in crate::truth) fn doom(&mut self) {
        let stream = ptr::with_exposed_provenance_mut(size(self.doomed));
        self.doomed = 0;
        let _ = cuda!(self.driver.cuStreamDestroy_v2(stream));
    }
}
