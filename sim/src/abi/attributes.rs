//! Pointer attributes, one at a time and many at once.

use core::ffi::{c_int, c_uint, c_ulonglong, c_void};

use cuda_sys::driver::*;

use super::c::{Out, address, handle};
use super::gate::export;
use super::memory::pointer;
use crate::model::code::{Code, Outcome};
use crate::model::facts::{Facts, Viewer};
use crate::model::machine::machine;
use crate::model::space::Found;
use crate::model::thread;
use crate::model::ticket::lock;

type Which = CUpointer_attribute;

/// From where memory is looked at: the current context, or the first device.
pub(super) fn viewer() -> Viewer {
    match machine().and_then(|machine| machine.current_even_dead()) {
        Ok(context) => Viewer {
            device: context.device,
            peers: lock(&context.peers).iter().copied().collect(),
        },
        Err(_) => Viewer::default(),
    }
}

fn facts(dptr: CUdeviceptr) -> Outcome<Facts> {
    let facts = machine()?.space().facts(address(dptr), &viewer());
    // Without a current context there is no device to have an address on.
    let device_pointer = if thread::current().is_some() {
        facts.device_pointer
    } else {
        0
    };
    Ok(Facts {
        device_pointer,
        ..facts
    })
}

/// Writes an attribute in its own C type.
fn put(which: Which, facts: &Facts, data: Out<c_void>) -> Outcome {
    // The driver writes four bytes for a yes or no.
    let flag = |value: bool| data.cast::<c_uint>().put(c_uint::from(value));
    let number = |value: u32| data.cast::<c_uint>().put(value);
    let device_address = |value: usize| data.cast::<CUdeviceptr>().put(pointer(value));
    let wide = |value: usize| data.cast::<usize>().put(value);
    match which {
        Which::CU_POINTER_ATTRIBUTE_CONTEXT => data.cast::<CUcontext>().put(handle(facts.context)),
        Which::CU_POINTER_ATTRIBUTE_MEMORY_TYPE => number(facts.memory_type),
        Which::CU_POINTER_ATTRIBUTE_DEVICE_POINTER => device_address(facts.device_pointer),
        Which::CU_POINTER_ATTRIBUTE_HOST_POINTER => data
            .cast::<*mut c_void>()
            .put(core::ptr::with_exposed_provenance_mut(facts.host_pointer)),
        Which::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS => number(u32::from(facts.sync_memops)),
        Which::CU_POINTER_ATTRIBUTE_BUFFER_ID => data.cast::<c_ulonglong>().put(facts.buffer_id),
        Which::CU_POINTER_ATTRIBUTE_IS_MANAGED => flag(facts.managed),
        Which::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL => data.cast::<c_int>().put(facts.ordinal),
        Which::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE => flag(facts.legacy_ipc),
        // The ranges of unknown memory are left as they are.
        Which::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR | Which::CU_POINTER_ATTRIBUTE_RANGE_SIZE
            if facts.range_size == 0 =>
        {
            data.wanted().map(drop)
        }
        Which::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR => device_address(facts.range_start),
        Which::CU_POINTER_ATTRIBUTE_RANGE_SIZE => wide(facts.range_size),
        Which::CU_POINTER_ATTRIBUTE_MAPPED => flag(facts.mapped),
        Which::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES => data
            .cast::<c_ulonglong>()
            .put(c_ulonglong::from(facts.handle_types)),
        Which::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS => number(facts.access),
        Which::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE => {
            data.cast::<CUmemoryPool>().put(handle(facts.pool))
        }
        Which::CU_POINTER_ATTRIBUTE_MAPPING_SIZE => wide(facts.mapping_size),
        Which::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR => device_address(facts.mapping_base),
        Which::CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID => {
            data.cast::<c_ulonglong>().put(facts.block_id)
        }
        Which::CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE => flag(facts.plain),
        Which::CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE => flag(facts.plain),
        _ => Err(Code::INVALID_VALUE),
    }
}

/// What the singular query says beyond the plural one: it fails where that writes a zero.
fn single(which: Which, facts: &Facts) -> Outcome {
    match which {
        _ if facts.memory_type == 0 => Err(Code::INVALID_VALUE),
        Which::CU_POINTER_ATTRIBUTE_DEVICE_POINTER if thread::current().is_none() => {
            Err(Code::INVALID_CONTEXT)
        }
        Which::CU_POINTER_ATTRIBUTE_DEVICE_POINTER if facts.device_pointer == 0 => {
            Err(Code::INVALID_VALUE)
        }
        Which::CU_POINTER_ATTRIBUTE_HOST_POINTER if facts.host_pointer == 0 => {
            Err(Code::INVALID_VALUE)
        }
        _ => Ok(()),
    }
}

export! {
    ready fn cuPointerGetAttribute(data: *mut c_void, attribute: CUpointer_attribute, dptr: CUdeviceptr) |_| {
        data.wanted()?;
        let facts = facts(dptr)?;
        let verdict = single(attribute, &facts);
        if facts.memory_type != 0 {
            put(attribute, &facts, data)?;
        }
        verdict
    }

    ready fn cuPointerGetAttributes(
        count: c_uint, attributes: *mut CUpointer_attribute, data: *mut *mut c_void, dptr: CUdeviceptr,
    ) |_| {
        if count == 0 || attributes.is_null() || data.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        let facts = facts(dptr)?;
        for index in 0..usize::try_from(count).unwrap_or(0) {
            let which = attributes.input().get_at(index)?;
            // SAFETY: the caller's list holds pointers with the same promise as the list itself.
            let place = unsafe { super::c::FromC::from_c(data.input().get_at(index)?) };
            put(which, &facts, place)?;
        }
        Ok(())
    }

    ready fn cuPointerSetAttribute(value: *const c_void, attribute: CUpointer_attribute, dptr: CUdeviceptr) |_| {
        match machine()?.space().find(address(dptr)) {
            Found::Virtual(hit) if hit.map.is_some() => Err(Code::NOT_SUPPORTED),
            Found::Object(object) if attribute == Which::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS => {
                object.set_sync_memops(value.cast::<c_uint>().get()? != 0);
                Ok(())
            }
            _ => Err(Code::INVALID_VALUE),
        }
    }
}
