//! Which major of CUDA a libcudart belongs to, and the table that only this major has.

use core::ffi::{CStr, c_int, c_void};
use core::fmt;

use super::{cudaError_t, pfn, v11, v12, v13};
use crate::loader::Handle;
use crate::{MissingSymbol, Symbol, Version};

/// A major version of CUDA whose runtime these bindings know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Major {
    /// CUDA 11.x: `libcudart.so.11.0`.
    V11,
    /// CUDA 12.x: `libcudart.so.12`.
    V12,
    /// CUDA 13.x: `libcudart.so.13`.
    V13,
}

impl Major {
    /// Every known major, the oldest first.
    pub const ALL: [Self; 3] = [Self::V11, Self::V12, Self::V13];

    /// Its first version: 12.0 for 12.
    #[must_use]
    pub const fn version(self) -> Version {
        match self {
            Major::V11 => Version::new(11, 0),
            Major::V12 => Version::new(12, 0),
            Major::V13 => Version::new(13, 0),
        }
    }

    /// The newest version of it whose headers these bindings were made from.
    #[must_use]
    pub const fn newest(self) -> Version {
        match self {
            Major::V11 => Version(v11::CUDART_VERSION),
            Major::V12 => Version(v12::CUDART_VERSION),
            Major::V13 => Version(v13::CUDART_VERSION),
        }
    }

    /// The name that its library gives itself.
    #[must_use]
    pub const fn soname(self) -> &'static str {
        match self {
            Major::V11 => "libcudart.so.11.0",
            Major::V12 => "libcudart.so.12",
            Major::V13 => "libcudart.so.13",
        }
    }

    /// Whether some version of it has the function.
    pub(super) fn has(self, symbol: &Symbol) -> bool {
        let major = self.version().major();
        symbol.since.major() <= major && symbol.until.is_none_or(|until| until.major() >= major)
    }

    /// The version that its library gives to its symbols.
    const fn symbol_version(self) -> &'static CStr {
        match self {
            Major::V11 => c"libcudart.so.11.0",
            Major::V12 => c"libcudart.so.12",
            Major::V13 => c"libcudart.so.13",
        }
    }
}

impl fmt::Display for Major {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.version().major())
    }
}

/// The major that an open library tells: by the version of its symbols, else by its own answer.
///
/// # Errors
///
/// The number of a major that is not known here.
pub(super) fn of(handle: Handle) -> Result<Option<Major>, Option<u32>> {
    let named = |major: &Major| {
        !handle
            .versioned(c"cudaMemcpy", major.symbol_version())
            .is_null()
    };
    if let Some(major) = Major::ALL.into_iter().rev().find(named) {
        return Ok(Some(major));
    }
    let address = handle.symbol(c"cudaRuntimeGetVersion");
    // SAFETY: the function has this signature in every major, and null is `None`.
    let function = unsafe {
        core::mem::transmute::<*const c_void, Option<pfn::cudaRuntimeGetVersion>>(address)
    };
    let Some(function) = function else {
        return Ok(None);
    };
    let mut version: c_int = 0;
    // SAFETY: `version` is a live `c_int` and the library writes nothing past it.
    let status = unsafe { function(&raw mut version) };
    let Ok(number) = u32::try_from(version) else {
        return Ok(None);
    };
    if status != cudaError_t::cudaSuccess || number == 0 {
        return Ok(None);
    }
    let told = Version(number).major();
    match Major::ALL
        .into_iter()
        .find(|major| major.version().major() == told)
    {
        Some(major) => Ok(Some(major)),
        None => Err(Some(told)),
    }
}

/// What is known of a function that one of the majors has for itself.
pub(super) fn anywhere(name: &str) -> Option<Symbol> {
    let all = v11::Table::SYMBOLS
        .iter()
        .chain(v12::Table::SYMBOLS)
        .chain(v13::Table::SYMBOLS);
    all.copied().find(|symbol| symbol.name == name)
}

/// The table of the loaded major.
#[derive(Debug)]
pub(super) enum OfMajor {
    V11(v11::Table),
    V12(v12::Table),
    V13(v13::Table),
}

impl OfMajor {
    /// Binds the table of `major`, which the library behind `handle` was found to be of.
    pub(super) fn bind(major: Major, handle: Handle) -> Self {
        // Up to 11.7 these two take a `cudaTextureDesc` of 72 bytes, and ours has 68: they count as absent.
        let older = handle
            .symbol(c"cudaGetTextureObjectTextureDesc_v2")
            .is_null();
        let textures = ["cudaCreateTextureObject", "cudaGetTextureObjectTextureDesc"];
        let fits = |symbol: &Symbol| !(older && textures.contains(&symbol.name));
        match major {
            // SAFETY: the library is of this major, so its functions have these signatures;
            // it is never closed.
            Major::V11 => Self::V11(unsafe { v11::Table::of(handle, fits) }),
            // SAFETY: as above.
            Major::V12 => Self::V12(unsafe { v12::Table::of(handle, |_| true) }),
            // SAFETY: as above.
            Major::V13 => Self::V13(unsafe { v13::Table::of(handle, |_| true) }),
        }
    }

    pub(super) fn major(&self) -> Major {
        match self {
            Self::V11(_) => Major::V11,
            Self::V12(_) => Major::V12,
            Self::V13(_) => Major::V13,
        }
    }

    pub(super) fn symbols(&self) -> &'static [Symbol] {
        match self {
            Self::V11(_) => v11::Table::SYMBOLS,
            Self::V12(_) => v12::Table::SYMBOLS,
            Self::V13(_) => v13::Table::SYMBOLS,
        }
    }

    pub(super) fn absent(&self) -> Box<dyn Iterator<Item = Symbol> + '_> {
        match self {
            Self::V11(table) => Box::new(table.absent()),
            Self::V12(table) => Box::new(table.absent()),
            Self::V13(table) => Box::new(table.absent()),
        }
    }

    pub(super) fn find(&self, name: &str) -> Result<Symbol, MissingSymbol> {
        match self {
            Self::V11(table) => table.find(name),
            Self::V12(table) => table.find(name),
            Self::V13(table) => table.find(name),
        }
    }
}
