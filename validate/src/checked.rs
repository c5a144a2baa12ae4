//! Checked copies over the layers: the raw copies of `cuwhy-driver` and `cuwhy-runtime`, with a
//! [`Checker`](crate::Checker) around them, and the observers that feed a registry.
//!
//! A copy that is predicted to kill the process or the context is not made. One that is predicted
//! to be refused is, so that the status is CUDA's own.

/// The same room over either layer.
macro_rules! room {
    ($layer:ident, $api:expr, $copy:expr, $copy_async:expr, $synchronous:ident, $asynchronous:ident, $fill:ident) => {
        use crate::call::{Action, Fill, Linear, Order};
        use crate::checker::{CheckedError, Checker};
        use crate::facts::{Access, Owner};
        use crate::registry::{Freed, Registry};
        use crate::{Call, Class, Kind, Site, Span, Stream as Queue};
        use core::fmt;
        use $layer::copy::{Direction, Pattern, raw};
        use $layer::memory::Bytes;
        use $layer::memory::observe::{Event, Kind as What, Observer, set_observer};
        use $layer::pointer::Address;
        use $layer::stream::Stream;

        /// Why a checked copy did not succeed.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Error {
            /// It was not made, or CUDA refused it: with findings.
            Checked(CheckedError),
            /// The layer could not ask CUDA at all.
            Layer($layer::error::Error),
        }

        impl fmt::Display for Error {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Checked(error) => error.fmt(out),
                    Self::Layer(error) => error.fmt(out),
                }
            }
        }

        impl core::error::Error for Error {
            fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
                match self {
                    Self::Checked(_) => None,
                    Self::Layer(error) => error.source(),
                }
            }
        }

        const fn kind(direction: Direction) -> Kind {
            match direction {
                Direction::HostToHost => Kind::HostToHost,
                Direction::HostToDevice => Kind::HostToDevice,
                Direction::DeviceToHost => Kind::DeviceToHost,
                Direction::DeviceToDevice => Kind::DeviceToDevice,
                Direction::Automatic => Kind::Default,
            }
        }

        #[track_caller]
        fn call(
            destination: Address,
            source: Address,
            size: Bytes,
            direction: Direction,
            order: Order,
        ) -> Call {
            let queued = matches!(order, Order::Async(_));
            Call {
                function: if queued {
                    $asynchronous(direction)
                } else {
                    $synchronous(direction)
                },
                api: $api,
                action: Action::Copy(Linear {
                    dst: destination.0,
                    src: source.0,
                    bytes: size.0 as u64,
                    kind: kind(direction),
                }),
                order,
                site: Site::here(),
            }
        }

        /// Makes a call between the two halves of a check.
        fn between(
            checker: &Checker<'_>,
            call: &Call,
            make: impl FnOnce() -> $layer::error::Result<()>,
        ) -> Result<(), Error> {
            let expected = checker.before(call).map_err(Error::Checked)?;
            let status = match make() {
                Ok(()) => 0,
                Err(error) => match error.status() {
                    Some(status) => status.0,
                    None => return Err(Error::Layer(error)),
                },
            };
            checker
                .after(call, expected, status)
                .map_err(Error::Checked)
        }

        /// Copies a range of bytes, checked, and waits for it.
        ///
        #[doc = $copy]
        ///
        /// # Errors
        ///
        /// [`Error::Checked`] with findings where the copy was not made or CUDA refused it.
        ///
        /// # Safety
        ///
        /// As for the layer's raw copy. The check finds what CUDA, the memory map and the registry
        /// know; it cannot know of Rust's own borrows, nor of how far a host buffer goes within its
        /// mapping.
        #[track_caller]
        pub unsafe fn copy(
            checker: &Checker<'_>,
            destination: impl Into<Address>,
            source: impl Into<Address>,
            size: Bytes,
            direction: Direction,
        ) -> Result<(), Error> {
            let (destination, source) = (destination.into(), source.into());
            let order = Order::Synchronous(Queue::Legacy);
            let call = call(destination, source, size, direction, order);
            between(checker, &call, || {
                // SAFETY: the caller answers for both ranges.
                unsafe { raw::copy(destination, source, size, direction) }
            })
        }

        /// Copies a range of bytes, checked, when the stream comes to it.
        ///
        #[doc = $copy_async]
        ///
        /// # Errors
        ///
        /// As for [`copy`].
        ///
        /// # Safety
        ///
        /// As for [`copy`], until the stream has done it.
        #[track_caller]
        pub unsafe fn copy_async(
            checker: &Checker<'_>,
            destination: impl Into<Address>,
            source: impl Into<Address>,
            size: Bytes,
            direction: Direction,
            stream: &Stream,
        ) -> Result<(), Error> {
            let (destination, source) = (destination.into(), source.into());
            let handle = stream.as_raw().expose_provenance() as u64;
            let order = Order::Async(Queue::from_raw(handle, Queue::Legacy));
            let call = call(destination, source, size, direction, order);
            between(checker, &call, || {
                // SAFETY: the caller answers for both ranges, until the stream has done it.
                unsafe { raw::copy_async(destination, source, size, direction, stream) }
            })
        }

        fn filling(destination: Address, pattern: Pattern, count: usize, order: Order) -> Call {
            let (value, element) = match pattern {
                Pattern::Bits8(bits) => (u32::from(bits), 1),
                Pattern::Bits16(bits) => (u32::from(bits), 2),
                Pattern::Bits32(bits) => (bits, 4),
            };
            let queued = matches!(order, Order::Async(_));
            let action = Action::Fill(Fill {
                dst: destination.0,
                pitch: 0,
                value,
                element,
                width: count as u64,
                height: 1,
            });
            Call {
                function: $fill(element, queued),
                api: $api,
                action,
                order,
                site: Site::Unknown,
            }
        }

        /// Fills a range with a pattern, checked; `count` is in elements of the pattern's size.
        ///
        /// # Errors
        ///
        /// As for [`copy`].
        ///
        /// # Safety
        ///
        /// As for the layer's raw fill.
        #[track_caller]
        pub unsafe fn fill(
            checker: &Checker<'_>,
            destination: impl Into<Address>,
            pattern: Pattern,
            count: usize,
        ) -> Result<(), Error> {
            let destination = destination.into();
            let order = Order::Synchronous(Queue::Legacy);
            let mut call = filling(destination, pattern, count, order);
            call.site = Site::here();
            between(checker, &call, || {
                // SAFETY: the caller answers for the range.
                unsafe { raw::fill(destination, pattern, count) }
            })
        }

        /// Feeds a registry with everything that the layer allocates, frees and registers.
        #[derive(Debug)]
        pub struct Watch(&'static Registry);

        /// Makes this registry hear of every allocation of the layer from now on.
        pub fn observe(registry: &'static Registry) {
            let watch: &'static Watch = Box::leak(Box::new(Watch(registry)));
            set_observer(Some(watch));
        }

        fn class(kind: What) -> Class {
            match kind {
                What::Pinned => Class::Pinned,
                What::Registered => Class::Registered,
                What::Managed => Class::Managed,
                What::Pool => Class::Pool,
                What::Virtual => Class::Virtual,
                _ => Class::Device,
            }
        }

        fn site(event: &Event) -> Site {
            event.location.map_or(Site::Unknown, Site::Source)
        }

        impl Observer for Watch {
            fn began(&self, event: &Event) {
                let mut owner = Owner::of(class(event.kind));
                owner.range = Some(Span::sized(event.address.0, event.size.0 as u64));
                owner.device = event.device.and_then(|device| i32::try_from(device).ok());
                owner.context = event.context;
                owner.access = Access::Unknown;
                owner.origin.site = site(event);
                self.0.allocated(owner);
            }

            fn ending(&self, event: &Event) {
                let how = match (event.kind, event.stream) {
                    (What::Pool, Some(stream)) => {
                        Freed::in_order("a free in stream order", site(event), stream)
                    }
                    _ => Freed::by("its free", site(event)),
                };
                self.0.freed(event.address.0, &how);
            }

            fn end_refused(&self, event: &Event) {
                self.0.revived(event.address.0);
            }
        }
    };
}

/// Over `cuwhy-driver`.
#[cfg(feature = "driver")]
pub mod driver {
    room!(
        cuwhy_driver,
        crate::Api::Driver,
        "Driver API: `cuMemcpyHtoD`, `cuMemcpyDtoH`, `cuMemcpyDtoD`, `cuMemcpy`.",
        "Driver API: `cuMemcpyHtoDAsync`, `cuMemcpyDtoHAsync`, `cuMemcpyDtoDAsync`, `cuMemcpyAsync`.",
        synchronous,
        asynchronous,
        fill_name
    );

    const fn synchronous(direction: Direction) -> &'static str {
        match direction {
            Direction::HostToDevice => "cuMemcpyHtoD",
            Direction::DeviceToHost => "cuMemcpyDtoH",
            Direction::DeviceToDevice => "cuMemcpyDtoD",
            Direction::HostToHost | Direction::Automatic => "cuMemcpy",
        }
    }

    const fn asynchronous(direction: Direction) -> &'static str {
        match direction {
            Direction::HostToDevice => "cuMemcpyHtoDAsync",
            Direction::DeviceToHost => "cuMemcpyDtoHAsync",
            Direction::DeviceToDevice => "cuMemcpyDtoDAsync",
            Direction::HostToHost | Direction::Automatic => "cuMemcpyAsync",
        }
    }

    const fn fill_name(element: u64, queued: bool) -> &'static str {
        match (element, queued) {
            (1, false) => "cuMemsetD8",
            (2, false) => "cuMemsetD16",
            (_, false) => "cuMemsetD32",
            (1, true) => "cuMemsetD8Async",
            (2, true) => "cuMemsetD16Async",
            (_, true) => "cuMemsetD32Async",
        }
    }
}

/// Over `cuwhy-runtime`.
#[cfg(feature = "runtime")]
pub mod runtime {
    room!(
        cuwhy_runtime,
        crate::Api::Runtime,
        "Runtime API: `cudaMemcpy`.",
        "Runtime API: `cudaMemcpyAsync`.",
        synchronous,
        asynchronous,
        fill_name
    );

    const fn synchronous(_direction: Direction) -> &'static str {
        "cudaMemcpy"
    }

    const fn asynchronous(_direction: Direction) -> &'static str {
        "cudaMemcpyAsync"
    }

    const fn fill_name(_element: u64, queued: bool) -> &'static str {
        if queued {
            "cudaMemsetAsync"
        } else {
            "cudaMemset"
        }
    }
}
