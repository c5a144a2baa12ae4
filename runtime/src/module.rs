//! Code: load it, look its functions and variables up, launch it.
//!
//! The runtime can since 12.8 (its library API); an older one answers that the function is missing.

use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::runtime::{cudaJitOption, cudaKernel_t, cudaLibrary_t, dim3};

use crate::device::{Device, c_text};
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::{Bytes, DeviceSlice, DeviceSliceMut};
use crate::pointer::{Address, AddressRange};
use crate::stream::Stream;

/// Code that was loaded.
///
/// Runtime API: `cudaLibraryLoadData` and its sisters, and `cudaLibraryUnload` on drop.
#[doc(alias = "cudaLibraryLoadData")]
pub struct Module {
    device: Device,
    raw: cudaLibrary_t,
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
    /// Runtime API: `cudaLibraryLoadData`. What the compiler says of a mistake is attached to the error.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 218 for PTX that does not compile, 222 for PTX that is too new, 801 from the
    /// simulator.
    #[doc(alias = "cudaLibraryLoadData")]
    pub fn from_ptx(device: &Device, ptx: &str) -> Result<Self> {
        let text = c_text("cudaLibraryLoadData", ptx)?;
        // SAFETY: PTX is a text that ends with a zero byte, and the compiler refuses what is none.
        unsafe { Self::load(device, text.as_ptr().cast()) }
    }

    /// Loads a cubin or a fat binary that lies in memory.
    ///
    /// Runtime API: `cudaLibraryLoadData`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 200 for an image that is none, 209 for one without code for this device.
    ///
    /// # Safety
    ///
    /// The image is a whole cubin, fat binary or PTX with its zero byte: C is told no length, and reads as
    /// far as the image says.
    #[doc(alias = "cudaLibraryLoadData")]
    pub unsafe fn from_image(device: &Device, image: &[u8]) -> Result<Self> {
        // SAFETY: the caller answers for the image.
        unsafe { Self::load(device, image.as_ptr().cast()) }
    }

    /// Loads an image.
    ///
    /// # Safety
    ///
    /// As [`Module::from_image`].
    unsafe fn load(device: &Device, image: *const c_void) -> Result<Self> {
        let api = device.api();
        let mut log = vec![0_u8; LOG];
        let mut options = [
            cudaJitOption::cudaJitErrorLogBuffer,
            cudaJitOption::cudaJitErrorLogBufferSizeBytes,
        ];
        let mut values: [*mut c_void; 2] =
            [log.as_mut_ptr().cast(), ptr::without_provenance_mut(LOG)];
        let mut raw = ptr::null_mut();
        let entered = device.enter()?;
        let (options, values, none) = (options.as_mut_ptr(), values.as_mut_ptr(), ptr::null_mut());
        // SAFETY: two options with their values, and room for the log; the caller answers for the image.
        let status = unsafe {
            api.cudaLibraryLoadData(
                &raw mut raw,
                image,
                options,
                values,
                2,
                none,
                ptr::null_mut(),
                0,
            )
        };
        drop(entered);
        check!(api, cudaLibraryLoadData, status, image)
            .map_err(|error| error.with_log(said_in(&log)))?;
        Ok(Self {
            device: *device,
            raw,
        })
    }

    /// Loads a file: PTX, a cubin or a fat binary.
    ///
    /// Runtime API: `cudaLibraryLoadFromFile`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 301 for a file that is not there.
    #[doc(alias = "cudaLibraryLoadFromFile")]
    pub fn from_file(device: &Device, file: &Path) -> Result<Self> {
        let api = device.api();
        let name = CString::new(file.as_os_str().as_bytes()).map_err(|zero| {
            misuse(
                "cudaLibraryLoadFromFile",
                Misuse::ZeroByte {
                    position: zero.nul_position(),
                },
            )
        })?;
        let mut raw = ptr::null_mut();
        let (no_options, nothing, none) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let entered = device.enter()?;
        // SAFETY: `raw` is a live out parameter and `name` a C string; the driver reads the file itself.
        let status = unsafe {
            api.cudaLibraryLoadFromFile(
                &raw mut raw,
                name.as_ptr(),
                no_options,
                none,
                0,
                nothing,
                none,
                0,
            )
        };
        drop(entered);
        check!(
            api,
            cudaLibraryLoadFromFile,
            status,
            file = file.to_string_lossy().as_ref()
        )?;
        Ok(Self {
            device: *device,
            raw,
        })
    }

    /// Owns code that something else loaded.
    ///
    /// # Safety
    ///
    /// `raw` is live, was loaded for `device`, and nobody else unloads it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: cudaLibrary_t) -> Self {
        Self {
            device: *device,
            raw,
        }
    }

    /// Gives the code away: the caller unloads it.
    #[must_use = "nobody else unloads the code"]
    pub fn into_raw(self) -> cudaLibrary_t {
        let this = ManuallyDrop::new(self);
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> cudaLibrary_t {
        self.raw
    }

    /// Looks a kernel up.
    ///
    /// Runtime API: `cudaLibraryGetKernel`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 500 where there is none of that name.
    #[doc(alias = "cudaLibraryGetKernel")]
    pub fn function(&self, name: &str) -> Result<Function<'_>> {
        let api = self.device.api();
        let text = c_text("cudaLibraryGetKernel", name)?;
        let mut raw = ptr::null_mut();
        let entered = self.device.enter()?;
        // SAFETY: `raw` is a live out parameter and `text` a C string; the module is loaded.
        let status = unsafe { api.cudaLibraryGetKernel(&raw mut raw, self.raw, text.as_ptr()) };
        drop(entered);
        check!(api, cudaLibraryGetKernel, status, name)?;
        Ok(Function { module: self, raw })
    }

    /// A variable as device memory, to read from: every copy takes it. This is what copies from a symbol are
    /// without the host's shadow of the variable, which only nvcc makes.
    ///
    /// Runtime API: `cudaLibraryGetGlobal`.
    ///
    /// # Errors
    ///
    /// As [`Module::global`], and [`Misuse::OutOfRange`] for a variable that is no whole number of elements.
    #[doc(alias = "cudaLibraryGetGlobal")]
    #[doc(alias = "cudaMemcpyFromSymbol")]
    pub fn variable<T: AnyBitPattern>(&self, name: &str) -> Result<DeviceSlice<'_, T>> {
        let (address, len) = self.elements::<T>(name)?;
        // SAFETY: the variable lives as long as the module, which is borrowed, and has that many elements.
        Ok(unsafe { DeviceSlice::from_raw_parts(&self.device, address, len) })
    }

    /// A variable as device memory, to write to: every copy takes it. This is what copies to a symbol are
    /// without the host's shadow of the variable, which only nvcc makes.
    ///
    /// Runtime API: `cudaLibraryGetGlobal`.
    ///
    /// # Errors
    ///
    /// As [`Module::variable`].
    #[doc(alias = "cudaLibraryGetGlobal")]
    #[doc(alias = "cudaMemcpyToSymbol")]
    pub fn variable_mut<T: AnyBitPattern>(&mut self, name: &str) -> Result<DeviceSliceMut<'_, T>> {
        let (address, len) = self.elements::<T>(name)?;
        // SAFETY: the variable lives as long as the module, which is borrowed, and has that many elements.
        Ok(unsafe { DeviceSliceMut::from_raw_parts(&self.device, address, len) })
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
            return Err(misuse("cudaLibraryGetGlobal", misused));
        }
        Ok((range.base, len))
    }

    /// Looks a variable up.
    ///
    /// Runtime API: `cudaModuleGetGlobal`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 500 where there is none of that name.
    #[doc(alias = "cudaLibraryGetGlobal")]
    pub fn global(&self, name: &str) -> Result<AddressRange> {
        let api = self.device.api();
        let text = c_text("cudaLibraryGetGlobal", name)?;
        let (mut base, mut size) = (ptr::null_mut(), 0);
        let entered = self.device.enter()?;
        // SAFETY: two live out parameters and a C string; the module is loaded.
        let status = unsafe {
            api.cudaLibraryGetGlobal(&raw mut base, &raw mut size, self.raw, text.as_ptr())
        };
        drop(entered);
        check!(api, cudaLibraryGetGlobal, status, name)?;
        Ok(AddressRange {
            base: Address::from(base),
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
        let api = self.device.api();
        report_drop(self.device.enter().and_then(|entered| {
            // SAFETY: loaded once, unloaded once; functions borrow the module and are gone.
            let status = unsafe { api.cudaLibraryUnload(self.raw) };
            drop(entered);
            check!(api, cudaLibraryUnload, status, module = self.raw)
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
    raw: cudaKernel_t,
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
    pub fn as_raw(&self) -> cudaKernel_t {
        self.raw
    }

    /// Runs the kernel when the stream comes to it.
    ///
    /// Runtime API: `cudaLaunchKernel`. The arguments are copied before this returns.
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
    #[doc(alias = "cudaLaunchKernel")]
    pub unsafe fn launch(
        &self,
        launch: Launch,
        stream: &Stream,
        arguments: &[KernelArgument<'_>],
    ) -> Result<()> {
        let api = self.module.device.api();
        let mut values: Vec<*mut c_void> = arguments
            .iter()
            .map(|argument| argument.value.cast_mut())
            .collect();
        let ([gx, gy, gz], [bx, by, bz]) = (launch.grid, launch.block);
        let (grid, block) = (
            dim3 {
                x: gx,
                y: gy,
                z: gz,
            },
            dim3 {
                x: bx,
                y: by,
                z: bz,
            },
        );
        let (shared, handle, values) = (launch.shared, stream.as_raw(), values.as_mut_ptr());
        let (kernel, room): (*const c_void, usize) =
            (self.raw.cast_const().cast(), shared as usize);
        let entered = self.module.device.enter()?;
        // SAFETY: one live value per argument; the caller answers for the rest.
        let status = unsafe { api.cudaLaunchKernel(kernel, grid, block, values, room, handle) };
        drop(entered);
        check!(
            api,
            cudaLaunchKernel,
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
