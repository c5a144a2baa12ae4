//! Addresses at both ends of the address space: nothing overflows, and the kernel is asked for real.

use cuwhy_validate::ask::{Ask, Attributes, Host, HostMap, Pointer};
use cuwhy_validate::facts::Owner;
use cuwhy_validate::finding::Style;
use cuwhy_validate::registry::Freed;
use cuwhy_validate::{Call, Checker, Class, Kind, Policy, Prediction, Registry, Site, Span};

/// CUDA knows nothing here; the process's memory is what it is.
struct OnlyHost(HostMap);

impl Ask for OnlyHost {
    fn pointer(&self, _: u64) -> Pointer {
        Pointer::Known(Attributes {
            ordinal: -2,
            ..Attributes::default()
        })
    }

    fn host(&self, address: u64) -> Host {
        self.0.at(address)
    }
}

const PLACES: [u64; 12] = [
    0,
    1,
    4095,
    (1 << 47) - 4096,
    (1 << 47) - 1,
    1 << 47,
    (1 << 48) - 1,
    1 << 48,
    1 << 63,
    u64::MAX - 4096,
    u64::MAX - 1,
    u64::MAX,
];
const SIZES: [u64; 7] = [0, 1, 4097, 1 << 31, 1 << 47, u64::MAX - 1, u64::MAX];

#[test]
fn findings_at_the_ends_of_the_address_space() {
    let registry = Registry::default();
    let text = Style::default();
    for map in [HostMap::open(), HostMap::open_text()] {
        let ask = OnlyHost(map);
        let checker = Checker::new(&ask).with_registry(&registry);
        let checker = checker.with_policy(Policy::Strict);
        let source = [5_u8; 4097];
        let here = source.as_ptr().addr() as u64;
        for place in PLACES {
            for bytes in SIZES {
                for (dst, src) in [(place, here), (here, place), (place, place)] {
                    for kind in [Kind::Default, Kind::HostToDevice, Kind::DeviceToHost] {
                        let verdict = checker.check(&Call::memcpy(dst, src, bytes, kind));
                        let good = verdict.prediction == Prediction::Success;
                        assert_eq!(good, bytes == 0, "{dst:#x} {src:#x} {bytes} {kind:?}");
                        assert!(good || !verdict.findings.is_empty());
                        for finding in &verdict.findings {
                            assert!(!finding.text(&text).is_empty());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_registry_at_the_ends_of_the_address_space() {
    for place in PLACES {
        for bytes in SIZES.into_iter().filter(|bytes| *bytes < 1 << 40) {
            let registry = Registry::default();
            let mut owner = Owner::of(Class::Device);
            let span = Span::sized(place, bytes);
            owner.range = Some(span);
            registry.allocated(owner);
            let kept = !span.is_empty() && span.end <= 1 << 48;
            assert_eq!(registry.live(), usize::from(kept), "{span:?}");
            for address in PLACES {
                let inside = kept && span.contains(address);
                let hit = registry.lookup(address);
                assert_eq!(hit.map(|hit| hit.range), inside.then_some(span));
                let after = registry.next_after(address).is_some();
                assert_eq!(after, kept && address < span.start);
                let before = registry.last_before(address).is_some();
                assert_eq!(before, kept && address >= span.end);
            }
            registry.freed(place, &Freed::by("cudaFree", Site::Unknown));
            assert_eq!(registry.live(), 0);
        }
    }
}
