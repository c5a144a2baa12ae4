//! The simulator's shared libraries as files.
//!
//! Cargo builds them under the names of their packages; programs look for
//! `libcuda.so.1`, `libcudart.so.12` and `libnvidia-ml.so.1`. [`Libraries::find`]
//! finds the files, [`Libraries::folder`] makes a folder in which links with
//! the real names stand for them. The links matter: several links to one file
//! are one library for the loader and share one state, copies are not.
//!
//! # What a program's package has to do
//!
//! Depend on this package. Its dependencies are the libraries, so that cargo
//! builds them before the program, and nothing of theirs is linked.
//!
//! # Where the files are looked for
//!
//! Around the running executable, in this order; the first place that has all
//! of them wins, and a place that has only some is passed over, because sim
//! means all libraries or none.
//!
//! 1. the folder of the executable, if it is cargo's `deps`; otherwise `deps`
//!    in that folder: this is what `cargo run` and `cargo test` refresh;
//! 2. `../deps`, for examples;
//! 3. the folder of the executable;
//! 4. `../lib/cuwhy` and `../lib`: what an installation has beside its `bin`.

mod error;
mod folder;
mod search;

pub use error::Error;
pub use folder::{Folder, Unversioned};
pub use search::Libraries;
