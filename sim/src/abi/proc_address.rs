//! `cuGetProcAddress`: which of a name's exports a caller of a given version wants.

use core::ffi::{c_char, c_int, c_void};

use cuda_sys::driver::*;

use super::c::In;
use super::exports::{EXPORTS, Export};
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

/// A name without its version and its kind of default stream.
fn parts(name: &str) -> (&str, u32, bool) {
    let (name, per_thread) = match name
        .strip_suffix("_ptsz")
        .or_else(|| name.strip_suffix("_ptds"))
    {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    match name
        .rsplit_once("_v")
        .and_then(|(base, version)| Some((base, version.parse().ok()?)))
    {
        Some((base, version)) => (base, version, per_thread),
        None => (name, 1, per_thread),
    }
}

fn look_up(symbol: &str, version: u32, driver: u32, per_thread: bool) -> Answer {
    let mut known = false;
    let mut best: Option<(u32, bool, &Export)> = None;
    for export in EXPORTS {
        let (base, number, own_stream) = parts(export.name);
        // What a driver of this version does not have it does not know.
        if base != symbol || export.since > driver {
            continue;
        }
        known = true;
        let fits = export.since <= version && (per_thread || !own_stream);
        if fits && best.is_none_or(|(seen, thread, _)| (number, own_stream) > (seen, thread)) {
            best = Some((number, own_stream, export));
        }
    }
    match best {
        Some((_, _, export)) => Answer::Found((export.function as *const ()).expose_provenance()),
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
    fn names_come_apart() {
        assert_eq!(parts("cuMemcpyHtoD_v2_ptds"), ("cuMemcpyHtoD", 2, true));
        assert_eq!(parts("cuMemcpy_ptds"), ("cuMemcpy", 1, true));
        assert_eq!(parts("cuInit"), ("cuInit", 1, false));
    }

    #[test]
    fn the_version_chooses_the_export() {
        let address = |name: &str| {
            let export = EXPORTS.iter().find(|export| export.name == name).unwrap();
            Answer::Found((export.function as *const ()).addr())
        };
        assert_eq!(
            look_up("cuMemAlloc", 2000, 13000, false),
            address("cuMemAlloc")
        );
        assert_eq!(
            look_up("cuMemAlloc", 3020, 13000, false),
            address("cuMemAlloc_v2")
        );
        assert_eq!(
            look_up("cuMemcpyHtoD", 12000, 13000, true),
            address("cuMemcpyHtoD_v2_ptds")
        );
        assert_eq!(
            look_up("cuMemcpyBatchAsync", 12080, 13000, false),
            address("cuMemcpyBatchAsync")
        );
        assert_eq!(
            look_up("cuMemcpyBatchAsync", 13000, 13000, false),
            address("cuMemcpyBatchAsync_v2")
        );
        assert_eq!(
            look_up("cuMemcpyBatchAsync", 13000, 12040, false),
            Answer::Unknown
        );
        assert_eq!(look_up("cuNothing", 13000, 13000, false), Answer::Unknown);
    }
}
