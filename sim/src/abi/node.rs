//! What graph nodes do, in C's words and in ours.

use core::ffi::c_uint;

use cuda_sys::driver::*;

use super::c::{address, handle};
use super::copy_box::solid;
use super::memory::pointer;
use crate::model::code::{Code, Outcome};
use crate::model::context::Context;
use crate::model::filling::Pattern;
use crate::model::graph::Action;
use crate::model::machine::machine;
use crate::model::operand::View;
use crate::model::spec::{CopySpec, Corner, FillSpec, Sort};
use std::sync::Arc;

/// The context of a node: the one given, or the current one.
pub(super) fn context_of(context: usize) -> Outcome<Arc<Context>> {
    if context == 0 {
        machine()?.current()
    } else {
        machine()?.context(context)
    }
}

/// A copy, checked now and again when it is carried out.
pub(super) fn copy(params: &CUDA_MEMCPY3D, context: usize) -> Outcome<Action> {
    let view = View::of(context_of(context)?.device);
    let spec = solid(params, view, view)?;
    // An empty copy is nothing that a node could do.
    spec.resolve(machine()?)?.ok_or(Code::INVALID_VALUE)?;
    Ok(Action::Copy(spec))
}

/// A memset, checked now and again when it is carried out.
pub(super) fn fill(params: &CUDA_MEMSET_NODE_PARAMS_v2, context: usize) -> Outcome<Action> {
    let context = context_of(context)?;
    let value = params.value.to_le_bytes();
    let pattern = match params.elementSize {
        1 => Pattern::Byte(value[0]),
        2 => Pattern::Word(u16::from_le_bytes([value[0], value[1]])),
        4 => Pattern::Double(params.value),
        _ => return Err(Code::INVALID_VALUE),
    };
    let spec = FillSpec {
        address: address(params.dst),
        pitch: params.pitch,
        pattern,
        width: params.width,
        height: params.height,
        device: context.device,
        context: context.handle,
    };
    spec.resolve(machine()?)?.ok_or(Code::INVALID_VALUE)?;
    Ok(Action::Fill(spec))
}

/// The older structure, without a context.
pub(super) const fn with_context(params: &CUDA_MEMSET_NODE_PARAMS) -> CUDA_MEMSET_NODE_PARAMS_v2 {
    CUDA_MEMSET_NODE_PARAMS_v2 {
        dst: params.dst,
        pitch: params.pitch,
        value: params.value,
        elementSize: params.elementSize,
        width: params.width,
        height: params.height,
        ctx: core::ptr::null_mut(),
    }
}

/// A function of the program.
pub(super) fn host(function: CUhostFn, data: usize) -> Outcome<Action> {
    let function = function.ok_or(Code::INVALID_VALUE)? as *const ();
    Ok(Action::Host {
        function: function.expose_provenance(),
        data,
    })
}

/// C's number of a node's kind.
pub(super) const fn kind(action: &Action) -> CUgraphNodeType_enum {
    match action {
        Action::Copy(_) => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEMCPY,
        Action::Fill(_) => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEMSET,
        Action::Host { .. } => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_HOST,
        Action::Empty => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_EMPTY,
        Action::Child(_) => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_GRAPH,
        Action::Record(..) => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_EVENT_RECORD,
        Action::Wait(..) => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_WAIT_EVENT,
        Action::Allocate(_) => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEM_ALLOC,
        Action::Free(_) => CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEM_FREE,
    }
}

const fn sort(corner: &Corner) -> CUmemorytype {
    match corner.sort {
        Sort::Host => CUmemorytype_enum::CU_MEMORYTYPE_HOST,
        Sort::Device => CUmemorytype_enum::CU_MEMORYTYPE_DEVICE,
        Sort::Array => CUmemorytype_enum::CU_MEMORYTYPE_ARRAY,
        Sort::Unified => CUmemorytype_enum::CU_MEMORYTYPE_UNIFIED,
        Sort::Unknown => CUmemorytype_enum(0),
    }
}

const fn host_address(corner: &Corner) -> usize {
    if matches!(corner.sort, Sort::Host) {
        corner.address
    } else {
        0
    }
}

const fn device_address(corner: &Corner) -> usize {
    if matches!(corner.sort, Sort::Host) {
        0
    } else {
        corner.address
    }
}

/// A copy as C writes it.
pub(super) fn copy_params(spec: &CopySpec) -> CUDA_MEMCPY3D {
    let (dst, src) = (&spec.dst, &spec.src);
    CUDA_MEMCPY3D {
        srcXInBytes: src.x,
        srcY: src.y,
        srcZ: src.z,
        srcLOD: src.lod,
        srcMemoryType: sort(src),
        srcHost: core::ptr::with_exposed_provenance(host_address(src)),
        srcDevice: pointer(device_address(src)),
        srcArray: handle(src.array),
        reserved0: core::ptr::null_mut(),
        srcPitch: src.pitch,
        srcHeight: src.height,
        dstXInBytes: dst.x,
        dstY: dst.y,
        dstZ: dst.z,
        dstLOD: dst.lod,
        dstMemoryType: sort(dst),
        dstHost: core::ptr::with_exposed_provenance_mut(host_address(dst)),
        dstDevice: pointer(device_address(dst)),
        dstArray: handle(dst.array),
        reserved1: core::ptr::null_mut(),
        dstPitch: dst.pitch,
        dstHeight: dst.height,
        WidthInBytes: spec.shape.width,
        Height: spec.shape.height,
        Depth: spec.shape.depth,
    }
}

/// A memset as C writes it.
pub(super) fn fill_params(spec: &FillSpec) -> CUDA_MEMSET_NODE_PARAMS {
    let value = match spec.pattern {
        Pattern::Byte(value) => c_uint::from(value),
        Pattern::Word(value) => c_uint::from(value),
        Pattern::Double(value) => value,
    };
    CUDA_MEMSET_NODE_PARAMS {
        dst: pointer(spec.address),
        pitch: spec.pitch,
        value,
        elementSize: c_uint::try_from(spec.pattern.width()).unwrap_or(0),
        width: spec.width,
        height: spec.height,
    }
}

/// A function as C writes it.
pub(super) fn host_params(function: usize, data: usize) -> CUDA_HOST_NODE_PARAMS {
    let function = core::ptr::with_exposed_provenance::<()>(function);
    CUDA_HOST_NODE_PARAMS {
        // SAFETY: the program gave this address as a function of this type.
        fn_: unsafe { core::mem::transmute::<*const (), CUhostFn>(function) },
        userData: core::ptr::with_exposed_provenance_mut(data),
    }
}

/// The newest way to describe any node.
pub(super) fn any(params: &CUgraphNodeParams) -> Outcome<Option<Action>> {
    use super::graph::{child, event};
    let body = &params.__bindgen_anon_1;
    Ok(Some(match params.type_ {
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEMCPY => {
            // SAFETY: the caller's type says which member of the union it filled; every bit pattern is a value.
            let memcpy = unsafe { body.memcpy };
            copy(&memcpy.copyParams, memcpy.copyCtx.expose_provenance())?
        }
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_MEMSET => {
            // SAFETY: as above.
            let memset = unsafe { body.memset };
            fill(&memset, memset.ctx.expose_provenance())?
        }
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_HOST => {
            // SAFETY: as above.
            let called = unsafe { body.host };
            host(called.fn_, called.userData.expose_provenance())?
        }
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_EMPTY => Action::Empty,
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_GRAPH => {
            // SAFETY: as above.
            child(unsafe { body.graph }.graph.expose_provenance())?
        }
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_EVENT_RECORD => {
            // SAFETY: as above.
            let (number, event) = event(unsafe { body.eventRecord }.event.expose_provenance())?;
            Action::Record(number, event)
        }
        CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_WAIT_EVENT => {
            // SAFETY: as above.
            let (number, event) = event(unsafe { body.eventWait }.event.expose_provenance())?;
            Action::Wait(number, event)
        }
        _ => return Ok(None),
    }))
}
