//! Many threads at once: allocating, copying, freeing and asking, with no error and nothing left behind.
//!
//! Two seconds in every run of the tests; for a minute with `cargo test -p cuwhy-sim --test stress -- --ignored`, and
//! under ThreadSanitizer with `sim/race-check.sh`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use core::ffi::c_void;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cuda_sys::driver::*;
use support::cu;

const THREADS: u64 = 8;

/// Numbers that look random, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// One round of a thread's life: every kind of memory, every way to copy, and what was sent must come back.
fn round(driver: &Driver, stream: CUstream, dice: &mut Dice) {
    let magnitude = dice.roll(20);
    let size = 1 + dice.roll(3 << magnitude);
    let (mut a, mut b, mut pooled) = (0, 0, 0);
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut a, size)), 0);
    assert_eq!(cu!(driver.cuMemAllocManaged(&raw mut b, size, 1)), 0);
    assert_eq!(
        cu!(driver.cuMemAllocAsync(&raw mut pooled, size, stream)),
        0
    );
    let mut pinned: *mut c_void = core::ptr::null_mut();
    assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, size)), 0);

    let byte = u8::try_from(dice.roll(256)).unwrap();
    let sent = vec![byte; size];
    let mut back = vec![!byte; size];
    assert_eq!(
        cu!(driver.cuMemcpyHtoDAsync_v2(a, sent.as_ptr().cast(), size, stream)),
        0
    );
    assert_eq!(cu!(driver.cuMemcpyDtoDAsync_v2(pooled, a, size, stream)), 0);
    assert_eq!(
        cu!(driver.cuMemcpyDtoHAsync_v2(pinned, pooled, size, stream)),
        0
    );
    assert_eq!(
        cu!(driver.cuMemcpyAsync(b, pinned.addr() as u64, size, stream)),
        0
    );
    assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
    assert_eq!(
        cu!(driver.cuMemcpyDtoH_v2(back.as_mut_ptr().cast(), b, size)),
        0
    );
    assert!(sent == back, "{size} bytes of {byte}");
    ask(driver, a, size);

    assert_eq!(cu!(driver.cuMemFreeAsync(pooled, stream)), 0);
    assert_eq!(cu!(driver.cuMemFree_v2(a)), 0);
    assert_eq!(cu!(driver.cuMemFree_v2(b)), 0);
    assert_eq!(cu!(driver.cuMemFreeHost(pinned)), 0);
}

/// What the driver says of an allocation must be what was asked for.
fn ask(driver: &Driver, address: CUdeviceptr, size: usize) {
    let inner = address + (size / 2) as u64;
    let (mut base, mut length) = (0, 0);
    assert_eq!(
        cu!(driver.cuMemGetAddressRange_v2(&raw mut base, &raw mut length, inner)),
        0
    );
    assert_eq!((base, length), (address, size));
    let mut which = [
        CUpointer_attribute_enum::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
        CUpointer_attribute_enum::CU_POINTER_ATTRIBUTE_RANGE_SIZE,
    ];
    let (mut kind, mut range) = (0_u32, 0_usize);
    let mut places = [(&raw mut kind).cast(), (&raw mut range).cast()];
    assert_eq!(
        cu!(driver.cuPointerGetAttributes(2, which.as_mut_ptr(), places.as_mut_ptr(), inner)),
        0
    );
    assert_eq!((kind, range), (2, size));
}

/// A thread's life.
fn live(driver: &'static Driver, context: usize, seed: u64, until: Instant) -> usize {
    let context = core::ptr::with_exposed_provenance_mut(context);
    assert_eq!(cu!(driver.cuCtxSetCurrent(context)), 0);
    let mut dice = Dice(seed);
    let mut rounds = 0;
    while Instant::now() < until {
        let mut stream = core::ptr::null_mut();
        let flags = u32::try_from(dice.roll(2)).unwrap();
        assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, flags)), 0);
        for _ in 0..8 {
            round(driver, stream, &mut dice);
            rounds += 1;
        }
        assert_eq!(cu!(driver.cuStreamDestroy_v2(stream)), 0);
    }
    rounds
}

/// Free memory of the device, after everything has settled.
fn free_memory(driver: &Driver) -> usize {
    assert_eq!(cu!(driver.cuCtxSynchronize()), 0);
    let (mut free, mut total) = (0, 0);
    assert_eq!(
        cu!(driver.cuMemGetInfo_v2(&raw mut free, &raw mut total)),
        0
    );
    free
}

/// What a leak would show in.
#[derive(Debug, Clone, Copy)]
struct Footprint {
    /// Free memory of the device.
    free: usize,
    /// Bytes that the C library's allocator has given out.
    heap: usize,
    /// Bytes behind device addresses that the system keeps.
    behind: u64,
    files: usize,
    mappings: usize,
    threads: usize,
}

impl Footprint {
    fn now(driver: &Driver) -> Self {
        let free = free_memory(driver);
        // SAFETY: it only reads the allocator's own numbers.
        let heap = unsafe { libc::mallinfo2() }.uordblks;
        let count = |path: &str| std::fs::read_dir(path).unwrap().count();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        Self {
            free,
            heap,
            behind: behind(),
            files: count("/proc/self/fd"),
            mappings: maps.lines().count(),
            threads: threads(),
        }
    }
}

/// What the simulator's file of device memory occupies. On hardware there is none.
fn behind() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    let ours = paths.find(|path| {
        let name = std::fs::read_link(path).unwrap_or_default();
        name.to_string_lossy().contains("memfd:cuwhy-sim")
    });
    ours.map_or(0, |path| std::fs::metadata(path).unwrap().blocks() * 512)
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Workers of streams end when they have had nothing to do for a while.
fn settle(most: usize) {
    let patience = Instant::now() + Duration::from_secs(30);
    while threads() > most && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[expect(clippy::print_stdout, reason = "the figures are for who runs the test")]
fn eight_threads_leave_nothing_behind(time: Duration) {
    /// Each of these tests counts what the process has, so they take turns.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap();
    let (driver, context) = support::ready();
    let context = context.expose_provenance();
    let run = |time: Duration| -> usize {
        let until = Instant::now() + time;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|seed| scope.spawn(move || live(driver, context, seed, until)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        })
    };
    let few = threads();
    // The first run warms up: the allocator's arenas, the folder of thread stacks.
    run(time / 4);
    settle(few);
    let before = Footprint::now(driver);
    let rounds = run(time);
    settle(few);
    let after = Footprint::now(driver);
    println!("{rounds} rounds; {before:?} -> {after:?}");
    assert_eq!(after.free, before.free);
    if support::on_hardware() {
        return;
    }
    assert_eq!(after.behind, before.behind);
    assert_eq!(after.files, before.files);
    assert!(after.threads <= few, "workers are left");
    // One forgotten object of the smallest sort in every round would be more than either.
    assert!(after.heap < before.heap + (64 << 10) + 8 * rounds);
    assert!(after.mappings < before.mappings + 100 + rounds / 100);
}

#[test]
fn eight_threads_leave_nothing_behind_in_two_seconds() {
    eight_threads_leave_nothing_behind(Duration::from_secs(2));
}

#[test]
#[ignore = "takes a minute: run it with `--ignored`"]
fn eight_threads_leave_nothing_behind_in_a_minute() {
    eight_threads_leave_nothing_behind(Duration::from_secs(60));
}
