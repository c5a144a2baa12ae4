//! Memory of every class, as one epoch's cases use it.

mod base;
mod host;
mod object;
mod pair;
mod variables;

use core::ptr;

use cuda_sys::driver::{CUcontext, CUdevice, CUmemoryPool, CUresult, Driver};
use cuwhy_validate::facts::{Owner, Permissions};
use cuwhy_validate::registry::{Freed, Registry};
use cuwhy_validate::{Class, Site, Span};

use super::execute::{cuda, pointer, size};
use super::fault::Zone;
use super::random::Random;
use host::GUARD;
pub(super) use object::{Array, Fence, Object, Side, object};
pub(super) use variables::Variable;

pub(super) const PAGE: u64 = 4096;

/// What a process has for all its cases: it never changes.
#[derive(Debug)]
pub(super) struct Base {
    driver: &'static Driver,
    device: CUdevice,
    context: CUcontext,
    /// The same on a second device; its objects and arrays stand among the first's.
    pub(super) second: Option<Box<Self>>,
    pub(super) arrays: Vec<Array>,
    /// Variables that the runtime knows; none without one.
    pub(super) variables: Vec<Variable>,
    pub(super) blocking: u64,
    pub(super) nonblocking: u64,
    pub(super) other: u64,
    doomed: u64,
    pool: CUmemoryPool,
    /// A pool that the other device may use, where there is one.
    shared_pool: CUmemoryPool,
    objects: Vec<Object>,
    notes: Vec<(Class, u8, u64, u64)>,
}

/// The memory of one epoch.
#[derive(Debug)]
pub(super) struct World {
    driver: &'static Driver,
    pub(super) objects: Vec<Object>,
    pub(super) registry: Registry,
    /// Whether the first device may use the second's memory, and the other way round.
    pub(super) peers: [bool; 2],
    /// The device that memory is being made on.
    device: u8,
    contexts: [CUcontext; 2],
    zones: Vec<Zone>,
    undo: Vec<(u8, Undo)>,
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
            peers: [false; 2],
            device: 0,
            contexts: base.contexts(),
            zones: Vec::new(),
            undo: Vec::new(),
        };
        for &(class, device, start, bytes) in &base.notes {
            world.device = device;
            world.note(class, start, bytes, None);
        }
        world.device = 0;
        for handle in base.streams() {
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
        if let Some(second) = &base.second {
            world.second(second, random)?;
        }
        world.registry.synchronized(None);
        Ok(world)
    }

    /// An object of the device that memory is being made on.
    fn add(&mut self, one: Object) {
        self.objects.push(one.of(self.device));
    }

    fn keep(&mut self, undo: Undo) {
        self.undo.push((self.device, undo));
    }

    fn note(&self, class: Class, start: u64, bytes: u64, permissions: Option<Permissions>) {
        let mut owner = Owner::of(class);
        owner.range = Some(Span::sized(start, bytes));
        owner.device = (class != Class::Registered).then_some(self.device.into());
        owner.permissions = permissions;
        owner.origin.call = match class {
            Class::Pinned => Some("cuMemHostAlloc"),
            Class::Registered => Some("cuMemHostRegister"),
            _ => None,
        };
        self.registry.allocated(owner);
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
            self.keep(Undo::Pinned(base));
            self.note(Class::Pinned, base, bytes, None);
            self.add(object(class, base, bytes, Side::Both));
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
        self.keep(Undo::Device(base));
        self.note(Class::Managed, base, bytes, None);
        self.add(object("managed", base, bytes, Side::Both));
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
            self.keep(Undo::Device(base));
            self.note(Class::Device, base, bytes, None);
            self.add(object("device", base, bytes, Side::Device));
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
        self.keep(Undo::Device(base));
        self.note(Class::Device, base, bytes, None);
        self.add(object("device_pitched", base, bytes, Side::Device));
        Ok(())
    }

    fn pools(&mut self, base: &Base, random: &mut Random) -> Result<(), String> {
        let mut freed = Vec::new();
        let default = ptr::null_mut();
        let mut wanted = vec![("pool", default, false)];
        if !base.pool.is_null() {
            wanted.push(("pool_explicit", base.pool, false));
        }
        if !base.shared_pool.is_null() {
            wanted.push(("pool_shared", base.shared_pool, false));
        }
        wanted.push(("pool_freed", default, true));
        for (class, pool, free) in wanted {
            let bytes = random.pick(&[40_u64, 4096, 10_000, 1 << 20]);
            let mut start = 0;
            let status = if pool != default {
                cuda!(self.driver.cuMemAllocFromPoolAsync(
                    &raw mut start,
                    size(bytes),
                    pool,
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
                self.add(object(class, start, bytes, Side::Bad));
            } else {
                self.keep(Undo::Async(start));
                self.add(object(class, start, bytes, Side::Device));
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
        self.add(Object {
            fence,
            ..object("unmapped", hole, bytes, Side::Bad)
        });
        self.add(object("null", 0, 0, Side::Bad));
        for garbage in [
            random.between(1, 4095),
            0x1000,
            0xcdcd_cdcd_cdcd_cdcd,
            0xdead_0000_0000_0000,
            u64::MAX - random.below(8),
        ] {
            self.add(object("garbage", garbage, 64, Side::Bad));
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
            self.add(object("device_freed", base, bytes, Side::Bad));
        }
        need(
            "cuMemFreeHost",
            cuda!(self.driver.cuMemFreeHost(pointer(pinned))),
        )?;
        self.registry
            .freed(pinned, &Freed::by("cuMemFreeHost", Site::Unknown));
        self.add(object("pinned_freed", pinned, bytes, Side::Bad));
        Ok(())
    }

    /// Where a fault may be mended, so that the process lives on.
    pub(super) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// Gives everything back.
    pub(super) fn end(self) {
        self.end_of_peers();
        let mut device = 0;
        for (of, undo) in self.undo.into_iter().rev() {
            if of != device {
                let context = self.contexts[usize::from(of)];
                let _ = cuda!(self.driver.cuCtxSetCurrent(context));
                device = of;
            }
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
        let _ = cuda!(self.driver.cuCtxSetCurrent(self.contexts[0]));
    }
}

/// Changes what may be done with pages of this process.
pub(super) fn protect(start: u64, bytes: u64, protection: i32) {
    // SAFETY: the pages are a mapping of the caller's own.
    unsafe { libc::mprotect(pointer(start), size(bytes), protection) };
}
