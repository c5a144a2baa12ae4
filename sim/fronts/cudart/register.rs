//! Variables and kernels that a program announces when it is loaded.
//!
//! A compiler puts calls of `__cudaRegister…` into the constructors of every
//! program with device code. The code itself stays a closed book here; what
//! counts is that each variable has a name and a size. For each program image
//! and context a module is loaded that declares just these variables, so that
//! the driver gives them addresses as it does on hardware.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::fmt::Write as _;
use core::ptr;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cuda_sys::driver::{CUcontext, CUdeviceptr, CUmodule};
use cuda_sys::runtime::{cudaError_t, dim3};

use super::entry::{Answer, Call, driver, put};

/// A variable of a program image.
struct Variable {
    image: usize,
    name: CString,
    size: usize,
    /// Whether the host's side is a pointer to managed memory.
    managed: bool,
    constant: bool,
}

/// What has been announced.
#[derive(Default)]
struct Announced {
    images: usize,
    /// By the host's address.
    variables: BTreeMap<usize, Variable>,
    functions: BTreeMap<usize, CString>,
    /// Modules by context and image.
    modules: BTreeMap<(usize, usize), usize>,
}

static ANNOUNCED: Mutex<Option<Announced>> = Mutex::new(None);

fn announced<R>(with: impl FnOnce(&mut Announced) -> R) -> R {
    let mut guard: MutexGuard<'_, Option<Announced>> =
        ANNOUNCED.lock().unwrap_or_else(PoisonError::into_inner);
    with(guard.get_or_insert_default())
}

/// Begins a program image; the handle is a number that no address has.
pub(crate) unsafe fn __cudaRegisterFatBinary(_image: *mut c_void) -> *mut *mut c_void {
    announced(|all| {
        all.images += 1;
        ptr::without_provenance_mut(all.images * size_of::<usize>())
    })
}

pub(crate) unsafe fn __cudaRegisterFatBinaryEnd(_handle: *mut *mut c_void) {}

/// Forgets a program image.
pub(crate) unsafe fn __cudaUnregisterFatBinary(handle: *mut *mut c_void) {
    let image = handle.addr();
    announced(|all| {
        all.variables.retain(|_, variable| variable.image != image);
        all.modules.retain(|(_, of), _| *of != image);
    });
}

fn announce(
    handle: *mut *mut c_void,
    host: usize,
    name: *const c_char,
    size: usize,
    constant: bool,
    managed: bool,
) {
    if name.is_null() {
        return;
    }
    // SAFETY: the compiler gives a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_owned();
    let variable = Variable {
        image: handle.addr(),
        name,
        size,
        managed,
        constant,
    };
    announced(|all| {
        // A module that was made before does not have this variable.
        all.modules.retain(|(_, image), _| *image != variable.image);
        all.variables.insert(host, variable)
    });
}

pub(crate) unsafe fn __cudaRegisterVar(
    handle: *mut *mut c_void,
    host: *mut c_char,
    _device_address: *mut c_char,
    name: *const c_char,
    _external: c_int,
    size: usize,
    constant: c_int,
    _global: c_int,
) {
    announce(handle, host.addr(), name, size, constant != 0, false);
}

pub(crate) unsafe fn __cudaRegisterManagedVar(
    handle: *mut *mut c_void,
    host: *mut *mut c_void,
    _device_address: *mut c_char,
    name: *const c_char,
    _external: c_int,
    size: usize,
    _constant: c_int,
    _global: c_int,
) {
    announce(handle, host.addr(), name, size, false, true);
}

pub(crate) unsafe fn __cudaRegisterHostVar(
    _handle: *mut *mut c_void,
    _name: *const c_char,
    _host: *mut c_char,
    _size: usize,
) {
}

pub(crate) unsafe fn __cudaRegisterTexture(
    _handle: *mut *mut c_void,
    _host: *const c_void,
    _device_address: *mut *const c_void,
    _name: *const c_char,
    _dimensions: c_int,
    _normalized: c_int,
    _external: c_int,
) {
}

pub(crate) unsafe fn __cudaRegisterSurface(
    _handle: *mut *mut c_void,
    _host: *const c_void,
    _device_address: *mut *const c_void,
    _name: *const c_char,
    _dimensions: c_int,
    _external: c_int,
) {
}

pub(crate) unsafe fn __cudaRegisterUnifiedTable(_handle: *mut *mut c_void, _table: *mut c_void) {}

pub(crate) unsafe fn __cudaRegisterFunction(
    _handle: *mut *mut c_void,
    host: *const c_char,
    _device: *mut c_char,
    name: *const c_char,
    _limit: c_int,
    _tid: *mut c_void,
    _bid: *mut c_void,
    _block: *mut c_void,
    _grid: *mut c_void,
    _warp: *mut c_int,
) {
    if name.is_null() {
        return;
    }
    // SAFETY: the compiler gives a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_owned();
    announced(|all| all.functions.insert(host.addr(), name));
}

pub(crate) unsafe fn __cudaInitModule(_handle: *mut *mut c_void) -> c_char {
    1
}

/// The name of an announced kernel.
pub(crate) fn function(host: *const c_void) -> Option<*const c_char> {
    // A program image that is gone takes its names along only when the process ends.
    announced(|all| all.functions.get(&host.addr()).map(|name| name.as_ptr()))
}

/// Forgets the modules of a context that is gone: its handle comes back with the next one.
pub(crate) fn forget(context: CUcontext) {
    announced(|all| all.modules.retain(|(of, _), _| *of != context.addr()));
}

/// The address and the size of an announced variable, in the current context.
///
/// # Errors
///
/// `cudaErrorInvalidSymbol` for an address that nobody has announced.
pub(crate) fn symbol(
    call: &Call,
    host: *const c_void,
) -> Result<(CUdeviceptr, usize), cudaError_t> {
    let context = call.context()?.addr();
    let unknown = cudaError_t::cudaErrorInvalidSymbol;
    let wanted = announced(|all| {
        let variable = all.variables.get(&host.addr())?;
        let made = all.modules.get(&(context, variable.image)).copied();
        let text = if made.is_none() {
            all.program(variable.image)
        } else {
            CString::default()
        };
        Some((variable.image, variable.name.clone(), made, text))
    });
    let Some((image, name, made, text)) = wanted else {
        look_at(host);
        return Err(unknown);
    };
    let module: CUmodule = match made {
        Some(module) => ptr::with_exposed_provenance_mut(module),
        None => {
            let mut module: CUmodule = ptr::null_mut();
            driver!(call.cuModuleLoadData(&raw mut module, text.as_ptr().cast()))?;
            announced(|all| {
                all.modules
                    .insert((context, image), module.expose_provenance())
            });
            module
        }
    };
    let (mut address, mut size) = (0, 0);
    driver!(call.cuModuleGetGlobal_v2(&raw mut address, &raw mut size, module, name.as_ptr()))?;
    Ok((address, size))
}

/// Measured: before 13 the runtime reads the word that stands at an address that it does not know.
fn look_at(host: *const c_void) {
    if super::MAJOR >= 13 || host.is_null() {
        return;
    }
    // SAFETY: one load; its fault is a signal, as there.
    unsafe {
        core::arch::asm!("mov {word}, qword ptr [{address}]", address = in(reg) host, word = out(reg) _,
            options(nostack, preserves_flags, readonly));
    }
}

impl Announced {
    /// A program that declares the variables of an image and nothing else.
    fn program(&self, image: usize) -> CString {
        let mut text = String::from(".version 7.0\n.target sm_50\n.address_size 64\n");
        for variable in self
            .variables
            .values()
            .filter(|variable| variable.image == image)
        {
            let space = if variable.constant {
                ".const"
            } else {
                ".global"
            };
            let managed = if variable.managed {
                " .attribute(.managed)"
            } else {
                ""
            };
            let name = variable.name.to_string_lossy();
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                ".visible {space}{managed} .align 16 .b8 {name}[{}];",
                variable.size
            );
        }
        CString::new(text).unwrap_or_default()
    }
}

/// What `<<<…>>>` leaves for the stub that launches.
struct Configuration {
    grid: dim3,
    block: dim3,
    shared: usize,
    stream: usize,
}

thread_local! {
    static PUSHED: core::cell::RefCell<Vec<Configuration>> = const { core::cell::RefCell::new(Vec::new()) };
}

pub(crate) unsafe fn __cudaPushCallConfiguration(
    grid: dim3,
    block: dim3,
    shared: usize,
    stream: *mut c_void,
) -> c_uint {
    let configuration = Configuration {
        grid,
        block,
        shared,
        stream: stream.expose_provenance(),
    };
    PUSHED.with_borrow_mut(|pushed| pushed.push(configuration));
    0
}

pub(crate) unsafe fn __cudaPopCallConfiguration(
    _call: &Call,
    grid: *mut dim3,
    block: *mut dim3,
    shared: *mut usize,
    stream: *mut c_void,
) -> Answer {
    let last = PUSHED
        .with_borrow_mut(Vec::pop)
        .ok_or(cudaError_t::cudaErrorMissingConfiguration)?;
    // SAFETY: the stub's place.
    unsafe { put(grid, last.grid) }?;
    // SAFETY: the stub's place.
    unsafe { put(block, last.block) }?;
    // SAFETY: the stub's place.
    unsafe { put(shared, last.shared) }?;
    // SAFETY: the stub's place for a stream.
    unsafe { put(stream.cast::<usize>(), last.stream) }
}
