//! Handles for other processes. They can be made, and what hardware refuses is refused; opening one of another process is
//! not simulated.

use core::ffi::c_uint;

use cuda_sys::driver::*;

use super::c::address;
use super::gate::{Call, export};
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::object::Kind;
use crate::model::space::Found;

/// The only flag, which must be given.
const LAZY_PEER_ACCESS: c_uint = 1;
const MAP_FAILED: Code = Code(205);
const ROOM: usize = 64;

/// What a handle holds: our mark, the process, the address.
fn written(place: usize) -> [core::ffi::c_char; ROOM] {
    let mut words = [0; ROOM];
    let said = format!("cuwhy-sim {} {place:x}", std::process::id());
    for (word, byte) in words.iter_mut().zip(said.bytes()) {
        *word = byte.cast_signed();
    }
    words
}

/// What opening a handle answers: it depends on who made it, if anybody did.
fn open(call: Call, handle: &[core::ffi::c_char; ROOM], garbage: Code) -> Code {
    let bytes: Vec<u8> = handle.iter().map(|word| word.cast_unsigned()).collect();
    let text = String::from_utf8_lossy(&bytes);
    let mut words = text.split(' ');
    if words.next() != Some("cuwhy-sim") {
        return garbage;
    }
    // Its own handles a process cannot open.
    let own = words.next() == Some(std::process::id().to_string().as_str());
    if own {
        Code::INVALID_CONTEXT
    } else {
        call.unsupported()
    }
}

fn open_memory(call: Call, handle: &CUipcMemHandle, flags: c_uint) -> Outcome {
    call.context()?;
    if flags != LAZY_PEER_ACCESS {
        return Err(Code::INVALID_VALUE);
    }
    Err(open(call, &handle.reserved, Code::INVALID_VALUE))
}

export! {
    ready fn cuIpcGetMemHandle(out: *mut CUipcMemHandle, dptr: CUdeviceptr) |call| {
        call.context()?;
        out.wanted()?;
        match machine()?.space().find(address(dptr)) {
            Found::Object(object) if object.kind == Kind::Device => {
                out.put(CUipcMemHandle { reserved: written(object.base) })
            }
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuIpcOpenMemHandle(out: *mut CUdeviceptr, handle: CUipcMemHandle, flags: c_uint) |call| {
        out.wanted()?;
        open_memory(call, &handle, flags)
    }

    ready fn cuIpcOpenMemHandle_v2(out: *mut CUdeviceptr, handle: CUipcMemHandle, flags: c_uint) |call| {
        out.wanted()?;
        open_memory(call, &handle, flags)
    }

    // Nothing was opened, so there is nothing to close.
    ready fn cuIpcCloseMemHandle(dptr: CUdeviceptr) |call| {
        let _never_opened = dptr;
        call.context()?;
        Err(Code::INVALID_VALUE)
    }

    // Nobody could open it, so it is better not made: this is where programs ask first whether sharing works.
    ready fn cuIpcGetEventHandle(out: *mut CUipcEventHandle, event: CUevent) |call| {
        out.wanted()?;
        if event.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        let shared = machine()?.events.follow(event.address())?.is_for_other_processes();
        Err(if shared { call.unsupported() } else { Code::INVALID_HANDLE })
    }

    ready fn cuIpcOpenEventHandle(out: *mut CUevent, handle: CUipcEventHandle) |call| {
        out.wanted()?;
        call.context()?;
        Err(open(call, &handle.reserved, MAP_FAILED))
    }
}
