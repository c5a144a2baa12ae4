//! Everything that the bindings know is there, and is found as CUDA finds it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use core::ffi::c_void;
use std::ffi::CString;

use cuda_sys::driver::{CUdriverProcAddressQueryResult_enum as Found, Driver, Table};
use support::cu;

/// What `cuGetProcAddress_v2` answers: the status, the address, the reason.
fn look_up(driver: &Driver, name: &str, version: i32, flags: u64) -> (u32, usize, Found) {
    let name = CString::new(name).unwrap();
    let mut address: *mut c_void = core::ptr::null_mut();
    let mut reason = Found(99);
    let status = cu!(driver.cuGetProcAddress_v2(
        name.as_ptr(),
        &raw mut address,
        version,
        flags,
        &raw mut reason
    ));
    (status, address.addr(), reason)
}

#[test]
fn every_function_of_the_bindings_is_exported() {
    let driver = support::driver();
    let missing: Vec<_> = Table::SYMBOLS
        .iter()
        .filter(|symbol| !driver.has(symbol.name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_library_has_the_drivers_name() {
    let readelf = std::process::Command::new("readelf")
        .arg("-d")
        .arg(support::library())
        .output()
        .unwrap();
    let text = String::from_utf8(readelf.stdout).unwrap();
    assert!(text.contains("Library soname: [libcuda.so.1]"), "{text}");
}

#[test]
fn versions_and_flags_choose_among_exports() {
    let (driver, _) = support::ready();
    let (status, older, _) = look_up(driver, "cuMemAlloc", 3010, 0);
    let (_, newer, _) = look_up(driver, "cuMemAlloc", 12000, 0);
    assert!(status == 0 && older != newer);
    let (_, legacy, _) = look_up(driver, "cuMemcpy", 12000, 1);
    let (_, own, _) = look_up(driver, "cuMemcpy", 12000, 2);
    assert_ne!(legacy, own);
    assert_eq!(
        look_up(driver, "cuMemcpyBatchAsync", 12040, 0),
        (0, 0, Found::CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT)
    );
    assert_eq!(
        look_up(driver, "cuNoSuchThing", 12040, 0),
        (0, 0, Found::CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND)
    );
}

#[test]
fn what_is_not_built_says_so() {
    let (driver, _) = support::ready();
    assert_eq!(cu!(driver.cuFuncLoad(core::ptr::null_mut())), 801);
    let mut table = core::ptr::null();
    let known = cuda_sys::driver::CUuuid { bytes: [7; 16] };
    assert_eq!(
        cu!(driver.cuGetExportTable(&raw mut table, &raw const known)),
        801
    );
}

#[test]
fn errors_have_names() {
    let driver = support::driver();
    let mut text = core::ptr::null();
    assert_eq!(
        cu!(driver.cuGetErrorName(
            cuda_sys::driver::CUresult::CUDA_ERROR_INVALID_VALUE,
            &raw mut text
        )),
        0
    );
    // SAFETY: the driver's names live for ever.
    let name = unsafe { core::ffi::CStr::from_ptr(text) };
    assert_eq!(name, c"CUDA_ERROR_INVALID_VALUE");
    assert_eq!(
        cu!(driver.cuGetErrorName(cuda_sys::driver::cudaError_enum(12345), &raw mut text)),
        1
    );
    assert!(text.is_null());
}
