//! Streams.

use core::ffi::{c_int, c_uint, c_ulonglong, c_void};

use cuda_sys::driver::*;

use super::c::{Out, handle};
use super::gate::{Call, export};
use super::guard;
use crate::model::capture::Capture;
use crate::model::code::{Code, Outcome};
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
    let found = call.stream_of_live_context(stream)?;
    // Its capture, if any, ends with it.
    Capture::abandon(&found);
    machine()?
        .streams
        .remove(stream)
        .map(drop)
        .ok_or(Code::INVALID_HANDLE)
}

export! {
    ready fn cuStreamCreate(out: *mut CUstream, flags: c_uint) |call| {
        create(call, out, flags, 0)
    }

    ready fn cuStreamCreateWithPriority(out: *mut CUstream, flags: c_uint, priority: c_int) |call| {
        create(call, out, flags, priority)
    }

    ready fn cuStreamDestroy_v2(stream: CUstream) |call| {
        destroy(call, stream.address())
    }

    ready fn cuStreamDestroy(stream: CUstream) |call| {
        destroy(call, stream.address())
    }

    ready fn cuStreamSynchronize / cuStreamSynchronize_ptsz(stream: CUstream) |call| {
        let stream = call.stream(stream.address())?;
        guard::waiting_use(&stream)?;
        stream.drain();
        let context = stream.context()?;
        machine()?.space_mut().settle_pools(context.device);
        context.check()
    }

    ready fn cuStreamQuery / cuStreamQuery_ptsz(stream: CUstream) |call| {
        let stream = call.stream(stream.address())?;
        guard::waiting_use(&stream)?;
        if stream.is_idle() { stream.context()?.check() } else { Err(Code::NOT_READY) }
    }

    ready fn cuStreamWaitEvent / cuStreamWaitEvent_ptsz(stream: CUstream, event: CUevent, flags: c_uint) |call| {
        if flags > 1 {
            return Err(Code::INVALID_VALUE);
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

    ready fn cuStreamGetPriority / cuStreamGetPriority_ptsz(stream: CUstream, priority: *mut c_int) |call| {
        priority.put(call.stream(stream.address())?.priority)
    }

    ready fn cuStreamGetFlags / cuStreamGetFlags_ptsz(stream: CUstream, flags: *mut c_uint) |call| {
        flags.put(if call.stream(stream.address())?.is_blocking() { 0 } else { NON_BLOCKING })
    }

    ready fn cuStreamGetId / cuStreamGetId_ptsz(stream: CUstream, id: *mut c_ulonglong) |call| {
        id.put(call.stream(stream.address())?.serial)
    }

    ready fn cuStreamGetCtx / cuStreamGetCtx_ptsz(stream: CUstream, out: *mut CUcontext) |call| {
        out.put(handle(call.stream(stream.address())?.context_handle()))
    }

    ready fn cuStreamGetCtx_v2 / cuStreamGetCtx_v2_ptsz(
        stream: CUstream, out: *mut CUcontext, green: *mut CUgreenCtx,
    ) |call| {
        green.put_if_wanted(core::ptr::null_mut());
        out.put(handle(call.stream(stream.address())?.context_handle()))
    }

    ready fn cuStreamGetDevice / cuStreamGetDevice_ptsz(stream: CUstream, device: *mut CUdevice) |call| {
        let context = call.stream(stream.address())?.context()?;
        device.put(CUdevice::try_from(context.device).unwrap_or(CUdevice::MAX))
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

    ready fn cuLaunchHostFunc / cuLaunchHostFunc_ptsz(stream: CUstream, function: CUhostFn, data: *mut c_void) |call| {
        let function = function.ok_or(Code::INVALID_VALUE)? as *const ();
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

    ready fn cuStreamAddCallback / cuStreamAddCallback_ptsz(
        stream: CUstream, function: CUstreamCallback, data: *mut c_void, flags: c_uint,
    ) |call| {
        let function = function.ok_or(Code::INVALID_VALUE)?;
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
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
