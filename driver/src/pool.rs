//! Stream-ordered memory: pools, and buffers that are allocated and freed in the order of a stream.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::ptr;
use std::sync::Arc;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::driver::{
    CUmemAccess_flags, CUmemAccessDesc, CUmemAllocationType, CUmemLocation,
    CUmemLocation_st__bindgen_ty_1, CUmemLocationType, CUmemPool_attribute, CUmemPoolProps,
    CUmemoryPool,
};

use crate::context::Context;
use crate::copy::{self, Fill};
use crate::error::{Result, check, report_drop};
use crate::event::{Event, EventOptions};
use crate::memory::observe::{self, Event as MemoryEvent, Kind};
use crate::memory::{Bytes, DeviceMemory};
use crate::pointer::{Access, Address};
use crate::stream::Stream;

/// A pool that stream-ordered memory is taken from, owned or borrowed.
pub struct Pool {
    context: Context,
    raw: CUmemoryPool,
    owned: bool,
}

// SAFETY: a pool may be used from every thread.
unsafe impl Send for Pool {}
// SAFETY: as above; the driver serialises what must be.
unsafe impl Sync for Pool {}

/// How a pool is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolOptions {
    /// The most that it may hold; zero for a default of the driver's (12.2 and later).
    pub max_size: Bytes,
}

impl PoolOptions {
    /// The same with a bound.
    #[must_use]
    pub const fn max_size(self, max_size: Bytes) -> Self {
        Self { max_size }
    }
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUsage {
    /// What it holds of the device's memory.
    pub reserved: Bytes,
    /// The most that it ever held.
    pub reserved_high: Bytes,
    /// What of it is allocated.
    pub used: Bytes,
    /// The most that ever was.
    pub used_high: Bytes,
}

/// The memory of a device, as C says it.
pub(crate) fn location(context: &Context) -> CUmemLocation {
    CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 {
            id: context.device().as_raw(),
        },
    }
}

/// What a device may do, as C says it.
pub(crate) fn access_flags(access: Access) -> CUmemAccess_flags {
    match access {
        Access::None => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE,
        Access::Read => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ,
        _ => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
    }
}

impl Pool {
    /// Creates a pool of the device's memory.
    ///
    /// Driver API: `cuMemPoolCreate`, and `cuMemPoolDestroy` on drop, which waits for nothing: memory that
    /// was taken from it lives on until it is freed.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cuMemPoolCreate")]
    pub fn new(context: &Context, options: PoolOptions) -> Result<Self> {
        let api = context.api();
        let properties = CUmemPoolProps {
            allocType: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
            location: location(context),
            maxSize: options.max_size.0,
            ..CUmemPoolProps::default()
        };
        let mut raw = ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: `raw` is a live out parameter and `properties` a live descriptor.
        let status = unsafe { api.cuMemPoolCreate(&raw mut raw, &raw const properties) };
        drop(entered);
        check!(
            api,
            cuMemPoolCreate,
            status,
            device = context.device().ordinal()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: true,
        })
    }

    /// The pool that the device came with.
    ///
    /// Driver API: `cuDeviceGetDefaultMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cuDeviceGetDefaultMemPool")]
    pub fn default_of(context: &Context) -> Result<Self> {
        let api = context.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status =
            unsafe { api.cuDeviceGetDefaultMemPool(&raw mut raw, context.device().as_raw()) };
        check!(
            api,
            cuDeviceGetDefaultMemPool,
            status,
            device = context.device().ordinal()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: false,
        })
    }

    /// The pool that [`PooledBuffer::new`] takes memory from, borrowed from whoever made it current.
    ///
    /// Driver API: `cuDeviceGetMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// The pool outlives the result: nobody destroys it before.
    #[doc(alias = "cuDeviceGetMemPool")]
    pub unsafe fn current_of(context: &Context) -> Result<Self> {
        let api = context.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cuDeviceGetMemPool(&raw mut raw, context.device().as_raw()) };
        check!(
            api,
            cuDeviceGetMemPool,
            status,
            device = context.device().ordinal()
        )?;
        Ok(Self {
            context: context.clone(),
            raw,
            owned: false,
        })
    }

    /// Owns a pool that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live pool of the context's device and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(context: &Context, raw: CUmemoryPool) -> Self {
        Self {
            context: context.clone(),
            raw,
            owned: true,
        }
    }

    /// Gives the pool away: the caller destroys it.
    #[must_use = "nobody else destroys the pool"]
    pub fn into_raw(self) -> CUmemoryPool {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped nor used again, so the context is dropped once.
        unsafe { ptr::drop_in_place(&raw mut this.context) };
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> CUmemoryPool {
        self.raw
    }

    /// Where the pool lives.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Makes this the pool that [`PooledBuffer::new`] takes memory from, for the whole process.
    ///
    /// Driver API: `cuDeviceSetMemPool`. Destroying it later makes the default one current again.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuDeviceSetMemPool")]
    pub fn make_current(&self) -> Result<()> {
        let api = self.context.api();
        // SAFETY: the pool is alive.
        let status = unsafe { api.cuDeviceSetMemPool(self.context.device().as_raw(), self.raw) };
        check!(api, cuDeviceSetMemPool, status, pool = self.raw)
    }

    /// Gives unused memory back to the device, down to this much.
    ///
    /// Driver API: `cuMemPoolTrimTo`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolTrimTo")]
    pub fn trim_to(&self, keep: Bytes) -> Result<()> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: the pool is alive.
        let status = unsafe { api.cuMemPoolTrimTo(self.raw, keep.0) };
        drop(entered);
        check!(api, cuMemPoolTrimTo, status, pool = self.raw, keep)
    }

    /// What the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Driver API: `cuMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolGetAttribute")]
    pub fn release_threshold(&self) -> Result<Bytes> {
        self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
    }

    /// Sets what the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Driver API: `cuMemPoolSetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolSetAttribute")]
    pub fn set_release_threshold(&self, keep: Bytes) -> Result<()> {
        let api = self.context.api();
        let attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        let mut value = keep.0 as u64;
        let entered = self.context.enter()?;
        // SAFETY: this attribute is read as the eight bytes of `value`.
        let status =
            unsafe { api.cuMemPoolSetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cuMemPoolSetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0,
            keep
        )
    }

    /// How full the pool is.
    ///
    /// Driver API: `cuMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolGetAttribute")]
    pub fn usage(&self) -> Result<PoolUsage> {
        Ok(PoolUsage {
            reserved: self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?,
            reserved_high: self
                .attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?,
            used: self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
            used_high: self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
        })
    }

    /// An attribute that is a number of bytes.
    fn attribute(&self, attribute: CUmemPool_attribute) -> Result<Bytes> {
        let api = self.context.api();
        let mut value = 0_u64;
        let entered = self.context.enter()?;
        // SAFETY: the attributes asked for here are written as the eight bytes of `value`.
        let status =
            unsafe { api.cuMemPoolGetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cuMemPoolGetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0
        )?;
        Ok(Bytes(usize::try_from(value).unwrap_or(usize::MAX)))
    }

    /// Sets what another device may do with the pool's memory.
    ///
    /// Driver API: `cuMemPoolSetAccess`. Plain copies between devices need it; `peer` copies do not.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where the devices cannot reach each other.
    #[doc(alias = "cuMemPoolSetAccess")]
    pub fn set_access(&self, other: &Context, access: Access) -> Result<()> {
        let api = self.context.api();
        let rule = CUmemAccessDesc {
            location: location(other),
            flags: access_flags(access),
        };
        let entered = self.context.enter()?;
        // SAFETY: one live descriptor; the pool is alive.
        let status = unsafe { api.cuMemPoolSetAccess(self.raw, &raw const rule, 1) };
        drop(entered);
        check!(
            api,
            cuMemPoolSetAccess,
            status,
            pool = self.raw,
            device = other.device().ordinal()
        )
    }

    /// What another device may do with the pool's memory.
    ///
    /// Driver API: `cuMemPoolGetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolGetAccess")]
    pub fn access(&self, other: &Context) -> Result<Access> {
        let api = self.context.api();
        let mut flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE;
        let mut place = location(other);
        let entered = self.context.enter()?;
        // SAFETY: a live out parameter and a live descriptor; the pool is alive.
        let status = unsafe { api.cuMemPoolGetAccess(&raw mut flags, self.raw, &raw mut place) };
        drop(entered);
        check!(
            api,
            cuMemPoolGetAccess,
            status,
            pool = self.raw,
            device = other.device().ordinal()
        )?;
        Ok(Access::new(flags.0.into()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        let api = self.context.api();
        report_drop(self.context.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cuMemPoolDestroy(self.raw) };
            drop(entered);
            check!(api, cuMemPoolDestroy, status, pool = self.raw)
        }));
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("raw", &self.raw)
            .field("context", &self.context)
            .finish()
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
            address = unsafe { raw::allocate(pool, size, stream) }?;
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
            || unsafe { raw::free(self.address, &self.stream) },
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

/// The C calls, with errors: no owner, no context switch, no observer.
pub mod raw {
    use super::{Address, Bytes, Pool, Result, Stream, check};
    use crate::api::api;

    /// Allocates in the order of the stream, from this pool or the device's current one.
    ///
    /// Driver API: `cuMemAllocAsync`, `cuMemAllocFromPoolAsync`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// In a stream that captures, the memory belongs to the graph.
    #[doc(alias = "cuMemAllocAsync")]
    #[doc(alias = "cuMemAllocFromPoolAsync")]
    pub unsafe fn allocate(pool: Option<&Pool>, size: Bytes, stream: &Stream) -> Result<Address> {
        let api = api()?;
        let mut address = 0;
        let handle = stream.as_raw();
        if let Some(pool) = pool {
            // SAFETY: `address` is a live out parameter; pool and stream are alive.
            let status = unsafe {
                api.cuMemAllocFromPoolAsync(&raw mut address, size.0, pool.as_raw(), handle)
            };
            check!(
                api,
                cuMemAllocFromPoolAsync,
                status,
                size,
                pool = pool.as_raw(),
                stream = handle
            )?;
        } else {
            // SAFETY: `address` is a live out parameter; the stream is alive.
            let status = unsafe { api.cuMemAllocAsync(&raw mut address, size.0, handle) };
            check!(api, cuMemAllocAsync, status, size, stream = handle)?;
        }
        Ok(Address(address))
    }

    /// Frees in the order of the stream.
    ///
    /// Driver API: `cuMemFreeAsync`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// Nobody uses the memory behind this point of the stream.
    #[doc(alias = "cuMemFreeAsync")]
    pub unsafe fn free(address: Address, stream: &Stream) -> Result<()> {
        let api = api()?;
        let handle = stream.as_raw();
        // SAFETY: the caller promises that nobody uses the memory behind this point of the stream.
        let status = unsafe { api.cuMemFreeAsync(address.0, handle) };
        check!(api, cuMemFreeAsync, status, address, stream = handle)
    }
}
