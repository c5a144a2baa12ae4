//! What a table of functions is made of.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::generated::driver::types::CUresult;
use crate::generated::runtime::types::{cudaChannelFormatDesc, cudaChannelFormatKind, cudaError_t};

/// What a call answers when the loaded library has no such function.
pub(crate) trait Absent {
    const ABSENT: Self;
}

impl Absent for CUresult {
    const ABSENT: Self = CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
}

impl Absent for cudaError_t {
    const ABSENT: Self = cudaError_t::cudaErrorSharedObjectSymbolNotFound;
}

impl Absent for cudaChannelFormatDesc {
    const ABSENT: Self = Self {
        x: 0,
        y: 0,
        z: 0,
        w: 0,
        f: cudaChannelFormatKind(0),
    };
}

impl<T> Absent for *const T {
    const ABSENT: Self = core::ptr::null();
}

impl Absent for () {
    const ABSENT: Self = ();
}

/// The place of one function: its address, or that nobody has looked it up yet, or that it is absent.
///
/// Looking up every name of a libcudart takes longer than opening it; a program calls a few dozen.
#[derive(Debug)]
pub(crate) struct Slot(AtomicPtr<c_void>);

/// No function has this address.
const ABSENT: *mut c_void = ptr::without_provenance_mut(1);

impl Slot {
    /// A function that is to be looked up when it is first called.
    pub(crate) const fn open() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Keeps an address; null means absent.
    pub(crate) fn keep(&self, address: *const c_void) {
        let address = if address.is_null() {
            ABSENT
        } else {
            address.cast_mut()
        };
        // The code behind it was there before: nothing else has to be seen with the address.
        self.0.store(address, Ordering::Relaxed);
    }

    /// The function's address, unless nobody has looked it up or it is absent.
    #[inline]
    pub(crate) fn bound(&self) -> Option<*const c_void> {
        let address = self.0.load(Ordering::Relaxed);
        (address.addr() > ABSENT.addr()).then_some(address.cast_const())
    }

    /// Whether nobody has looked the function up.
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }
}

/// A number for each name: names lie far apart in memory that a process that has just opened a library
/// has not touched, and numbers lie together.
pub(crate) const fn hashes<const COUNT: usize>(symbols: &[crate::Symbol]) -> [u32; COUNT] {
    let mut all = [0; COUNT];
    let mut place = 0;
    while place < COUNT {
        all[place] = hash(symbols[place].name);
        place += 1;
    }
    all
}

/// FNV-1a.
const fn hash(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let mut hash = 0x811c_9dc5_u32;
    let mut place = 0;
    while place < bytes.len() {
        hash = (hash ^ bytes[place] as u32).wrapping_mul(0x0100_0193);
        place += 1;
    }
    hash
}

/// Where a name stands among symbols.
pub(crate) fn position(hashes: &[u32], symbols: &[crate::Symbol], name: &str) -> Option<usize> {
    let wanted = hash(name);
    let mut places = hashes.iter().enumerate();
    let found = places.find(|(place, hash)| **hash == wanted && symbols[*place].name == name);
    found.map(|(place, _)| place)
}

/// Declares a table: one line per function, with the version that introduced it
/// and, behind a comma, the last one that has it.
macro_rules! function_table {
    (
        $(#[$docs:meta])*
        pub struct $table:ident;
        $(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty = $since:literal $(, $until:literal)?;)*
    ) => {
        $(#[$docs])*
        ///
        /// Every function of the C API is a method with the C signature. A
        /// method is `unsafe` as the C function is: its contract is the one
        /// that CUDA documents under that name. A function that the library
        /// lacks answers 302, or null or zero where it returns no status.
        pub struct $table {
            /// Where functions are looked up that nobody has called yet.
            library: Option<crate::loader::Handle>,
            slots: [crate::table::Slot; $table::SYMBOLS.len()],
        }

        /// Where each function stands in the table.
        #[derive(Clone, Copy)]
        enum Place {
            $($name,)*
        }

        /// The type of each function's pointer, under the function's own name.
        pub mod pfn {
            use super::super::prelude::*;

            $(pub type $name = unsafe extern "C" fn($($argument: $kind),*) -> $answer;)*
        }

        impl $table {
            /// Every function of this table, in the order of its declaration.
            pub const SYMBOLS: &'static [crate::Symbol] = &[
                $(crate::Symbol::new(
                    stringify!($name),
                    $since,
                    crate::table::function_table!(@until $($until)?),
                ),)*
            ];

            /// Makes a table from the addresses that `resolve` gives; null means absent.
            ///
            /// This is for those who stand between a program and its library,
            /// and for tests. A loaded library binds its own table.
            ///
            /// # Safety
            ///
            /// Each address that is not null must be a function with the C
            /// signature that CUDA gives to this export name, and must stay
            /// valid as long as the table is used.
            #[must_use]
            pub unsafe fn bind(
                resolve: &mut dyn FnMut(&core::ffi::CStr) -> *const core::ffi::c_void,
            ) -> Self {
                let slots = [const { crate::table::Slot::open() }; $table::SYMBOLS.len()];
                for (slot, name) in slots.iter().zip(Self::NAMES) {
                    slot.keep(resolve(name));
                }
                Self { library: None, slots }
            }

            /// Makes a table whose functions are looked up in `library` when they are first asked for.
            ///
            /// What `has` denies is absent, whatever the library exports under that name.
            ///
            /// # Safety
            ///
            /// Each export of the library that has one of the other names must have its C signature.
            #[must_use]
            pub(crate) unsafe fn of(
                library: crate::loader::Handle,
                has: impl Fn(&crate::Symbol) -> bool,
            ) -> Self {
                let slots = [const { crate::table::Slot::open() }; $table::SYMBOLS.len()];
                for (slot, symbol) in slots.iter().zip(Self::SYMBOLS) {
                    if !has(symbol) {
                        slot.keep(core::ptr::null());
                    }
                }
                Self { library: Some(library), slots }
            }

            /// The names as the loader wants them.
            const NAMES: &'static [&'static core::ffi::CStr] =
                &[$(crate::table::function_table!(@cstr $name),)*];

            /// A number for each name.
            const HASHES: &'static [u32] =
                &crate::table::hashes::<{ $table::SYMBOLS.len() }>($table::SYMBOLS);

            /// The address of a function, looked up if need be; null when it is absent.
            #[cold]
            #[inline(never)]
            fn look_up(&self, place: usize) -> *const core::ffi::c_void {
                let slot = &self.slots[place];
                if let Some(library) = self.library.filter(|_| slot.is_open()) {
                    slot.keep(library.symbol(Self::NAMES[place]));
                }
                slot.bound().unwrap_or(core::ptr::null())
            }

            /// Whether the library has the function of this export name.
            #[must_use]
            pub fn has(&self, name: &str) -> bool {
                self.find(name).is_ok()
            }

            /// The function of this export name, when the library has it.
            ///
            /// # Errors
            ///
            /// [`MissingSymbol`](crate::MissingSymbol) when it has not, with the
            /// version of CUDA that introduced the function.
            pub fn find(&self, name: &str) -> Result<crate::Symbol, crate::MissingSymbol> {
                let place = crate::table::position(Self::HASHES, Self::SYMBOLS, name);
                let symbol = place.map(|place| Self::SYMBOLS[place]);
                let there = place.is_some_and(|place| !self.look_up(place).is_null());
                match (symbol, there) {
                    (Some(symbol), true) => Ok(symbol),
                    (symbol, _) => Err(crate::MissingSymbol {
                        name: name.to_owned(),
                        symbol,
                        library: None,
                    }),
                }
            }

            /// The functions that the library lacks.
            pub fn absent(&self) -> impl Iterator<Item = crate::Symbol> {
                let symbols = Self::SYMBOLS.iter().enumerate();
                symbols
                    .filter(|(place, _)| self.look_up(*place).is_null())
                    .map(|(_, symbol)| *symbol)
            }

            $(
                #[doc = concat!("Calls `", stringify!($name), "`.")]
                #[inline]
                pub unsafe fn $name(&self, $($argument: $kind),*) -> $answer {
                    let place = Place::$name as usize;
                    if let Some(address) = self.slots[place].bound() {
                        // SAFETY: whoever made the table vouches for the signature.
                        let function = unsafe {
                            core::mem::transmute::<*const core::ffi::c_void, pfn::$name>(address)
                        };
                        // SAFETY: the caller keeps the contract of the C function.
                        return unsafe { function($($argument),*) };
                    }
                    // SAFETY: as above, and null is `None`.
                    let function = unsafe {
                        core::mem::transmute::<*const core::ffi::c_void, Option<pfn::$name>>(
                            self.look_up(place),
                        )
                    };
                    match function {
                        // SAFETY: the caller keeps the contract of the C function.
                        Some(function) => unsafe { function($($argument),*) },
                        None => <$answer as crate::table::Absent>::ABSENT,
                    }
                }
            )*
        }

        impl core::fmt::Debug for $table {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let bound = self.slots.iter().filter(|slot| slot.bound().is_some()).count();
                let of = self.slots.len();
                f.debug_struct(stringify!($table)).field("bound", &bound).field("of", &of).finish()
            }
        }
    };
    (@until) => { None };
    (@until $until:literal) => { Some($until) };
    (@cstr $name:ident) => {
        match core::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => c"",
        }
    };
}

/// Declares the view of a table whose plain names mean the per-thread default stream.
macro_rules! per_thread {
    (
        pub struct $view:ident of $table:ident;
        $(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty as $variant:ident;)*
    ) => {
        /// The same functions with the per-thread default stream.
        ///
        /// Where C would rename a function under
        /// `CUDA_API_PER_THREAD_DEFAULT_STREAM`, the plain name here calls the
        /// `_ptds` or `_ptsz` export; every other function is the table's own.
        /// A crate chooses once by holding this view and not the table.
        #[repr(transparent)]
        pub struct $view($table);

        impl $table {
            /// This table with the per-thread default stream under the plain names.
            #[must_use]
            pub fn per_thread(&self) -> &$view {
                let table: *const $table = self;
                // SAFETY: the view is transparent over the table and lives as long.
                unsafe { &*table.cast::<$view>() }
            }
        }

        impl $view {
            $(
                #[doc = concat!("Calls `", stringify!($variant), "`.")]
                #[inline]
                pub unsafe fn $name(&self, $($argument: $kind),*) -> $answer {
                    // SAFETY: the caller keeps the contract of the C function.
                    unsafe { self.0.$variant($($argument),*) }
                }
            )*
        }

        impl core::ops::Deref for $view {
            type Target = $table;

            fn deref(&self) -> &$table {
                &self.0
            }
        }

        impl core::fmt::Debug for $view {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_tuple(stringify!($view)).field(&self.0).finish()
            }
        }
    };
}

/// `Default` for C structs and unions: every byte zero, as CUDA's documentation asks for.
macro_rules! zeroed_default {
    ($($name:ident),* $(,)?) => {
        $(impl Default for $name {
            fn default() -> Self {
                // SAFETY: a C struct of numbers, pointers, nullable functions and
                // unions of such, for all of which zero is a value.
                unsafe { core::mem::zeroed() }
            }
        })*
    };
}

pub(crate) use {function_table, per_thread, zeroed_default};
