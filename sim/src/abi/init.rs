//! Initialisation, versions and error texts.

use core::ffi::{c_char, c_int, c_uint, c_void};

use cuda_sys::driver::*;

use super::gate::export;
use crate::model::code::Code;
use crate::model::fork;
use crate::model::machine::{initialise, machine};

export! {
    open fn cuInit(flags: c_uint) |_| {
        if fork::is_child() {
            return Err(Code::NOT_INITIALIZED);
        }
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        initialise()?;
        fork::arm();
        Ok(())
    }

    open fn cuDriverGetVersion(version: *mut c_int) |_| {
        let number = super::driver_version();
        version.put(c_int::try_from(number).unwrap_or(c_int::MAX))
    }

    open fn cuGetErrorName(error: CUresult, text: *mut *const c_char) |_| {
        match super::texts::name(error) {
            Some(name) => text.put(name.as_ptr()),
            None => {
                text.put_if_wanted(core::ptr::null());
                Err(Code::INVALID_VALUE)
            }
        }
    }

    open fn cuGetErrorString(error: CUresult, text: *mut *const c_char) |_| {
        match super::texts::sentence(error) {
            Some(sentence) => text.put(sentence.as_ptr()),
            None => {
                text.put_if_wanted(core::ptr::null());
                Err(Code::INVALID_VALUE)
            }
        }
    }

    // A statically linked runtime asks for the driver's inner tables here, which do not exist.
    open fn cuGetExportTable(table: *mut *const c_void, which: *const CUuuid) |_| {
        table.put_if_wanted(core::ptr::null());
        let named = which.get().is_ok_and(|uuid| uuid.bytes != [0; 16]);
        Err(if named { Code::NOT_SUPPORTED } else { Code::INVALID_VALUE })
    }

    // The simulator keeps no log of errors: it is always empty. What hardware writes of an empty one is not measured.
    open fn cuLogsCurrent(out: *mut CUlogIterator, flags: c_uint) |_| {
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        out.put(0)
    }

    open fn cuLogsDumpToMemory(
        iterator: *mut CUlogIterator, buffer: *mut c_char, size: *mut usize, flags: c_uint,
    ) |_| {
        let room = size.input().get()?;
        if flags != 0 {
            return Err(Code::INVALID_VALUE);
        }
        iterator.put_if_wanted(0);
        if room > 0 {
            buffer.put_if_wanted(0);
        }
        size.put(0)
    }

    ready fn cuModuleGetLoadingMode(mode: *mut CUmoduleLoadingMode) |_| {
        machine()?;
        mode.put(CUmoduleLoadingMode::CU_MODULE_LAZY_LOADING)
    }
}
