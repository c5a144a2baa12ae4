//! What the driver's one plural query and the runtime's `cudaPointerGetAttributes` say of the same
//! pointer, for every class of memory: on the simulator with the runtime of each major, and with
//! `CUWHY_TEST_GPU=require` on the machine's device with the runtime that `CUWHY_LIBCUDART` names.

use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{
    CUmemAccess_flags, CUmemAccessDesc, CUmemAllocationProp, CUmemAllocationType,
    CUmemLocationType, CUresult, Driver,
};
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuwhy_tests::{here, on_cuda};
use cuwhy_validate::ask::{Ask, Attributes, ByRuntime, Live, Pointer};

/// One call that has to succeed.
macro_rules! made {
    ($library:ident . $function:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: each pointer given in this file is that of a live variable of the type that the
        // function writes, each address and handle one that an earlier call of it made.
        let status = unsafe { $library.$function($($argument),*) };
        assert_eq!(status.0, 0, stringify!($function));
    }};
}

/// A pointer, and what it is.
struct Sample {
    what: &'static str,
    address: u64,
}

fn address(pointer: *const c_void) -> u64 {
    pointer.expose_provenance() as u64
}

/// Memory of every class that can be had through both interfaces.
fn samples(driver: &Driver, runtime: &Runtime) -> Vec<Sample> {
    let mut samples = vec![
        Sample {
            what: "null",
            address: 0,
        },
        Sample {
            what: "a small integer",
            address: 0x1000,
        },
        Sample {
            what: "a non-canonical address",
            address: 0xdead_0000_0000_0000,
        },
    ];
    let mut add = |what, pointer: *const c_void| {
        samples.push(Sample {
            what,
            address: address(pointer),
        })
    };
    static CONSTANT: u64 = 1;
    let variable = 0_u64;
    add("a variable on the stack", (&raw const variable).cast());
    add("a constant of the program", (&raw const CONSTANT).cast());
    let heap = Box::leak(Box::new([0_u8; 4096]));
    add("the heap", heap.as_ptr().cast());

    let mut pointer = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut pointer, 40));
    add("cudaMalloc", pointer);
    add("inside cudaMalloc", pointer.wrapping_byte_add(36));
    for (what, flags) in [
        ("pinned", 0),
        ("pinned, portable and mapped", 3),
        ("pinned, write-combined", 4),
    ] {
        let mut pinned = ptr::null_mut();
        made!(runtime.cudaHostAlloc(&raw mut pinned, 4096, flags));
        add(what, pinned);
    }
    let page = std::alloc::Layout::from_size_align(8192, 4096).expect("two pages");
    // SAFETY: the layout has a size.
    let page: *mut c_void = unsafe { std::alloc::alloc(page) }.cast();
    made!(runtime.cudaHostRegister(page, 4096, 0));
    add("registered", page);
    add("behind a registration", page.wrapping_byte_add(4096));
    let mut managed = ptr::null_mut();
    made!(runtime.cudaMallocManaged(&raw mut managed, 4096, 1));
    add("managed", managed);
    let mut pool = ptr::null_mut();
    made!(runtime.cudaMallocAsync(&raw mut pool, 4096, ptr::null_mut()));
    made!(runtime.cudaStreamSynchronize(ptr::null_mut()));
    add("stream-ordered pool", pool);
    let mut freed = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut freed, 8 << 20));
    made!(runtime.cudaFree(freed));
    add("freed", freed);
    samples.extend(virtual_memory(driver));
    samples
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
        Sample {
            what: "virtual memory",
            address: start,
        },
        Sample {
            what: "virtual memory without access",
            address: start + PART as u64,
        },
        Sample {
            what: "reserved and not mapped",
            address: start + 2 * PART as u64,
        },
    ]
}

fn compare() {
    let driver = Driver::get().expect("there is a driver");
    let runtime = Runtime::get().expect("there is a runtime");
    made!(driver.cuInit(0));
    made!(runtime.cudaSetDevice(0));
    let mut unused = ptr::null_mut();
    // Makes the context, which CUDA 11 does not do before memory is asked for.
    made!(runtime.cudaFree(unused));
    made!(runtime.cudaMalloc(&raw mut unused, 1));
    let by_driver = Live::new(driver);
    let by_runtime = ByRuntime::new(runtime, Live::new(driver));
    for Sample { what, address } in samples(driver, runtime) {
        let (one, other) = (by_driver.pointer(address), by_runtime.pointer(address));
        // The runtime of some majors refuses null; then it says nothing, and so no other thing.
        if address == 0 && other == Pointer::CannotTell {
            continue;
        }
        assert_eq!(common(what, one), common(what, other), "{what}");
    }
    // SAFETY: it has no precondition.
    let left = unsafe { runtime.cudaPeekAtLastError() };
    assert_eq!(
        left,
        cudaError_t::cudaSuccess,
        "a query left an error behind"
    );
    // SAFETY: it has no precondition.
    let status = unsafe { driver.cuCtxSynchronize() };
    assert_eq!(status, CUresult::CUDA_SUCCESS);
}

/// What both interfaces can tell.
fn common(what: &str, answer: Pointer) -> (u32, bool, i32, u64) {
    let Pointer::Known(Attributes {
        memory_type,
        managed,
        ordinal,
        device_pointer,
        ..
    }) = answer
    else {
        panic!("{what}: cannot tell");
    };
    (
        memory_type,
        managed == Some(true),
        ordinal,
        device_pointer.unwrap_or(0),
    )
}

#[test]
fn both_interfaces_say_the_same_of_every_class_of_pointer() {
    on_cuda(here!(), compare);
}
