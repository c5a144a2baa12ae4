//! Reproducers that need more than one device, a variable of a program, a context that dies or a
//! process that forks.

use super::acts::{across, dst, of, side, up};
use super::scenery::{GRAIN, PAGE, heap};
use super::{Bad, Place, Reproducer, Skip, Stage};
use crate::call::{Action, Fill, Peer, SymbolCopy};
use crate::{Api, Call, Kind, Order, Role, Site, Stream};

/// `rows * columns * sizeof(float)` of 25,000 by 25,000 in an `int`: -1,794,967,296.
const WRAPPED: u64 = 2_500_000_000 | 0xffff_ffff_0000_0000;

/// A copy between two allocations whose offset and count wrap around 2^64: the check passes.
fn accepted(stage: &Stage, bytes: u64) -> Result<Call, Skip> {
    let (one, two) = (stage.device(PAGE)?, stage.device(PAGE)?);
    Ok(across(one + 8, two + 8, bytes))
}

/// A copy into device memory of a context that has died.
fn after_a_fault(stage: &Stage) -> Result<Call, Skip> {
    let call = up(stage.device(4)?, heap(4), 4);
    let deadly = accepted(stage, 4_u64.wrapping_neg())?;
    let accepted = stage.make(&deadly)?;
    match stage.wait() {
        Err(Skip::Failed { call, status }) => {
            stage.poisoned(
                status,
                format!("the first call that reported it was {call}"),
            );
        }
        Err(skip) => return Err(skip),
        Ok(()) if accepted != 0 => return Err(Skip::Needs("a driver that accepts such a copy")),
        Ok(()) => return Err(Skip::Needs("a context that dies")),
    }
    Ok(call)
}

/// `cudaMemcpyToSymbol` from the heap.
fn to_symbol(stage: &Stage, offset: u64, bytes: u64, kind: Kind) -> Result<Call, Skip> {
    let variable = stage.variable()?;
    let action = Action::Symbol(SymbolCopy {
        name: variable.name,
        symbol: variable.start,
        offset,
        other: heap(bytes),
        bytes,
        to_symbol: true,
        kind,
    });
    Ok(runtime("cudaMemcpyToSymbol", action))
}

/// The same into what is no variable: the name is an address of page-locked memory.
fn to_no_symbol(stage: &Stage) -> Result<Call, Skip> {
    stage.variable()?;
    let readable = stage.pinned(256)?;
    let action = Action::Symbol(SymbolCopy {
        name: readable,
        symbol: 0,
        offset: 0,
        other: heap(256),
        bytes: 256,
        to_symbol: true,
        kind: Kind::HostToDevice,
    });
    Ok(runtime("cudaMemcpyToSymbol", action))
}

/// The same in the order of a stream, from page-locked memory.
fn to_symbol_in_order(stage: &Stage, offset: u64, bytes: u64) -> Result<Call, Skip> {
    let variable = stage.variable()?;
    let action = Action::Symbol(SymbolCopy {
        name: variable.name,
        symbol: variable.start,
        offset,
        other: stage.pinned(bytes)?,
        bytes,
        to_symbol: true,
        kind: Kind::HostToDevice,
    });
    let call = runtime("cudaMemcpyToSymbol", action);
    Ok(call.on_stream("cudaMemcpyToSymbolAsync", Stream::PerThread))
}

fn runtime(function: &'static str, action: Action) -> Call {
    Call {
        function,
        api: Api::Runtime,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::here(),
    }
}

/// `cudaMemcpyPeer` of 4 bytes.
fn peer(dst: (u64, i32), src: (u64, i32)) -> Call {
    let action = Action::Peer(Peer {
        dst: dst.0,
        dst_device: dst.1,
        src: src.0,
        src_device: src.1,
        bytes: 4,
    });
    runtime("cudaMemcpyPeer", action)
}

/// A fill of memory of the second device.
fn fill(start: u64) -> Call {
    let action = Action::Fill(Fill {
        dst: start,
        pitch: 0,
        value: 0,
        element: 1,
        width: 4,
        height: 1,
    });
    Call {
        function: "cuMemsetD8",
        api: Api::Driver,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::here(),
    }
}

/// A grain of the second device, mapped, that these devices may use.
fn mapped(stage: &Stage, devices: &[i32]) -> Result<u64, Skip> {
    stage.needs_second()?;
    let start = stage.reserve(GRAIN)?;
    stage.map_of(1, start)?;
    for &device in devices {
        stage.allow_for(device, start)?;
    }
    Ok(start)
}

pub(super) static ACTS: &[Reproducer] = &[
    of(
        "range.size-overflow",
        dst(40),
        |stage| Ok(up(stage.device(40)?, heap(40), WRAPPED)),
        |stage| Ok(up(stage.device(40)?, heap(40), 40)),
    ),
    Reproducer {
        place: Place::Alone,
        ..of(
            "range.size-overflow",
            dst(PAGE - 8),
            |stage| accepted(stage, 4_u64.wrapping_neg()),
            |stage| accepted(stage, 4),
        )
    },
    Reproducer {
        place: Place::Forked,
        ..of(
            "context.forked",
            Bad::Call,
            |stage| Ok(up(stage.device(4)?, heap(4), 4)),
            |stage| Ok(up(stage.device(4)?, heap(4), 4)),
        )
    },
    Reproducer {
        place: Place::Alone,
        ..of("context.poisoned", Bad::Call, after_a_fault, |stage| {
            accepted(stage, 4)
        })
    },
    of(
        "symbol.past-end",
        dst(252),
        |stage| to_symbol(stage, 4, 256, Kind::HostToDevice),
        |stage| to_symbol(stage, 4, 252, Kind::HostToDevice),
    ),
    of(
        "symbol.past-end",
        dst(252),
        |stage| to_symbol_in_order(stage, 4, 256),
        |stage| to_symbol_in_order(stage, 4, 252),
    ),
    of(
        "symbol.unknown",
        side(Role::Subject),
        to_no_symbol,
        |stage| to_symbol(stage, 0, 256, Kind::HostToDevice),
    ),
    of(
        "kind.impossible-for-symbol",
        side(Role::Destination),
        |stage| to_symbol(stage, 0, 256, Kind::DeviceToHost),
        |stage| to_symbol(stage, 0, 256, Kind::HostToDevice),
    ),
    of(
        "peer.wrong-ordinal",
        side(Role::Destination),
        |stage| Ok(peer((stage.device_of_second(4)?, 0), (stage.device(4)?, 0))),
        |stage| Ok(peer((stage.device_of_second(4)?, 1), (stage.device(4)?, 0))),
    ),
    of(
        "peer.pool-without-access",
        Bad::Byte(Role::Source, 0),
        |stage| Ok(across(stage.device(4)?, stage.pool_of_second(4)?, 4)),
        |stage| Ok(peer((stage.device(4)?, 0), (stage.pool_of_second(4)?, 1))),
    ),
    of(
        "peer.virtual-without-access",
        Bad::Byte(Role::Source, 0),
        |stage| Ok(across(stage.device(4)?, mapped(stage, &[1])?, 4)),
        |stage| Ok(across(stage.device(4)?, mapped(stage, &[0, 1])?, 4)),
    ),
    of(
        "peer.memset-other-device",
        dst(0),
        |stage| Ok(fill(stage.device_of_second(4)?)),
        |stage| {
            let start = stage.device_of_second(4)?;
            stage.enter_second()?;
            Ok(fill(start))
        },
    ),
];
