//! One plural query per address.

use super::{Attributes, Pointer};
use crate::Span;
use crate::facts::Access;
use core::ffi::c_void;
use cuda_sys::driver::{CUpointer_attribute as A, CUresult, Table};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The attributes, those that every driver knows first. `P2P_TOKENS` is never among them: asking
/// for it has a side effect.
const LIST: [A; 14] = [
    A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
    A::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
    A::CU_POINTER_ATTRIBUTE_IS_MANAGED,
    A::CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
    A::CU_POINTER_ATTRIBUTE_BUFFER_ID,
    A::CU_POINTER_ATTRIBUTE_CONTEXT,
    A::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
    A::CU_POINTER_ATTRIBUTE_RANGE_SIZE,
    A::CU_POINTER_ATTRIBUTE_MAPPED,
    A::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
    A::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS,
    A::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE,
    A::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR,
    A::CU_POINTER_ATTRIBUTE_MAPPING_SIZE,
];

/// How many of the list a driver may be asked for: all, without mappings, without pools, without
/// access, without ranges.
const LEVELS: [usize; 5] = [14, 12, 11, 10, 6];

/// How many attributes the driver behind a table knows.
#[derive(Debug)]
pub(super) struct Level(AtomicUsize);

impl Level {
    pub(super) const fn newest() -> Self {
        Self(AtomicUsize::new(0))
    }
}

/// Asks what an address is.
pub(super) fn query(table: &Table, level: &Level, address: u64) -> Pointer {
    loop {
        let index = level.0.load(Ordering::Relaxed);
        let Some(&count) = LEVELS.get(index) else {
            return Pointer::CannotTell;
        };
        let (status, values) = ask(table, count, address);
        match status {
            CUresult::CUDA_SUCCESS => return Pointer::Known(read(&values, count)),
            CUresult::CUDA_ERROR_INVALID_VALUE => {}
            _ => return Pointer::CannotTell,
        }
        // A driver that knows all these attributes answers for the null pointer.
        if ask(table, count, 0).0 == CUresult::CUDA_SUCCESS {
            return Pointer::CannotTell;
        }
        let _ = level
            .0
            .compare_exchange(index, index + 1, Ordering::Relaxed, Ordering::Relaxed);
    }
}

fn ask(table: &Table, count: usize, address: u64) -> (CUresult, [u64; LIST.len()]) {
    let mut list = LIST;
    // Every attribute of the list writes 8 bytes or fewer.
    let mut values = [0_u64; LIST.len()];
    let mut places = values
        .each_mut()
        .map(|value| (&raw mut *value).cast::<c_void>());
    let number = u32::try_from(count.min(LIST.len())).unwrap_or(0);
    // SAFETY: `list` and `places` have at least `number` elements, and each place has room for 8
    // bytes; the address is looked up, not followed.
    let status = unsafe {
        table.cuPointerGetAttributes(number, list.as_mut_ptr(), places.as_mut_ptr(), address)
    };
    (status, values)
}

/// Gives the answers their names; what was not asked is absent.
fn read(values: &[u64; LIST.len()], count: usize) -> Attributes {
    let asked = |index: usize| (index < count).then(|| values[index]);
    let low = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    Attributes {
        memory_type: low(values[0]),
        ordinal: low(values[1]).cast_signed(),
        managed: Some(values[2] & 0xff != 0),
        device_pointer: Some(values[3]),
        buffer_id: Some(values[4]),
        context: Some(values[5]),
        range: asked(7).map(|bytes| Span::sized(values[6], bytes)),
        mapped: asked(8).map(|mapped| mapped & 0xff != 0),
        exportable: asked(9).map(|capable| capable & 0xff != 0),
        access: asked(10).map_or(Access::Unknown, |flags| {
            Access::from_flags(u64::from(low(flags)))
        }),
        pool: asked(11),
        mapping: asked(13)
            .filter(|&bytes| bytes > 0)
            .map(|bytes| Span::sized(values[12], bytes)),
    }
}
