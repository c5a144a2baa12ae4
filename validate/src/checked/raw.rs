//! Checked copies of raw ranges, for either layer.

/// The raw copies and fills of a layer. Around it stand the functions that say which call each
/// becomes: `line`, `rows`, `planes`, `filling`, `peers`, and the type `Owner` of a peer copy's
/// operands.
macro_rules! raw_copies {
    ($layer:ident) => {
        /// Copies and fills of raw ranges, checked; unsafe as the layer's own.
        ///
        /// All of them work in the thread's current context, as C does.
        ///
        /// # Safety
        ///
        /// The check finds what CUDA, the memory map and the registry know. It cannot know of Rust's
        /// own borrows, nor of how far a host buffer goes within its mapping: every function here
        /// asks of the caller what the function of the same name in the layer asks.
        pub mod raw {
            use super::super::{NOW, Turn, vouched};
            use super::{
                Error, Owner, filling, line, line_with_order, made, many_planes, peers, planes,
                planes_between, planes_with_order, rows,
            };
            use crate::facts::StreamState;
            use crate::{Checker, Order, Site, Stream as Queue};
            use $layer::copy::{Copy2d, Copy3d, Direction, Pattern, SourceOrder, raw};
            use $layer::memory::{Bytes, Pitch};
            use $layer::pointer::Address;
            use $layer::stream::Stream;

            /// A call that is put into a stream.
            pub(super) fn queued(stream: &Stream) -> Turn {
                let handle = stream.as_raw().expose_provenance() as u64;
                let order = Order::Async(Queue::from_raw(handle, Queue::Legacy));
                let stream = match (stream.is_created_here(), stream.is_known_to_run()) {
                    (false, _) => StreamState::Lent,
                    (true, false) => StreamState::Alive,
                    (true, true) => StreamState::Running,
                };
                Turn {
                    order,
                    vouched: vouched(stream),
                }
            }

            /// Copies a range of bytes, checked, and waits as far as CUDA waits.
            ///
            /// # Errors
            ///
            /// [`Error::Checked`] with findings where the copy was not made or CUDA refused it,
            /// [`Error::Layer`] where CUDA could not be asked.
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy`.
            #[track_caller]
            pub unsafe fn copy(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                source: impl Into<Address>,
                size: Bytes,
                direction: Direction,
            ) -> Result<(), Error> {
                let (to, from) = (destination.into(), source.into());
                let call = line(to, from, size, direction, false).call(NOW, Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for both ranges.
                    unsafe { raw::copy(to, from, size, direction) }
                })
            }

            /// Copies a range of bytes, checked, when the stream comes to it.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_async`.
            #[track_caller]
            pub unsafe fn copy_async(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                source: impl Into<Address>,
                size: Bytes,
                direction: Direction,
                stream: &Stream,
            ) -> Result<(), Error> {
                let (to, from) = (destination.into(), source.into());
                let asked = line(to, from, size, direction, true);
                made(checker, &asked.call(queued(stream), Site::here()), || {
                    // SAFETY: the caller answers for both ranges, until the stream has done it.
                    unsafe { raw::copy_async(to, from, size, direction, stream) }
                })
            }

            /// Copies rows, checked, and waits as far as CUDA waits; either side may be an array.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_2d`.
            #[track_caller]
            pub unsafe fn copy_2d(checker: &Checker<'_>, copy: &Copy2d) -> Result<(), Error> {
                let call = rows(copy, false).call(NOW, Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the rows cover.
                    unsafe { raw::copy_2d(copy) }
                })
            }

            /// Copies rows, checked, when the stream comes to it; either side may be an array.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_2d_async`.
            #[track_caller]
            pub unsafe fn copy_2d_async(
                checker: &Checker<'_>,
                copy: &Copy2d,
                stream: &Stream,
            ) -> Result<(), Error> {
                let call = rows(copy, true).call(queued(stream), Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the rows cover, until the stream has done it.
                    unsafe { raw::copy_2d_async(copy, stream) }
                })
            }

            /// Copies planes, checked, and waits as far as CUDA waits; either side may be an array.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_3d`.
            #[track_caller]
            pub unsafe fn copy_3d(checker: &Checker<'_>, copy: &Copy3d) -> Result<(), Error> {
                let call = planes(copy, false).call(NOW, Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the planes cover.
                    unsafe { raw::copy_3d(copy) }
                })
            }

            /// Copies planes, checked, when the stream comes to it; either side may be an array.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_3d_async`.
            #[track_caller]
            pub unsafe fn copy_3d_async(
                checker: &Checker<'_>,
                copy: &Copy3d,
                stream: &Stream,
            ) -> Result<(), Error> {
                let call = planes(copy, true).call(queued(stream), Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the planes cover, until the stream has done it.
                    unsafe { raw::copy_3d_async(copy, stream) }
                })
            }

            /// Gives many copies of planes to the stream in one call, checked one by one: the first that is
            /// wrong is named where CUDA refuses the call.
            ///
            /// # Errors
            ///
            /// As for [`copy`], and [`Error::Layer`] before CUDA 12.8.
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_3d_batch_async`.
            #[track_caller]
            pub unsafe fn copy_3d_batch_async(
                checker: &Checker<'_>,
                copies: &[Copy3d],
                order: SourceOrder,
                stream: &Stream,
            ) -> Result<(), Error> {
                if copies.is_empty() {
                    return Ok(());
                }
                let call = many_planes(copies, order).call(queued(stream), Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the planes cover, until the stream has done it.
                    unsafe { raw::copy_3d_batch_async(copies, order, stream) }
                })
            }

            /// Copies planes when the stream comes to it, saying when the source may be read, checked.
            ///
            /// What CUDA answers was never compared with a device, so that nothing is predicted but what
            /// would kill the process.
            ///
            /// # Errors
            ///
            /// As for [`copy`], and [`Error::Layer`] before CUDA 13.2.
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_3d_with_order_async`.
            #[track_caller]
            pub unsafe fn copy_3d_with_order_async(
                checker: &Checker<'_>,
                copy: &Copy3d,
                order: SourceOrder,
                stream: &Stream,
            ) -> Result<(), Error> {
                let call = planes_with_order(copy).call(queued(stream), Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the planes cover, until the stream has done it.
                    unsafe { raw::copy_3d_with_order_async(copy, order, stream) }
                })
            }

            /// Copies a range of bytes when the stream comes to it, saying when the source may be read, checked.
            ///
            /// What CUDA answers was never compared with a device, so that nothing is predicted but what
            /// would kill the process.
            ///
            /// # Errors
            ///
            /// As for [`copy`], and [`Error::Layer`] before CUDA 13.2.
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_with_order_async`.
            #[track_caller]
            pub unsafe fn copy_with_order_async(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                source: impl Into<Address>,
                size: Bytes,
                order: SourceOrder,
                stream: &Stream,
            ) -> Result<(), Error> {
                let (to, from) = (destination.into(), source.into());
                let asked = line_with_order(to, from, size);
                made(checker, &asked.call(queued(stream), Site::here()), || {
                    // SAFETY: the caller answers for both ranges, until the stream has done it.
                    unsafe { raw::copy_with_order_async(to, from, size, order, stream) }
                })
            }

            /// Copies planes between devices, checked, and waits as far as CUDA waits.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_3d_peer`.
            #[track_caller]
            pub unsafe fn copy_3d_peer(
                checker: &Checker<'_>,
                copy: &Copy3d,
                destination: &Owner,
                source: &Owner,
            ) -> Result<(), Error> {
                let call = planes_between(copy, destination, source, false).call(NOW, Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the planes cover.
                    unsafe { raw::copy_3d_peer(copy, destination, source) }
                })
            }

            /// Copies planes between devices, checked, when the stream comes to it.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::copy_3d_peer_async`.
            #[track_caller]
            pub unsafe fn copy_3d_peer_async(
                checker: &Checker<'_>,
                copy: &Copy3d,
                destination: &Owner,
                source: &Owner,
                stream: &Stream,
            ) -> Result<(), Error> {
                let call = planes_between(copy, destination, source, true)
                    .call(queued(stream), Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for what the planes cover, until the stream has done it.
                    unsafe { raw::copy_3d_peer_async(copy, destination, source, stream) }
                })
            }

            /// Copies memory of one device to memory of another, checked.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::peer`.
            #[track_caller]
            pub unsafe fn peer(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                destination_owner: &Owner,
                source: impl Into<Address>,
                source_owner: &Owner,
                size: Bytes,
            ) -> Result<(), Error> {
                let (to, from) = (destination.into(), source.into());
                let asked = peers((to, destination_owner), (from, source_owner), size, false);
                made(checker, &asked.call(NOW, Site::here()), || {
                    // SAFETY: the caller answers for both ranges.
                    unsafe { raw::peer(to, destination_owner, from, source_owner, size) }
                })
            }

            /// Copies memory of one device to memory of another, checked, when the stream comes to it.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::peer_async`.
            #[track_caller]
            pub unsafe fn peer_async(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                destination_owner: &Owner,
                source: impl Into<Address>,
                source_owner: &Owner,
                size: Bytes,
                stream: &Stream,
            ) -> Result<(), Error> {
                let (to, from) = (destination.into(), source.into());
                let asked = peers((to, destination_owner), (from, source_owner), size, true);
                made(checker, &asked.call(queued(stream), Site::here()), || {
                    // SAFETY: the caller answers for both ranges, until the stream has done it.
                    unsafe {
                        raw::peer_async(to, destination_owner, from, source_owner, size, stream)
                    }
                })
            }

            /// Fills a range with a pattern, checked; `count` is in elements of the pattern's size.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::fill`.
            #[track_caller]
            pub unsafe fn fill(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                pattern: Pattern,
                count: usize,
            ) -> Result<(), Error> {
                let to = destination.into();
                let call = filling(to, None, pattern, (count, 1), false).call(NOW, Site::here());
                made(checker, &call, || {
                    // SAFETY: the caller answers for the range.
                    unsafe { raw::fill(to, pattern, count) }
                })
            }

            /// Fills a range with a pattern, checked, when the stream comes to it.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::fill_async`.
            #[track_caller]
            pub unsafe fn fill_async(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                pattern: Pattern,
                count: usize,
                stream: &Stream,
            ) -> Result<(), Error> {
                let to = destination.into();
                let asked = filling(to, None, pattern, (count, 1), true);
                made(checker, &asked.call(queued(stream), Site::here()), || {
                    // SAFETY: the caller answers for the range, until the stream has done it.
                    unsafe { raw::fill_async(to, pattern, count, stream) }
                })
            }

            /// Fills `height` rows of `width` elements with a pattern, checked.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::fill_2d`.
            #[track_caller]
            pub unsafe fn fill_2d(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                pitch: Pitch,
                pattern: Pattern,
                width: usize,
                height: usize,
            ) -> Result<(), Error> {
                let to = destination.into();
                let asked = filling(to, Some(pitch), pattern, (width, height), false);
                made(checker, &asked.call(NOW, Site::here()), || {
                    // SAFETY: the caller answers for the rows.
                    unsafe { raw::fill_2d(to, pitch, pattern, width, height) }
                })
            }

            /// Fills `height` rows of `width` elements with a pattern, checked, when the stream comes
            /// to it.
            ///
            /// # Errors
            ///
            /// As for [`copy`].
            ///
            /// # Safety
            ///
            /// As for the layer's `raw::fill_2d_async`.
            #[track_caller]
            pub unsafe fn fill_2d_async(
                checker: &Checker<'_>,
                destination: impl Into<Address>,
                pitch: Pitch,
                pattern: Pattern,
                width: usize,
                height: usize,
                stream: &Stream,
            ) -> Result<(), Error> {
                let to = destination.into();
                let asked = filling(to, Some(pitch), pattern, (width, height), true);
                made(checker, &asked.call(queued(stream), Site::here()), || {
                    // SAFETY: the caller answers for the rows, until the stream has done it.
                    unsafe { raw::fill_2d_async(to, pitch, pattern, width, height, stream) }
                })
            }
        }
    };
}

#[cfg(any(feature = "driver", feature = "runtime"))]
pub(super) use raw_copies;
