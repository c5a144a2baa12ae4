//! How long does a small copy take, and how long does it take to put one into a stream?
//!
//! Both APIs, bare and checked; from every kind of host memory to the device, back, and on the
//! device. A copy into a stream is timed until the call returns; the stream is waited for outside
//! of the time, often enough that it never fills up.

use std::time::{Duration, Instant};

use cuwhy_benches::{Class, Copy, Gpu, Layer, Stream, Suite};

/// How many copies a stream holds before it is waited for.
const IN_FLIGHT: u64 = 64;

/// The sizes for every class.
const SIZES: [usize; 4] = [4, 4 << 10, 64 << 10, 1 << 20];

/// Source and destination of each path.
const PATHS: [(Class, Class); 7] = [
    (Class::Pageable, Class::Device),
    (Class::Pinned, Class::Device),
    (Class::Registered, Class::Device),
    (Class::Managed, Class::Device),
    (Class::Device, Class::Device),
    (Class::Device, Class::Pageable),
    (Class::Device, Class::Pinned),
];

fn main() {
    let points = PATHS.len() * SIZES.len() * Layer::ALL.len() * 2;
    let mut suite = Suite::begin("copy_latency", Duration::from_secs(100), points);
    match Gpu::open() {
        Ok(gpu) => measure(&mut suite, gpu),
        Err(why) => {
            suite.skip("all of it", why);
            suite.pass(points);
        }
    }
    suite.finish();
}

fn measure(suite: &mut Suite, gpu: Gpu) {
    let stream = gpu.stream().expect("a stream");
    for (from, to) in PATHS {
        let path = format!("{}-to-{}", from.name(), to.name());
        let blocks = gpu
            .block(from, SIZES[3])
            .and_then(|src| Ok((src, gpu.block(to, SIZES[3])?)));
        let (src, dst) = match blocks {
            Ok(blocks) => blocks,
            Err(why) => {
                suite.skip(&path, why);
                suite.pass(SIZES.len() * Layer::ALL.len() * 2);
                continue;
            }
        };
        for layer in Layer::ALL {
            if !layer.works(&gpu) {
                suite.skip(
                    &format!("{path} by the {}", layer.name()),
                    "it does not work here",
                );
                suite.pass(SIZES.len() * 2);
                continue;
            }
            for bytes in SIZES {
                let copy = Copy {
                    gpu,
                    dst: &dst,
                    src: &src,
                    bytes,
                };
                let mut group = suite.group(&format!("latency-sync-{path}"));
                group.point(layer.name(), bytes, |bencher| {
                    bencher.iter(|| copy.wait(layer))
                });
                group.end();
                let mut group = suite.group(&format!("latency-enqueue-{path}"));
                group.point(layer.name(), bytes, |bencher| {
                    bencher.iter_custom(|times| enqueue(&copy, layer, stream, times));
                });
                group.end();
            }
        }
    }
}

/// The time that it takes to put this many copies into a stream.
fn enqueue(copy: &Copy<'_>, layer: Layer, stream: Stream, times: u64) -> Duration {
    let mut left = times;
    let mut sum = Duration::ZERO;
    while left > 0 {
        let now = left.min(IN_FLIGHT);
        let start = Instant::now();
        for _ in 0..now {
            copy.enqueue(layer, stream);
        }
        sum += start.elapsed();
        copy.gpu.wait(stream).expect("the copies are made");
        left -= now;
    }
    sum
}
