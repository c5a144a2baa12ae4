//! The operands of the ground-truth tables.

use core::ffi::c_void;
use core::ptr;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicI32;

use cuda_sys::driver::{
    CUmemAccess_flags_enum, CUmemAccessDesc, CUmemAllocationProp, CUmemAllocationType_enum,
    CUmemLocationType_enum, Driver,
};
use cuda_sys::runtime::{Major, Runtime};

use super::c;

const PAGE: usize = 4096;

/// The variable that a compiler would keep on the host for one on the device.
pub(crate) static SHADOW: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

pub(crate) type Operands = BTreeMap<&'static str, *mut c_void>;

/// The operands as they were made on hardware: through the runtime, but for virtual memory.
pub(crate) fn operands(major: Major) -> (&'static Runtime, Operands) {
    let (runtime, driver) = super::open(major);
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
    let mut place = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMallocHost(&raw mut place, PAGE)), 0);
    all.insert("pinned", place);
    assert_eq!(c!(runtime.cudaHostAlloc(&raw mut place, PAGE, 3)), 0);
    all.insert("pinned_mapped", place);
    let registered = pages(3, libc::PROT_READ | libc::PROT_WRITE).wrapping_byte_add(PAGE);
    assert_eq!(c!(runtime.cudaHostRegister(registered, PAGE, 0)), 0);
    all.insert("registered", registered);
    assert_eq!(c!(runtime.cudaMallocManaged(&raw mut place, PAGE, 1)), 0);
    all.insert("managed", place);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 40)), 0);
    all.insert("device_40B", place);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 4 << 20)), 0);
    all.insert("device_4MiB", place);
    all.insert(
        "device_4MiB_interior_last4B",
        place.wrapping_byte_add((4 << 20) - 4),
    );
    announce(major);
    assert_eq!(
        c!(runtime.cudaGetSymbolAddress(&raw mut place, (&raw const SHADOW).cast())),
        0
    );
    all.insert("device_symbol", place);
    pool(runtime, &mut all);
    let base = mapped(driver, 4 << 20, true);
    all.insert("vmm_mapped", base);
    all.insert("vmm_mapped_last4B", base.wrapping_byte_add((2 << 20) - 4));
    all.insert("vmm_reserved_unmapped", base.wrapping_byte_add(2 << 20));
    all.insert("vmm_mapped_noaccess", mapped(driver, 2 << 20, false));
    // Nothing is allocated after these, so nobody gets the addresses again.
    let mut huge = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 1 << 20)), 0);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut huge, 256 << 20)), 0);
    assert_eq!(c!(runtime.cudaFree(place)), 0);
    assert_eq!(c!(runtime.cudaFree(huge)), 0);
    all.insert("device_freed_1MiB", place);
    all.insert("device_freed_256MiB", huge);
    (runtime, all)
}

fn pages(count: usize, protection: i32) -> *mut c_void {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fresh pages at the kernel's choice.
    let start = unsafe { libc::mmap(ptr::null_mut(), count * PAGE, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    start
}

fn guarded() -> *mut c_void {
    let start = pages(2, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: the second of the two pages that were just mapped.
    let status = unsafe { libc::mprotect(start.wrapping_byte_add(PAGE), PAGE, libc::PROT_NONE) };
    assert_eq!(status, 0);
    start
}

/// Announces the variable as a compiled program does before `main`.
pub(crate) fn announce(major: Major) {
    type Begin = unsafe extern "C" fn(*mut c_void) -> *mut *mut c_void;
    type Variable = unsafe extern "C" fn(
        *mut *mut c_void,
        *mut c_void,
        *mut c_void,
        *const i8,
        i32,
        usize,
        i32,
        i32,
    );
    let name = std::ffi::CString::new(super::library(major.soname()).to_str().unwrap()).unwrap();
    // SAFETY: the library is open already; this is another reference to it.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    // SAFETY: an open library and a C string.
    let begin = unsafe { libc::dlsym(library, c"__cudaRegisterFatBinary".as_ptr()) };
    // SAFETY: as above.
    let variable = unsafe { libc::dlsym(library, c"__cudaRegisterVar".as_ptr()) };
    assert!(!begin.is_null() && !variable.is_null());
    // SAFETY: the function of this name has this type.
    let begin = unsafe { core::mem::transmute::<*mut c_void, Begin>(begin) };
    // SAFETY: as above.
    let variable = unsafe { core::mem::transmute::<*mut c_void, Variable>(variable) };
    // SAFETY: the simulator does not look into the image.
    let image = unsafe { begin(ptr::null_mut()) };
    let host = (&raw const SHADOW).cast_mut().cast();
    let name = c"symbol".as_ptr();
    // SAFETY: the address is only noted, and the name is a C string.
    unsafe {
        variable(
            image,
            host,
            ptr::null_mut(),
            name,
            0,
            size_of_val(&SHADOW),
            0,
            0,
        )
    };
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

/// Reserves `size` bytes and maps 2 MiB at their start.
fn mapped(driver: &Driver, size: usize, access: bool) -> *mut c_void {
    const CHUNK: usize = 2 << 20;
    let mut wanted = CUmemAllocationProp {
        type_: CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..CUmemAllocationProp::default()
    };
    wanted.location.type_ = CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE;
    let (mut base, mut memory) = (0, 0);
    assert_eq!(
        c!(driver.cuMemAddressReserve(&raw mut base, size, 0, 0, 0)),
        0
    );
    assert_eq!(
        c!(driver.cuMemCreate(&raw mut memory, CHUNK, &raw const wanted, 0)),
        0
    );
    assert_eq!(c!(driver.cuMemMap(base, CHUNK, 0, memory, 0)), 0);
    if access {
        let flags = CUmemAccess_flags_enum::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        let access = CUmemAccessDesc {
            location: wanted.location,
            flags,
        };
        assert_eq!(
            c!(driver.cuMemSetAccess(base, CHUNK, &raw const access, 1)),
            0
        );
    }
    ptr::with_exposed_provenance_mut(usize::try_from(base).unwrap())
}
