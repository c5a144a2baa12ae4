//! Copies and fills.
//!
//! | | slices, checked in Rust's types | raw ranges, as C has them |
//! | --- | --- | --- |
//! | synchronous | [`upload`], [`download`], [`device_to_device`], [`upload_2d`], [`download_2d`], [`zero`], [`fill`] | [`raw::copy`], [`raw::peer`], [`raw::copy_2d`], [`raw::copy_3d`], [`raw::fill`] |
//! | asynchronous, borrowed | [`scope`] | the same with `_async` |
//! | asynchronous, owned | [`Transfer`] | |
//! | many at once | [`Scope::batch`] | [`Batch::submit`], [`raw::copy_3d_batch_async`] |
//!
//! C's synchronous copies on the calling thread's default stream (`_ptds`) are a [`scope`] with
//! [`Stream::per_thread`](crate::stream::Stream::per_thread); those to and from symbols are copies of
//! [`Module::variable`](crate::module::Module::variable) and
//! [`Module::variable_mut`](crate::module::Module::variable_mut), or for variables
//! that nvcc compiled [`raw::to_symbol`] and its sisters.
//!
//! # Asynchronous copies in safe code
//!
//! An asynchronous copy reads or writes host memory after the call has returned. Two ways keep that
//! sound, each without a lock:
//!
//! - [`scope`] borrows: host slices given to copies inside the closure stay borrowed until the scope
//!   ends, and the scope does not return before their streams are idle, even where the closure panics.
//! - [`Transfer`] owns: it takes a buffer and gives it back when the copy has finished. It may live in
//!   a struct, move between threads and be forgotten; forgetting it leaks the buffer.
//!
//! Limits, all of them on what is *not* promised: device memory is shared by reference on both sides,
//! because a race there gives wrong numbers and not undefined behaviour; streams that capture are
//! refused, because a graph could repeat the copy at any time, and a stream neither begins a capture nor
//! joins one while copies are under way in it, because CUDA then refuses to wait for them (measured: H100,
//! driver 580: 900, and 906 for the legacy stream beside a blocking one that captures); and where a stream
//! can no longer be waited for, an owned buffer is leaked and a scope waits for the whole device.
//!
//! # What does not compile
//!
//! Host memory that ends before its copy does:
//!
//! ```compile_fail,E0597
//! # use cuwhy_runtime::{copy, memory::DeviceBuffer, stream::Stream, error::Error};
//! # fn test(stream: &Stream, buffer: &DeviceBuffer<u32>) -> Result<(), Error> {
//! copy::scope(|scope| {
//!     let mut short = vec![0; 3];
//!     scope.download(stream, &mut short, buffer)
//! })
//! # }
//! ```
//!
//! Host memory that is read while a copy may write it:
//!
//! ```compile_fail,E0502
//! # use cuwhy_runtime::{copy, memory::DeviceBuffer, stream::Stream, error::Error};
//! # fn test(stream: &Stream, buffer: &DeviceBuffer<u32>) -> Result<(), Error> {
//! # let mut result = vec![0; 3];
//! copy::scope(|scope| {
//!     scope.download(stream, &mut result, buffer)?;
//!     assert_eq!(result[0], 1);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! A buffer that was given to a transfer:
//!
//! ```compile_fail,E0382
//! # use cuwhy_runtime::{copy::Transfer, memory::DeviceBuffer, stream::Stream, error::Error};
//! # fn test(stream: &Stream, buffer: DeviceBuffer<u32>) -> Result<(), Error> {
//! let source = vec![1_u32, 2, 3];
//! let upload = Transfer::upload(stream, buffer, source)?;
//! assert_eq!(source[0], 1);
//! # drop(upload);
//! # Ok(())
//! # }
//! ```
//!
//! A capture that begins while a scope has copies under way in the stream:
//!
//! ```compile_fail,E0502
//! # use cuwhy_runtime::{copy, memory::DeviceBuffer, stream::{CaptureMode, Stream}, error::Error};
//! # fn test(mut stream: Stream, buffer: &DeviceBuffer<u32>, host: &[u32]) -> Result<(), Error> {
//! copy::scope(|scope| {
//!     scope.upload(&stream, buffer, host)?;
//!     stream.begin_capture(CaptureMode::Relaxed)
//! })
//! # }
//! ```
//!
//! A stream that ends before its scope:
//!
//! ```compile_fail,E0597
//! # use cuwhy_runtime::{copy, memory::DeviceBuffer, device::Device, stream::*, error::Error};
//! # fn test(place: &Device, buffer: &DeviceBuffer<u32>, host: &[u32]) -> Result<(), Error> {
//! copy::scope(|scope| {
//!     let stream = Stream::new(place, StreamOptions::NON_BLOCKING)?;
//!     scope.upload(&stream, buffer, host)
//! })
//! # }
//! ```
//!
//! A transfer of host memory that is only borrowed:
//!
//! ```compile_fail,E0277
//! # use cuwhy_runtime::{copy::Transfer, memory::DeviceBuffer, stream::Stream, error::Error};
//! # fn test(stream: &Stream, buffer: DeviceBuffer<u32>, host: &'static [u32]) -> Result<(), Error> {
//! drop(Transfer::upload(stream, buffer, host)?);
//! # Ok(())
//! # }
//! ```
//!
//! A view that outlives its buffer:
//!
//! ```compile_fail,E0505
//! # use cuwhy_runtime::{copy, memory::{DeviceBuffer, DeviceMemory}, error::Error};
//! # fn test(buffer: DeviceBuffer<u32>) -> Result<(), Error> {
//! let view = buffer.slice(1..3)?;
//! drop(buffer);
//! assert_eq!(copy::to_vec(&view)?.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! A slice that is used while it is registered:
//!
//! ```compile_fail,E0502
//! # use cuwhy_runtime::{memory::{Registered, RegisterFlags}, device::Device, error::Error};
//! # fn test(place: &Device, numbers: &mut Vec<u32>) -> Result<(), Error> {
//! let registered = Registered::new(place, numbers, RegisterFlags::PLAIN)?;
//! assert_eq!(numbers[0], 1);
//! # drop(registered);
//! # Ok(())
//! # }
//! ```
//!
//! Elements that own something:
//!
//! ```compile_fail,E0277
//! # use cuwhy_runtime::{memory::DeviceBuffer, device::Device, error::Error};
//! # fn test(device: &Device) -> Result<(), Error> {
//! let buffer = DeviceBuffer::from_slice(device, &[String::new()])?;
//! # drop(buffer);
//! # Ok(())
//! # }
//! ```

mod batch;
mod direction;
mod fill;
mod planes;
mod planes_batch;
pub mod raw;
mod raw_fill;
mod raw_symbol;
mod scope;
mod slices;
mod transfer;

pub use batch::{Batch, SourceOrder};
pub use direction::Direction;
pub use fill::{Fill, Pattern, fill, zero, zero_2d};
pub use planes::{Copy2d, Copy3d, Memory, Position, Side, download_2d, upload_2d};
pub use scope::{Scope, scope, scope_with};
pub(crate) use slices::zeroes;
pub use slices::{device_to_device, download, to_vec, upload};
pub use transfer::{HostMemory, HostPart, Transfer};
