//! Checked copies over the driver's layer: on the simulator, and on the machine's device.
#![cfg(feature = "driver")]

use cuda_sys::driver::Driver;
use cuwhy_driver::copy::Direction;
use cuwhy_driver::device::Device;
use cuwhy_driver::memory::{Bytes, DeviceBuffer, DeviceMemory};
use cuwhy_tests::{here, on_cuda};
use cuwhy_validate::ask::Live;
use cuwhy_validate::checked::driver::{Error, copy, observe};
use cuwhy_validate::checker::Reason;
use cuwhy_validate::registry::Entry;
use cuwhy_validate::{Checker, Class, Policy, Registry};

#[test]
fn copies_are_checked_and_allocations_are_heard_of() {
    on_cuda(here!(), checked_copies);
}

fn checked_copies() {
    let context = Device::new(0)
        .and_then(|device| device.context())
        .expect("there is a device");
    observe(Registry::global());
    let buffer = DeviceBuffer::<u8>::from_slice(&context, &[7; 40]).expect("40 bytes");
    let driver = Driver::get().expect("there is a driver");
    let live = Live::new(driver);
    let checker = Checker::new(&live)
        .with_registry(Registry::global())
        .with_policy(Policy::Strict);
    let device = buffer.address();
    let Some(Entry::Live(owner)) = Registry::global().find(device.0) else {
        panic!("the observer heard of it");
    };
    assert_eq!(
        (owner.class, owner.range.map(|range| range.bytes())),
        (Class::Device, Some(40))
    );

    let mut host = vec![0_u8; 400];
    let to = host.as_mut_ptr();
    let down = |bytes| {
        let to = cuwhy_driver::pointer::Address(to.expose_provenance() as u64);
        // SAFETY: the vector has 400 bytes, and nobody else uses it.
        unsafe { copy(&checker, to, device, Bytes(bytes), Direction::DeviceToHost) }
    };
    let current = context.enter();
    down(40).expect("it is right");
    let Err(Error::Checked(error)) = down(400) else {
        panic!("it is too long");
    };
    drop(current);
    assert_eq!(error.reason(), Reason::Refused);
    assert_eq!(error.status(), Some(1));
    let finding = &error.findings()[0];
    assert_eq!(finding.rule, "range.past-end");
    assert!(
        finding
            .at
            .as_deref()
            .is_some_and(|at| at.contains("checked.rs")),
        "{finding:?}"
    );
    assert_eq!(host[..40], [7; 40]);

    drop(buffer);
    assert!(matches!(
        Registry::global().find(device.0),
        Some(Entry::Dead(_)) | None
    ));
}
