//! Arrays.

use cuda_sys::driver::*;

use super::c::{Out, handle};
use super::forked;
use super::gate::{Call, export};
use super::guard;
use crate::model::array::{Array, Layout};
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use std::sync::Arc;

fn create(call: Call, out: Out<CUarray>, layout: Layout) -> Outcome {
    let context = call.context()?;
    out.wanted()?;
    guard::no_unsafe_call()?;
    let machine = machine()?;
    let meter = &machine.device(context.device)?.meter;
    let number = crate::model::registry::fresh_handle();
    let array = Array::new(number, layout, context.handle, meter)?;
    machine.arrays.insert(number, array);
    out.put(handle(number))
}

fn find(array: usize) -> Outcome<Arc<Array>> {
    machine()?.arrays.follow(array)
}

export! {
    ready fn cuArrayCreate_v2(out: *mut CUarray, description: *const CUDA_ARRAY_DESCRIPTOR) |call| {
        let wanted = description.get()?;
        create(call, out, Layout {
            width: wanted.Width,
            height: wanted.Height,
            depth: 0,
            format: wanted.Format.0,
            channels: wanted.NumChannels,
            flags: 0,
        })
    }

    ready fn cuArray3DCreate_v2(out: *mut CUarray, description: *const CUDA_ARRAY3D_DESCRIPTOR) |call| {
        let wanted = description.get()?;
        create(call, out, Layout {
            width: wanted.Width,
            height: wanted.Height,
            depth: wanted.Depth,
            format: wanted.Format.0,
            channels: wanted.NumChannels,
            flags: wanted.Flags,
        })
    }

    held fn cuArrayGetDescriptor_v2(out: *mut CUDA_ARRAY_DESCRIPTOR, array: CUarray) |_| {
        let found = match forked::array(array.address()) {
            None => find(array.address())?,
            Some(held) => match held? {
                Some(found) => found,
                None => return out.put(CUDA_ARRAY_DESCRIPTOR::default()),
            },
        };
        let layout = found.layout;
        out.put(CUDA_ARRAY_DESCRIPTOR {
            Width: layout.width,
            Height: layout.height,
            Format: CUarray_format_enum(layout.format),
            NumChannels: layout.channels,
        })
    }

    ready fn cuArray3DGetDescriptor_v2(out: *mut CUDA_ARRAY3D_DESCRIPTOR, array: CUarray) |_| {
        let layout = find(array.address())?.layout;
        out.put(CUDA_ARRAY3D_DESCRIPTOR {
            Width: layout.width,
            Height: layout.height,
            Depth: layout.depth,
            Format: CUarray_format_enum(layout.format),
            NumChannels: layout.channels,
            Flags: layout.flags,
        })
    }

    // Only sparse and deferred arrays have requirements, and there are none here.
    ready fn cuArrayGetMemoryRequirements(out: *mut CUDA_ARRAY_MEMORY_REQUIREMENTS, array: CUarray, dev: CUdevice) |_| {
        let _nothing_to_say = (out, dev);
        find(array.address())?;
        Err(Code::INVALID_VALUE)
    }

    held fn cuArrayDestroy(array: CUarray) |_| {
        if let Some(held) = forked::array(array.address()) {
            return held.map(drop);
        }
        find(array.address())?;
        machine()?.arrays.remove(array.address()).map(drop).ok_or(Code::INVALID_HANDLE)
    }
}
