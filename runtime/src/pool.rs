//! Stream-ordered memory: pools, and buffers that are allocated and freed in the order of a stream.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::ptr;
use std::sync::Arc;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::runtime::{
    cudaError, cudaMemAccessFlags, cudaMemAllocationType, cudaMemLocationType, cudaMemPool_t,
    cudaMemPoolAttr, v11, v12, v13,
};

use crate::copy::{self, Fill};
use crate::device::Device;
use crate::error::{Result, check, report_drop};
use crate::event::{Event, EventOptions};
use crate::memory::observe::{self, Event as MemoryEvent, Kind};
use crate::memory::{Bytes, DeviceMemory};
use crate::pointer::{Access, Address};
use crate::stream::Stream;

/// A pool that stream-ordered memory is taken from, owned or borrowed.
pub struct Pool {
    device: Device,
    raw: cudaMemPool_t,
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

/// What a device may do, as C says it.
fn access_flags(access: Access) -> cudaMemAccessFlags {
    match access {
        Access::None => cudaMemAccessFlags::cudaMemAccessFlagsProtNone,
        Access::Read => cudaMemAccessFlags::cudaMemAccessFlagsProtRead,
        _ => cudaMemAccessFlags::cudaMemAccessFlagsProtReadWrite,
    }
}

/// The memory of a device in the layout of a major: 13 has a union where the others have a number.
macro_rules! location {
    (v13, $device:expr) => {
        v13::cudaMemLocation {
            type_: cudaMemLocationType::cudaMemLocationTypeDevice,
            __bindgen_anon_1: cuda_sys::runtime::cudaMemLocation__bindgen_ty_1 {
                id: $device.as_raw(),
            },
        }
    };
    ($major:ident, $device:expr) => {
        $major::cudaMemLocation {
            type_: cudaMemLocationType::cudaMemLocationTypeDevice,
            id: $device.as_raw(),
        }
    };
}

impl Pool {
    /// Creates a pool of the device's memory.
    ///
    /// Runtime API: `cudaMemPoolCreate`, and `cudaMemPoolDestroy` on drop, which waits for nothing: memory that
    /// was taken from it lives on until it is freed.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cudaMemPoolCreate")]
    pub fn new(device: &Device, options: PoolOptions) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        let entered = device.enter()?;
        let status = if let Some(table) = api.v13() {
            let properties = v13::cudaMemPoolProps {
                allocType: cudaMemAllocationType::cudaMemAllocationTypePinned,
                location: location!(v13, device),
                maxSize: options.max_size.0,
                ..v13::cudaMemPoolProps::default()
            };
            // SAFETY: `raw` is a live out parameter and `properties` a live descriptor of this major.
            unsafe { table.cudaMemPoolCreate(&raw mut raw, &raw const properties) }
        } else if let Some(table) = api.v12() {
            let properties = v12::cudaMemPoolProps {
                allocType: cudaMemAllocationType::cudaMemAllocationTypePinned,
                location: location!(v12, device),
                maxSize: options.max_size.0,
                ..v12::cudaMemPoolProps::default()
            };
            // SAFETY: `raw` is a live out parameter and `properties` a live descriptor of this major.
            unsafe { table.cudaMemPoolCreate(&raw mut raw, &raw const properties) }
        } else if let Some(table) = api.v11() {
            let properties = v11::cudaMemPoolProps {
                allocType: cudaMemAllocationType::cudaMemAllocationTypePinned,
                location: location!(v11, device),
                ..v11::cudaMemPoolProps::default()
            };
            // SAFETY: `raw` is a live out parameter and `properties` a live descriptor of this major.
            unsafe { table.cudaMemPoolCreate(&raw mut raw, &raw const properties) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(api, cudaMemPoolCreate, status, device = device.ordinal())?;
        Ok(Self {
            device: *device,
            raw,
            owned: true,
        })
    }

    /// The pool that the device came with.
    ///
    /// Runtime API: `cudaDeviceGetDefaultMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 801 where the device has no pools.
    #[doc(alias = "cudaDeviceGetDefaultMemPool")]
    pub fn default_of(device: &Device) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cudaDeviceGetDefaultMemPool(&raw mut raw, device.as_raw()) };
        check!(
            api,
            cudaDeviceGetDefaultMemPool,
            status,
            device = device.ordinal()
        )?;
        Ok(Self {
            device: *device,
            raw,
            owned: false,
        })
    }

    /// The pool that [`PooledBuffer::new`] takes memory from, borrowed from whoever made it current.
    ///
    /// Runtime API: `cudaDeviceGetMemPool`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// The pool outlives the result: nobody destroys it before.
    #[doc(alias = "cudaDeviceGetMemPool")]
    pub unsafe fn current_of(device: &Device) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is a live out parameter.
        let status = unsafe { api.cudaDeviceGetMemPool(&raw mut raw, device.as_raw()) };
        check!(api, cudaDeviceGetMemPool, status, device = device.ordinal())?;
        Ok(Self {
            device: *device,
            raw,
            owned: false,
        })
    }

    /// Owns a pool that something else created.
    ///
    /// # Safety
    ///
    /// `raw` is a live pool of the device's device and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: cudaMemPool_t) -> Self {
        Self {
            device: *device,
            raw,
            owned: true,
        }
    }

    /// Gives the pool away: the caller destroys it.
    #[must_use = "nobody else destroys the pool"]
    pub fn into_raw(self) -> cudaMemPool_t {
        let this = ManuallyDrop::new(self);
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> cudaMemPool_t {
        self.raw
    }

    /// Where the pool lives.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Makes this the pool that [`PooledBuffer::new`] takes memory from, for the whole process.
    ///
    /// Runtime API: `cudaDeviceSetMemPool`. Destroying it later makes the default one current again.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaDeviceSetMemPool")]
    pub fn make_current(&self) -> Result<()> {
        let api = self.device.api();
        // SAFETY: the pool is alive.
        let status = unsafe { api.cudaDeviceSetMemPool(self.device.as_raw(), self.raw) };
        check!(api, cudaDeviceSetMemPool, status, pool = self.raw)
    }

    /// Gives unused memory back to the device, down to this much.
    ///
    /// Runtime API: `cudaMemPoolTrimTo`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolTrimTo")]
    pub fn trim_to(&self, keep: Bytes) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: the pool is alive.
        let status = unsafe { api.cudaMemPoolTrimTo(self.raw, keep.0) };
        drop(entered);
        check!(api, cudaMemPoolTrimTo, status, pool = self.raw, keep)
    }

    /// What the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Runtime API: `cudaMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAttribute")]
    pub fn release_threshold(&self) -> Result<Bytes> {
        self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReleaseThreshold)
    }

    /// Sets what the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Runtime API: `cudaMemPoolSetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolSetAttribute")]
    pub fn set_release_threshold(&self, keep: Bytes) -> Result<()> {
        let api = self.device.api();
        let attribute = cudaMemPoolAttr::cudaMemPoolAttrReleaseThreshold;
        let mut value = keep.0 as u64;
        let entered = self.device.enter()?;
        // SAFETY: this attribute is read as the eight bytes of `value`.
        let status =
            unsafe { api.cudaMemPoolSetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cudaMemPoolSetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0,
            keep
        )
    }

    /// How full the pool is.
    ///
    /// Runtime API: `cudaMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAttribute")]
    pub fn usage(&self) -> Result<PoolUsage> {
        Ok(PoolUsage {
            reserved: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReservedMemCurrent)?,
            reserved_high: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReservedMemHigh)?,
            used: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrUsedMemCurrent)?,
            used_high: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrUsedMemHigh)?,
        })
    }

    /// An attribute that is a number of bytes.
    fn attribute(&self, attribute: cudaMemPoolAttr) -> Result<Bytes> {
        let api = self.device.api();
        let mut value = 0_u64;
        let entered = self.device.enter()?;
        // SAFETY: the attributes asked for here are written as the eight bytes of `value`.
        let status =
            unsafe { api.cudaMemPoolGetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cudaMemPoolGetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0
        )?;
        Ok(Bytes(usize::try_from(value).unwrap_or(usize::MAX)))
    }

    /// Sets what another device may do with the pool's memory.
    ///
    /// Runtime API: `cudaMemPoolSetAccess`. Plain copies between devices need it; `peer` copies do not.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where the devices cannot reach each other.
    #[doc(alias = "cudaMemPoolSetAccess")]
    pub fn set_access(&self, other: &Device, access: Access) -> Result<()> {
        let api = self.device.api();
        let flags = access_flags(access);
        let entered = self.device.enter()?;
        let status = if let Some(table) = api.v13() {
            let rule = v13::cudaMemAccessDesc {
                location: location!(v13, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else if let Some(table) = api.v12() {
            let rule = v12::cudaMemAccessDesc {
                location: location!(v12, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else if let Some(table) = api.v11() {
            let rule = v11::cudaMemAccessDesc {
                location: location!(v11, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(
            api,
            cudaMemPoolSetAccess,
            status,
            pool = self.raw,
            device = other.ordinal()
        )
    }

    /// What another device may do with the pool's memory.
    ///
    /// Runtime API: `cudaMemPoolGetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAccess")]
    pub fn access(&self, other: &Device) -> Result<Access> {
        let api = self.device.api();
        let mut flags = cudaMemAccessFlags::cudaMemAccessFlagsProtNone;
        let found = &raw mut flags;
        let entered = self.device.enter()?;
        let status = if let Some(table) = api.v13() {
            let mut place = location!(v13, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else if let Some(table) = api.v12() {
            let mut place = location!(v12, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else if let Some(table) = api.v11() {
            let mut place = location!(v11, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(
            api,
            cudaMemPoolGetAccess,
            status,
            pool = self.raw,
            device = other.ordinal()
        )?;
        Ok(Access::new(flags.0.into()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        let api = self.device.api();
        report_drop(self.device.enter().and_then(|entered| {
            // SAFETY: created once, destroyed once.
            let status = unsafe { api.cudaMemPoolDestroy(self.raw) };
            drop(entered);
            check!(api, cudaMemPoolDestroy, status, pool = self.raw)
        }));
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("raw", &self.raw)
            .field("device", &self.device)
            .finish()
    }
}

/// Device memory that is allocated and freed in the order of a stream.
///
/// Runtime API: `cudaMallocAsync` or `cudaMallocFromPoolAsync`, and `cudaFreeAsync` on drop.
///
/// The methods here use the buffer's own stream. Whoever gives it to another stream puts that one in
/// order first ([`PooledBuffer::lend_to`]), and before the drop puts the buffer's stream behind it
/// ([`PooledBuffer::await_stream`]); forgetting either gives wrong numbers or a failed device.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use std::sync::Arc;
///
/// use cuwhy_runtime::pool::PooledBuffer;
/// use cuwhy_runtime::stream::{Stream, StreamOptions};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let stream = Arc::new(Stream::new(&device, StreamOptions::NON_BLOCKING)?);
/// let mut buffer = PooledBuffer::<u16>::new(&stream, 100)?;
/// buffer.fill(3)?;
/// assert_eq!(buffer.to_vec()?, [3; 100]);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
#[doc(alias = "cudaMallocAsync")]
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
    #[doc(alias = "cudaMallocAsync")]
    #[track_caller]
    pub fn new(stream: &Arc<Stream>, len: usize) -> Result<Self> {
        Self::allocate(None, stream, len)
    }

    /// Allocates from this pool.
    ///
    /// # Errors
    ///
    /// As [`PooledBuffer::new`].
    #[doc(alias = "cudaMallocFromPoolAsync")]
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
            stream.refuse_capture("cudaMallocAsync")?;
            let entered = stream.device().enter()?;
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
        let entered = self.stream.device().enter()?;
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
    /// Runtime API: `cudaEventRecord`, `cudaStreamWaitEvent`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaEventRecord")]
    pub fn lend_to(&self, other: &Stream) -> Result<()> {
        let event = Event::new(self.stream.device(), EventOptions::WITHOUT_TIMING)?;
        event.record(&self.stream)?;
        other.wait(&event)
    }

    /// Makes later work of the buffer's stream, freeing it included, wait for what another stream did so
    /// far.
    ///
    /// Runtime API: `cudaEventRecord`, `cudaStreamWaitEvent`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaEventRecord")]
    pub fn await_stream(&self, other: &Stream) -> Result<()> {
        let event = Event::new(other.device(), EventOptions::WITHOUT_TIMING)?;
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
        let entered = self.stream.device().enter()?;
        let result = observe::end(
            || self.event(),
            // SAFETY: allocated once, freed once, in the order of the stream.
            || unsafe { raw::free(self.address, &self.stream) },
        );
        drop(entered);
        result
    }

    fn event(&self) -> MemoryEvent {
        MemoryEvent {
            kind: Kind::Pool,
            address: self.address,
            size: self.size(),
            device: Some(self.stream.device().ordinal()),
            context: None,
            stream: Some(self.stream.id_for_observers()),
            location: Some(self.location),
        }
    }
}

// SAFETY: the memory is allocated until the buffer is dropped, in the order of its stream, and nothing
// hands out references to it.
unsafe impl<T> DeviceMemory for PooledBuffer<T> {
    type Element = T;

    fn device(&self) -> &Device {
        self.stream.device()
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

/// The C calls, with errors: no owner, no device switch, no observer.
pub mod raw {
    use super::{Address, Bytes, Pool, Result, Stream, check};
    use core::ptr;

    use crate::api::api;

    /// Allocates in the order of the stream, from this pool or the device's current one.
    ///
    /// Runtime API: `cudaMallocAsync`, `cudaMallocFromPoolAsync`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// In a stream that captures, the memory belongs to the graph.
    #[doc(alias = "cudaMallocAsync")]
    #[doc(alias = "cudaMallocFromPoolAsync")]
    pub unsafe fn allocate(pool: Option<&Pool>, size: Bytes, stream: &Stream) -> Result<Address> {
        let api = api()?;
        let mut pointer = ptr::null_mut();
        let handle = stream.as_raw();
        if let Some(pool) = pool {
            // SAFETY: `pointer` is a live out parameter; pool and stream are alive.
            let status = unsafe {
                api.cudaMallocFromPoolAsync(&raw mut pointer, size.0, pool.as_raw(), handle)
            };
            check!(
                api,
                cudaMallocFromPoolAsync,
                status,
                size,
                pool = pool.as_raw(),
                stream = handle
            )?;
        } else {
            // SAFETY: `pointer` is a live out parameter; the stream is alive.
            let status = unsafe { api.cudaMallocAsync(&raw mut pointer, size.0, handle) };
            check!(api, cudaMallocAsync, status, size, stream = handle)?;
        }
        Ok(Address::from(pointer))
    }

    /// Frees in the order of the stream.
    ///
    /// Runtime API: `cudaFreeAsync`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    ///
    /// # Safety
    ///
    /// Nobody uses the memory behind this point of the stream.
    #[doc(alias = "cudaFreeAsync")]
    pub unsafe fn free(address: Address, stream: &Stream) -> Result<()> {
        let api = api()?;
        let handle = stream.as_raw();
        // SAFETY: the caller promises that nobody uses the memory behind this point of the stream.
        let status = unsafe { api.cudaFreeAsync(address.as_mut_ptr(), handle) };
        check!(api, cudaFreeAsync, status, address, stream = handle)
    }
}
