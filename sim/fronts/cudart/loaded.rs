//! Finds the driver as the real runtime does.

use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::CString;
use std::sync::OnceLock;

use cuda_sys::driver::{
    CUdriverProcAddressQueryResult, CUdriverProcAddressQueryResult_enum, CUresult, Table, pfn,
};

use super::own;

/// Functions of the legacy default stream: what the real runtime asks with.
const LEGACY: u64 = 0;
/// Functions of the per-thread default stream (`CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM`).
const PER_THREAD: u64 = 2;

/// The driver of this process.
pub(crate) struct Loaded {
    pub(crate) table: Table,
    pub(crate) version: u32,
    ask: Ask,
}

static LOADED: OnceLock<Loaded> = OnceLock::new();

/// The driver, opened when it is first asked for; nothing when there is none.
pub(crate) fn driver() -> Option<&'static Loaded> {
    if let Some(loaded) = LOADED.get() {
        return Some(loaded);
    }
    let loaded = open()?;
    Some(LOADED.get_or_init(|| loaded))
}

fn open() -> Option<Loaded> {
    // SAFETY: the name is a C string; what the library's constructors do is the library's affair.
    let handle = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() {
        return None;
    }
    let ask = Ask::of(handle)?;
    let mut number: c_int = 0;
    let get = ask.address(c"cuDriverGetVersion", 2020);
    if get.is_null() {
        return None;
    }
    // SAFETY: the driver gave this address for `cuDriverGetVersion`.
    let get = unsafe { core::mem::transmute::<*const c_void, pfn::cuDriverGetVersion>(get) };
    // SAFETY: `number` is a live `c_int` and the driver writes nothing past it.
    let status = unsafe { get(&raw mut number) };
    let version = u32::try_from(number)
        .ok()
        .filter(|_| status == CUresult::CUDA_SUCCESS)?;
    let mut symbols = Table::SYMBOLS.iter();
    // SAFETY: the driver gave each address for that export name, and is never closed.
    let table = unsafe {
        // A table is bound in the order of its symbols.
        Table::bind(&mut |name| match symbols.next() {
            Some(symbol) if symbol.since.0 <= own::CUDART_VERSION => {
                ask.address(name, symbol.since.0)
            }
            _ => core::ptr::null(),
        })
    };
    Some(Loaded {
        table,
        version,
        ask,
    })
}

/// Asks the driver for the function of a C name, as of a version.
pub(crate) fn ask(
    name: *const c_char,
    version: c_int,
    flags: u64,
) -> (*mut c_void, CUdriverProcAddressQueryResult, CUresult) {
    match driver() {
        Some(loaded) => loaded.ask.get(name, version, flags, true),
        None => (
            core::ptr::null_mut(),
            CUdriverProcAddressQueryResult_enum(0),
            CUresult::CUDA_ERROR_NOT_INITIALIZED,
        ),
    }
}

/// The driver's own way to its functions.
struct Ask {
    first: Option<pfn::cuGetProcAddress>,
    second: Option<pfn::cuGetProcAddress_v2>,
}

impl Ask {
    fn of(handle: *mut c_void) -> Option<Self> {
        let find = |name: &CStr| {
            // SAFETY: the handle is open and the name is a C string.
            unsafe { libc::dlsym(handle, name.as_ptr()) }
        };
        let first = find(c"cuGetProcAddress");
        let second = if super::MAJOR < 12 {
            core::ptr::null_mut()
        } else {
            find(c"cuGetProcAddress_v2")
        };
        // SAFETY: this is the type of the function that libcuda has under this name; null is `None`.
        let first =
            unsafe { core::mem::transmute::<*mut c_void, Option<pfn::cuGetProcAddress>>(first) };
        // SAFETY: as above.
        let second = unsafe {
            core::mem::transmute::<*mut c_void, Option<pfn::cuGetProcAddress_v2>>(second)
        };
        (first.is_some() || second.is_some()).then_some(Self { first, second })
    }

    /// The address of the function with this export name, null when the driver has none.
    ///
    /// The driver is asked for the plain name, as of the version that brought this form of it.
    fn address(&self, export: &CStr, since: u32) -> *const c_void {
        let Ok(name) = export.to_str() else {
            return core::ptr::null();
        };
        let (rest, flags) = match name
            .strip_suffix("_ptds")
            .or_else(|| name.strip_suffix("_ptsz"))
        {
            Some(rest) => (rest, PER_THREAD),
            None => (name, LEGACY),
        };
        let Ok(plain) = CString::new(without_version(rest)) else {
            return core::ptr::null();
        };
        let version = c_int::try_from(since).unwrap_or(c_int::MAX);
        let (found, _, status) = self.get(plain.as_ptr(), version, flags, false);
        if status == CUresult::CUDA_SUCCESS {
            found
        } else {
            core::ptr::null()
        }
    }

    /// The address, why there is none if that is asked for, and the status.
    fn get(
        &self,
        name: *const c_char,
        version: c_int,
        flags: u64,
        with_reason: bool,
    ) -> (*mut c_void, CUdriverProcAddressQueryResult, CUresult) {
        let mut found: *mut c_void = core::ptr::null_mut();
        let mut why = CUdriverProcAddressQueryResult_enum(0);
        let reason = if with_reason {
            &raw mut why
        } else {
            core::ptr::null_mut()
        };
        let status = match (self.second, self.first) {
            (Some(get), _) => {
                // SAFETY: the name is a C string; the places are live and of the size that the driver writes, or null.
                unsafe { get(name, &raw mut found, version, flags, reason) }
            }
            (None, Some(get)) => {
                // SAFETY: as above.
                unsafe { get(name, &raw mut found, version, flags) }
            }
            (None, None) => CUresult::CUDA_ERROR_NOT_INITIALIZED,
        };
        (found, why, status)
    }
}

/// `cuMemAlloc` of `cuMemAlloc_v2`.
fn without_version(name: &str) -> &str {
    match name.rsplit_once("_v") {
        Some((plain, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => plain,
        _ => name,
    }
}
