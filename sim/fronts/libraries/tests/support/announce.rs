//! A variable of a device, announced as compiled programs do it.

use core::ffi::c_void;
use core::ptr;
use std::sync::atomic::AtomicI32;

use cuda_sys::runtime::Major;

/// The variable that a compiler would keep on the host for one on the device.
pub(crate) static SHADOW: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

/// Announces the variable as a compiled program does before `main`.
pub(crate) fn announce(major: Major) {
    type Begin = unsafe extern "C" fn(*mut c_void) -> *mut *mut c_void;
    type Variable = unsafe extern "C" fn(
        *mut *mut c_void,
        *mut c_void,
        *mut c_void,
        *const i8,
        i32,
        usize,
        i32,
        i32,
    );
    let name = std::ffi::CString::new(super::library(major.soname()).to_str().unwrap()).unwrap();
    // SAFETY: the library is open already; this is another reference to it.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    // SAFETY: an open library and a C string.
    let begin = unsafe { libc::dlsym(library, c"__cudaRegisterFatBinary".as_ptr()) };
    // SAFETY: as above.
    let variable = unsafe { libc::dlsym(library, c"__cudaRegisterVar".as_ptr()) };
    assert!(!begin.is_null() && !variable.is_null());
    // SAFETY: the function of this name has this type.
    let begin = unsafe { core::mem::transmute::<*mut c_void, Begin>(begin) };
    // SAFETY: as above.
    let variable = unsafe { core::mem::transmute::<*mut c_void, Variable>(variable) };
    // SAFETY: the simulator does not look into the image.
    let image = unsafe { begin(ptr::null_mut()) };
    let host = (&raw const SHADOW).cast_mut().cast();
    let name = c"symbol".as_ptr();
    // SAFETY: the address is only noted, and the name is a C string.
    unsafe {
        variable(
            image,
            host,
            ptr::null_mut(),
            name,
            0,
            size_of_val(&SHADOW),
            0,
            0,
        )
    };
}
