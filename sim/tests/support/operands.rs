//! The operands of the ground-truth tables, made as they were made on hardware.

use core::ffi::c_void;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicI32;

use cuda_sys::driver::*;

use super::device_memory;

/// The variable of a module that some operands name; on the host it has a shadow.
static SHADOW: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];
const PTX: &str =
    ".version 7.0\n.target sm_50\n.address_size 64\n.visible .global .align 4 .b8 symbol[256];\n\0";
const PAGE: usize = 4096;

/// All operands by the tables' names, and a stream that is used on the way.
pub(crate) fn make(driver: &'static Driver) -> BTreeMap<&'static str, u64> {
    let mut all = BTreeMap::from([
        ("null", 0),
        ("unmapped_low_0x1000", 0x1000),
        ("noncanonical", 0xdead_0000_0000_0000),
    ]);
    all.insert(
        "pageable_heap",
        Vec::<u8>::leak(vec![0; PAGE]).as_ptr().addr() as u64,
    );
    all.insert(
        "pageable_guarded_1page",
        pages(2, libc::PROT_READ | libc::PROT_WRITE, 1),
    );
    all.insert("pageable_readonly", pages(1, libc::PROT_READ, 1));
    all.insert("host_shadow_of_symbol", (&raw const SHADOW).addr() as u64);
    host(driver, &mut all);
    device(driver, &mut all);
    stream_ordered(driver, &mut all);
    virtual_memory(driver, &mut all);
    freed(driver, &mut all);
    all
}

fn pages(count: usize, protection: i32, usable: usize) -> u64 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fresh pages at the kernel's choice.
    let start = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            count * PAGE,
            protection,
            flags,
            -1,
            0,
        )
    };
    assert_ne!(start, libc::MAP_FAILED);
    if usable < count {
        // SAFETY: the rest of the pages that were just mapped.
        let rest = unsafe {
            libc::mprotect(
                start.wrapping_byte_add(usable * PAGE),
                (count - usable) * PAGE,
                libc::PROT_NONE,
            )
        };
        assert_eq!(rest, 0);
    }
    start.expose_provenance() as u64
}

fn host(driver: &Driver, all: &mut BTreeMap<&'static str, u64>) {
    let mut pinned: *mut c_void = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, PAGE)), 0);
    all.insert("pinned", pinned.expose_provenance() as u64);
    assert_eq!(cu!(driver.cuMemHostAlloc(&raw mut pinned, PAGE, 3)), 0);
    all.insert("pinned_mapped", pinned.expose_provenance() as u64);
    let page = pages(3, libc::PROT_READ | libc::PROT_WRITE, 3) + PAGE as u64;
    let place = core::ptr::with_exposed_provenance_mut(usize::try_from(page).unwrap());
    assert_eq!(cu!(driver.cuMemHostRegister_v2(place, PAGE, 0)), 0);
    all.insert("registered", page);
    let mut managed = 0;
    assert_eq!(cu!(driver.cuMemAllocManaged(&raw mut managed, PAGE, 1)), 0);
    all.insert("managed", managed);
}

fn device(driver: &Driver, all: &mut BTreeMap<&'static str, u64>) {
    all.insert("device_40B", device_memory(driver, 40));
    let large = device_memory(driver, 4 << 20);
    all.insert("device_4MiB", large);
    all.insert("device_4MiB_interior_last4B", large + (4 << 20) - 4);
    let mut module = core::ptr::null_mut();
    assert_eq!(
        cu!(driver.cuModuleLoadData(&raw mut module, PTX.as_ptr().cast())),
        0
    );
    let (mut symbol, mut size) = (0, 0);
    assert_eq!(
        cu!(driver.cuModuleGetGlobal_v2(
            &raw mut symbol,
            &raw mut size,
            module,
            c"symbol".as_ptr()
        )),
        0
    );
    assert_eq!(size, 256);
    all.insert("device_symbol", symbol);
}

/// Memory that was freed, after which nothing is allocated: nobody gets these addresses again.
fn freed(driver: &Driver, all: &mut BTreeMap<&'static str, u64>) {
    let (small, huge) = (
        device_memory(driver, 1 << 20),
        device_memory(driver, 256 << 20),
    );
    assert_eq!(cu!(driver.cuMemFree_v2(small)), 0);
    assert_eq!(cu!(driver.cuMemFree_v2(huge)), 0);
    all.insert("device_freed_1MiB", small);
    all.insert("device_freed_256MiB", huge);
}

fn stream_ordered(driver: &Driver, all: &mut BTreeMap<&'static str, u64>) {
    let mut stream = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, 0)), 0);
    let (mut live, mut freed) = (0, 0);
    assert_eq!(cu!(driver.cuMemAllocAsync(&raw mut live, PAGE, stream)), 0);
    assert_eq!(cu!(driver.cuMemAllocAsync(&raw mut freed, PAGE, stream)), 0);
    assert_eq!(cu!(driver.cuMemFreeAsync(freed, stream)), 0);
    assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
    all.insert("device_async_pool", live);
    all.insert("device_async_freed", freed);
}

/// Reserves `size` bytes and maps 2 MiB at their start; answers the address.
fn mapped(driver: &Driver, size: usize, access: bool) -> u64 {
    const CHUNK: usize = 2 << 20;
    let mut wanted = CUmemAllocationProp {
        type_: CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..CUmemAllocationProp::default()
    };
    wanted.location.type_ = CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE;
    let (mut base, mut memory) = (0, 0);
    assert_eq!(
        cu!(driver.cuMemAddressReserve(&raw mut base, size, 0, 0, 0)),
        0
    );
    assert_eq!(
        cu!(driver.cuMemCreate(&raw mut memory, CHUNK, &raw const wanted, 0)),
        0
    );
    assert_eq!(cu!(driver.cuMemMap(base, CHUNK, 0, memory, 0)), 0);
    if access {
        let flags = CUmemAccess_flags_enum::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        let access = CUmemAccessDesc {
            location: wanted.location,
            flags,
        };
        assert_eq!(
            cu!(driver.cuMemSetAccess(base, CHUNK, &raw const access, 1)),
            0
        );
    }
    base
}

fn virtual_memory(driver: &Driver, all: &mut BTreeMap<&'static str, u64>) {
    let base = mapped(driver, 4 << 20, true);
    all.insert("vmm_mapped", base);
    all.insert("vmm_mapped_last4B", base + (2 << 20) - 4);
    all.insert("vmm_reserved_unmapped", base + (2 << 20));
    all.insert("vmm_mapped_noaccess", mapped(driver, 2 << 20, false));
}
