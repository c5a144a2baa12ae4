//! Checked batches, for either layer.

/// A batch that remembers what is in it.
macro_rules! batches {
    ($layer:ident, $function:literal, $api:expr) => {
        use $layer::copy::SourceOrder;
        use $layer::memory::DeviceSlice;
        use $layer::stream::Stream;

        /// C's number.
        const fn number(order: SourceOrder) -> u32 {
            match order {
                SourceOrder::Stream => 1,
                SourceOrder::DuringCall => 2,
                SourceOrder::Any => 3,
            }
        }

        /// Many copies for one call, checked one by one; the layer's own batch otherwise.
        ///
        /// Copies of nothing are left out, because CUDA refuses them.
        #[derive(Debug, Default)]
        pub struct Batch<'a> {
            batch: copy::Batch<'a>,
            entries: Vec<crate::call::BatchEntry>,
            orders: Vec<u32>,
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
                self.batch.len()
            }

            /// Whether there are no copies.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.batch.is_empty()
            }

            /// Adds a copy of host memory to device memory.
            ///
            /// # Errors
            ///
            /// The layer's, for lengths that differ.
            pub fn upload<T: NoUninit>(
                &mut self,
                destination: impl Into<DeviceSlice<'a, T>>,
                source: &'a [T],
            ) -> $layer::error::Result<()> {
                let destination = destination.into();
                let (to, from) = (destination.address(), Address::from(source.as_ptr()));
                self.batch.upload(destination, source)?;
                self.note(to, from, Bytes(size_of_val(source)), SourceOrder::Stream);
                Ok(())
            }

            /// Adds a copy of device memory to host memory.
            ///
            /// # Errors
            ///
            /// The layer's, for lengths that differ.
            pub fn download<T: AnyBitPattern>(
                &mut self,
                destination: &'a mut [T],
                source: impl Into<DeviceSlice<'a, T>>,
            ) -> $layer::error::Result<()> {
                let source = source.into();
                let (to, from) = (Address::from(destination.as_mut_ptr()), source.address());
                let size = Bytes(size_of_val(destination));
                self.batch.download(destination, source)?;
                self.note(to, from, size, SourceOrder::Stream);
                Ok(())
            }

            /// Adds a copy of device memory to device memory.
            ///
            /// # Errors
            ///
            /// The layer's, for lengths that differ.
            pub fn device_to_device<T: Copy + 'static>(
                &mut self,
                destination: impl Into<DeviceSlice<'a, T>>,
                source: impl Into<DeviceSlice<'a, T>>,
            ) -> $layer::error::Result<()> {
                let (destination, source) = (destination.into(), source.into());
                let (to, from) = (destination.address(), source.address());
                let size = source.size();
                self.batch.device_to_device(destination, source)?;
                self.note(to, from, size, SourceOrder::Stream);
                Ok(())
            }

            /// Adds a copy between raw ranges.
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_async`, for the stream that the batch is given to.
            pub unsafe fn push(
                &mut self,
                destination: impl Into<Address>,
                source: impl Into<Address>,
                size: Bytes,
                order: SourceOrder,
            ) {
                let (to, from) = (destination.into(), source.into());
                // SAFETY: the caller answers for both ranges.
                unsafe { self.batch.push(to, from, size, order) };
                self.note(to, from, size, order);
            }

            fn note(&mut self, to: Address, from: Address, size: Bytes, order: SourceOrder) {
                if size.0 == 0 {
                    return;
                }
                self.entries.push(crate::call::BatchEntry {
                    dst: to.0,
                    src: from.0,
                    bytes: size.0 as u64,
                });
                self.orders.push(number(order));
            }

            /// The call that this becomes: attributes in runs, as the layer passes them.
            fn asked(&self) -> Asked {
                let mut attributes: Vec<crate::call::BatchAttribute> = Vec::new();
                for (index, &order) in self.orders.iter().enumerate() {
                    if attributes.last().map(|last| last.source_access) != Some(order) {
                        attributes.push(crate::call::BatchAttribute {
                            source_access: order,
                            from: index as u64,
                        });
                    }
                }
                Asked {
                    function: $function,
                    api: $api,
                    action: Action::Batch(crate::call::Batch {
                        entries: self.entries.clone(),
                        attributes,
                    }),
                }
            }

            /// Gives all copies to the stream, checked one by one: the first that is wrong is named.
            ///
            /// # Errors
            ///
            /// As for [`upload`], and [`Error::Layer`] before CUDA 12.8.
            ///
            /// # Safety
            ///
            /// As for the layer's own `submit`.
            #[track_caller]
            pub unsafe fn submit(
                self,
                checker: &Checker<'_>,
                stream: &Stream,
            ) -> Result<(), Error> {
                if self.is_empty() {
                    return Ok(());
                }
                let call = self.asked().call(raw::queued(stream), Site::here());
                let batch = self.batch;
                let entered = entered(stream)?;
                let result = made(checker, &call, || {
                    // SAFETY: the caller answers for everything that was added.
                    unsafe { batch.submit(stream) }
                });
                drop(entered);
                result
            }
        }
    };
}

#[cfg(any(feature = "driver", feature = "runtime"))]
pub(super) use batches;
