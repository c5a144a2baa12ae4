use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use bytemuck::{AnyBitPattern, NoUninit};

use super::planes::rows_fit;
use super::slices::same_length;
use super::{Batch, Copy2d, Direction, Fill, Side, raw};
use crate::error::{Error, Result, report_drop};
use crate::memory::{Bytes, DeviceMemory, DeviceSlice, Pitch, PitchedBuffer};
use crate::pointer::Address;
use crate::stream::{LegacyInUse, Stream, waiting};

/// Asynchronous copies that borrow host memory until all of them have finished.
///
/// Made by [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    streams: RefCell<Vec<(&'scope Stream, Option<LegacyInUse>)>>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `body`, which may start asynchronous copies of borrowed host memory, and then waits for them.
///
/// Like [`std::thread::scope`]: what the copies borrow was made outside the closure, stays borrowed until
/// the scope ends, and the scope does not end before every stream that it used is idle, whether the
/// closure returns an error, or panics.
///
/// # Errors
///
/// The closure's error, or what CUDA answers when the streams are waited for.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::copy;
/// use cuwhy_runtime::device::Device;
/// use cuwhy_runtime::memory::{DeviceBuffer, HostFlags, PinnedBuffer};
/// use cuwhy_runtime::stream::{Stream, StreamOptions};
///
/// let device = Device::new(0)?;
/// let stream = Stream::new(&device, StreamOptions::NON_BLOCKING)?;
/// let buffer = DeviceBuffer::<u32>::new(&device, 3)?;
/// let source = PinnedBuffer::from_slice(&device, &[1, 2, 3], HostFlags::PLAIN)?;
/// let mut result = PinnedBuffer::zeroed(&device, 3, HostFlags::PLAIN)?;
/// copy::scope(|scope| {
///     scope.upload(&stream, &buffer, &source)?;
///     scope.download(&stream, &mut result, &buffer)
/// })?;
/// assert_eq!(*result, [1, 2, 3]);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
///
/// Host memory cannot be touched while a copy of it may be under way:
///
/// ```compile_fail
/// # use cuwhy_runtime::{copy, memory::DeviceBuffer, stream::Stream, error::Error};
/// # fn test(stream: &Stream, buffer: &DeviceBuffer<u32>) -> Result<(), Error> {
/// let mut result = vec![0_u32; 3];
/// copy::scope(|scope| {
///     scope.download(stream, &mut result, buffer)?;
///     result[0] = 1;
///     Ok(())
/// })
/// # }
/// ```
pub fn scope<'env, R, F>(body: F) -> Result<R>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<R>,
{
    scope_with(body)
}

/// The same for a closure with an error type of its own, which comes before what the streams answer.
///
/// # Errors
///
/// As [`scope`].
pub fn scope_with<'env, R, E, F>(body: F) -> core::result::Result<R, E>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> core::result::Result<R, E>,
    E: From<Error>,
{
    let scope = Scope {
        streams: RefCell::new(Vec::new()),
        scope: PhantomData,
        env: PhantomData,
    };
    let guard = Guard { scope: &scope };
    let result = body(&scope);
    core::mem::forget(guard);
    let waited = scope.wait();
    let result = result?;
    waited?;
    Ok(result)
}

/// Waits where the closure panics.
struct Guard<'a, 'scope, 'env> {
    scope: &'a Scope<'scope, 'env>,
}

impl Drop for Guard<'_, '_, '_> {
    fn drop(&mut self) {
        report_drop(self.scope.wait());
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Copies host memory to device memory when the stream comes to it.
    ///
    /// Runtime API: `cudaMemcpyAsync`. The destination is taken shared, because several copies of one
    /// stream may use it one after the other.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::error::Misuse) for lengths that differ and for a stream that captures, and what
    /// CUDA answers.
    #[doc(alias = "cudaMemcpyAsync")]
    pub fn upload<T: NoUninit>(
        &'scope self,
        stream: &'scope Stream,
        destination: impl Into<DeviceSlice<'scope, T>>,
        source: &'scope [T],
    ) -> Result<()> {
        let destination = destination.into();
        same_length("cudaMemcpyAsync", destination.len(), source.len())?;
        let (to, from) = (destination.address(), Address::from(source.as_ptr()));
        self.copy(
            stream,
            to,
            from,
            Bytes(size_of_val(source)),
            Direction::HostToDevice,
        )
    }

    /// Copies device memory to host memory when the stream comes to it.
    ///
    /// Runtime API: `cudaMemcpyAsync`.
    ///
    /// # Errors
    ///
    /// As [`Scope::upload`].
    #[doc(alias = "cudaMemcpyAsync")]
    pub fn download<T: AnyBitPattern>(
        &'scope self,
        stream: &'scope Stream,
        destination: &'scope mut [T],
        source: impl Into<DeviceSlice<'scope, T>>,
    ) -> Result<()> {
        let source = source.into();
        same_length("cudaMemcpyAsync", destination.len(), source.len())?;
        let size = Bytes(size_of_val(destination));
        let (to, from) = (Address::from(destination.as_mut_ptr()), source.address());
        self.copy(stream, to, from, size, Direction::DeviceToHost)
    }

    /// Copies device memory to device memory of the same device when the stream comes to it.
    ///
    /// Runtime API: `cudaMemcpyAsync`, or `cudaMemcpyPeerAsync` between devices.
    ///
    /// # Errors
    ///
    /// As [`Scope::upload`].
    #[doc(alias = "cudaMemcpyAsync")]
    #[doc(alias = "cudaMemcpyPeerAsync")]
    pub fn device_to_device<T: Copy + 'static>(
        &'scope self,
        stream: &'scope Stream,
        destination: impl Into<DeviceSlice<'scope, T>>,
        source: impl Into<DeviceSlice<'scope, T>>,
    ) -> Result<()> {
        let destination = destination.into();
        let source = source.into();
        same_length("cudaMemcpyAsync", destination.len(), source.len())?;
        let (to, from, size) = (destination.address(), source.address(), source.size());
        let (there, here) = (destination.device(), source.device());
        if there == here || size.0 == 0 {
            return self.copy(stream, to, from, size, Direction::DeviceToDevice);
        }
        self.uses("cudaMemcpyPeerAsync", stream)?;
        let entered = stream.device().enter()?;
        // SAFETY: both ranges are borrowed until the scope has waited for the stream.
        let result = unsafe { raw::peer_async(to, there, from, here, size, stream) };
        drop(entered);
        result
    }

    /// Fills device memory with one value when the stream comes to it.
    ///
    /// Runtime API: `cudaMemsetAsync`; `cuMemsetD16Async` and `cuMemsetD32Async` of the driver.
    ///
    /// # Errors
    ///
    /// As [`Scope::upload`].
    #[doc(alias = "cudaMemsetAsync")]
    pub fn fill<T: Fill>(
        &'scope self,
        stream: &'scope Stream,
        destination: impl Into<DeviceSlice<'scope, T>>,
        value: T,
    ) -> Result<()> {
        let destination = destination.into();
        if destination.is_empty() {
            return Ok(());
        }
        self.uses("cudaMemsetAsync", stream)?;
        let (address, count) = (destination.address(), destination.len());
        let entered = stream.device().enter()?;
        // SAFETY: the range is borrowed until the scope has waited for the stream.
        let result = unsafe { raw::fill_async(address, value.pattern(), count, stream) };
        drop(entered);
        result
    }

    /// Copies rows of host memory into a pitched buffer when the stream comes to it.
    ///
    /// Runtime API: `cudaMemcpy2DAsync`.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::error::Misuse) where the rows do not fit the pitch or the slice and for a stream
    /// that captures, and what CUDA answers.
    #[doc(alias = "cudaMemcpy2DAsync")]
    pub fn upload_2d<T: NoUninit>(
        &'scope self,
        stream: &'scope Stream,
        destination: &'scope PitchedBuffer<T>,
        source: &'scope [T],
        pitch: Pitch,
    ) -> Result<()> {
        let (width, height) = (Bytes::of::<T>(destination.width())?, destination.height());
        rows_fit(width, height, pitch, size_of_val(source), size_of::<T>())?;
        let rows = Copy2d {
            destination: Side::device(destination.address(), destination.pitch()),
            source: Side::host(source.as_ptr(), pitch),
            width,
            height,
        };
        self.rows(stream, &rows)
    }

    /// Copies a pitched buffer into rows of host memory when the stream comes to it.
    ///
    /// Runtime API: `cudaMemcpy2DAsync`.
    ///
    /// # Errors
    ///
    /// As [`Scope::upload_2d`].
    #[doc(alias = "cudaMemcpy2DAsync")]
    pub fn download_2d<T: AnyBitPattern>(
        &'scope self,
        stream: &'scope Stream,
        destination: &'scope mut [T],
        pitch: Pitch,
        source: &'scope PitchedBuffer<T>,
    ) -> Result<()> {
        let (width, height) = (Bytes::of::<T>(source.width())?, source.height());
        rows_fit(
            width,
            height,
            pitch,
            size_of_val(destination),
            size_of::<T>(),
        )?;
        let rows = Copy2d {
            destination: Side::host(destination.as_mut_ptr(), pitch),
            source: Side::device(source.address(), source.pitch()),
            width,
            height,
        };
        self.rows(stream, &rows)
    }

    fn rows(&self, stream: &'scope Stream, rows: &Copy2d) -> Result<()> {
        if rows.width.0 == 0 || rows.height == 0 {
            return Ok(());
        }
        self.uses("cudaMemcpy2DAsync", stream)?;
        let entered = stream.device().enter()?;
        // SAFETY: the rows lie in what is borrowed until the scope has waited for the stream.
        let result = unsafe { raw::copy_2d_async(rows, stream) };
        drop(entered);
        result
    }

    /// Gives all copies of a batch to the stream in one call.
    ///
    /// Runtime API: `cudaMemcpyBatchAsync`, with the signature of the loaded major.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::error::Misuse) for a stream that captures, and otherwise as [`Batch::submit`].
    #[doc(alias = "cudaMemcpyBatchAsync")]
    pub fn batch(&'scope self, stream: &'scope Stream, batch: Batch<'scope>) -> Result<()> {
        self.uses("cudaMemcpyBatchAsync", stream)?;
        // SAFETY: what the batch names is borrowed until the scope has waited for the stream.
        unsafe { batch.submit(stream) }
    }

    fn copy(
        &self,
        stream: &'scope Stream,
        to: Address,
        from: Address,
        size: Bytes,
        direction: Direction,
    ) -> Result<()> {
        if size.0 == 0 {
            return Ok(());
        }
        self.uses("cudaMemcpyAsync", stream)?;
        let entered = stream.device().enter()?;
        // SAFETY: both ranges are borrowed until the scope has waited for the stream, which cannot begin
        // to capture before, nor join a capture, because both take it mutably.
        let result = unsafe { raw::copy_async(to, from, size, direction, stream) };
        drop(entered);
        result
    }

    /// Remembers a stream to wait for; refuses one that captures.
    fn uses(&self, call: &'static str, stream: &'scope Stream) -> Result<()> {
        // Before the question: whoever begins to capture afterwards sees it.
        let legacy = stream.keep_legacy();
        stream.refuse_capture(call)?;
        let mut streams = self.streams.borrow_mut();
        // The default streams of all contexts have the same handles.
        let known = streams.iter().any(|(known, _)| {
            known.as_raw() == stream.as_raw() && known.device() == stream.device()
        });
        if !known {
            streams.push((stream, legacy));
        }
        Ok(())
    }
}

impl Scope<'_, '_> {
    /// Waits for every stream.
    fn wait(&self) -> Result<()> {
        let mut first: Option<Error> = None;
        for (stream, legacy) in self.streams.borrow_mut().drain(..) {
            first = first.or(wait_for(stream).err());
            drop(legacy);
        }
        first.map_or(Ok(()), Err)
    }
}

/// Waits for a stream; where it cannot be waited for, for its whole device.
fn wait_for(stream: &Stream) -> Result<()> {
    loop {
        let Err(error) = waiting(|| stream.synchronize()) else {
            return Ok(());
        };
        // A sticky failure has stopped the device: nothing is under way any longer.
        if error.is_sticky() {
            return Err(error);
        }
        let Err(other) = waiting(|| stream.device().synchronize()) else {
            return Err(error);
        };
        if !error.is_capture() {
            report_drop(Err(other));
            return Err(error);
        }
        // A capture that was begun behind this crate's back forbids to wait for the legacy stream until
        // it ends. The copies are under way, so that there is nothing to return to.
        std::thread::sleep(PAUSE);
    }
}

/// How long a forbidden wait pauses before it is tried again.
const PAUSE: Duration = Duration::from_millis(1);

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("streams", &self.streams.borrow().len())
            .finish()
    }
}
