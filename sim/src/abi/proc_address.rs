//! `cuGetProcAddress`: which of a name's exports a caller of a given version wants.

use core::ffi::{c_char, c_int, c_void};

use cuda_sys::driver::*;

use super::c::In;
use super::exports::EXPORTS;
use super::gate::export;
use crate::model::bytes;
use crate::model::code::{Code, Outcome};

const PER_THREAD: u64 = 2;
const KNOWN_FLAGS: u64 = 3;

/// What a look-up ended in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Found(usize),
    Unknown,
    /// The name exists, for newer callers or newer drivers.
    TooOld,
}

fn look_up(symbol: &str, version: u32, driver: u32, per_thread: bool) -> Answer {
    let first = EXPORTS.partition_point(|export| export.base < symbol);
    let same = EXPORTS[first..]
        .iter()
        .take_while(|export| export.base == symbol);
    let mut known = false;
    let mut best = None;
    // What a driver of this version does not have it does not know.
    for export in same.filter(|export| export.since <= driver) {
        known = true;
        if export.since <= version && (per_thread || !export.per_thread) {
            best = Some(export);
        }
    }
    match best {
        Some(export) => Answer::Found((export.function as *const ()).expose_provenance()),
        None if known => Answer::TooOld,
        None => Answer::Unknown,
    }
}

/// A version as callers give it: -1 stands for the newest, more than the driver's own is an error.
fn wanted(version: c_int, driver: u32) -> Outcome<u32> {
    match u32::try_from(version) {
        Err(_) if version == -1 => Ok(driver),
        Ok(version) if version <= driver => Ok(version),
        _ => Err(Code::INVALID_VALUE),
    }
}

fn find(symbol: In<c_char>, version: c_int, flags: u64) -> Outcome<Answer> {
    // The driver follows the name without a look: null is a crash.
    bytes::touch(symbol.address());
    let driver = super::driver_version();
    let version = wanted(version, driver)?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(Code::INVALID_VALUE);
    }
    Ok(look_up(
        &symbol.text()?,
        version,
        driver,
        flags & PER_THREAD != 0,
    ))
}

export! {
    // The older form fails for what it does not find, and leaves the place alone.
    open fn cuGetProcAddress(symbol: *const c_char, out: *mut *mut c_void, version: c_int, flags: cuuint64_t) |_| {
        bytes::touch(out.address());
        match find(symbol, version, flags)? {
            Answer::Found(address) => out.put(core::ptr::with_exposed_provenance_mut(address)),
            Answer::Unknown | Answer::TooOld => Err(Code::NOT_FOUND),
        }
    }

    // The newer one succeeds whatever it finds, and says why there is no function.
    open fn cuGetProcAddress_v2(
        symbol: *const c_char, out: *mut *mut c_void, version: c_int, flags: cuuint64_t,
        status: *mut CUdriverProcAddressQueryResult,
    ) |_| {
        type Status = CUdriverProcAddressQueryResult;
        bytes::touch(out.address());
        let (address, said) = match find(symbol, version, flags)? {
            Answer::Found(address) => (address, Status::CU_GET_PROC_ADDRESS_SUCCESS),
            Answer::Unknown => (0, Status::CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND),
            Answer::TooOld => (0, Status::CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT),
        };
        status.put_if_wanted(said);
        out.put(core::ptr::with_exposed_provenance_mut(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_export_is_found_by_its_name() {
        assert!(EXPORTS.is_sorted_by_key(|export| (
            export.base,
            export.version,
            export.per_thread
        )));
        for export in EXPORTS {
            let found = look_up(export.base, export.since, 99_000, true);
            assert_ne!(found, Answer::Unknown, "{export:?}");
        }
    }

    #[test]
    fn the_version_chooses_the_export() {
        let address = |base: &str, version: u32, per_thread: bool| {
            let wanted = (base, version, per_thread);
            let export = EXPORTS
                .iter()
                .find(|export| (export.base, export.version, export.per_thread) == wanted);
            Answer::Found((export.unwrap().function as *const ()).addr())
        };
        assert_eq!(
            look_up("cuMemAlloc", 2000, 13000, false),
            address("cuMemAlloc", 1, false)
        );
        assert_eq!(
            look_up("cuMemAlloc", 3020, 13000, false),
            address("cuMemAlloc", 2, false)
        );
        assert_eq!(
            look_up("cuMemcpyHtoD", 12000, 13000, true),
            address("cuMemcpyHtoD", 2, true)
        );
        assert_eq!(
            look_up("cuMemcpyBatchAsync", 12080, 13000, false),
            address("cuMemcpyBatchAsync", 1, false)
        );
        assert_eq!(
            look_up("cuMemcpyBatchAsync", 13000, 13000, false),
            address("cuMemcpyBatchAsync", 2, false)
        );
        assert_eq!(
            look_up("cuMemcpyBatchAsync", 13000, 12040, false),
            Answer::Unknown
        );
        assert_eq!(look_up("cuNothing", 13000, 13000, false), Answer::Unknown);
    }
}
