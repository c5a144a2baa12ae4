//! What can be made without harm to this process, and what nobody can foretell.

use cuwhy_validate::call::Action;
use cuwhy_validate::{Call, Operand, Role};

use super::{Drawer, Sides, flip};
use crate::truth::world::{Object, PAGE, Side};

impl Drawer<'_> {
    /// Whether the call can be made without harm to this process's other memory; if so, whether a
    /// fault may be mended.
    pub(super) fn tame(&self, call: &Call, sides: &Sides) -> Option<bool> {
        if self.is_apart(call, sides) || is_race(call, sides) {
            return None;
        }
        let mut mend = true;
        let mut check = |call: &Call, sides: Option<&Sides>| {
            for operand in call.operands() {
                let writes = operand.role == Role::Destination;
                let end = operand.end();
                let known = sides.map(|sides| {
                    if writes {
                        sides.dst.object
                    } else {
                        sides.src.object
                    }
                });
                let object = known.or_else(|| self.holder(operand.address))?;
                let demanded = operand.demand == cuwhy_validate::call::Demand::Cuda;
                let behind = object.base.saturating_add(object.bytes);
                let follower = self.world.objects.iter().find(|one| one.base == behind);
                let followed = follower.map_or(0, |one| one.bytes);
                if is_beyond_telling(call, &operand, &object, followed) {
                    return None;
                }
                // Rows of host memory that are spread over the whole address space.
                let host = object.fence.is_some() || object.side == Side::Bad;
                let strewn = host && operand.is_strewn();
                if strewn {
                    mend &= flip::is_tame(&operand, &object)?;
                }
                // Accepted, and never done in anybody's life.
                if operand.shape.payload() > 1 << 33
                    && (operand.shape.rows > 1 || operand.shape.slices > 1)
                    && end.is_none()
                {
                    return None;
                }
                match object.fence {
                    Some(_) if strewn => {}
                    Some(fence) => {
                        let inside = operand.address >= fence.start
                            && end.is_some_and(|end| end <= fence.end);
                        mend &= inside;
                        let dies = fence.guarded
                            && operand.shape.is_line()
                            && operand.address >= fence.start
                            && end.is_none_or(|end| end.saturating_sub(fence.end) >= 1 << 40);
                        if writes && !inside && !dies && !demanded {
                            return None;
                        }
                    }
                    None if writes && !demanded && object.side == Side::Both => {
                        let range = object.base..object.base.saturating_add(object.bytes);
                        if !range.contains(&operand.address) {
                            return None;
                        }
                    }
                    None if writes && !demanded && object.class == "pinned_freed" => return None,
                    None => {}
                }
            }
            Some(())
        };
        if matches!(call.action, Action::Batch(_) | Action::Batch3D(_)) {
            for entry in call.entries() {
                check(&entry, None)?;
            }
        } else {
            check(call, Some(sides))?;
        }
        Some(mend)
    }

    /// The object that an address lies in, or near.
    pub(super) fn holder(&self, address: u64) -> Option<Object> {
        let near = |object: &&Object| {
            let (start, end) = object.fence.map_or(
                (
                    object.base.saturating_sub(16),
                    object.base.saturating_add(object.bytes),
                ),
                |fence| (fence.start, fence.end),
            );
            address == object.base || (start..=end).contains(&address)
        };
        let exact = |object: &&Object| {
            (object.base..object.base.saturating_add(object.bytes)).contains(&address)
        };
        let objects = &self.world.objects;
        objects
            .iter()
            .find(exact)
            .or_else(|| objects.iter().find(near))
            .copied()
    }
}

/// Whether a count that wraps around is copied from a variable into memory that the host writes further than the
/// variable's block of memory goes: the host dies at the end of its own, unless the device died before, and what lies
/// behind a module's blocks nobody tells.
fn is_race(call: &Call, sides: &Sides) -> bool {
    const ENDLESS: u64 = 1 << 46;
    const BLOCK: u64 = 2 << 20;
    // The device is ahead of the host by about so much.
    const CHUNK: u64 = 1 << 20;
    let end_of_block = |end: u64| end.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX);
    let endless = |operand: &Operand| operand.shape.width >= ENDLESS;
    let of = |role: Role| call.operands().into_iter().find(|one| one.role == role);
    let (Some(from), Some(to)) = (of(Role::Source), of(Role::Destination)) else {
        return false;
    };
    let variable = ["symbol", "variable", "constant"]
        .iter()
        .any(|class| sides.src.object.class.starts_with(class));
    let dst = &sides.dst.object;
    if !variable || !endless(&from) || matches!(dst.side, Side::Device | Side::Bad) {
        return false;
    }
    let left = end_of_block(from.address.saturating_add(1)) - from.address;
    let goes = dst.base.saturating_add(dst.bytes);
    let end = dst
        .fence
        .map_or_else(|| end_of_block(goes), |fence| fence.end);
    end.saturating_sub(to.address).saturating_add(CHUNK) > left
}

/// What nobody can tell before the call, because it depends on what nobody can ask. `followed` says how much of what
/// lies behind the object is known.
fn is_beyond_telling(call: &Call, operand: &Operand, object: &Object, followed: u64) -> bool {
    const ENDLESS: u64 = 1 << 46;
    const SMALL: u64 = 64 << 10;
    let shape = &operand.shape;
    // The C library's heap grows and shrinks while the driver works.
    if shape.width >= ENDLESS && object.class == "heap" {
        return true;
    }
    // Before the constants of a second device something of the driver's own lies, which no question tells of.
    if object.device == 1 && object.class == "symbol_const" && operand.address < object.base {
        return true;
    }
    // One row at an offset of 2^63: a method of the hardware cuts addresses off at one place or another.
    if shape.is_line() && operand.address.wrapping_sub(operand.base) == 1 << 63 {
        return true;
    }
    // What goes to a device within the driver's commands goes to any place, aligned or not, and this decides
    // which of two closed pages is touched first.
    let known = object.side != Side::Bad
        && (object.base..object.base.saturating_add(object.bytes)).contains(&operand.address);
    let last = operand.address % PAGE > PAGE - 16;
    if operand.role == Role::Source && !known && last && (64..=SMALL).contains(&shape.width) {
        return !matches!(call.action, Action::Fill(_));
    }
    // Rows and offsets that lead out of the memory that is mapped together with the object's, and not far away.
    const FAR: u64 = 1 << 30;
    let steps = |pitch: u64, count: u64| {
        let back = pitch.wrapping_neg().saturating_mul(count.saturating_sub(1));
        if back < FAR { back } else { 0 }
    };
    let back = steps(shape.pitch, shape.rows) + steps(shape.slice_pitch, shape.slices);
    let behind = object.base.saturating_add(object.bytes);
    let begins = (object.base..behind).contains(&operand.base);
    let moved = operand.base != operand.address;
    if object.fence.is_some() || !begins || back == 0 && !moved {
        return false;
    }
    let is_virtual = object.class.starts_with("virtual");
    let is_pool = object.class.starts_with("pool");
    let together = match object.side {
        Side::Device if is_pool => 32 << 20,
        Side::Device if !is_virtual => 2 << 20,
        _ => 1,
    };
    let first = object.base - object.base % together;
    let before = first.wrapping_sub(operand.address.wrapping_sub(back));
    if (1..FAR).contains(&before) && (back > 0 || is_virtual || is_pool) {
        return true;
    }
    // Neither is what lies behind page-locked memory.
    let ends = operand.address.saturating_add(shape.width);
    if back > 0 && object.side == Side::Both && ends > behind {
        return true;
    }
    let extent = shape.wrapping_extent();
    let beyond = operand.address.wrapping_add(extent).wrapping_sub(behind);
    let passes = (operand.base - object.base).saturating_add(extent) <= object.bytes;
    // Farther away there may be a window through which kernels see other memory of theirs (717).
    const AWAY: u64 = 1 << 36;
    is_virtual && passes && (1..AWAY).contains(&beyond) && beyond > followed
}
