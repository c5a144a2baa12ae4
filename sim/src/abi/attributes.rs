//! Pointer attributes, one at a time and many at once.

use core::ffi::{c_int, c_uint, c_ulonglong, c_void};

use cuda_sys::driver::*;

use super::c::{Out, address, handle};
use super::gate::{Call, export};
use super::memory::pointer;
use crate::model::code::{Code, Outcome};
use crate::model::facts::{DEVICE, Facts, HOST};
use crate::model::machine::machine;
use crate::model::space::Found;

type Which = CUpointer_attribute;

/// The device from which memory is looked at: the current one, or the first.
fn viewer() -> usize {
    machine()
        .and_then(|machine| machine.current_even_dead())
        .map_or(0, |context| context.device)
}

fn facts(dptr: CUdeviceptr) -> Outcome<Facts> {
    Ok(machine()?.space().facts(address(dptr), viewer()))
}

/// Writes an attribute in its own C type.
fn put(call: Call, which: Which, facts: &Facts, data: Out<c_void>) -> Outcome {
    let flag = |value: bool| data.cast::<bool>().put(value);
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
        known if known.name().is_some() => Err(call.unsupported()),
        _ => Err(Code::INVALID_VALUE),
    }
}

/// Whether the singular query has an answer: it fails where the plural one writes a zero.
const fn answers(which: Which, facts: &Facts) -> bool {
    match which {
        Which::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR
        | Which::CU_POINTER_ATTRIBUTE_RANGE_SIZE
        | Which::CU_POINTER_ATTRIBUTE_MAPPED => facts.range_size != 0,
        Which::CU_POINTER_ATTRIBUTE_DEVICE_POINTER => facts.device_pointer != 0,
        Which::CU_POINTER_ATTRIBUTE_HOST_POINTER => {
            matches!(facts.memory_type, HOST | DEVICE) && facts.host_pointer != 0
        }
        _ => facts.memory_type != 0,
    }
}

export! {
    ready fn cuPointerGetAttribute(data: *mut c_void, attribute: CUpointer_attribute, dptr: CUdeviceptr) |call| {
        data.wanted()?;
        let facts = facts(dptr)?;
        if !answers(attribute, &facts) {
            return Err(Code::INVALID_VALUE);
        }
        put(call, attribute, &facts, data)
    }

    ready fn cuPointerGetAttributes(
        count: c_uint, attributes: *mut CUpointer_attribute, data: *mut *mut c_void, dptr: CUdeviceptr,
    ) |call| {
        if count == 0 || attributes.is_null() || data.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        let facts = facts(dptr)?;
        for index in 0..usize::try_from(count).unwrap_or(0) {
            let which = attributes.input().get_at(index)?;
            // SAFETY: the caller's list holds pointers with the same promise as the list itself.
            let place = unsafe { super::c::FromC::from_c(data.input().get_at(index)?) };
            put(call, which, &facts, place)?;
        }
        Ok(())
    }

    ready fn cuPointerSetAttribute(value: *const c_void, attribute: CUpointer_attribute, dptr: CUdeviceptr) |_| {
        if attribute != Which::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS {
            return Err(Code::INVALID_VALUE);
        }
        let on = value.cast::<c_uint>().get()? != 0;
        match machine()?.space().find(address(dptr)) {
            Found::Object(object) => {
                object.set_sync_memops(on);
                Ok(())
            }
            _ => Err(Code::INVALID_VALUE),
        }
    }
}
