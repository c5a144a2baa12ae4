//! The driver's attributes of a pointer become an owner.

use super::{Access, Class, Owner};
use crate::ask::Attributes;

const HOST: u32 = 1;
const DEVICE: u32 = 2;
const ARRAY: u32 = 3;
const UNIFIED: u32 = 4;

/// Says what the attributes of an address mean; `None` where CUDA knows nothing there.
///
/// Measured on an H200 with a driver for CUDA 13.0: an address that CUDA does not know has memory
/// type 0 and no range; a reserved one has type 0 and a range; one mapped without access has
/// access flags 0 (it has no device pointer either, but nothing has one while no context is
/// current); one from a pool has a pool; mapped virtual memory has neither pool nor context.
#[must_use]
pub fn classify(attributes: &Attributes) -> Option<Owner> {
    let class = class_of(attributes)?;
    let mut owner = Owner::of(class);
    owner.range = attributes.range;
    // The range of virtual memory is its reservation; what is mapped of it is smaller.
    if matches!(class, Class::Virtual | Class::NoAccess)
        && let (Some(range), Some(mapping)) = (attributes.range, attributes.mapping)
    {
        owner.range = Some(range.common(mapping)).filter(|part| !part.is_empty());
    }
    owner.device = (attributes.ordinal >= 0).then_some(attributes.ordinal);
    owner.context = attributes.context.filter(|&context| context != 0);
    owner.pool = attributes.pool.filter(|&pool| pool != 0);
    owner.buffer_id = attributes.buffer_id.filter(|&id| id != 0);
    owner.access = attributes.access;
    owner.reachable = attributes.device_pointer.map(|pointer| pointer != 0);
    owner.device_pointer = attributes.device_pointer.filter(|&pointer| pointer != 0);
    owner.exportable = attributes.exportable;
    Some(owner)
}

fn class_of(attributes: &Attributes) -> Option<Class> {
    let has_range = attributes.range.is_some_and(|range| !range.is_empty());
    if attributes.managed == Some(true) {
        return Some(Class::Managed);
    }
    match attributes.memory_type {
        0 if has_range && attributes.mapped != Some(true) => Some(Class::Reserved),
        0 => None,
        HOST => Some(Class::Pinned),
        DEVICE | ARRAY | UNIFIED => Some(device_class(attributes)),
        _ => Some(Class::Unknown),
    }
}

fn device_class(attributes: &Attributes) -> Class {
    let pool = attributes.pool.is_some_and(|pool| pool != 0);
    if pool {
        return Class::Pool;
    }
    // The context is null for virtual memory alone; a driver too old for pools has neither answer.
    let silent = attributes.device_pointer == Some(0);
    match (attributes.context, attributes.access) {
        (Some(0), Access::None) => Class::NoAccess,
        (Some(0) | None, Access::Unknown) if silent => Class::NoAccess,
        (Some(0), _) => Class::Virtual,
        _ => Class::Device,
    }
}
