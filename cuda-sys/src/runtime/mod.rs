//! The runtime API: `libcudart.so.11.0`, `.12` and `.13`.
//!
//! Here is what all three majors share: types with one definition, and in
//! [`Table`] every function with one signature. What differs is reachable only
//! through its own major - [`v11`], [`v12`], [`v13`] -, which the loaded
//! library is asked for before its first call and which no file name decides.
//!
//! Two functions whose struct grew between majors have a form here that always
//! brings the right buffer: [`Runtime::pointer_attributes`] and
//! [`Runtime::device_properties`]. Calling libcudart 13 with the struct of
//! CUDA 12 would overwrite the caller's stack.

mod any;
mod major;

/// What CUDA 11 has for itself; made from the headers of 11.8.
pub mod v11 {
    pub use crate::generated::runtime_v11::table::{PerThread, Table, pfn};
    pub use crate::generated::runtime_v11::types::*;
}

/// What CUDA 12 has for itself; made from the headers of 12.9.
pub mod v12 {
    pub use crate::generated::runtime_v12::table::{PerThread, Table, pfn};
    pub use crate::generated::runtime_v12::types::*;
}

/// What CUDA 13 has for itself; made from the newest headers of 13.
pub mod v13 {
    pub use crate::generated::runtime_v13::table::{PerThread, Table, pfn};
    pub use crate::generated::runtime_v13::types::*;
}

use core::ffi::c_int;
use core::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;

use crate::driver::Driver;
pub use crate::generated::runtime::table::{PerThread, Table, pfn};
pub use crate::generated::runtime::types::*;
use crate::loader::{LibraryName, LoadError, LoadedFile, Opened, candidates, open_first};
use crate::{MissingSymbol, Symbol, Version};
pub use any::{DeviceProperties, PointerAttributes};
pub use major::Major;
use major::OfMajor;

static INSTANCE: OnceLock<&'static Runtime> = OnceLock::new();
static OPENED: Opened<Runtime> = Opened::new();

/// A loaded runtime library with its tables of functions.
///
/// It dereferences to the [`Table`] that all majors share.
///
/// Loading calls nothing where the library's symbol version tells its major,
/// which it does in every release from 11.7 to 13.5.
#[derive(Debug)]
pub struct Runtime {
    table: Table,
    own: OfMajor,
    file: LoadedFile,
    version: OnceLock<Version>,
}

impl Runtime {
    /// The runtime of this process, opened when it is first asked for.
    ///
    /// Of several majors the newest that the driver supports is taken, unless
    /// this process has one mapped already. A failure is not kept.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with every candidate that was tried.
    pub fn get() -> Result<&'static Self, LoadError> {
        if let Some(runtime) = INSTANCE.get() {
            return Ok(runtime);
        }
        let runtime = Self::load(None)?;
        Ok(INSTANCE.get_or_init(|| runtime))
    }

    /// Opens the runtime from this file and no other.
    ///
    /// # Errors
    ///
    /// [`LoadError`] when the file cannot be opened, is another library or of an unknown major.
    pub fn open(file: &Path) -> Result<&'static Self, LoadError> {
        Self::load(Some(file))
    }

    fn load(explicit: Option<&Path>) -> Result<&'static Self, LoadError> {
        let library = LibraryName::Cudart;
        let candidates = candidates(library, explicit, names);
        let (handle, file, major) = open_first(
            library,
            candidates,
            c"cudaMemcpy",
            |handle, _, path| match major::of(handle) {
                Ok(Some(major)) => Ok(major),
                Ok(None) => Err(LoadError::UnsupportedMajor {
                    path: path.to_path_buf(),
                    major: None,
                }),
                Err(major) => Err(LoadError::UnsupportedMajor {
                    path: path.to_path_buf(),
                    major,
                }),
            },
        )?;
        Ok(OPENED.keep(handle, || Self {
            // A library keeps old functions under names that mean others in a later major:
            // `cudaSignalExternalSemaphoresAsync` of 11 and 12 takes the structs of 11.1.
            // SAFETY: the names are libcudart's, these functions have one signature in
            // every major that has them, and the library is never closed.
            table: unsafe { Table::of(handle, |symbol| major.has(symbol)) },
            own: OfMajor::bind(major, handle),
            file,
            version: OnceLock::new(),
        }))
    }

    /// The major version of CUDA that the loaded library belongs to.
    #[must_use]
    pub fn major(&self) -> Major {
        self.own.major()
    }

    /// The version of the loaded library: `cudaRuntimeGetVersion`.
    ///
    /// The library of CUDA 11 answers only with a driver; without one this is the major alone.
    #[must_use]
    pub fn version(&self) -> Version {
        if let Some(version) = self.version.get() {
            return *version;
        }
        let mut version: c_int = 0;
        // SAFETY: `version` is a live `c_int` and the library writes nothing past it.
        let status = unsafe { self.table.cudaRuntimeGetVersion(&raw mut version) };
        match u32::try_from(version) {
            Ok(number) if status == cudaError_t::cudaSuccess && number > 0 => {
                *self.version.get_or_init(|| Version(number))
            }
            _ => self.major().version(),
        }
    }

    /// Which file was loaded, how it was found and what was tried before.
    #[must_use]
    pub fn file(&self) -> &LoadedFile {
        &self.file
    }

    /// What CUDA 11 has for itself; `None` when another major is loaded.
    #[must_use]
    #[inline]
    pub fn v11(&self) -> Option<&v11::Table> {
        match &self.own {
            OfMajor::V11(table) => Some(table),
            _ => None,
        }
    }

    /// What CUDA 12 has for itself; `None` when another major is loaded.
    #[must_use]
    #[inline]
    pub fn v12(&self) -> Option<&v12::Table> {
        match &self.own {
            OfMajor::V12(table) => Some(table),
            _ => None,
        }
    }

    /// What CUDA 13 has for itself; `None` when another major is loaded.
    #[must_use]
    #[inline]
    pub fn v13(&self) -> Option<&v13::Table> {
        match &self.own {
            OfMajor::V13(table) => Some(table),
            _ => None,
        }
    }

    /// Whether the library has the function of this name, shared or of its major, and these bindings call it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// The function of this name, when the library has it, shared or of its major.
    ///
    /// # Errors
    ///
    /// [`MissingSymbol`]: in which versions the function exists and which one this library is.
    pub fn find(&self, name: &str) -> Result<Symbol, MissingSymbol> {
        let shared = match self.table.find(name) {
            Ok(symbol) => return Ok(symbol),
            Err(missing) => missing,
        };
        let found = match self.own.find(name) {
            Ok(symbol) => return Ok(symbol),
            Err(own) if own.symbol.is_none() => shared,
            Err(own) => own,
        };
        // A function that only another major has is known there.
        let symbol = found.symbol.or_else(|| major::anywhere(name));
        let library = Some((LibraryName::Cudart, self.version()));
        Err(MissingSymbol {
            symbol,
            library,
            ..found
        })
    }

    /// Every function that these bindings know for the loaded library's major.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        Table::SYMBOLS.iter().chain(self.own.symbols()).copied()
    }

    /// The functions that the library lacks although its major has them.
    pub fn absent(&self) -> impl Iterator<Item = Symbol> {
        let newest = self.major().newest();
        let of_major = move |symbol: &Symbol| {
            symbol.since <= newest
                && symbol
                    .until
                    .is_none_or(|until| until.major() >= newest.major())
        };
        self.table
            .absent()
            .chain(self.own.absent())
            .filter(of_major)
    }

    /// Whether `status` means that there is no driver at all, and not that it is too old.
    ///
    /// libcudart says 35 ("CUDA driver version is insufficient") for both;
    /// `cudaDriverGetVersion` answers 0 when there is none.
    #[must_use]
    pub fn no_driver(&self, status: cudaError_t) -> bool {
        if status != cudaError_t::cudaErrorInsufficientDriver {
            return false;
        }
        let mut version: c_int = -1;
        // SAFETY: `version` is a live `c_int` and the library writes nothing past it.
        let answer = unsafe { self.table.cudaDriverGetVersion(&raw mut version) };
        answer == cudaError_t::cudaSuccess && version == 0
    }
}

impl Deref for Runtime {
    type Target = Table;

    #[inline]
    fn deref(&self) -> &Table {
        &self.table
    }
}

/// The names to try: the newest major that the driver supports first, then whatever is called
/// `libcudart.so`.
fn names() -> Vec<&'static str> {
    let supported = Driver::get().map(Driver::version).ok();
    let majors = Major::ALL.into_iter().rev();
    let fitting = majors.filter(|major| supported.is_none_or(|driver| major.version() <= driver));
    fitting.map(Major::soname).chain(["libcudart.so"]).collect()
}
