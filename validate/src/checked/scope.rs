//! Checked asynchronous copies that borrow, for either layer.

/// The layer's scope with a checker; `$owner` is what memory says that it belongs to, `$scope` where the
/// layer has its own.
macro_rules! scopes {
    ($layer:ident, $owner:ident) => {
        /// Asynchronous copies that borrow host memory until all of them have finished, each checked before
        /// it is put into its stream.
        ///
        /// Made by [`scope`].
        #[derive(Debug, Clone, Copy)]
        pub struct Scope<'scope, 'env: 'scope> {
            inner: &'scope copy::Scope<'scope, 'env>,
            checker: &'scope Checker<'env>,
        }

        /// Runs `body`, which may start checked asynchronous copies of borrowed host memory, and then waits for
        /// them, as the layer's own `copy::scope` does.
        ///
        /// # Errors
        ///
        /// The closure's error, or [`Error::Layer`] with what CUDA answers when the streams are waited for.
        pub fn scope<'env, R, F>(checker: &'env Checker<'env>, body: F) -> Result<R, Error>
        where
            F: for<'scope> FnOnce(Scope<'scope, 'env>) -> Result<R, Error>,
        {
            copy::scope_with(|inner| body(Scope { inner, checker }))
        }

        impl<'scope> Scope<'scope, '_> {
            fn made(
                &self,
                stream: &Stream,
                asked: Asked,
                site: Site,
                make: impl FnOnce() -> $layer::error::Result<()>,
            ) -> Result<(), Error> {
                let call = asked.call(raw::queued(stream), site);
                let entered = entered(stream)?;
                let result = made(self.checker, &call, make);
                drop(entered);
                result
            }

            /// Copies host memory to device memory when the stream comes to it, checked.
            ///
            /// # Errors
            ///
            /// [`Error::Checked`] with findings where the copy was not made or CUDA refused it,
            /// [`Error::Layer`] for lengths that differ, for a stream that captures, and where CUDA could not
            /// be asked.
            #[track_caller]
            pub fn upload<T: NoUninit>(
                &self,
                stream: &'scope Stream,
                destination: impl Into<DeviceSlice<'scope, T>>,
                source: &'scope [T],
            ) -> Result<(), Error> {
                let destination = destination.into();
                if destination.len() != source.len() || size_of_val(source) == 0 {
                    return Ok(self.inner.upload(stream, destination, source)?);
                }
                let (to, from) = (destination.address(), Address::from(source.as_ptr()));
                let size = Bytes(size_of_val(source));
                let asked = line(to, from, size, Direction::HostToDevice, true);
                self.made(stream, asked, Site::here(), || {
                    self.inner.upload(stream, destination, source)
                })
            }

            /// Copies device memory to host memory when the stream comes to it, checked.
            ///
            /// # Errors
            ///
            /// As for [`Scope::upload`].
            #[track_caller]
            pub fn download<T: AnyBitPattern>(
                &self,
                stream: &'scope Stream,
                destination: &'scope mut [T],
                source: impl Into<DeviceSlice<'scope, T>>,
            ) -> Result<(), Error> {
                let source = source.into();
                if destination.len() != source.len() || size_of_val(destination) == 0 {
                    return Ok(self.inner.download(stream, destination, source)?);
                }
                let to = Address::from(destination.as_mut_ptr());
                let size = Bytes(size_of_val(destination));
                let asked = line(to, source.address(), size, Direction::DeviceToHost, true);
                self.made(stream, asked, Site::here(), || {
                    self.inner.download(stream, destination, source)
                })
            }

            /// Copies device memory to device memory, of the same owner or another, when the stream comes to
            /// it, checked.
            ///
            /// # Errors
            ///
            /// As for [`Scope::upload`].
            #[track_caller]
            pub fn device_to_device<T: Copy + 'static>(
                &self,
                stream: &'scope Stream,
                destination: impl Into<DeviceSlice<'scope, T>>,
                source: impl Into<DeviceSlice<'scope, T>>,
            ) -> Result<(), Error> {
                let (destination, source) = (destination.into(), source.into());
                let size = source.size();
                if destination.len() != source.len() || size.0 == 0 {
                    let inner = self.inner;
                    return Ok(inner.device_to_device(stream, destination, source)?);
                }
                let (to, from) = (destination.address(), source.address());
                let (there, here) = (destination.$owner(), source.$owner());
                let asked = if there == here {
                    line(to, from, size, Direction::DeviceToDevice, true)
                } else {
                    peers((to, there), (from, here), size, true)
                };
                self.made(stream, asked, Site::here(), || {
                    self.inner.device_to_device(stream, destination, source)
                })
            }

            /// Fills device memory with one value when the stream comes to it, checked.
            ///
            /// # Errors
            ///
            /// As for [`Scope::upload`].
            #[track_caller]
            pub fn fill<T: Fill>(
                &self,
                stream: &'scope Stream,
                destination: impl Into<DeviceSlice<'scope, T>>,
                value: T,
            ) -> Result<(), Error> {
                let destination = destination.into();
                let (to, count) = (destination.address(), destination.len());
                let asked = filling(to, None, value.pattern(), (count, 1), true);
                self.made(stream, asked, Site::here(), || {
                    self.inner.fill(stream, destination, value)
                })
            }

            /// Copies rows of host memory into a pitched buffer when the stream comes to it, checked.
            ///
            /// # Errors
            ///
            /// As for [`Scope::upload`]; [`Error::Layer`] where the rows do not fit the pitch or the slice.
            #[track_caller]
            pub fn upload_2d<T: NoUninit>(
                &self,
                stream: &'scope Stream,
                destination: &'scope PitchedBuffer<T>,
                source: &'scope [T],
                pitch: Pitch,
            ) -> Result<(), Error> {
                let asked = Copy2d {
                    destination: Side::device(destination.address(), destination.pitch()),
                    source: Side::host(source.as_ptr(), pitch),
                    width: Bytes::of::<T>(destination.width())?,
                    height: destination.height(),
                };
                self.made(stream, rows(&asked, true), Site::here(), || {
                    self.inner.upload_2d(stream, destination, source, pitch)
                })
            }

            /// Copies a pitched buffer into rows of host memory when the stream comes to it, checked.
            ///
            /// # Errors
            ///
            /// As for [`Scope::upload_2d`].
            #[track_caller]
            pub fn download_2d<T: AnyBitPattern>(
                &self,
                stream: &'scope Stream,
                destination: &'scope mut [T],
                pitch: Pitch,
                source: &'scope PitchedBuffer<T>,
            ) -> Result<(), Error> {
                let asked = Copy2d {
                    destination: Side::host(destination.as_mut_ptr(), pitch),
                    source: Side::device(source.address(), source.pitch()),
                    width: Bytes::of::<T>(source.width())?,
                    height: source.height(),
                };
                self.made(stream, rows(&asked, true), Site::here(), || {
                    self.inner.download_2d(stream, destination, pitch, source)
                })
            }

            /// Gives all copies of a batch to the stream in one call, checked one by one.
            ///
            /// # Errors
            ///
            /// As for [`Scope::upload`], and [`Error::Layer`] before CUDA 12.8.
            #[track_caller]
            pub fn batch(&self, stream: &'scope Stream, batch: Batch<'scope>) -> Result<(), Error> {
                if batch.is_empty() {
                    return Ok(());
                }
                let asked = batch.asked();
                self.made(stream, asked, Site::here(), || {
                    self.inner.batch(stream, batch.batch)
                })
            }
        }
    };
}

#[cfg(any(feature = "driver", feature = "runtime"))]
pub(super) use scopes;
