//! Contexts.

use core::ffi::{c_int, c_uint, c_ulonglong};
use std::sync::atomic::Ordering;

use cuda_sys::driver::*;

use super::c::handle;
use super::device::{device, ordinal};
use super::forked;
use super::gate::export;
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::ticket::lock;
use crate::model::{bytes, capture, registry, thread};

/// Scheduling, mapping and local memory flags that CUDA knows.
const KNOWN_FLAGS: u32 = 0xff;
/// Said of every primary context.
const MAP_HOST: c_uint = 8;
/// The version that contexts answer with `cuCtxGetApiVersion`.
const API_VERSION: u32 = 3020;

fn create(out: super::c::Out<CUcontext>, flags: c_uint, dev: CUdevice) -> Outcome {
    out.wanted()?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(Code::INVALID_VALUE);
    }
    let context = machine()?.create_context(ordinal(dev)?, flags)?;
    thread::push(context.handle);
    out.put(handle(context.handle))
}

/// A context that a program hands in: none, one that is alive, or one that is not. What was never one crashes.
fn known(context: usize) -> Outcome {
    if machine()?.contexts.get(context).is_none() && !registry::is_ours(context) {
        bytes::touch(context);
    }
    Ok(())
}

fn destroy(context: usize) -> Outcome {
    let machine = machine()?;
    if context == 0 {
        return Err(Code::INVALID_VALUE);
    }
    known(context)?;
    // Dead, or never one: the driver tells them apart.
    let stranger = |code| {
        if registry::is_ours(context) {
            code
        } else {
            Code::CONTEXT_IS_DESTROYED
        }
    };
    let found = machine.context(context).map_err(stranger)?;
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

/// A dead context may be made current; calls in it fail then.
fn push(context: usize) -> Outcome {
    if context == 0 {
        return Err(Code::INVALID_VALUE);
    }
    known(context)?;
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

    held fn cuCtxDestroy_v2(ctx: CUcontext) |_| {
        forked::argument(ctx.address()).unwrap_or_else(|| destroy(ctx.address()))
    }

    held fn cuCtxDestroy(ctx: CUcontext) |_| {
        forked::argument(ctx.address()).unwrap_or_else(|| destroy(ctx.address()))
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
        known(ctx.address())?;
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

    ready fn cuCtxGetFlags(flags: *mut c_uint) |_| {
        let context = machine()?.current_even_dead()?;
        let mapped = if context.primary { MAP_HOST } else { 0 };
        flags.put(context.flags.load(Ordering::Relaxed) | mapped)
    }

    ready fn cuCtxSetFlags(flags: c_uint) |call| {
        call.context()?.flags.store(flags, Ordering::Relaxed);
        Ok(())
    }

    ready fn cuCtxGetId(ctx: CUcontext, id: *mut c_ulonglong) |call| {
        let context = if ctx.is_null() {
            call.context()?
        } else {
            machine()?.context(ctx.address()).map_err(|_dead| Code::CONTEXT_IS_DESTROYED)?
        };
        id.put(context.serial)
    }

    ready fn cuCtxGetApiVersion(ctx: CUcontext, version: *mut c_uint) |call| {
        let context = if ctx.is_null() { call.context()? } else { machine()?.context(ctx.address())? };
        let _every_context_has_the_same = context;
        version.put(API_VERSION)
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
        let context = call.context()?;
        default_limit(limit)?;
        if (7..=8).contains(&limit.0) {
            return Err(Code::NOT_PERMITTED);
        }
        lock(&context.limits).insert(limit.0, value);
        Ok(())
    }

    ready fn cuCtxGetLimit(value: *mut usize, limit: CUlimit) |call| {
        let context = call.context()?;
        value.wanted()?;
        let default = default_limit(limit)?;
        let set = lock(&context.limits).get(&limit.0).copied();
        value.put(set.unwrap_or(default))
    }

    ready fn cuCtxGetCacheConfig(out: *mut CUfunc_cache) |call| {
        call.context()?;
        out.put(CUfunc_cache::CU_FUNC_CACHE_PREFER_NONE)
    }

    ready fn cuCtxGetSharedMemConfig(out: *mut CUsharedconfig) |call| {
        call.context()?;
        out.put(CUsharedconfig_enum::CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE)
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
        if !machine()?.may_reach(here.device, there.device) {
            return Err(Code::PEER_ACCESS_UNSUPPORTED);
        }
        if lock(&here.peers).insert(there.device) { Ok(()) } else { Err(Code::PEER_ACCESS_ALREADY_ENABLED) }
    }

    ready fn cuCtxDisablePeerAccess(peer: CUcontext) |call| {
        let (here, there) = (call.context()?, machine()?.context(peer.address())?);
        if lock(&here.peers).remove(&there.device) { Ok(()) } else { Err(Code::PEER_ACCESS_NOT_ENABLED) }
    }

    held fn cuThreadExchangeStreamCaptureMode(mode: *mut CUstreamCaptureMode) |_| {
        // A number that is no mode is taken for the strictest.
        let wanted = capture::Mode::from_number(mode.input().get()?.0).unwrap_or(capture::Mode::Global);
        mode.put(CUstreamCaptureMode_enum(thread::exchange_capture_mode(wanted)?.number()))
    }

    ready fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) |call| {
        let device = device(device_number(call.context()?.device))?;
        free.put_if_wanted(device.meter.free());
        total.put_if_wanted(device.meter.total());
        Ok(())
    }
}

/// The limits of an H200 as measured. Two others exist and are refused, two more can only be read.
fn default_limit(limit: CUlimit) -> Outcome<usize> {
    const UNSUPPORTED_LIMIT: Code = Code(215);
    match limit.0 {
        0 => Ok(1024),
        1 => Ok(8_650_752),
        2 => Ok(8 << 20),
        4 => Ok(2048),
        5 => Ok(64),
        6 => Ok(11_796_480),
        7 => Ok(232_448),
        8 => Ok(0),
        3 | 9 => Err(UNSUPPORTED_LIMIT),
        _ => Err(Code::INVALID_VALUE),
    }
}

/// A capture forbids waiting for the whole context.
fn capture_forbids(context: &crate::model::context::Context) -> Outcome {
    super::guard::no_waiting(context)
}
