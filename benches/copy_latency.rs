//! How long does a small copy take, and how long does it take to put one into a stream?
//!
//! Both APIs, bare and checked; from every kind of host memory to the device, back, and on the
//! device. A copy into a stream is timed until the call returns; the stream is waited for outside
//! of the time, often enough that it never fills up.

use std::time::{Duration, Instant};

use core::ffi::{CStr, c_uint, c_void};
use core::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use cuda_sys::driver::{CUdeviceptr, CUpointer_attribute, CUresult, Table, pfn};
use cuwhy_benches::{Bound, Class, Compared, Copy, Gpu, Layer, Stream, Suite, in_turns};
use cuwhy_validate::ask::Live;
use cuwhy_validate::checker::Checker;
use cuwhy_validate::{Call, Kind, Registry};
use libloading::os::unix::Library;

/// How many copies a stream holds before it is waited for.
const IN_FLIGHT: u64 = 64;

/// The sizes for every class.
const SIZES: [usize; 4] = [4, 4 << 10, 64 << 10, 1 << 20];

/// The sizes at which checked copies are compared with bare ones, in turns.
const COMPARED: [usize; 6] = [4, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20];

/// Bare and checked, of either API.
const LAYERS: [(Layer, Layer); 2] = [
    (Layer::Driver, Layer::CheckedDriver),
    (Layer::Runtime, Layer::CheckedRuntime),
];

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
    if suite.takes_bounds() {
        bounds(suite, gpu, stream);
        compare(suite, gpu, stream);
    }
    let live = Live::new(gpu.driver);
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
        let registry = Registry::default();
        src.tell(&registry);
        dst.tell(&registry);
        let checker = Checker::new(&live).with_registry(&registry);
        let copies = SIZES.map(|bytes| Copy {
            gpu,
            dst: &dst,
            src: &src,
            bytes,
            checker: &checker,
        });
        for way in ["sync", "enqueue"] {
            let mut group = suite.group(&format!("latency-{way}-{path}"));
            for layer in Layer::ALL {
                if !layer.works(&gpu) {
                    group.skip(layer.name(), "it does not work here", SIZES.len());
                    continue;
                }
                for copy in &copies {
                    group.point(layer.name(), copy.bytes, |bencher| match way {
                        "sync" => bencher.iter_custom(|times| {
                            // CUDA returns from a copy on the device before it is done.
                            batches(copy, Stream::LEGACY, times, || copy.wait(layer))
                        }),
                        _ => bencher.iter_custom(|times| {
                            batches(copy, stream, times, || copy.enqueue(layer, stream))
                        }),
                    });
                }
            }
            group.end();
        }
    }
}

/// What checking adds to a copy of 4 KiB, in turns.
fn bounds(suite: &mut Suite, gpu: Gpu, stream: Stream) {
    const BYTES: usize = 4 << 10;
    let blocks =
        [Class::Device, Class::Pinned, Class::Pageable].map(|class| gpu.block(class, BYTES));
    let [Ok(device), Ok(pinned), Ok(pageable)] = blocks else {
        return suite.skip("the bounds", "there is no memory for them");
    };
    let registry = Registry::default();
    device.tell(&registry);
    pinned.tell(&registry);
    let live = Live::new(gpu.driver);
    let checker = Checker::new(&live).with_registry(&registry);
    let of = |src| Copy {
        gpu,
        dst: &device,
        src,
        bytes: BYTES,
        checker: &checker,
    };
    let sync = |copy: &Copy<'_>, layer| made(copy, layer, IN_FLIGHT);
    let put = |copy: &Copy<'_>, layer| put(copy, layer, stream, 4 * IN_FLIGHT);
    let known = "checked synchronous 4 KiB copy against the bare call, registry knows both";
    let foreign = "checked synchronous 4 KiB copy against the bare call, one operand pageable";
    let async_ = "checked asynchronous enqueue of 4 KiB against the bare call, registry knows both";
    type Take<'a> = &'a dyn Fn(&Copy<'_>, Layer) -> f64;
    let rows: [(&str, &Copy<'_>, Take<'_>, f64); 3] = [
        (known, &of(&pinned), &sync, 1.02),
        (foreign, &of(&pageable), &sync, 1.05),
        (async_, &of(&pinned), &put, 1.05),
    ];
    for (what, copy, take, limit) in rows {
        for (bare, checked) in LAYERS {
            if !bare.works(&gpu) {
                suite.skip(what, format!("the {} does not work here", bare.name()));
                continue;
            }
            let both = in_turns(
                Duration::from_millis(1500),
                || take(copy, bare),
                || take(copy, checked),
            );
            suite.bound(Bound {
                what: what.to_owned(),
                detail: format!(
                    "{}: {:.0} ns bare, {:.0} ns checked",
                    bare.name(),
                    both.base.median,
                    both.other.median
                ),
                unit: "x".to_owned(),
                limit,
                measured: both.ratio.median,
                low: both.ratio.low,
                high: both.ratio.high,
            });
        }
    }
    queries(suite, gpu, pageable.address(), device.address());
}

/// What checking adds to a copy of any size from pinned memory, in turns.
fn compare(suite: &mut Suite, gpu: Gpu, stream: Stream) {
    let most = COMPARED[COMPARED.len() - 1];
    let blocks = [Class::Device, Class::Pinned].map(|class| gpu.block(class, most));
    let [Ok(device), Ok(pinned)] = blocks else {
        return suite.skip("the comparison", "there is no memory for it");
    };
    let registry = Registry::default();
    device.tell(&registry);
    pinned.tell(&registry);
    let live = Live::new(gpu.driver);
    let checker = Checker::new(&live).with_registry(&registry);
    for way in ["synchronous copy", "putting a copy into a stream"] {
        for (bare, checked) in LAYERS {
            for bytes in COMPARED {
                if !bare.works(&gpu) {
                    continue;
                }
                let copy = Copy {
                    gpu,
                    dst: &device,
                    src: &pinned,
                    bytes,
                    checker: &checker,
                };
                // A turn of large copies would take as long as all turns may.
                let copies = if bytes > 1 << 20 { 4 } else { IN_FLIGHT };
                let take = |layer| match way {
                    "synchronous copy" => made(&copy, layer, copies),
                    _ => put(&copy, layer, stream, copies),
                };
                let limit = Duration::from_millis(400);
                let both = in_turns(limit, || take(bare), || take(checked));
                suite.compare(Compared {
                    what: format!("{way}, {}", bare.name()),
                    bytes: bytes as u64,
                    base: both.base.median,
                    other: both.other.median,
                    ratio: both.ratio.median,
                    low: both.ratio.low,
                    high: both.ratio.high,
                });
            }
        }
    }
}

/// Nanoseconds of one of so many copies that return when they are made.
fn made(copy: &Copy<'_>, layer: Layer, copies: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..copies {
        copy.wait(layer);
    }
    per_copy(start.elapsed(), copies)
}

/// Nanoseconds of putting one of so many copies into a stream.
fn put(copy: &Copy<'_>, layer: Layer, stream: Stream, copies: u64) -> f64 {
    let time = batches(copy, stream, copies, || copy.enqueue(layer, stream));
    per_copy(time, copies)
}

/// How often the driver is asked about each operand, where the registry knows neither.
fn queries(suite: &mut Suite, gpu: Gpu, src: u64, dst: u64) {
    // SAFETY: the library is open already and stays open; its initialisers have run.
    let library = unsafe { Library::new(gpu.driver.file().path()) }.expect("an open library");
    let mut resolve = |name: &CStr| -> *const c_void {
        // SAFETY: the symbol is only handed on; the table knows its signature by its name.
        let symbol = unsafe { library.get::<*const c_void>(name) };
        let address = symbol.map_or(ptr::null(), |symbol| *symbol);
        if name == c"cuPointerGetAttributes" {
            REAL.store(address.cast_mut(), Ordering::Relaxed);
            return counting as pfn::cuPointerGetAttributes as *const c_void;
        }
        address
    };
    // SAFETY: the addresses are the driver's own, and one function that passes its arguments on.
    let table = unsafe { Table::bind(&mut resolve) };
    let live = Live::new(&table);
    let checker = Checker::new(&live);
    let call = Call::memcpy(dst, src, 4096, Kind::HostToDevice);
    QUERIES.store(0, Ordering::Relaxed);
    let passes = checker.before(&call).is_ok();
    let queries = f64::from(QUERIES.load(Ordering::Relaxed)) / 2.0;
    assert!(passes, "the copy is right");
    suite.bound(Bound {
        what: "classify from the driver".to_owned(),
        detail: "plural queries per operand of a copy from pageable memory to the device"
            .to_owned(),
        unit: "calls".to_owned(),
        limit: 1.0,
        measured: queries,
        low: queries,
        high: queries,
    });
}

/// How often the driver was asked.
static QUERIES: AtomicU32 = AtomicU32::new(0);
/// The driver's own function.
static REAL: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Counts a query and hands it on.
unsafe extern "C" fn counting(
    count: c_uint,
    attributes: *mut CUpointer_attribute,
    data: *mut *mut c_void,
    address: CUdeviceptr,
) -> CUresult {
    QUERIES.fetch_add(1, Ordering::Relaxed);
    let real = REAL.load(Ordering::Relaxed);
    // SAFETY: it is the driver's function of this name, or null, which is `None`.
    let real =
        unsafe { core::mem::transmute::<*mut c_void, Option<pfn::cuPointerGetAttributes>>(real) };
    match real {
        // SAFETY: the caller keeps the contract of the C function.
        Some(real) => unsafe { real(count, attributes, data, address) },
        None => CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND,
    }
}

/// Nanoseconds of one copy.
fn per_copy(time: Duration, copies: u64) -> f64 {
    time.as_secs_f64() * 1e9 / copies as f64
}

/// The time of this many copies, without that of waiting for the stream after every few of them.
fn batches(copy: &Copy<'_>, stream: Stream, times: u64, mut make: impl FnMut()) -> Duration {
    let mut left = times;
    let mut sum = Duration::ZERO;
    while left > 0 {
        let now = left.min(IN_FLIGHT);
        let start = Instant::now();
        for _ in 0..now {
            make();
        }
        sum += start.elapsed();
        copy.gpu.wait(stream).expect("the copies are made");
        left -= now;
    }
    sum
}
