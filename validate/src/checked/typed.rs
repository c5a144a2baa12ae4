//! Checked copies with the layers' own types, for either layer.

/// The safe copies and fills of a layer; `$owner` is what memory says that it belongs to.
macro_rules! typed_copies {
    ($layer:ident, $owner:ident) => {
        use bytemuck::{AnyBitPattern, NoUninit};
        use $layer::copy::{Fill, Pattern, Side};
        use $layer::memory::{DeviceMemory, Pitch, PitchedBuffer};

        /// Copies host memory to device memory, checked, and waits as the layer's `upload` does.
        ///
        /// # Errors
        ///
        /// [`Error::Checked`] with findings where the copy was not made or CUDA refused it,
        /// [`Error::Layer`] for lengths that differ and where CUDA could not be asked.
        #[track_caller]
        pub fn upload<T: NoUninit>(
            checker: &Checker<'_>,
            destination: &mut impl DeviceMemory<Element = T>,
            source: &[T],
        ) -> Result<(), Error> {
            if destination.len() != source.len() || size_of_val(source) == 0 {
                return Ok(copy::upload(destination, source)?);
            }
            let (to, from) = (destination.address(), Address::from(source.as_ptr()));
            let size = Bytes(size_of_val(source));
            let asked = line(to, from, size, Direction::HostToDevice, false);
            let call = asked.call(NOW, Site::here());
            let owner = destination.$owner().clone();
            let entered = owner.enter()?;
            let result = made(checker, &call, || copy::upload(destination, source));
            drop(entered);
            result
        }

        /// Copies device memory to host memory, checked, and waits.
        ///
        /// # Errors
        ///
        /// As for [`upload`].
        #[track_caller]
        pub fn download<T: AnyBitPattern>(
            checker: &Checker<'_>,
            destination: &mut [T],
            source: &impl DeviceMemory<Element = T>,
        ) -> Result<(), Error> {
            if destination.len() != source.len() || size_of_val(destination) == 0 {
                return Ok(copy::download(destination, source)?);
            }
            let to = Address::from(destination.as_mut_ptr());
            let size = Bytes(size_of_val(destination));
            let asked = line(to, source.address(), size, Direction::DeviceToHost, false);
            let call = asked.call(NOW, Site::here());
            let entered = source.$owner().enter()?;
            let result = made(checker, &call, || copy::download(destination, source));
            drop(entered);
            result
        }

        /// Copies device memory to device memory, of the same owner or another, checked.
        ///
        /// # Errors
        ///
        /// As for [`upload`].
        #[track_caller]
        pub fn device_to_device<T: Copy>(
            checker: &Checker<'_>,
            destination: &mut impl DeviceMemory<Element = T>,
            source: &impl DeviceMemory<Element = T>,
        ) -> Result<(), Error> {
            let size = source.size();
            if destination.len() != source.len() || size.0 == 0 {
                return Ok(copy::device_to_device(destination, source)?);
            }
            let (to, from) = (destination.address(), source.address());
            let (there, here) = (destination.$owner().clone(), source.$owner());
            let asked = if there == *here {
                line(to, from, size, Direction::DeviceToDevice, false)
            } else {
                peers((to, &there), (from, here), size, false)
            };
            let call = asked.call(NOW, Site::here());
            let entered = there.enter()?;
            let result = made(checker, &call, || {
                copy::device_to_device(destination, source)
            });
            drop(entered);
            result
        }

        /// Copies rows of host memory into a pitched buffer, checked, and waits.
        ///
        /// # Errors
        ///
        /// As for [`upload`]; [`Error::Layer`] where the rows do not fit the pitch or the slice.
        #[track_caller]
        pub fn upload_2d<T: NoUninit>(
            checker: &Checker<'_>,
            destination: &mut PitchedBuffer<T>,
            source: &[T],
            pitch: Pitch,
        ) -> Result<(), Error> {
            let asked = Copy2d {
                destination: Side::device(destination.address(), destination.pitch()),
                source: Side::host(source.as_ptr(), pitch),
                width: Bytes::of::<T>(destination.width())?,
                height: destination.height(),
            };
            let call = rows(&asked, false).call(NOW, Site::here());
            let owner = destination.$owner().clone();
            let entered = owner.enter()?;
            let result = made(checker, &call, || {
                copy::upload_2d(destination, source, pitch)
            });
            drop(entered);
            result
        }

        /// Copies a pitched buffer into rows of host memory, checked, and waits.
        ///
        /// # Errors
        ///
        /// As for [`upload_2d`].
        #[track_caller]
        pub fn download_2d<T: AnyBitPattern>(
            checker: &Checker<'_>,
            destination: &mut [T],
            pitch: Pitch,
            source: &PitchedBuffer<T>,
        ) -> Result<(), Error> {
            let asked = Copy2d {
                destination: Side::host(destination.as_mut_ptr(), pitch),
                source: Side::device(source.address(), source.pitch()),
                width: Bytes::of::<T>(source.width())?,
                height: source.height(),
            };
            let call = rows(&asked, false).call(NOW, Site::here());
            let entered = source.$owner().enter()?;
            let result = made(checker, &call, || {
                copy::download_2d(destination, pitch, source)
            });
            drop(entered);
            result
        }

        /// Fills device memory with one value, checked.
        ///
        /// # Errors
        ///
        /// As for [`upload`].
        #[track_caller]
        pub fn fill<T: Fill>(
            checker: &Checker<'_>,
            destination: &mut impl DeviceMemory<Element = T>,
            value: T,
        ) -> Result<(), Error> {
            let (to, count) = (destination.address(), destination.len());
            let asked = filling(to, None, value.pattern(), (count, 1), false);
            let call = asked.call(NOW, Site::here());
            let owner = destination.$owner().clone();
            let entered = owner.enter()?;
            let result = made(checker, &call, || copy::fill(destination, value));
            drop(entered);
            result
        }

        /// Fills device memory with zero bytes, checked.
        ///
        /// # Errors
        ///
        /// As for [`upload`].
        #[track_caller]
        pub fn zero(
            checker: &Checker<'_>,
            destination: &mut impl DeviceMemory,
        ) -> Result<(), Error> {
            let (to, size) = (destination.address(), destination.size());
            let asked = filling(to, None, Pattern::Bits8(0), (size.0, 1), false);
            let call = asked.call(NOW, Site::here());
            let owner = destination.$owner().clone();
            let entered = owner.enter()?;
            let result = made(checker, &call, || copy::zero(destination));
            drop(entered);
            result
        }

        /// Fills the rows of a pitched buffer with zero bytes, checked.
        ///
        /// # Errors
        ///
        /// As for [`upload`].
        #[track_caller]
        pub fn zero_2d<T: Copy>(
            checker: &Checker<'_>,
            destination: &mut PitchedBuffer<T>,
        ) -> Result<(), Error> {
            let extent = (Bytes::of::<T>(destination.width())?.0, destination.height());
            let (to, pitch) = (destination.address(), destination.pitch());
            let asked = filling(to, Some(pitch), Pattern::Bits8(0), extent, false);
            let call = asked.call(NOW, Site::here());
            let owner = destination.$owner().clone();
            let entered = owner.enter()?;
            let result = made(checker, &call, || copy::zero_2d(destination));
            drop(entered);
            result
        }
    };
}

#[cfg(any(feature = "driver", feature = "runtime"))]
pub(super) use typed_copies;
