//! Libraries: modules that belong to no context until they are used in one.

use core::ffi::{c_char, c_uint, c_void};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cuda_sys::driver::*;

use super::c::{In, Out, handle};
use super::gate::{Call, export};
use super::module;
use crate::model::code::{Code, Outcome};
use crate::model::machine::machine;
use crate::model::registry::Registry;
use crate::model::ticket::lock;

/// A library, and its module in every context that has used it.
#[derive(Debug)]
struct Library {
    text: Vec<u8>,
    modules: Mutex<BTreeMap<usize, usize>>,
}

/// A function of a library.
#[derive(Debug)]
struct Kernel {
    library: usize,
    name: String,
}

static LIBRARIES: std::sync::LazyLock<Registry<Library>> =
    std::sync::LazyLock::new(Registry::default);
static KERNELS: std::sync::LazyLock<Registry<Kernel>> = std::sync::LazyLock::new(Registry::default);

fn load(out: Out<CUlibrary>, text: Vec<u8>) -> Outcome {
    out.put(handle(
        LIBRARIES
            .add(|_| Library {
                text,
                modules: Mutex::default(),
            })
            .0,
    ))
}

fn find(library: usize) -> Outcome<Arc<Library>> {
    LIBRARIES.get(library).ok_or(Code::INVALID_HANDLE)
}

/// The library's module in the current context.
fn module_here(call: Call, library: usize) -> Outcome<usize> {
    let context = call.context()?;
    let library = find(library)?;
    let mut modules = lock(&library.modules);
    if let Some(module) = modules.get(&context.handle) {
        return Ok(*module);
    }
    let module = module::load(&context, &library.text)?;
    modules.insert(context.handle, module);
    Ok(module)
}

fn global(
    call: Call,
    out: Out<CUdeviceptr>,
    size: Out<usize>,
    library: usize,
    name: In<c_char>,
) -> Outcome {
    module::global(module_here(call, library)?, name, out, size)
}

export! {
    ready fn cuLibraryLoadData(
        out: *mut CUlibrary, code: *const c_void,
        jit_options: *mut CUjit_option, jit_values: *mut *mut c_void, jit_count: c_uint,
        options: *mut CUlibraryOption, values: *mut *mut c_void, count: c_uint,
    ) |call| {
        let _no_compiler_to_tell = (jit_options, jit_values, jit_count, options, values, count);
        out.wanted()?;
        load(out, module::text_of(call, code)?)
    }

    ready fn cuLibraryLoadFromFile(
        out: *mut CUlibrary, path: *const c_char,
        jit_options: *mut CUjit_option, jit_values: *mut *mut c_void, jit_count: c_uint,
        options: *mut CUlibraryOption, values: *mut *mut c_void, count: c_uint,
    ) |_| {
        let _no_compiler_to_tell = (jit_options, jit_values, jit_count, options, values, count);
        out.wanted()?;
        load(out, std::fs::read(path.text()?).map_err(|_missing| Code::FILE_NOT_FOUND)?)
    }

    ready fn cuLibraryUnload(library: CUlibrary) |_| {
        let gone = LIBRARIES.remove(library.address()).ok_or(Code::INVALID_HANDLE)?;
        for module in lock(&gone.modules).values() {
            // Its context may have taken it along.
            let _already_gone = module::unload(*module);
        }
        Ok(())
    }

    ready fn cuLibraryGetModule(out: *mut CUmodule, library: CUlibrary) |call| {
        out.put(handle(module_here(call, library.address())?))
    }

    ready fn cuLibraryGetGlobal(
        out: *mut CUdeviceptr, size: *mut usize, library: CUlibrary, name: *const c_char,
    ) |call| {
        global(call, out, size, library.address(), name)
    }

    ready fn cuLibraryGetManaged(
        out: *mut CUdeviceptr, size: *mut usize, library: CUlibrary, name: *const c_char,
    ) |call| {
        let library = library.address();
        global(call, out, size, library, name)?;
        let program = crate::model::module::parse(&find(library)?.text)?;
        let name = name.text()?;
        let managed = program.variables.iter().any(|variable| variable.name == name && variable.managed);
        if managed { Ok(()) } else { Err(Code::NOT_FOUND) }
    }

    ready fn cuLibraryGetKernel(out: *mut CUkernel, library: CUlibrary, name: *const c_char) |_| {
        let number = library.address();
        let name = name.text()?;
        let program = crate::model::module::parse(&find(number)?.text)?;
        if !program.functions.contains(&name) {
            return Err(Code::NOT_FOUND);
        }
        out.put(handle(KERNELS.add(|_| Kernel { library: number, name }).0))
    }

    ready fn cuLibraryGetKernelCount(count: *mut c_uint, library: CUlibrary) |_| {
        let program = crate::model::module::parse(&find(library.address())?.text)?;
        count.put(u32::try_from(program.functions.len()).unwrap_or(u32::MAX))
    }

    ready fn cuKernelGetFunction(out: *mut CUfunction, kernel: CUkernel) |call| {
        let kernel = KERNELS.get(kernel.address()).ok_or(Code::INVALID_HANDLE)?;
        let module = module_here(call, kernel.library)?;
        let module = machine()?.modules.get(module).ok_or(Code::INVALID_HANDLE)?;
        out.put(handle(module.functions.get(&kernel.name).copied().ok_or(Code::NOT_FOUND)?))
    }

    ready fn cuKernelGetLibrary(out: *mut CUlibrary, kernel: CUkernel) |_| {
        out.put(handle(KERNELS.get(kernel.address()).ok_or(Code::INVALID_HANDLE)?.library))
    }
}
