//! Prints what a look-up in the registry costs, by live allocations and threads.

use cuwhy_validate::facts::Owner;
use cuwhy_validate::{Class, Registry, Span};
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Duration;

const ROUNDS: u64 = 2_000_000;

/// Allocations as `cudaMalloc` places them: small ones 512 bytes apart, large ones on 2 MiB.
fn place(index: u64, spread: bool) -> Span {
    let base = 0x7f00_0000_0000;
    if spread {
        Span::sized(base + index * (4 << 20), (2 << 20) + 4096)
    } else {
        Span::sized(base + index * 512, 400)
    }
}

fn lookups(registry: &Registry, live: u64, spread: bool, seed: u64) -> f64 {
    let mut state = seed;
    let start = busy();
    for _ in 0..ROUNDS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let span = place((state >> 33) % live, spread);
        black_box(registry.lookup(black_box(span.start + (state >> 56))));
    }
    (busy() - start).as_secs_f64() * 1e9 / ROUNDS as f64
}

/// How long this thread has had a processor: more threads than processors do not spoil it.
fn busy() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live `timespec`, and the call writes nothing else.
    let _ = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "live\tspread\tthreads\tns")?;
    for spread in [false, true] {
        for live in [1, 100, 10_000, 200_000] {
            let registry = Registry::default();
            for index in 0..live {
                let mut owner = Owner::of(Class::Device);
                owner.range = Some(place(index, spread));
                registry.allocated(owner);
            }
            for threads in [1, 4, 16] {
                let total: f64 = std::thread::scope(|scope| {
                    let registry = &registry;
                    let workers: Vec<_> = (0..threads)
                        .map(|seed| scope.spawn(move || lookups(registry, live, spread, seed)))
                        .collect();
                    let times = workers.into_iter().filter_map(|worker| worker.join().ok());
                    times.sum()
                });
                let each = total / threads as f64;
                writeln!(out, "{live}\t{spread}\t{threads}\t{each:.1}")?;
            }
        }
    }
    Ok(())
}
