//! What does it cost to ask whose memory an address is?
//!
//! The driver's singular and plural query, the runtime's, the address range, and the registry; per
//! class of memory, over the number of live allocations and over the number of threads that ask.
//! Addresses are taken in random order from all that are alive, the same order for every query. All
//! threads go through one list of them, each from its own place. It has 4 bytes an address, so that what
//! is measured is the query, and not how much of a processor's caches a list of one's own takes from it.

use core::ffi::c_void;
use core::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cuda_sys::driver::CUpointer_attribute;
use cuwhy_benches::{Block, Bound, Class, Gpu, Suite, Times, recorded, times};
use cuwhy_validate::Span;
use cuwhy_validate::registry::Registry;

const LIVE: [usize; 4] = [1, 100, 10_000, 200_000];
const THREADS: [usize; 5] = [1, 2, 4, 8, 16];

/// How many addresses a program copies from and to again and again.
const FEW: usize = 64;

/// The bound of the design for the registry.
const REGISTRY_NANOSECONDS: f64 = 30.0;

/// One way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Query {
    Singular,
    Plural(usize),
    Runtime,
    AddressRange,
    Registry,
    /// No way to ask: one word of a table, at an index in place of an address. A look-up in 8 bytes
    /// an allocation cannot take less, whatever it does.
    Word,
}

/// All ways.
const QUERIES: [Query; 7] = [
    Query::Singular,
    Query::Plural(1),
    Query::Plural(3),
    Query::Plural(7),
    Query::Runtime,
    Query::AddressRange,
    Query::Registry,
];

/// What plural queries ask for, the first ones of it.
const ATTRIBUTES: [CUpointer_attribute; 7] = [
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_BUFFER_ID,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPED,
];

impl Query {
    fn name(self) -> String {
        match self {
            Self::Singular => "cuPointerGetAttribute".to_owned(),
            Self::Plural(1) => "cuPointerGetAttributes, 1".to_owned(),
            Self::Plural(count) => format!("cuPointerGetAttributes, {count}"),
            Self::Runtime => "cudaPointerGetAttributes".to_owned(),
            Self::AddressRange => "cuMemGetAddressRange".to_owned(),
            Self::Registry => "registry".to_owned(),
            Self::Word => "one word".to_owned(),
        }
    }

    fn works(self, gpu: Option<&Gpu>) -> bool {
        match self {
            Self::Registry | Self::Word => true,
            Self::Runtime => gpu.is_some_and(|gpu| gpu.runtime.is_some()),
            _ => gpu.is_some(),
        }
    }

    /// How often it is asked before the time of so many is taken.
    const fn warm_up(self, times: u64) -> u64 {
        match self {
            Self::Registry | Self::Word => times / 2,
            _ => times / 100,
        }
    }

    /// Asks a library once. That CUDA knows nothing of an address is an answer, too.
    #[inline]
    fn ask(self, gpu: Gpu, address: u64) {
        match self {
            Self::Singular => {
                let mut value = 0_u64;
                let [attribute, ..] = ATTRIBUTES;
                let data = (&raw mut value).cast::<c_void>();
                // SAFETY: no attribute of the list is larger than the value.
                _ = black_box(unsafe {
                    gpu.driver.cuPointerGetAttribute(data, attribute, address)
                });
            }
            Self::Plural(count) => {
                let mut attributes = ATTRIBUTES;
                let mut values = [0_u64; ATTRIBUTES.len()];
                let mut data = values
                    .each_mut()
                    .map(|value| (&raw mut *value).cast::<c_void>());
                let count = u32::try_from(count).unwrap_or(0);
                let (names, data) = (attributes.as_mut_ptr(), data.as_mut_ptr());
                // SAFETY: both lists are at least `count` long, each value has room for its attribute.
                let status = unsafe {
                    gpu.driver
                        .cuPointerGetAttributes(count, names, data, address)
                };
                _ = black_box(status);
                black_box(values);
            }
            Self::Runtime => {
                let pointer = core::ptr::with_exposed_provenance(
                    usize::try_from(address).unwrap_or_default(),
                );
                _ = black_box(
                    gpu.runtime
                        .map(|runtime| runtime.pointer_attributes(pointer)),
                );
            }
            Self::AddressRange => {
                let (mut base, mut size) = (0, 0);
                // SAFETY: both outputs are alive.
                let status = unsafe {
                    gpu.driver
                        .cuMemGetAddressRange_v2(&raw mut base, &raw mut size, address)
                };
                _ = black_box(status);
            }
            Self::Registry | Self::Word => {}
        }
    }
}

/// Addresses in the order in which they are asked about.
#[derive(Debug)]
struct Walk {
    base: u64,
    shift: u32,
    /// How far each is from the base, in units of `1 << shift`.
    order: Vec<u32>,
}

impl Walk {
    /// All of some addresses in random order, the same order each time.
    fn through(addresses: &[u64]) -> Self {
        let base = addresses.iter().min().copied().unwrap_or(0);
        let far = addresses.iter().map(|address| address - base);
        let shift = far
            .clone()
            .fold(1 << 63, |all, one| all | one)
            .trailing_zeros();
        let near = |far: u64| u32::try_from(far >> shift).expect("they lie within 2 TiB");
        Self {
            base,
            shift,
            order: shuffled(far.map(near).collect()),
        }
    }

    /// The first `count` of them.
    fn first(&self, count: usize) -> Self {
        Self {
            order: self.order.iter().copied().take(count).collect(),
            ..*self
        }
    }

    /// The walk of one thread of several.
    fn steps(&self, thread: usize, threads: usize) -> Steps<'_> {
        Steps {
            walk: self,
            next: self.order.len() * thread / threads,
        }
    }
}

/// Where somebody is on a walk that has no end.
struct Steps<'a> {
    walk: &'a Walk,
    next: usize,
}

impl Steps<'_> {
    #[inline(always)]
    fn next(&mut self) -> u64 {
        let Walk { base, shift, order } = self.walk;
        let far = order.get(self.next).copied().unwrap_or(0);
        self.next = if self.next + 1 < order.len() {
            self.next + 1
        } else {
            0
        };
        base + (u64::from(far) << shift)
    }
}

/// Whom to ask, and about what.
#[derive(Clone, Copy)]
struct Asked<'a> {
    gpu: Option<Gpu>,
    registry: &'a Registry,
    walk: &'a Walk,
    words: &'a [AtomicU64],
}

impl Asked<'_> {
    /// Asks about the next addresses.
    #[inline(never)]
    fn ask(&self, query: Query, steps: &mut Steps<'_>, times: u64) {
        match (query, self.gpu) {
            (Query::Registry, _) => {
                for _ in 0..times {
                    black_box(&self.registry.lookup(steps.next()));
                }
            }
            (Query::Word, _) => {
                for _ in 0..times {
                    let place = usize::try_from(steps.next()).unwrap_or(usize::MAX);
                    let word = self.words.get(place);
                    black_box(&word.map(|word| word.load(Ordering::Acquire)));
                }
            }
            (_, Some(gpu)) => {
                for _ in 0..times {
                    query.ask(gpu, steps.next());
                }
            }
            (_, None) => {}
        }
    }

    /// The time that each of `threads` threads takes for `times` queries: their mean.
    fn time(&self, query: Query, threads: usize, times: u64) -> Duration {
        let start = Barrier::new(threads);
        let one = |number: usize| {
            if let Some(gpu) = self.gpu {
                gpu.enter().expect("the context is alive");
            }
            let mut steps = self.walk.steps(number, threads);
            // A new thread begins on a processor that knows nothing of all this, as no thread does
            // that has made a copy before. Of the driver's queries some take a thousand times as
            // long, and the rest of it does not matter.
            self.ask(query, &mut steps, query.warm_up(times));
            start.wait();
            let begin = Instant::now();
            self.ask(query, &mut steps, times);
            begin.elapsed()
        };
        if threads == 1 {
            return one(0);
        }
        thread::scope(|scope| {
            let one = &one;
            let all: Vec<_> = (0..threads)
                .map(|number| scope.spawn(move || one(number)))
                .collect();
            let sum: Duration = all
                .into_iter()
                .map(|thread| thread.join().unwrap_or_default())
                .sum();
            sum / u32::try_from(threads).unwrap_or(1)
        })
    }
}

fn main() {
    let grid = LIVE.len() * THREADS.len() * QUERIES.len();
    let points = Class::ALL.len() * QUERIES.len() + grid;
    let mut suite = Suite::begin("pointer_query", Duration::from_secs(100), points);
    let gpu = match Gpu::open() {
        Ok(gpu) => Some(gpu),
        Err(why) => {
            suite.skip("everything but the registry", why);
            None
        }
    };
    if let Some(gpu) = gpu {
        classes(&mut suite, gpu);
    } else {
        suite.pass(Class::ALL.len() * QUERIES.len());
    }
    for (median, [low, high], detail) in live(&mut suite, gpu).into_iter().flatten() {
        suite.bound(Bound {
            what: "classify from the registry, per operand and thread".to_owned(),
            detail,
            unit: "ns".to_owned(),
            limit: REGISTRY_NANOSECONDS,
            measured: median,
            low,
            high,
        });
    }
    suite.finish();
}

/// Each query for each class of memory, with nothing else alive.
fn classes(suite: &mut Suite, gpu: Gpu) {
    for class in Class::ALL {
        let block = match gpu.block(class, 4096) {
            Ok(block) => block,
            Err(why) => {
                suite.skip(class.name(), why);
                suite.pass(QUERIES.len());
                continue;
            }
        };
        let registry = Registry::default();
        block.tell(&registry);
        let walk = Walk::through(&[block.address()]);
        let asked = Asked {
            gpu: Some(gpu),
            registry: &registry,
            walk: &walk,
            words: &[],
        };
        let mut group = suite.group("query-class");
        for query in QUERIES {
            if query.works(Some(&gpu)) {
                group.point(&query.name(), class.name(), |bencher| {
                    bencher.iter_custom(|times| asked.time(query, 1, times));
                });
            } else {
                group.skip(&query.name(), "it does not work here", 1);
            }
        }
        group.end();
    }
}

/// A median, its quartiles, and where it was found.
type Slowest = Option<(f64, [f64; 2], String)>;

/// Queries over live allocations and threads; the registry's slowest points, once for few addresses
/// that are asked about again and again, as programs do, and once for all of them in random order,
/// where nearly each is a miss of the processor's caches.
fn live(suite: &mut Suite, gpu: Option<Gpu>) -> [Slowest; 2] {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let registry = Registry::default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut addresses: Vec<u64> = Vec::new();
    let mut slowest: [Slowest; 2] = [None, None];
    for live in LIVE {
        while addresses.len() < live {
            let made = addresses.len() as u64;
            // Without a GPU the registry is told of memory that nobody has.
            let address = match gpu.map(|gpu| gpu.block(Class::Device, 512)) {
                None => 0x7f00_0000_0000 + made * 512,
                Some(Ok(block)) => {
                    let address = block.address();
                    blocks.push(block);
                    address
                }
                Some(Err(why)) => {
                    suite.skip(&format!("{live} live allocations"), why);
                    // What is alive is given back by the end of the process.
                    core::mem::forget(blocks);
                    return slowest;
                }
            };
            registry.allocated(recorded::device_memory(Span::sized(address, 512)));
            addresses.push(address);
        }
        let all = Walk::through(&addresses);
        let words: Vec<AtomicU64> = addresses.iter().copied().map(AtomicU64::new).collect();
        let places: Vec<u64> = (0..words.len() as u64).collect();
        let places = Walk::through(&places);
        let asked = Asked {
            gpu,
            registry: &registry,
            walk: &all,
            words: &words,
        };
        for threads in THREADS {
            let mut group = suite.group(&format!("query-threads-{threads}"));
            for query in QUERIES {
                if threads > cores {
                    group.skip(&query.name(), format!("there are {cores} processors"), 1);
                } else if query.works(gpu.as_ref()) {
                    group.point(&query.name(), live, |bencher| {
                        bencher.iter_custom(|times| asked.time(query, threads, times));
                    });
                } else {
                    group.skip(&query.name(), "it does not work here", 1);
                }
            }
            group.end();
            if suite.takes_bounds() && threads <= cores {
                for (count, slowest) in [FEW.min(live), live].into_iter().zip(&mut slowest) {
                    let walk = &all.first(count);
                    let all = nanoseconds(&Asked { walk, ..asked }, Query::Registry, threads);
                    let walk = &places.first(count);
                    let word = nanoseconds(&Asked { walk, ..asked }, Query::Word, threads);
                    if slowest
                        .as_ref()
                        .is_none_or(|(median, ..)| all.median > *median)
                    {
                        let detail = format!(
                            "the slowest of all: {count} of {live} live, {threads} threads; reading \
                             one word an allocation on the same walk takes {:.1} ns",
                            word.median
                        );
                        *slowest = Some((all.median, [all.low, all.high], detail));
                    }
                }
            }
        }
    }
    core::mem::forget(blocks);
    slowest
}

/// Nanoseconds of one query: of a number of runs, each the mean over the threads. The threads stay
/// the same from run to run, and go through all addresses before the first one.
fn nanoseconds(asked: &Asked<'_>, query: Query, threads: usize) -> Times {
    // A tenth of a second and more: what else the machine does comes in bursts of hundredths.
    const RUNS: usize = 75;
    const QUERIES: u32 = 100_000;
    let start = Barrier::new(threads);
    let one = |number: usize| {
        let mut steps = asked.walk.steps(number, threads);
        asked.ask(query, &mut steps, asked.walk.order.len() as u64);
        start.wait();
        let runs: [f64; RUNS] = std::array::from_fn(|_| {
            let begin = Instant::now();
            asked.ask(query, &mut steps, QUERIES.into());
            begin.elapsed().as_secs_f64() * 1e9 / f64::from(QUERIES)
        });
        runs
    };
    let all: Vec<[f64; RUNS]> = thread::scope(|scope| {
        let one = &one;
        let all: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        all.into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let mean = |run: usize| all.iter().map(|runs| runs[run]).sum::<f64>() / all.len() as f64;
    times((0..RUNS).map(mean).collect())
}

/// The same numbers in another order, the same one each time.
fn shuffled(mut all: Vec<u32>) -> Vec<u32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for place in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (place as u64 + 1)).unwrap_or(0);
        all.swap(place, other);
    }
    all
}
