//! Pointers of every class of memory that can be had through both interfaces.

use core::ffi::{CStr, c_void};
use core::ptr;

use cuda_sys::driver::{
    CU_MEMHOSTREGISTER_READ_ONLY, CUdevice_attribute, CUmemAccess_flags, CUmemAccessDesc,
    CUmemAllocationProp, CUmemAllocationType, CUmemLocationType, CUmemPoolProps, Driver,
};
use cuda_sys::runtime::Runtime;
use cuwhy_tests::skip;
use cuwhy_validate::Class;

/// One call that has to succeed.
macro_rules! made {
    ($library:ident . $function:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: each pointer given in this file is that of a live variable of the type that the
        // function writes, each address and handle one that an earlier call of it made.
        let status = unsafe { $library.$function($($argument),*) };
        assert_eq!(status.0, 0, stringify!($function));
    }};
}

/// A pointer, what it is, and what that is to the driver: nothing where CUDA knows nothing there.
pub(super) struct Sample {
    pub(super) what: &'static str,
    pub(super) address: u64,
    pub(super) class: Option<Class>,
}

fn sample(what: &'static str, class: Option<Class>, address: u64) -> Sample {
    Sample {
        what,
        address,
        class,
    }
}

pub(super) fn address(pointer: *const c_void) -> u64 {
    pointer.expose_provenance() as u64
}

/// Memory of every class that can be had through both interfaces.
pub(super) fn samples(driver: &Driver, runtime: &Runtime) -> Vec<Sample> {
    let mut samples = vec![
        sample("null", None, 0),
        sample("a small integer", None, 0x1000),
        sample("a non-canonical address", None, 0xdead_0000_0000_0000),
    ];
    samples.extend(plain());
    samples.extend(device(driver, runtime));
    samples.extend(host(driver, runtime));
    samples.extend(pools(driver, runtime));
    samples.extend(virtual_memory(driver));
    // These come last: what is made later may come to lie there.
    let mut freed = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut freed, 8 << 20));
    made!(runtime.cudaFree(freed));
    samples.push(sample("freed", None, address(freed)));
    let gone = pages(libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: the pages were just mapped, and nobody uses them.
    assert_eq!(unsafe { libc::munmap(gone, 4096) }, 0);
    samples.push(sample("pages that were unmapped", None, address(gone)));
    samples
}

/// Host memory that CUDA does not know.
fn plain() -> Vec<Sample> {
    static CONSTANT: u64 = 1;
    let variable = 0_u64;
    let heap = Box::leak(Box::new([0_u8; 4096]));
    [
        ("a variable on the stack", (&raw const variable).cast()),
        ("a constant of the program", (&raw const CONSTANT).cast()),
        ("the heap", heap.as_ptr().cast()),
    ]
    .map(|(what, pointer)| sample(what, None, address(pointer)))
    .into()
}

/// Fresh pages, which stay until the process ends.
fn pages(protection: i32) -> *mut c_void {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the kernel chooses the address, so nothing that exists is replaced.
    let pages = unsafe { libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0) };
    assert_ne!(pages, libc::MAP_FAILED, "mmap");
    pages
}

/// Device memory: allocated, a module's variables, managed.
fn device(driver: &Driver, runtime: &Runtime) -> Vec<Sample> {
    let mut pointer = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut pointer, 40));
    let (mut pitched, mut pitch) = (ptr::null_mut(), 0);
    made!(runtime.cudaMallocPitch(&raw mut pitched, &raw mut pitch, 100, 4));
    let mut samples = vec![
        sample("cudaMalloc", Some(Class::Device), address(pointer)),
        sample(
            "inside cudaMalloc",
            Some(Class::Device),
            address(pointer) + 36,
        ),
        sample("cudaMallocPitch", Some(Class::Device), address(pitched)),
    ];

    const MODULE: &CStr = c".version 6.0\n.target sm_50\n.address_size 64\n\
        .visible .global .align 4 .b8 table[256];\n\
        .visible .const .align 4 .b8 fixed[64];\n";
    let mut module = ptr::null_mut();
    made!(driver.cuModuleLoadData(&raw mut module, MODULE.as_ptr().cast()));
    for (what, name) in [
        ("a module's variable", c"table"),
        ("a module's constant", c"fixed"),
    ] {
        let (mut start, mut bytes) = (0, 0);
        made!(driver.cuModuleGetGlobal_v2(&raw mut start, &raw mut bytes, module, name.as_ptr()));
        samples.push(sample(what, Some(Class::Device), start));
    }

    for (what, visible) in [("managed", 1), ("managed, for the host", 2)] {
        let mut managed = ptr::null_mut();
        made!(runtime.cudaMallocManaged(&raw mut managed, 4096, visible));
        samples.push(sample(what, Some(Class::Managed), address(managed)));
    }
    samples
}

/// Host memory that CUDA knows: allocated and registered in every way.
fn host(driver: &Driver, runtime: &Runtime) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (what, flags) in [
        ("pinned", 0),
        ("pinned, portable and mapped", 3),
        ("pinned, write-combined", 4),
    ] {
        let mut pinned = ptr::null_mut();
        made!(runtime.cudaHostAlloc(&raw mut pinned, 4096, flags));
        samples.push(sample(what, Some(Class::Pinned), address(pinned)));
    }
    for (what, flags) in [
        ("registered", 0),
        ("registered, portable", 1),
        ("registered, mapped", 2),
    ] {
        let page = pages(libc::PROT_READ | libc::PROT_WRITE);
        made!(runtime.cudaHostRegister(page, 2048, flags));
        samples.push(sample(what, Some(Class::Pinned), address(page)));
    }
    let two = std::alloc::Layout::from_size_align(8192, 4096).expect("two pages");
    // SAFETY: the layout has a size.
    let two: *mut c_void = unsafe { std::alloc::alloc(two) }.cast();
    made!(runtime.cudaHostRegister(two, 4096, 0));
    samples.push(sample("behind a registration", None, address(two) + 4096));
    let gone = pages(libc::PROT_READ | libc::PROT_WRITE);
    made!(runtime.cudaHostRegister(gone, 4096, 0));
    made!(runtime.cudaHostUnregister(gone));
    samples.push(sample("no longer registered", None, address(gone)));

    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED;
    let mut read_only = 0;
    made!(driver.cuDeviceGetAttribute(&raw mut read_only, attribute, 0));
    if read_only == 1 {
        let page = pages(libc::PROT_READ);
        made!(runtime.cudaHostRegister(page, 4096, CU_MEMHOSTREGISTER_READ_ONLY));
        samples.push(sample(
            "registered, read-only",
            Some(Class::Pinned),
            address(page),
        ));
    } else {
        skip("the device registers no read-only memory: that class is not there to compare");
    }
    samples
}

/// Memory of the default pool and of one made for it, and what was given back to it.
fn pools(driver: &Driver, runtime: &Runtime) -> Vec<Sample> {
    let mut of_default = ptr::null_mut();
    made!(runtime.cudaMallocAsync(&raw mut of_default, 4096, ptr::null_mut()));
    let mut properties = CUmemPoolProps {
        allocType: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..Default::default()
    };
    properties.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    let mut pool = ptr::null_mut();
    made!(driver.cuMemPoolCreate(&raw mut pool, &raw const properties));
    let mut of_own = 0;
    made!(driver.cuMemAllocFromPoolAsync(&raw mut of_own, 4096, pool, ptr::null_mut()));
    made!(runtime.cudaStreamSynchronize(ptr::null_mut()));
    vec![
        sample("the default pool", Some(Class::Pool), address(of_default)),
        sample("an explicit pool", Some(Class::Pool), of_own),
    ]
}

/// Mapped with access, mapped without, and only reserved.
fn virtual_memory(driver: &Driver) -> Vec<Sample> {
    const PART: usize = 2 << 20;
    let mut properties = CUmemAllocationProp {
        type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..Default::default()
    };
    properties.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    let mut start = 0;
    made!(driver.cuMemAddressReserve(&raw mut start, 3 * PART, 0, 0, 0));
    for place in [start, start + PART as u64] {
        let mut handle = 0;
        made!(driver.cuMemCreate(&raw mut handle, PART, &raw const properties, 0));
        made!(driver.cuMemMap(place, PART, 0, handle, 0));
    }
    let mut access = CUmemAccessDesc {
        flags: CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        ..Default::default()
    };
    access.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    made!(driver.cuMemSetAccess(start, PART, &raw const access, 1));
    vec![
        sample("virtual memory", Some(Class::Virtual), start),
        sample(
            "virtual memory without access",
            Some(Class::NoAccess),
            start + PART as u64,
        ),
        sample(
            "reserved and not mapped",
            Some(Class::Reserved),
            start + 2 * PART as u64,
        ),
    ]
}
