//! Memory of every class, as one epoch's cases use it.

use core::ffi::{c_uint, c_void};
use core::ptr;

use cuda_sys::driver::{
    CUDA_ARRAY3D_DESCRIPTOR, CUarray_format, CUdevice, CUmemAccess_flags, CUmemAccessDesc,
    CUmemAllocationProp, CUmemAllocationType, CUmemLocation, CUmemLocationType, CUmemPoolProps,
    CUmemoryPool, CUresult, CUstream, Driver,
};
use cuwhy_validate::facts::{Owner, Permissions};
use cuwhy_validate::registry::{Freed, Registry};
use cuwhy_validate::{Class, Site, Span};

use super::execute::{cuda, pointer, size};
use super::fault::Zone;
use super::random::Random;

pub(super) const PAGE: u64 = 4096;
/// Pages without any access behind (and one before) host memory that a wrong copy may leave.
const GUARD: u64 = 16 * PAGE;
/// Granularity of virtual memory on every device so far.
const GRANULE: u64 = 2 << 20;

/// What CUDA may do with an object, and what a processor may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Pageable memory.
    Host,
    /// Device memory.
    Device,
    /// Memory that both reach: pinned, registered, managed.
    Both,
    /// Nothing that a copy should touch.
    Bad,
}

/// Memory, or what looks like it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    /// What is printed as its class.
    pub(super) class: &'static str,
    pub(super) base: u64,
    /// Bytes that may be used.
    pub(super) bytes: u64,
    pub(super) side: Side,
    pub(super) writable: bool,
    /// Memory of this process that copies past the end may touch without harm: all of it, or up to
    /// guard pages that stop them.
    pub(super) fence: Option<Fence>,
}

/// How far copies past the end of host memory may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fence {
    /// The first address that may be touched.
    pub(super) start: u64,
    /// The first address that must not be reached.
    pub(super) end: u64,
    /// Whether guard pages stand before `end`, so that an ascending copy dies in them.
    pub(super) guarded: bool,
}

/// An array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Array {
    pub(super) class: &'static str,
    pub(super) handle: u64,
    /// Bytes of a row.
    pub(super) row: u64,
    pub(super) height: u64,
    pub(super) depth: u64,
    pub(super) element: u64,
}

/// What a process has for all its cases: it never changes.
#[derive(Debug)]
pub(super) struct Base {
    driver: &'static Driver,
    device: CUdevice,
    pub(super) arrays: Vec<Array>,
    pub(super) blocking: u64,
    pub(super) nonblocking: u64,
    pub(super) other: u64,
    doomed: u64,
    pool: CUmemoryPool,
    objects: Vec<Object>,
    notes: Vec<(Class, u64, u64)>,
}

/// The memory of one epoch.
#[derive(Debug)]
pub(super) struct World {
    driver: &'static Driver,
    pub(super) objects: Vec<Object>,
    pub(super) registry: Registry,
    zones: Vec<Zone>,
    undo: Vec<Undo>,
}

#[derive(Debug, Clone, Copy)]
enum Undo {
    Device(u64),
    Async(u64),
    Pinned(u64),
    Registered(u64),
    Map(u64, u64),
    Malloc(u64, usize),
}

const PTX: &core::ffi::CStr = c".version 7.0
.target sm_70
.address_size 64
.visible .global .align 4 .b8 ga[256];
.visible .global .align 4 .u32 gb = 77;
.visible .const .align 4 .b8 ca[64];
.visible .global .align 8 .b8 gc[1000];
";

fn at_device(device: CUdevice) -> CUmemLocation {
    let mut location = CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        ..CUmemLocation::default()
    };
    location.__bindgen_anon_1.id = device;
    location
}

/// The object of CUDA memory with these numbers.
fn object(class: &'static str, base: u64, bytes: u64, side: Side) -> Object {
    Object {
        class,
        base,
        bytes,
        side,
        writable: true,
        fence: None,
    }
}

impl Base {
    /// Makes what needs long: streams, a module, arrays, virtual memory.
    pub(super) fn new(driver: &'static Driver, device: CUdevice) -> Result<Self, String> {
        let mut base = Self {
            driver,
            device,
            arrays: Vec::new(),
            blocking: 0,
            nonblocking: 0,
            other: 0,
            doomed: 0,
            pool: ptr::null_mut(),
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
            self.notes.push((Class::Symbol, address, bytes as u64));
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

    fn reserve(&self, granules: u64) -> Result<u64, String> {
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

    fn map(&self, at: u64, access: CUmemAccess_flags) -> Result<(), String> {
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
        let descriptor = CUmemAccessDesc {
            location: at_device(self.device),
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
        let properties = CUmemPoolProps {
            allocType: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
            location: at_device(self.device),
            ..CUmemPoolProps::default()
        };
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
    pub(super) fn doomed_stream(&mut self) -> u64 {
        if self.doomed == 0 {
            self.doomed = self.stream(0).unwrap_or(0);
        }
        self.doomed
    }

    /// Destroys it.
    pub(super) fn doom(&mut self) {
        let stream = ptr::with_exposed_provenance_mut(size(self.doomed));
        self.doomed = 0;
        let _ = cuda!(self.driver.cuStreamDestroy_v2(stream));
    }
}

/// A call that must work did not.
fn need(call: &str, status: CUresult) -> Result<(), String> {
    if status == CUresult::CUDA_SUCCESS {
        Ok(())
    } else {
        Err(format!(
            "{call} answered {} {}",
            status.0,
            status.name().unwrap_or("")
        ))
    }
}

impl World {
    /// Makes the memory of an epoch.
    pub(super) fn new(base: &Base, random: &mut Random) -> Result<Self, String> {
        let mut world = Self {
            driver: base.driver,
            objects: base.objects.clone(),
            registry: Registry::with_tombstones(256),
            zones: Vec::new(),
            undo: Vec::new(),
        };
        for &(class, start, bytes) in &base.notes {
            world.note(class, start, bytes, None);
        }
        for handle in [base.blocking, base.nonblocking, base.other] {
            world.registry.stream_created(handle);
        }
        world.host(random)?;
        world.registered(random)?;
        world.pinned(random)?;
        world.managed(random)?;
        world.device(random)?;
        world.pools(base, random)?;
        world.nothing(random);
        world.freed(random)?;
        need("cuCtxSynchronize", cuda!(world.driver.cuCtxSynchronize()))?;
        world.registry.synchronized(None);
        Ok(world)
    }

    fn note(&self, class: Class, start: u64, bytes: u64, permissions: Option<Permissions>) {
        let mut owner = Owner::of(class);
        owner.range = Some(Span::sized(start, bytes));
        owner.device = (class != Class::Registered).then_some(0);
        owner.permissions = permissions;
        owner.origin.call = match class {
            Class::Pinned => Some("cuMemHostAlloc"),
            Class::Registered => Some("cuMemHostRegister"),
            _ => None,
        };
        self.registry.allocated(owner);
    }

    /// A mapping with one forbidden page before and several behind; answers where it begins.
    fn mapping(&mut self, bytes: u64, protection: i32) -> Result<u64, String> {
        let whole = PAGE + bytes + GUARD;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping where the kernel likes.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), size(whole), libc::PROT_NONE, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err("mmap failed".into());
        }
        let start = start.expose_provenance() as u64;
        self.undo.push(Undo::Map(start, whole));
        let inside = start + PAGE;
        protect(inside, bytes, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: the bytes were just mapped readable and writable.
        unsafe { ptr::write_bytes(pointer(inside).cast::<u8>(), 0x5a, size(bytes)) };
        protect(inside, bytes, protection);
        self.zones.push(Zone {
            start,
            end: inside,
            protection: libc::PROT_NONE,
        });
        self.zones.push(Zone {
            start: inside + bytes,
            end: start + whole,
            protection: libc::PROT_NONE,
        });
        if protection != libc::PROT_READ | libc::PROT_WRITE {
            self.zones.push(Zone {
                start: inside,
                end: inside + bytes,
                protection,
            });
        }
        Ok(inside)
    }

    fn host(&mut self, random: &mut Random) -> Result<(), String> {
        for _ in 0..3 {
            // Slack on both sides: what a copy overruns by a little is still this block.
            let (before, after) = (64, 8192);
            let bytes = random.pick(&[1, 4, 40, 400, 1000, 4096, 20_000, 70_000]);
            let block = vec![0x5a_u8; size(before + bytes + after)].into_boxed_slice();
            let length = block.len();
            let start = Box::into_raw(block).cast::<u8>().expose_provenance() as u64;
            self.undo.push(Undo::Malloc(start, length));
            self.objects.push(Object {
                fence: Some(Fence {
                    start,
                    end: start + length as u64,
                    guarded: false,
                }),
                ..object("heap", start + before, bytes, Side::Host)
            });
        }
        let both = libc::PROT_READ | libc::PROT_WRITE;
        for (class, pages, protection) in [
            ("guarded", 1, both),
            ("guarded", random.between(2, 24), both),
            ("readonly", random.between(1, 3), libc::PROT_READ),
            ("prot_none", 1, libc::PROT_NONE),
        ] {
            let bytes = pages * PAGE;
            let base = self.mapping(bytes, protection)?;
            let mut one = object(class, base, bytes, Side::Host);
            one.writable = protection == both;
            if protection == libc::PROT_NONE {
                one.side = Side::Bad;
            }
            one.fence = Some(Fence {
                start: base - PAGE,
                end: base + bytes + GUARD,
                guarded: true,
            });
            // Objects that end exactly at the guard page, and begin anywhere.
            if random.chance(50) {
                let cut = random.below(bytes.min(PAGE) - 1);
                one.base += cut;
                one.bytes -= cut;
            }
            self.objects.push(one);
        }
        Ok(())
    }

    fn register(&mut self, start: u64, bytes: u64, flags: u32) -> Result<(), String> {
        need(
            "cuMemHostRegister",
            cuda!(
                self.driver
                    .cuMemHostRegister_v2(pointer(start), size(bytes), flags)
            ),
        )?;
        self.undo.push(Undo::Registered(start));
        let permissions = if flags & 8 == 0 {
            Permissions::READ_WRITE
        } else {
            Permissions::READ
        };
        self.note(Class::Registered, start, bytes, Some(permissions));
        Ok(())
    }

    fn registered(&mut self, random: &mut Random) -> Result<(), String> {
        let both = libc::PROT_READ | libc::PROT_WRITE;
        // Pageable, registered, registered next to it, pageable, in one mapping.
        let pages = random.between(1, 4);
        let bytes = pages * PAGE;
        let base = self.mapping(4 * bytes, both)?;
        let fence = Some(Fence {
            start: base - PAGE,
            end: base + 4 * bytes + GUARD,
            guarded: true,
        });
        self.register(base + bytes, bytes, 0)?;
        self.register(base + 2 * bytes, bytes, 1)?;
        for (class, part, side) in [
            ("beside_registered", 0, Side::Host),
            ("registered", 1, Side::Both),
            ("registered", 2, Side::Both),
        ] {
            let one = object(class, base + part * bytes, bytes, side);
            self.objects.push(Object { fence, ..one });
        }
        // A part of a page.
        let base = self.mapping(PAGE, both)?;
        let fence = Some(Fence {
            start: base - PAGE,
            end: base + PAGE + GUARD,
            guarded: true,
        });
        let (start, bytes) = (base + random.between(1, 200), random.between(16, 2000));
        self.register(start, bytes, 0)?;
        self.objects.push(Object {
            fence,
            ..object("registered_part", start, bytes, Side::Both)
        });
        // Read-only, over a writable mapping and over one that is not.
        for protection in [both, libc::PROT_READ] {
            let base = self.mapping(PAGE, protection)?;
            let fence = Some(Fence {
                start: base - PAGE,
                end: base + PAGE + GUARD,
                guarded: true,
            });
            self.register(base, PAGE, 8)?;
            let one = object("registered_readonly", base, PAGE, Side::Both);
            self.objects.push(Object {
                writable: false,
                fence,
                ..one
            });
        }
        Ok(())
    }

    fn pinned(&mut self, random: &mut Random) -> Result<(), String> {
        for flags in [0_u32, 1, 2, 4] {
            let bytes = random.pick(&[4_u64, 100, 4096, 10_000, 65_536, 300_000]);
            let base = self.pin(bytes, flags)?;
            let class = if flags == 4 {
                "pinned_combined"
            } else {
                "pinned"
            };
            self.undo.push(Undo::Pinned(base));
            self.note(Class::Pinned, base, bytes, None);
            self.objects.push(object(class, base, bytes, Side::Both));
        }
        Ok(())
    }

    fn pin(&self, bytes: u64, flags: u32) -> Result<u64, String> {
        let mut place = ptr::null_mut();
        need(
            "cuMemHostAlloc",
            cuda!(
                self.driver
                    .cuMemHostAlloc(&raw mut place, size(bytes), flags)
            ),
        )?;
        Ok(place.expose_provenance() as u64)
    }

    fn managed(&mut self, random: &mut Random) -> Result<(), String> {
        let bytes = random.pick(&[4_u64, 1000, 4096, 65_536]);
        let mut base = 0;
        need(
            "cuMemAllocManaged",
            cuda!(self.driver.cuMemAllocManaged(&raw mut base, size(bytes), 1)),
        )?;
        self.undo.push(Undo::Device(base));
        self.note(Class::Managed, base, bytes, None);
        self.objects
            .push(object("managed", base, bytes, Side::Both));
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> Result<u64, String> {
        let mut base = 0;
        need(
            "cuMemAlloc",
            cuda!(self.driver.cuMemAlloc_v2(&raw mut base, size(bytes))),
        )?;
        Ok(base)
    }

    fn device(&mut self, random: &mut Random) -> Result<(), String> {
        for bytes in [
            40,
            random.between(1, 600),
            random.between(600, 100_000),
            random.pick(&[512, 4096, 65_536, 1 << 20]),
            4 << 20,
        ] {
            let base = self.allocate(bytes)?;
            self.undo.push(Undo::Device(base));
            self.note(Class::Device, base, bytes, None);
            self.objects
                .push(object("device", base, bytes, Side::Device));
        }
        let (mut base, mut pitch) = (0, 0_usize);
        let (width, height) = (random.between(1, 1000), random.between(2, 16));
        need(
            "cuMemAllocPitch",
            cuda!(self.driver.cuMemAllocPitch_v2(
                &raw mut base,
                &raw mut pitch,
                size(width),
                size(height),
                4
            )),
        )?;
        let bytes = pitch as u64 * height;
        self.undo.push(Undo::Device(base));
        self.note(Class::Device, base, bytes, None);
        self.objects
            .push(object("device_pitched", base, bytes, Side::Device));
        Ok(())
    }

    fn pools(&mut self, base: &Base, random: &mut Random) -> Result<(), String> {
        let mut freed = Vec::new();
        for (class, explicit, free) in [
            ("pool", false, false),
            ("pool_explicit", true, false),
            ("pool_freed", false, true),
        ] {
            if explicit && base.pool.is_null() {
                continue;
            }
            let bytes = random.pick(&[40_u64, 4096, 10_000, 1 << 20]);
            let mut start = 0;
            let status = if explicit {
                cuda!(self.driver.cuMemAllocFromPoolAsync(
                    &raw mut start,
                    size(bytes),
                    base.pool,
                    ptr::null_mut()
                ))
            } else {
                cuda!(
                    self.driver
                        .cuMemAllocAsync(&raw mut start, size(bytes), ptr::null_mut())
                )
            };
            need("cuMemAllocAsync", status)?;
            self.note(Class::Pool, start, bytes, None);
            if free {
                freed.push(start);
                self.objects.push(object(class, start, bytes, Side::Bad));
            } else {
                self.undo.push(Undo::Async(start));
                self.objects.push(object(class, start, bytes, Side::Device));
            }
        }
        for start in freed {
            need(
                "cuMemFreeAsync",
                cuda!(self.driver.cuMemFreeAsync(start, ptr::null_mut())),
            )?;
            let how = Freed::in_order("cuMemFreeAsync", Site::Unknown, 0);
            self.registry.freed(start, &how);
        }
        Ok(())
    }

    /// Addresses at which nothing was ever made.
    fn nothing(&mut self, random: &mut Random) {
        // Far from where the kernel and the driver put things.
        let hole = 0x2b67_0000_0000 + random.below(1 << 16) * PAGE;
        self.zones.push(Zone {
            start: hole,
            end: hole + GUARD,
            protection: -1,
        });
        let fence = Some(Fence {
            start: hole,
            end: hole + GUARD,
            guarded: true,
        });
        let bytes = 4 * PAGE;
        self.objects.push(Object {
            fence,
            ..object("unmapped", hole, bytes, Side::Bad)
        });
        self.objects.push(object("null", 0, 0, Side::Bad));
        for garbage in [
            random.between(1, 4095),
            0x1000,
            0xcdcd_cdcd_cdcd_cdcd,
            0xdead_0000_0000_0000,
            u64::MAX - random.below(8),
        ] {
            self.objects.push(object("garbage", garbage, 64, Side::Bad));
        }
    }

    /// Memory that is gone; made last, so that nothing takes its place.
    fn freed(&mut self, random: &mut Random) -> Result<(), String> {
        let mut device = Vec::new();
        for bytes in [random.between(16, 5000), 4 << 20] {
            let base = self.allocate(bytes)?;
            self.note(Class::Device, base, bytes, None);
            device.push((base, bytes));
        }
        let bytes = random.pick(&[4096_u64, 1 << 20]);
        let pinned = self.pin(bytes, 0)?;
        self.note(Class::Pinned, pinned, bytes, None);
        for (base, bytes) in device {
            need("cuMemFree", cuda!(self.driver.cuMemFree_v2(base)))?;
            self.registry
                .freed(base, &Freed::by("cuMemFree", Site::Unknown));
            self.objects
                .push(object("device_freed", base, bytes, Side::Bad));
        }
        need(
            "cuMemFreeHost",
            cuda!(self.driver.cuMemFreeHost(pointer(pinned))),
        )?;
        self.registry
            .freed(pinned, &Freed::by("cuMemFreeHost", Site::Unknown));
        self.objects
            .push(object("pinned_freed", pinned, bytes, Side::Bad));
        Ok(())
    }

    /// Where a fault may be mended, so that the process lives on.
    pub(super) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// Gives everything back.
    pub(super) fn end(self) {
        for undo in self.undo.into_iter().rev() {
            let status = match undo {
                Undo::Device(at) => cuda!(self.driver.cuMemFree_v2(at)),
                Undo::Async(at) => cuda!(self.driver.cuMemFreeAsync(at, ptr::null_mut())),
                Undo::Pinned(at) => cuda!(self.driver.cuMemFreeHost(pointer(at))),
                Undo::Registered(at) => cuda!(self.driver.cuMemHostUnregister(pointer(at))),
                Undo::Map(at, bytes) => {
                    // SAFETY: the mapping is this world's own and nothing uses it any more.
                    unsafe { libc::munmap(pointer(at), size(bytes)) };
                    CUresult::CUDA_SUCCESS
                }
                Undo::Malloc(at, length) => {
                    let block = ptr::slice_from_raw_parts_mut(pointer(at).cast::<u8>(), length);
                    // SAFETY: it came from `Box::into_raw` with this length.
                    drop(unsafe { Box::from_raw(block) });
                    CUresult::CUDA_SUCCESS
                }
            };
            // A context that died answers so for everything; the process ends then anyway.
            let _ = status;
        }
    }
}

/// Changes what may be done with pages of this process.
pub(super) fn protect(start: u64, bytes: u64, protection: i32) {
    // SAFETY: the pages are a mapping of the caller's own.
    unsafe { libc::mprotect(pointer(start), size(bytes), protection) };
}
