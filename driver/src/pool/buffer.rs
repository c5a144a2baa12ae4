use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::ptr;
use std::sync::Arc;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::driver::CUmemPoolPtrExportData;

use super::{Pool, raw};
use crate::context::Context;
use crate::copy::{self, Fill};
use crate::error::{Result, check, report_drop};
use crate::event::{Event, EventOptions};
use crate::memory::observe::{self, Event as MemoryEvent, Kind};
use crate::memory::{Bytes, DeviceMemory};
use crate::pointer::Address;
use crate::stream::Stream;

/// The name of a buffer of a pool in other processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PointerHandle(pub [u8; 64]);

impl fmt::Debug for PointerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointerHandle").finish_non_exhaustive()
    }
}

/// Device memory that is allocated and freed in the order of a stream.
///
/// Driver API: `cuMemAllocAsync` or `cuMemAllocFromPoolAsync`, and `cuMemFreeAsync` on drop.
///
/// The methods here use the buffer's own stream. Whoever gives it to another stream puts that one in
/// order first ([`PooledBuffer::lend_to`]), and before the drop puts the buffer's stream behind it
/// ([`PooledBuffer::await_stream`]); forgetting either gives wrong numbers or a failed context.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use std::sync::Arc;
///
/// use cuwhy_driver::pool::PooledBuffer;
/// use cuwhy_driver::stream::{Stream, StreamOptions};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let stream = Arc::new(Stream::new(&context, StreamOptions::NON_BLOCKING)?);
/// let mut buffer = PooledBuffer::<u16>::new(&stream, 100)?;
/// buffer.fill(3)?;
/// assert_eq!(buffer.to_vec()?, [3; 100]);
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
#[doc(alias = "cuMemAllocAsync")]
pub struct PooledBuffer<T> {
    stream: Arc<Stream>,
    address: Address,
    len: usize,
    location: &'static Location<'static>,
    marker: PhantomData<T>,
}

impl<T: Copy> PooledBuffer<T> {
    /// Allocates from the device's current pool; the contents are whatever was there.
    ///
    /// # Errors
    ///
    /// [`Misuse::Capturing`](crate::error::Misuse::Capturing), and what CUDA answers.
    #[doc(alias = "cuMemAllocAsync")]
    #[track_caller]
    pub fn new(stream: &Arc<Stream>, len: usize) -> Result<Self> {
        Self::allocate(None, stream, len)
    }

    /// Allocates from this pool.
    ///
    /// # Errors
    ///
    /// As [`PooledBuffer::new`].
    #[doc(alias = "cuMemAllocFromPoolAsync")]
    #[track_caller]
    pub fn from_pool(pool: &Pool, stream: &Arc<Stream>, len: usize) -> Result<Self> {
        Self::allocate(Some(pool), stream, len)
    }

    #[track_caller]
    fn allocate(pool: Option<&Pool>, stream: &Arc<Stream>, len: usize) -> Result<Self> {
        let location = Location::caller();
        let size = Bytes::of::<T>(len)?;
        let mut address = Address::NULL;
        if size.0 > 0 {
            stream.refuse_capture("cuMemAllocAsync")?;
            let entered = stream.context().enter()?;
            // SAFETY: allocating needs no promise; what it returns is owned here.
            address = unsafe { raw::allocate_unobserved(pool, size, stream) }?;
            drop(entered);
        }
        let buffer = Self {
            stream: Arc::clone(stream),
            address,
            len,
            location,
            marker: PhantomData,
        };
        if size.0 > 0 {
            observe::began(|| buffer.event());
        }
        Ok(buffer)
    }

    /// Copies from the host in the order of the stream, and waits.
    ///
    /// # Errors
    ///
    /// As [`copy::upload`].
    pub fn upload(&mut self, elements: &[T]) -> Result<()>
    where
        T: NoUninit,
    {
        let this = &*self;
        copy::scope(|scope| scope.upload(&this.stream, this, elements))
    }

    /// Copies to the host in the order of the stream, and waits.
    ///
    /// # Errors
    ///
    /// As [`copy::download`].
    pub fn download(&self, elements: &mut [T]) -> Result<()>
    where
        T: AnyBitPattern,
    {
        copy::scope(|scope| scope.download(&self.stream, elements, self))
    }

    /// Copies everything to the host in the order of the stream, and waits.
    ///
    /// # Errors
    ///
    /// As [`copy::download`].
    pub fn to_vec(&self) -> Result<Vec<T>>
    where
        T: AnyBitPattern,
    {
        let mut elements = copy::zeroes(self.len)?;
        self.download(&mut elements)?;
        Ok(elements)
    }

    /// Fills it with one value in the order of the stream, and does not wait.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    pub fn fill(&mut self, value: T) -> Result<()>
    where
        T: Fill,
    {
        if self.len == 0 {
            return Ok(());
        }
        let entered = self.stream.context().enter()?;
        // SAFETY: the memory is allocated in the order of this stream, and freed in it.
        let result =
            unsafe { copy::raw::fill_async(self.address, value.pattern(), self.len, &self.stream) };
        drop(entered);
        result
    }
}

impl<T> PooledBuffer<T> {
    /// Owns stream-ordered memory that something else allocated.
    ///
    /// # Safety
    ///
    /// `address` was returned by a stream-ordered allocation of at least `len` elements, it may be freed in
    /// the order of `stream`, and nobody else frees it; or `len` times the size of `T` is zero.
    #[track_caller]
    #[must_use]
    pub unsafe fn from_raw_parts(stream: &Arc<Stream>, address: Address, len: usize) -> Self {
        let location = Location::caller();
        Self {
            stream: Arc::clone(stream),
            address,
            len,
            location,
            marker: PhantomData,
        }
    }

    /// The name of this memory in processes that imported its pool.
    ///
    /// Driver API: `cuMemPoolExportPointer`. The memory stays this process's: the others must have freed it
    /// before it is freed here.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for memory of a pool that cannot be exported, or never was (measured: H100, driver
    /// 580).
    #[doc(alias = "cuMemPoolExportPointer")]
    pub fn export(&self) -> Result<PointerHandle> {
        let context = self.stream.context();
        let api = context.api();
        let mut raw = CUmemPoolPtrExportData::default();
        let address = self.address;
        let entered = context.enter()?;
        // SAFETY: `raw` is a live out parameter; the address is looked up and nothing is read there.
        let status = unsafe { api.cuMemPoolExportPointer(&raw mut raw, address.0) };
        drop(entered);
        check!(api, cuMemPoolExportPointer, status, address)?;
        Ok(PointerHandle(raw.reserved))
    }

    /// Opens memory of another process.
    ///
    /// Driver API: `cuMemPoolImportPointer`, and `cuMemFreeAsync` on drop, which only closes it.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// The handle came from [`PooledBuffer::export`] of that many elements in the process that `pool` was
    /// imported from, which keeps the memory until this value was dropped and its stream is idle.
    #[doc(alias = "cuMemPoolImportPointer")]
    #[track_caller]
    pub unsafe fn import(
        pool: &Pool,
        stream: &Arc<Stream>,
        handle: PointerHandle,
        len: usize,
    ) -> Result<Self> {
        let location = Location::caller();
        let api = pool.context().api();
        let mut raw = CUmemPoolPtrExportData { reserved: handle.0 };
        let mut address = 0;
        let entered = stream.context().enter()?;
        // SAFETY: two live parameters; the caller answers for the handle.
        let status =
            unsafe { api.cuMemPoolImportPointer(&raw mut address, pool.as_raw(), &raw mut raw) };
        drop(entered);
        check!(api, cuMemPoolImportPointer, status, pool = pool.as_raw())?;
        let buffer = Self {
            stream: Arc::clone(stream),
            address: Address(address),
            len,
            location,
            marker: PhantomData,
        };
        if buffer.size().0 > 0 {
            observe::began(|| buffer.event());
        }
        Ok(buffer)
    }

    /// Gives the memory away: the caller frees it.
    #[must_use = "nobody else frees the memory"]
    pub fn into_raw(self) -> Address {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the stream is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.stream) };
        this.address
    }

    /// The stream in whose order the buffer lives.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Makes later work of another stream wait until the buffer is there and what its stream did so far is
    /// done.
    ///
    /// Driver API: `cuEventRecord`, `cuStreamWaitEvent`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuEventRecord")]
    pub fn lend_to(&self, other: &Stream) -> Result<()> {
        let event = Event::new(self.stream.context(), EventOptions::WITHOUT_TIMING)?;
        event.record(&self.stream)?;
        other.wait(&event)
    }

    /// Makes later work of the buffer's stream, freeing it included, wait for what another stream did so
    /// far.
    ///
    /// Driver API: `cuEventRecord`, `cuStreamWaitEvent`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuEventRecord")]
    pub fn await_stream(&self, other: &Stream) -> Result<()> {
        let event = Event::new(other.context(), EventOptions::WITHOUT_TIMING)?;
        event.record(other)?;
        self.stream.wait(&event)
    }

    /// Frees now, in the order of the stream, and says what a drop could only report to the hook.
    ///
    /// # Errors
    ///
    /// What CUDA answers; the memory is then lost.
    pub fn free(self) -> Result<()> {
        let mut this = ManuallyDrop::new(self);
        let result = this.release();
        // SAFETY: `this` is never dropped nor used again, so the stream is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.stream) };
        result
    }

    fn release(&mut self) -> Result<()> {
        if self.size().0 == 0 {
            return Ok(());
        }
        let entered = self.stream.context().enter()?;
        let result = observe::end(
            || self.event(),
            // SAFETY: allocated once, freed once, in the order of the stream.
            || unsafe { raw::free_unobserved(self.address, &self.stream) },
        );
        drop(entered);
        result
    }

    fn event(&self) -> MemoryEvent {
        let context = self.stream.context();
        MemoryEvent {
            kind: Kind::Pool,
            address: self.address,
            size: self.size(),
            device: Some(context.device().ordinal()),
            context: Some(context.id_for_observers()),
            stream: Some(self.stream.id_for_observers()),
            rows: None,
            location: Some(self.location),
        }
    }
}

// SAFETY: the memory is allocated until the buffer is dropped, in the order of its stream, and nothing
// hands out references to it.
unsafe impl<T> DeviceMemory for PooledBuffer<T> {
    type Element = T;

    fn context(&self) -> &Context {
        self.stream.context()
    }

    fn address(&self) -> Address {
        self.address
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl<T> Drop for PooledBuffer<T> {
    fn drop(&mut self) {
        report_drop(self.release());
    }
}

impl<T> fmt::Debug for PooledBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuffer")
            .field("address", &self.address)
            .field("len", &self.len)
            .field("stream", &self.stream)
            .finish()
    }
}
