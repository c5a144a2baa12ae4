//! The driver API: `libcuda.so.1`.
//!
//! Types and constants have their C names; an enumeration is a newtype with
//! associated constants, because a newer driver may return a number that these
//! bindings have never heard of. Functions have their *export* names
//! (`cuMemAlloc_v2`), as the library carries them.

use core::ffi::{c_int, c_void};
use core::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;

pub use crate::generated::driver::table::{PerThread, Table, pfn};
pub use crate::generated::driver::types::*;
use crate::loader::{LibraryName, LoadError, LoadedFile, Opened, candidates, open_first};
use crate::{MissingSymbol, Symbol, Version};

/// The names under which the system's loader knows the driver.
const NAMES: [&str; 1] = ["libcuda.so.1"];

static INSTANCE: OnceLock<&'static Driver> = OnceLock::new();
static OPENED: Opened<Driver> = Opened::new();

/// A loaded driver library with its table of functions.
///
/// Loading calls `cuDriverGetVersion` and nothing else: CUDA is not initialised.
#[derive(Debug)]
pub struct Driver {
    table: Table,
    file: LoadedFile,
    version: Version,
}

impl Driver {
    /// The driver of this process, opened when it is first asked for.
    ///
    /// A failure is not kept: a library that appears later is found later.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with every candidate that was tried.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use cuda_sys::driver::{CUresult, Driver};
    ///
    /// let driver = Driver::get()?;
    /// // SAFETY: `cuInit` may be called at any time.
    /// assert_eq!(unsafe { driver.cuInit(0) }, CUresult::CUDA_SUCCESS);
    /// let mut count = 0;
    /// // SAFETY: `count` is a live `c_int` and the driver writes nothing past it.
    /// assert_eq!(unsafe { driver.cuDeviceGetCount(&raw mut count) }, CUresult::CUDA_SUCCESS);
    /// # Ok::<(), cuda_sys::LoadError>(())
    /// ```
    pub fn get() -> Result<&'static Self, LoadError> {
        if let Some(driver) = INSTANCE.get() {
            return Ok(driver);
        }
        let driver = Self::load(None)?;
        Ok(INSTANCE.get_or_init(|| driver))
    }

    /// Opens the driver from this file and no other.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when the file cannot be opened, is the toolkit's stub or is another library.
    pub fn open(file: &Path) -> Result<&'static Self, LoadError> {
        Self::load(Some(file))
    }

    fn load(explicit: Option<&Path>) -> Result<&'static Self, LoadError> {
        let library = LibraryName::Cuda;
        let candidates = candidates(library, explicit, || NAMES.to_vec());
        let (handle, file, version) = open_first(
            library,
            candidates,
            c"cuDriverGetVersion",
            |_, address, path| {
                // SAFETY: it is the address of the function of this name.
                let ask = unsafe {
                    core::mem::transmute::<*const c_void, pfn::cuDriverGetVersion>(address)
                };
                let mut version: c_int = 0;
                // SAFETY: `version` is a live `c_int` and the driver writes nothing past it.
                let status = unsafe { ask(&raw mut version) };
                if status == CUresult::CUDA_ERROR_STUB_LIBRARY {
                    return Err(LoadError::Stub {
                        path: path.to_path_buf(),
                        attempts: Vec::new(),
                    });
                }
                Ok(Version(version.try_into().unwrap_or_default()))
            },
        )?;
        Ok(OPENED.keep(handle, || Self {
            // SAFETY: the names are libcuda's and so are the functions; the library is never closed.
            table: unsafe { Table::of(handle, |_| true) },
            file,
            version,
        }))
    }

    /// The newest CUDA version that this driver supports: `cuDriverGetVersion`.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Which file was loaded, how it was found and what was tried before.
    #[must_use]
    pub fn file(&self) -> &LoadedFile {
        &self.file
    }

    /// The function of this export name, when the driver has it.
    ///
    /// # Errors
    ///
    /// [`MissingSymbol`]: since when the function exists and for which version this driver is.
    pub fn find(&self, name: &str) -> Result<Symbol, MissingSymbol> {
        self.table.find(name).map_err(|missing| MissingSymbol {
            library: Some((LibraryName::Cuda, self.version)),
            ..missing
        })
    }
}

impl Deref for Driver {
    type Target = Table;

    #[inline]
    fn deref(&self) -> &Table {
        &self.table
    }
}
