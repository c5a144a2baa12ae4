//! Observers that feed a registry, for either layer.

/// The observer of a layer; `$names` says what the layer calls to make memory of a kind, and to end it.
macro_rules! watch {
    ($layer:ident, $names:ident) => {
        use $layer::memory::observe::{Event, Kind as What, Observer, set_observer};

        /// Feeds a registry with everything that the layer allocates, frees and registers.
        #[derive(Debug)]
        pub struct Watch(&'static crate::Registry);

        /// Makes this registry hear of every allocation of the layer from now on.
        pub fn observe(registry: &'static crate::Registry) {
            let watch: &'static Watch = Box::leak(Box::new(Watch(registry)));
            set_observer(Some(watch));
        }

        fn class(kind: What) -> crate::Class {
            use crate::Class;
            match kind {
                What::Pinned => Class::Pinned,
                What::Registered => Class::Registered,
                What::Managed => Class::Managed,
                What::Pool => Class::Pool,
                What::Virtual => Class::Virtual,
                _ => Class::Device,
            }
        }

        fn site(event: &Event) -> crate::Site {
            event
                .location
                .map_or(crate::Site::Unknown, crate::Site::Source)
        }

        impl Observer for Watch {
            fn began(&self, event: &Event) {
                let mut owner = crate::facts::Owner::of(class(event.kind));
                owner.range = Some(crate::Span::sized(event.address.0, event.size.0 as u64));
                owner.device = event.device.and_then(|device| i32::try_from(device).ok());
                owner.context = event.context;
                owner.access = crate::facts::Access::Unknown;
                owner.origin.call = Some($names(event.kind).0);
                owner.origin.site = site(event);
                owner.pitch = event.rows.map(|rows| rows.pitch.0 as u64);
                owner.row = event.rows.map(|rows| rows.width.0 as u64);
                self.0.allocated(owner);
            }

            fn ending(&self, event: &Event) {
                use crate::registry::Freed;
                let (_, call) = $names(event.kind);
                let how = match (event.kind, event.stream) {
                    (What::Pool, Some(stream)) => Freed::in_order(call, site(event), stream),
                    _ => Freed::by(call, site(event)),
                };
                self.0.freed(event.address.0, &how);
            }

            fn end_refused(&self, event: &Event) {
                self.0.revived(event.address.0);
            }
        }
    };
}

#[cfg(any(feature = "driver", feature = "runtime"))]
pub(super) use watch;
