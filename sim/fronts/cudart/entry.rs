//! What every exported function passes through.

use core::cell::Cell;
use core::ffi::CStr;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use cuda_sys::driver::{CUresult, Table};
use cuda_sys::runtime::{cudaError, cudaError_t};

use super::{loaded, primary};

/// How a call went. The code of a failure becomes the thread's last error.
pub(crate) type Answer = Result<(), cudaError_t>;

/// Which default stream a null handle means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The one stream that waits for all others.
    Legacy,
    /// The calling thread's own: the `_ptds` and `_ptsz` names.
    PerThread,
}

/// One call of the runtime, with the driver that it goes to.
pub(crate) struct Call {
    pub(crate) table: &'static Table,
    pub(crate) mode: Mode,
}

impl Call {
    /// Every call but those that only name things begins so: with the driver loaded and initialised.
    pub(crate) fn enter(mode: Mode) -> Result<Self, cudaError_t> {
        let insufficient = cudaError_t::cudaErrorInsufficientDriver;
        let loaded = loaded::driver().ok_or(insufficient)?;
        if loaded.version / 1000 < super::MAJOR {
            return Err(insufficient);
        }
        let call = Self {
            table: &loaded.table,
            mode,
        };
        call.ready()?;
        Ok(call)
    }

    /// The runtime's answer to what the driver answered.
    pub(crate) fn check(&self, name: &'static str, status: CUresult) -> Answer {
        match status {
            CUresult::CUDA_SUCCESS => Ok(()),
            CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND if !self.table.has(name) => {
                say_once(name);
                Err(cudaError_t::cudaErrorNotSupported)
            }
            // The numbers are the same since CUDA 10.1.
            status => Err(cudaError(status.0)),
        }
    }
}

/// Calls a function of the driver, in the form that the call's default stream asks for.
macro_rules! driver {
    ($call:ident.$function:ident($($argument:expr),* $(,)?)) => {{
        let table = $call.table;
        let status = match $call.mode {
            $crate::cudart::entry::Mode::Legacy => {
                // SAFETY: whoever called the runtime keeps the contract that the driver's function shares.
                unsafe { table.$function($($argument),*) }
            }
            $crate::cudart::entry::Mode::PerThread => {
                // SAFETY: as above.
                unsafe { table.per_thread().$function($($argument),*) }
            }
        };
        $call.check(stringify!($function), status)
    }};
}
pub(crate) use driver;

thread_local! {
    static LAST: Cell<u32> = const { Cell::new(0) };
}

/// Runs a call and keeps the code of a failure as the thread's last error.
pub(crate) fn answer(
    _name: &'static CStr,
    mode: Mode,
    body: impl Fn(&Call) -> Answer,
) -> cudaError_t {
    let run = || Call::enter(mode).and_then(|call| body(&call));
    let mut answer = run();
    if answer.is_err_and(lost_its_context) && primary::doubt() {
        // Nothing was done: the program has taken the context away through the driver.
        answer = run();
    }
    match answer {
        Ok(()) => cudaError_t::cudaSuccess,
        Err(code) => {
            // Work that is not done yet is not an error.
            if code != cudaError_t::cudaErrorNotReady {
                keep(code);
            }
            code
        }
    }
}

/// Whether the driver had no context for the call.
fn lost_its_context(code: cudaError_t) -> bool {
    let (none, destroyed) = (
        cudaError_t::cudaErrorDeviceUninitialized,
        cudaError_t::cudaErrorContextIsDestroyed,
    );
    code == none || code == destroyed
}

/// Makes `code` the last error of this thread.
pub(crate) fn keep(code: cudaError_t) {
    LAST.set(code.0);
}

/// The last error of this thread.
pub(crate) fn last() -> cudaError_t {
    cudaError(LAST.get())
}

/// What is not simulated: says so once per function.
pub(crate) fn unsupported(name: &'static CStr) -> cudaError_t {
    answer(name, Mode::Legacy, |_| {
        say_once(&name.to_string_lossy());
        Err(cudaError_t::cudaErrorNotSupported)
    })
}

/// Writes one line about a function that is not simulated, unless the simulator is asked to be quiet.
pub(crate) fn say_once(name: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let first = SAID
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(name.to_owned());
    if first && !quiet() {
        // A program whose stderr is gone has nobody to tell.
        drop(writeln!(
            std::io::stderr(),
            "cuwhy-sim: {name} is not simulated and answers 801 (CUWHY_SIM=quiet silences this)"
        ));
    }
}

/// Whether the simulator's variable holds the word `quiet`.
fn quiet() -> bool {
    let text = std::env::var("CUWHY_SIM").unwrap_or_default();
    let text = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).unwrap_or_default(),
        None => text,
    };
    let words = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().split(','));
    let mut words = words
        .map(str::trim)
        .map(|pair| pair.split_once('=').unwrap_or((pair, "on")));
    words
        .rfind(|(key, _)| key.trim() == "quiet")
        .is_some_and(|(_, value)| value.trim() == "on")
}

/// Writes an answer where the caller wants it.
///
/// # Errors
///
/// `cudaErrorInvalidValue` for a null place.
///
/// # Safety
///
/// `place` is null or the caller's, for a value of this type.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) -> Answer {
    if place.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    // SAFETY: the caller's place, and not null.
    unsafe { place.write_unaligned(value) };
    Ok(())
}

/// Reads what the caller points to.
///
/// # Errors
///
/// `cudaErrorInvalidValue` for a null place.
///
/// # Safety
///
/// `place` is null or the caller's, with a value of this type.
pub(crate) unsafe fn get<T: Copy>(place: *const T) -> Result<T, cudaError_t> {
    if place.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    // SAFETY: the caller's place, and not null.
    Ok(unsafe { place.read_unaligned() })
}

/// The same C value under the driver's name for its type.
///
/// # Safety
///
/// Both types are C's of the same size: handles, addresses, numbers, enumerations, or structs of one layout.
pub(crate) unsafe fn pass<A: Copy, B: Copy>(value: A) -> B {
    const { assert!(size_of::<A>() == size_of::<B>()) };
    // SAFETY: the sizes are equal, and any bits are a value of a C type.
    unsafe { core::mem::transmute_copy(&value) }
}

/// Whether there is a driver for this runtime; its lack becomes the last error.
pub(crate) fn enter() -> Answer {
    Call::enter(Mode::Legacy)
        .map(|_| ())
        .inspect_err(|code| keep(*code))
}
