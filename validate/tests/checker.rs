//! What a checker lets run, what it stops, and whom it tells.

mod common;

use common::world;
use cuwhy_validate::ask::{Ask, Pointer};
use cuwhy_validate::call::{Action, Order, Place, Volume};
use cuwhy_validate::checker::{Audience, Event, Ignore, Reason};
use cuwhy_validate::facts::{Access, ArrayFacts, Depth, Owner, collect};
use cuwhy_validate::{
    Api, Call, Checker, Class, Kind, Policy, Prediction, Registry, Severity, Site, Span, Stream,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

#[test]
fn deadly_calls_are_not_made_and_refused_ones_are() {
    let (world, at) = world();
    let checker = Checker::new(&world).with_policy(Policy::Strict);
    let (heap, low) = (at["pageable_heap"], at["unmapped_low_0x1000"]);
    let deadly = Call::memcpy(at["device_4MiB"], low, 4, Kind::HostToDevice);
    let error = checker
        .run(&deadly, || panic!("it was made"))
        .expect_err("it is deadly");
    assert_eq!(error.reason(), Reason::NotExecuted);
    assert_eq!(error.status(), None);
    assert_eq!(error.findings()[0].rule, "pointer.unknown");
    let refused = Call::memcpy(at["device_40B"], heap, 400, Kind::HostToDevice);
    let error = checker.run(&refused, || 1).expect_err("it is refused");
    assert_eq!(error.reason(), Reason::Refused);
    assert_eq!(error.status(), Some(1));
    assert_eq!(error.findings()[0].rule, "range.past-end");
    assert!(error.findings()[0].answered.is_some());
    assert!(
        error.to_string().contains("1 cudaErrorInvalidValue"),
        "{error}"
    );
    let good = Call::memcpy(at["device_40B"], heap, 40, Kind::HostToDevice);
    checker.run(&good, || 0).expect("it is right");
}

#[test]
fn a_failure_that_was_not_predicted_is_called_a_bug_of_ours() {
    let (world, at) = world();
    let heard = Arc::new(Mutex::new(0));
    let count = Arc::clone(&heard);
    let audience = Audience::new(move |event| {
        if matches!(event, Event::Unexpected { .. }) {
            *count.lock().expect("no panic") += 1;
        }
    });
    let checker = Checker::new(&world)
        .with_policy(Policy::Strict)
        .telling(audience);
    let good = Call::memcpy(at["device_40B"], at["pinned"], 40, Kind::HostToDevice);
    let error = checker.run(&good, || 1).expect_err("the driver says so");
    assert_eq!(error.reason(), Reason::Unexpected);
    assert!(error.to_string().contains("please report"), "{error}");
    let bad = Call::memcpy(at["device_40B"], at["pinned"], 41, Kind::HostToDevice);
    checker.run(&bad, || 0).expect("the driver accepts it");
    assert_eq!(*heard.lock().expect("no panic"), 2);
    // A sticky code comes from earlier work, and is kept as the reason of what follows.
    let error = checker.run(&good, || 700).expect_err("the context is dead");
    assert_eq!(error.reason(), Reason::Refused);
    let error = checker.run(&good, || 700).expect_err("the context is dead");
    assert_eq!(error.findings()[0].rule, "context.poisoned");
    checker.revived();
    assert_eq!(checker.check(&good).prediction, Prediction::Success);
}

#[test]
fn findings_are_counted_by_place_and_the_limit_is_announced() {
    let (world, at) = world();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&heard);
    let audience = Audience::new(move |event| {
        let (what, seen) = match event {
            Event::Finding(finding) => ("finding", finding.seen),
            Event::LastOfItsKind { finding, .. } => ("last", finding.seen),
            _ => ("other", 0),
        };
        list.lock().expect("no panic").push((what, seen));
    });
    let audience = audience.up_to(3);
    let checker = Checker::new(&world).telling(audience.clone());
    for _ in 0..5 {
        let call = Call::memcpy(at["device_40B"], at["pinned"], 41, Kind::HostToDevice);
        let error = checker.run(&call, || 1).expect_err("it is refused");
        assert!(!error.findings().is_empty());
    }
    let told = heard.lock().expect("no panic").clone();
    assert_eq!(told, [("finding", 1), ("finding", 2), ("last", 3)]);
    assert_eq!(audience.counts()[0].2, 5);
}

#[test]
fn what_is_ignored_is_not_told_and_does_not_stop_a_call() {
    let (world, at) = world();
    let ignore = Ignore::default()
        .rule("pointer.unknown")
        .expect("it is a rule");
    let checker = Checker::new(&world)
        .with_policy(Policy::Strict)
        .ignoring(ignore);
    let low = at["unmapped_low_0x1000"];
    let call = Call::memcpy(at["device_4MiB"], low, 4, Kind::HostToDevice);
    checker.run(&call, || 0).expect("the user knows better");
    let error = Ignore::default()
        .rule("range.pastend")
        .expect_err("no rule");
    assert!(error.to_string().contains("range.past-end"), "{error}");
}

#[test]
fn the_registry_lets_pass_and_never_accuses_alone() {
    let (world, at) = world();
    let registry = Registry::default();
    let (device, pinned) = (at["device_40B"], at["pinned"]);
    let mut owner = Owner::of(Class::Device);
    // Somebody freed and allocated unseen: the registry thinks that there are 8 bytes.
    owner.range = Some(Span::sized(device, 8));
    registry.allocated(owner.clone());
    owner.class = Class::Pinned;
    owner.range = Some(Span::sized(pinned, 4096));
    registry.allocated(owner);
    let checker = Checker::new(&world).with_registry(&registry);
    let call = Call::memcpy(device, pinned, 40, Kind::HostToDevice);
    checker.run(&call, || 0).expect("the driver knows better");
    let verdict = checker.check(&call);
    assert_eq!(verdict.prediction, Prediction::Success);
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
}

/// Knows nothing, and cannot be asked: as a driver in a forked child.
struct Silent;

impl Ask for Silent {
    fn pointer(&self, _: u64) -> Pointer {
        Pointer::CannotTell
    }
}

#[test]
fn the_registry_accuses_nobody_where_the_driver_cannot_be_asked() {
    const DEVICE: u64 = 0x7f00_0000_0000;
    const HOST: u64 = 0x7f00_1000_0000;
    let registry = Registry::default();
    for (class, start) in [(Class::Device, DEVICE), (Class::Registered, HOST)] {
        let mut owner = Owner::of(class);
        owner.range = Some(Span::sized(start, 40));
        owner.access = Access::Read;
        registry.allocated(owner);
    }
    let checker = Checker::new(&Silent).with_registry(&registry);
    for (dst, src, kind) in [
        (DEVICE, HOST, Kind::HostToDevice),
        (HOST, DEVICE, Kind::DeviceToHost),
        (DEVICE, 0x5500_0000_0000, Kind::HostToDevice),
    ] {
        let verdict = checker.check(&Call::memcpy(dst, src, 400, kind));
        assert!(matches!(verdict.prediction, Prediction::CannotTell(_)));
        assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    }
    let fits = checker.check(&Call::memcpy(DEVICE, HOST, 40, Kind::HostToDevice));
    assert_eq!(fits.prediction, Prediction::Success);
    assert!(fits.findings.is_empty(), "{:?}", fits.findings);
}

#[test]
fn nothing_is_asked_before_a_call_that_is_only_explained_on_failure() {
    let (world, at) = world();
    let checker = Checker::new(&world).with_policy(Policy::ExplainOnFailure);
    let call = Call::memcpy(at["device_40B"], at["pinned"], 41, Kind::HostToDevice);
    checker.run(&call, || 0).expect("nobody looked");
    let error = checker.run(&call, || 1).expect_err("it is refused");
    assert_eq!(error.findings()[0].rule, "range.past-end");
    assert_eq!(error.reason(), Reason::Refused);
}

#[test]
fn every_policy_does_what_it_says() {
    let (world, at) = world();
    let (heap, low) = (at["pageable_heap"], at["unmapped_low_0x1000"]);
    let (device, other) = (at["device_40B"], at["device_4MiB"]);
    let refused = Call::memcpy(device, heap, 400, Kind::HostToDevice);
    // The process dies, which only the memory map tells.
    let fault = Call::memcpy(other, low, 4, Kind::HostToDevice);
    // The context dies, which the allocations tell.
    let poison = Call::memcpy(
        device + 4,
        other + 8,
        2_u64.wrapping_neg(),
        Kind::DeviceToDevice,
    );
    let warning = Call::memcpy(device, other, 4, Kind::HostToDevice);
    for (policy, makes_fault, makes_poison, tells_warning) in [
        (Policy::ExplainOnFailure, true, true, false),
        (Policy::Check, true, false, false),
        (Policy::Strict, false, false, true),
    ] {
        let heard = Arc::new(Mutex::new(Vec::<&str>::new()));
        let list = Arc::clone(&heard);
        let audience = Audience::new(move |event| {
            if let Event::Finding(finding) = event {
                list.lock().expect("no panic").push(finding.rule);
            }
        });
        let checker = Checker::new(&world).with_policy(policy).telling(audience);
        let made = |call: &Call, status| {
            let mut made = false;
            let result = checker.run(call, || {
                made = true;
                status
            });
            (made, result.err().map(|error| error.reason()))
        };
        assert_eq!(
            made(&refused, 1),
            (true, Some(Reason::Refused)),
            "{policy:?}"
        );
        let not = |makes: bool| (!makes).then_some(Reason::NotExecuted);
        assert_eq!(
            made(&fault, 0),
            (makes_fault, not(makes_fault)),
            "{policy:?}"
        );
        assert_eq!(
            made(&poison, 0),
            (makes_poison, not(makes_poison)),
            "{policy:?}"
        );
        heard.lock().expect("no panic").clear();
        assert_eq!(made(&warning, 0), (true, None), "{policy:?}");
        let told = heard.lock().expect("no panic").clone();
        let expected: &[&str] = if tells_warning {
            &["kind.false-but-accepted"]
        } else {
            &[]
        };
        assert_eq!(told, expected, "{policy:?}");
    }
}

#[test]
fn a_place_can_be_ignored_and_another_is_not() {
    let (world, at) = world();
    let call = || Call::memcpy(at["device_40B"], at["pinned"], 41, Kind::HostToDevice);
    let (here, there) = (call(), call());
    let ignore = Ignore::default()
        .rule_at("range.past-end", &here.site.to_string())
        .expect("it is a rule");
    let checker = Checker::new(&world).ignoring(ignore);
    assert!(checker.check(&here).findings.is_empty());
    // Both calls stand in the one line of the closure.
    assert!(checker.check(&there).findings.is_empty());
    let elsewhere = Call::memcpy(at["device_40B"], at["pinned"], 41, Kind::HostToDevice);
    assert_eq!(checker.check(&elsewhere).findings.len(), 1);
    // What is ignored still fails, with CUDA's status and no word more.
    let error = checker.run(&here, || 1).expect_err("it is refused");
    assert_eq!((error.status(), error.findings().len()), (Some(1), 0));
}

#[test]
fn many_threads_are_heard_and_counted_exactly() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 50;
    let (world, at) = world();
    let heard = Arc::new(Mutex::new((0_u64, 0_u64)));
    let count = Arc::clone(&heard);
    let audience = Audience::new(move |event| {
        let mut count = count.lock().expect("no panic");
        match event {
            Event::Finding(_) => count.0 += 1,
            Event::LastOfItsKind { .. } => count.1 += 1,
            _ => {}
        }
    });
    let audience = audience.up_to(20);
    let checker = Checker::new(&world).telling(audience.clone());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    let call = Call::memcpy(at["device_40B"], at["pinned"], 41, Kind::HostToDevice);
                    checker.run(&call, || 1).expect_err("it is refused");
                }
            });
        }
    });
    assert_eq!(*heard.lock().expect("no panic"), (19, 1));
    assert_eq!(audience.counts()[0].2, THREADS * CALLS);
}

#[test]
fn whoever_hears_may_copy_and_hears_nothing_of_that() {
    type Run = Box<dyn Fn() + Send + Sync>;
    static COPY: OnceLock<Run> = OnceLock::new();
    let (world, at) = world();
    let heard = Arc::new(Mutex::new(0_u64));
    let count = Arc::clone(&heard);
    let audience = Audience::new(move |_| {
        *count.lock().expect("no panic") += 1;
        COPY.get().expect("it was set")();
    });
    let audience = audience.up_to(u64::MAX);
    let world: &'static _ = Box::leak(Box::new(world));
    let checker: &'static Checker<'_> =
        Box::leak(Box::new(Checker::new(world).telling(audience.clone())));
    let (device, pinned) = (at["device_40B"], at["pinned"]);
    let copy = move || {
        let call = Call::memcpy(device, pinned, 41, Kind::HostToDevice);
        let error = checker.run(&call, || 1).expect_err("it is refused");
        assert!(!error.findings().is_empty());
    };
    assert!(COPY.set(Box::new(copy)).is_ok());
    for calls in 1..=3 {
        copy();
        assert_eq!(*heard.lock().expect("no panic"), calls);
        // The copy inside is counted all the same.
        assert_eq!(audience.counts()[0].2, 2 * calls);
    }
}

#[test]
fn a_panic_of_whoever_hears_travels_up_and_leaves_nothing_locked() {
    let (world, at) = world();
    let audience = Audience::new(|_| panic!("these words"));
    let checker = Checker::new(&world).telling(audience.clone());
    for calls in 1..=3 {
        let call = Call::memcpy(at["device_40B"], at["pinned"], 41, Kind::HostToDevice);
        let panic = catch_unwind(AssertUnwindSafe(|| checker.run(&call, || 1)));
        let words = panic.expect_err("it panics");
        assert_eq!(words.downcast_ref::<&str>(), Some(&"these words"));
        assert_eq!(audience.counts()[0].2, calls);
    }
    let good = Call::memcpy(at["device_40B"], at["pinned"], 40, Kind::HostToDevice);
    checker.run(&good, || 0).expect("it is right");
}

/// Every pair of the measured operands, with a registry that knows what CUDA knows.
#[test]
fn what_passes_unasked_is_what_the_rules_pass() {
    const COPIES: [(&str, Kind); 4] = [
        ("cuMemcpy", Kind::Default),
        ("cuMemcpyHtoD_v2", Kind::HostToDevice),
        ("cuMemcpyDtoH_v2", Kind::DeviceToHost),
        ("cuMemcpyDtoD_v2", Kind::DeviceToDevice),
    ];
    let (world, at) = world();
    let registry = Registry::default();
    for &address in at.values() {
        let call = Call::memcpy(address, address, 1, Kind::Default);
        let facts = collect(&call, &world, None, Depth::Full);
        let owner = facts.operands.first().and_then(|operand| operand.head());
        if let Some(owner) = owner.filter(|owner| owner.class.is_cuda()) {
            registry.allocated(owner.clone());
        }
    }
    assert!(registry.live() > 10);
    let checkers = [
        Checker::new(&world).with_registry(&registry),
        Checker::new(&world)
            .with_registry(&registry)
            .for_one_device(),
    ];
    let mut unasked = 0;
    for (dst, src) in at
        .values()
        .flat_map(|dst| at.values().map(move |src| (*dst, *src)))
    {
        for bytes in [0, 4, 41, 4097, (4 << 20) + 1, u64::MAX] {
            let runtime = (-1..6).map(|raw| Call::memcpy(dst, src, bytes, Kind::from_raw(raw)));
            let driver =
                COPIES.map(|(function, kind)| Call::driver_copy(function, dst, src, bytes, kind));
            for call in runtime.chain(driver) {
                for checker in &checkers {
                    let expected = checker.before(&call);
                    if !expected.is_ok_and(|expected| expected.prediction().is_none()) {
                        continue;
                    }
                    unasked += 1;
                    let verdict = checker.check(&call);
                    assert_eq!(verdict.prediction, Prediction::Success, "{}", call.text());
                    let errors = verdict.findings.iter();
                    let errors = errors.filter(|finding| finding.severity == Severity::Error);
                    assert_eq!(errors.count(), 0, "{} {verdict:?}", call.text());
                }
            }
        }
    }
    assert!(unasked > 1000, "{unasked}");
}

/// Counts the arrays that it is asked about; a driver would follow each of them.
#[derive(Default)]
struct Follows {
    vouches: bool,
    asked: AtomicUsize,
}

impl Ask for Follows {
    fn pointer(&self, _: u64) -> Pointer {
        Pointer::CannotTell
    }

    fn peek(&self, _: u64) -> Option<u64> {
        Some(0)
    }

    fn vouches_for_array(&self, _: u64) -> bool {
        self.vouches
    }

    unsafe fn array(&self, _: u64) -> Option<ArrayFacts> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[test]
fn only_an_array_that_somebody_answers_for_is_followed() {
    const ARRAY: u64 = 0x5500_0000_1000;
    let call = Call {
        function: "cuMemcpy2D",
        api: Api::Driver,
        action: Action::Copy3D(Volume {
            dst: Place::Array {
                handle: ARRAY,
                x: 0,
                y: 0,
                z: 0,
            },
            src: Place::Array {
                handle: ARRAY,
                x: 0,
                y: 1,
                z: 0,
            },
            width: 4,
            height: 1,
            depth: 1,
            is_plane: true,
            kind: Kind::Default,
        }),
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    };
    let asked = |vouches: bool, registry: Option<&Registry>| {
        let world = Follows {
            vouches,
            ..Follows::default()
        };
        let checker = Checker::new(&world);
        let checker = match registry {
            Some(registry) => checker.with_registry(registry),
            None => checker,
        };
        drop(checker.check(&call));
        drop(checker);
        world.asked.into_inner()
    };
    assert_eq!(asked(false, None), 0);
    assert_eq!(asked(true, None), 2);
    let registry = Registry::default();
    assert_eq!(asked(false, Some(&registry)), 0);
    registry.array_created(ARRAY);
    assert_eq!(asked(false, Some(&registry)), 2);
    registry.array_destroyed(ARRAY);
    assert_eq!(asked(true, Some(&registry)), 0);
}
