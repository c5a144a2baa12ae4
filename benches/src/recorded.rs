//! Copies with recorded answers of a driver, for benches that need no GPU.
//!
//! The addresses and answers are those of an H200 with driver 580.159.04.

use cuwhy_validate::ask::{Attributes, Mapped, Recorded};
use cuwhy_validate::facts::{Access, Current, Environment, Owner, Permissions};
use cuwhy_validate::registry::Registry;
use cuwhy_validate::{Call, Class, Kind, Span};

/// A copy and what is known around it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The case in a few words.
    pub name: &'static str,
    /// The copy.
    pub call: Call,
    /// What the driver and the kernel would say.
    pub ask: Recorded,
}

const DEVICE: Span = Span::sized(0x7f4d_3680_0000, 4 << 20);
const PINNED: Span = Span::sized(0x7f4d_3600_0000, 4096);
const HEAP: Span = Span::sized(0x5555_5575_a000, 0x21000);

/// Every case: two that pass, three that do not.
#[must_use]
pub fn cases() -> Vec<Case> {
    let copy = |dst: Span, src: Span, bytes, kind| Call::memcpy(dst.start, src.start, bytes, kind);
    vec![
        passing(),
        Case {
            name: "pageable to device, right",
            call: copy(DEVICE, HEAP, 4096, Kind::HostToDevice),
            ask: answers(),
        },
        Case {
            name: "past the end",
            call: copy(DEVICE, PINNED, 4097, Kind::HostToDevice),
            ask: answers(),
        },
        Case {
            name: "kind swapped",
            call: copy(DEVICE, PINNED, 4096, Kind::DeviceToHost),
            ask: answers(),
        },
        Case {
            name: "null",
            call: Call::memcpy(0, PINNED.start, 4096, Kind::HostToDevice),
            ask: answers(),
        },
    ]
}

/// A copy that is right in every way.
#[must_use]
pub fn passing() -> Case {
    let bytes = PINNED.bytes();
    Case {
        name: "pinned to device, right",
        call: Call::memcpy(DEVICE.start, PINNED.start, bytes, Kind::HostToDevice),
        ask: answers(),
    }
}

/// A registry with `live` allocations of 512 bytes, 1 KiB apart, and the addresses of their starts.
#[must_use]
pub fn registry(live: u32) -> (Registry, Vec<u64>) {
    let registry = Registry::default();
    let starts: Vec<u64> = (0..u64::from(live))
        .map(|n| DEVICE.start + n * 1024)
        .collect();
    for &start in &starts {
        registry.allocated(device_memory(Span::sized(start, 512)));
    }
    (registry, starts)
}

/// Tells a registry of the memory that the cases copy; of the heap nobody tells.
pub fn tell(registry: &Registry) {
    registry.allocated(device_memory(DEVICE));
    let mut pinned = device_memory(PINNED);
    pinned.class = Class::Pinned;
    registry.allocated(pinned);
}

/// What a registry is told of device memory.
#[must_use]
pub fn device_memory(span: Span) -> Owner {
    let mut owner = Owner::of(Class::Device);
    owner.range = Some(span);
    owner.device = Some(0);
    owner
}

fn answers() -> Recorded {
    let device = Attributes {
        memory_type: 2,
        managed: Some(false),
        ordinal: 0,
        device_pointer: Some(DEVICE.start),
        range: Some(DEVICE),
        mapped: Some(true),
        context: Some(1),
        buffer_id: Some(2),
        access: Access::ReadWrite,
        exportable: Some(true),
        ..Attributes::default()
    };
    let pinned = Attributes {
        memory_type: 1,
        device_pointer: Some(PINNED.start),
        range: Some(PINNED),
        buffer_id: Some(3),
        exportable: Some(false),
        ..device
    };
    let heap = Mapped {
        span: HEAP,
        permissions: Permissions::READ_WRITE,
        name: Some("[heap]".into()),
    };
    let environment = Environment {
        current: Current::Device(0),
        pageable_access: Some(false),
        devices: Some(1),
        driver_version: Some(13000),
        ..Environment::default()
    };
    Recorded::default()
        .with(DEVICE, device)
        .with(PINNED, pinned)
        .with_host(heap)
        .with_environment(environment)
}

#[cfg(test)]
mod tests {
    use super::cases;

    #[test]
    fn what_is_called_right_passes_and_the_rest_does_not() {
        for case in cases() {
            let verdict = cuwhy_validate::check(&case.call, &case.ask, None);
            let right = case.name.ends_with("right");
            assert_eq!(
                verdict.findings.is_empty(),
                right,
                "{}: {verdict:?}",
                case.name
            );
        }
    }
}
