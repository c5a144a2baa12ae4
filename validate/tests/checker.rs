//! What a checker lets run, what it stops, and whom it tells.

mod common;

use common::world;
use cuwhy_validate::checker::{Audience, Event, Ignore, Reason};
use cuwhy_validate::facts::Owner;
use cuwhy_validate::{Call, Checker, Class, Kind, Policy, Prediction, Registry, Span};
use std::sync::{Arc, Mutex};

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
