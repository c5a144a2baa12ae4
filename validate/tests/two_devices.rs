//! Calls over two devices, as a run of `cuwhy truth` on two H100 answered them.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use core::cell::Cell;
use cuwhy_validate::ask::{Ask, Attributes, Host, Mapped, Pointer, Recorded};
use cuwhy_validate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Fill, Order, Peer, PeerVolume, Place, Side, Volume,
};
use cuwhy_validate::facts::{Access, Capture, Current, Environment, Permissions};
use cuwhy_validate::registry::Registry;
use cuwhy_validate::{Api, Call, Kind, Prediction, Site, Span, Stream, check};

use Prediction::{CannotTell, ContextDies, Crash, Status, Success};

const MALLOC_0: u64 = 0x7f00_0000_0000;
const MALLOC_1: u64 = 0x7f10_0000_0000;
const POOL_1: u64 = 0x7f20_0000_0000;
/// Memory of device 1 that device 0 alone may use.
const LENT_1: u64 = 0x7f30_0000_0000;
/// Memory of device 0 that both may use, and behind it more, which device 1 may only read.
const BOTH_0: u64 = 0x7f40_0000_0000;
const SHOWN_0: u64 = BOTH_0 + SIZE;
const HEAP: u64 = 0x7f50_0000_0000;
const SIZE: u64 = 4096;

/// The streams of both devices.
const STREAMS: [u64; 2] = [0x5000, 0x6000];

/// What both devices see; a stream's own context becomes current on request.
struct World {
    devices: [Recorded; 2],
    current: Cell<usize>,
}

impl World {
    fn new(current: usize) -> Self {
        Self {
            devices: [recorded(0), recorded(1)],
            current: Cell::new(current),
        }
    }

    fn here(&self) -> &Recorded {
        &self.devices[self.current.get()]
    }
}

impl Ask for World {
    fn pointer(&self, address: u64) -> Pointer {
        self.here().pointer(address)
    }

    fn mapped_range(&self, address: u64) -> Option<Span> {
        self.here().mapped_range(address)
    }

    fn access(&self, address: u64, device: i32) -> Access {
        self.here().access(address, device)
    }

    unsafe fn pool_access(&self, pool: u64, device: i32) -> Access {
        // SAFETY: nothing is followed here.
        unsafe { self.here().pool_access(pool, device) }
    }

    fn host(&self, address: u64) -> Host {
        self.here().host(address)
    }

    unsafe fn capture(&self, _stream: Stream) -> Capture {
        Capture::None
    }

    unsafe fn within(&self, stream: Stream, act: &mut dyn FnMut()) -> bool {
        let own = STREAMS.map(Stream::Handle);
        let Some(device) = own.iter().position(|own| *own == stream) else {
            return false;
        };
        let before = self.current.replace(device);
        act();
        self.current.set(before);
        true
    }

    fn environment(&self, _call: &Call) -> Environment {
        Environment {
            current: Current::Device(i32::try_from(self.current.get()).unwrap()),
            devices: Some(2),
            pageable_access: Some(false),
            ..Environment::default()
        }
    }
}

/// What the memory is as one device sees it; neither reaches the other.
fn recorded(viewer: i32) -> Recorded {
    let rights = |own: u64, device: i32| match (own, device) {
        (MALLOC_0 | LENT_1 | BOTH_0 | SHOWN_0, 0) | (MALLOC_1 | POOL_1 | BOTH_0, 1) => {
            Access::ReadWrite
        }
        (SHOWN_0, 1) => Access::Read,
        _ => Access::None,
    };
    let mut world = Recorded::default()
        .with_pool_access(7, 0, Access::None)
        .with_host(Mapped {
            span: Span::sized(HEAP, SIZE),
            permissions: Permissions::READ_WRITE,
            name: None,
        });
    for (start, device, pool) in [
        (MALLOC_0, 0, 0),
        (MALLOC_1, 1, 0),
        (POOL_1, 1, 7),
        (LENT_1, 1, 0),
        (BOTH_0, 0, 0),
        (SHOWN_0, 0, 0),
    ] {
        let is_virtual = matches!(start, LENT_1 | BOTH_0 | SHOWN_0);
        let access = rights(start, viewer);
        let span = Span::sized(start, SIZE);
        let attributes = Attributes {
            memory_type: 2,
            managed: Some(false),
            ordinal: device,
            device_pointer: Some(if access == Access::None { 0 } else { start }),
            range: Some(span),
            mapping: is_virtual.then_some(span),
            mapped: Some(true),
            context: Some(if is_virtual || pool != 0 { 0 } else { 5 }),
            pool: Some(pool),
            buffer_id: Some(start),
            access: if is_virtual {
                access
            } else {
                Access::ReadWrite
            },
            exportable: Some(false),
        };
        world = world.with(span, attributes).with_mapped_range(span);
        if is_virtual {
            for device in [0, 1] {
                world = world.with_access(start, device, rights(start, device));
            }
        }
    }
    world
}

fn call(function: &'static str, api: Api, action: Action) -> Call {
    Call {
        function,
        api,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    }
}

fn fill(dst: u64) -> Call {
    let fill = Fill {
        dst,
        pitch: 0,
        value: 0,
        element: 1,
        width: 4,
        height: 1,
    };
    call("cuMemsetD8", Api::Driver, Action::Fill(fill))
}

fn batch(dst: u64, src: u64, stream: u64) -> Call {
    let batch = Batch {
        entries: vec![BatchEntry { dst, src, bytes: 4 }],
        attributes: vec![BatchAttribute {
            source_access: 1,
            from: 0,
        }],
    };
    let call = call("", Api::Driver, Action::Batch(batch));
    call.on_stream("cuMemcpyBatchAsync", Stream::Handle(stream))
}

fn peer(dst: u64, to: i32, src: u64, from: i32, bytes: u64) -> Call {
    let peer = Peer {
        dst,
        dst_device: to,
        src,
        src_device: from,
        bytes,
    };
    call("cudaMemcpyPeer", Api::Runtime, Action::Peer(peer))
}

fn peer_volume(api: Api, dst: u64, to: i32, src: u64, from: i32, width: u64) -> Call {
    let side = match api {
        Api::Driver => Side::Unified,
        Api::Runtime => Side::ByKind,
    };
    let place = |address| Place::Memory {
        side,
        address,
        pitch: 64,
        rows: 2,
        x: 0,
        y: 0,
        z: 0,
    };
    let copy = Volume {
        dst: place(dst),
        src: place(src),
        width,
        height: 2,
        depth: 1,
        is_plane: false,
        kind: Kind::Default,
    };
    let action = Action::Peer3D(PeerVolume {
        copy,
        dst_device: to,
        src_device: from,
    });
    let function = match api {
        Api::Driver => "cuMemcpy3DPeer",
        Api::Runtime => "cudaMemcpy3DPeer",
    };
    call(function, api, action)
}

/// What is predicted while a device is current, with and without a registry that knows the streams.
fn answers(current: usize, call: &Call) -> (Prediction, Prediction) {
    let registry = Registry::default();
    for stream in STREAMS {
        registry.stream_created(stream);
    }
    let world = World::new(current);
    let with = check(call, &world, Some(&registry)).prediction;
    assert_eq!(world.current.get(), current, "the caller's context is back");
    (with, check(call, &world, None).prediction)
}

#[test]
fn fills_and_batches_go_by_the_device_of_their_stream() {
    for current in [0, 1] {
        for (device, stream) in STREAMS.into_iter().enumerate() {
            for (memory, owner) in [(MALLOC_0, 0), (MALLOC_1, 1), (POOL_1, 1)] {
                let call = fill(memory).on_stream("cuMemsetD8Async", Stream::Handle(stream));
                let (known, unknown) = answers(current, &call);
                let right = if device == owner { Success } else { Status(1) };
                assert_eq!(
                    known, right,
                    "{memory:#x} on a stream of {device}, {current} current"
                );
                // Without anybody who knows the stream nobody can tell.
                assert!(matches!(unknown, CannotTell(_)), "{unknown:?}");
            }
            let (known, _) = answers(current, &batch(POOL_1, POOL_1 + 64, stream));
            assert_eq!(known, if device == 1 { Success } else { Status(1) });
            // Plain memory is copied whoever does it.
            let (known, unknown) = answers(current, &batch(MALLOC_0, MALLOC_1, stream));
            assert_eq!((known, unknown), (Success, Success));
        }
        // In a default stream the current device counts.
        for (memory, owner) in [(MALLOC_0, 0), (MALLOC_1, 1)] {
            let right = if current == owner { Success } else { Status(1) };
            assert_eq!(answers(current, &fill(memory)), (right, right));
        }
    }
}

#[test]
fn a_plain_copy_goes_by_the_current_device_whatever_its_stream_is() {
    let copy = Call::driver_copy("", POOL_1, POOL_1 + 64, 4, Kind::DeviceToDevice);
    for stream in STREAMS {
        let copy = copy
            .clone()
            .on_stream("cuMemcpyDtoDAsync", Stream::Handle(stream));
        assert_eq!(answers(0, &copy), (Status(1), Status(1)));
        assert_eq!(answers(1, &copy), (Success, Success));
    }
}

#[test]
fn a_copy_between_devices_goes_by_the_access_of_those_that_it_names() {
    for current in [0, 1] {
        for (call, right) in [
            (peer(MALLOC_0, 0, LENT_1, 0, 4), Success),
            (peer(MALLOC_0, 0, LENT_1, 1, 4), Status(1)),
            (peer(LENT_1, 0, MALLOC_1, 1, 4), Success),
            (peer(MALLOC_0, 0, SHOWN_0, 1, 4), Success),
            (peer(SHOWN_0, 1, MALLOC_0, 0, 4), Status(1)),
            (peer(SHOWN_0, 0, MALLOC_0, 0, 4), Success),
            (peer(MALLOC_1, 1, POOL_1, 0, 4), Status(1)),
            (peer(MALLOC_1, 1, POOL_1, 1, 4), Success),
            (
                peer_volume(Api::Driver, MALLOC_0, 0, LENT_1, 0, 64),
                Success,
            ),
            (
                peer_volume(Api::Driver, MALLOC_0, 0, LENT_1, 1, 64),
                Status(1),
            ),
            (
                peer_volume(Api::Runtime, MALLOC_0, 0, LENT_1, 0, 64),
                Success,
            ),
            (
                peer_volume(Api::Runtime, MALLOC_0, 0, LENT_1, 1, 64),
                Status(1),
            ),
            // The range goes on in the next mapping, which the device must be able to write as well.
            (peer(SHOWN_0 - 2, 0, MALLOC_0, 0, 4), Success),
            (peer(SHOWN_0 - 2, 1, MALLOC_0, 0, 4), Status(1)),
            (peer(MALLOC_0, 0, SHOWN_0 - 2, 1, 4), Success),
        ] {
            let (known, unknown) = answers(current, &call);
            assert_eq!((known, unknown), (right, right), "{}", call.text());
        }
    }
}

#[test]
fn slices_between_devices_are_checked_as_each_interface_does() {
    let pageable = |api| peer_volume(api, MALLOC_0, 0, HEAP, 0, 64);
    assert_eq!(answers(0, &pageable(Api::Driver)).0, Success);
    assert_eq!(answers(0, &pageable(Api::Runtime)).0, Status(1));
    // The runtime looks at the devices before anything else, even where nothing is to be copied.
    for width in [0, 64, 65] {
        let call = peer_volume(Api::Runtime, MALLOC_0, 99, HEAP, 0, width);
        assert_eq!(answers(0, &call).0, Status(101), "{width}");
    }
    assert_eq!(
        answers(0, &peer(MALLOC_0, 0, MALLOC_1, -1, 0)).0,
        Status(101)
    );
    assert_eq!(answers(0, &peer(MALLOC_0, 0, MALLOC_1, 1, 0)).0, Success);
}

#[test]
fn what_may_only_be_read_ends_what_can_be_written() {
    let copy = |dst, src| Call::driver_copy("cuMemcpyDtoD", dst, src, 4, Kind::DeviceToDevice);
    assert_eq!(answers(0, &copy(SHOWN_0 - 2, MALLOC_0)).0, Success);
    assert_eq!(answers(1, &copy(SHOWN_0 - 4, MALLOC_0)).0, Success);
    assert_eq!(answers(1, &copy(SHOWN_0 - 2, MALLOC_0)).0, Status(1));
    assert_eq!(answers(1, &copy(MALLOC_0, SHOWN_0 - 2)).0, Success);
}

#[test]
fn the_rules_name_the_device_that_a_volume_is_wrong_about() {
    let said = |call: &Call| -> Vec<&str> {
        let verdict = check(call, &World::new(0), None);
        verdict
            .findings
            .iter()
            .map(|finding| finding.rule)
            .collect()
    };
    let wrong = peer_volume(Api::Driver, MALLOC_0, 1, MALLOC_1, 1, 64);
    assert_eq!(said(&wrong), ["peer.wrong-ordinal"]);
    let right = peer_volume(Api::Driver, MALLOC_0, 0, MALLOC_1, 1, 64);
    assert_eq!(said(&right), [""; 0]);
    let denied = peer_volume(Api::Driver, MALLOC_0, 0, LENT_1, 1, 64);
    assert_eq!(said(&denied), ["peer.virtual-without-access"]);
}

#[test]
fn who_works_decides_how_a_count_that_wraps_around_ends() {
    let copy = |dst: u64, src: u64| {
        let bytes = 0_u64.wrapping_sub(64);
        let kind = Kind::DeviceToDevice;
        Call::driver_copy("cuMemcpyDtoD", dst + 2048, src + 2048, bytes, kind)
    };
    for (name, current, call, right) in [
        // A kernel of the device whose memory it is, whatever is current.
        ("plain, own", 0, copy(MALLOC_0, MALLOC_0), ContextDies(700)),
        (
            "plain, the other current",
            1,
            copy(MALLOC_0, MALLOC_0),
            ContextDies(700),
        ),
        (
            "plain and mapped",
            1,
            copy(MALLOC_0, BOTH_0),
            ContextDies(700),
        ),
        ("mapped, own", 0, copy(BOTH_0, BOTH_0), ContextDies(700)),
        // Two devices: in the driver where both sides are reached, or by way of the host.
        ("mapped, the other current", 1, copy(BOTH_0, BOTH_0), Crash),
        (
            "plain, of two",
            0,
            copy(MALLOC_0, MALLOC_1),
            ContextDies(719),
        ),
        (
            "plain, of two",
            1,
            copy(MALLOC_0, MALLOC_1),
            ContextDies(719),
        ),
    ] {
        assert_eq!(
            answers(current, &call).0,
            right,
            "{name}, {current} current"
        );
    }
}
