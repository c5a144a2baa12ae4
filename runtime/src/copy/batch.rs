use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;

use bytemuck::{AnyBitPattern, NoUninit};
use cuda_sys::runtime::{cudaError, cudaMemcpySrcAccessOrder, v12, v13};

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

/// Many copies for one call, in no order among themselves.
///
/// Runtime API: `cudaMemcpyBatchAsync`, of 13, or of 12.8 and 12.9, which also say which copy they
/// refused. Copies of nothing are left out, because CUDA refuses them. The operands of the safe
/// methods stay borrowed as long as the batch lives; [`Scope::batch`](super::Scope::batch) gives it to a
/// stream and keeps them borrowed until that is done.
#[doc(alias = "cudaMemcpyBatchAsync")]
#[derive(Default)]
pub struct Batch<'a> {
    destinations: Vec<*mut c_void>,
    sources: Vec<*mut c_void>,
    sizes: Vec<usize>,
    orders: Vec<SourceOrder>,
    marker: PhantomData<&'a mut [u8]>,
}

// SAFETY: it is a list of addresses; the host elements that it borrows are plain bytes, which every thread may
// copy.
unsafe impl Send for Batch<'_> {}
// SAFETY: as above; sharing it only lets its length be read.
unsafe impl Sync for Batch<'_> {}

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
        self.destinations.push(destination.as_mut_ptr());
        self.sources.push(source.as_mut_ptr());
        self.sizes.push(size.0);
        self.orders.push(order);
    }

    /// The orders in runs, and where each run begins.
    fn runs(&self) -> (Vec<SourceOrder>, Vec<usize>) {
        let (mut orders, mut begins) = (Vec::new(), Vec::new());
        for (index, order) in self.orders.iter().enumerate() {
            if orders.last() != Some(order) {
                orders.push(*order);
                begins.push(index);
            }
        }
        (orders, begins)
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
    #[doc(alias = "cudaMemcpyBatchAsync")]
    pub unsafe fn submit(mut self, stream: &Stream) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let api = api()?;
        let (orders, mut begins) = self.runs();
        let (count, runs, handle) = (self.len(), orders.len(), stream.as_raw());
        let (to, from) = (self.destinations.as_mut_ptr(), self.sources.as_mut_ptr());
        let (sizes, begins) = (self.sizes.as_mut_ptr(), begins.as_mut_ptr());
        let entered = stream.device().enter()?;
        let result = if let Some(table) = api.v12() {
            let mut attributes: Vec<_> = orders.iter().map(|order| order.v12()).collect();
            let attributes = attributes.as_mut_ptr();
            let mut failed = usize::MAX;
            let which = &raw mut failed;
            // SAFETY: three lists of `count` and two of `runs` entries, which the runtime reads before it
            // returns, and a live out parameter; the caller answers for what they name.
            let status = unsafe {
                table.cudaMemcpyBatchAsync(
                    to, from, sizes, count, attributes, begins, runs, which, handle,
                )
            };
            check!(
                api,
                cudaMemcpyBatchAsync,
                status,
                count,
                failed,
                stream = handle
            )
        } else if let Some(table) = api.v13() {
            let mut attributes: Vec<_> = orders.iter().map(|order| order.v13()).collect();
            let attributes = attributes.as_mut_ptr();
            let (to, from) = (to.cast_const(), from.cast_const().cast());
            // SAFETY: as above, without the out parameter.
            let status = unsafe {
                table.cudaMemcpyBatchAsync(to, from, sizes, count, attributes, begins, runs, handle)
            };
            check!(api, cudaMemcpyBatchAsync, status, count, stream = handle)
        } else {
            check!(api, cudaMemcpyBatchAsync, cudaError(302))
        };
        drop(entered);
        result
    }
}

impl SourceOrder {
    /// The number of C.
    pub(super) fn raw(self) -> cudaMemcpySrcAccessOrder {
        match self {
            Self::Stream => cudaMemcpySrcAccessOrder::cudaMemcpySrcAccessOrderStream,
            Self::DuringCall => cudaMemcpySrcAccessOrder::cudaMemcpySrcAccessOrderDuringApiCall,
            Self::Any => cudaMemcpySrcAccessOrder::cudaMemcpySrcAccessOrderAny,
        }
    }

    fn v12(self) -> v12::cudaMemcpyAttributes {
        v12::cudaMemcpyAttributes {
            srcAccessOrder: self.raw(),
            ..v12::cudaMemcpyAttributes::default()
        }
    }

    pub(super) fn v13(self) -> v13::cudaMemcpyAttributes {
        v13::cudaMemcpyAttributes {
            srcAccessOrder: self.raw(),
            ..v13::cudaMemcpyAttributes::default()
        }
    }
}

/// The call as errors of ours name it.
const CALL: &str = "cudaMemcpyBatchAsync";

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_come_in_runs_that_begin_at_zero() {
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
        let (orders, begins) = batch.runs();
        assert_eq!(begins, [0, 2, 3]);
        assert_eq!(orders.len(), 3);
        assert_eq!(batch.len(), 4);
    }
}
