//! Code: load it, look its functions and variables up, launch it.

use core::ffi::{c_uint, c_void};
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::driver::{CUfunction, CUfunction_attribute, CUjit_option, CUmodule};

use crate::context::Context;
use crate::device::c_text;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::{Bytes, DeviceSlice, DeviceSliceMut};
use crate::pointer::{Address, AddressRange};
use crate::stream::Stream;

/// Code that was loaded.
///
/// Driver API: `cuModuleLoadDataEx` and its sisters, and `cuModuleUnload` on drop.
#[doc(alias = "cuModuleLoadDataEx")]
pub struct Module {
    context: Context,
    raw: CUmodule,
}

// SAFETY: a module may be used from every thread.
unsafe impl Send for Module {}
// SAFETY: as above; sharing it only lets things be looked up.
unsafe impl Sync for Module {}

/// Room for what the compiler of PTX says of a mistake.
const LOG: usize = 8192;

impl Module {
    /// Compiles and loads PTX.
    ///
    /// Driver API: `cuModuleLoadDataEx`. What the compiler says of a mistake is attached to the error.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 218 for PTX that does not compile, 222 for PTX that is too new, 801 from the
    /// simulator.
    #[doc(alias = "cuModuleLoadDataEx")]
    #[doc(alias = "cuModuleLoadData")]
    pub fn from_ptx(context: &Context, ptx: &str) -> Result<Self> {
        let text = c_text("cuModuleLoadDataEx", ptx)?;
        // SAFETY: PTX is a text that ends with a zero byte, and the compiler refuses what is none.
        unsafe { Self::load(context, text.as_ptr().cast()) }
    }

    /// Loads a cubin or a fat binary that lies in memory.
    ///
    /// Driver API: `cuModuleLoadDataEx`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 200 for an image that is none, 209 for one without code for this device.
    ///
    /// # Safety
    ///
    /// The image is a whole cubin, fat binary or PTX with its zero byte: C is told no length, and reads as
    /// far as the image says.
    #[doc(alias = "cuModuleLoadFatBinary")]
    pub unsafe fn from_image(context: &Context, image: &[u8]) -> Result<Self> {
        // SAFETY: the caller answers for the image.
        unsafe { Self::load(context, image.as_ptr().cast()) }
    }

    /// Loads an image.
    ///
    /// # Safety
    ///
    /// As [`Module::from_image`].
    unsafe fn load(context: &Context, image: *const c_void) -> Result<Self> {
        let api = context.api();
        let mut log = vec![0_u8; LOG];
        let mut options = [
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER,
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        ];
        let mut values: [*mut c_void; 2] =
            [log.as_mut_ptr().cast(), ptr::without_provenance_mut(LOG)];
        let mut raw = ptr::null_mut();
        let entered = context.enter()?;
        let (options, values) = (options.as_mut_ptr(), values.as_mut_ptr());
        // SAFETY: two options with their values, and room for the log; the caller answers for the image.
        let status = unsafe { api.cuModuleLoadDataEx(&raw mut raw, image, 2, options, values) };
        drop(entered);
        check!(api, cuModuleLoadDataEx, status, image)
            .map_err(|error| error.with_log(said_in(&log)))?;
        Ok(Self {
            context: context.clone(),
            raw,
        })
    }

    /// Loads a file: PTX, a cubin or a fat binary.
    ///
    /// Driver API: `cuModuleLoad`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 301 for a file that is not there.
    #[doc(alias = "cuModuleLoad")]
    pub fn from_file(context: &Context, file: &Path) -> Result<Self> {
        let api = context.api();
        let name = CString::new(file.as_os_str().as_bytes()).map_err(|zero| {
            misuse(
                "cuModuleLoad",
                Misuse::ZeroByte {
                    position: zero.nul_position(),
                },
            )
        })?;
        let mut raw = ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: `raw` is a live out parameter and `name` a C string; the driver reads the file itself.
        let status = unsafe { api.cuModuleLoad(&raw mut raw, name.as_ptr()) };
        drop(entered);
        check!(
            api,
            cuModuleLoad,
            status,
            file = file.to_string_lossy().as_ref()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
        })
    }

    /// Owns code that something else loaded.
    ///
    /// # Safety
    ///
    /// `raw` is live, was loaded for `context`, and nobody else unloads it.
    #[must_use]
    pub unsafe fn from_raw(context: &Context, raw: CUmodule) -> Self {
        Self {
            context: context.clone(),
            raw,
        }
    }

    /// Gives the code away: the caller unloads it.
    #[must_use = "nobody else unloads the code"]
    pub fn into_raw(self) -> CUmodule {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.context) };
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUmodule {
        self.raw
    }

    /// Looks a kernel up.
    ///
    /// Driver API: `cuModuleGetFunction`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 500 where there is none of that name.
    #[doc(alias = "cuModuleGetFunction")]
    pub fn function(&self, name: &str) -> Result<Function<'_>> {
        let api = self.context.api();
        let text = c_text("cuModuleGetFunction", name)?;
        let mut raw = ptr::null_mut();
        let entered = self.context.enter()?;
        // SAFETY: `raw` is a live out parameter and `text` a C string; the module is loaded.
        let status = unsafe { api.cuModuleGetFunction(&raw mut raw, self.raw, text.as_ptr()) };
        drop(entered);
        check!(api, cuModuleGetFunction, status, name)?;
        Ok(Function { module: self, raw })
    }

    /// A variable as device memory, to read from: every copy takes it. This is what copies from a symbol are
    /// without the host's shadow of the variable, which only nvcc makes.
    ///
    /// Driver API: `cuModuleGetGlobal_v2`.
    ///
    /// # Errors
    ///
    /// As [`Module::global`], and [`Misuse::OutOfRange`] for a variable that is no whole number of elements.
    #[doc(alias = "cuModuleGetGlobal")]
    #[doc(alias = "cudaMemcpyFromSymbol")]
    pub fn variable<T: AnyBitPattern>(&self, name: &str) -> Result<DeviceSlice<'_, T>> {
        let (address, len) = self.elements::<T>(name)?;
        // SAFETY: the variable lives as long as the module, which is borrowed, and has that many elements.
        Ok(unsafe { DeviceSlice::from_raw_parts(&self.context, address, len) })
    }

    /// A variable as device memory, to write to: every copy takes it. This is what copies to a symbol are
    /// without the host's shadow of the variable, which only nvcc makes.
    ///
    /// Driver API: `cuModuleGetGlobal_v2`.
    ///
    /// # Errors
    ///
    /// As [`Module::variable`].
    #[doc(alias = "cuModuleGetGlobal")]
    #[doc(alias = "cudaMemcpyToSymbol")]
    pub fn variable_mut<T: AnyBitPattern>(&mut self, name: &str) -> Result<DeviceSliceMut<'_, T>> {
        let (address, len) = self.elements::<T>(name)?;
        // SAFETY: the variable lives as long as the module, which is borrowed, and has that many elements.
        Ok(unsafe { DeviceSliceMut::from_raw_parts(&self.context, address, len) })
    }

    fn elements<T>(&self, name: &str) -> Result<(Address, usize)> {
        let range = self.global(name)?;
        let len = range.size.0.checked_div(size_of::<T>()).unwrap_or(0);
        if len.saturating_mul(size_of::<T>()) != range.size.0 {
            let misused = Misuse::OutOfRange {
                start: 0,
                end: range.size.0,
                len: len.saturating_mul(size_of::<T>()),
            };
            return Err(misuse("cuModuleGetGlobal_v2", misused));
        }
        Ok((range.base, len))
    }

    /// Looks a variable up.
    ///
    /// Driver API: `cuModuleGetGlobal_v2`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 500 where there is none of that name.
    #[doc(alias = "cuModuleGetGlobal")]
    pub fn global(&self, name: &str) -> Result<AddressRange> {
        let api = self.context.api();
        let text = c_text("cuModuleGetGlobal_v2", name)?;
        let (mut base, mut size) = (0, 0);
        let entered = self.context.enter()?;
        // SAFETY: two live out parameters and a C string; the module is loaded.
        let status = unsafe {
            api.cuModuleGetGlobal_v2(&raw mut base, &raw mut size, self.raw, text.as_ptr())
        };
        drop(entered);
        check!(api, cuModuleGetGlobal_v2, status, name)?;
        Ok(AddressRange {
            base: Address(base),
            size: Bytes(size),
        })
    }
}

/// What a C text of fixed room says, where it says something.
fn said_in(log: &[u8]) -> Option<String> {
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let said = String::from_utf8_lossy(log.get(..end)?).trim().to_owned();
    if said.is_empty() { None } else { Some(said) }
}

impl Drop for Module {
    fn drop(&mut self) {
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            // SAFETY: loaded once, unloaded once; functions borrow the module and are gone.
            let status = unsafe { api.cuModuleUnload(self.raw) };
            drop(entered);
            check!(api, cuModuleUnload, status, module = self.raw)
        }));
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("raw", &self.raw).finish()
    }
}

/// A kernel of a module.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    module: &'a Module,
    raw: CUfunction,
}

/// How many threads run a kernel, and in which shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// Blocks of the grid.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Shared memory that is not declared in the code.
    pub shared: u32,
}

impl Launch {
    /// At least `threads` threads in a row, in blocks of `block`.
    #[must_use]
    pub const fn threads(threads: u32, block: u32) -> Self {
        let block = if block == 0 { 1 } else { block };
        Self {
            grid: [threads.div_ceil(block), 1, 1],
            block: [block, 1, 1],
            shared: 0,
        }
    }
}

/// An argument of a kernel: a value of its parameter's type.
#[derive(Debug, Clone, Copy)]
pub struct KernelArgument<'a> {
    value: *const c_void,
    marker: PhantomData<&'a ()>,
}

impl<'a, T: NoUninit> From<&'a T> for KernelArgument<'a> {
    fn from(value: &'a T) -> Self {
        Self {
            value: (&raw const *value).cast(),
            marker: PhantomData,
        }
    }
}

impl Function<'_> {
    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUfunction {
        self.raw
    }

    /// One attribute, by its C name.
    ///
    /// Driver API: `cuFuncGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuFuncGetAttribute")]
    pub fn attribute(&self, attribute: CUfunction_attribute) -> Result<i32> {
        let api = self.module.context.api();
        let mut value = 0;
        let entered = self.module.context.enter()?;
        // SAFETY: `value` is a live out parameter, and the module is loaded.
        let status = unsafe { api.cuFuncGetAttribute(&raw mut value, attribute, self.raw) };
        drop(entered);
        check!(api, cuFuncGetAttribute, status, attribute = attribute.0)?;
        Ok(value)
    }

    /// Runs the kernel when the stream comes to it.
    ///
    /// Driver API: `cuLaunchKernel`. The arguments are copied before this returns.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a shape that the device does not have, 801 from the simulator.
    ///
    /// # Safety
    ///
    /// The arguments have the number and the types of the kernel's parameters, and whatever the kernel
    /// does with them is allowed: what it reads and writes is alive until the stream has done it, the module
    /// included, and no reference of Rust's forbids it.
    #[doc(alias = "cuLaunchKernel")]
    pub unsafe fn launch(
        &self,
        launch: Launch,
        stream: &Stream,
        arguments: &[KernelArgument<'_>],
    ) -> Result<()> {
        let api = self.module.context.api();
        let mut values: Vec<*mut c_void> = arguments
            .iter()
            .map(|argument| argument.value.cast_mut())
            .collect();
        let ([gx, gy, gz], [bx, by, bz]): ([c_uint; 3], [c_uint; 3]) = (launch.grid, launch.block);
        let (shared, handle, values) = (launch.shared, stream.as_raw(), values.as_mut_ptr());
        let entered = self.module.context.enter()?;
        // SAFETY: one live value per argument; the caller answers for the rest.
        let status = unsafe {
            api.cuLaunchKernel(
                self.raw,
                gx,
                gy,
                gz,
                bx,
                by,
                bz,
                shared,
                handle,
                values,
                ptr::null_mut(),
            )
        };
        drop(entered);
        check!(
            api,
            cuLaunchKernel,
            status,
            gx,
            gy,
            gz,
            bx,
            by,
            bz,
            shared,
            stream = handle
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_has_enough_blocks() {
        assert_eq!(Launch::threads(1000, 256).grid, [4, 1, 1]);
        assert_eq!(Launch::threads(1024, 256).grid, [4, 1, 1]);
        assert_eq!(Launch::threads(3, 0).block, [1, 1, 1]);
    }

    #[test]
    fn a_log_ends_at_its_zero_byte() {
        assert_eq!(
            said_in(b"ptxas error\n\0\0\0").as_deref(),
            Some("ptxas error")
        );
        assert_eq!(said_in(&[0; 4]), None);
    }
}
