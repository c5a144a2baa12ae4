//! The rooms of the two safe layers, by one body for both.

#[path = "layers_houses.rs"]
mod houses;

use houses::in_every_house;

/// The bodies, for one layer: its crate, and how a place to work in is had there.
macro_rules! bodies {
    ($layer:ident, $krate:ident, $type:ty, $place:expr) => {
        mod $layer {
            use std::ops::Bound;
            use std::sync::atomic::{AtomicUsize, Ordering};
            use std::sync::{Arc, Mutex, mpsc};

            use $krate::array::{Array, Format, Shape};
            use $krate::copy::{
                self, Batch, Copy3d, Direction, Pattern, Position, Side, SourceOrder, Transfer,
            };
            use $krate::device::Device;
            use $krate::error::{self, Result};
            use $krate::event::{Event, EventOptions};
            use $krate::graph::Graph;
            use $krate::ipc::{EventHandle, MemoryHandle, OpenedMemory};
            use $krate::memory::observe::{self, Event as MemoryEvent, Observer};
            use $krate::memory::{
                self,
                Bytes, DeviceBuffer, DeviceMemory, Home, HostFlags, ManagedBuffer, ManagedVisibility,
                MemoryKind, PinnedBuffer, Pitch, PitchedBuffer, RegisterFlags, Registered,
            };
            use $krate::module::{Launch, Module};
            use $krate::pointer::{self, Access, Address, MemoryType};
            use $krate::pool::{Pool, PoolOptions, PooledBuffer};
            use $krate::stream::{CaptureMode, CaptureStatus, Stream, StreamOptions};
            use $krate::version;
            use $krate::virtual_memory::{self, Export, Physical, Reservation};

            type Place = $type;

            fn place() -> Result<Place> {
                place_on(Device::new(0)?)
            }

            fn place_on(device: Device) -> Result<Place> {
                ($place)(device)
            }

            pub(super) fn devices_say_what_they_are() -> Result<()> {
                assert!(Device::count()? >= 1);
                let device = Device::new(0)?;
                assert_eq!(Device::all()?[0], device);
                assert!(!device.name()?.is_empty());
                assert!(device.uuid()?.to_string().starts_with("GPU-"));
                assert!(device.total_memory()? > Bytes(1 << 20));
                assert!(device.compute_capability()?.0 >= 3);
                assert_eq!(Device::at_pci_address(&device.pci_address()?)?, device);
                assert!(!device.can_access_peer(&device)?);
                assert!(!device.is_primary_active()?, "asking creates no context");
                assert!(version::version()? >= version::Version(11_000));
                assert!(version::supports_managed_memory(&device)?);
                assert!(!device.is_primary_active()?, "asking creates no context");
                let info = place()?.memory_info()?;
                assert!(info.free <= info.total);
                let priorities = place()?.stream_priorities()?;
                assert!(priorities.greatest <= priorities.least);
                Ok(())
            }

            pub(super) fn device_memory_comes_back_as_it_went() -> Result<()> {
                let place = place()?;
                let numbers: Vec<u32> = (0..1000).collect();
                let mut buffer = DeviceBuffer::from_slice(&place, &numbers)?;
                assert_eq!(buffer.to_vec()?, numbers);
                assert_eq!(buffer.size(), Bytes(4000));

                copy::upload(&mut buffer.slice_mut(10..12)?, &[7, 8])?;
                let mut few = [0; 4];
                copy::download(&mut few, &buffer.slice(9..=12)?)?;
                assert_eq!(few, [9, 7, 8, 12]);
                assert!(buffer.slice(999..1001).is_err());
                assert!(
                    buffer
                        .slice((Bound::Excluded(usize::MAX), Bound::Unbounded))
                        .is_err()
                );

                let (mut front, back) = buffer.view_mut().split_at(500)?;
                copy::device_to_device(&mut front, &back)?;
                assert_eq!(buffer.to_vec()?[..500], numbers[500..]);

                copy::fill(&mut buffer, 0xdead_beef)?;
                assert!(buffer.to_vec()?.iter().all(|number| *number == 0xdead_beef));
                let mut small = DeviceBuffer::<u16>::zeroed(&place, 9)?;
                assert_eq!(small.to_vec()?, [0; 9]);
                copy::fill(&mut small, 0x1234)?;
                assert_eq!(small.to_vec()?, [0x1234; 9]);
                let mut bytes = DeviceBuffer::<i8>::new(&place, 9)?;
                copy::fill(&mut bytes, -3)?;
                assert_eq!(bytes.to_vec()?, [-3; 9]);
                copy::zero(&mut bytes)?;
                assert_eq!(bytes.to_vec()?, [0; 9]);

                assert!(buffer.upload(&[1, 2]).is_err(), "lengths differ");
                let address = buffer.into_raw();
                // SAFETY: given away just now.
                let buffer = unsafe { DeviceBuffer::<u32>::from_raw_parts(&place, address, 1000) };
                buffer.free()
            }

            pub(super) fn nothing_is_legal() -> Result<()> {
                let place = place()?;
                let mut buffer = DeviceBuffer::<u64>::from_slice(&place, &[])?;
                assert!(buffer.is_empty() && buffer.address().is_null());
                buffer.upload(&[])?;
                copy::zero(&mut buffer)?;
                copy::fill(&mut DeviceBuffer::<u32>::new(&place, 0)?, 1)?;
                assert!(buffer.to_vec()?.is_empty());
                assert_eq!(buffer.slice(..)?.len(), 0);
                let pinned = PinnedBuffer::<u64>::zeroed(&place, 0, HostFlags::PLAIN)?;
                assert!(pinned.is_empty());
                let managed = ManagedBuffer::<u64>::zeroed(&place, 0, ManagedVisibility::Global)?;
                assert!(managed.as_slice()?.is_empty());
                let mut pitched = PitchedBuffer::<u64>::new(&place, 0, 5)?;
                copy::upload_2d(&mut pitched, &[], Pitch(0))?;
                copy::zero_2d(&mut pitched)?;
                let stream = Arc::new(Stream::new(&place, StreamOptions::NON_BLOCKING)?);
                let mut pooled = PooledBuffer::<u32>::new(&stream, 0)?;
                pooled.upload(&[])?;
                pooled.fill(3)?;
                assert!(pooled.to_vec()?.is_empty());
                let mut none: [u8; 0] = [];
                drop(Registered::new(&place, &mut none, RegisterFlags::PLAIN)?);
                let units = DeviceBuffer::<()>::new(&place, usize::MAX)?;
                assert_eq!(units.size(), Bytes(0));
                copy::scope(|_| Ok(()))?;
                let (vector, buffer) =
                    Transfer::upload(&stream, buffer, Vec::<u64>::new())?.wait()?;
                assert!(vector.is_empty());
                buffer.free()
            }

            pub(super) fn host_memory_is_a_slice() -> Result<()> {
                let place = place()?;
                let flags = HostFlags::PLAIN.portable().mapped().write_combined();
                let mut pinned = PinnedBuffer::<u32>::zeroed(&place, 100, flags)?;
                assert!(pinned.iter().all(|number| *number == 0));
                pinned[99] = 5;
                assert_eq!(pinned.flags()? & 4, flags.bits() & 4, "write-combined; 'portable' is not kept");
                assert_eq!(pinned.device_address()?, pinned.address());
                assert_eq!(
                    pointer::attributes(pinned.address())?.memory_type,
                    MemoryType::Host
                );
                let buffer = DeviceBuffer::from_slice(&place, &pinned)?;
                assert_eq!(buffer.to_vec()?[99], 5);
                pinned.free()?;

                let mut numbers = vec![3_u32; 5000];
                let mut registered = Registered::new(&place, &mut numbers, RegisterFlags::PLAIN)?;
                assert_eq!(
                    pointer::attributes(registered.address())?.memory_type,
                    MemoryType::Host
                );
                assert_eq!(registered.len(), 5000);
                registered.as_mut_slice().expect("borrowed mutably")[0] = 4;
                assert!(!registered.device_address()?.is_null());
                registered.unregister()?;
                assert_eq!(numbers[0], 4);
                assert_eq!(
                    pointer::attributes(numbers.as_ptr())?.memory_type,
                    MemoryType::Unregistered
                );
                let mut shared = Registered::shared(&place, &numbers, RegisterFlags::PLAIN)?;
                assert!(shared.as_mut_slice().is_none());
                drop(shared);

                let mut managed =
                    ManagedBuffer::<u32>::zeroed(&place, 64, ManagedVisibility::Global)?;
                managed.as_mut_slice()?[3] = 9;
                assert!(pointer::attributes(managed.address())?.is_managed);
                let buffer = DeviceBuffer::from_slice(&place, managed.as_slice()?)?;
                assert_eq!(buffer.to_vec()?[3], 9);
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                if let Err(error) = managed.prefetch(Home::Device(&place), &stream) {
                    // Where host and device do not share at once, or nobody simulates it.
                    let status = error.status().map(|status| status.0);
                    assert!([Some(101), Some(801)].contains(&status), "{error}");
                }
                stream.synchronize()?;
                assert_eq!(managed.as_slice()?[3], 9);
                let address = managed.into_raw();
                // SAFETY: given away just now.
                unsafe { ManagedBuffer::<u32>::from_raw_parts(&place, address, 64) }?.free()
            }

            pub(super) fn addresses_are_known() -> Result<()> {
                let place = place()?;
                let buffer = DeviceBuffer::<u8>::new(&place, 40)?;
                let _entered = place.enter()?;
                let inside = Address(buffer.address().0 + 39);
                let attributes = pointer::attributes(inside)?;
                assert_eq!(attributes.memory_type, MemoryType::Device);
                assert_eq!(attributes.device, Some(0));
                assert_eq!(attributes.device_pointer, Some(inside));
                assert_eq!(attributes.host_pointer, None);
                let range = pointer::address_range(inside)?;
                assert_eq!((range.base, range.size), (buffer.address(), Bytes(40)));
                let unknown = pointer::attributes(Address(0x1000))?;
                assert_eq!(
                    (unknown.memory_type, unknown.device),
                    (MemoryType::Unregistered, None)
                );
                let error = pointer::address_range(Address(0x1000)).unwrap_err();
                assert!(error.status().is_some(), "{error}");
                Ok(())
            }

            pub(super) fn rows_and_arrays_keep_their_shape() -> Result<()> {
                let place = place()?;
                let numbers: Vec<u32> = (0..7 * 5).collect();
                let mut pitched = PitchedBuffer::<u32>::new(&place, 7, 5)?;
                assert!(pitched.pitch().0 >= 28 && pitched.size().0 >= 28 * 5);
                copy::zero_2d(&mut pitched)?;
                copy::upload_2d(&mut pitched, &numbers, Pitch::packed::<u32>(7)?)?;
                let mut wide = vec![0; 8 * 5];
                copy::download_2d(&mut wide, Pitch(32), &pitched)?;
                assert_eq!(wide[8..15], numbers[7..14]);
                assert_eq!(wide[15], 0);
                assert!(
                    copy::download_2d(&mut wide, Pitch(24), &pitched).is_err(),
                    "rows are wider"
                );
                assert!(
                    copy::download_2d(&mut wide[..20], Pitch(32), &pitched).is_err(),
                    "too short"
                );

                let mut array = Array::new(&place, Shape::plane(7, 5, Format::U32, 1))?;
                array.upload(&numbers)?;
                let mut back = vec![0_u32; 35];
                array.download(&mut back)?;
                assert_eq!(back, numbers);
                assert!(array.upload(&numbers[1..]).is_err(), "too few");
                assert!(array.upload(&[0_u8; 35]).is_err(), "another size");
                let to_rows = Copy3d {
                    destination: Side::device(pitched.address(), pitched.pitch()).planes_of(5),
                    source: array.side(),
                    width: Bytes(28),
                    height: 5,
                    depth: 1,
                };
                let entered = place.enter()?;
                // SAFETY: array and buffer have these rows.
                unsafe { copy::raw::copy_3d(&to_rows) }?;
                drop(entered);
                place.synchronize()?;
                copy::download_2d(&mut wide, Pitch(32), &pitched)?;
                assert_eq!(wide[32..39], numbers[28..]);
                let volume = Array::new(&place, Shape::volume(4, 3, 2, Format::F32, 4))?;
                assert_eq!(volume.shape().elements(), Some(24));
                drop(volume);
                let (address, pitch) = pitched.into_raw();
                // SAFETY: given away just now.
                let pitched = unsafe { PitchedBuffer::<u32>::from_raw_parts(&place, address, pitch, 7, 5) };
                let (address, pitch) = pitched.into_raw();
                assert!(pitch.0 > 0);
                let entered = place.enter()?;
                // SAFETY: given away just now, and used by nobody.
                let freed = unsafe { $krate::memory::raw::free(address) };
                drop(entered);
                freed
            }

            pub(super) fn borrowed_copies_end_with_their_scope() -> Result<()> {
                let place = place()?;
                let first = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let second = Stream::new(&place, StreamOptions::BLOCKING)?;
                let source = PinnedBuffer::from_slice(&place, &[1_u32, 2, 3], HostFlags::PLAIN)?;
                let mut result = PinnedBuffer::<u32>::zeroed(&place, 3, HostFlags::PLAIN)?;
                let mut plain = vec![0_u32; 3];
                let (one, two) = (DeviceBuffer::new(&place, 3)?, DeviceBuffer::new(&place, 3)?);
                let done = Event::new(&place, EventOptions::WITHOUT_TIMING)?;
                copy::scope(|scope| {
                    scope.fill(&first, &one, 0_u32)?;
                    scope.upload(&first, &one, &source)?;
                    scope.device_to_device(&first, &two, &one)?;
                    done.record(&first)?;
                    second.wait(&done)?;
                    scope.download(&second, &mut result, &two)?;
                    scope.download(&second, &mut plain, &one)
                })?;
                assert_eq!(*result, [1, 2, 3]);
                assert_eq!(plain, [1, 2, 3]);
                assert!(first.is_done()? && done.is_done()?);
                let failed = copy::scope(|scope| scope.upload(&first, &one, &source[1..]));
                assert!(failed.is_err(), "lengths differ");
                let mut numbers = vec![0_u32; 3];
                let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    copy::scope(|scope| -> Result<()> {
                        scope.download(&first, &mut numbers, &one)?;
                        panic!("in the middle")
                    })
                }));
                assert!(panicked.is_err());
                assert_eq!(numbers, [1, 2, 3], "the scope waited all the same");
                Ok(())
            }

            pub(super) fn owned_copies_give_back_what_they_took() -> Result<()> {
                let place = place()?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let pinned = PinnedBuffer::from_slice(&place, &[5_u8; 4096], HostFlags::PLAIN)?;
                let buffer = DeviceBuffer::<u8>::new(&place, 4096)?;
                let upload = Transfer::upload(&stream, buffer, pinned)?;
                let other = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                upload.before(&other)?;
                other.synchronize()?;
                assert!(upload.is_done()?);
                let (mut pinned, buffer) = upload.wait()?;
                pinned.fill(0);
                let buffer = Arc::new(buffer);
                let download = Transfer::download(&stream, pinned, Arc::clone(&buffer))?;
                let (pinned, _) = download.wait()?;
                assert!(pinned.iter().all(|byte| *byte == 5));
                drop(Transfer::download(&stream, vec![0_u8; 4096], buffer)?);
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            pub(super) fn streams_keep_order() -> Result<()> {
                let place = place()?;
                let priorities = place.stream_priorities()?;
                let options = StreamOptions::NON_BLOCKING.priority(priorities.greatest);
                let stream = Stream::new(&place, options)?;
                assert_eq!(stream.priority()?, priorities.greatest);
                assert_eq!(stream.flags()?, 1);
                let (send, receive) = mpsc::channel();
                let (gate, wait) = mpsc::channel::<()>();
                stream.host_function(move || {
                    wait.recv().expect("the gate opens");
                    send.send(7).expect("somebody listens");
                })?;
                let event = Event::new(&place, EventOptions::TIMING)?;
                event.record(&stream)?;
                assert!(!stream.is_done()? && !event.is_done()?);
                gate.send(()).expect("somebody listens");
                event.synchronize()?;
                assert_eq!(receive.recv().expect("it was called"), 7);
                let later = Event::new(&place, EventOptions::TIMING)?;
                later.record(&stream)?;
                stream.synchronize()?;
                assert!(later.elapsed_since(&event)?.as_secs() < 100);
                stream.host_function(|| panic!("ends in the stream"))?;
                stream.synchronize()?;
                for mut default in [Stream::legacy(&place), Stream::per_thread(&place)] {
                    default.synchronize()?;
                    assert!(default.begin_capture(CaptureMode::Relaxed).is_err());
                    assert_eq!(default.capture_status()?, CaptureStatus::None);
                }
                let raw = stream.into_raw();
                // SAFETY: given away just now.
                drop(unsafe { Stream::from_raw(&place, raw) });
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            pub(super) fn work_is_captured_and_repeated() -> Result<()> {
                let place = place()?;
                let mut stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let source = PinnedBuffer::from_slice(&place, &[1_u32, 2, 3, 4], HostFlags::PLAIN)?;
                let mut buffer = DeviceBuffer::<u32>::zeroed(&place, 4)?;
                stream.begin_capture(CaptureMode::Relaxed)?;
                assert_eq!(stream.capture_status()?, CaptureStatus::Active);
                let refused = copy::scope(|scope| scope.upload(&stream, &buffer, &source));
                assert!(refused.unwrap_err().to_string().contains("capturing"));
                assert!(stream.host_function(|| ()).is_err());
                let (to, from) = (buffer.address(), source.address());
                let entered = place.enter()?;
                // SAFETY: both buffers outlive the graph.
                unsafe {
                    copy::raw::copy_async(to, from, Bytes(16), Direction::HostToDevice, &stream)
                }?;
                drop(entered);
                let graph = stream.end_capture()?;
                assert_eq!(graph.nodes()?.len(), 1);
                let mut ready = graph.instantiate()?;
                assert_eq!(buffer.to_vec()?, [0; 4], "nothing has run");
                // SAFETY: both buffers are alive until the stream is idle.
                unsafe { ready.launch(&stream) }?;
                stream.synchronize()?;
                assert_eq!(buffer.to_vec()?, [1, 2, 3, 4]);

                let mut graph = Graph::new(&place)?;
                let fill = graph.add_fill(&[], to, Pitch(16), Pattern::Bits32(9), 2, 1)?;
                let empty = graph.add_empty(&[fill])?;
                graph.add_copy(
                    &[empty],
                    Address(to.0 + 12),
                    from,
                    Bytes(4),
                    Direction::HostToDevice,
                )?;
                assert_eq!(graph.nodes()?.len(), 3);
                let mut ready = graph.instantiate()?;
                // SAFETY: the buffers are alive until the stream is idle.
                unsafe { ready.launch(&stream) }?;
                stream.synchronize()?;
                assert_eq!(buffer.to_vec()?, [9, 9, 3, 1]);
                copy::zero(&mut buffer)?;
                Ok(())
            }

            pub(super) fn pools_give_in_the_order_of_a_stream() -> Result<()> {
                let place = place()?;
                if !version::supports_pools(&Device::new(0)?)? {
                    return Ok(());
                }
                let stream = Arc::new(Stream::new(&place, StreamOptions::NON_BLOCKING)?);
                let mut buffer = PooledBuffer::<u32>::new(&stream, 100)?;
                buffer.fill(6)?;
                assert_eq!(buffer.to_vec()?, [6; 100]);
                buffer.upload(&[7; 100])?;
                let other = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                buffer.lend_to(&other)?;
                let mut seen = [0; 100];
                copy::scope(|scope| scope.download(&other, &mut seen, &buffer))?;
                buffer.await_stream(&other)?;
                assert_eq!(seen, [7; 100]);
                buffer.free()?;
                let pool = Pool::new(&place, PoolOptions::default())?;
                pool.set_release_threshold(Bytes(1 << 20))?;
                assert_eq!(pool.release_threshold()?, Bytes(1 << 20));
                let buffer = PooledBuffer::<u8>::from_pool(&pool, &stream, 4096)?;
                assert!(pool.usage()?.used >= Bytes(4096));
                drop(buffer);
                stream.synchronize()?;
                pool.trim_to(Bytes(0))?;
                assert_eq!(pool.access(&place)?, Access::ReadWrite);
                // SAFETY: nobody destroys the default pool.
                let current = unsafe { Pool::current_of(&place) }?;
                assert_eq!(current.as_raw(), Pool::default_of(&place)?.as_raw());
                pool.make_current()?;
                // SAFETY: `pool` outlives the value.
                let current = unsafe { Pool::current_of(&place) }?;
                assert_eq!(current.as_raw(), pool.as_raw());
                Pool::default_of(&place)?.make_current()?;
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            pub(super) fn virtual_memory_is_put_together() -> Result<()> {
                let place = place()?;
                if !version::supports_virtual_memory(&Device::new(0)?)? {
                    return Ok(());
                }
                let page = virtual_memory::granularity(&place)?.minimum;
                let reservation = Reservation::new(&place, Bytes(page.0 * 2))?;
                let physical = Physical::new(&place, page, Export::None)?;
                let mut mapping = reservation.map(Bytes(page.0), &physical)?;
                assert!(
                    reservation.map(Bytes(page.0 * 2), &physical).is_err(),
                    "past the end"
                );
                drop(physical);
                mapping.set_access(&place, Access::ReadWrite)?;
                assert_eq!(mapping.access(&place)?, Access::ReadWrite);
                let mut numbers = mapping.typed_mut::<u32>()?;
                assert_eq!(numbers.len(), page.0 / 4);
                copy::fill(&mut numbers, 11)?;
                place.synchronize()?;
                let mut few = [0; 3];
                copy::download(&mut few, &mapping.typed::<u32>()?.slice(..3)?)?;
                assert_eq!(few, [11; 3]);
                let entered = place.enter()?;
                let range = pointer::address_range(mapping.address())?;
                assert_eq!((range.base, range.size), (mapping.address(), page));
                drop(entered);
                drop(reservation);
                drop(mapping);
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            pub(super) fn many_copies_go_in_one_call() -> Result<()> {
                let place = place()?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let buffer = DeviceBuffer::<u32>::new(&place, 4)?;
                let (front, back) = (buffer.slice(..2)?, buffer.slice(2..)?);
                let mut result = vec![0; 2];
                let outcome = copy::scope(|scope| {
                    let mut batch = Batch::new();
                    batch.upload(&front, &[1, 2])?;
                    batch.upload(&back, &[3, 4])?;
                    batch.upload(buffer.slice(4..)?, &[])?;
                    assert_eq!(batch.len(), 2);
                    scope.batch(&stream, batch)
                });
                match outcome {
                    Ok(()) => {}
                    Err(error) if error.is_missing() => {
                        assert!(!version::supports_batch_copies()?, "{error}");
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                }
                copy::scope(|scope| {
                    let mut batch = Batch::new();
                    batch.download(&mut result, &front)?;
                    batch.device_to_device(&back, &front)?;
                    scope.batch(&stream, batch)
                })?;
                assert_eq!(result, [1, 2]);
                assert_eq!(buffer.to_vec()?, [1, 2, 1, 2]);
                Ok(())
            }

            pub(super) fn other_processes_get_a_handle() -> Result<()> {
                let place = place()?;
                let buffer = DeviceBuffer::<u8>::new(&place, 1 << 20)?;
                match MemoryHandle::of(&buffer) {
                    Ok(handle) => assert_ne!(handle.0, [0; 64]),
                    Err(error) => assert!(error.status().is_some(), "{error}"),
                }
                let event = Event::new(&place, EventOptions::TIMING)?;
                assert!(
                    EventHandle::of(&event).is_err(),
                    "made for this process alone"
                );
                Ok(())
            }

            pub(super) fn every_thread_may_use_everything() -> Result<()> {
                let place = place()?;
                let mut buffer = DeviceBuffer::from_slice(&place, &[1_u32, 2, 3])?;
                let pinned = PinnedBuffer::<u8>::zeroed(&place, 10, HostFlags::PLAIN)?;
                let event = Event::new(&place, EventOptions::WITHOUT_TIMING)?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let thread = std::thread::spawn(move || -> Result<Vec<u32>> {
                    buffer.upload(&[4, 5, 6])?;
                    event.record(&stream)?;
                    stream.synchronize()?;
                    let numbers = buffer.to_vec()?;
                    drop((pinned, event, stream));
                    buffer.free()?;
                    Ok(numbers)
                });
                assert_eq!(thread.join().expect("no panic")?, [4, 5, 6]);
                assert_eq!(error::drop_failures(), 0);
                std::thread::scope(|scope| {
                    for number in 0..4_u8 {
                        let place = &place;
                        scope.spawn(move || {
                            for _ in 0..20 {
                                let buffer = DeviceBuffer::from_slice(place, &[number; 777]);
                                assert_eq!(
                                    buffer.and_then(|b| b.to_vec()).expect("no error"),
                                    [number; 777]
                                );
                            }
                        });
                    }
                });
                Ok(())
            }

            #[derive(Default)]
            struct Ledger {
                live: Mutex<Vec<(u64, MemoryKind)>>,
                heard: AtomicUsize,
            }

            impl Observer for Ledger {
                fn began(&self, event: &MemoryEvent) {
                    self.heard.fetch_add(1, Ordering::Relaxed);
                    let file = event.location.expect("the caller is known").file();
                    assert!(file.ends_with("layers_rooms.rs"), "{file}");
                    self.live
                        .lock()
                        .unwrap()
                        .push((event.address.0, event.kind));
                }
                fn ending(&self, event: &MemoryEvent) {
                    let mut live = self.live.lock().unwrap();
                    let known = live
                        .iter()
                        .position(|(address, _)| *address == event.address.0);
                    live.remove(known.expect("what ends has begun"));
                }
                fn end_refused(&self, event: &MemoryEvent) {
                    self.live
                        .lock()
                        .unwrap()
                        .push((event.address.0, event.kind));
                }
            }

            pub(super) fn observers_hear_of_everything() -> Result<()> {
                let ledger: &'static Ledger = Box::leak(Box::default());
                let place = place()?;
                drop(DeviceBuffer::<u8>::new(&place, 10)?);
                observe::set_observer(Some(ledger));
                let device = DeviceBuffer::<u8>::new(&place, 10)?;
                let pinned = PinnedBuffer::<u8>::zeroed(&place, 10, HostFlags::PLAIN)?;
                let managed = ManagedBuffer::<u8>::zeroed(&place, 10, ManagedVisibility::Global)?;
                let pitched = PitchedBuffer::<u8>::new(&place, 10, 10)?;
                let mut bytes = vec![0_u8; 10];
                let registered = Registered::new(&place, &mut bytes, RegisterFlags::PLAIN)?;
                let stream = Arc::new(Stream::new(&place, StreamOptions::NON_BLOCKING)?);
                let pooled = PooledBuffer::<u8>::new(&stream, 10)?;
                let page = virtual_memory::granularity(&place)?.minimum;
                let physical = Physical::new(&place, page, Export::None)?;
                let mapping = Reservation::new(&place, page)?.map(Bytes(0), &physical)?;
                let pool = Pool::new(&place, PoolOptions::default())?;
                let from_pool = PooledBuffer::<u8>::from_pool(&pool, &stream, 10)?;
                let entered = place.enter()?;
                let mut page = vec![0_u8; 1 << 16];
                let first: *mut core::ffi::c_void = page.as_mut_ptr().cast();
                let raw = memory::raw::allocate(Bytes(10))?;
                let raw_host = memory::raw::allocate_host(Bytes(10), HostFlags::PLAIN)?;
                let raw_managed = memory::raw::allocate_managed(Bytes(10), ManagedVisibility::Global)?;
                // SAFETY: the page lives until it is unregistered below.
                unsafe { memory::raw::register(first, Bytes(page.len()), RegisterFlags::PLAIN) }?;
                // SAFETY: the stream does not capture.
                let raw_pooled = unsafe { $krate::pool::raw::allocate(None, Bytes(10), &stream) }?;
                stream.synchronize()?;
                let live = || ledger.live.lock().unwrap().clone();
                let kinds: Vec<_> = live().iter().map(|(_, kind)| *kind).collect();
                let expected = [
                    MemoryKind::Device,
                    MemoryKind::Pinned,
                    MemoryKind::Managed,
                    MemoryKind::Pitched,
                    MemoryKind::Registered,
                    MemoryKind::Pool,
                    MemoryKind::Virtual,
                    MemoryKind::Pool,
                    MemoryKind::Device,
                    MemoryKind::Pinned,
                    MemoryKind::Managed,
                    MemoryKind::Registered,
                    MemoryKind::Pool,
                ];
                assert_eq!(kinds, expected);
                // CUDA knows all that was heard of, and the other way round when it has ended.
                let known = |address: u64| {
                    let of = pointer::attributes(Address(address)).map(|all| all.memory_type);
                    of.is_ok_and(|of| of != MemoryType::Unregistered)
                };
                let heard = live();
                for (address, kind) in &heard {
                    assert!(known(*address), "{kind:?}");
                }
                // SAFETY: all of it was allocated or registered above, and is used by nobody.
                unsafe { memory::raw::free(raw) }?;
                // SAFETY: as above.
                unsafe { memory::raw::free(raw_managed) }?;
                // SAFETY: as above.
                unsafe { memory::raw::free_host(raw_host) }?;
                // SAFETY: as above.
                unsafe { memory::raw::unregister(first) }?;
                // SAFETY: as above.
                unsafe { $krate::pool::raw::free(raw_pooled, &stream) }?;
                drop(entered);
                drop((
                    device, pinned, managed, pitched, registered, pooled, from_pool, mapping,
                ));
                stream.synchronize()?;
                assert!(live().is_empty());
                for (address, kind) in heard {
                    // Of stream-ordered memory that was freed nothing may be asked.
                    assert!(kind == MemoryKind::Pool || !known(address), "{kind:?}");
                }
                observe::set_observer(None);
                drop(DeviceBuffer::<u8>::new(&place, 10)?);
                assert_eq!(ledger.heard.load(Ordering::Relaxed), 13);
                Ok(())
            }

            pub(super) fn two_devices_keep_to_themselves() -> Result<()> {
                if Device::count()? < 2 {
                    return Ok(());
                }
                let (first, second) = (Device::new(0)?, Device::new(1)?);
                assert_ne!(first.uuid()?, second.uuid()?);
                let there = place_on(second)?;
                let one = DeviceBuffer::from_slice(&there, &[1_u32, 2, 3])?;
                let stream = Stream::new(&there, StreamOptions::NON_BLOCKING)?;
                let event = Event::new(&there, EventOptions::WITHOUT_TIMING)?;
                event.record(&stream)?;
                stream.synchronize()?;
                let pinned = PinnedBuffer::from_slice(&there, &[4_u32, 5, 6], HostFlags::PLAIN)?;
                let mut array = Array::new(&there, Shape::row(3, Format::U32, 1))?;
                array.upload(&pinned)?;
                if version::supports_virtual_memory(&second)? {
                    let page = virtual_memory::granularity(&there)?.minimum;
                    let physical = Physical::new(&there, page, Export::None)?;
                    let mut mapping = Reservation::new(&there, page)?.map(Bytes(0), &physical)?;
                    mapping.set_access(&there, Access::ReadWrite)?;
                    copy::zero(&mut mapping)?;
                }
                drop((pinned, array, stream, event));
                assert_eq!(one.to_vec()?, [1, 2, 3]);
                assert!(second.is_primary_active()?);
                assert!(
                    !first.is_primary_active()?,
                    "nobody asked for a context there"
                );

                let here = place()?;
                let mut two = DeviceBuffer::<u32>::zeroed(&here, 3)?;
                copy::device_to_device(&mut two, &one)?;
                here.synchronize()?;
                there.synchronize()?;
                assert_eq!(two.to_vec()?, [1, 2, 3]);
                assert_eq!(pointer::attributes(two.address())?.device, Some(0));
                let stream = Stream::new(&here, StreamOptions::NON_BLOCKING)?;
                copy::fill(&mut two, 7)?;
                here.synchronize()?;
                copy::scope(|scope| scope.device_to_device(&stream, &one, &two))?;
                assert_eq!(one.to_vec()?, [7; 3]);
                if first.can_access_peer(&second)? {
                    here.enable_peer_access(&there)?;
                    let again = here.enable_peer_access(&there).unwrap_err();
                    assert_eq!(again.status().map(|status| status.0), Some(704));
                    here.disable_peer_access(&there)?;
                }
                drop((one, two));
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            pub(super) fn planes_go_in_a_stream() -> Result<()> {
                let place = place()?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let numbers: Vec<u16> = (0..35).collect();
                let pitched = PitchedBuffer::<u16>::new(&place, 7, 5)?;
                let (packed, mut back) = (Pitch::packed::<u16>(7)?, vec![0_u16; 35]);
                copy::scope(|scope| {
                    scope.upload_2d(&stream, &pitched, &numbers, packed)?;
                    scope.download_2d(&stream, &mut back, packed, &pitched)
                })?;
                assert_eq!(back, numbers);
                let short =
                    copy::scope(|scope| scope.upload_2d(&stream, &pitched, &numbers[1..], packed));
                assert!(short.is_err());

                let buffer = DeviceBuffer::<u16>::zeroed(&place, 35)?;
                let row = |number: usize| Copy3d {
                    destination: Side::device(
                        Address(buffer.address().0 + 14 * number as u64),
                        Pitch(14),
                    ),
                    source: Side::device(pitched.address(), pitched.pitch()).at(Position {
                        y: number,
                        ..Position::default()
                    }),
                    width: Bytes(14),
                    height: 1,
                    depth: 1,
                };
                let rows: Vec<_> = (0..5).map(row).collect();
                let _entered = place.enter()?;
                let order = SourceOrder::Stream;
                // SAFETY: both buffers are alive until the stream is idle.
                let outcome = unsafe { copy::raw::copy_3d_batch_async(&rows, order, &stream) };
                stream.synchronize()?;
                match outcome {
                    Ok(()) => assert_eq!(buffer.to_vec()?, numbers),
                    Err(error) if error.is_missing() => {}
                    Err(error) => panic!("{error}"),
                }
                let (to, from) = (buffer.address(), pitched.address());
                let outcome =
                    // SAFETY: both buffers are alive until the stream is idle.
                    unsafe { copy::raw::copy_with_order_async(to, from, Bytes(2), order, &stream) };
                stream.synchronize()?;
                // The driver may be older than the runtime.
                if let Err(error) = outcome {
                    let lacks = error.status().is_some_and(|status| status.0 == 801);
                    assert!(error.is_missing() || lacks, "{error}");
                }
                let outcome =
                    // SAFETY: both buffers are alive until the stream is idle.
                    unsafe { copy::raw::copy_3d_with_order_async(&rows[0], order, &stream) };
                stream.synchronize()?;
                // The driver may be older than the runtime.
                if let Err(error) = outcome {
                    let lacks = error.status().is_some_and(|status| status.0 == 801);
                    assert!(error.is_missing() || lacks, "{error}");
                }
                Ok(())
            }

            pub(super) fn code_is_loaded_and_looked_up() -> Result<()> {
                const PTX: &str = ".version 6.0\n.target sm_50\n.address_size 64\n\
                                   .visible .global .align 4 .b8 table[256];\n\
                                   .visible .entry nothing()\n{\nret;\n}\n";
                let place = place()?;
                let module = match Module::from_ptx(&place, PTX) {
                    Err(error) if error.is_missing() => return Ok(()),
                    module => module?,
                };
                let table = module.global("table")?;
                assert_eq!(table.size, Bytes(256));
                assert_eq!(pointer::attributes(table.base)?.memory_type, MemoryType::Device);
                let error = module.global("no such thing").unwrap_err();
                assert_eq!(error.status().map(|status| status.0), Some(500), "{error}");
                assert!(error.to_string().contains("no such thing"), "{error}");
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                // SAFETY: the kernel takes nothing and does nothing.
                let launched = module.function("nothing").and_then(|nothing| unsafe {
                    nothing.launch(Launch::threads(100, 32), &stream, &[])
                });
                if let Err(error) = launched {
                    let hardware = cuwhy_tests::wanted() == cuwhy_tests::Wanted::Require;
                    // The simulator runs none; its runtime does not know this one either.
                    let status = error.status().map(|status| status.0);
                    assert!(!hardware && [Some(801), Some(400)].contains(&status), "{error}");
                    cuwhy_tests::skip("the simulator runs no kernels");
                }
                stream.synchronize()?;
                drop(module);
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            /// Shares memory and an event with `reader`, which is given both handles.
            pub(super) fn lends(reader: impl FnOnce(&str)) -> Result<()> {
                let place = place()?;
                let buffer = DeviceBuffer::from_slice(&place, &[42_u8; 4096])?;
                let event = Event::new(&place, EventOptions::INTERPROCESS)?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                event.record(&stream)?;
                stream.synchronize()?;
                let event = EventHandle::of(&event)?;
                let bytes = MemoryHandle::of(&buffer)?.0.into_iter().chain(event.0);
                reader(&bytes.map(|byte| format!("{byte:02x}")).collect::<String>());
                assert_eq!(buffer.to_vec()?, [43; 4096]);
                Ok(())
            }

            /// Reads and writes what another process lent.
            pub(super) fn borrows(handles: &str) -> Result<()> {
                let byte = |index: usize| u8::from_str_radix(&handles[index * 2..index * 2 + 2], 16).expect("hex");
                let memory = MemoryHandle(std::array::from_fn(byte));
                let event = EventHandle(std::array::from_fn(|index| byte(64 + index)));
                let place = place()?;
                // SAFETY: the other process waits for this one before it ends either.
                let event = unsafe { event.open(&place) }?;
                event.synchronize()?;
                // SAFETY: as above.
                let mut memory = unsafe { OpenedMemory::open(&place, memory) }?;
                let mut bytes = [0; 4096];
                copy::download(&mut bytes, &memory.typed::<u8>())?;
                assert_eq!(bytes, [42; 4096]);
                copy::fill(&mut memory, 43)?;
                place.synchronize()?;
                drop((memory, event));
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }
        }
    };
}

bodies!(
    driver,
    cuwhy_driver,
    cuwhy_driver::context::Context,
    |device: Device| device.context()
);
bodies!(runtime, cuwhy_runtime, cuwhy_runtime::device::Device, Ok);

in_every_house! {
    devices_say_what_they_are,
    device_memory_comes_back_as_it_went,
    nothing_is_legal,
    host_memory_is_a_slice,
    addresses_are_known,
    rows_and_arrays_keep_their_shape,
    borrowed_copies_end_with_their_scope,
    owned_copies_give_back_what_they_took,
    streams_keep_order,
    work_is_captured_and_repeated,
    pools_give_in_the_order_of_a_stream,
    virtual_memory_is_put_together,
    many_copies_go_in_one_call,
    other_processes_get_a_handle,
    every_thread_may_use_everything,
    observers_hear_of_everything,
    planes_go_in_a_stream,
    code_is_loaded_and_looked_up,
}

#[test]
fn two_devices_keep_to_themselves() {
    for house in houses::HOUSES {
        // On the machine's CUDA as many devices as there are; on the simulator two.
        let options = if cuwhy_tests::wanted() == cuwhy_tests::Wanted::Require {
            ""
        } else {
            "devices=2"
        };
        let Some(child) = houses::child(cuwhy_tests::here!(), house, "two", options) else {
            continue;
        };
        let body = || match house {
            houses::House::Driver => driver::two_devices_keep_to_themselves().expect("no error"),
            houses::House::Runtime(_) => {
                runtime::two_devices_keep_to_themselves().expect("no error")
            }
        };
        child.run(body).must_succeed();
    }
}

#[test]
fn another_process_reads_and_writes_what_is_lent() {
    const HANDLES: &str = "CUWHY_TEST_HANDLES";
    for house in houses::HOUSES {
        let test = cuwhy_tests::here!();
        if let Ok(handles) = std::env::var(HANDLES) {
            // The process that borrows, which the one that lends has started.
            let borrower = cuwhy_tests::Child::new(test, &format!("{house:?} borrows"));
            let body = || match house {
                houses::House::Driver => driver::borrows(&handles).expect("no error"),
                houses::House::Runtime(_) => runtime::borrows(&handles).expect("no error"),
            };
            borrower.run(body).must_succeed();
            continue;
        }
        let Some(child) = houses::child(test, house, "lends", "") else {
            continue;
        };
        let reader = |handles: &str| {
            let program = std::env::current_exe().expect("the system tells this program's file");
            let status = std::process::Command::new(program)
                .args([test, "--exact", "--nocapture", "--test-threads=1"])
                .env(HANDLES, handles)
                .env("CUWHY_TEST_CHILD", format!("{test}#{house:?} borrows"))
                .status()
                .expect("this program starts again");
            assert_eq!(status.code(), Some(86), "the borrower came to its end");
        };
        let body = || match house {
            houses::House::Driver => driver::lends(reader).expect("no error"),
            houses::House::Runtime(_) => runtime::lends(reader).expect("no error"),
        };
        child.run(body).must_succeed();
    }
}
