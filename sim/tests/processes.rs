//! What ends processes, begins them, or is decided when one begins. Nothing here uses CUDA in the test's own process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use cuda_sys::driver::*;
use support::{End, cu, device_memory, in_child};

#[test]
fn following_a_device_address_kills_the_program() {
    let end = in_child(|| {
        let (driver, _) = support::ready();
        let address = device_memory(driver, 64);
        let place = core::ptr::with_exposed_provenance::<u8>(usize::try_from(address).unwrap());
        // SAFETY: none: the fault is what is tested.
        i32::from(unsafe { place.read_volatile() })
    });
    assert_eq!(end, End::Signal(libc::SIGSEGV));
}

#[test]
fn a_dead_stream_kills_the_program() {
    let end = in_child(|| {
        let (driver, _) = support::ready();
        let mut dead = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuStreamCreate(&raw mut dead, 0)), 0);
        assert_eq!(cu!(driver.cuStreamDestroy_v2(dead)), 0);
        i32::try_from(cu!(driver.cuStreamSynchronize(dead))).unwrap()
    });
    assert_eq!(end, End::Signal(libc::SIGSEGV));
}

#[test]
fn contexts_stack_and_die() {
    let end = in_child(|| {
        let driver = support::driver();
        let mut context = core::ptr::null_mut();
        let mut address = 0;
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 3);
        assert_eq!(cu!(driver.cuInit(0)), 0);
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 201);
        assert_eq!(cu!(driver.cuCtxPopCurrent_v2(&raw mut context)), 201);
        let (mut first, mut second) = (core::ptr::null_mut(), core::ptr::null_mut());
        assert_eq!(cu!(driver.cuCtxCreate_v2(&raw mut first, 0, 0)), 0);
        let memory = device_memory(driver, 64);
        assert_eq!(cu!(driver.cuCtxCreate_v2(&raw mut second, 0, 0)), 0);
        assert_eq!(cu!(driver.cuCtxGetCurrent(&raw mut context)), 0);
        assert_eq!(context, second);
        assert_eq!(cu!(driver.cuMemsetD8_v2(memory, 1, 64)), 0);
        assert_eq!(cu!(driver.cuCtxDestroy_v2(first)), 0);
        assert_eq!(cu!(driver.cuMemsetD8_v2(memory, 1, 64)), 1);
        assert_eq!(cu!(driver.cuCtxPopCurrent_v2(&raw mut context)), 0);
        assert_eq!(context, second);
        0
    });
    assert_eq!(end, End::Exit(0));
}

#[test]
fn a_child_of_a_program_that_uses_cuda_gets_errors() {
    let end = in_child(|| {
        let (driver, _) = support::ready();
        let memory = device_memory(driver, 64);
        let grandchild = in_child(|| {
            let here = [0u8; 64];
            let mut count = 0;
            let mut context = core::ptr::null_mut();
            let refused = [
                cu!(driver.cuInit(0)),
                cu!(driver.cuDeviceGetCount(&raw mut count)),
                cu!(driver.cuCtxGetCurrent(&raw mut context)),
                cu!(driver.cuMemcpyHtoD_v2(memory, here.as_ptr().cast(), 64)),
                cu!(driver.cuMemFree_v2(memory)),
            ];
            i32::from(refused != [3; 5])
        });
        assert_eq!(grandchild, End::Exit(0));
        let mut managed = 0;
        assert_eq!(cu!(driver.cuMemAllocManaged(&raw mut managed, 64, 1)), 0);
        let mut pinned = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, 64)), 0);
        let managed = core::ptr::with_exposed_provenance::<u8>(usize::try_from(managed).unwrap());
        // SAFETY: none: whether a child may read these is what is tested.
        let read = |place: *const u8| in_child(|| i32::from(unsafe { place.read_volatile() }));
        assert_eq!(read(managed), End::Signal(libc::SIGSEGV));
        assert_eq!(read(pinned.cast()), End::Exit(0));
        assert_eq!(cu!(driver.cuMemFree_v2(memory)), 0);
        0
    });
    assert_eq!(end, End::Exit(0));
}

/// Takes every lock there is, again and again.
fn keep_busy(driver: &Driver, context: usize, until: Instant) {
    let context = core::ptr::with_exposed_provenance_mut(context);
    assert_eq!(cu!(driver.cuCtxSetCurrent(context)), 0);
    while Instant::now() < until {
        let (mut stream, mut event) = (core::ptr::null_mut(), core::ptr::null_mut());
        let mut ordered = 0;
        assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, 0)), 0);
        assert_eq!(cu!(driver.cuEventCreate(&raw mut event, 0)), 0);
        let memory = device_memory(driver, 100);
        assert_eq!(cu!(driver.cuMemAllocAsync(&raw mut ordered, 64, stream)), 0);
        assert_eq!(cu!(driver.cuMemsetD8Async(memory, 1, 100, stream)), 0);
        assert_eq!(cu!(driver.cuMemFreeAsync(ordered, stream)), 0);
        assert_eq!(cu!(driver.cuEventRecord(event, stream)), 0);
        assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
        assert_eq!(cu!(driver.cuMemFree_v2(memory)), 0);
        assert_eq!(cu!(driver.cuEventDestroy_v2(event)), 0);
        assert_eq!(cu!(driver.cuStreamDestroy_v2(stream)), 0);
    }
}

/// What a child can be answered that was forked at any moment: every way through the simulator that a child has.
fn ask_in_a_child(driver: &Driver, stream: CUstream, event: CUevent) -> i32 {
    // SAFETY: a call that waits for a thread that does not exist here ends the child by a signal.
    unsafe { libc::alarm(10) };
    let (mut address, mut graph, mut id, mut version) = (0, core::ptr::null_mut(), 0, 0);
    let mut status = CUstreamCaptureStatus_enum::CU_STREAM_CAPTURE_STATUS_NONE;
    let (mut milliseconds, mut device) = (0.0, 0);
    let answers = [
        cu!(driver.cuInit(0)),
        cu!(driver.cuMemAlloc_v2(&raw mut address, 64)),
        cu!(driver.cuStreamSynchronize(core::ptr::null_mut())),
        cu!(driver.cuDriverGetVersion(&raw mut version)),
        cu!(driver.cuStreamSynchronize(stream)),
        cu!(driver.cuStreamGetId(stream, &raw mut id)),
        cu!(driver.cuStreamGetDevice(stream, &raw mut device)),
        cu!(driver.cuStreamIsCapturing(stream, &raw mut status)),
        cu!(driver.cuStreamEndCapture(stream, &raw mut graph)),
        cu!(driver.cuEventRecord(event, stream)),
        cu!(driver.cuEventSynchronize(event)),
        cu!(driver.cuEventElapsedTime(&raw mut milliseconds, event, event)),
        cu!(driver.cuMemAllocAsync(&raw mut address, 64, stream)),
    ];
    i32::from(answers != [3, 3, 3, 0, 0, 0, 0, 0, 401, 0, 0, 0, 0])
}

#[test]
fn children_of_a_busy_program_wait_for_nobody() {
    let end = in_child(|| {
        let (driver, context) = support::ready();
        let context = context.expose_provenance();
        let (mut stream, mut event) = (core::ptr::null_mut(), core::ptr::null_mut());
        assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, 0)), 0);
        assert_eq!(cu!(driver.cuEventCreate(&raw mut event, 0)), 0);
        assert_eq!(cu!(driver.cuEventRecord(event, stream)), 0);
        assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
        let until = Instant::now() + Duration::from_secs(2);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || keep_busy(driver, context, until));
            }
            while Instant::now() < until {
                let end = in_child(|| ask_in_a_child(driver, stream, event));
                assert_eq!(end, End::Exit(0));
            }
        });
        0
    });
    assert_eq!(end, End::Exit(0));
}

/// Runs with `CUWHY_SIM` set so.
fn configured(text: &str, work: impl FnOnce(&'static Driver)) {
    let end = in_child(|| {
        // SAFETY: this child has one thread.
        unsafe { std::env::set_var("CUWHY_SIM", text) };
        work(support::driver());
        0
    });
    assert_eq!(end, End::Exit(0), "{text}");
}

#[test]
fn several_devices_with_and_without_peer_access() {
    configured("devices=3,peers=0-1,memory=64MiB", |driver| {
        assert_eq!(cu!(driver.cuInit(0)), 0);
        let mut count = 0;
        assert_eq!(cu!(driver.cuDeviceGetCount(&raw mut count)), 0);
        assert_eq!(count, 3);
        let mut contexts = [core::ptr::null_mut(); 3];
        let mut memory = [0; 3];
        for (device, context) in (0..).zip(&mut contexts) {
            assert_eq!(
                cu!(driver.cuDevicePrimaryCtxRetain(core::ptr::from_mut(context), device)),
                0
            );
            assert_eq!(cu!(driver.cuCtxSetCurrent(*context)), 0);
            memory[usize::try_from(device).unwrap()] = device_memory(driver, 64);
        }
        let mut can = 7;
        assert_eq!(cu!(driver.cuDeviceCanAccessPeer(&raw mut can, 0, 1)), 0);
        assert_eq!(can, 1);
        assert_eq!(cu!(driver.cuDeviceCanAccessPeer(&raw mut can, 0, 2)), 0);
        assert_eq!(can, 0);
        assert_eq!(cu!(driver.cuCtxSetCurrent(contexts[0])), 0);
        // Copies are staged without access; a memset needs it.
        assert_eq!(cu!(driver.cuMemcpyDtoD_v2(memory[0], memory[2], 64)), 0);
        assert_eq!(
            cu!(driver.cuMemcpyPeer(memory[1], contexts[1], memory[2], contexts[2], 64)),
            0
        );
        assert_eq!(cu!(driver.cuMemsetD8_v2(memory[1], 0, 64)), 1);
        assert_eq!(cu!(driver.cuCtxEnablePeerAccess(contexts[2], 0)), 217);
        assert_eq!(cu!(driver.cuCtxEnablePeerAccess(contexts[0], 0)), 217);
        assert_eq!(cu!(driver.cuCtxEnablePeerAccess(contexts[1], 0)), 0);
        assert_eq!(cu!(driver.cuCtxEnablePeerAccess(contexts[1], 0)), 704);
        assert_eq!(cu!(driver.cuMemsetD8_v2(memory[1], 0, 64)), 0);
        assert_eq!(cu!(driver.cuCtxDisablePeerAccess(contexts[1])), 0);
        assert_eq!(cu!(driver.cuCtxDisablePeerAccess(contexts[1])), 705);
    });
}

#[test]
fn pool_memory_of_another_device_needs_access() {
    configured("devices=2", |driver| {
        let (_, _) = support::ready();
        let mut contexts = [core::ptr::null_mut(); 2];
        for (device, context) in (0..).zip(&mut contexts) {
            assert_eq!(
                cu!(driver.cuDevicePrimaryCtxRetain(core::ptr::from_mut(context), device)),
                0
            );
        }
        assert_eq!(cu!(driver.cuCtxSetCurrent(contexts[1])), 0);
        let (mut theirs, stream) = (0, core::ptr::null_mut());
        assert_eq!(cu!(driver.cuMemAllocAsync(&raw mut theirs, 64, stream)), 0);
        assert_eq!(cu!(driver.cuCtxSetCurrent(contexts[0])), 0);
        let ours = device_memory(driver, 64);
        assert_eq!(cu!(driver.cuMemcpyDtoD_v2(ours, theirs, 64)), 1);
        assert_eq!(
            cu!(driver.cuMemcpyPeer(ours, contexts[0], theirs, contexts[1], 64)),
            0
        );
        let mut pool = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuDeviceGetDefaultMemPool(&raw mut pool, 1)), 0);
        let mut access = CUmemAccessDesc::default();
        access.location.type_ = CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE;
        access.flags = CUmemAccess_flags_enum::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        assert_eq!(
            cu!(driver.cuMemPoolSetAccess(pool, &raw const access, 1)),
            0
        );
        assert_eq!(cu!(driver.cuMemcpyDtoD_v2(ours, theirs, 64)), 0);
    });
}

#[test]
fn failures_come_when_they_are_asked_for() {
    configured(
        "fail=cuMemAlloc_v2:2:999+cuMemcpyDtoD_v2:*:700,quiet",
        |driver| {
            let (_, _) = support::ready();
            let mut address = 0;
            assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 0);
            assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 999);
            assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 0);
            assert_eq!(cu!(driver.cuMemcpyDtoD_v2(address, address, 4)), 700);
        },
    );
}

#[test]
fn memory_ends_where_it_is_said_to() {
    configured("memory=1GiB,oom=8MiB", |driver| {
        let (_, _) = support::ready();
        let (mut free, mut total) = (0, 0);
        assert_eq!(
            cu!(driver.cuMemGetInfo_v2(&raw mut free, &raw mut total)),
            0
        );
        assert_eq!((free, total), (8 << 20, 1 << 30));
        let four = device_memory(driver, 4 << 20);
        let mut address = 0;
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 5 << 20)), 2);
        assert_eq!(cu!(driver.cuMemFree_v2(four)), 0);
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 5 << 20)), 0);
    });
}

#[test]
fn an_older_device_has_no_pools_and_no_virtual_memory() {
    configured("profile=gtx980,quiet", |driver| {
        let (_, _) = support::ready();
        let (mut address, stream) = (0, core::ptr::null_mut());
        assert_eq!(
            cu!(driver.cuMemAllocAsync(&raw mut address, 64, stream)),
            801
        );
        assert_eq!(
            cu!(driver.cuMemAddressReserve(&raw mut address, 2 << 20, 0, 0, 0)),
            801
        );
        let mut name = [0; 64];
        assert_eq!(cu!(driver.cuDeviceGetName(name.as_mut_ptr(), 64, 0)), 0);
        // SAFETY: the driver wrote a string with its end.
        let name = unsafe { core::ffi::CStr::from_ptr(name.as_ptr()) };
        assert!(name.to_str().unwrap().contains("simulated"));
    });
}

#[test]
fn pageable_memory_is_within_reach_with_hmm() {
    configured("hmm=on", |driver| {
        let (_, _) = support::ready();
        let (mut a, b) = ([0u8; 16], [3u8; 16]);
        let address = |bytes: &[u8; 16]| bytes.as_ptr().expose_provenance() as u64;
        assert_eq!(
            cu!(driver.cuMemcpyDtoD_v2(a.as_mut_ptr().expose_provenance() as u64, address(&b), 16)),
            0
        );
        assert_eq!(a, b);
        assert_eq!(
            cu!(driver.cuMemsetD8_v2(a.as_mut_ptr().expose_provenance() as u64, 9, 16)),
            0
        );
        assert_eq!(a, [9; 16]);
    });
}

#[test]
fn a_count_that_wraps_is_accepted_and_kills_the_device() {
    configured("devices=2", |driver| {
        let (_, context) = support::ready();
        let (a, b) = (device_memory(driver, 64), device_memory(driver, 64));
        // Comes out at the very start: refused.
        assert_eq!(cu!(driver.cuMemcpyDtoD_v2(a + 4, b + 4, usize::MAX - 3)), 1);
        assert_eq!(cu!(driver.cuMemcpyDtoD_v2(a + 8, b + 8, usize::MAX - 3)), 0);
        assert_eq!(cu!(driver.cuCtxSynchronize()), 700);
        let mut address = 0;
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 700);
        assert_eq!(cu!(driver.cuMemcpyDtoD_v2(a, b, 4)), 700);
        assert_eq!(cu!(driver.cuDevicePrimaryCtxReset_v2(0)), 0);
        let mut again = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuDevicePrimaryCtxRetain(&raw mut again, 0)), 700);
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 709);
        assert_eq!(cu!(driver.cuDevicePrimaryCtxRetain(&raw mut again, 1)), 0);
        assert_ne!(again, context);
    });
}

#[test]
fn a_memset_that_wraps_is_accepted_and_kills_the_device() {
    configured("", |driver| {
        let (_, _) = support::ready();
        let memory = device_memory(driver, 64);
        assert_eq!(cu!(driver.cuMemsetD8_v2(memory + 8, 0, usize::MAX - 3)), 0);
        assert_eq!(cu!(driver.cuCtxSynchronize()), 700);
    });
}

#[test]
fn a_registration_that_was_unmapped_is_found_by_the_stream() {
    configured("", |driver| {
        let (_, _) = support::ready();
        let device = device_memory(driver, 4096);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh page.
        let page = unsafe { libc::mmap(core::ptr::null_mut(), 4096, protection, flags, -1, 0) };
        assert_eq!(cu!(driver.cuMemHostRegister_v2(page, 4096, 0)), 0);
        let mut stream = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, 1)), 0);
        // SAFETY: our own page, which only the driver still knows. It stays reserved, so that nothing else gets its place.
        assert_eq!(unsafe { libc::mprotect(page, 4096, libc::PROT_NONE) }, 0);
        assert_eq!(
            cu!(driver.cuMemcpyHtoDAsync_v2(device, page, 4096, stream)),
            0
        );
        // The code of a copy engine that failed. Hardware has the page pinned and would not notice.
        assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 719);
        let mut more = 0;
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut more, 64)), 719);
    });
}

/// Sends bytes to new device memory and gets them back; answers what a handle of it for other processes is refused with.
fn round_trip(driver: &Driver) -> u32 {
    let device = device_memory(driver, 3 << 20);
    let (sent, mut back) = (vec![5_u8; 3 << 20], vec![0_u8; 3 << 20]);
    let (from, to) = (sent.as_ptr().cast(), back.as_mut_ptr().cast());
    assert_eq!(cu!(driver.cuMemcpyHtoD_v2(device, from, sent.len())), 0);
    assert_eq!(cu!(driver.cuMemcpyDtoH_v2(to, device, sent.len())), 0);
    assert!(sent == back);
    let mut handle = CUipcMemHandle::default();
    let status = cu!(driver.cuIpcGetMemHandle(&raw mut handle, device));
    assert_eq!(cu!(driver.cuMemFree_v2(device)), 0);
    status
}

#[test]
fn without_a_file_for_it_memory_is_this_process_alone() {
    configured("quiet", |driver| {
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the child needs no file any more.
        let status = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const none) };
        assert_eq!(status, 0);
        let (_, _) = support::ready();
        assert_eq!(round_trip(driver), 801);
    });
}

#[test]
fn a_program_may_close_files_that_it_does_not_know() {
    configured("quiet", |driver| {
        let (_, _) = support::ready();
        let early = device_memory(driver, 64);
        assert_eq!(cu!(driver.cuMemsetD8_v2(early, 1, 64)), 0);
        assert_eq!(round_trip(driver), 0);
        // SAFETY: nothing of this child needs them.
        let status = unsafe { libc::close_range(3, u32::MAX, 0) };
        assert_eq!(status, 0);
        assert_eq!(round_trip(driver), 801);
        // Files of the program get the numbers, and must not be taken for ours.
        let files: Vec<_> = (0..300)
            .map(|_| std::fs::File::open("/dev/zero").unwrap())
            .collect();
        assert_eq!(round_trip(driver), 801);
        drop(files);
        let mut byte = 0_u8;
        assert_eq!(
            cu!(driver.cuMemcpyDtoH_v2((&raw mut byte).cast(), early, 1)),
            0
        );
        assert_eq!(byte, 1);
        assert_eq!(cu!(driver.cuMemFree_v2(early)), 0);
    });
}

#[test]
fn the_primary_context_comes_back_under_its_handle() {
    configured("", |driver| {
        let (_, context) = support::ready();
        let memory = device_memory(driver, 64);
        let (mut stream, mut event) = (core::ptr::null_mut(), core::ptr::null_mut());
        assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, 1)), 0);
        assert_eq!(cu!(driver.cuEventCreate(&raw mut event, 0)), 0);
        assert_eq!(cu!(driver.cuDevicePrimaryCtxReset_v2(0)), 0);
        let (mut address, mut device) = (0, 7);
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 709);
        assert_eq!(cu!(driver.cuCtxGetDevice(&raw mut device)), 0);
        assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 709);
        assert_eq!(cu!(driver.cuEventQuery(event)), 709);
        let mut again = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuDevicePrimaryCtxRetain(&raw mut again, 0)), 0);
        assert_eq!(again, context);
        assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut address, 4)), 0);
        assert_eq!(cu!(driver.cuMemsetD8_v2(memory + 4096, 0, 4)), 1);
        assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 400);
        assert_eq!(cu!(driver.cuEventQuery(event)), 201);
    });
}

#[test]
fn a_count_that_wraps_with_a_side_on_the_host_kills_the_program() {
    let end = in_child(|| {
        let (driver, _) = support::ready();
        let device = device_memory(driver, 64);
        let mut pinned: *mut core::ffi::c_void = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, 64)), 0);
        let host = pinned.wrapping_byte_add(8);
        i32::try_from(cu!(driver.cuMemcpyHtoD_v2(
            device + 8,
            host,
            usize::MAX - 3
        )))
        .unwrap()
    });
    assert_eq!(end, End::Signal(libc::SIGSEGV));
}

#[test]
fn a_peer_copy_wants_memory_that_cuda_knows() {
    configured("devices=2", |driver| {
        let (_, context) = support::ready();
        let device = device_memory(driver, 64);
        let here = [0u8; 64];
        let pageable = here.as_ptr().expose_provenance() as u64;
        assert_eq!(
            cu!(driver.cuMemcpyPeer(device, context, pageable, context, 64)),
            1
        );
        let mut pinned: *mut core::ffi::c_void = core::ptr::null_mut();
        assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, 64)), 0);
        assert_eq!(
            cu!(driver.cuMemcpyPeer(device, context, pinned.addr() as u64, context, 64)),
            0
        );
    });
}
