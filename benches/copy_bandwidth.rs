//! How many bytes a second does a large copy move?
//!
//! Both APIs, bare and checked, from 64 KiB to 1 GiB; smaller ones are `copy_latency`'s. `async` puts
//! the copy into a stream and waits for it. What a large `cudaMemcpy` reaches at best on this machine is the highest point of the
//! runtime's own line.

use std::time::Duration;

use cuwhy_benches::{Class, Copy, Direction, Gpu, Layer, Stream, Suite};
use cuwhy_validate::Registry;
use cuwhy_validate::ask::Live;
use cuwhy_validate::checker::Checker;

const SIZES: [usize; 5] = [64 << 10, 1 << 20, 16 << 20, 256 << 20, 1 << 30];

/// The largest copy, and the largest block of any kind of memory. Managed memory of this size is 80 times
/// less than a card's own, there is one block of it at a time, and it is given back after its copies.
const MOST: usize = SIZES[SIZES.len() - 1];

/// What two minutes leave for copies of the other kinds of host memory into a stream: `copy_latency` has
/// them up to 1 MiB.
const LARGE: &[usize] = &[16 << 20, 1 << 30];

/// Source, destination, whether the copy is put into a stream, and sizes.
const PATHS: [(Class, Class, bool, &[usize]); 12] = [
    (Class::Pageable, Class::Device, false, &SIZES),
    (Class::Pinned, Class::Device, false, &SIZES),
    (Class::Pinned, Class::Device, true, &SIZES),
    (Class::Registered, Class::Device, false, &SIZES),
    (Class::Managed, Class::Device, false, &SIZES),
    (Class::Device, Class::Device, false, &SIZES),
    (Class::Device, Class::Device, true, &SIZES),
    (Class::Device, Class::Pageable, false, &SIZES),
    (Class::Device, Class::Pinned, false, &SIZES),
    (Class::Registered, Class::Device, true, LARGE),
    (Class::Pageable, Class::Device, true, LARGE),
    (Class::Managed, Class::Device, true, LARGE),
];

fn main() {
    let sizes: usize = PATHS.iter().map(|(.., sizes)| sizes.len()).sum();
    let points = sizes * Layer::ALL.len();
    let mut suite = Suite::begin("copy_bandwidth", Duration::from_secs(114), points);
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
    let live = Live::new(gpu.driver);
    let most = largest();
    for (from, to, enqueued, sizes) in PATHS {
        let way = if enqueued { "async" } else { "sync" };
        let path = format!("bandwidth-{way}-{}-to-{}", from.name(), to.name());
        let blocks = gpu
            .block(from, most)
            .and_then(|src| Ok((src, gpu.block(to, most)?)));
        let (src, dst) = match blocks {
            Ok(blocks) => blocks,
            Err(why) => {
                suite.skip(&path, why);
                suite.pass(sizes.len() * Layer::ALL.len());
                continue;
            }
        };
        let registry = Registry::default();
        src.tell(&registry);
        dst.tell(&registry);
        let checker = Checker::new(&live).with_registry(&registry);
        let mut group = suite.group(&path);
        for layer in Layer::ALL {
            if !layer.works(&gpu) {
                group.skip(layer.name(), "it does not work here", sizes.len());
                continue;
            }
            for &bytes in sizes {
                if bytes > most {
                    group.skip(&format!("{bytes} bytes"), "CUWHY_BENCH_BYTES is less", 1);
                    continue;
                }
                group.bytes(bytes as u64);
                let copy = Copy {
                    gpu,
                    dst: &dst,
                    src: &src,
                    bytes,
                    checker: &checker,
                };
                group.point(layer.name(), bytes, |bencher| {
                    bencher.iter(|| {
                        if enqueued {
                            copy.enqueue(layer, stream);
                            gpu.wait(stream).expect("the copy is made");
                        } else {
                            copy.wait(layer);
                        }
                        if copy.direction() == Direction::OnDevice {
                            // CUDA returns from such a copy before it is done.
                            gpu.wait(Stream::LEGACY).expect("the copy is made");
                        }
                    });
                });
            }
        }
        group.end();
    }
}

/// The largest copy to make: 1 GiB, or what `CUWHY_BENCH_BYTES` says where that is less.
fn largest() -> usize {
    let told = std::env::var("CUWHY_BENCH_BYTES").ok();
    let told = told.and_then(|bytes| bytes.parse().ok());
    told.unwrap_or(MOST).min(MOST)
}
