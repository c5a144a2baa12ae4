//! CUDA's driver API in Rust's terms.
//!
//! This crate and `cuwhy-runtime` are the same rooms in two houses: the same modules, and where the
//! two APIs allow it the same names and signatures. Here a place to work in is a
//! [`Context`](context::Context); there it is a `Device`. Whatever takes `&Context` here takes
//! `&Device` there, and that is the rule by which one is rewritten into the other.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`error`] | one error type: the call, the status, the arguments, CUDA's own sentence |
//! | [`mod@version`] | versions, and feature questions as functions |
//! | [`device`], [`context`] | devices, and the contexts that own everything else |
//! | [`memory`], [`pool`], [`virtual_memory`], [`mod@array`] | owned memory of every kind, views, observers |
//! | [`mod@pointer`] | what CUDA knows of an address |
//! | [`copy`] | every copy and fill: checked slices, raw ranges, asynchronous scopes, batches |
//! | [`stream`], [`event`], [`graph`] | order |
//! | [`module`] | code: load, look up, launch |
//! | [`ipc`] | memory and events of other processes |
//!
//! # Invariants
//!
//! - Nothing loads or initialises CUDA until a function is called that must, and nothing creates a
//!   context that was not asked for.
//! - No function panics and none prints. A function that an older driver lacks is
//!   [`Error::MissingFunction`], a machine without a driver is
//!   [`Error::MissingLibrary`].
//! - Every owned thing keeps its context alive, and makes it current for the length of a call where
//!   the calling thread has another one or none. The functions in [`memory::raw`] and
//!   [`copy::raw`] do not: they are the C calls with errors, and work in the current context.
//! - What a `Drop` cannot free is reported to the hook of [`error::on_drop_failure`], and counted.
//! - Device memory is not memory in Rust's sense: no reference ever points to it, a race there gives
//!   wrong numbers and not undefined behaviour. Host memory is, and safe functions treat it so.
//!
//! # Examples
//!
//! ```
//! # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
//! use cuwhy_driver::{device::Device, memory::DeviceBuffer};
//!
//! let context = Device::new(0)?.context()?;
//! let buffer = DeviceBuffer::from_slice(&context, &[1.0_f32, 2.0, 3.0])?;
//! assert_eq!(buffer.to_vec()?, [1.0, 2.0, 3.0]);
//! # Ok::<(), cuwhy_driver::error::Error>(())
//! ```

mod api;
pub mod array;
pub mod context;
pub mod copy;
pub mod device;
pub mod error;
pub mod event;
pub mod graph;
pub mod ipc;
mod logs;
pub mod memory;
pub mod module;
pub mod pointer;
pub mod pool;
pub mod stream;
pub mod version;
pub mod virtual_memory;

pub use cuda_sys;

pub use error::{Error, Result};
pub use version::version;
