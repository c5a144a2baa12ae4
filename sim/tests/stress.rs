//! Many threads at once: allocating, copying, freeing and asking, with no error and nothing left behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use core::ffi::c_void;
use std::time::{Duration, Instant};

use cuda_sys::driver::*;
use support::cu;

const THREADS: u64 = 8;

/// A minute where it is asked for, as the definition of done has it; otherwise what a test run can spare.
fn how_long() -> Duration {
    let seconds = std::env::var("CUWHY_TEST_STRESS_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

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

/// Lines of this process's memory map, and kilobytes of memory that it occupies.
fn footprint() -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    (
        maps,
        resident.trim().trim_end_matches(" kB").parse().unwrap(),
    )
}

#[test]
fn eight_threads_leave_nothing_behind() {
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
    // The first round warms up: thread stacks, the allocator's own pages.
    run(how_long() / 4);
    let (free, (maps, resident)) = (free_memory(driver), footprint());
    let rounds = run(how_long());
    assert_eq!(free_memory(driver), free);
    let (maps_after, resident_after) = footprint();
    println!(
        "{rounds} rounds; maps {maps} -> {maps_after}, resident {resident} -> {resident_after} kB"
    );
    assert!(
        maps_after < maps + 200,
        "{maps} -> {maps_after} lines in the memory map"
    );
    assert!(
        resident_after < resident + 64 * 1024,
        "{resident} -> {resident_after} kB"
    );
}
