//! Allocation, pinned and registered memory, virtual memory, pools and arrays.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use core::ffi::c_void;

use cuda_sys::driver::*;
use support::{cu, device_memory};

#[test]
fn small_allocations_are_neighbours_and_512_apart() {
    let (driver, _) = support::ready();
    let mut context = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuCtxCreate_v2(&raw mut context, 0, 0)), 0);
    let first = device_memory(driver, 40);
    let second = device_memory(driver, 1);
    assert_eq!(second - first, 512);
    assert_eq!(first % 512, 0);
    assert_eq!(cu!(driver.cuMemFree_v2(first)), 0);
    assert_eq!(device_memory(driver, 100), first);
    assert_eq!(cu!(driver.cuCtxDestroy_v2(context)), 0);
}

#[test]
fn wrong_allocations_are_refused() {
    let (driver, _) = support::ready();
    let mut address = 7;
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 0)), 1);
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, usize::MAX)), 2);
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 1 << 45)), 2);
    assert_eq!(address, 7);
    assert_eq!(cu!(driver.cuMemAlloc_v2(core::ptr::null_mut(), 4)), 1);
    let mut pitch = 0;
    assert_eq!(
        cu!(driver.cuMemAllocPitch_v2(&raw mut address, &raw mut pitch, 100, 4, 3)),
        1
    );
    let live = device_memory(driver, 64);
    assert_eq!(cu!(driver.cuMemFree_v2(live + 4)), 1);
    assert_eq!(cu!(driver.cuMemFree_v2(live)), 0);
    assert_eq!(cu!(driver.cuMemFree_v2(live)), 1);
}

#[test]
fn bytes_make_the_round_trip() {
    let (driver, _) = support::ready();
    let sent: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
    let mut back = vec![0u8; sent.len()];
    let (a, b) = (
        device_memory(driver, sent.len()),
        device_memory(driver, sent.len()),
    );
    assert_eq!(
        cu!(driver.cuMemcpyHtoD_v2(a, sent.as_ptr().cast(), sent.len())),
        0
    );
    assert_eq!(cu!(driver.cuMemcpyDtoD_v2(b, a, sent.len())), 0);
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2(back.as_mut_ptr().cast(), b, back.len())),
        0
    );
    assert_eq!(sent, back);
    for freed in [a, b] {
        assert_eq!(cu!(driver.cuMemFree_v2(freed)), 0);
    }
}

#[test]
fn registration_has_its_own_errors() {
    let (driver, _) = support::ready();
    let mut memory = vec![0u8; 8192];
    let start: *mut c_void = memory.as_mut_ptr().cast();
    assert_eq!(cu!(driver.cuMemHostRegister_v2(start, 4096, 0)), 0);
    assert_eq!(cu!(driver.cuMemHostRegister_v2(start, 4096, 0)), 712);
    let mut flags = 0;
    assert_eq!(cu!(driver.cuMemHostGetFlags(&raw mut flags, start)), 0);
    let mut device = 0;
    assert_eq!(
        cu!(driver.cuMemHostGetDevicePointer_v2(&raw mut device, start, 0)),
        0
    );
    assert_eq!(device, start.addr() as u64);
    assert_eq!(cu!(driver.cuMemHostUnregister(start)), 0);
    assert_eq!(cu!(driver.cuMemHostUnregister(start)), 713);
    let device = device_memory(driver, 4096);
    let place = core::ptr::with_exposed_provenance_mut(usize::try_from(device).unwrap());
    assert_eq!(cu!(driver.cuMemHostRegister_v2(place, 4096, 0)), 1);
    assert_eq!(cu!(driver.cuMemFree_v2(device)), 0);
}

#[test]
fn two_handles_side_by_side_are_one_range_and_a_hole_is_not() {
    const CHUNK: usize = 2 << 20;
    let (driver, _) = support::ready();
    let mut wanted = CUmemAllocationProp {
        type_: CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..CUmemAllocationProp::default()
    };
    wanted.location.type_ = CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE;
    let (mut base, mut handles) = (0, [0; 2]);
    assert_eq!(
        cu!(driver.cuMemAddressReserve(&raw mut base, 3 * CHUNK, 0, 0, 0)),
        0
    );
    for (index, handle) in handles.iter_mut().enumerate() {
        assert_eq!(
            cu!(driver.cuMemCreate(core::ptr::from_mut(handle), CHUNK, &raw const wanted, 0)),
            0
        );
        assert_eq!(
            cu!(driver.cuMemMap(base + (index * CHUNK) as u64, CHUNK, 0, *handle, 0)),
            0
        );
    }
    let flags = CUmemAccess_flags_enum::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    let access = CUmemAccessDesc {
        location: wanted.location,
        flags,
    };
    assert_eq!(
        cu!(driver.cuMemSetAccess(base, 2 * CHUNK, &raw const access, 1)),
        0
    );
    let device = device_memory(driver, 4 * CHUNK);
    let middle = base + CHUNK as u64 - 8;
    let sent = *b"across the seam!";
    let mut back = [0u8; 16];
    assert_eq!(
        cu!(driver.cuMemcpyHtoD_v2(middle, sent.as_ptr().cast(), 16)),
        0
    );
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2(back.as_mut_ptr().cast(), middle, 16)),
        0
    );
    assert_eq!(sent, back);
    assert_eq!(cu!(driver.cuMemcpyDtoD_v2(device, base, 2 * CHUNK)), 0);
    assert_eq!(cu!(driver.cuMemcpyDtoD_v2(device, base, 2 * CHUNK + 1)), 1);
    assert_eq!(cu!(driver.cuMemUnmap(base, 2 * CHUNK)), 0);
    assert_eq!(cu!(driver.cuMemcpyDtoD_v2(device, base, 4)), 1);
    for handle in handles {
        assert_eq!(cu!(driver.cuMemRelease(handle)), 0);
    }
    assert_eq!(cu!(driver.cuMemAddressFree(base, 3 * CHUNK)), 0);
    assert_eq!(cu!(driver.cuMemFree_v2(device)), 0);
}

#[test]
fn a_pool_keeps_what_its_threshold_says() {
    let (driver, _) = support::ready();
    let mut wanted = CUmemPoolProps {
        allocType: CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..CUmemPoolProps::default()
    };
    wanted.location.type_ = CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE;
    let (mut pool, mut stream) = (core::ptr::null_mut(), core::ptr::null_mut());
    assert_eq!(
        cu!(driver.cuMemPoolCreate(&raw mut pool, &raw const wanted)),
        0
    );
    assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, 1)), 0);
    let attribute = |which| {
        let mut value = 0u64;
        assert_eq!(
            cu!(driver.cuMemPoolGetAttribute(pool, which, (&raw mut value).cast())),
            0
        );
        value
    };
    let reserved = CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT;
    let mut address = 0;
    assert_eq!(
        cu!(driver.cuMemAllocFromPoolAsync(&raw mut address, 1000, pool, stream)),
        0
    );
    assert_eq!(attribute(reserved), 32 << 20);
    assert_eq!(cu!(driver.cuMemFreeAsync(address, stream)), 0);
    assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
    assert_eq!(attribute(reserved), 0);
    let mut keep = u64::MAX;
    let threshold = CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    assert_eq!(
        cu!(driver.cuMemPoolSetAttribute(pool, threshold, (&raw mut keep).cast())),
        0
    );
    assert_eq!(
        cu!(driver.cuMemAllocFromPoolAsync(&raw mut address, 1000, pool, stream)),
        0
    );
    assert_eq!(cu!(driver.cuMemFreeAsync(address, stream)), 0);
    assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
    assert_eq!(attribute(reserved), 32 << 20);
    assert_eq!(cu!(driver.cuMemFreeAsync(address, stream)), 1);
    assert_eq!(cu!(driver.cuMemPoolDestroy(pool)), 0);
}

#[test]
fn arrays_hold_rows() {
    let (driver, _) = support::ready();
    let wanted = CUDA_ARRAY_DESCRIPTOR {
        Width: 16,
        Height: 4,
        Format: CUarray_format_enum::CU_AD_FORMAT_FLOAT,
        NumChannels: 1,
    };
    let mut array = core::ptr::null_mut();
    assert_eq!(
        cu!(driver.cuArrayCreate_v2(&raw mut array, &raw const wanted)),
        0
    );
    let sent: Vec<u8> = (0..=255).collect();
    let mut copy = CUDA_MEMCPY2D {
        srcMemoryType: CUmemorytype_enum::CU_MEMORYTYPE_HOST,
        srcHost: sent.as_ptr().cast(),
        srcPitch: 64,
        dstMemoryType: CUmemorytype_enum::CU_MEMORYTYPE_ARRAY,
        dstArray: array,
        WidthInBytes: 64,
        Height: 4,
        ..CUDA_MEMCPY2D::default()
    };
    assert_eq!(cu!(driver.cuMemcpy2D_v2(&raw const copy)), 0);
    let mut back = [0u8; 8];
    assert_eq!(
        cu!(driver.cuMemcpyAtoH_v2(back.as_mut_ptr().cast(), array, 8, 8)),
        0
    );
    assert_eq!(back, [8, 9, 10, 11, 12, 13, 14, 15]);
    copy.Height = 5;
    assert_eq!(cu!(driver.cuMemcpy2D_v2(&raw const copy)), 1);
    copy.Height = 1;
    copy.dstXInBytes = 4;
    assert_eq!(cu!(driver.cuMemcpy2D_v2(&raw const copy)), 1);
    assert_eq!(cu!(driver.cuArrayDestroy(array)), 0);
}

#[test]
fn pitched_copies_are_checked_to_the_last_byte() {
    let (driver, _) = support::ready();
    let (mut device, mut pitch) = (0, 0);
    assert_eq!(
        cu!(driver.cuMemAllocPitch_v2(&raw mut device, &raw mut pitch, 100, 3, 4)),
        0
    );
    assert_eq!(pitch, 512);
    let sent = [7u8; 300];
    let mut copy = CUDA_MEMCPY2D {
        srcMemoryType: CUmemorytype_enum::CU_MEMORYTYPE_HOST,
        srcHost: sent.as_ptr().cast(),
        srcPitch: 100,
        dstMemoryType: CUmemorytype_enum::CU_MEMORYTYPE_DEVICE,
        dstDevice: device,
        dstPitch: pitch,
        WidthInBytes: 100,
        Height: 3,
        ..CUDA_MEMCPY2D::default()
    };
    assert_eq!(cu!(driver.cuMemcpy2D_v2(&raw const copy)), 0);
    copy.dstXInBytes = 412;
    assert_eq!(cu!(driver.cuMemcpy2D_v2(&raw const copy)), 0);
    copy.dstXInBytes = 0;
    copy.dstDevice = device + 413;
    assert_eq!(cu!(driver.cuMemcpy2D_v2(&raw const copy)), 1);
    copy.dstDevice = device;
    copy.dstPitch = 99;
    assert_eq!(cu!(driver.cuMemcpy2D_v2(&raw const copy)), 1);
    let mut row = [0u8; 512];
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2(row.as_mut_ptr().cast(), device + 1024, 512)),
        0
    );
    assert!(row[..100].iter().all(|&byte| byte == 7));
    assert_eq!(cu!(driver.cuMemFree_v2(device)), 0);
}

#[test]
fn memset_knows_its_widths() {
    let (driver, _) = support::ready();
    let device = device_memory(driver, 64);
    assert_eq!(cu!(driver.cuMemsetD8_v2(device, 0xab, 64)), 0);
    assert_eq!(cu!(driver.cuMemsetD16_v2(device + 2, 0x1234, 2)), 0);
    assert_eq!(cu!(driver.cuMemsetD32_v2(device + 8, 0xdead_beef, 1)), 0);
    assert_eq!(cu!(driver.cuMemsetD16_v2(device + 1, 0, 1)), 1);
    assert_eq!(cu!(driver.cuMemsetD8_v2(device, 0, 65)), 1);
    assert_eq!(cu!(driver.cuMemsetD8_v2(0, 0, 0)), 0);
    let here = [0u8; 16];
    assert_eq!(
        cu!(driver.cuMemsetD8_v2(here.as_ptr().addr() as u64, 0, 16)),
        1
    );
    let mut back = [0u8; 13];
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2(back.as_mut_ptr().cast(), device, 13)),
        0
    );
    assert_eq!(
        back,
        [
            0xab, 0xab, 0x34, 0x12, 0x34, 0x12, 0xab, 0xab, 0xef, 0xbe, 0xad, 0xde, 0xab
        ]
    );
    assert_eq!(cu!(driver.cuMemFree_v2(device)), 0);
}

#[test]
fn variables_of_a_module_are_memory() {
    const PTX: &core::ffi::CStr = c".version 8.0\n.target sm_50\n.address_size 64\n.global .align 4 .u32 seven = 7;\n.visible .entry f() { ret; }\n";
    let (driver, _) = support::ready();
    let mut module = core::ptr::null_mut();
    assert_eq!(
        cu!(driver.cuModuleLoadData(&raw mut module, PTX.as_ptr().cast())),
        0
    );
    let (mut address, mut size, mut value) = (0, 0, 0u32);
    assert_eq!(
        cu!(driver.cuModuleGetGlobal_v2(
            &raw mut address,
            &raw mut size,
            module,
            c"seven".as_ptr()
        )),
        0
    );
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2((&raw mut value).cast(), address, size)),
        0
    );
    assert_eq!((size, value), (4, 7));
    assert_eq!(
        cu!(driver.cuModuleGetGlobal_v2(
            &raw mut address,
            &raw mut size,
            module,
            c"eight".as_ptr()
        )),
        500
    );
    let mut function = core::ptr::null_mut();
    assert_eq!(
        cu!(driver.cuModuleGetFunction(&raw mut function, module, c"f".as_ptr())),
        0
    );
    let none = core::ptr::null_mut();
    let nothing = core::ptr::null_mut();
    let stream = core::ptr::null_mut();
    assert_eq!(
        cu!(driver.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, none, nothing)),
        801
    );
    assert_eq!(cu!(driver.cuModuleUnload(module)), 0);
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2((&raw mut value).cast(), address, 4)),
        1
    );
}
