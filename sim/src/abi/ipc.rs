//! Memory and events for other processes of the same user. What hardware refuses is refused.

use core::ffi::{c_char, c_uint};

use cuda_sys::driver::*;

use super::c::{Out, address, handle};
use super::forked;
use super::gate::{Call, export};
use super::memory::{pointer, settle};
use crate::model::code::{Code, Outcome};
use crate::model::context::Context;
use crate::model::crossing::Crossing;
use crate::model::event::Event;
use crate::model::imports::Loan;
use crate::model::machine::{self, machine};
use crate::model::object::{Kind, Ordinal, Owner, Place};
use crate::model::space::Found;
use crate::model::store::Lent;

/// The only flag, which must be given.
const LAZY_PEER_ACCESS: c_uint = 1;
const MAP_FAILED: Code = Code(205);
const MEMORY: &[u8; 4] = b"cwm1";
const EVENT: &[u8; 4] = b"cwe1";

/// The 64 bytes of a handle: what it is of, the lender's device, where the block is, and the part that is meant.
struct Ticket {
    device: u32,
    block: Lent,
    offset: usize,
    size: usize,
}

const WHERE: usize = 8;
const PART: usize = WHERE + Lent::BYTES;

impl Ticket {
    fn written(&self, mark: &[u8; 4]) -> [c_char; 64] {
        let mut bytes = [0; 64];
        bytes[..4].copy_from_slice(mark);
        bytes[4..WHERE].copy_from_slice(&self.device.to_le_bytes());
        bytes[WHERE..PART].copy_from_slice(&self.block.bytes());
        bytes[PART..PART + 8].copy_from_slice(&(self.offset as u64).to_le_bytes());
        bytes[PART + 8..].copy_from_slice(&(self.size as u64).to_le_bytes());
        bytes.map(u8::cast_signed)
    }

    /// Anybody may have written these bytes.
    fn read(mark: &[u8; 4], handle: &[c_char; 64]) -> Option<Self> {
        let bytes = handle.map(c_char::cast_unsigned);
        let number = |from: usize| -> Option<usize> {
            let word = bytes.get(from..from + 8)?.try_into().ok()?;
            usize::try_from(u64::from_le_bytes(word)).ok()
        };
        let ticket = Self {
            device: u32::from_le_bytes(bytes[4..WHERE].try_into().ok()?),
            block: Lent::from_bytes(bytes[WHERE..PART].try_into().ok()?)?,
            offset: number(PART)?,
            size: number(PART + 8)?,
        };
        let inside = ticket.offset.checked_add(ticket.size)? <= ticket.block.length;
        (bytes[..4] == *mark && inside).then_some(ticket)
    }

    /// The device of this process that it is of. Not measured: what a process answers that does not see that device.
    fn device(&self) -> Outcome<Ordinal> {
        let devices = &machine()?.devices;
        let found = devices.iter().position(|one| bus(one) == self.device);
        found.ok_or(Code::INVALID_DEVICE)
    }
}

/// What a device is known by in every process.
fn bus(device: &machine::Device) -> u32 {
    device.pci[1]
}

fn memory_handle(call: Call, out: Out<CUipcMemHandle>, dptr: CUdeviceptr) -> Outcome {
    call.context()?;
    out.wanted()?;
    let machine = machine()?;
    let Found::Object(object) = machine.space().find(address(dptr)) else {
        return Err(Code::INVALID_VALUE);
    };
    let (Kind::Device, Place::Behind { bytes, offset }) = (object.kind, &object.place) else {
        return Err(Code::INVALID_VALUE);
    };
    let ticket = Ticket {
        device: bus(machine.device(object.device)?),
        block: bytes.lend().ok_or_else(|| call.unsupported())?,
        offset: *offset,
        size: object.size,
    };
    out.put(CUipcMemHandle {
        reserved: ticket.written(MEMORY),
    })
}

fn open_memory(
    call: Call,
    out: Out<CUdeviceptr>,
    handle: &CUipcMemHandle,
    flags: c_uint,
) -> Outcome {
    let context = call.context()?;
    if flags != LAZY_PEER_ACCESS {
        return Err(Code::INVALID_VALUE);
    }
    let ticket = Ticket::read(MEMORY, &handle.reserved).ok_or(Code::INVALID_VALUE)?;
    // Its own handles a process cannot open.
    if ticket.block.is_own() {
        return Err(Code::INVALID_CONTEXT);
    }
    let owner = Owner {
        device: ticket.device()?,
        context: context.handle,
    };
    let loan = Loan {
        block: ticket.block,
        offset: ticket.offset,
        size: ticket.size,
    };
    out.put(pointer(machine()?.space_mut().import(loan, owner)?))
}

fn open_event(context: &Context, handle: &CUipcEventHandle) -> Outcome<Event> {
    let ticket = Ticket::read(EVENT, &handle.reserved).ok_or(MAP_FAILED)?;
    if ticket.block.is_own() {
        return Err(Code::INVALID_CONTEXT);
    }
    let crossing = Crossing::of(&ticket.block).ok_or(MAP_FAILED)?;
    Ok(Event::of_another_process(context, crossing))
}

export! {
    held fn cuIpcGetMemHandle(out: *mut CUipcMemHandle, dptr: CUdeviceptr) |call| {
        if let Some(answer) = forked::argument(address(dptr)) {
            return answer;
        }
        memory_handle(call, out, dptr)
    }

    ready fn cuIpcOpenMemHandle(out: *mut CUdeviceptr, handle: CUipcMemHandle, flags: c_uint) |call| {
        out.wanted()?;
        open_memory(call, out, &handle, flags)
    }

    ready fn cuIpcOpenMemHandle_v2(out: *mut CUdeviceptr, handle: CUipcMemHandle, flags: c_uint) |call| {
        out.wanted()?;
        open_memory(call, out, &handle, flags)
    }

    ready fn cuIpcCloseMemHandle(dptr: CUdeviceptr) |call| {
        settle(&*call.context()?);
        machine()?.space_mut().close_import(address(dptr))
    }

    ready fn cuIpcGetEventHandle(out: *mut CUipcEventHandle, event: CUevent) |call| {
        out.wanted()?;
        if event.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        let event = machine()?.events.follow(event.address())?;
        // Only an event of this process that was made for it can be given away.
        let crossing = event.own_crossing().ok_or(Code::INVALID_HANDLE)?;
        let ticket = Ticket {
            device: 0,
            block: crossing.lend().ok_or_else(|| call.unsupported())?,
            offset: 0,
            size: 0,
        };
        out.put(CUipcEventHandle { reserved: ticket.written(EVENT) })
    }

    ready fn cuIpcOpenEventHandle(out: *mut CUevent, given: CUipcEventHandle) |call| {
        out.wanted()?;
        let event = open_event(&*call.context()?, &given)?;
        out.put(handle(machine()?.events.add(|_| event).0))
    }
}
