//! Contexts.

use core::ffi::{c_int, c_uint, c_ulonglong};
use std::sync::atomic::Ordering;

use cuda_sys::driver::*;

use super::c::handle;
use super::device::{device, ordinal};
use super::gate::export;
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::ticket::lock;
use crate::model::{capture, thread};

/// Scheduling, mapping and local memory flags that CUDA knows.
const KNOWN_FLAGS: u32 = 0xff;
/// The version that contexts answer with `cuCtxGetApiVersion`. Documented, not measured.
const API_VERSION: u32 = 3020;

fn create(out: super::c::Out<CUcontext>, flags: c_uint, dev: CUdevice) -> Outcome {
    out.wanted()?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(Code::INVALID_VALUE);
    }
    let context = machine()?.create_context(ordinal(dev)?, flags, API_VERSION)?;
    thread::push(context.handle);
    out.put(handle(context.handle))
}

fn destroy(context: usize) -> Outcome {
    let machine = machine()?;
    let found = machine.context(context)?;
    if found.primary {
        return Err(Code::INVALID_CONTEXT);
    }
    if thread::current() == Some(context) {
        thread::pop();
    }
    machine.destroy_context(&found);
    Ok(())
}

fn pop(out: super::c::Out<CUcontext>) -> Outcome {
    let context = thread::pop().ok_or(Code::INVALID_CONTEXT)?;
    out.put_if_wanted(handle(context));
    Ok(())
}

fn push(context: usize) -> Outcome {
    machine()?.context(context)?;
    thread::push(context);
    Ok(())
}

fn device_number(device: usize) -> CUdevice {
    CUdevice::try_from(device).unwrap_or(CUdevice::MAX)
}

export! {
    ready fn cuDevicePrimaryCtxRetain(out: *mut CUcontext, dev: CUdevice) |_| {
        out.wanted()?;
        out.put(handle(machine()?.retain_primary(ordinal(dev)?)?.handle))
    }

    ready fn cuDevicePrimaryCtxRelease_v2(dev: CUdevice) |_| {
        machine()?.release_primary(ordinal(dev)?)
    }

    ready fn cuDevicePrimaryCtxRelease(dev: CUdevice) |_| {
        machine()?.release_primary(ordinal(dev)?)
    }

    ready fn cuDevicePrimaryCtxReset_v2(dev: CUdevice) |_| {
        machine()?.reset_primary(ordinal(dev)?)
    }

    ready fn cuDevicePrimaryCtxReset(dev: CUdevice) |_| {
        machine()?.reset_primary(ordinal(dev)?)
    }

    ready fn cuDevicePrimaryCtxSetFlags_v2(dev: CUdevice, flags: c_uint) |_| {
        if flags & !KNOWN_FLAGS != 0 {
            return Err(Code::INVALID_VALUE);
        }
        machine()?.set_primary_flags(ordinal(dev)?, flags)
    }

    // Before CUDA 11 an active context refused.
    ready fn cuDevicePrimaryCtxSetFlags(dev: CUdevice, flags: c_uint) |_| {
        if machine()?.primary_state(ordinal(dev)?)?.1 {
            return Err(Code::PRIMARY_CONTEXT_ACTIVE);
        }
        machine()?.set_primary_flags(ordinal(dev)?, flags)
    }

    ready fn cuDevicePrimaryCtxGetState(dev: CUdevice, flags: *mut c_uint, active: *mut c_int) |_| {
        let (state, alive) = machine()?.primary_state(ordinal(dev)?)?;
        flags.put_if_wanted(state);
        active.put_if_wanted(c_int::from(alive));
        Ok(())
    }

    ready fn cuCtxCreate_v2(out: *mut CUcontext, flags: c_uint, dev: CUdevice) |_| {
        create(out, flags, dev)
    }

    ready fn cuCtxCreate_v3(
        out: *mut CUcontext, affinity: *mut CUexecAffinityParam, count: c_int, flags: c_uint, dev: CUdevice,
    ) |call| {
        if count != 0 || !affinity.is_null() {
            return Err(call.unsupported());
        }
        create(out, flags, dev)
    }

    ready fn cuCtxCreate_v4(out: *mut CUcontext, params: *mut CUctxCreateParams, flags: c_uint, dev: CUdevice) |call| {
        if let Ok(params) = params.input().get()
            && (params.numExecAffinityParams != 0 || !params.cigParams.is_null())
        {
            return Err(call.unsupported());
        }
        create(out, flags, dev)
    }

    ready fn cuCtxDestroy_v2(ctx: CUcontext) |_| {
        destroy(ctx.address())
    }

    ready fn cuCtxDestroy(ctx: CUcontext) |_| {
        destroy(ctx.address())
    }

    ready fn cuCtxPushCurrent_v2(ctx: CUcontext) |_| {
        push(ctx.address())
    }

    ready fn cuCtxPushCurrent(ctx: CUcontext) |_| {
        push(ctx.address())
    }

    ready fn cuCtxPopCurrent_v2(out: *mut CUcontext) |_| {
        pop(out)
    }

    ready fn cuCtxPopCurrent(out: *mut CUcontext) |_| {
        pop(out)
    }

    ready fn cuCtxSetCurrent(ctx: CUcontext) |_| {
        if ctx.is_null() {
            thread::replace(None);
            return Ok(());
        }
        machine()?.context(ctx.address())?;
        thread::replace(Some(ctx.address()));
        Ok(())
    }

    ready fn cuCtxGetCurrent(out: *mut CUcontext) |_| {
        out.put(handle(thread::current().unwrap_or(0)))
    }

    ready fn cuCtxGetDevice(out: *mut CUdevice) |_| {
        let context = machine()?.current_even_dead()?;
        out.put(device_number(context.device))
    }

    ready fn cuCtxGetDevice_v2(out: *mut CUdevice, ctx: CUcontext) |_| {
        let machine = machine()?;
        let context = if ctx.is_null() { machine.current_even_dead()? } else { machine.context(ctx.address())? };
        out.put(device_number(context.device))
    }

    ready fn cuCtxGetFlags(flags: *mut c_uint) |call| {
        flags.put(call.context()?.flags.load(Ordering::Relaxed))
    }

    ready fn cuCtxSetFlags(flags: c_uint) |call| {
        call.context()?.flags.store(flags, Ordering::Relaxed);
        Ok(())
    }

    ready fn cuCtxGetId(ctx: CUcontext, id: *mut c_ulonglong) |call| {
        let context = if ctx.is_null() { call.context()? } else { machine()?.context(ctx.address())? };
        id.put(context.serial)
    }

    ready fn cuCtxGetApiVersion(ctx: CUcontext, version: *mut c_uint) |call| {
        let context = if ctx.is_null() { call.context()? } else { machine()?.context(ctx.address())? };
        version.put(if context.version == 0 { API_VERSION } else { context.version })
    }

    ready fn cuCtxSynchronize() |call| {
        let context = call.context()?;
        capture_forbids(&context)?;
        let outcome = context.synchronize();
        machine()?.space_mut().settle_pools(context.device);
        outcome
    }

    ready fn cuCtxSynchronize_v2(ctx: CUcontext) |call| {
        let context = if ctx.is_null() { call.context()? } else { machine()?.context(ctx.address())? };
        capture_forbids(&context)?;
        let outcome = context.synchronize();
        machine()?.space_mut().settle_pools(context.device);
        outcome
    }

    ready fn cuCtxSetLimit(limit: CUlimit, value: usize) |call| {
        if limit.0 >= LIMITS {
            return Err(Code::INVALID_VALUE);
        }
        lock(&call.context()?.limits).insert(limit.0, value);
        Ok(())
    }

    ready fn cuCtxGetLimit(value: *mut usize, limit: CUlimit) |call| {
        let context = call.context()?;
        if limit.0 >= LIMITS {
            return Err(Code::INVALID_VALUE);
        }
        let set = lock(&context.limits).get(&limit.0).copied();
        match set.or_else(|| default_limit(limit)) {
            Some(bytes) => value.put(bytes),
            None => Err(call.unsupported()),
        }
    }

    ready fn cuCtxGetCacheConfig(out: *mut CUfunc_cache) |call| {
        call.context()?;
        out.put(CUfunc_cache::CU_FUNC_CACHE_PREFER_NONE)
    }

    ready fn cuCtxSetCacheConfig(config: CUfunc_cache) |call| {
        let _a_preference_only = config;
        call.context().map(drop)
    }

    ready fn cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) |call| {
        call.context()?;
        least.put_if_wanted(0);
        greatest.put_if_wanted(super::stream::GREATEST_PRIORITY);
        Ok(())
    }

    ready fn cuCtxResetPersistingL2Cache() |call| {
        call.context().map(drop)
    }

    ready fn cuCtxEnablePeerAccess(peer: CUcontext, flags: c_uint) |call| {
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        let (here, there) = (call.context()?, machine()?.context(peer.address())?);
        if here.device == there.device {
            return Err(Code::INVALID_CONTEXT);
        }
        if !machine()?.may_reach(here.device, there.device) {
            return Err(Code::PEER_ACCESS_UNSUPPORTED);
        }
        if lock(&here.peers).insert(there.device) { Ok(()) } else { Err(Code::PEER_ACCESS_ALREADY_ENABLED) }
    }

    ready fn cuCtxDisablePeerAccess(peer: CUcontext) |call| {
        let (here, there) = (call.context()?, machine()?.context(peer.address())?);
        if lock(&here.peers).remove(&there.device) { Ok(()) } else { Err(Code::PEER_ACCESS_NOT_ENABLED) }
    }

    ready fn cuThreadExchangeStreamCaptureMode(mode: *mut CUstreamCaptureMode) |_| {
        let wanted = capture::Mode::from_number(mode.input().get()?.0)?;
        mode.put(CUstreamCaptureMode_enum(thread::exchange_capture_mode(wanted)?.number()))
    }

    ready fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) |call| {
        let device = device(device_number(call.context()?.device))?;
        free.put(device.meter.free())?;
        total.put(device.meter.total())
    }
}

/// Limits 0 to 8 exist.
const LIMITS: u32 = 9;

/// Defaults that NVIDIA documents; others are not invented.
fn default_limit(limit: CUlimit) -> Option<usize> {
    match limit {
        CUlimit::CU_LIMIT_STACK_SIZE => Some(1024),
        CUlimit::CU_LIMIT_PRINTF_FIFO_SIZE => Some(1 << 20),
        CUlimit::CU_LIMIT_MALLOC_HEAP_SIZE => Some(8 << 20),
        _ => None,
    }
}

/// A capture forbids waiting for the whole context.
fn capture_forbids(context: &crate::model::context::Context) -> Outcome {
    super::guard::no_unsafe_call(context)
}
