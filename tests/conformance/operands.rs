//! The operands of the ground-truth tables, made as they were made on hardware: through the runtime, but
//! for virtual memory and the variable of a module.

use core::ffi::c_void;
use core::ptr;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicI32;

use cuda_sys::driver::*;
use cuda_sys::runtime::Runtime;

use super::c;

pub(crate) const PAGE: usize = 4096;
const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const PTX: &str =
    ".version 7.0\n.target sm_50\n.address_size 64\n.visible .global .align 4 .b8 symbol[256];\n\0";

/// What a compiler keeps on the host for a variable on the device.
static SHADOW: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

pub(crate) type Operands = BTreeMap<&'static str, *mut c_void>;

/// All operands by the tables' names. Nothing may be allocated afterwards, or what was freed comes back.
pub(crate) fn make(driver: &Driver, runtime: &Runtime) -> Operands {
    let mut all = Operands::from([
        ("null", ptr::null_mut()),
        ("unmapped_low_0x1000", ptr::without_provenance_mut(0x1000)),
        (
            "noncanonical",
            ptr::without_provenance_mut(0xdead_0000_0000_0000),
        ),
        (
            "pageable_heap",
            Vec::<u8>::leak(vec![0; PAGE]).as_mut_ptr().cast(),
        ),
        ("pageable_guarded_1page", guarded()),
        ("pageable_readonly", pages(1, libc::PROT_READ)),
        (
            "host_shadow_of_symbol",
            (&raw const SHADOW).cast_mut().cast(),
        ),
    ]);
    host(runtime, &mut all);
    device(driver, runtime, &mut all);
    pool(runtime, &mut all);
    let base = mapped(driver, 4 << 20, true);
    all.insert("vmm_mapped", base);
    all.insert("vmm_mapped_last4B", base.wrapping_byte_add((2 << 20) - 4));
    all.insert("vmm_reserved_unmapped", base.wrapping_byte_add(2 << 20));
    all.insert("vmm_mapped_noaccess", mapped(driver, 2 << 20, false));
    freed(runtime, &mut all);
    all
}

fn pages(count: usize, protection: i32) -> *mut c_void {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fresh pages at the kernel's choice.
    let start = unsafe { libc::mmap(ptr::null_mut(), count * PAGE, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    start
}

fn guarded() -> *mut c_void {
    let start = pages(2, READ_WRITE);
    // SAFETY: the second of the two pages that were just mapped.
    let status = unsafe { libc::mprotect(start.wrapping_byte_add(PAGE), PAGE, libc::PROT_NONE) };
    assert_eq!(status, 0);
    start
}

fn host(runtime: &Runtime, all: &mut Operands) {
    let mut place = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMallocHost(&raw mut place, PAGE)), 0);
    all.insert("pinned", place);
    assert_eq!(c!(runtime.cudaHostAlloc(&raw mut place, PAGE, 3)), 0);
    all.insert("pinned_mapped", place);
    // Pages on both sides, so that what lies beyond the registration is known.
    let registered = pages(3, READ_WRITE).wrapping_byte_add(PAGE);
    assert_eq!(c!(runtime.cudaHostRegister(registered, PAGE, 0)), 0);
    all.insert("registered", registered);
    assert_eq!(c!(runtime.cudaMallocManaged(&raw mut place, PAGE, 1)), 0);
    all.insert("managed", place);
}

fn device(driver: &Driver, runtime: &Runtime, all: &mut Operands) {
    let mut place = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 40)), 0);
    all.insert("device_40B", place);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 4 << 20)), 0);
    all.insert("device_4MiB", place);
    all.insert(
        "device_4MiB_interior_last4B",
        place.wrapping_byte_add((4 << 20) - 4),
    );
    let mut module = ptr::null_mut();
    let text = PTX.as_ptr().cast();
    assert_eq!(c!(driver.cuModuleLoadData(&raw mut module, text)), 0);
    let (mut symbol, mut size) = (0, 0);
    let name = c"symbol".as_ptr();
    let status = c!(driver.cuModuleGetGlobal_v2(&raw mut symbol, &raw mut size, module, name));
    assert_eq!((status, size), (0, 256));
    all.insert("device_symbol", pointer(symbol));
}

fn pool(runtime: &Runtime, all: &mut Operands) {
    let mut stream = ptr::null_mut();
    assert_eq!(c!(runtime.cudaStreamCreate(&raw mut stream)), 0);
    let (mut live, mut freed) = (ptr::null_mut(), ptr::null_mut());
    assert_eq!(c!(runtime.cudaMallocAsync(&raw mut live, PAGE, stream)), 0);
    assert_eq!(c!(runtime.cudaMallocAsync(&raw mut freed, PAGE, stream)), 0);
    assert_eq!(c!(runtime.cudaFreeAsync(freed, stream)), 0);
    assert_eq!(c!(runtime.cudaStreamSynchronize(stream)), 0);
    all.insert("device_async_pool", live);
    all.insert("device_async_freed", freed);
}

fn freed(runtime: &Runtime, all: &mut Operands) {
    let (mut small, mut huge) = (ptr::null_mut(), ptr::null_mut());
    assert_eq!(c!(runtime.cudaMalloc(&raw mut small, 1 << 20)), 0);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut huge, 256 << 20)), 0);
    assert_eq!(c!(runtime.cudaFree(small)), 0);
    assert_eq!(c!(runtime.cudaFree(huge)), 0);
    all.insert("device_freed_1MiB", small);
    all.insert("device_freed_256MiB", huge);
}

/// Reserves `size` bytes and maps 2 MiB at their start.
fn mapped(driver: &Driver, size: usize, access: bool) -> *mut c_void {
    const CHUNK: usize = 2 << 20;
    let mut wanted = CUmemAllocationProp {
        type_: CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..CUmemAllocationProp::default()
    };
    wanted.location.type_ = CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE;
    let (mut base, mut memory) = (0, 0);
    let status = c!(driver.cuMemAddressReserve(&raw mut base, size, 0, 0, 0));
    assert_eq!(status, 0);
    let status = c!(driver.cuMemCreate(&raw mut memory, CHUNK, &raw const wanted, 0));
    assert_eq!(status, 0);
    assert_eq!(c!(driver.cuMemMap(base, CHUNK, 0, memory, 0)), 0);
    if access {
        let flags = CUmemAccess_flags_enum::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        let access = CUmemAccessDesc {
            location: wanted.location,
            flags,
        };
        let status = c!(driver.cuMemSetAccess(base, CHUNK, &raw const access, 1));
        assert_eq!(status, 0);
    }
    pointer(base)
}

fn pointer(address: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut(usize::try_from(address).expect("64 bits"))
}
