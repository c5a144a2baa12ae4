//! The registry against a plain list, and under many threads.

use cuwhy_validate::facts::Owner;
use cuwhy_validate::registry::{Entry, Freed, Known, Registry};
use cuwhy_validate::{Class, Site, Span};
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn owner(start: u64, bytes: u64) -> Owner {
    let mut owner = Owner::of(Class::Device);
    owner.range = Some(Span::sized(start, bytes));
    owner.device = Some(0);
    owner
}

fn free() -> Freed {
    Freed::by("cudaFree", Site::Unknown)
}

#[test]
fn every_size_and_place_is_found_to_the_byte() {
    let registry = Registry::default();
    let base = 0x7f00_0000_0000;
    let sizes = [
        1,
        40,
        512,
        4095,
        4096,
        4097,
        2 << 20,
        (2 << 20) + 1,
        1 << 30,
        3 << 30,
        80 << 30,
    ];
    let mut start = base + 13;
    let mut all = Vec::new();
    for bytes in sizes {
        registry.allocated(owner(start, bytes));
        all.push(Span::sized(start, bytes));
        start += bytes + 1;
    }
    for span in &all {
        for address in [span.start, span.start + span.bytes() / 2, span.end - 1] {
            assert_eq!(registry.lookup(address).map(|hit| hit.range), Some(*span));
        }
        assert_eq!(registry.lookup(span.end), None);
    }
    assert_eq!(registry.live(), sizes.len());
    for span in &all {
        assert_eq!(registry.freed(span.start, &free()), Known::Live);
        assert_eq!(registry.freed(span.start, &free()), Known::Dead);
        let hit = registry.lookup(span.start).expect("a tombstone");
        assert!(!hit.is_live());
    }
    assert_eq!(registry.live(), 0);
}

#[test]
fn tombstones_are_bounded_and_the_oldest_go_first() {
    let registry = Registry::with_tombstones(10);
    for index in 0..100_u64 {
        registry.allocated(owner(0x10_0000 + index * 4096, 512));
        registry.freed(0x10_0000 + index * 4096, &free());
    }
    let dead = (0..100).filter(|index| registry.lookup(0x10_0000 + index * 4096).is_some());
    assert_eq!(dead.collect::<Vec<_>>(), (90..100).collect::<Vec<_>>());
}

#[test]
fn reuse_is_noticed_and_what_is_left_of_the_dead_stays() {
    let registry = Registry::default();
    registry.allocated(owner(0x10_0000, 0x3000));
    registry.freed(
        0x10_0000,
        &Freed::in_order("cudaFreeAsync", Site::Unknown, 7),
    );
    registry.allocated(owner(0x10_1000, 0x1000));
    let hit = |address| {
        registry
            .lookup(address)
            .map(|hit| (hit.is_live(), hit.is_pending()))
    };
    assert_eq!(hit(0x10_0000), Some((false, true)));
    assert_eq!(hit(0x10_1000), Some((true, false)));
    assert_eq!(hit(0x10_2fff), Some((false, true)));
    assert_eq!(registry.former(0x10_1800).len(), 1);
    registry.synchronized(Some(8));
    assert_eq!(hit(0x10_0000), Some((false, true)));
    registry.synchronized(Some(7));
    assert_eq!(hit(0x10_0000), Some((false, false)));
    assert!(matches!(registry.find(0x10_2000), Some(Entry::Dead(_))));
}

#[test]
fn neighbours_and_resets() {
    let registry = Registry::default();
    registry.allocated(owner(0x10_0000, 0x1000));
    registry.allocated(owner(0x20_0000, 0x1000));
    let start = |owner: Option<Owner>| owner.and_then(|owner| owner.range).map(|range| range.start);
    assert_eq!(start(registry.next_after(0xf_ff00)), Some(0x10_0000));
    assert_eq!(start(registry.next_after(0x10_0000)), Some(0x20_0000));
    assert_eq!(start(registry.last_before(0x10_1000)), Some(0x10_0000));
    assert_eq!(start(registry.last_before(0x10_0fff)), None);
    registry.reset(&Freed::by("cudaDeviceReset", Site::Unknown), |owner| {
        owner.device == Some(0)
    });
    let Some(Entry::Dead(dead)) = registry.find(0x10_0000) else {
        panic!("the device was reset");
    };
    assert!(dead.end.is_some_and(|end| end.context_gone));
    assert_eq!(registry.live(), 0);
}

#[test]
fn streams_live_and_die_and_handles_are_used_again() {
    let registry = Registry::default();
    assert_eq!(registry.stream(0x5600_0000_1230), None);
    registry.stream_created(0x5600_0000_1230);
    assert_eq!(registry.stream(0x5600_0000_1230), Some(true));
    registry.stream_destroyed(0x5600_0000_1230);
    assert_eq!(registry.stream(0x5600_0000_1230), Some(false));
    registry.stream_created(0x5600_0000_1230);
    assert_eq!(registry.stream(0x5600_0000_1230), Some(true));
    assert_eq!(registry.stream(0x5600_0000_1231), None);
    assert_eq!(registry.live(), 0);
}

/// An operation on a small world, so that ranges meet each other often.
#[derive(Debug, Clone)]
enum Step {
    Allocate(u64, u64),
    Free(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = prop_oneof![
        (0..64_u64).prop_map(|slot| slot * 512),
        0..0x1_0000_u64,
        (0..8_u64).prop_map(|slot| slot << 21),
        Just(1 << 30),
    ];
    let size = prop_oneof![1..2000_u64, Just(4096), Just(2 << 20), Just(1 << 30)];
    let step = prop_oneof![
        (place.clone(), size).prop_map(|(start, bytes)| Step::Allocate(start, bytes)),
        place.prop_map(Step::Free),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn it_answers_as_a_plain_list_does(steps in steps()) {
        const BASE: u64 = 0x7f00_0000_0000;
        let registry = Registry::default();
        // Spans that do not overlap, each alive or dead.
        let mut list: Vec<(Span, bool)> = Vec::new();
        let mut probes = Vec::new();
        for step in steps {
            match step {
                Step::Allocate(start, bytes) => {
                    let span = Span::sized(BASE + start, bytes);
                    registry.allocated(owner(span.start, bytes));
                    // A live one that is overlapped is gone; a dead one keeps what is left.
                    let left = |(known, live): (Span, bool)| {
                        let before = Span::new(known.start, span.start.min(known.end));
                        let after = Span::new(span.end.max(known.start), known.end);
                        let parts = match (known.common(span).is_empty(), live) {
                            (true, _) => vec![known],
                            (false, true) => vec![],
                            (false, false) => vec![before, after],
                        };
                        let parts = parts.into_iter().filter(|part| !part.is_empty());
                        parts.map(move |part| (part, live))
                    };
                    list = list.into_iter().flat_map(left).collect();
                    list.push((span, true));
                    probes.extend([span.start, span.end - 1, span.end, span.start - 1]);
                }
                Step::Free(start) => {
                    let start = BASE + start;
                    let known = list.iter_mut().find(|(span, live)| *live && span.start == start);
                    let was = registry.freed(start, &free());
                    prop_assert_eq!(known.is_some(), was == Known::Live);
                    if let Some(entry) = known {
                        entry.1 = false;
                    }
                }
            }
        }
        for address in probes {
            let live = list.iter().find(|(span, live)| *live && span.contains(address));
            let dead = list.iter().any(|(span, live)| !live && span.contains(address));
            match (live, registry.lookup(address)) {
                (Some((span, _)), Some(hit)) => prop_assert!(hit.is_live() && hit.range == *span),
                (Some(_), None) => prop_assert!(false, "a live one is missing"),
                (None, Some(hit)) => prop_assert!(!hit.is_live() && dead),
                (None, None) => prop_assert!(!dead, "a dead one is missing"),
            }
        }
        prop_assert_eq!(registry.live(), list.iter().filter(|(_, live)| *live).count());
    }
}

#[test]
fn readers_see_whole_records_while_writers_work() {
    const BASE: u64 = 0x7f00_0000_0000;
    let registry = Registry::with_tombstones(64);
    // These stay alive all the time and must be found at every moment.
    for index in 0..512_u64 {
        registry.allocated(owner(BASE + index * 0x2000, 0x1000));
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (registry, stop) = (&registry, &stop);
            scope.spawn(move || {
                for round in 0..4000_u64 {
                    let start = BASE + (round * 7 + writer) % 512 * 0x2000 + 0x1000;
                    let bytes = 0x100 << (round % 4);
                    registry.allocated(owner(start, bytes));
                    registry.freed(start, &free());
                    let big = BASE + (1 << 40) + writer * (1 << 36);
                    registry.allocated(owner(big + round % 3 * 512, 5 << 20));
                    registry.freed(big + round % 3 * 512, &free());
                }
                stop.store(true, Ordering::Relaxed);
            });
        }
        for reader in 0..2_u64 {
            let (registry, stop) = (&registry, &stop);
            scope.spawn(move || {
                let mut seed = reader + 1;
                while !stop.load(Ordering::Relaxed) {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let index = seed >> 33 & 511;
                    let address = BASE + index * 0x2000 + (seed >> 50 & 0xfff);
                    let hit = registry.lookup(address).expect("it is alive");
                    assert_eq!(hit.range, Span::sized(BASE + index * 0x2000, 0x1000));
                    assert!(hit.is_live());
                    let other = address + 0x1000;
                    if let Some(hit) = registry.lookup(other) {
                        assert!(hit.range.contains(other));
                        // Of the dead, what a later allocation left uncovered may begin anywhere.
                        assert!(!hit.is_live() || hit.range.start & 0xfff == 0);
                    }
                    let big = BASE + (1 << 40) + (seed >> 40 & 0x3f_ffff);
                    if let Some(hit) = registry.lookup(big) {
                        assert!(!hit.is_live() || hit.range.bytes() == 5 << 20);
                    }
                }
            });
        }
    });
}

/// Writers use the same addresses again and again for allocations whose size, class and device
/// follow from one number; a reader that put words of two of them together would see fields that do
/// not belong together. `CUWHY_STRESS_SECONDS` makes it last.
#[test]
fn no_reader_combines_two_allocations() {
    const BASE: u64 = 0x7f12_0000_0000;
    const BLOCK: u64 = 2 << 20;
    const CLASSES: [Class; 5] = [
        Class::Device,
        Class::Pool,
        Class::Managed,
        Class::Pinned,
        Class::Registered,
    ];
    // In one piece with others, in one block, and across the borders of blocks.
    let places = [
        (BASE + 100, 60),
        (BASE + 400, 3_000),
        (BASE + BLOCK / 2, 70_000),
        (BASE + 4 * BLOCK - 40, 64),
        (BASE + 8 * BLOCK - 4096, 3 * BLOCK),
        (BASE + (1 << 34) - BLOCK, 5 * BLOCK),
    ];
    let which = |number: u64| usize::try_from(number).expect("a small number");
    let made = |place: usize, number: u64| {
        let (start, most) = places[place];
        let mut owner = owner(start, most - number % 40);
        owner.class = CLASSES[which(number % 5)];
        owner.device = Some(i32::try_from(number % 40).expect("a small number"));
        owner
    };
    let seconds = std::env::var("CUWHY_STRESS_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(0.5);
    let end = std::time::Instant::now() + std::time::Duration::from_secs_f64(seconds);
    let registry = Registry::with_tombstones(5);
    let seen = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (registry, made) = (&registry, &made);
            scope.spawn(move || {
                for round in writer.. {
                    let place = which(round % 6);
                    registry.allocated(made(place, round));
                    if round % 3 == 0 {
                        registry.freed(places[place].0, &free());
                    }
                    if round % 512 < 2 && std::time::Instant::now() > end {
                        break;
                    }
                }
            });
        }
        for reader in 0..2_u64 {
            let (registry, seen) = (&registry, &seen);
            scope.spawn(move || {
                for round in reader.. {
                    let (start, most) = places[which(round % 6)];
                    let address = start + round * 7919 % most;
                    if let Some(hit) = registry.lookup(address) {
                        assert!(hit.range.contains(address), "{hit:?} {address:#x}");
                        let number = start + most - hit.range.end;
                        let device = hit.device().map(i64::from);
                        // Of the dead the end may be left over.
                        let whole = hit.range.start == start;
                        assert!(whole || !hit.is_live(), "{hit:?} {start:#x}");
                        assert_eq!(device, i64::try_from(number).ok(), "{hit:?}");
                        assert_eq!(hit.class(), CLASSES[which(number % 5)], "{hit:?}");
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                    if round % 512 < 2 && std::time::Instant::now() > end {
                        break;
                    }
                }
            });
        }
    });
    assert!(seen.into_inner() > 1000);
}

#[test]
fn what_is_alive_is_found_while_its_slots_become_finer() {
    // Each home is alone in 2 MiB at first. Then neighbours come in the same 2 MiB, the same 64 KiB
    // and the same 512 bytes, and each time the home's word moves to a smaller slot.
    const BASE: u64 = 0x7f00_0000_0000;
    const HOMES: u64 = 10_000;
    const REACH: [u64; 3] = [90_000, 3_000, 200];
    let home = |number| Span::sized(BASE + number * (4 << 20) + 77, 100);
    let registry = Registry::with_tombstones(3);
    registry.allocated(owner(home(0).start, home(0).bytes()));
    let current = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = current.load(Ordering::Acquire);
                    if number == HOMES {
                        break;
                    }
                    let span = home(number);
                    for address in [span.start, span.end - 1] {
                        let hit = registry.lookup(address);
                        let hit = hit.unwrap_or_else(|| panic!("home {number} is alive"));
                        assert!(
                            hit.is_live() && hit.range == span,
                            "{hit:?} is not {span:?}"
                        );
                    }
                    let behind = registry.lookup(span.end).map(|hit| hit.range);
                    assert_ne!(behind, Some(span));
                }
            });
        }
        for number in 0..HOMES {
            let (here, next) = (home(number), home(number + 1));
            // The next one is there before anybody looks for it.
            registry.allocated(owner(next.start, next.bytes()));
            for reach in REACH {
                registry.allocated(owner(here.start + reach, 150));
                registry.freed(here.start + reach, &free());
            }
            current.store(number + 1, Ordering::Release);
        }
    });
}

/// Runs `work` in a child that was forked and says what it returned; it dies after ten seconds.
fn in_child(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs `work` and ends without coming back; `work` takes no lock of this
    // test's own, and the C library keeps its allocator usable in a child.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: it only sets a timer.
        let _ = unsafe { libc::alarm(10) };
        let code = work();
        // SAFETY: it ends the child without running what belongs to the parent.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: the child is this process's own, and `status` is alive.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        1000 + libc::WTERMSIG(status)
    }
}

#[test]
fn a_child_reads_and_writes_on_whatever_its_parent_was_doing() {
    const KEPT: u64 = 0x7f00_0000_0000;
    const OTHER: u64 = KEPT + 0x1_0000;
    let registry = Registry::with_tombstones(16);
    registry.allocated(owner(KEPT, 4096));
    registry.stream_created(0x5600_0000_1230);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2_u64 {
            let (registry, stop) = (&registry, &stop);
            scope.spawn(move || {
                for round in 0_u64.. {
                    let start = OTHER + (round % 50 * 2 + writer) * 0x100;
                    registry.allocated(owner(start, 0x100));
                    registry.allocated(owner(OTHER + (writer + 1) * (1 << 30), 3 << 20));
                    registry.freed(start, &free());
                    registry.stream_created(round % 50 * 16);
                    registry.stream_destroyed(round % 50 * 16);
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let mut forgot = 0;
        for _ in 0..200 {
            let code = in_child(|| {
                let live = |address| registry.lookup(address).is_some_and(|hit| hit.is_live());
                if !live(KEPT) {
                    return 10;
                }
                if registry.stream(0x5600_0000_1230) != Some(true) {
                    return 11;
                }
                // It writes, and from then on either knows all that was known or nothing of it.
                let mine = KEPT + (1 << 40);
                registry.allocated(owner(mine, 5 << 20));
                registry.stream_created(0x5600_0000_4560);
                if !live(mine + (4 << 20)) || registry.stream(0x5600_0000_4560) != Some(true) {
                    return 12;
                }
                let forgot = !live(KEPT);
                if forgot != (registry.live() == 1) {
                    return 13;
                }
                if registry.freed(mine, &free()) != Known::Live || live(mine) {
                    return 14;
                }
                i32::from(forgot)
            });
            assert!(code < 2, "a child ended with {code}");
            forgot += code;
        }
        stop.store(true, Ordering::Relaxed);
        // Both ways were gone: the parent is at work most of the time, but not all of it.
        assert!(forgot > 0, "no fork came while a writer was at work");
    });
}
