//! CUDA's runtime API in Rust's terms, whichever of the libraries of CUDA 11, 12 and 13 is loaded.
//!
//! This crate and `cuwhy-driver` are the same rooms in two houses: the same modules, and where the
//! two APIs allow it the same names and signatures. Here a place to work in is a
//! [`Device`](device::Device); there it is a `Context`. Whatever takes `&Device` here takes
//! `&Context` there, and that is the rule by which one is rewritten into the other.
//!
//! | room | what is in it |
//! | --- | --- |
//! | [`error`] | one error type: the call, the status, the arguments, CUDA's own sentence |
//! | [`mod@version`] | versions, and feature questions as functions |
//! | [`device`] | devices, and which one the thread works on |
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
//!   primary context that was not asked for. A thread that never chose a device keeps having chosen
//!   none: where a device other than the thread's is worked on, it is selected for the length of a call.
//! - What is made here is made, and works, in its device's primary context, also while the thread works in
//!   another context that somebody made with the driver API: it must not end with that one. The raw calls
//!   ([`copy::raw`] and its like) go where C goes.
//! - No function panics and none prints. A function that an older runtime lacks is
//!   [`Error::MissingFunction`], a machine without a runtime library is
//!   [`Error::MissingLibrary`], one without a driver is
//!   [`Error::MissingDriver`].
//! - A call that fails takes what it reports out of CUDA's last error (`cudaGetLastError`), and nothing
//!   else: an error that somebody's unchecked call left there stays, and so do sticky ones.
//! - What a `Drop` cannot free is reported to the hook of [`error::on_drop_failure`], and counted.
//! - Device memory is not memory in Rust's sense: no reference ever points to it, a race there gives
//!   wrong numbers and not undefined behaviour. Host memory is, and safe functions treat it so.
//!
//! # What the runtime does not have
//!
//! Fills of 16 and 32 bits, [`pointer::address_range`] and [`virtual_memory`] exist in the driver API
//! alone. Those rooms call the driver, which the runtime has loaded anyway, in the primary context of the
//! current device; their errors carry the driver's name of the call.
//!
//! # Examples
//!
//! ```
//! # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
//! use cuwhy_runtime::{device::Device, memory::DeviceBuffer};
//!
//! let device = Device::new(0)?;
//! let buffer = DeviceBuffer::from_slice(&device, &[1.0_f32, 2.0, 3.0])?;
//! assert_eq!(buffer.to_vec()?, [1.0, 2.0, 3.0]);
//! # Ok::<(), cuwhy_runtime::error::Error>(())
//! ```

mod api;
pub mod array;
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
