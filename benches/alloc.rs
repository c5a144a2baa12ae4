//! What does it cost to take memory and give it back, and what does the registry add?
//!
//! One iteration is an allocation and its free. Stream-ordered ones are put into a stream, which is
//! waited for outside of the time.

use core::ffi::c_void;
use core::ptr;
use std::time::{Duration, Instant};

use cuda_sys::driver::CUresult;
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuwhy_benches::{Gpu, Stream, Suite, recorded};
use cuwhy_validate::registry::{Freed, Registry};
use cuwhy_validate::{Class as Known, Site, Span};

const SIZES: [usize; 3] = [4 << 10, 1 << 20, 64 << 20];

/// One way to take memory and give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Driver,
    Device,
    StreamOrdered,
    Pinned,
    Managed,
}

const WAYS: [Way; 5] = [
    Way::Driver,
    Way::Device,
    Way::StreamOrdered,
    Way::Pinned,
    Way::Managed,
];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Driver => "cuMemAlloc",
            Self::Device => "cudaMalloc",
            Self::StreamOrdered => "cudaMallocAsync",
            Self::Pinned => "cudaMallocHost",
            Self::Managed => "cudaMallocManaged",
        }
    }

    fn class(self) -> Known {
        match self {
            Self::Driver | Self::Device => Known::Device,
            Self::StreamOrdered => Known::Pool,
            Self::Pinned => Known::Pinned,
            Self::Managed => Known::Managed,
        }
    }
}

/// Where memory comes from.
#[derive(Debug, Clone, Copy)]
struct Maker {
    gpu: Gpu,
    runtime: Option<&'static Runtime>,
    stream: Stream,
}

impl Maker {
    fn make(&self, way: Way, bytes: usize) -> *mut c_void {
        let mut made: *mut c_void = ptr::null_mut();
        let place = &raw mut made;
        let Some(runtime) = self.runtime.filter(|_| way != Way::Driver) else {
            let mut address = 0;
            // SAFETY: `address` is a live `CUdeviceptr`.
            let status = unsafe { self.gpu.driver.cuMemAlloc_v2(&raw mut address, bytes) };
            assert_eq!(status, CUresult::CUDA_SUCCESS);
            return ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap_or(0));
        };
        let status = match way {
            // SAFETY: `made` is a live pointer.
            Way::Device | Way::Driver => unsafe { runtime.cudaMalloc(place, bytes) },
            // SAFETY: as above, and the stream is alive.
            Way::StreamOrdered => unsafe {
                runtime.cudaMallocAsync(place, bytes, self.stream.handle())
            },
            // SAFETY: `made` is a live pointer.
            Way::Pinned => unsafe { runtime.cudaMallocHost(place, bytes) },
            // SAFETY: `made` is a live pointer; 1 is `cudaMemAttachGlobal`.
            Way::Managed => unsafe { runtime.cudaMallocManaged(place, bytes, 1) },
        };
        assert_eq!(
            status,
            cudaError_t::cudaSuccess,
            "{} of {bytes} bytes",
            way.name()
        );
        made
    }

    fn free(&self, way: Way, made: *mut c_void) {
        let Some(runtime) = self.runtime.filter(|_| way != Way::Driver) else {
            // SAFETY: the memory came from `cuMemAlloc` and nothing uses it.
            let status = unsafe {
                self.gpu
                    .driver
                    .cuMemFree_v2(made.expose_provenance() as u64)
            };
            assert_eq!(status, CUresult::CUDA_SUCCESS);
            return;
        };
        let status = match way {
            // SAFETY: the memory came from this way's function and nothing uses it.
            Way::Device | Way::Managed | Way::Driver => unsafe { runtime.cudaFree(made) },
            // SAFETY: as above, and the stream is alive.
            Way::StreamOrdered => unsafe { runtime.cudaFreeAsync(made, self.stream.handle()) },
            // SAFETY: as above.
            Way::Pinned => unsafe { runtime.cudaFreeHost(made) },
        };
        assert_eq!(status, cudaError_t::cudaSuccess);
    }
}

fn main() {
    let points = WAYS.len() * SIZES.len() * 2;
    let mut suite = Suite::begin("alloc", Duration::from_secs(60), points);
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
    let maker = Maker {
        gpu,
        runtime: gpu.runtime,
        stream,
    };
    for way in WAYS {
        if way != Way::Driver && gpu.runtime.is_none() {
            suite.skip(way.name(), "the runtime does not work here");
            suite.pass(SIZES.len() * 2);
            continue;
        }
        for bytes in SIZES {
            for registry in [None, Some(Registry::default())] {
                let with = if registry.is_some() {
                    " and registry"
                } else {
                    ""
                };
                let mut group = suite.group("alloc");
                group.point(&format!("{}{with}", way.name()), bytes, |bencher| {
                    bencher
                        .iter_custom(|times| pairs(&maker, way, bytes, registry.as_ref(), times));
                });
                group.end();
            }
        }
    }
}

/// The time of this many allocations, each freed before the next.
fn pairs(
    maker: &Maker,
    way: Way,
    bytes: usize,
    registry: Option<&Registry>,
    times: u64,
) -> Duration {
    let stream = maker.stream.handle().expose_provenance() as u64;
    let freed = match way {
        Way::StreamOrdered => Freed::in_order("cudaFreeAsync", Site::Unknown, stream),
        _ => Freed::by("cudaFree", Site::Unknown),
    };
    let mut sum = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let now = left.min(64);
        let begin = Instant::now();
        for _ in 0..now {
            let made = maker.make(way, bytes);
            let start = made.expose_provenance() as u64;
            if let Some(registry) = registry {
                let mut owner = recorded::device_memory(Span::sized(start, bytes as u64));
                owner.class = way.class();
                registry.allocated(owner);
                registry.freed(start, &freed);
            }
            maker.free(way, made);
        }
        sum += begin.elapsed();
        maker.gpu.wait(maker.stream).expect("the stream works");
        left -= now;
    }
    sum
}
