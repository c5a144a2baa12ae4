//! The objects that the table's calls name.

use core::ffi::{c_int, c_void};
use core::ptr;
use std::collections::BTreeMap;

use cuda_sys::driver::*;
use cuda_sys::runtime::Runtime;

use super::c;

const PAGE: usize = 4096;
const MIB2: usize = 2 << 20;
const READ_WRITE: c_int = libc::PROT_READ | libc::PROT_WRITE;
const PTX: &str = ".version 7.0\n.target sm_50\n.address_size 64\n\
    .visible .global .align 4 .b8 ga[256];\n.visible .const .align 4 .b8 ca[64];\n\0";

pub(crate) struct World {
    pub(crate) driver: &'static Driver,
    pub(crate) runtime: &'static Runtime,
    pub(crate) context: CUcontext,
    streams: BTreeMap<&'static str, CUstream>,
    places: BTreeMap<&'static str, usize>,
}

impl World {
    pub(crate) fn new(driver: &'static Driver, runtime: &'static Runtime) -> Self {
        let mut context = ptr::null_mut();
        assert_eq!(c!(driver.cuDevicePrimaryCtxRetain(&raw mut context, 0)), 0);
        assert_eq!(c!(driver.cuCtxSetCurrent(context)), 0);
        assert_eq!(c!(runtime.cudaSetDevice(0)), 0);
        let mut world = Self {
            driver,
            runtime,
            context,
            streams: BTreeMap::new(),
            places: BTreeMap::from([
                ("null", 0),
                ("low", 0x1000),
                ("gar", 0xdead_0000_0000_0000),
                ("a0", 0),
                ("agar", 0xdead_0000_0000_0000),
            ]),
        };
        for (name, flags) in [("b", 0), ("n", 1), ("x", 0)] {
            let mut stream = ptr::null_mut();
            assert_eq!(c!(driver.cuStreamCreate(&raw mut stream, flags)), 0);
            world.streams.insert(name, stream);
        }
        world.device();
        world.arrays();
        world.mapped();
        world.host();
        // Destroyed last, so that nothing takes its place.
        assert_eq!(c!(driver.cuStreamDestroy_v2(world.streams["x"])), 0);
        world
    }

    /// The address or handle of an object.
    pub(crate) fn place(&self, name: &str) -> usize {
        let found = self.places.get(name);
        *found.unwrap_or_else(|| panic!("the table has an object {name}"))
    }

    /// A created stream by name, or one of the numbers that mean a default stream.
    pub(crate) fn stream(&self, name: &str) -> CUstream {
        self.streams.get(name).copied().unwrap_or_else(|| {
            let number = name.parse().expect("a stream has a name or a number");
            ptr::with_exposed_provenance_mut(number)
        })
    }

    fn add(&mut self, name: &'static str, at: CUdeviceptr) {
        let at = usize::try_from(at).expect("64 bits");
        self.places.insert(name, at);
    }

    fn device(&mut self) {
        let driver = self.driver;
        let mut at = 0;
        for (name, bytes) in [
            ("d40", 40),
            ("d600", 600),
            ("d4m", 4 << 20),
            ("e4m", 4 << 20),
        ] {
            assert_eq!(c!(driver.cuMemAlloc_v2(&raw mut at, bytes)), 0);
            self.add(name, at);
        }
        let mut pitch = 0;
        let place = &raw mut at;
        assert_eq!(
            c!(driver.cuMemAllocPitch_v2(place, &raw mut pitch, 100, 16, 4)),
            0
        );
        self.add("pitched", at);
        let stream = self.streams["b"];
        assert_eq!(c!(driver.cuMemAllocAsync(&raw mut at, PAGE, stream)), 0);
        assert_eq!(c!(driver.cuStreamSynchronize(stream)), 0);
        self.add("pool", at);
        assert_eq!(c!(driver.cuMemAllocManaged(&raw mut at, 65_536, 1)), 0);
        self.add("man", at);
        let mut module = ptr::null_mut();
        assert_eq!(
            c!(driver.cuModuleLoadData(&raw mut module, PTX.as_ptr().cast())),
            0
        );
        for (name, variable) in [("sym", c"ga"), ("csym", c"ca")] {
            let (place, mut bytes) = (&raw mut at, 0);
            let text = variable.as_ptr();
            assert_eq!(
                c!(driver.cuModuleGetGlobal_v2(place, &raw mut bytes, module, text)),
                0
            );
            self.add(name, at);
        }
    }

    fn arrays(&mut self) {
        let driver = self.driver;
        let (float, byte, half) = (
            CUarray_format::CU_AD_FORMAT_FLOAT,
            CUarray_format::CU_AD_FORMAT_UNSIGNED_INT8,
            CUarray_format::CU_AD_FORMAT_HALF,
        );
        for (name, [width, height, depth], format, channels, flags) in [
            ("a1", [64, 0, 0], float, 1, 0),
            ("a2", [64, 16, 0], float, 1, 0),
            ("b2", [64, 16, 0], float, 1, 0),
            ("a3", [16, 8, 4], float, 1, 0),
            ("ab", [64, 16, 0], byte, 1, 0),
            ("a16", [16, 8, 4], float, 4, 0),
            ("ah2", [64, 16, 0], half, 2, 0),
            ("alay", [64, 16, 4], float, 1, 1),
            ("a1lay", [64, 0, 4], float, 1, 1),
        ] {
            let wanted = CUDA_ARRAY3D_DESCRIPTOR {
                Width: width,
                Height: height,
                Depth: depth,
                Format: format,
                NumChannels: channels,
                Flags: flags,
            };
            let mut array: CUarray = ptr::null_mut();
            assert_eq!(
                c!(driver.cuArray3DCreate_v2(&raw mut array, &raw const wanted)),
                0
            );
            self.places.insert(name, array.expose_provenance());
        }
    }

    /// Virtual memory: mapped, two handles side by side, to be read, without access, reserved.
    fn mapped(&mut self) {
        let driver = self.driver;
        let mut start = 0;
        let place = &raw mut start;
        assert_eq!(c!(driver.cuMemAddressReserve(place, 16 * MIB2, 0, 0, 0)), 0);
        let here = CUmemLocation {
            type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
            ..CUmemLocation::default()
        };
        let wanted = CUmemAllocationProp {
            type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
            location: here,
            ..CUmemAllocationProp::default()
        };
        for (at, rights) in [(0, 3), (4, 3), (5, 3), (8, 1), (12, 0)] {
            let (mut handle, at) = (0, start + at * MIB2 as CUdeviceptr);
            assert_eq!(
                c!(driver.cuMemCreate(&raw mut handle, MIB2, &raw const wanted, 0)),
                0
            );
            assert_eq!(c!(driver.cuMemMap(at, MIB2, 0, handle, 0)), 0);
            let access = CUmemAccessDesc {
                location: here,
                flags: CUmemAccess_flags_enum(rights),
            };
            if rights > 0 {
                assert_eq!(c!(driver.cuMemSetAccess(at, MIB2, &raw const access, 1)), 0);
            }
        }
        for (name, at) in [
            ("vir", 0),
            ("vres", 1),
            ("vpair", 4),
            ("vro", 8),
            ("vna", 12),
        ] {
            self.add(name, start + at * MIB2 as CUdeviceptr);
        }
    }

    fn host(&mut self) {
        let driver = self.driver;
        for (name, bytes, flags) in [("pin", PAGE, 0), ("pinm", 65_536, 2)] {
            let mut place = ptr::null_mut();
            assert_eq!(c!(driver.cuMemHostAlloc(&raw mut place, bytes, flags)), 0);
            self.places.insert(name, place.expose_provenance());
        }
        let registered = pages(3, 1, READ_WRITE);
        assert_eq!(c!(driver.cuMemHostRegister_v2(registered, PAGE, 0)), 0);
        let to_read = pages(3, 1, libc::PROT_READ);
        assert_eq!(c!(driver.cuMemHostRegister_v2(to_read, PAGE, 8)), 0);
        let heap = Vec::<u8>::leak(vec![5; 1 << 20]).as_mut_ptr();
        let hole = pages(16, 16, libc::PROT_NONE);
        // SAFETY: sixteen pages in the middle of a mapping that nobody uses.
        assert_eq!(unsafe { libc::munmap(hole, 16 * PAGE) }, 0);
        for (name, at) in [
            ("reg", registered),
            ("regro", to_read),
            ("heap", heap.cast()),
            ("guard", pages(1, 1, READ_WRITE)),
            ("guarc", pages(1, 1, READ_WRITE)),
            ("big", pages(64, 64, READ_WRITE)),
            ("ro", pages(1, 1, libc::PROT_READ)),
            ("none", pages(1, 1, libc::PROT_NONE)),
            ("unm", hole),
        ] {
            self.places.insert(name, at.expose_provenance());
        }
    }
}

/// So many pages with these rights, and so many closed ones on both sides.
fn pages(count: usize, around: usize, rights: c_int) -> *mut c_void {
    let all = (count + 2 * around) * PAGE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fresh pages at the kernel's choice.
    let start = unsafe { libc::mmap(ptr::null_mut(), all, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    let inner = start.wrapping_byte_add(around * PAGE);
    // SAFETY: pages of the mapping that was just made.
    assert_eq!(unsafe { libc::mprotect(inner, count * PAGE, rights) }, 0);
    inner
}
