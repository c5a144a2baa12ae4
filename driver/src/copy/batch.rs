use core::fmt;
use core::marker::PhantomData;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::driver::{CUdeviceptr, CUmemcpyAttributes, CUmemcpySrcAccessOrder};

use super::slices::same_length;
use crate::api::api;
use crate::error::{Result, check};
use crate::memory::{Bytes, DeviceMemory, DeviceSlice};
use crate::pointer::Address;
use crate::stream::Stream;

/// When the source of a copy in a batch may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SourceOrder {
    /// In stream order, as any other copy.
    #[default]
    Stream,
    /// Before the call returns.
    DuringCall,
    /// At any time, in no order.
    Any,
}

impl SourceOrder {
    pub(super) fn raw(self) -> CUmemcpySrcAccessOrder {
        match self {
            Self::Stream => CUmemcpySrcAccessOrder::CU_MEMCPY_SRC_ACCESS_ORDER_STREAM,
            Self::DuringCall => CUmemcpySrcAccessOrder::CU_MEMCPY_SRC_ACCESS_ORDER_DURING_API_CALL,
            Self::Any => CUmemcpySrcAccessOrder::CU_MEMCPY_SRC_ACCESS_ORDER_ANY,
        }
    }
}

/// Many copies for one call, in no order among themselves.
///
/// Driver API: `cuMemcpyBatchAsync_v2` (13.0), or `cuMemcpyBatchAsync` (12.8), which also says which copy
/// it refused. Copies of nothing are left out, because CUDA refuses them. The operands of the safe
/// methods stay borrowed as long as the batch lives; [`Scope::batch`](super::Scope::batch) gives it to a
/// stream and keeps them borrowed until that is done.
#[doc(alias = "cuMemcpyBatchAsync")]
#[derive(Default)]
pub struct Batch<'a> {
    destinations: Vec<CUdeviceptr>,
    sources: Vec<CUdeviceptr>,
    sizes: Vec<usize>,
    orders: Vec<SourceOrder>,
    marker: PhantomData<&'a mut [u8]>,
}

impl<'a> Batch<'a> {
    /// A batch of no copies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of copies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether there are no copies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Adds a copy of host memory to device memory.
    ///
    /// # Errors
    ///
    /// [`Misuse::LengthsDiffer`](crate::error::Misuse::LengthsDiffer).
    pub fn upload<T: NoUninit>(
        &mut self,
        destination: impl Into<DeviceSlice<'a, T>>,
        source: &'a [T],
    ) -> Result<()> {
        let destination = destination.into();
        same_length(CALL, destination.len(), source.len())?;
        let from = Address::from(source.as_ptr());
        self.add(
            destination.address(),
            from,
            Bytes(size_of_val(source)),
            SourceOrder::Stream,
        );
        Ok(())
    }

    /// Adds a copy of device memory to host memory.
    ///
    /// # Errors
    ///
    /// [`Misuse::LengthsDiffer`](crate::error::Misuse::LengthsDiffer).
    pub fn download<T: AnyBitPattern>(
        &mut self,
        destination: &'a mut [T],
        source: impl Into<DeviceSlice<'a, T>>,
    ) -> Result<()> {
        let source = source.into();
        same_length(CALL, destination.len(), source.len())?;
        let size = Bytes(size_of_val(destination));
        self.add(
            Address::from(destination.as_mut_ptr()),
            source.address(),
            size,
            SourceOrder::Stream,
        );
        Ok(())
    }

    /// Adds a copy of device memory to device memory.
    ///
    /// # Errors
    ///
    /// [`Misuse::LengthsDiffer`](crate::error::Misuse::LengthsDiffer).
    pub fn device_to_device<T: Copy + 'static>(
        &mut self,
        destination: impl Into<DeviceSlice<'a, T>>,
        source: impl Into<DeviceSlice<'a, T>>,
    ) -> Result<()> {
        let destination = destination.into();
        let source = source.into();
        same_length(CALL, destination.len(), source.len())?;
        self.add(
            destination.address(),
            source.address(),
            source.size(),
            SourceOrder::Stream,
        );
        Ok(())
    }

    /// Adds a copy between raw ranges.
    ///
    /// # Safety
    ///
    /// As for [`raw::copy_async`](super::raw::copy_async), for the stream that the batch is given to.
    pub unsafe fn push(
        &mut self,
        destination: Address,
        source: Address,
        size: Bytes,
        order: SourceOrder,
    ) {
        self.add(destination, source, size, order);
    }

    fn add(&mut self, destination: Address, source: Address, size: Bytes, order: SourceOrder) {
        if size.0 == 0 {
            return;
        }
        self.destinations.push(destination.0);
        self.sources.push(source.0);
        self.sizes.push(size.0);
        self.orders.push(order);
    }

    /// The attributes in runs, and where each run begins.
    fn attributes(&self) -> (Vec<CUmemcpyAttributes>, Vec<usize>) {
        let (mut attributes, mut begins) = (Vec::new(), Vec::new());
        let mut last = None;
        for (index, order) in self.orders.iter().enumerate() {
            if last != Some(*order) {
                last = Some(*order);
                attributes.push(CUmemcpyAttributes {
                    srcAccessOrder: order.raw(),
                    ..CUmemcpyAttributes::default()
                });
                begins.push(index);
            }
        }
        (attributes, begins)
    }

    /// Gives all copies to the stream.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFunction`](crate::error::Error::MissingFunction) before 12.8, and what CUDA answers: 1 for the
    /// legacy stream, 900 for one that captures.
    ///
    /// # Safety
    ///
    /// Everything that was added stays allocated, and its host memory unused where it is written and
    /// unchanged where it is read, until the stream has done it.
    #[doc(alias = "cuMemcpyBatchAsync")]
    pub unsafe fn submit(mut self, stream: &Stream) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let api = api()?;
        let (mut attributes, mut begins) = self.attributes();
        let (count, runs, handle) = (self.len(), attributes.len(), stream.as_raw());
        let (to, from) = (self.destinations.as_mut_ptr(), self.sources.as_mut_ptr());
        let sizes = self.sizes.as_mut_ptr();
        let (attributes, begins) = (attributes.as_mut_ptr(), begins.as_mut_ptr());
        let entered = stream.context().enter()?;
        if api.has("cuMemcpyBatchAsync_v2") {
            // SAFETY: three lists of `count` and two of `runs` entries, which the driver reads before it
            // returns; the caller answers for what they name.
            let status = unsafe {
                api.cuMemcpyBatchAsync_v2(to, from, sizes, count, attributes, begins, runs, handle)
            };
            drop(entered);
            check!(api, cuMemcpyBatchAsync_v2, status, count, stream = handle)
        } else {
            let mut failed = usize::MAX;
            let which = &raw mut failed;
            // SAFETY: as above, and `which` is a live out parameter.
            let status = unsafe {
                api.cuMemcpyBatchAsync(
                    to, from, sizes, count, attributes, begins, runs, which, handle,
                )
            };
            drop(entered);
            check!(
                api,
                cuMemcpyBatchAsync,
                status,
                count,
                failed,
                stream = handle
            )
        }
    }
}

/// The call as errors of ours name it.
const CALL: &str = "cuMemcpyBatchAsync_v2";

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_in_runs_that_begin_at_zero() {
        let mut batch = Batch::new();
        for order in [
            SourceOrder::Stream,
            SourceOrder::Stream,
            SourceOrder::Any,
            SourceOrder::Stream,
        ] {
            batch.add(Address(1), Address(2), Bytes(3), order);
        }
        batch.add(Address(1), Address(2), Bytes(0), SourceOrder::DuringCall);
        let (attributes, begins) = batch.attributes();
        assert_eq!(begins, [0, 2, 3]);
        assert_eq!(attributes.len(), 3);
        assert_eq!(batch.len(), 4);
    }
}
