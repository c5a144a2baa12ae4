//! Modules and libraries: variables get addresses, functions get handles, nothing is launched.

use core::ffi::{c_char, c_uint, c_void};

use cuda_sys::driver::*;

use super::c::{In, Out, handle};
use super::gate::{Call, export};
use super::memory::pointer;
use crate::model::bytes;
use crate::model::code::{Code, Outcome};
use crate::model::context::Context;
use crate::model::machine::machine;
use crate::model::module::{self, Module};
use crate::model::object::{Kind, Place};
use crate::model::ptx::Variable;
use crate::model::registry::fresh_handle;
use std::sync::Arc;

/// The magic numbers of images that are not text.
const FAT_BINARY: [u8; 4] = [0x50, 0xed, 0x55, 0xba];
const ELF: [u8; 4] = *b"\x7fELF";
/// The machine that an ELF file of CUDA names in its header.
const CUDA_MACHINE: u8 = 190;

/// Gives a variable memory and its first contents.
fn place(context: &Context, variable: &Variable) -> Outcome<(usize, usize)> {
    let mut space = machine()?.space_mut();
    let object = if variable.managed {
        space.allocate_shared(variable.size, Kind::Managed, context.owner())?
    } else {
        space.allocate(variable.size, Kind::Global, context.owner())?
    };
    drop(space);
    if let Place::Behind { bytes, offset } | Place::There { bytes, offset } = &object.place {
        let start = bytes.start() + offset;
        // SAFETY: the variable's bytes are ours and stay mapped while `object` lives.
        unsafe { bytes::fill_bytes(start, 0, variable.size) };
        let initial = variable.initial.len().min(variable.size);
        // SAFETY: as above; the source is a live list.
        unsafe { bytes::move_bytes(start, variable.initial.as_ptr().addr(), initial) };
    }
    Ok((object.base, object.size))
}

/// Loads an image into a context.
pub(super) fn load(context: &Context, image: &[u8]) -> Outcome<usize> {
    let program = module::parse(image)?;
    let mut loaded = Module {
        context: context.handle,
        ..Module::default()
    };
    for variable in &program.variables {
        loaded
            .globals
            .insert(variable.name.clone(), place(context, variable)?);
    }
    loaded.functions = program
        .functions
        .into_iter()
        .map(|name| (name, fresh_handle()))
        .collect();
    Ok(machine()?.modules.add(|_| loaded).0)
}

/// The text of an image in memory; binaries are out of scope and say so.
pub(super) fn text_of(call: Call, image: In<c_void>) -> Outcome<Vec<u8>> {
    let first = image.cast::<[u8; 4]>().get()?;
    if first == FAT_BINARY || first == ELF && image.cast::<[u8; 20]>().get()?[18] == CUDA_MACHINE {
        return Err(call.unsupported());
    }
    image.zero_ended()
}

fn load_data(call: Call, out: Out<CUmodule>, image: In<c_void>) -> Outcome {
    let context = call.context()?;
    out.wanted()?;
    let text = text_of(call, image)?;
    out.put(handle(load(&context, &text)?))
}

fn find(module: usize) -> Outcome<Arc<Module>> {
    let machine = machine()?;
    let found = machine.modules.get(module).ok_or(Code::INVALID_HANDLE)?;
    // Gone with its context: differently where that was the primary one, whose handle lives on.
    let context = machine
        .contexts
        .get(found.context)
        .ok_or(Code::CONTEXT_IS_DESTROYED)?;
    if !context.is_alive() {
        return Err(Code::INVALID_HANDLE);
    }
    context.check()?;
    Ok(found)
}

/// Takes a module out, and its variables with it.
pub(super) fn unload(module: usize) -> Outcome {
    let gone = machine()?
        .modules
        .remove(module)
        .ok_or(Code::INVALID_HANDLE)?;
    let mut space = machine()?.space_mut();
    for (base, _) in gone.globals.values() {
        drop(space.remove(*base));
    }
    Ok(())
}

/// Writes where a variable is.
pub(super) fn global(
    module: usize,
    name: In<c_char>,
    out: Out<CUdeviceptr>,
    size: Out<usize>,
) -> Outcome {
    out.put_if_wanted(0);
    size.put_if_wanted(0);
    let module = find(module)?;
    let name = name.text()?;
    if name.is_empty() || out.is_null() && size.is_null() {
        return Err(Code::INVALID_VALUE);
    }
    let (base, bytes) = *module.globals.get(&name).ok_or(Code::NOT_FOUND)?;
    out.put_if_wanted(pointer(base));
    size.put_if_wanted(bytes);
    Ok(())
}

/// The handle of a function.
pub(super) fn function(module: usize, name: In<c_char>) -> Outcome<usize> {
    find(module)?
        .functions
        .get(&name.text()?)
        .copied()
        .ok_or(Code::NOT_FOUND)
}

export! {
    ready fn cuModuleLoadData(out: *mut CUmodule, image: *const c_void) |call| {
        load_data(call, out, image)
    }

    ready fn cuModuleLoadDataEx(
        out: *mut CUmodule, image: *const c_void, count: c_uint, options: *mut CUjit_option, values: *mut *mut c_void,
    ) |call| {
        let _no_compiler_to_tell = (count, options, values);
        load_data(call, out, image)
    }

    ready fn cuModuleLoad(out: *mut CUmodule, path: *const c_char) |call| {
        let context = call.context()?;
        out.wanted()?;
        let image = std::fs::read(path.text()?).map_err(|_missing| Code::FILE_NOT_FOUND)?;
        out.put(handle(load(&context, &image)?))
    }

    ready fn cuModuleUnload(module: CUmodule) |call| {
        call.context()?;
        unload(module.address())
    }

    ready fn cuModuleGetGlobal_v2(out: *mut CUdeviceptr, size: *mut usize, module: CUmodule, name: *const c_char) |_| {
        global(module.address(), name, out, size)
    }

    ready fn cuModuleGetFunction(out: *mut CUfunction, module: CUmodule, name: *const c_char) |_| {
        out.wanted()?.put(handle(function(module.address(), name)?))
    }

    ready fn cuModuleGetFunctionCount(count: *mut c_uint, module: CUmodule) |_| {
        count.put(u32::try_from(find(module.address())?.functions.len()).unwrap_or(u32::MAX))
    }
}
