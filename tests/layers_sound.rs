//! What safe code must not be able to do with the two safe layers: let a copy outlive its host memory,
//! use a handle whose thing is gone, send what belongs to one thread.

#[path = "layers_houses.rs"]
mod houses;

use houses::{House, child, in_every_house};

/// The bodies, for one layer: its crate, the type of a place to work in, and how it is had.
macro_rules! bodies {
    ($layer:ident, $krate:ident, $type:ty, $place:expr, $of:ident) => {
        mod $layer {
            use std::sync::Arc;
            use std::thread;
            use std::time::Duration;

            use $krate::copy::{self, Batch, Copy3d, HostPart, Scope, Side, Transfer};
            use $krate::device::Device;
            use $krate::error::{self, Error, Misuse, Result};
            use $krate::event::{Event, EventOptions};
            use $krate::graph::{Graph, Node};
            use $krate::memory::{
                Bytes, DeviceBuffer, DeviceMemory, DeviceSlice, HostFlags, ManagedBuffer,
                ManagedVisibility, PinnedBuffer, Pitch, RegisterFlags, Registered,
            };
            use $krate::pool::PooledBuffer;
            use $krate::stream::{CaptureMode, CaptureStatus, Stream, StreamOptions};

            type Place = $type;

            fn place_on(ordinal: u32) -> Result<Place> {
                let device = Device::new(ordinal)?;
                ($place)(device)
            }

            fn place() -> Result<Place> {
                place_on(0)
            }

            #[track_caller]
            fn misused<T>(result: Result<T>) -> Misuse {
                match result {
                    Err(Error::Misuse { misuse, .. }) => misuse,
                    Err(error) => panic!("CUDA was asked: {error}"),
                    Ok(_) => panic!("accepted"),
                }
            }

            /// Makes a stream busy for longer than a call takes.
            fn busy(stream: &Stream) -> Result<()> {
                stream.host_function(|| thread::sleep(Duration::from_millis(100)))
            }

            pub(super) fn default_streams_of_two_devices_are_two_streams() -> Result<()> {
                if Device::count()? < 2 {
                    return Ok(());
                }
                let (here, there) = (place_on(0)?, place_on(1)?);
                let one = DeviceBuffer::from_slice(&here, &[1_u8; 64])?;
                let two = DeviceBuffer::from_slice(&there, &[2_u8; 64])?;
                let mut first = PinnedBuffer::zeroed(&here, 64, HostFlags::PLAIN.portable())?;
                let mut second = PinnedBuffer::zeroed(&there, 64, HostFlags::PLAIN.portable())?;
                let (a, b) = (Stream::legacy(&here), Stream::legacy(&there));
                assert_eq!(a.as_raw(), b.as_raw(), "one handle for both");
                busy(&b)?;
                copy::scope(|scope| {
                    scope.download(&a, &mut first, &one)?;
                    scope.download(&b, &mut second, &two)
                })?;
                assert_eq!((first[63], second[63]), (1, 2), "both were waited for");
                Ok(())
            }

            pub(super) fn no_stream_joins_a_capture_behind_a_copy() -> Result<()> {
                let place = place()?;
                let mut origin = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let mut other = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let event = Event::new(&place, EventOptions::WITHOUT_TIMING)?;
                let buffer = DeviceBuffer::from_slice(&place, &[7_u8; 64])?;
                let mut result = PinnedBuffer::zeroed(&place, 64, HostFlags::PLAIN)?;
                let mut beside = [0; 64];
                origin.begin_capture(CaptureMode::Relaxed)?;
                event.record(&origin)?;
                busy(&other)?;
                copy::scope(|scope| {
                    scope.download(&other, &mut result, &buffer)?;
                    assert_eq!(misused(other.wait(&event)), Misuse::CapturedEvent);
                    let refused = scope.download(&origin, &mut beside, &buffer);
                    assert_eq!(misused(refused), Misuse::Capturing);
                    Ok(())
                })?;
                assert_eq!(result[63], 7, "it was waited for");
                origin.wait(&event)?;
                assert_eq!(other.capture_status()?, CaptureStatus::None);
                other.join_capture(&event)?;
                assert_eq!(other.capture_status()?, CaptureStatus::Active);
                // A stream that is in the capture may wait for it, and comes back to its origin.
                let back = Event::new(&place, EventOptions::WITHOUT_TIMING)?;
                back.record(&other)?;
                origin.wait(&back)?;
                let graph = origin.end_capture()?;
                assert_eq!(graph.nodes()?.len(), 0);
                // An event that is recorded again elsewhere belongs to no capture any longer.
                event.record(&other)?;
                origin.wait(&event)?;
                assert_eq!(origin.capture_status()?, CaptureStatus::None);
                origin.synchronize()
            }

            pub(super) fn no_capture_begins_beside_a_copy_of_the_legacy_stream() -> Result<()> {
                let place = place()?;
                let mut blocking = Stream::new(&place, StreamOptions::BLOCKING)?;
                let mut beside = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let legacy = Stream::legacy(&place);
                let buffer = DeviceBuffer::from_slice(&place, &[7_u8; 64])?;
                let mut result = PinnedBuffer::zeroed(&place, 64, HostFlags::PLAIN)?;
                busy(&legacy)?;
                copy::scope(|scope| {
                    scope.download(&legacy, &mut result, &buffer)?;
                    let refused = blocking.begin_capture(CaptureMode::Relaxed);
                    assert_eq!(misused(refused), Misuse::LegacyStreamBusy);
                    // One that is independent of the legacy stream may.
                    beside.begin_capture(CaptureMode::Relaxed)
                })?;
                assert_eq!(result[63], 7, "it was waited for");
                drop(beside.end_capture()?);
                blocking.begin_capture(CaptureMode::Relaxed)?;
                let refused = copy::scope(|scope| scope.download(&legacy, &mut result, &buffer));
                assert!(refused.is_err(), "and the other way round");
                // Whether the question of the legacy stream spoils the capture is another matter.
                drop(blocking.end_capture());
                copy::scope(|scope| scope.download(&legacy, &mut result, &buffer))?;
                blocking.begin_capture(CaptureMode::Relaxed)?;
                blocking.end_capture().map(drop)
            }

            pub(super) fn a_transfer_keeps_its_mark() -> Result<()> {
                let place = place()?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let other = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let buffer = Arc::new(DeviceBuffer::from_slice(&place, &[7_u8; 64])?);
                let pinned = PinnedBuffer::zeroed(&place, 64, HostFlags::PLAIN)?;
                busy(&stream)?;
                let transfer = Transfer::download(&stream, pinned, Arc::clone(&buffer))?;
                assert!(!transfer.is_done()?);
                transfer.before(&other)?;
                assert!(!other.is_done()?, "it waits for the copy");
                let (pinned, _) = transfer.wait()?;
                assert_eq!(pinned[63], 7);
                other.synchronize()?;
                // Forgetting one leaks both sides: neither is freed under the copy.
                busy(&stream)?;
                let part = HostPart::new(pinned, 0..32)?;
                let part = Transfer::download(&stream, part, HalfOf(Arc::clone(&buffer)))?;
                core::mem::forget(part);
                assert_eq!(Arc::strong_count(&buffer), 2);
                stream.synchronize()?;
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            struct HalfOf(Arc<DeviceBuffer<u8>>);

            // SAFETY: it is the first half of what it shares.
            unsafe impl DeviceMemory for HalfOf {
                type Element = u8;
                fn $of(&self) -> &Place {
                    self.0.$of()
                }
                fn address(&self) -> $krate::pointer::Address {
                    self.0.address()
                }
                fn len(&self) -> usize {
                    self.0.len() / 2
                }
            }

            pub(super) fn a_node_is_of_one_graph() -> Result<()> {
                let place = place()?;
                let mut gone = Graph::new(&place)?;
                let stale: Node = gone.add_empty(&[])?;
                drop(gone);
                let mut graph = Graph::new(&place)?;
                let own = graph.add_empty(&[])?;
                let buffer = DeviceBuffer::<u8>::new(&place, 16)?;
                let to = buffer.address();
                let one = Pitch(16);
                let pattern = copy::Pattern::Bits8(1);
                let direction = copy::Direction::DeviceToDevice;
                let copy = Copy3d {
                    destination: Side::device(to, one).planes_of(1),
                    source: Side::device(to, one).planes_of(1),
                    width: Bytes(8),
                    height: 1,
                    depth: 1,
                };
                let foreign = [own, stale];
                let different = Misuse::DifferentPlaces;
                assert_eq!(misused(graph.add_empty(&foreign)), different);
                assert_eq!(
                    misused(graph.add_fill(&foreign, to, one, pattern, 8, 1)),
                    different
                );
                assert_eq!(
                    misused(graph.add_copy(&foreign, to, to, Bytes(8), direction)),
                    different
                );
                // SAFETY: the copy names no array.
                let added = unsafe { graph.add_copy_3d(&foreign, &copy) };
                assert_eq!(misused(added), different);
                assert_eq!(misused(graph.kind(stale)), different);
                assert_eq!(graph.kind(own)?, $krate::graph::NodeKind::Empty);
                graph.add_empty(&[own])?;
                assert_eq!(graph.nodes()?.len(), 2);
                assert!(graph.nodes()?.contains(&own));
                Ok(())
            }

            /// More alignment than CUDA gives.
            #[derive(Debug, Clone, Copy)]
            #[repr(C, align(2097152))]
            struct Wide([u8; 2_097_152]);

            // SAFETY: all of it is bytes.
            unsafe impl bytemuck::Zeroable for Wide {}

            #[derive(Debug, Clone, Copy)]
            #[repr(C, align(4096))]
            struct Page([u8; 4096]);

            // SAFETY: all of it is bytes.
            unsafe impl bytemuck::Zeroable for Page {}

            pub(super) fn host_memory_is_aligned_for_its_elements() -> Result<()> {
                let place = place()?;
                // Something small before, so that nothing is aligned for more by chance.
                let _before = PinnedBuffer::<u8>::zeroed(&place, 1, HostFlags::PLAIN)?;
                for _ in 0..8 {
                    match PinnedBuffer::<Page>::zeroed(&place, 1, HostFlags::PLAIN) {
                        Ok(buffer) => assert!((&raw const *buffer).cast::<Page>().is_aligned()),
                        Err(Error::Misuse {
                            misuse: Misuse::Misaligned { alignment, .. },
                            ..
                        }) => {
                            assert_eq!(alignment, 4096);
                        }
                        Err(error) => return Err(error),
                    }
                }
                for _ in 0..4 {
                    match PinnedBuffer::<Wide>::zeroed(&place, 1, HostFlags::PLAIN) {
                        Ok(buffer) => assert!((&raw const *buffer).cast::<Wide>().is_aligned()),
                        Err(error) => assert!(matches!(
                            misused::<()>(Err(error)),
                            Misuse::Misaligned { .. }
                        )),
                    }
                }
                assert_eq!(error::drop_failures(), 0, "what was refused is freed");
                Ok(())
            }

            /// What the host's slice of managed memory says where attaching it fails.
            pub(super) fn slice_of_managed() -> Result<()> {
                let place = place()?;
                let mut buffer =
                    ManagedBuffer::<u8>::zeroed(&place, 64, ManagedVisibility::Global)?;
                buffer.as_mut_slice()?[3] = 7;
                assert_eq!(buffer.as_slice()?[3], 7);
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                buffer.attach(&stream, ManagedVisibility::Global)?;
                stream.synchronize()?;
                assert_eq!(buffer.as_slice()?[3], 7);
                ManagedBuffer::<u8>::zeroed(&place, 0, ManagedVisibility::Global)?
                    .as_slice()
                    .map(drop)
            }

            pub(super) fn a_forgotten_registration_is_stale_and_no_more() -> Result<()> {
                let place = place()?;
                let mut bytes = vec![0_u8; 1 << 16];
                let registered = Registered::new(&place, &mut bytes, RegisterFlags::PLAIN)?;
                core::mem::forget(registered);
                let buffer = DeviceBuffer::from_slice(&place, &vec![7_u8; 1 << 16])?;
                buffer.download(&mut bytes)?;
                assert!(bytes.iter().all(|byte| *byte == 7));
                // Registering it again is refused, and freeing the vector leaves CUDA's note of it behind.
                let again = Registered::new(&place, &mut bytes, RegisterFlags::PLAIN);
                assert_eq!(
                    again
                        .err()
                        .and_then(|error| error.status())
                        .map(|status| status.0),
                    Some(712)
                );
                drop(bytes);
                Ok(())
            }

            pub(super) fn nothing_is_sent_that_must_not_be() -> Result<()> {
                use super::{NotSent as _, NotShared as _, Probe, Sent as _, Shared as _, Yes, is};
                fn check<T>(yes: Yes, send: bool, sync: bool) {
                    assert_eq!(
                        (yes.send, yes.sync),
                        (send, sync),
                        "{}",
                        core::any::type_name::<T>()
                    );
                }
                /// May be sent, not shared.
                type Sends = core::cell::Cell<u8>;
                /// May be copied and sent, not shared.
                type Quiet = core::marker::PhantomData<Sends>;
                /// Neither.
                type Stays = *const u8;
                check::<Place>(is!(Place), true, true);
                check::<Stream>(is!(Stream), true, true);
                check::<Event>(is!(Event), true, true);
                check::<Graph>(is!(Graph), true, false);
                check::<Node>(is!(Node), true, true);
                check::<Scope<'_, '_>>(is!(Scope<'_, '_>), true, false);
                check::<$krate::device::Device>(is!($krate::device::Device), true, true);
                check::<DeviceBuffer<u8>>(is!(DeviceBuffer<u8>), true, true);
                check::<DeviceBuffer<Stays>>(is!(DeviceBuffer<Stays>), false, false);
                check::<DeviceSlice<'_, Stays>>(is!(DeviceSlice<'_, Stays>), false, false);
                check::<PinnedBuffer<u8>>(is!(PinnedBuffer<u8>), true, true);
                check::<PinnedBuffer<Sends>>(is!(PinnedBuffer<Sends>), true, false);
                check::<PinnedBuffer<Stays>>(is!(PinnedBuffer<Stays>), false, false);
                check::<ManagedBuffer<Sends>>(is!(ManagedBuffer<Sends>), true, false);
                check::<ManagedBuffer<Stays>>(is!(ManagedBuffer<Stays>), false, false);
                check::<Registered<'_, u8>>(is!(Registered<'_, u8>), true, true);
                // A shared one is a shared borrow: sending it shares the elements.
                check::<Registered<'_, Quiet>>(is!(Registered<'_, Quiet>), false, false);
                check::<PooledBuffer<u8>>(is!(PooledBuffer<u8>), true, true);
                check::<Batch<'_>>(is!(Batch<'_>), true, true);
                type Moves = Transfer<Vec<u8>, DeviceBuffer<u8>>;
                check::<Moves>(is!(Moves), true, true);
                let _unused = ManagedVisibility::Global;
                Ok(())
            }
        }
    };
}

bodies!(
    driver,
    cuwhy_driver,
    cuwhy_driver::context::Context,
    |device: Device| device.context(),
    context
);
bodies!(
    runtime,
    cuwhy_runtime,
    cuwhy_runtime::device::Device,
    Ok,
    device
);

/// What a type is, by the compiler's own words.
#[derive(Debug, Clone, Copy)]
struct Yes {
    send: bool,
    sync: bool,
}

/// A type to be asked.
struct Probe<T>(core::marker::PhantomData<T>);

/// Found first, where the type may be sent.
trait Sent {
    fn send(&self) -> bool {
        true
    }
}
impl<T: Send> Sent for Probe<T> {}

/// Found otherwise: it wants one reference more.
trait NotSent {
    fn send(&self) -> bool {
        false
    }
}
impl<T> NotSent for &Probe<T> {}

/// Found first, where the type may be shared.
trait Shared {
    fn sync(&self) -> bool {
        true
    }
}
impl<T: Sync> Shared for Probe<T> {}

/// Found otherwise.
trait NotShared {
    fn sync(&self) -> bool {
        false
    }
}
impl<T> NotShared for &Probe<T> {}

/// Whether a type may be sent and shared.
macro_rules! is {
    ($type:ty) => {{
        let probe = &Probe::<$type>(core::marker::PhantomData);
        Yes {
            send: probe.send(),
            sync: probe.sync(),
        }
    }};
}
use is;

in_every_house! {
    no_stream_joins_a_capture_behind_a_copy,
    no_capture_begins_beside_a_copy_of_the_legacy_stream,
    a_transfer_keeps_its_mark,
    a_node_is_of_one_graph,
    host_memory_is_aligned_for_its_elements,
    a_forgotten_registration_is_stale_and_no_more,
    nothing_is_sent_that_must_not_be,
}

#[test]
fn default_streams_of_two_devices_are_two_streams() {
    for house in [House::Driver, House::Runtime(13)] {
        // On the machine's CUDA as many devices as there are; on the simulator two.
        let hardware = cuwhy_tests::wanted() == cuwhy_tests::Wanted::Require;
        let options = if hardware { "" } else { "devices=2" };
        let Some(child) = child(cuwhy_tests::here!(), house, "two", options) else {
            continue;
        };
        let body = || match house {
            House::Driver => driver::default_streams_of_two_devices_are_two_streams(),
            House::Runtime(_) => {
                runtime::default_streams_of_two_devices_are_two_streams().expect("no error");
                Ok(())
            }
        };
        child.run(|| body().expect("no error")).must_succeed();
    }
}

#[test]
fn managed_memory_is_made_the_hosts_where_it_must_be() {
    // Not compared with a real GPU: no device without concurrent managed access was there.
    for house in [House::Driver, House::Runtime(13)] {
        let body = || match house {
            House::Driver => driver::slice_of_managed()
                .err()
                .map(|error| error.to_string()),
            House::Runtime(_) => runtime::slice_of_managed()
                .err()
                .map(|error| error.to_string()),
        };
        if let Some(child) = child(cuwhy_tests::here!(), house, "old", "profile=gtx980") {
            child.run(|| assert_eq!(body(), None)).must_succeed();
        }
        // An attachment that fails is heard of there, and not asked for where both may use it at once.
        let fails = "fail=cuStreamAttachMemAsync:1:2";
        let old = format!("profile=gtx980,{fails}");
        if let Some(child) = child(cuwhy_tests::here!(), house, "old fails", &old) {
            let says = || assert!(body().is_some_and(|says| says.contains("StreamAttachMemAsync")));
            child.run(says).must_succeed();
        }
        if let Some(child) = child(
            cuwhy_tests::here!(),
            house,
            "new",
            "fail=cuStreamAttachMemAsync:2:2",
        ) {
            child.run(|| assert_eq!(body(), None)).must_succeed();
        }
    }
}

#[test]
fn the_current_context_is_kept_alive_or_not_had() {
    let Some(child) = child(cuwhy_tests::here!(), House::Driver, "current", "") else {
        return;
    };
    child
        .run(|| {
            use cuda_sys::driver::Driver;
            use cuwhy_driver::context::{Context, ContextFlags};
            use cuwhy_driver::device::Device;
            use cuwhy_driver::error::{Error, Misuse};
            use cuwhy_driver::memory::DeviceBuffer;
            let device = Device::new(0).expect("a device");
            let primary = device.context().expect("a context");
            primary.select().expect("alive");
            let current = Context::current().expect("a question").expect("selected");
            assert_eq!(current, primary);
            drop(primary);
            assert!(device.is_primary_active().expect("a question"));
            drop(DeviceBuffer::from_slice(&current, &[1_u8; 10]).expect("it is alive"));
            Context::leave().expect("always");
            drop(current);
            assert!(!device.is_primary_active().expect("a question"));

            let own = Context::create(&device, ContextFlags::default()).expect("a context");
            own.select().expect("alive");
            let current = Context::current().expect("a question").expect("selected");
            assert_eq!(current, own);
            drop(own);
            drop(DeviceBuffer::from_slice(&current, &[1_u8; 10]).expect("it is alive"));
            Context::leave().expect("always");
            drop(current);

            let driver = Driver::get().expect("a driver");
            let mut foreign = core::ptr::null_mut();
            // SAFETY: `foreign` is a live out parameter.
            let status = unsafe { driver.cuCtxCreate_v2(&raw mut foreign, 0, device.as_raw()) };
            assert_eq!(status.0, 0);
            assert!(matches!(
                Context::current(),
                Err(Error::Misuse {
                    misuse: Misuse::Foreign,
                    ..
                })
            ));
            assert!(!device.is_primary_active().expect("asking creates nothing"));
            // SAFETY: it lives until it is destroyed below, and nothing is made in it.
            let borrowed = unsafe { Context::from_raw(foreign) }.expect("alive");
            assert_eq!(borrowed.as_raw(), foreign);
            drop(borrowed);
            // SAFETY: created above, destroyed once.
            assert_eq!(unsafe { driver.cuCtxDestroy_v2(foreign) }.0, 0);
            assert_eq!(cuwhy_driver::error::drop_failures(), 0);
        })
        .must_succeed();
}

#[test]
fn a_copy_in_a_default_stream_is_waited_for_whatever_context_is_current_then() {
    // Default streams have the same handles in every context: the runtime goes by the current one. That it
    // does so on a real GPU was not compared; that the copy is waited for holds there, too.
    let Some(child) = child(cuwhy_tests::here!(), House::Runtime(13), "plain", "") else {
        return;
    };
    let body = || -> cuwhy_runtime::Result<()> {
        use cuwhy_driver::context::{Context, ContextFlags};
        use cuwhy_runtime::copy;
        use cuwhy_runtime::device::Device;
        use cuwhy_runtime::memory::{DeviceBuffer, HostFlags, PinnedBuffer};
        use cuwhy_runtime::stream::Stream;
        use std::time::Duration;

        let device = Device::new(0)?;
        let own = cuwhy_driver::device::Device::new(0)
            .and_then(|device| Context::create(&device, ContextFlags::BLOCKING))
            .expect("a context beside the runtime's");
        let buffer = DeviceBuffer::from_slice(&device, &[7_u8; 64])?;
        let mut host = PinnedBuffer::zeroed(&device, 64, HostFlags::PLAIN.portable())?;
        for stream in [Stream::legacy(&device), Stream::per_thread(&device)] {
            host.fill(0);
            stream.host_function(|| std::thread::sleep(Duration::from_millis(100)))?;
            copy::scope(|scope| {
                scope.download(&stream, &mut host, &buffer)?;
                own.select().expect("it is alive");
                Ok(())
            })?;
            assert_eq!(host[63], 7, "{stream:?}");
            Context::leave().expect("always");
        }
        Ok(())
    };
    child.run(|| body().expect("no error")).must_succeed();
}

#[test]
fn what_the_runtime_makes_does_not_end_with_somebodys_context() {
    for major in [11, 12, 13] {
        let house = House::Runtime(major);
        let Some(child) = child(cuwhy_tests::here!(), house, "plain", "") else {
            continue;
        };
        let body = || -> cuwhy_runtime::Result<()> {
            use cuwhy_driver::context::{Context, ContextFlags};
            use cuwhy_runtime::device::Device;
            use cuwhy_runtime::event::{Event, EventOptions};
            use cuwhy_runtime::memory::{DeviceBuffer, HostFlags, PinnedBuffer};
            use cuwhy_runtime::stream::{Stream, StreamOptions};

            let own = cuwhy_driver::device::Device::new(0)
                .and_then(|device| Context::create(&device, ContextFlags::BLOCKING))
                .expect("a context before the runtime's");
            own.select().expect("it is alive");
            let device = Device::new(0)?;
            let host = PinnedBuffer::from_slice(&device, &[7_u8; 64], HostFlags::PLAIN)?;
            let buffer = DeviceBuffer::from_slice(&device, &host)?;
            let stream = Stream::new(&device, StreamOptions::NON_BLOCKING)?;
            let event = Event::new(&device, EventOptions::TIMING)?;
            let still = Context::current().expect("a question");
            assert_eq!(still.as_ref(), Some(&own), "it stays current");
            Context::leave().expect("always");
            drop((still, own));
            assert_eq!((host[63], buffer.to_vec()?[63]), (7, 7));
            event.record(&stream)?;
            stream.synchronize()
        };
        child.run(|| body().expect("no error")).must_succeed();
    }
}
