//! Reproducers of pointers, ranges, host memory, kinds, virtual memory and contexts.

use super::scenery::{GRAIN, PAGE, READ_WRITE, heap, pages};
use super::{Bad, Place, Reproducer, Skip, Stage};
use crate::{Call, Kind, Role};

/// `cuMemcpyHtoD`.
pub(super) fn up(dst: u64, src: u64, bytes: u64) -> Call {
    Call::driver_copy("cuMemcpyHtoD", dst, src, bytes, Kind::HostToDevice)
}

/// `cuMemcpyDtoH`.
pub(super) fn down(dst: u64, src: u64, bytes: u64) -> Call {
    Call::driver_copy("cuMemcpyDtoH", dst, src, bytes, Kind::DeviceToHost)
}

/// `cuMemcpyDtoD`.
pub(super) fn across(dst: u64, src: u64, bytes: u64) -> Call {
    Call::driver_copy("cuMemcpyDtoD", dst, src, bytes, Kind::DeviceToDevice)
}

/// `cuMemcpy`, which goes by the addresses.
pub(super) fn any(dst: u64, src: u64, bytes: u64) -> Call {
    Call::driver_copy("cuMemcpy", dst, src, bytes, Kind::Default)
}

pub(super) const fn of(
    rule: &'static str,
    bad: Bad,
    wrong: super::Act,
    right: super::Act,
) -> Reproducer {
    Reproducer {
        rule,
        bad,
        place: Place::Here,
        setting: None,
        wrong,
        right,
    }
}

/// A byte of the destination is the first that is wrong.
pub(super) const fn dst(offset: u64) -> Bad {
    Bad::Byte(Role::Destination, offset)
}

/// A byte of the one range is the first that is wrong.
pub(super) const fn ptr(offset: u64) -> Bad {
    Bad::Byte(Role::Subject, offset)
}

/// A side is wrong, and no byte of it more than another.
pub(super) const fn side(role: Role) -> Bad {
    Bad::Side(role)
}

/// A byte of the source is the first that is wrong.
pub(super) const fn src(offset: u64) -> Bad {
    Bad::Byte(Role::Source, offset)
}

/// Two allocations side by side.
fn neighbours(stage: &Stage) -> Result<(u64, u64), Skip> {
    let mut all = Vec::new();
    for _ in 0..64 {
        all.push(stage.device(512)?);
    }
    all.sort_unstable();
    let pair = all.windows(2).find(|pair| pair[0] + 512 == pair[1]);
    pair.map(|pair| (pair[0], pair[1]))
        .ok_or(Skip::Needs("two allocations side by side"))
}

/// A host variable that holds the address of device memory, and that memory.
fn variable(stage: &Stage) -> Result<(u64, u64), Skip> {
    let device = stage.device(PAGE)?;
    let cell: &'static mut [u64] = vec![device, 0].leak();
    Ok((cell.as_mut_ptr().expose_provenance() as u64, device))
}

/// A mapped grain with access, in a reservation of two.
fn mapped(stage: &Stage) -> Result<u64, Skip> {
    let start = stage.reserve(2 * GRAIN)?;
    stage.map(start)?;
    stage.allow(start)?;
    Ok(start)
}

/// Two pages of host memory of which the second is registered, or both.
fn half_registered(stage: &Stage, whole: bool) -> Result<u64, Skip> {
    let start = pages(2, READ_WRITE)?;
    if whole {
        stage.register(start, 2 * PAGE, 0)?;
    } else {
        stage.register(start + PAGE, PAGE, 0)?;
    }
    Ok(start)
}

/// Two pages, registered one by one or together.
fn two_registrations(stage: &Stage, together: bool) -> Result<u64, Skip> {
    let start = pages(2, READ_WRITE)?;
    if together {
        stage.register(start, 2 * PAGE, 0)?;
    } else {
        stage.register(start, PAGE, 0)?;
        stage.register(start + PAGE, PAGE, 0)?;
    }
    Ok(start)
}

pub(super) static ACTS: &[Reproducer] = &[
    of(
        "pointer.null",
        dst(0),
        |_| Ok(up(0, heap(4), 4)),
        |stage| Ok(up(stage.device(4)?, heap(4), 4)),
    ),
    of(
        "pointer.unknown",
        dst(0),
        |stage| Ok(any(0x1000, stage.device(4)?, 4)),
        |stage| Ok(any(heap(4), stage.device(4)?, 4)),
    ),
    of(
        "pointer.address-of-device-pointer",
        dst(0),
        |stage| Ok(up(variable(stage)?.0, heap(PAGE), PAGE)),
        |stage| Ok(up(variable(stage)?.1, heap(PAGE), PAGE)),
    ),
    of(
        "pointer.freed",
        dst(0),
        |stage| {
            let device = stage.device(64 << 20)?;
            stage.free(device)?;
            Ok(up(device, heap(4), 4))
        },
        |stage| Ok(up(stage.device(64 << 20)?, heap(4), 4)),
    ),
    of(
        "range.past-end",
        dst(40),
        |stage| Ok(up(stage.device(40)?, heap(400), 400)),
        |stage| Ok(up(stage.device(40)?, heap(400), 40)),
    ),
    of(
        "range.before-start",
        dst(0),
        |stage| Ok(up(stage.device(40)? - 4, heap(4), 4)),
        |stage| Ok(up(stage.device(40)?, heap(4), 4)),
    ),
    of(
        "range.spans-allocations",
        dst(512),
        |stage| Ok(up(neighbours(stage)?.0, heap(516), 516)),
        |stage| Ok(up(neighbours(stage)?.0, heap(516), 512)),
    ),
    of(
        "range.size-overflow",
        dst(40),
        |stage| Ok(up(stage.device(40)?, heap(40), 4_u64.wrapping_neg())),
        |stage| Ok(up(stage.device(40)?, heap(40), 4)),
    ),
    of(
        "range.host-too-short",
        src(PAGE),
        |stage| Ok(up(stage.device(2 * PAGE)?, pages(1, READ_WRITE)?, PAGE + 1)),
        |stage| Ok(up(stage.device(2 * PAGE)?, pages(1, READ_WRITE)?, PAGE)),
    ),
    of(
        "range.host-not-writable",
        dst(0),
        |stage| Ok(down(pages(1, libc::PROT_READ)?, stage.device(4)?, 4)),
        |stage| Ok(down(pages(1, READ_WRITE)?, stage.device(4)?, 4)),
    ),
    of(
        "range.host-not-readable",
        src(0),
        |stage| Ok(up(stage.device(4)?, pages(1, libc::PROT_NONE)?, 4)),
        |stage| Ok(up(stage.device(4)?, pages(1, libc::PROT_READ)?, 4)),
    ),
    of(
        "range.overlap",
        dst(0),
        |stage| {
            let device = stage.device(PAGE)?;
            Ok(across(device + 4, device, 64))
        },
        |stage| {
            let device = stage.device(PAGE)?;
            Ok(across(device + 64, device, 64))
        },
    ),
    of(
        "host.leaves-registration",
        src(PAGE),
        |stage| {
            let start = pages(2, READ_WRITE)?;
            stage.register(start, PAGE, 0)?;
            Ok(up(stage.device(2 * PAGE)?, start, PAGE + 1))
        },
        |stage| {
            let start = pages(2, READ_WRITE)?;
            stage.register(start, PAGE, 0)?;
            Ok(up(stage.device(2 * PAGE)?, start, PAGE))
        },
    ),
    of(
        "host.spans-registrations",
        src(PAGE),
        |stage| {
            let start = two_registrations(stage, false)?;
            Ok(up(stage.device(2 * PAGE)?, start, 2 * PAGE))
        },
        |stage| {
            let start = two_registrations(stage, true)?;
            Ok(up(stage.device(2 * PAGE)?, start, 2 * PAGE))
        },
    ),
    of(
        "host.enters-registration",
        src(PAGE),
        |stage| {
            let start = half_registered(stage, false)?;
            Ok(up(stage.device(2 * PAGE)?, start, 2 * PAGE))
        },
        |stage| {
            let start = half_registered(stage, true)?;
            Ok(up(stage.device(2 * PAGE)?, start, 2 * PAGE))
        },
    ),
    of(
        "host.read-only-registration",
        dst(0),
        |stage| {
            let start = pages(1, READ_WRITE)?;
            stage.register(start, PAGE, 8)?;
            Ok(down(start, stage.device(4)?, 4))
        },
        |stage| {
            let start = pages(1, READ_WRITE)?;
            stage.register(start, PAGE, 0)?;
            Ok(down(start, stage.device(4)?, 4))
        },
    ),
    of(
        "kind.invalid",
        Bad::Call,
        |stage| {
            Ok(Call::memcpy(
                stage.device(4)?,
                heap(4),
                4,
                Kind::from_raw(5),
            ))
        },
        |stage| {
            Ok(Call::memcpy(
                stage.device(4)?,
                heap(4),
                4,
                Kind::HostToDevice,
            ))
        },
    ),
    of(
        "kind.contradicts",
        dst(0),
        |_| Ok(up(heap(4), heap(4), 4)),
        |_| Ok(any(heap(4), heap(4), 4)),
    ),
    of(
        "kind.swapped",
        dst(0),
        |stage| Ok(up(heap(4), stage.device(4)?, 4)),
        |stage| Ok(up(stage.device(4)?, heap(4), 4)),
    ),
    of(
        "kind.false-but-accepted",
        side(Role::Source),
        |stage| {
            let (one, two) = (stage.device(4)?, stage.device(4)?);
            Ok(Call::memcpy(one, two, 4, Kind::HostToDevice))
        },
        |stage| {
            let (one, two) = (stage.device(4)?, stage.device(4)?);
            Ok(Call::memcpy(one, two, 4, Kind::DeviceToDevice))
        },
    ),
    of(
        "virtual.unmapped",
        dst(0),
        |stage| Ok(up(stage.reserve(GRAIN)?, heap(4), 4)),
        |stage| Ok(up(mapped(stage)?, heap(4), 4)),
    ),
    of(
        "virtual.no-access",
        dst(0),
        |stage| {
            let start = stage.reserve(GRAIN)?;
            stage.map(start)?;
            Ok(up(start, heap(4), 4))
        },
        |stage| Ok(up(mapped(stage)?, heap(4), 4)),
    ),
    of(
        "virtual.hole",
        dst(GRAIN),
        |stage| Ok(across(mapped(stage)?, stage.device(3 * GRAIN)?, GRAIN + 1)),
        |stage| Ok(across(mapped(stage)?, stage.device(3 * GRAIN)?, GRAIN)),
    ),
    of(
        "context.none",
        Bad::Call,
        |stage| {
            let device = stage.device(4)?;
            stage.set_current(core::ptr::null_mut())?;
            Ok(up(device, heap(4), 4))
        },
        |stage| Ok(up(stage.device(4)?, heap(4), 4)),
    ),
    of(
        "context.destroyed",
        dst(0),
        |stage| Ok(up(stage.orphan(64 << 20)?, heap(4), 4)),
        |stage| Ok(up(stage.device(64 << 20)?, heap(4), 4)),
    ),
];
