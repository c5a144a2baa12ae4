//! The rows of everything that has an owner.

use core::ptr::NonNull;
use std::os::fd::AsFd as _;
use std::path::Path;

use super::super::house::copy::{
    Batch, Direction, HostPart, Pattern, SourceOrder, Transfer, device_to_device, download,
    download_2d, fill, scope, scope_with, to_vec, upload, upload_2d, zero, zero_2d,
};
use super::super::house::graph::Graph;
use super::super::house::ipc::{self, EventHandle, MemoryHandle, OpenedMemory};
use super::super::house::memory::{
    Advice, DeviceSliceMut, Home, PitchedBuffer, RegisterFlags, Registered,
};
use super::super::house::module::Launch;
use super::super::house::pointer;
use super::super::house::pool::{PointerHandle, PooledBuffer};
use super::super::house::stream::{CaptureMode, exchange_capture_mode};
use super::super::house::version;
use super::*;

const PLAIN: HostFlags = HostFlags::PLAIN;
const GLOBAL: ManagedVisibility = ManagedVisibility::Global;
const REGISTER: RegisterFlags = RegisterFlags::PLAIN;
const ONES: Pattern = Pattern::Bits8(1);
const RELAXED: CaptureMode = CaptureMode::Relaxed;
const UP: Direction = Direction::HostToDevice;

/// An unsafe call of a row.
macro_rules! known {
    ($call:expr) => {
        // SAFETY: in every row what is named is alive until the row waits, or CUDA looks the bad one up and
        // refuses.
        unsafe { $call }
    };
}

fn captured(p: &Place) -> Result<Stream> {
    let mut stream = nb(p)?;
    stream.begin_capture(RELAXED)?;
    Ok(stream)
}

pub(super) fn rows() -> Vec<Entry> {
    let mut rows = places();
    rows.extend(memory());
    rows.extend(copies());
    rows.extend(order());
    rows.extend(pools());
    rows.extend(others());
    rows
}

fn device() -> Result<Device> {
    Device::new(0)
}

#[expect(clippy::too_many_lines, reason = "a table has as many rows as it has")]
fn places() -> Vec<Entry> {
    vec![
        row("device Device::count", |_, now| {
            now();
            Device::count().map(drop)
        }),
        row("device Device::all", |_, now| {
            now();
            Device::all().map(drop)
        }),
        row("device Device::new", |_, now| {
            now();
            Device::new(0).map(drop)
        })
        .ordinal(|_| Device::new(99).map(drop))
        .ordinal(|_| Device::new(u32::MAX).map(drop)),
        row("device Device::at_pci_address", |_, now| {
            let address = device()?.pci_address()?;
            now();
            Device::at_pci_address(&address).map(drop)
        })
        .ordinal(|_| Device::at_pci_address("ffff:ff:1f.0").map(drop))
        .other(|_| Device::at_pci_address("nowhere").map(drop))
        .other(|_| Device::at_pci_address("").map(drop))
        .other(|_| Device::at_pci_address("0\0").map(drop)),
        row("device Device::name", |_, now| {
            let device = device()?;
            now();
            device.name().map(drop)
        }),
        row("device Device::uuid", |_, now| {
            let device = device()?;
            now();
            device.uuid().map(drop)
        }),
        row("device Device::total_memory", |_, now| {
            let device = device()?;
            now();
            device.total_memory().map(drop)
        }),
        row("device Device::attribute", |_, now| {
            let device = device()?;
            now();
            device.compute_capability().map(drop)
        }),
        row("device Device::compute_capability", |_, now| {
            let device = device()?;
            now();
            device.compute_capability().map(drop)
        }),
        row("device Device::pci_address", |_, now| {
            let device = device()?;
            now();
            device.pci_address().map(drop)
        }),
        row("device Device::can_access_peer", |_, now| {
            let device = device()?;
            now();
            device.can_access_peer(&device).map(drop)
        }),
        row("device Device::is_primary_active", |_, now| {
            let device = device()?;
            now();
            device.is_primary_active().map(drop)
        }),
        row("device Device::reset", |_, now| {
            let device = device()?;
            now();
            known!(device.reset())
        }),
        row("device Device::current", |_, now| {
            now();
            Place::current().map(drop)
        }),
        row("device Device::enter", |p, now| {
            now();
            p.enter().map(drop)
        }),
        row("device Device::select", |p, now| {
            now();
            p.select()
        }),
        row("device Device::synchronize", |p, now| {
            now();
            p.synchronize()
        }),
        row("device Device::memory_info", |p, now| {
            now();
            p.memory_info().map(drop)
        }),
        row("device Device::limit", |p, now| {
            now();
            p.limit(super::super::LIMIT).map(drop)
        })
        .other(|p| p.limit(super::super::NO_LIMIT).map(drop)),
        row("device Device::set_limit", |p, now| {
            let value = p.limit(super::super::LIMIT)?;
            now();
            p.set_limit(super::super::LIMIT, value)
        })
        .either(|p| {
            let old = p.limit(super::super::LIMIT)?;
            let result = p.set_limit(super::super::LIMIT, 0);
            p.set_limit(super::super::LIMIT, old).and(result)
        })
        .beyond_or_not(|p| {
            let old = p.limit(super::super::LIMIT)?;
            let result = p.set_limit(super::super::LIMIT, usize::MAX);
            p.set_limit(super::super::LIMIT, old).and(result)
        })
        .other(|p| p.set_limit(super::super::NO_LIMIT, 1)),
        row("device Device::enable_peer_access", |p, now| {
            let Some(other) = other(p)? else {
                return Ok(());
            };
            now();
            p.enable_peer_access(&other)?;
            p.disable_peer_access(&other)
        })
        .other(|p| p.enable_peer_access(p)),
        row("device Device::disable_peer_access", |p, now| {
            let Some(other) = other(p)? else {
                return Ok(());
            };
            p.enable_peer_access(&other)?;
            now();
            p.disable_peer_access(&other)
        })
        .other(|p| p.disable_peer_access(p)),
        row("device Device::stream_priorities", |p, now| {
            now();
            p.stream_priorities().map(drop)
        }),
        row("version version", |_, now| {
            now();
            version::version().map(drop)
        }),
        row("version supports_pools", |_, now| {
            let device = device()?;
            now();
            version::supports_pools(&device).map(drop)
        }),
        row("version supports_virtual_memory", |_, now| {
            let device = device()?;
            now();
            version::supports_virtual_memory(&device).map(drop)
        }),
        row("version supports_managed_memory", |_, now| {
            let device = device()?;
            now();
            version::supports_managed_memory(&device).map(drop)
        }),
        row("version supports_concurrent_managed_access", |_, now| {
            let device = device()?;
            now();
            version::supports_concurrent_managed_access(&device).map(drop)
        }),
        row("version supports_pageable_access", |_, now| {
            let device = device()?;
            now();
            version::supports_pageable_access(&device).map(drop)
        }),
        row("version supports_read_only_registration", |_, now| {
            let device = device()?;
            now();
            version::supports_read_only_registration(&device).map(drop)
        }),
        row("version supports_ipc", |_, now| {
            let device = device()?;
            now();
            version::supports_ipc(&device).map(drop)
        }),
        row("version supports_batch_copies", |_, now| {
            now();
            version::supports_batch_copies().map(drop)
        }),
        row("version supports_error_log", |_, now| {
            now();
            version::supports_error_log().map(drop)
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table has as many rows as it has")]
fn memory() -> Vec<Entry> {
    vec![
        row("memory Bytes::of", |_, now| {
            now();
            Bytes::of::<u64>(3).map(drop)
        })
        .zero(|_| Bytes::of::<u64>(0).map(drop))
        .beyond(|_| Bytes::of::<u64>(usize::MAX).map(drop)),
        row("memory Pitch::packed", |_, now| {
            now();
            Pitch::packed::<u64>(3).map(drop)
        })
        .zero(|_| Pitch::packed::<u64>(0).map(drop))
        .beyond(|_| Pitch::packed::<u64>(usize::MAX).map(drop)),
        row("memory DeviceMemory::slice", |p, now| {
            let buffer = dev(p)?;
            now();
            buffer.slice(1..3).map(drop)
        })
        .other(|p| dev(p)?.slice(..65).map(drop)),
        row("memory DeviceMemory::slice_mut", |p, now| {
            let mut buffer = dev(p)?;
            now();
            buffer.slice_mut(1..3).map(drop)
        })
        .other(|p| dev(p)?.slice_mut(..65).map(drop)),
        row("memory DeviceSliceMut::split_at", |p, now| {
            let mut buffer = dev(p)?;
            let all: DeviceSliceMut<'_, u8> = buffer.view_mut();
            now();
            all.split_at(32).map(drop)
        })
        .zero(|p| dev(p)?.view_mut().split_at(0).map(drop))
        .beyond(|p| dev(p)?.view_mut().split_at(65).map(drop)),
        row("memory DeviceBuffer::new", |p, now| {
            now();
            DeviceBuffer::<u8>::new(p, 64).map(drop)
        })
        .zero(|p| DeviceBuffer::<u8>::new(p, 0)?.free())
        .beyond(|p| DeviceBuffer::<u8>::new(p, MUCH).map(drop))
        .beyond(|p| DeviceBuffer::<u64>::new(p, usize::MAX).map(drop)),
        row("memory DeviceBuffer::zeroed", |p, now| {
            now();
            DeviceBuffer::<u8>::zeroed(p, 64).map(drop)
        })
        .zero(|p| DeviceBuffer::<u8>::zeroed(p, 0).map(drop))
        .beyond(|p| DeviceBuffer::<u8>::zeroed(p, MUCH).map(drop)),
        row("memory DeviceBuffer::from_slice", |p, now| {
            now();
            dev(p).map(drop)
        })
        .zero(|p| DeviceBuffer::<u8>::from_slice(p, &[]).map(drop)),
        row("memory DeviceBuffer::upload", |p, now| {
            let mut buffer = dev(p)?;
            now();
            buffer.upload(&[2; 64])
        })
        .zero(|p| DeviceBuffer::<u8>::new(p, 0)?.upload(&[]))
        .other(|p| dev(p)?.upload(&[2; 63])),
        row("memory DeviceBuffer::download", |p, now| {
            let buffer = dev(p)?;
            now();
            buffer.download(&mut [2; 64])
        })
        .zero(|p| DeviceBuffer::<u8>::new(p, 0)?.download(&mut []))
        .other(|p| dev(p)?.download(&mut [2; 65])),
        row("memory DeviceBuffer::to_vec", |p, now| {
            let buffer = dev(p)?;
            now();
            buffer.to_vec().map(drop)
        }),
        row("memory DeviceBuffer::free", |p, now| {
            let buffer = dev(p)?;
            now();
            buffer.free()
        }),
        row("memory PinnedBuffer::zeroed", |p, now| {
            now();
            pin(p).map(drop)
        })
        .zero(|p| PinnedBuffer::<u8>::zeroed(p, 0, PLAIN)?.free())
        .beyond(|p| PinnedBuffer::<u8>::zeroed(p, MUCH, PLAIN).map(drop)),
        row("memory PinnedBuffer::from_slice", |p, now| {
            now();
            PinnedBuffer::from_slice(p, &[1_u8; 64], PLAIN).map(drop)
        })
        .zero(|p| PinnedBuffer::<u8>::from_slice(p, &[], PLAIN).map(drop)),
        row("memory PinnedBuffer::free", |p, now| {
            let buffer = pin(p)?;
            now();
            buffer.free()
        }),
        row("memory PinnedBuffer::device_address", |p, now| {
            let buffer = pin(p)?;
            now();
            buffer.device_address().map(drop)
        })
        .other(|p| {
            PinnedBuffer::<u8>::zeroed(p, 0, PLAIN)?
                .device_address()
                .map(drop)
        }),
        row("memory PinnedBuffer::flags", |p, now| {
            let buffer = pin(p)?;
            now();
            buffer.flags().map(drop)
        })
        .other(|p| PinnedBuffer::<u8>::zeroed(p, 0, PLAIN)?.flags().map(drop)),
        row("memory ManagedBuffer::zeroed", |p, now| {
            now();
            managed(p).map(drop)
        })
        .zero(|p| ManagedBuffer::<u8>::zeroed(p, 0, GLOBAL)?.free())
        .beyond_on_the_simulator(|p| ManagedBuffer::<u8>::zeroed(p, 1 << 50, GLOBAL).map(drop))
        .beyond(|p| ManagedBuffer::<u64>::zeroed(p, usize::MAX, GLOBAL).map(drop)),
        row("memory ManagedBuffer::from_raw_parts", |p, now| {
            let address = managed(p)?.into_raw();
            now();
            known!(ManagedBuffer::<u8>::from_raw_parts(p, address, 64)).map(drop)
        })
        // Nobody asks CUDA about the address, which the caller answers for.
        .null_is_nothing(|p| {
            known!(ManagedBuffer::<u8>::from_raw_parts(p, Address::NULL, 0)).map(drop)
        })
        .dangling_is_nothing(|p| known!(ManagedBuffer::<u8>::from_raw_parts(p, HERE, 0)).map(drop))
        .zero(|p| known!(ManagedBuffer::<u8>::from_raw_parts(p, HERE, 0)).map(drop))
        .beyond_is_nothing(|p| {
            known!(ManagedBuffer::<u8>::from_raw_parts(p, HERE, MUCH)).map(core::mem::forget)
        }),
        row("memory ManagedBuffer::as_slice", |p, now| {
            let buffer = managed(p)?;
            now();
            buffer.as_slice().map(drop)
        }),
        row("memory ManagedBuffer::as_mut_slice", |p, now| {
            let mut buffer = managed(p)?;
            now();
            buffer.as_mut_slice().map(drop)
        }),
        row("memory ManagedBuffer::attach", |p, now| {
            let (mut buffer, stream) = (managed(p)?, nb(p)?);
            now();
            buffer.attach(&stream, GLOBAL)?;
            stream.synchronize()
        }),
        row("memory ManagedBuffer::prefetch", |p, now| {
            let (buffer, stream) = (managed(p)?, nb(p)?);
            now();
            buffer.prefetch(Home::Device(p), &stream)?;
            buffer.prefetch(Home::Host, &stream)?;
            stream.synchronize()
        }),
        row("memory ManagedBuffer::advise", |p, now| {
            let buffer = managed(p)?;
            now();
            for advice in [
                Advice::ReadMostly,
                Advice::NotReadMostly,
                Advice::Prefer(Home::Device(p)),
                Advice::Prefer(Home::Host),
                Advice::PreferNothing,
                Advice::AccessedBy(Home::Device(p)),
                Advice::NotAccessedBy(Home::Device(p)),
                Advice::AccessedBy(Home::Host),
                Advice::NotAccessedBy(Home::Host),
            ] {
                buffer.advise(advice)?;
            }
            Ok(())
        }),
        row("memory ManagedBuffer::free", |p, now| {
            let buffer = managed(p)?;
            now();
            buffer.free()
        }),
        row("memory PitchedBuffer::new", |p, now| {
            now();
            PitchedBuffer::<u8>::new(p, 8, 8).map(drop)
        })
        .zero(|p| PitchedBuffer::<u8>::new(p, 0, 8)?.free())
        .zero(|p| PitchedBuffer::<u8>::new(p, 8, 0)?.free())
        .beyond(|p| PitchedBuffer::<u8>::new(p, 1 << 30, 1 << 16).map(drop))
        .beyond(|p| PitchedBuffer::<u64>::new(p, usize::MAX, 1).map(drop)),
        row("memory PitchedBuffer::free", |p, now| {
            let buffer = PitchedBuffer::<u8>::new(p, 8, 8)?;
            now();
            buffer.free()
        }),
        row("memory Registered::new", |p, now| {
            let mut bytes = vec![0_u8; 1 << 16];
            now();
            Registered::new(p, &mut bytes, REGISTER).map(drop)
        })
        .zero(|p| Registered::<u8>::new(p, &mut [], REGISTER)?.unregister())
        .other(|p| {
            let mut bytes = vec![0_u8; 1 << 16];
            let first = NonNull::from(&mut *bytes).cast::<u8>();
            let _registered = Registered::new(p, &mut bytes, REGISTER)?;
            let _entered = p.enter()?;
            known!(super::super::house::memory::raw::register(
                first.as_ptr().cast(),
                Bytes(64),
                REGISTER
            ))
        }),
        row("memory Registered::shared", |p, now| {
            let bytes = vec![0_u8; 1 << 16];
            now();
            Registered::shared(p, &bytes, REGISTER).map(drop)
        })
        .zero(|p| Registered::<u8>::shared(p, &[], REGISTER).map(drop))
        .other(|p| {
            let bytes = vec![0_u8; 1 << 16];
            let _registered = Registered::shared(p, &bytes, REGISTER)?;
            Registered::shared(p, &bytes, REGISTER).map(drop)
        }),
        row("memory Registered::device_address", |p, now| {
            let bytes = vec![0_u8; 1 << 16];
            let registered = Registered::shared(p, &bytes, REGISTER)?;
            now();
            registered.device_address().map(drop)
        })
        .other(|p| {
            Registered::<u8>::shared(p, &[], REGISTER)?
                .device_address()
                .map(drop)
        }),
        row("memory Registered::unregister", |p, now| {
            let bytes = vec![0_u8; 1 << 16];
            let registered = Registered::shared(p, &bytes, REGISTER)?;
            now();
            registered.unregister()
        }),
        row("pointer attributes", |p, now| {
            let buffer = dev(p)?;
            now();
            pointer::attributes(buffer.address()).map(drop)
        })
        // An address of nobody's is no error: that is what the answer says.
        .null_is_nothing(|_| pointer::attributes(Address::NULL).map(drop))
        .dangling_is_nothing(|_| pointer::attributes(HERE).map(drop)),
        row("pointer address_range", |p, now| {
            let buffer = dev(p)?;
            let _entered = p.enter()?;
            now();
            pointer::address_range(buffer.address()).map(drop)
        })
        .null(|p| {
            p.enter()
                .and_then(|_entered| pointer::address_range(Address::NULL).map(drop))
        })
        .dangling(|p| {
            p.enter()
                .and_then(|_entered| pointer::address_range(HERE).map(drop))
        }),
        row("array Array::new", |p, now| {
            now();
            grid(p).map(drop)
        })
        .other(|p| Array::new(p, Shape::row(0, Format::U8, 1)).map(drop))
        .other(|p| Array::new(p, Shape::row(8, Format::U8, 3)).map(drop))
        .other(|p| Array::new(p, Shape::row(usize::MAX, Format::U8, 1)).map(drop)),
        row("array Array::upload", |p, now| {
            let mut array = grid(p)?;
            now();
            array.upload(&[1_u8; 64])
        })
        .no_zero(|p| grid(p)?.upload::<u8>(&[]))
        .other(|p| grid(p)?.upload(&[1_u8; 65]))
        .other(|p| grid(p)?.upload(&[1_u16; 64])),
        row("array Array::download", |p, now| {
            let array = grid(p)?;
            now();
            array.download(&mut [1_u8; 64])
        })
        .no_zero(|p| grid(p)?.download::<u8>(&mut []))
        .other(|p| grid(p)?.download(&mut [1_u8; 63])),
    ]
}

fn pitched(p: &Place) -> Result<PitchedBuffer<u8>> {
    PitchedBuffer::new(p, 8, 8)
}

#[expect(clippy::too_many_lines, reason = "a table has as many rows as it has")]
fn copies() -> Vec<Entry> {
    vec![
        row("copy upload", |p, now| {
            let mut buffer = dev(p)?;
            now();
            upload(&mut buffer, &[1; 64])
        })
        .zero(|p| upload(&mut DeviceBuffer::<u8>::new(p, 0)?, &[]))
        .other(|p| upload(&mut dev(p)?, &[1; 65])),
        row("copy download", |p, now| {
            let buffer = dev(p)?;
            now();
            download(&mut [1; 64], &buffer)
        })
        .zero(|p| download(&mut [], &DeviceBuffer::<u8>::new(p, 0)?))
        .other(|p| download(&mut [1; 65], &dev(p)?)),
        row("copy to_vec", |p, now| {
            let buffer = dev(p)?;
            now();
            to_vec(&buffer).map(drop)
        }),
        row("copy device_to_device", |p, now| {
            let (mut to, from) = (dev(p)?, dev(p)?);
            let there = other(p)?.map(|other| dev(&other)).transpose()?;
            now();
            if let Some(mut there) = there {
                device_to_device(&mut there, &from)?;
            }
            device_to_device(&mut to, &from)
        })
        .other(|p| device_to_device(&mut dev(p)?, &DeviceBuffer::<u8>::new(p, 3)?)),
        row("copy upload_2d", |p, now| {
            let mut buffer = pitched(p)?;
            now();
            upload_2d(&mut buffer, &[1; 64], Pitch(8))
        })
        .zero(|p| upload_2d(&mut PitchedBuffer::<u8>::new(p, 0, 0)?, &[], Pitch(0)))
        .other(|p| upload_2d(&mut pitched(p)?, &[1; 64], Pitch(7)))
        .other(|p| upload_2d(&mut pitched(p)?, &[1; 64], Pitch(usize::MAX))),
        row("copy download_2d", |p, now| {
            let buffer = pitched(p)?;
            now();
            download_2d(&mut [1; 64], Pitch(8), &buffer)
        })
        .zero(|p| download_2d(&mut [], Pitch(0), &PitchedBuffer::<u8>::new(p, 0, 0)?))
        .other(|p| download_2d(&mut [1; 63], Pitch(8), &pitched(p)?)),
        row("copy fill", |p, now| {
            let mut buffer = dev(p)?;
            let mut wide = DeviceBuffer::<u16>::new(p, 8)?;
            let mut wider = DeviceBuffer::<f32>::new(p, 8)?;
            now();
            fill(&mut buffer, 3)?;
            fill(&mut wide, 3)?;
            fill(&mut wider, 3.0)
        }),
        row("copy zero", |p, now| {
            let mut buffer = dev(p)?;
            now();
            zero(&mut buffer)
        }),
        row("copy zero_2d", |p, now| {
            let mut buffer = pitched(p)?;
            now();
            zero_2d(&mut buffer)
        }),
        row("copy scope", |p, now| {
            let (buffer, stream, host) = (dev(p)?, nb(p)?, pin(p)?);
            scope(|scope| {
                scope.upload(&stream, &buffer, &host)?;
                now();
                Ok(())
            })
        }),
        row("copy scope_with", |p, now| {
            let (buffer, stream, host) = (dev(p)?, nb(p)?, pin(p)?);
            scope_with(|scope| {
                scope.upload(&stream, &buffer, &host)?;
                now();
                Ok(())
            })
        }),
        row("copy Scope::upload", |p, now| {
            let (buffer, stream, host) = (dev(p)?, nb(p)?, pin(p)?);
            now();
            scope(|scope| scope.upload(&stream, &buffer, &host))
        })
        .zero(|p| {
            let (buffer, stream) = (DeviceBuffer::<u8>::new(p, 0)?, nb(p)?);
            scope(|scope| scope.upload(&stream, &buffer, &[]))
        })
        .other(|p| {
            let (buffer, stream) = (dev(p)?, nb(p)?);
            scope(|scope| scope.upload(&stream, &buffer, &[1]))
        })
        .other(|p| {
            let (buffer, stream, host) = (dev(p)?, captured(p)?, pin(p)?);
            scope(|scope| scope.upload(&stream, &buffer, &host))
        }),
        row("copy Scope::download", |p, now| {
            let (buffer, stream, mut host) = (dev(p)?, nb(p)?, pin(p)?);
            now();
            scope(|scope| scope.download(&stream, &mut host, &buffer))
        })
        .zero(|p| {
            let (buffer, stream) = (DeviceBuffer::<u8>::new(p, 0)?, nb(p)?);
            scope(|scope| scope.download(&stream, &mut [], &buffer))
        })
        .other(|p| {
            let (buffer, stream, mut host) = (dev(p)?, nb(p)?, [1; 65]);
            scope(|scope| scope.download(&stream, &mut host, &buffer))
        }),
        row("copy Scope::device_to_device", |p, now| {
            let (to, from, stream) = (dev(p)?, dev(p)?, nb(p)?);
            let there = other(p)?.map(|other| dev(&other)).transpose()?;
            now();
            scope(|scope| {
                if let Some(there) = &there {
                    scope.device_to_device(&stream, there, &from)?;
                }
                scope.device_to_device(&stream, &to, &from)
            })
        })
        .other(|p| {
            let (to, from, stream) = (dev(p)?, DeviceBuffer::<u8>::new(p, 3)?, nb(p)?);
            scope(|scope| scope.device_to_device(&stream, &to, &from))
        }),
        row("copy Scope::fill", |p, now| {
            let (buffer, stream) = (dev(p)?, nb(p)?);
            let wide = DeviceBuffer::<u16>::new(p, 8)?;
            let wider = DeviceBuffer::<f32>::new(p, 8)?;
            now();
            scope(|scope| {
                scope.fill(&stream, &buffer, 3)?;
                scope.fill(&stream, &wide, 3)?;
                scope.fill(&stream, &wider, 3.0)
            })
        })
        .other(|p| {
            let (buffer, stream) = (dev(p)?, captured(p)?);
            scope(|scope| scope.fill(&stream, &buffer, 3))
        }),
        row("copy Scope::upload_2d", |p, now| {
            let (buffer, stream, host) = (pitched(p)?, nb(p)?, pin(p)?);
            now();
            scope(|scope| scope.upload_2d(&stream, &buffer, &host, Pitch(8)))
        })
        .zero(|p| {
            let (buffer, stream) = (PitchedBuffer::<u8>::new(p, 0, 0)?, nb(p)?);
            scope(|scope| scope.upload_2d(&stream, &buffer, &[], Pitch(0)))
        })
        .other(|p| {
            let (buffer, stream) = (pitched(p)?, nb(p)?);
            scope(|scope| scope.upload_2d(&stream, &buffer, &[1; 64], Pitch(9)))
        }),
        row("copy Scope::download_2d", |p, now| {
            let (buffer, stream, mut host) = (pitched(p)?, nb(p)?, pin(p)?);
            now();
            scope(|scope| scope.download_2d(&stream, &mut host, Pitch(8), &buffer))
        })
        .zero(|p| {
            let (buffer, stream) = (PitchedBuffer::<u8>::new(p, 0, 0)?, nb(p)?);
            scope(|scope| scope.download_2d(&stream, &mut [], Pitch(0), &buffer))
        })
        .other(|p| {
            let (buffer, stream, mut host) = (pitched(p)?, nb(p)?, [1; 64]);
            scope(|scope| scope.download_2d(&stream, &mut host, Pitch(7), &buffer))
        }),
        row("copy Scope::batch", |p, now| {
            let (buffer, stream, host) = (dev(p)?, nb(p)?, pin(p)?);
            let mut batch = Batch::new();
            batch.upload(&buffer, &host)?;
            now();
            scope(|scope| scope.batch(&stream, batch))
        })
        .zero(|p| {
            let stream = nb(p)?;
            scope(|scope| scope.batch(&stream, Batch::new()))
        })
        .other(|p| {
            let (buffer, stream, host) = (dev(p)?, Stream::legacy(p), pin(p)?);
            let mut batch = Batch::new();
            batch.upload(&buffer, &host)?;
            scope(|scope| scope.batch(&stream, batch))
        }),
        row("copy Batch::upload", |p, now| {
            let (buffer, host) = (dev(p)?, pin(p)?);
            now();
            Batch::new().upload(&buffer, &host)
        })
        .zero(|p| Batch::new().upload(&DeviceBuffer::<u8>::new(p, 0)?, &[]))
        .other(|p| Batch::new().upload(&dev(p)?, &[1])),
        row("copy Batch::download", |p, now| {
            let (buffer, mut host) = (dev(p)?, pin(p)?);
            now();
            Batch::new().download(&mut host, &buffer)
        })
        .zero(|p| Batch::new().download(&mut [], &DeviceBuffer::<u8>::new(p, 0)?))
        .other(|p| Batch::new().download(&mut [1], &dev(p)?)),
        row("copy Batch::device_to_device", |p, now| {
            let (to, from) = (dev(p)?, dev(p)?);
            now();
            Batch::new().device_to_device(&to, &from)
        })
        .other(|p| Batch::new().device_to_device(&dev(p)?, &DeviceBuffer::<u8>::new(p, 3)?)),
        row("copy Batch::submit", |p, now| {
            let (buffer, stream, host) = (dev(p)?, nb(p)?, pin(p)?);
            let mut batch = Batch::new();
            batch.upload(&buffer, &host)?;
            now();
            known!(batch.submit(&stream))?;
            stream.synchronize()
        })
        .other(|p| {
            let (buffer, stream) = (dev(p)?, nb(p)?);
            let mut batch = Batch::new();
            known!(batch.push(buffer.address(), HERE, Bytes(MUCH), SourceOrder::Stream));
            known!(batch.submit(&stream))
        }),
        row("copy HostPart::new", |_, now| {
            now();
            HostPart::new(vec![1; 8], 3..5).map(drop)
        })
        .other(|_| HostPart::new(vec![1; 8], 3..9).map(drop)),
        row("copy Transfer::upload", |p, now| {
            let (buffer, stream, host) = (dev(p)?, nb(p)?, pin(p)?);
            now();
            Transfer::upload(&stream, buffer, host)?.wait().map(drop)
        })
        .other(|p| Transfer::upload(&nb(p)?, dev(p)?, vec![1]).map(drop))
        .other(|p| Transfer::upload(&captured(p)?, dev(p)?, vec![1; 64]).map(drop)),
        row("copy Transfer::download", |p, now| {
            let (buffer, stream, host) = (dev(p)?, nb(p)?, pin(p)?);
            now();
            Transfer::download(&stream, host, buffer)?.wait().map(drop)
        })
        .other(|p| Transfer::download(&nb(p)?, vec![1], dev(p)?).map(drop)),
        row("copy Transfer::is_done", |p, now| {
            let transfer = Transfer::download(&nb(p)?, pin(p)?, dev(p)?)?;
            now();
            transfer.is_done().map(drop)
        }),
        row("copy Transfer::before", |p, now| {
            let (stream, transfer) = (nb(p)?, Transfer::download(&nb(p)?, pin(p)?, dev(p)?)?);
            now();
            transfer.before(&stream)
        }),
        row("copy Transfer::wait", |p, now| {
            let transfer = Transfer::download(&nb(p)?, pin(p)?, dev(p)?)?;
            now();
            transfer.wait().map(drop)
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table has as many rows as it has")]
fn order() -> Vec<Entry> {
    vec![
        row("stream Stream::new", |p, now| {
            now();
            nb(p).map(drop)
        }),
        row("stream Stream::synchronize", |p, now| {
            let stream = nb(p)?;
            now();
            stream.synchronize()
        })
        .other(|p| captured(p)?.synchronize()),
        row("stream Stream::is_done", |p, now| {
            let stream = nb(p)?;
            now();
            stream.is_done().map(drop)
        })
        .other(|p| captured(p)?.is_done().map(drop)),
        row("stream Stream::wait", |p, now| {
            let (stream, event) = (nb(p)?, mark(p)?);
            now();
            stream.wait(&event)
        })
        .other(|p| {
            let (stream, event) = (captured(p)?, mark(p)?);
            event.record(&stream)?;
            nb(p)?.wait(&event)
        }),
        row("stream Stream::join_capture", |p, now| {
            let (mut origin, mut stream, event) = (captured(p)?, nb(p)?, mark(p)?);
            event.record(&origin)?;
            now();
            stream.join_capture(&event)?;
            event.record(&stream)?;
            origin.wait(&event)?;
            origin.end_capture().map(drop)
        })
        .other(|p| Stream::per_thread(p).join_capture(&mark(p)?)),
        row("stream Stream::priority", |p, now| {
            let stream = nb(p)?;
            now();
            stream.priority().map(drop)
        }),
        row("stream Stream::flags", |p, now| {
            let stream = nb(p)?;
            now();
            stream.flags().map(drop)
        }),
        row("stream Stream::host_function", |p, now| {
            let stream = nb(p)?;
            now();
            stream.host_function(|| ())?;
            stream.synchronize()
        })
        .other(|p| captured(p)?.host_function(|| ())),
        row("stream Stream::capture_status", |p, now| {
            let stream = nb(p)?;
            now();
            stream.capture_status().map(drop)
        }),
        row("stream Stream::begin_capture", |p, now| {
            let mut stream = nb(p)?;
            now();
            stream.begin_capture(RELAXED)?;
            stream.end_capture().map(drop)
        })
        .other(|p| captured(p)?.begin_capture(RELAXED))
        .other(|p| Stream::legacy(p).begin_capture(RELAXED))
        .other(|p| Stream::per_thread(p).begin_capture(RELAXED)),
        row("stream Stream::end_capture", |p, now| {
            let mut stream = captured(p)?;
            now();
            stream.end_capture().map(drop)
        })
        .other(|p| nb(p)?.end_capture().map(drop)),
        row("stream exchange_capture_mode", |_, now| {
            now();
            let old = exchange_capture_mode(RELAXED)?;
            exchange_capture_mode(old).map(drop)
        }),
        row("event Event::new", |p, now| {
            now();
            mark(p).map(drop)
        }),
        row("event Event::record", |p, now| {
            let (stream, event) = (nb(p)?, mark(p)?);
            now();
            event.record(&stream)
        }),
        row("event Event::synchronize", |p, now| {
            let event = mark(p)?;
            event.record(&nb(p)?)?;
            now();
            event.synchronize()
        }),
        row("event Event::is_done", |p, now| {
            let event = mark(p)?;
            event.record(&nb(p)?)?;
            now();
            event.is_done().map(drop)
        }),
        row("event Event::elapsed_since", |p, now| {
            let stream = nb(p)?;
            let timed = || Event::new(p, EventOptions::TIMING);
            let (start, end) = (timed()?, timed()?);
            start.record(&stream)?;
            end.record(&stream)?;
            end.synchronize()?;
            now();
            end.elapsed_since(&start).map(drop)
        })
        .other(|p| mark(p)?.elapsed_since(&mark(p)?).map(drop)),
        row("graph Graph::new", |p, now| {
            now();
            Graph::new(p).map(drop)
        }),
        row("graph Graph::add_copy_3d", |p, now| {
            let (mut graph, buffer, host) = (Graph::new(p)?, dev(p)?, pin(p)?);
            let copy = deep(buffer.address(), host.address(), 8);
            now();
            known!(graph.add_copy_3d(&[], &copy)).map(drop)
        })
        .null(|p| {
            let host = pin(p)?;
            known!(Graph::new(p)?.add_copy_3d(&[], &deep(Address::NULL, host.address(), 8)))
                .map(drop)
        })
        .dangling(|p| {
            let host = pin(p)?;
            known!(Graph::new(p)?.add_copy_3d(&[], &deep(HERE, host.address(), 8))).map(drop)
        })
        .either(|p| {
            let (buffer, host) = (dev(p)?, pin(p)?);
            known!(Graph::new(p)?.add_copy_3d(&[], &deep(buffer.address(), host.address(), 0)))
                .map(drop)
        })
        .beyond(|p| {
            let (buffer, host) = (dev(p)?, pin(p)?);
            known!(Graph::new(p)?.add_copy_3d(&[], &deep(buffer.address(), host.address(), MUCH)))
                .map(drop)
        }),
        row("graph Graph::add_copy", |p, now| {
            let (mut graph, buffer, host) = (Graph::new(p)?, dev(p)?, pin(p)?);
            now();
            graph
                .add_copy(&[], buffer.address(), host.address(), Bytes(64), UP)
                .map(drop)
        })
        .null(|p| {
            let host = pin(p)?;
            Graph::new(p)?
                .add_copy(&[], Address::NULL, host.address(), Bytes(64), UP)
                .map(drop)
        })
        .dangling(|p| {
            let host = pin(p)?;
            Graph::new(p)?
                .add_copy(&[], HERE, host.address(), Bytes(64), UP)
                .map(drop)
        })
        .either(|p| {
            let (buffer, host) = (dev(p)?, pin(p)?);
            Graph::new(p)?
                .add_copy(&[], buffer.address(), host.address(), Bytes(0), UP)
                .map(drop)
        })
        .beyond(|p| {
            let (buffer, host) = (dev(p)?, pin(p)?);
            Graph::new(p)?
                .add_copy(&[], buffer.address(), host.address(), Bytes(MUCH), UP)
                .map(drop)
        }),
        row("graph Graph::add_fill", |p, now| {
            let (mut graph, buffer) = (Graph::new(p)?, dev(p)?);
            now();
            graph
                .add_fill(&[], buffer.address(), Pitch(8), ONES, 8, 8)
                .map(drop)
        })
        .null(|p| {
            Graph::new(p)?
                .add_fill(&[], Address::NULL, Pitch(8), ONES, 8, 8)
                .map(drop)
        })
        .dangling(|p| {
            Graph::new(p)?
                .add_fill(&[], HERE, Pitch(8), ONES, 8, 8)
                .map(drop)
        })
        .either(|p| {
            Graph::new(p)?
                .add_fill(&[], dev(p)?.address(), Pitch(8), ONES, 0, 8)
                .map(drop)
        })
        .beyond(|p| {
            Graph::new(p)?
                .add_fill(&[], dev(p)?.address(), Pitch(8), ONES, 8, MUCH)
                .map(drop)
        }),
        row("graph Graph::add_empty", |p, now| {
            let mut graph = Graph::new(p)?;
            now();
            graph.add_empty(&[]).map(drop)
        })
        .other(|p| {
            let node = Graph::new(p)?.add_empty(&[])?;
            Graph::new(p)?.add_empty(&[node]).map(drop)
        }),
        row("graph Graph::nodes", |p, now| {
            let graph = Graph::new(p)?;
            now();
            graph.nodes().map(drop)
        }),
        row("graph Graph::kind", |p, now| {
            let mut graph = Graph::new(p)?;
            let node = graph.add_empty(&[])?;
            now();
            graph.kind(node).map(drop)
        })
        .other(|p| {
            let node = Graph::new(p)?.add_empty(&[])?;
            Graph::new(p)?.kind(node).map(drop)
        }),
        row("graph Graph::instantiate", |p, now| {
            let graph = Graph::new(p)?;
            now();
            graph.instantiate().map(drop)
        }),
        row("graph GraphExec::upload", |p, now| {
            let (mut ready, stream) = (Graph::new(p)?.instantiate()?, nb(p)?);
            now();
            ready.upload(&stream)
        }),
        row("graph GraphExec::launch", |p, now| {
            let (mut ready, stream) = (Graph::new(p)?.instantiate()?, nb(p)?);
            now();
            known!(ready.launch(&stream))?;
            stream.synchronize()
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table has as many rows as it has")]
fn pools() -> Vec<Entry> {
    fn pool(p: &Place) -> Result<Pool> {
        Pool::new(p, PoolOptions::default())
    }
    fn buffer(p: &Place) -> Result<PooledBuffer<u8>> {
        PooledBuffer::new(&shared(p)?, 64)
    }
    vec![
        row("pool Pool::new", |p, now| {
            now();
            pool(p).map(drop)
        }),
        row("pool Pool::default_of", |p, now| {
            now();
            Pool::default_of(p).map(drop)
        }),
        row("pool Pool::current_of", |p, now| {
            now();
            known!(Pool::current_of(p)).map(drop)
        }),
        row("pool Pool::make_current", |p, now| {
            let pool = Pool::default_of(p)?;
            now();
            pool.make_current()
        }),
        row("pool Pool::trim_to", |p, now| {
            let pool = pool(p)?;
            now();
            pool.trim_to(Bytes(1 << 20))
        })
        .zero(|p| pool(p)?.trim_to(Bytes(0)))
        .beyond_is_nothing(|p| pool(p)?.trim_to(Bytes(MUCH))),
        row("pool Pool::release_threshold", |p, now| {
            let pool = pool(p)?;
            now();
            pool.release_threshold().map(drop)
        }),
        row("pool Pool::set_release_threshold", |p, now| {
            let pool = pool(p)?;
            now();
            pool.set_release_threshold(Bytes(1 << 20))
        })
        .zero(|p| pool(p)?.set_release_threshold(Bytes(0)))
        .beyond_is_nothing(|p| pool(p)?.set_release_threshold(Bytes(usize::MAX))),
        row("pool Pool::usage", |p, now| {
            let pool = pool(p)?;
            now();
            pool.usage().map(drop)
        }),
        row("pool Pool::set_access", |p, now| {
            let Some(other) = other(p)? else {
                return Ok(());
            };
            let pool = pool(p)?;
            now();
            pool.set_access(&other, Access::ReadWrite)
        }),
        row("pool Pool::access", |p, now| {
            let pool = pool(p)?;
            now();
            pool.access(p).map(drop)
        }),
        row("pool Pool::export", |p, now| {
            let pool = exportable(p)?;
            now();
            pool.export().map(drop)
        })
        .other(|p| pool(p)?.export().map(drop)),
        row("pool Pool::import", |p, now| {
            let descriptor = exportable(p)?.export()?;
            now();
            Pool::import(p, descriptor.as_fd()).map(drop)
        })
        .other(|p| Pool::import(p, std::io::stdin().as_fd()).map(drop)),
        row("pool PooledBuffer::new", |p, now| {
            let stream = shared(p)?;
            now();
            PooledBuffer::<u8>::new(&stream, 64).map(drop)
        })
        .zero(|p| PooledBuffer::<u8>::new(&shared(p)?, 0)?.free())
        .beyond(|p| PooledBuffer::<u8>::new(&shared(p)?, MUCH).map(drop))
        .beyond(|p| PooledBuffer::<u64>::new(&shared(p)?, usize::MAX).map(drop))
        .other(|p| PooledBuffer::<u8>::new(&Arc::new(captured(p)?), 64).map(drop)),
        row("pool PooledBuffer::from_pool", |p, now| {
            let (pool, stream) = (pool(p)?, shared(p)?);
            now();
            PooledBuffer::<u8>::from_pool(&pool, &stream, 64).map(drop)
        })
        .zero(|p| PooledBuffer::<u8>::from_pool(&pool(p)?, &shared(p)?, 0).map(drop))
        .beyond(|p| PooledBuffer::<u8>::from_pool(&pool(p)?, &shared(p)?, MUCH).map(drop)),
        row("pool PooledBuffer::upload", |p, now| {
            let mut buffer = buffer(p)?;
            now();
            buffer.upload(&[1; 64])
        })
        .zero(|p| PooledBuffer::<u8>::new(&shared(p)?, 0)?.upload(&[]))
        .other(|p| buffer(p)?.upload(&[1])),
        row("pool PooledBuffer::download", |p, now| {
            let buffer = buffer(p)?;
            now();
            buffer.download(&mut [1; 64])
        })
        .zero(|p| PooledBuffer::<u8>::new(&shared(p)?, 0)?.download(&mut []))
        .other(|p| buffer(p)?.download(&mut [1])),
        row("pool PooledBuffer::to_vec", |p, now| {
            let buffer = buffer(p)?;
            now();
            buffer.to_vec().map(drop)
        }),
        row("pool PooledBuffer::fill", |p, now| {
            let mut buffer = buffer(p)?;
            now();
            buffer.fill(3)
        }),
        row("pool PooledBuffer::lend_to", |p, now| {
            let (buffer, stream) = (buffer(p)?, nb(p)?);
            now();
            buffer.lend_to(&stream)
        }),
        row("pool PooledBuffer::await_stream", |p, now| {
            let (buffer, stream) = (buffer(p)?, nb(p)?);
            now();
            buffer.await_stream(&stream)
        }),
        row("pool PooledBuffer::export", |p, now| {
            let pool = exportable(p)?;
            let buffer = PooledBuffer::<u8>::from_pool(&pool, &shared(p)?, 64)?;
            let _descriptor = pool.export()?;
            now();
            buffer.export().map(drop)
        })
        .other(|p| buffer(p)?.export().map(drop)),
        row("pool PooledBuffer::import", |p, now| {
            let (pool, stream) = (exportable(p)?, shared(p)?);
            let buffer = PooledBuffer::<u8>::from_pool(&pool, &stream, 64)?;
            stream.synchronize()?;
            let (descriptor, handle) = (pool.export()?, buffer.export()?);
            now();
            let imported = Pool::import(p, descriptor.as_fd())?;
            known!(PooledBuffer::<u8>::import(&imported, &stream, handle, 64))?.free()
        })
        .either(|p| {
            let (pool, stream) = (pool(p)?, shared(p)?);
            known!(PooledBuffer::<u8>::import(
                &pool,
                &stream,
                PointerHandle([0; 64]),
                0
            ))
            .map(core::mem::forget)
        })
        .beyond(|p| {
            let (pool, stream) = (pool(p)?, shared(p)?);
            known!(PooledBuffer::<u8>::import(
                &pool,
                &stream,
                PointerHandle([0; 64]),
                MUCH
            ))
            .map(core::mem::forget)
        }),
        row("pool PooledBuffer::free", |p, now| {
            let buffer = buffer(p)?;
            now();
            buffer.free()
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table has as many rows as it has")]
fn others() -> Vec<Entry> {
    vec![
        row("virtual_memory granularity", |p, now| {
            now();
            virtual_memory::granularity(p).map(drop)
        }),
        row("virtual_memory Reservation::new", |p, now| {
            let page = page(p)?;
            now();
            Reservation::new(p, page).map(drop)
        })
        .no_zero(|p| Reservation::new(p, Bytes(0)).map(drop))
        .beyond(|p| Reservation::new(p, Bytes(1 << 62)).map(drop))
        .other(|p| Reservation::new(p, Bytes(1)).map(drop)),
        row("virtual_memory Reservation::map", |p, now| {
            let (reserved, physical) = (Reservation::new(p, page(p)?)?, physical(p, Export::None)?);
            now();
            reserved.map(Bytes(0), &physical).map(drop)
        })
        .zero(|p| {
            Reservation::new(p, page(p)?)?
                .map(Bytes(0), &physical(p, Export::None)?)
                .map(drop)
        })
        .beyond(|p| {
            Reservation::new(p, page(p)?)?
                .map(page(p)?, &physical(p, Export::None)?)
                .map(drop)
        })
        .beyond(|p| {
            Reservation::new(p, page(p)?)?
                .map(Bytes(usize::MAX), &physical(p, Export::None)?)
                .map(drop)
        })
        .other(|p| {
            let (reserved, physical) = (Reservation::new(p, page(p)?)?, physical(p, Export::None)?);
            let _mapping = reserved.map(Bytes(0), &physical)?;
            reserved.map(Bytes(0), &physical).map(drop)
        }),
        row("virtual_memory Physical::new", |p, now| {
            let page = page(p)?;
            now();
            Physical::new(p, page, Export::None).map(drop)
        })
        .no_zero(|p| Physical::new(p, Bytes(0), Export::None).map(drop))
        .beyond(|p| Physical::new(p, Bytes(MUCH), Export::None).map(drop))
        .other(|p| Physical::new(p, Bytes(1), Export::None).map(drop)),
        row("virtual_memory Physical::export", |p, now| {
            let physical = physical(p, Export::FileDescriptor)?;
            now();
            physical.export().map(drop)
        })
        .other(|p| physical(p, Export::None)?.export().map(drop)),
        row("virtual_memory Physical::import", |p, now| {
            let physical = physical(p, Export::FileDescriptor)?;
            let descriptor = physical.export()?;
            now();
            let again = Physical::import(p, descriptor.as_fd(), physical.size())?;
            Reservation::new(p, again.size())?
                .map(Bytes(0), &again)
                .map(drop)
        })
        .no_zero(|p| Physical::import(p, std::io::stdin().as_fd(), Bytes(0)).map(drop))
        .beyond(|p| Physical::import(p, std::io::stdin().as_fd(), Bytes(MUCH)).map(drop)),
        row("virtual_memory Mapping::set_access", |p, now| {
            let mut mapping = mapping(p)?;
            now();
            mapping.set_access(p, Access::Read)
        }),
        row("virtual_memory Mapping::access", |p, now| {
            let mapping = mapping(p)?;
            now();
            mapping.access(p).map(drop)
        }),
        row("virtual_memory Mapping::typed", |p, now| {
            let mapping = mapping(p)?;
            now();
            mapping.typed::<u32>().map(drop)
        })
        .other(|p| mapping(p)?.typed::<[u8; 0]>().map(drop)),
        row("virtual_memory Mapping::typed_mut", |p, now| {
            let mut mapping = mapping(p)?;
            now();
            mapping.typed_mut::<u32>().map(drop)
        })
        .other(|p| mapping(p)?.typed_mut::<[u8; 0]>().map(drop)),
        row("ipc MemoryHandle::of", |p, now| {
            let buffer = dev(p)?;
            now();
            MemoryHandle::of(&buffer).map(drop)
        })
        .other(|p| MemoryHandle::of(&mapping(p)?).map(drop))
        .other(|p| MemoryHandle::of(&DeviceBuffer::<u8>::new(p, 0)?).map(drop)),
        row("ipc OpenedMemory::open", |p, now| {
            let handle = MemoryHandle::of(&dev(p)?)?;
            now();
            // The process that made the handle cannot open it; two processes are in another test.
            refused_at_all(known!(OpenedMemory::open(p, handle)))
        })
        .other(|p| known!(OpenedMemory::open(p, MemoryHandle([0; 64]))).map(drop)),
        row("ipc EventHandle::of", |p, now| {
            let event = Event::new(p, EventOptions::INTERPROCESS)?;
            now();
            EventHandle::of(&event).map(drop)
        })
        .other(|p| EventHandle::of(&mark(p)?).map(drop)),
        row("ipc EventHandle::open", |p, now| {
            let event = Event::new(p, EventOptions::INTERPROCESS)?;
            let handle = EventHandle::of(&event)?;
            now();
            refused_at_all(known!(handle.open(p)))
        })
        .other(|p| known!(EventHandle([0; 64]).open(p)).map(drop)),
        row("ipc dma_buf", |p, now| {
            let buffer = DeviceBuffer::<u8>::new(p, 2 << 20)?;
            now();
            known!(ipc::dma_buf(&buffer)).map(drop)
        })
        .other(|p| known!(ipc::dma_buf(&dev(p)?)).map(drop)),
        row("module Module::from_ptx", |p, now| {
            now();
            module(p).map(drop)
        })
        .other(|p| Module::from_ptx(p, "\0").map(drop))
        .other_or_not(|p| Module::from_ptx(p, "").map(drop))
        .other_or_not(|p| Module::from_ptx(p, "this is no code").map(drop)),
        row("module Module::from_image", |p, now| {
            let mut image = PTX.as_bytes().to_vec();
            image.push(0);
            now();
            known!(Module::from_image(p, &image)).map(drop)
        })
        .either(|p| known!(Module::from_image(p, &[0])).map(drop))
        .other_or_not(|p| known!(Module::from_image(p, b"no code\0")).map(drop)),
        row("module Module::from_file", |p, now| {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("nothing.ptx");
            std::fs::write(&file, PTX).expect("a file");
            now();
            Module::from_file(p, &file).map(drop)
        })
        .other(|p| Module::from_file(p, Path::new("/no/such/file")).map(drop))
        .other(|p| Module::from_file(p, Path::new("")).map(drop))
        .other(|p| Module::from_file(p, Path::new("a\0b")).map(drop)),
        row("module Module::function", |p, now| {
            let module = module(p)?;
            now();
            module.function("nothing").map(drop)
        })
        .other(|p| module(p)?.function("numbers").map(drop))
        .other(|p| module(p)?.function("").map(drop))
        .other(|p| module(p)?.function("\0").map(drop)),
        row("module Module::global", |p, now| {
            let module = module(p)?;
            now();
            assert_eq!(module.global("numbers")?.size, Bytes(64));
            Ok(())
        })
        .other(|p| module(p)?.global("no such thing").map(drop))
        .other(|p| module(p)?.global("\0").map(drop)),
        row("module Module::variable", |p, now| {
            let module = module(p)?;
            now();
            assert_eq!(to_vec(&module.variable::<u32>("numbers")?)?, [0; 16]);
            Ok(())
        })
        .other(|p| module(p)?.variable::<[u8; 3]>("numbers").map(drop))
        .other(|p| module(p)?.variable::<[u8; 0]>("numbers").map(drop))
        .other(|p| module(p)?.variable::<u8>("nothing").map(drop)),
        row("module Module::variable_mut", |p, now| {
            let mut module = module(p)?;
            now();
            let numbers: Vec<u32> = (0..16).collect();
            upload(&mut module.variable_mut::<u32>("numbers")?, &numbers)?;
            assert_eq!(to_vec(&module.variable::<u32>("numbers")?)?, numbers);
            Ok(())
        })
        .other(|p| module(p)?.variable_mut::<[u8; 3]>("numbers").map(drop)),
        row("module Function::launch", |p, now| {
            let (module, stream) = (module(p)?, nb(p)?);
            let function = module.function("nothing")?;
            now();
            known!(function.launch(Launch::threads(1, 1), &stream, &[]))?;
            stream.synchronize()
        })
        .other(|p| {
            let (module, stream) = (module(p)?, nb(p)?);
            let launch = Launch {
                grid: [0; 3],
                block: [1; 3],
                shared: 0,
            };
            known!(module.function("nothing")?.launch(launch, &stream, &[]))
        })
        .other(|p| {
            let (module, stream) = (module(p)?, nb(p)?);
            let launch = Launch {
                grid: [1; 3],
                block: [1, 1, 1],
                shared: u32::MAX,
            };
            known!(module.function("nothing")?.launch(launch, &stream, &[]))
        }),
    ]
}
