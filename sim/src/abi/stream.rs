//! Streams.

use core::ffi::{c_int, c_uint, c_ulonglong, c_void};

use cuda_sys::driver::*;

use super::c::{Out, handle};
use super::forked;
use super::gate::{Call, export};
use super::guard;
use crate::model::bytes;
use crate::model::capture::Capture;
use crate::model::code::{Code, Outcome};
use crate::model::fork;
use crate::model::graph::Action;
use crate::model::machine::machine;
use crate::model::object::Kind as ObjectKind;
use crate::model::stream::{Kind, Stream};
use crate::model::thread;

const NON_BLOCKING: c_uint = 1;
/// Priorities go from this, the most urgent, to 0.
pub(super) const GREATEST_PRIORITY: c_int = -5;

fn create(call: Call, out: Out<CUstream>, flags: c_uint, priority: c_int) -> Outcome {
    let context = call.context()?;
    out.wanted()?;
    if flags & !NON_BLOCKING != 0 {
        return Err(Code::INVALID_VALUE);
    }
    let kind = if flags & NON_BLOCKING == 0 {
        Kind::Blocking
    } else {
        Kind::NonBlocking
    };
    let priority = priority.clamp(GREATEST_PRIORITY, 0);
    let (number, stream) = machine()?
        .streams
        .add(|handle| Stream::alone(&context, handle, kind, priority));
    stream.join(&context);
    out.put(handle(number))
}

fn destroy(call: Call, stream: usize) -> Outcome {
    if matches!(stream, 0..=2) {
        return Err(Code::INVALID_HANDLE);
    }
    if fork::is_child() {
        // The driver does not come through (measured).
        bytes::touch(stream);
    }
    let found = call.stream_of_live_context(stream)?;
    // Its capture, if any, ends with it.
    Capture::abandon(&found);
    machine()?
        .streams
        .remove(stream)
        .map(drop)
        .ok_or(Code::INVALID_HANDLE)
}

/// The handle of a stream's context.
fn context_of(call: Call, stream: usize) -> Outcome<usize> {
    match forked::stream(stream) {
        Some(held) => Ok(held?.map_or(0, |stream| stream.context_handle())),
        None => Ok(call.stream(stream)?.context_handle()),
    }
}

export! {
    ready fn cuStreamCreate(out: *mut CUstream, flags: c_uint) |call| {
        create(call, out, flags, 0)
    }

    ready fn cuStreamCreateWithPriority(out: *mut CUstream, flags: c_uint, priority: c_int) |call| {
        create(call, out, flags, priority)
    }

    held fn cuStreamDestroy_v2(stream: CUstream) |call| {
        destroy(call, stream.address())
    }

    held fn cuStreamDestroy(stream: CUstream) |call| {
        destroy(call, stream.address())
    }

    held fn cuStreamSynchronize / cuStreamSynchronize_ptsz(stream: CUstream) |call| {
        if let Some(held) = forked::stream(stream.address()) {
            return held.map(drop);
        }
        let stream = call.stream(stream.address())?;
        guard::waiting_use(&stream)?;
        stream.drain();
        let context = stream.context()?;
        machine()?.space_mut().settle_pools(context.device);
        context.check()
    }

    held fn cuStreamQuery / cuStreamQuery_ptsz(stream: CUstream) |call| {
        if let Some(held) = forked::stream(stream.address()) {
            return held.map(drop);
        }
        let stream = call.stream(stream.address())?;
        guard::waiting_use(&stream)?;
        if stream.is_idle() { stream.context()?.check() } else { Err(Code::NOT_READY) }
    }

    held fn cuStreamWaitEvent / cuStreamWaitEvent_ptsz(stream: CUstream, event: CUevent, flags: c_uint) |call| {
        if flags > 1 {
            return Err(Code::INVALID_VALUE);
        }
        if let Some(held) = forked::stream(stream.address()) {
            held?;
            return forked::event(event.address()).unwrap_or(Ok(None)).map(drop);
        }
        let stream = call.stream(stream.address())?;
        let event = machine()?.events.follow(event.address())?;
        if let Some(mark) = event.mark() {
            return Capture::wait(&stream, &mark);
        }
        if let Some(capture) = guard::asynchronous_use(&stream)? {
            // Documented, not measured.
            capture.break_off();
            return Err(Code::STREAM_CAPTURE_ISOLATION);
        }
        event.hold(&stream)
    }

    held fn cuStreamGetPriority / cuStreamGetPriority_ptsz(stream: CUstream, priority: *mut c_int) |call| {
        if let Some(held) = forked::stream(stream.address()) {
            return priority.put(held?.map_or(0, |stream| stream.priority));
        }
        priority.put(call.stream(stream.address())?.priority)
    }

    held fn cuStreamGetFlags / cuStreamGetFlags_ptsz(stream: CUstream, flags: *mut c_uint) |call| {
        let blocking = match forked::stream(stream.address()) {
            Some(held) => held?.is_none_or(|stream| stream.is_blocking()),
            None => call.stream(stream.address())?.is_blocking(),
        };
        flags.put(if blocking { 0 } else { NON_BLOCKING })
    }

    held fn cuStreamGetId / cuStreamGetId_ptsz(stream: CUstream, id: *mut c_ulonglong) |call| {
        if let Some(held) = forked::stream(stream.address()) {
            return id.put(held?.map_or(0, |stream| stream.serial));
        }
        id.put(call.stream(stream.address())?.serial)
    }

    held fn cuStreamGetCtx / cuStreamGetCtx_ptsz(stream: CUstream, out: *mut CUcontext) |call| {
        out.put(handle(context_of(call, stream.address())?))
    }

    held fn cuStreamGetCtx_v2 / cuStreamGetCtx_v2_ptsz(
        stream: CUstream, out: *mut CUcontext, green: *mut CUgreenCtx,
    ) |call| {
        green.put_if_wanted(core::ptr::null_mut());
        out.put(handle(context_of(call, stream.address())?))
    }

    held fn cuStreamGetDevice / cuStreamGetDevice_ptsz(stream: CUstream, device: *mut CUdevice) |call| {
        let context = match forked::stream(stream.address()) {
            Some(held) => held?.and_then(|stream| stream.living_context()).map_or(0, |context| context.device),
            None => call.stream(stream.address())?.context()?.device,
        };
        device.put(CUdevice::try_from(context).unwrap_or(CUdevice::MAX))
    }

    ready fn cuStreamAttachMemAsync / cuStreamAttachMemAsync_ptsz(
        stream: CUstream, dptr: CUdeviceptr, length: usize, flags: c_uint,
    ) |call| {
        let _whole_only = (length, flags);
        guard::no_capture(&*call.stream(stream.address())?)?;
        match machine()?.space().exactly(super::c::address(dptr)) {
            Some(object) if object.kind == ObjectKind::Managed => Ok(()),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    held fn cuLaunchHostFunc / cuLaunchHostFunc_ptsz(stream: CUstream, function: CUhostFn, data: *mut c_void) |call| {
        let function = function.ok_or(Code::INVALID_VALUE)? as *const ();
        if let Some(held) = forked::stream(stream.address()) {
            return held.map(drop);
        }
        let stream = call.stream(stream.address())?;
        let (function, data) = (function.expose_provenance(), data.address());
        if let Some(capture) = guard::asynchronous_use(&stream)? {
            return capture.add(&stream, Action::Host { function, data }).map(drop);
        }
        let work = move || {
            thread::call_back(function, data);
            Ok(())
        };
        stream.enqueue(work).map(drop)
    }

    held fn cuStreamAddCallback / cuStreamAddCallback_ptsz(
        stream: CUstream, function: CUstreamCallback, data: *mut c_void, flags: c_uint,
    ) |call| {
        let function = function.ok_or(Code::INVALID_VALUE)?;
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        if let Some(held) = forked::stream(stream.address()) {
            return held.map(drop);
        }
        let number = stream.address();
        let stream = call.stream(number)?;
        if let Some(capture) = guard::asynchronous_use(&stream)? {
            capture.break_off();
            return Err(Code::STREAM_CAPTURE_UNSUPPORTED);
        }
        let data = data.address();
        let work = move || {
            thread::inside_callback(|| {
                let data = core::ptr::with_exposed_provenance_mut(data);
                // SAFETY: the program gave this function for this use.
                unsafe { function(handle(number), CUresult::CUDA_SUCCESS, data) };
            });
            Ok(())
        };
        stream.enqueue(work).map(drop)
    }

    ready fn cuStreamCopyAttributes / cuStreamCopyAttributes_ptsz(dst: CUstream, src: CUstream) |call| {
        call.stream(dst.address())?;
        call.stream(src.address()).map(drop)
    }
}
