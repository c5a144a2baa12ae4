//! Raw bindings to the CUDA driver and runtime APIs of CUDA 11, 12 and 13, loaded at run time.
//!
//! One build serves every version: nothing of CUDA is needed to compile, no
//! feature chooses a version, and nothing panics when the machine's libraries
//! are older or newer than the headers that these bindings were made from.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`driver`] | `libcuda.so.1`: types, one [`driver::Table`] with every export name, the loaded [`driver::Driver`] |
//! | [`runtime`] | `libcudart.so.11.0`, `.12` and `.13`: what all majors share, and [`runtime::v11`], [`runtime::v12`], [`runtime::v13`] for what differs |
//! | [`nvml`] | where `libnvidia-ml.so.1` is; the calls themselves are left to other crates |
//! | [`loader`] | which file is opened, and what is said when none can be |
//!
//! # What these bindings do not do
//!
//! They validate nothing, allocate nothing on the call path and hold no lock
//! there. A call through a table is a check that the function was looked up and
//! an indirect call. The first call of a function looks it up with `dlsym`,
//! because looking up all of them takes longer than opening a libcudart does;
//! a table that somebody binds by hand is bound whole.
//!
//! # Absence
//!
//! A function that the loaded library lacks answers
//! `CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND` (302), or null or zero where the
//! C function returns no status. Whether it is there, and since which version
//! of CUDA it exists, is what [`driver::Driver::find`] and
//! [`runtime::Runtime::find`] tell.
//!
//! # Threads, fork and unloading
//!
//! A table's functions never change, and tables are `Send` and `Sync`. A library that was
//! opened is never closed: CUDA's libraries do not survive that. Neither loading
//! nor the first call of a function takes a lock of ours that a fork could leave
//! held; that of the system's loader is free again in the child.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

pub mod driver;
mod generated;
pub mod loader;
pub mod nvml;
pub mod runtime;
mod symbol;
mod table;
mod version;

pub use loader::{Attempt, FoundBy, LibraryName, LoadError, LoadedFile};
pub use symbol::{MissingSymbol, Symbol};
pub use version::Version;
